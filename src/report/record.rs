//! How complete the data is, and what checks found in it.

use super::Report;
use super::chart::{Bar, bars};
use super::sheet::{Chart, Grid, Section};

/// Slots of a session or of a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completeness {
    /// The session's day, or the symbol.
    pub name: String,
    /// Slots of the calendar, times the symbols.
    pub planned: usize,
    /// Rows made from quotes at their slot.
    pub captured: usize,
    /// Rows made from bars later.
    pub backfilled: usize,
}

impl Completeness {
    /// Slots without a row.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.planned.saturating_sub(self.captured + self.backfilled)
    }
}

/// Findings of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The check.
    pub check: String,
    /// The worst of them.
    pub severity: String,
    /// How many.
    pub count: usize,
    /// One of them in words.
    pub example: String,
}

/// The slots of the last sessions.
pub(super) fn completeness(report: &Report) -> Option<Section> {
    let row = |of: &Completeness| {
        vec![
            of.name.clone(),
            of.planned.to_string(),
            of.captured.to_string(),
            of.backfilled.to_string(),
            of.missing().to_string(),
        ]
    };
    let newest = report.completeness.last()?;
    let grid = Grid::new(
        &["symbol", ">planned", ">captured", ">backfilled", ">missing"],
        report.by_symbol.iter().map(row).collect(),
    );
    let drawn: Vec<Bar> = report.completeness.iter().map(bar).collect();
    let chart = bars("Slots of the last sessions, % of those planned", &drawn).map(|svg| {
        let worst = report.completeness.iter().max_by_key(|of| of.missing());
        let worst = worst.filter(|of| of.missing() > 0).map_or_else(
            || "none is missing".to_owned(),
            |of| format!("most are missing on {}: {}", of.name, of.missing()),
        );
        let caption = format!("Slots of the last {} sessions: {worst}", report.completeness.len());
        Chart { name: "slots", caption, svg }
    });
    let lines = vec![format!(
        "Session of {}: {} slots planned, {} captured at their time, {} filled from bars, {} missing.",
        newest.name,
        newest.planned,
        newest.captured,
        newest.backfilled,
        newest.missing()
    )];
    Some(Section { title: "The data", lines, grid: Some(grid), chart, ..Section::default() })
}

fn bar(of: &Completeness) -> Bar {
    Bar { name: of.name.clone(), parts: [of.captured, of.backfilled, of.missing()] }
}

/// What checks found, and what goes on.
pub(super) fn found(report: &Report) -> Section {
    let mut lines = Vec::new();
    if report.found.is_empty() {
        lines.push("Checks found nothing in that session.".to_owned());
    }
    lines.extend(report.incidents.iter().map(|incident| format!("Open: {incident}")));
    let row = |of: &Found| vec![of.check.clone(), of.severity.clone(), of.count.to_string(), of.example.clone()];
    let grid = (!report.found.is_empty())
        .then(|| Grid::new(&["check", "severity", ">findings", "such as"], report.found.iter().map(row).collect()));
    Section { title: "Findings", lines, grid, ..Section::default() }
}
