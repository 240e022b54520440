//! What the processes wrote down before they were killed: each line is on the disk before its writer goes on.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The evidence of one process.
pub(super) struct Book(File);

/// A line of a book.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// Rows of a slot are about to be replaced by ones of this price.
    Try { slot: i64, price: i64 },
    /// The lake said done: rows of a slot, as appended or with the price they were given, in a version.
    Done { slot: i64, price: Option<i64>, version: Option<u64> },
    /// This version is about to be brought back, so replacements since then may be undone.
    Restore { version: u64 },
    /// The table was copied to a folder, of which only what this version has is asked for.
    Saved { version: u64 },
    /// Something counted, and an explanation.
    Event { name: String, text: String },
}

impl Book {
    /// Begins a book in a folder.
    pub(super) fn begin(folder: &Path, name: &str) -> Self {
        fs::create_dir_all(folder).expect("a folder for the books");
        let path = folder.join(name);
        Self(OpenOptions::new().create(true).append(true).open(path).expect("a book"))
    }

    /// Writes a line, and returns when it is on the disk.
    pub(super) fn write(&mut self, line: &Line) {
        let number = |value: &Option<i64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let text = match line {
            Line::Try { slot, price } => format!("try {slot} {price}\n"),
            Line::Done { slot, price, version } => {
                format!("done {slot} {} {}\n", number(price), version.map_or_else(|| "-".to_owned(), |v| v.to_string()))
            }
            Line::Restore { version } => format!("restore {version}\n"),
            Line::Saved { version } => format!("saved {version}\n"),
            Line::Event { name, text } => format!("event {name} {}\n", text.replace('\n', " ")),
        };
        self.0.write_all(text.as_bytes()).and_then(|()| self.0.sync_data()).expect("a line on the disk");
    }

    /// Writes down something counted.
    pub(super) fn event(&mut self, name: &str, text: &str) {
        self.write(&Line::Event { name: name.to_owned(), text: text.to_owned() });
    }
}

/// Reads all books of a folder; a line whose writer was killed in it is left out.
pub(super) fn lines(folder: &Path) -> Vec<Line> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a book");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        lines.extend(whole.lines().map(parsed));
    }
    lines
}

fn parsed(line: &str) -> Line {
    if let Some((name, text)) = line.strip_prefix("event ").and_then(|event| event.split_once(' ')) {
        return Line::Event { name: name.to_owned(), text: text.to_owned() };
    }
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    match word() {
        "try" => Line::Try { slot: word().parse().expect("a slot"), price: word().parse().expect("a price") },
        "restore" => Line::Restore { version: word().parse().expect("a version") },
        "saved" => Line::Saved { version: word().parse().expect("a version") },
        _ => Line::Done {
            slot: word().parse().expect("a slot"),
            price: word().parse().ok(),
            version: word().parse().ok(),
        },
    }
}

/// What the books demand of a slot.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// A version from which the rows are as a replacement made them, with its price.
    replaced: Option<(u64, i64)>,
    /// Prices that were tried and never called done.
    open: Vec<i64>,
    is_done: bool,
    /// Whether the rows may stand as they were appended, whatever replaced them.
    may_be_appended: bool,
}

impl Demand {
    /// Whether the rows of the slot were called done.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether rows of the slot may have this price; `appended` is that of rows nobody replaced.
    pub(super) fn allows(&self, price: i64, appended: i64) -> bool {
        let by_done = self.replaced.map_or(appended, |(_, price)| price) == price;
        by_done || self.open.contains(&price) || (self.may_be_appended && price == appended)
    }
}

/// The demands of all lines, by slot.
pub(super) fn demands(lines: &[Line]) -> BTreeMap<i64, Demand> {
    let mut demands: BTreeMap<i64, Demand> = BTreeMap::new();
    for line in lines {
        match line {
            Line::Try { slot, price } => demands.entry(*slot).or_default().open.push(*price),
            Line::Done { slot, price, version } => {
                let demand = demands.entry(*slot).or_default();
                demand.is_done = true;
                if let (Some(price), Some(version)) = (price, version)
                    && demand.replaced.is_none_or(|(newest, _)| newest < *version)
                {
                    demand.replaced = Some((*version, *price));
                }
            }
            Line::Restore { .. } | Line::Saved { .. } | Line::Event { .. } => {}
        }
    }
    // A replacement that was called done is over: its price stands only while it is the newest.
    for line in lines {
        if let Line::Done { slot, price: Some(price), .. } = line
            && let Some(demand) = demands.get_mut(slot)
        {
            demand.open.retain(|open| open != price);
        }
    }
    allow_restored(lines, &mut demands);
    demands
}

/// A restore undoes replacements since the version it brings back: any price that was given may stand then.
fn allow_restored(lines: &[Line], demands: &mut BTreeMap<i64, Demand>) {
    let oldest =
        lines.iter().filter_map(|line| if let Line::Restore { version } = line { Some(*version) } else { None });
    let Some(oldest) = oldest.min() else { return };
    for line in lines {
        if let Line::Done { slot, price: Some(price), .. } = line
            && let Some(demand) = demands.get_mut(slot)
            && demand.replaced.is_some_and(|(newest, _)| newest > oldest)
        {
            demand.open.push(*price);
            demand.may_be_appended = true;
        }
    }
}
