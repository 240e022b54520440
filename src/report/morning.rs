//! The mornings of the ETFs: what their futures say, what the rules make of it, and the night before.

use chrono::{DateTime, Utc};

use super::chart::{Line, lines};
use super::sheet::{Chart, Grid, Section};
use super::words::{clock, signed};
use super::{Report, words};
use crate::market::Symbol;

/// An ETF before the open.
#[derive(Debug, Clone, PartialEq)]
pub struct Morning {
    /// The ETF.
    pub etf: Symbol,
    /// Its future.
    pub future: Symbol,
    /// What the future says, or why nothing is said.
    pub heard: Result<Heard, String>,
    /// What the rules make of it; none where nothing was decided.
    pub decided: Option<Decided>,
    /// The future since the ETF's last close.
    pub overnight: Overnight,
}

/// What a future says.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// `strong_buy`, `buy`, `hold`, `sell` or `strong_sell`.
    pub signal: String,
    /// `bullish`, `neutral` or `bearish`.
    pub sentiment: String,
    /// 0 to 1.
    pub confidence: f64,
    /// Local symbol of the contract.
    pub contract: String,
    /// Its price.
    pub price: f64,
    /// Over an hour, four hours and a day, in points.
    pub changes: [Option<f64>; 3],
    /// The numbers in words.
    pub reasoning: String,
    /// Whether the row was made after the open.
    pub is_late: bool,
}

/// What the rules make of a signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// `enter` or `hold`.
    pub action: String,
    /// `bullish`, `bearish` or `neutral`.
    pub direction: String,
    /// The rule that fired; `none`.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// Size relative to the usual one.
    pub multiplier: f64,
    /// `normal` or `high`.
    pub urgency: String,
    /// The side of the ETF's own closes.
    pub outlook: String,
    /// Rules that did not fire, each with what kept it from it.
    pub missed: Vec<(String, String)>,
    /// Whether it came after the open.
    pub is_late: bool,
}

/// A future since the last close of its ETF.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overnight {
    /// The day and the price of that close.
    pub close: Option<(String, f64)>,
    /// Instants and changes since then, in bp of the price then, within one contract.
    pub points: Vec<(DateTime<Utc>, f64)>,
}

impl Morning {
    /// Whether a rule fires.
    #[must_use]
    pub fn enters(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.action == "enter")
    }

    /// `SPY enter bullish`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match &self.decided {
            Some(decided) if self.enters() => format!("{} enter {}", self.etf, decided.direction),
            Some(_) => format!("{} hold", self.etf),
            None => format!("{} no decision", self.etf),
        }
    }
}

/// The table of the signals.
pub(super) fn signals(report: &Report) -> Section {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for morning in &report.mornings {
        match &morning.heard {
            Ok(heard) => {
                let [hour, hours, day] = heard.changes.map(|change| signed(change, 2));
                rows.push(vec![
                    morning.etf.to_string(),
                    heard.contract.clone(),
                    heard.signal.clone(),
                    heard.sentiment.clone(),
                    format!("{:.2}", heard.confidence),
                    format!("{:.2}", heard.price),
                    hour,
                    hours,
                    day,
                ]);
                notes.push(format!("{}: {}", morning.etf, heard.reasoning));
            }
            Err(why) => notes.push(format!("{}: no signal: {why}", morning.etf)),
        }
    }
    let columns = ["ETF", "future", "signal", "sentiment", ">conf.", ">price", ">1 h", ">4 h", ">24 h"];
    let grid = (!rows.is_empty()).then(|| Grid::new(&columns, rows));
    Section { title: "What the futures say", grid, notes, ..Section::default() }
}

/// Decisions and what came near one.
pub(super) fn decisions(report: &Report) -> Section {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for morning in &report.mornings {
        let Some(decided) = &morning.decided else { continue };
        let size = if morning.enters() { format!("{:.2}", decided.multiplier) } else { "-".to_owned() };
        let urgency = if morning.enters() { decided.urgency.clone() } else { "-".to_owned() };
        rows.push(vec![
            morning.etf.to_string(),
            decided.action.clone(),
            decided.direction.clone(),
            decided.rule.clone(),
            size,
            urgency,
            decided.outlook.clone(),
        ]);
        notes.push(format!("{} {}: {}", morning.etf, decided.action, decided.reason));
        notes.extend(nearest(&decided.missed).map(|(rule, why)| format!("{} nearest was {rule}: {why}", morning.etf)));
    }
    if rows.is_empty() {
        let lines =
            vec!["Nothing was decided: without a signal and an outlook there is nothing to decide on.".to_owned()];
        return Section { title: "Decisions", is_warning: true, lines, ..Section::default() };
    }
    let grid = Grid::new(&["ETF", "action", "direction", "rule", ">size", "urgency", "own outlook"], rows);
    Section { title: "Decisions", grid: Some(grid), notes, ..Section::default() }
}

/// The rules that lacked the fewest conditions: each condition that was not met stands in the reason, with semicolons
/// between them. The others are in the table of decisions.
fn nearest(missed: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
    let lacked = |(_, why): &(String, String)| why.split(';').count();
    let least = missed.iter().map(lacked).min();
    missed.iter().filter(move |rule| Some(lacked(rule)) == least)
}

/// The futures since the ETFs' last close.
pub(super) fn overnight(report: &Report) -> Option<Section> {
    let drawn = report.mornings.iter().filter(|morning| morning.overnight.points.len() >= 2);
    let (mut all, mut words_of) = (Vec::new(), Vec::new());
    for morning in drawn {
        let Some((_, last)) = morning.overnight.points.last() else { continue };
        let (future, etf) = (&morning.future, &morning.etf);
        let close = morning.overnight.close.as_ref();
        let close = close.map_or_else(String::new, |(day, price)| format!(" at {price:.2} on {day}"));
        words_of.push(format!("{future} {last:+.1} bp since {etf} closed{close}"));
        all.push(Line { name: format!("{future} {last:+.1} bp"), points: morning.overnight.points.clone() });
    }
    let svg = lines("Futures since the ETFs' last close, bp", &all)?;
    let until = all.iter().filter_map(|line| line.points.last()).map(|(at, _)| *at).max()?;
    let caption = format!("{}, until {}", words_of.join("; "), clock(until));
    Some(Section { title: "The night", chart: Some(Chart { name: "night", caption, svg }), ..Section::default() })
}

/// What there is to say of a morning that came too late.
pub(super) fn late(report: &Report) -> Option<String> {
    let is_late = |morning: &&Morning| {
        morning.heard.as_ref().is_ok_and(|heard| heard.is_late)
            || morning.decided.as_ref().is_some_and(|decided| decided.is_late)
    };
    let late: Vec<&str> = report.mornings.iter().filter(is_late).map(|morning| morning.etf.as_str()).collect();
    let open = words::clock(report.opens_at);
    (!late.is_empty()).then(|| {
        format!(
            "made after the open at {open}, from rows stamped before it: {}; not evaluated as live",
            late.join(", ")
        )
    })
}
