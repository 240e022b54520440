//! Checks of historical bars: their shape, their opens, and whether they agree with the rows captured live.

use std::collections::BTreeMap;

use crate::calendar::Slot;
use crate::market::{Bar, Source, Symbol};

use super::{Action, CheckSpec, Finding, LooksAt, Measure, Measured, Place, Row, Rule, Seen};

/// The checks of bars.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("bar.shape", LooksAt::Bars, "low <= open, close <= high, and the volume is not negative")
        .acts(Action::Quarantine),
    CheckSpec::new("bar.open", LooksAt::Bars, "the open is near the close before")
        .steps(None, Some(30.0), "bp from the close before, and back within the bar")
        .because("a stale open after a hole: the close is right and is what is kept, the open is not used"),
    CheckSpec::new("bar.reconcile", LooksAt::Bars, "live rows and bars tell the same price")
        .steps(Some(10.0), Some(50.0), "bp apart")
        .because("a quote may be seconds younger than the bar's end, and ten bp are more than seconds move"),
];

/// Bars of one contract in the order of time, and the rows of the same contract.
#[derive(Debug, Clone, Copy)]
pub struct BarBatch<'a> {
    /// The table whose rows they are held against.
    pub table: &'static str,
    /// Whose bars they are.
    pub symbol: &'a Symbol,
    /// The bars.
    pub bars: &'a [Bar],
    /// The rows.
    pub rows: &'a [Row],
}

impl BarBatch<'_> {
    fn place(&self, bar: &Bar) -> Place {
        Place { table: self.table, symbol: Some(self.symbol.clone()), timestamp: Slot::at_or_before(bar.end) }
    }
}

/// The checks of bars.
#[must_use]
pub fn bar_checks(batch: BarBatch<'_>) -> Vec<Measure<'_>> {
    vec![
        Measure::new("bar.shape", move |rule| Ok(Seen::each(batch.bars, |bar| shape(&batch, bar, rule)))),
        Measure::new("bar.open", move |rule| {
            let pairs = batch.bars.iter().zip(batch.bars.iter().skip(1));
            Ok(Seen::each(pairs, |pair| open(&batch, pair, rule)))
        }),
        Measure::new("bar.reconcile", move |rule| Ok(reconcile(&batch, rule))),
    ]
}

fn shape(batch: &BarBatch<'_>, bar: &Bar, rule: &Rule<'_>) -> Option<Finding> {
    let inside = |price: f64| (bar.low..=bar.high).contains(&price);
    let is_sound = bar.low > 0.0 && inside(bar.open) && inside(bar.close) && bar.volume.is_none_or(|size| size >= 0);
    let told = format!("open {} high {} low {} close {}", bar.open, bar.high, bar.low, bar.close);
    rule.judge(&batch.place(bar), Measured::count(usize::from(!is_sound), told))
}

/// The lesser of the jump into the open and the way back to the close, so that a gap that stays is none.
fn open(batch: &BarBatch<'_>, (before, bar): (&Bar, &Bar), rule: &Rule<'_>) -> Option<Finding> {
    let jump = 1e4 * (bar.open / before.close).ln();
    let back = 1e4 * (bar.close / bar.open).ln();
    let value = if jump * back < 0.0 { jump.abs().min(back.abs()) } else { 0.0 };
    let told = Measured::new(value, format!("the open {} is {jump:+.1} bp from the close before", bar.open));
    rule.judge(&batch.place(bar), told.with_detail("the close is kept"))
}

fn reconcile(batch: &BarBatch<'_>, rule: &Rule<'_>) -> Seen {
    let closes: BTreeMap<_, &Bar> = batch.bars.iter().map(|bar| (bar.end, bar)).collect();
    let live = batch.rows.iter().filter(|row| row.source == Source::Live);
    let pairs = live.filter_map(|row| Some((row, row.price()?, *closes.get(&row.at)?)));
    Seen::each(pairs, |(row, price, bar)| {
        let apart = 1e4 * (price / bar.close).ln().abs();
        let told = format!("live {price}, the bar's close {}", bar.close);
        rule.judge(&row.place(), Measured::new(apart, told))
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixtures::{at, row, run, symbol};
    use super::super::{FUTURES_TABLE, Status};
    use super::*;

    fn bar(minute: i64, [open, high, low, close]: [f64; 4]) -> Bar {
        let start = at("2026-11-18 12:00") + TimeDelta::minutes(minute);
        Bar { start, end: start + TimeDelta::minutes(5), open, high, low, close, volume: Some(0) }
    }

    fn status(check: &str, bars: &[Bar], rows: &[Row]) -> Status {
        let symbol = symbol("ES");
        run(&bar_checks(BarBatch { table: FUTURES_TABLE, symbol: &symbol, bars, rows }), check).status
    }

    const CALM: [f64; 4] = [6_000.0, 6_002.0, 5_999.0, 6_001.0];

    #[test]
    fn a_bar_is_sound_where_low_and_high_hold_the_rest() {
        assert_eq!(status("bar.shape", &[bar(0, CALM)], &[]), Status::Pass);
        assert_eq!(status("bar.shape", &[bar(0, [6_000.0, 6_002.0, 6_000.5, 6_001.0])], &[]), Status::Fail);
    }

    #[test]
    fn an_open_that_jumps_and_comes_back_is_told_and_a_gap_that_stays_is_not() {
        let bad = [6_030.0, 6_030.0, 6_000.0, 6_002.0];
        assert_eq!(status("bar.open", &[bar(0, CALM), bar(5, bad)], &[]), Status::Fail);
        let gap = [6_030.0, 6_034.0, 6_028.0, 6_031.0];
        assert_eq!(status("bar.open", &[bar(0, CALM), bar(5, gap)], &[]), Status::Pass);
    }

    #[test]
    fn a_live_row_far_from_the_bar_of_its_slot_is_told() {
        let of = |last| status("bar.reconcile", &[bar(0, CALM)], &[row("ES", at("2026-11-18 12:05"), last)]);
        assert_eq!((of(6_001.25), of(6_010.0), of(6_060.0)), (Status::Pass, Status::Warn, Status::Fail));
        assert_eq!(status("bar.reconcile", &[bar(0, CALM)], &[]), Status::Skipped);
    }
}
