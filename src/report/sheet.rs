//! Sections of a report, apart from how they look.

/// A report in sections.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// The day.
    pub title: String,
    /// The sentence that matters.
    pub lead: String,
    /// What follows, in order.
    pub sections: Vec<Section>,
    /// Who made it, and how to have it again.
    pub footer: Vec<String>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// Its title.
    pub title: &'static str,
    /// Whether it is to be read with care.
    pub is_warning: bool,
    /// Lines above the table.
    pub lines: Vec<String>,
    /// A table.
    pub grid: Option<Grid>,
    /// A picture.
    pub chart: Option<Chart>,
    /// Small print below.
    pub notes: Vec<String>,
}

/// A table; columns of numbers stand right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Names, and whether the column is one of numbers.
    pub columns: Vec<(&'static str, bool)>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

/// A picture with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Its name on the page.
    pub name: &'static str,
    /// What it shows, for those who do not see it.
    pub caption: String,
    /// The picture as SVG.
    pub svg: String,
}

impl Sheet {
    /// The pictures, in order.
    pub fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.sections.iter().filter_map(|section| section.chart.as_ref())
    }
}

impl Grid {
    /// A table of these columns: `>` before a name makes it one of numbers.
    pub(super) fn new(columns: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        let column = |name: &&'static str| name.strip_prefix('>').map_or((*name, false), |name| (name, true));
        Self { columns: columns.iter().map(column).collect(), rows }
    }

    /// Cells of a row with the side that each stands at.
    pub(super) fn sides<'a>(&'a self, row: &'a [String]) -> impl Iterator<Item = (&'a str, &'static str)> {
        let side = |(_, is_number): &(&str, bool)| if *is_number { "right" } else { "left" };
        row.iter().zip(&self.columns).map(move |(cell, column)| (cell.as_str(), side(column)))
    }
}
