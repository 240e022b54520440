//! What such signals have been worth: the book on paper with and without futures, and what may be said of it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::chart::{Line, lines};
use super::sheet::{Chart, Grid, Section};
use super::words::{interval, rate, signed};
use super::{Judged, Report};
use crate::evaluation::Verdict;
use crate::market::Symbol;

/// A base signal and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BaseDay {
    /// The session.
    pub date: NaiveDate,
    /// What the side of the ETF's own closes earned from open to close, bp gross.
    pub gross_bp: f64,
    /// Whether the future was on that side before the open.
    pub is_confirmed: bool,
    /// Whether the signal was made before the open.
    pub is_live: bool,
}

/// Base signals of all ETFs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Book {
    /// In any order.
    pub days: Vec<BaseDay>,
    /// Costs of a position, in and out, bp.
    pub costs_bp: f64,
}

impl Book {
    /// The running sum by day, net of costs, each session's signals weighted alike: of all base signals, or of those that
    /// the futures confirmed. A session without any adds nothing.
    #[must_use]
    pub fn equity(&self, only_confirmed: bool) -> Vec<(NaiveDate, f64)> {
        let mut by_day: BTreeMap<NaiveDate, (f64, f64, u32)> = BTreeMap::new();
        for day in &self.days {
            let (sum, count, _) = by_day.entry(day.date).or_default();
            if day.is_confirmed || !only_confirmed {
                *sum += day.gross_bp - self.costs_bp;
                *count += 1.0;
            }
        }
        let mut total = 0.0;
        let grown = by_day.into_iter().map(|(date, (sum, count, _))| {
            total += if count > 0.0 { sum / count } else { 0.0 };
            (date, total)
        });
        grown.collect()
    }
}

/// A position on paper whose horizon goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The ETF.
    pub symbol: Symbol,
    /// `bullish` or `bearish`.
    pub direction: String,
    /// The rule that decided it.
    pub rule: String,
    /// The session it was entered in, and the open there.
    pub entered: (NaiveDate, f64),
    /// The newest session it was held in, and the close there.
    pub marked: (NaiveDate, f64),
    /// What it would have come to by then, bp net of costs, times the size.
    pub net_bp: f64,
    /// For how long it is held, such as `5d`.
    pub horizon: String,
}

/// What is held on paper.
pub(super) fn open(report: &Report) -> Option<Section> {
    let price = |(day, price): (NaiveDate, f64)| format!("{price:.2} on {}", day.format("%m-%d"));
    let row = |of: &Held| {
        let (symbol, net) = (of.symbol.to_string(), signed(Some(of.net_bp), 1));
        vec![symbol, of.direction.clone(), of.rule.clone(), price(of.entered), price(of.marked), net]
    };
    let horizon = report.open.first()?.horizon.clone();
    let columns = ["ETF", "direction", "rule", ">in at the open", ">marked at the close", ">bp net"];
    let notes = vec![format!("Held for {horizon} from the open after the decision; no position is real.")];
    let grid = Grid::new(&columns, report.open.iter().map(row).collect());
    Some(Section { title: "Open on paper", grid: Some(grid), notes, ..Section::default() })
}

/// The book as a picture.
pub(super) fn book(report: &Report) -> Option<Section> {
    let [without, with] = [false, true].map(|only_confirmed| report.book.equity(only_confirmed));
    let [end_without, end_with] = [&without, &with].map(|of| of.last().map_or(0.0, |(_, total)| *total));
    let line = |name: &str, of: &[(NaiveDate, f64)]| Line {
        name: name.to_owned(),
        points: of.iter().map(|(day, total)| (noon(*day), *total)).collect(),
    };
    let drawn = [line("without futures", &without), line("with futures", &with)];
    let svg = lines("Book on paper, sum of bp net of costs", &drawn)?;
    let caption = format!(
        "Sum over {} sessions: {end_without:+.0} bp following each ETF's own closes, {end_with:+.0} bp where the futures \
         confirmed them; open to close, costs of {:.1} bp taken off",
        without.len(),
        report.book.costs_bp
    );
    let mut notes =
        vec!["The higher line proves nothing by itself: what may be said stands below, with its interval.".to_owned()];
    if report.book.days.iter().any(|day| !day.is_live) {
        notes.push("No signal is live yet: these were made after their open, from the rows stamped before.".to_owned());
    }
    Some(Section {
        title: "With and without futures",
        chart: Some(Chart { name: "book", caption, svg }),
        notes,
        ..Section::default()
    })
}

/// An instant that is of the day in every zone of interest.
fn noon(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(16)
}

/// What may be said.
pub(super) fn verdicts(report: &Report) -> Option<Section> {
    if report.verdicts.is_empty() {
        return None;
    }
    let rows = report.verdicts.iter().map(row).collect();
    let columns = [
        "ETF",
        "made",
        "verdict",
        ">base",
        ">confirmed",
        ">rejected",
        ">won, base",
        ">won, confirmed",
        ">difference, bp",
        ">95 %",
    ];
    let mut notes: Vec<String> = report.verdicts.iter().map(words).collect();
    notes.push("Signals of the last year, open to close, gross. Not significant does not mean no effect.".to_owned());
    if report.verdicts.iter().any(|of| !of.is_live) {
        notes.push(
            "Afterwards: made after their open, from the rows stamped before it; judged apart from live ones."
                .to_owned(),
        );
    }
    Some(Section {
        title: "What they have been worth",
        grid: Some(Grid::new(&columns, rows)),
        notes,
        ..Section::default()
    })
}

fn row(of: &Judged) -> Vec<String> {
    let confirmation = &of.confirmation;
    // Too few are counted, and no rate is told of them.
    let is_told = of.verdict != Verdict::Insufficient;
    let when = |told: String| if is_told { told } else { "-".to_owned() };
    vec![
        of.symbol.to_string(),
        made(of).to_owned(),
        of.verdict.to_string(),
        confirmation.n.to_string(),
        confirmation.arms.num_confirmed.to_string(),
        confirmation.arms.num_rejected.to_string(),
        when(rate(&of.hits_base)),
        when(rate(&of.hits_confirmed)),
        when(signed(confirmation.difference, 1)),
        when(confirmation.interval.map_or_else(|| "-".to_owned(), |of| interval(of, 1.0))),
    ]
}

fn words(of: &Judged) -> String {
    let visible = of.confirmation.smallest_visible.filter(|least| least.is_finite());
    let visible = visible
        .map_or_else(String::new, |least| format!("; from so few only a difference above {least:.0} bp could be told"));
    format!("{} {}: {}{visible}", of.symbol, made(of), of.verdict.meaning())
}

/// When the signals were made.
fn made(of: &Judged) -> &'static str {
    if of.is_live { "live" } else { "afterwards" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_of_a_session_weigh_alike_and_costs_are_taken_off_each() {
        let day = |number: u32| NaiveDate::from_ymd_opt(2026, 11, number).expect("a day");
        let one = |number, gross_bp, is_confirmed| BaseDay { date: day(number), gross_bp, is_confirmed, is_live: true };
        let days = vec![one(3, 5.0, false), one(2, 10.0, true), one(2, 20.0, false)];
        let book = Book { days, costs_bp: 1.0 };
        assert_eq!(book.equity(false), [(day(2), 14.0), (day(3), 18.0)]);
        assert_eq!(book.equity(true), [(day(2), 9.0), (day(3), 9.0)], "a session without a signal adds nothing");
    }
}
