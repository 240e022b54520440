//! Checks of daily closes: no hole, no split taken for a move.

use crate::calendar::{Calendar, Slot};
use crate::market::DailyClose;

use super::{Action, CheckFault, CheckSpec, LooksAt, Measure, Measured, Place, Rule, Seen};

/// The table of the daily closes, as findings name it.
const TABLE: &str = "spot_daily";

/// The checks of daily closes.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("daily.hole", LooksAt::Daily, "every session is there")
        .steps(Some(1.0), Some(3.0), "sessions missing in a row")
        .acts(Action::Block)
        .because("a change over a hole is no day's change; one missing day is filled, three are another fund"),
    CheckSpec::new("daily.jump", LooksAt::Daily, "the close is near the one of the session before")
        .steps(Some(13.0), Some(25.0), "% of the logarithm")
        .acts(Action::Block)
        .because("the exchange halts at 20 %: more is a split, whose factor raw prices need"),
];

/// Daily closes, each symbol's in the order of time.
#[derive(Debug, Clone, Copy)]
pub struct DailyBatch<'a> {
    /// The closes.
    pub closes: &'a [DailyClose],
    /// Whose sessions they are.
    pub nyse: &'a Calendar,
}

/// A close and the next one of the symbol, and how many sessions lie in between.
struct Pair<'a> {
    before: &'a DailyClose,
    after: &'a DailyClose,
    missing: usize,
    place: Place,
}

/// The checks of daily closes.
#[must_use]
pub fn daily_checks(batch: DailyBatch<'_>) -> Vec<Measure<'_>> {
    vec![
        Measure::new("daily.hole", move |rule| hole(batch, rule)),
        Measure::new("daily.jump", move |rule| jump(batch, rule)),
    ]
}

fn pairs(batch: DailyBatch<'_>) -> Result<Vec<Pair<'_>>, CheckFault> {
    let mut pairs = Vec::new();
    for (before, after) in batch.closes.iter().zip(batch.closes.iter().skip(1)) {
        if before.symbol != after.symbol || before.date >= after.date {
            continue;
        }
        let sessions = batch.nyse.sessions(before.date.date(), after.date.date())?;
        let between = sessions.iter().filter(|session| {
            let day = session.day;
            before.date < day && day < after.date
        });
        let missing = between.count();
        let close = sessions.last().map(crate::calendar::Session::close).unwrap_or_default();
        let place = Place { table: TABLE, symbol: Some(after.symbol.clone()), timestamp: Slot::at_or_before(close) };
        pairs.push(Pair { before, after, missing, place });
    }
    Ok(pairs)
}

fn hole(batch: DailyBatch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    Ok(Seen::each(pairs(batch)?, |pair| {
        let told = format!("{} sessions from {} to {}", pair.missing, pair.before.date, pair.after.date);
        rule.judge(&pair.place, Measured::count(pair.missing, told))
    }))
}

/// Only between adjacent sessions: over a hole there is no day's change.
fn jump(batch: DailyBatch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let adjacent = pairs(batch)?.into_iter().filter(|pair| pair.missing == 0);
    Ok(Seen::each(adjacent, |pair| {
        let change = 100.0 * (pair.after.close / pair.before.close).ln();
        let told = format!("{change:+.1} % of the logarithm on {}", pair.after.date);
        rule.judge(&pair.place, Measured::new(change.abs(), told))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::fixtures::{NYSE, run, symbol};
    use super::*;
    use crate::calendar::TradingDay;

    fn status(check: &str, closes: &[(&str, f64)]) -> Status {
        let of = |(date, close): &(&str, f64)| DailyClose {
            symbol: symbol("QQQ"),
            date: TradingDay::new(date.parse().expect("a date")),
            close: *close,
        };
        let closes: Vec<DailyClose> = closes.iter().map(of).collect();
        run(&daily_checks(DailyBatch { closes: &closes, nyse: &NYSE }), check).status
    }

    #[test]
    fn thanksgiving_is_no_hole_and_a_missing_session_is() {
        assert_eq!(status("daily.hole", &[("2026-11-25", 500.0), ("2026-11-27", 501.0)]), Status::Pass);
        assert_eq!(status("daily.hole", &[("2026-11-24", 500.0), ("2026-11-27", 501.0)]), Status::Warn);
        assert_eq!(status("daily.hole", &[("2026-11-16", 500.0), ("2026-11-27", 501.0)]), Status::Fail);
    }

    #[test]
    fn a_split_is_told_and_over_a_hole_there_is_no_change() {
        assert_eq!(status("daily.jump", &[("2026-11-24", 500.0), ("2026-11-25", 450.0)]), Status::Pass);
        assert_eq!(status("daily.jump", &[("2026-11-24", 500.0), ("2026-11-25", 250.0)]), Status::Fail);
        assert_eq!(status("daily.jump", &[("2026-11-16", 500.0), ("2026-11-27", 250.0)]), Status::Skipped);
    }
}
