//! What an alert says, apart from how it looks: the same page is written as text and as HTML.

use super::observation::{MAX_SAMPLE_ROWS, Sample};
use super::words::{lines, one_line};

/// Characters of a value that are told.
const MAX_VALUE_CHARS: usize = 600;

/// Characters of a cell of the sample.
const MAX_CELL_CHARS: usize = 60;

/// Columns of the sample.
const MAX_COLUMNS: usize = 8;

/// Characters of a line of a group, or of a command.
const MAX_LINE_CHARS: usize = 160;

/// Lines of a group, and commands.
const MAX_LINES: usize = 20;

/// Groups of a page: with all else at its bound it stays below 102 KB, where mail programs cut.
const MAX_GROUPS: usize = 8;

/// A colour and a word for how things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
}

impl Tone {
    /// Background of the headline, in light and dark.
    pub(super) const fn colour(self) -> &'static str {
        match self {
            Self::Good => "#1a7f4b",
            Self::Warn => "#9a6700",
            Self::Bad => "#b3261e",
        }
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) tone: Tone,
    /// What a list of mails shows after the subject.
    pub(super) preheader: String,
    /// State, severity, what it is about.
    pub(super) headline: String,
    /// The one sentence that matters.
    pub(super) lead: String,
    /// Name and value of each fact.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Lists below a title: several incidents, or what was held back.
    pub(super) groups: Vec<Group>,
    /// Some of the rows.
    pub(super) table: Option<Table>,
    /// Words below the chart; none without one.
    pub(super) caption: Option<String>,
    /// What it means and what to do.
    pub(super) runbook: String,
    /// Commands, the most useful first.
    pub(super) commands: Vec<String>,
    /// Why this mail comes and how to be rid of it.
    pub(super) footer: Vec<String>,
}

/// A list below a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) num_more: usize,
}

/// A table of sample rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Names; those above numbers stand right.
    pub(super) columns: Vec<Cell>,
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) num_more: u64,
}

/// A cell; numbers stand right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) is_number: bool,
}

impl Cell {
    /// The side that it stands at.
    pub(super) const fn side(&self) -> &'static str {
        if self.is_number { "right" } else { "left" }
    }
}

impl Page {
    /// The page with everything in it on one line each, bounded, and free of control characters.
    pub(super) fn cleaned(mut self) -> Self {
        let value = |text: &str| one_line(text, MAX_VALUE_CHARS);
        for text in [&mut self.preheader, &mut self.headline, &mut self.lead] {
            *text = value(text);
        }
        self.facts.retain(|(_, fact)| !fact.trim().is_empty());
        self.facts.iter_mut().for_each(|(_, fact)| *fact = value(fact));
        self.groups.truncate(MAX_GROUPS);
        self.runbook = lines(&self.runbook, 4 * MAX_VALUE_CHARS);
        self.caption = self.caption.as_deref().map(value);
        self.commands =
            self.commands.iter().take(MAX_LINES).map(|command| one_line(command, 2 * MAX_LINE_CHARS)).collect();
        self.footer.iter_mut().for_each(|line| *line = value(line));
        self
    }
}

impl Group {
    /// A list of so many lines as a person reads; the rest is counted.
    pub(super) fn new(title: &str, all: &[String]) -> Self {
        let shown = all.iter().take(MAX_LINES).map(|line| one_line(line, MAX_LINE_CHARS)).collect();
        Self { title: one_line(title, MAX_LINE_CHARS), lines: shown, num_more: all.len().saturating_sub(MAX_LINES) }
    }
}

impl Table {
    /// The sample, cut to what a person reads.
    pub(super) fn new(sample: &Sample) -> Option<Self> {
        if sample.rows.is_empty() {
            return None;
        }
        let cell = |text: &String| Cell {
            is_number: text.trim().parse::<f64>().is_ok() || text == "-",
            text: one_line(text, MAX_CELL_CHARS),
        };
        let rows: Vec<Vec<Cell>> = sample
            .rows
            .iter()
            .take(MAX_SAMPLE_ROWS)
            .map(|row| row.iter().take(sample.columns.len().min(MAX_COLUMNS)).map(cell).collect())
            .collect();
        let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let all = sample.num_all.max(u64::try_from(sample.rows.len()).unwrap_or(u64::MAX));
        let is_number = |at: usize| rows.iter().filter_map(|row| row.get(at)).all(|cell| cell.is_number);
        let column =
            |(at, name): (usize, &String)| Cell { text: one_line(name, MAX_CELL_CHARS), is_number: is_number(at) };
        let columns = sample.columns.iter().take(MAX_COLUMNS).enumerate().map(column).collect();
        Some(Self { columns, rows, num_more: all.saturating_sub(shown) })
    }
}
