//! How a row was quoted: bid under ask, on the tick, at its slot, live.

use crate::calendar::Slot;
use crate::market::Source;

use super::super::{Batch, CheckFault, FUTURES_TABLE, Finding, Measured, Row, Rule, Seen};

/// Largest distance of a price from the grid of ticks: room for the binary fractions of 0.1.
const TICK_TOLERANCE: f64 = 1e-6;

/// Outside regular hours a spread may be this many times as wide.
const QUIET_HOURS: f64 = 3.0;

pub(super) fn crossed(batch: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let (bid, ask) = (row.bid?, row.ask?);
    let ticks = (bid - ask) / batch.tick(&row.symbol)?;
    rule.judge(&row.place(), Measured::new(ticks, format!("bid {bid} and ask {ask}")))
}

/// Futures only: ETFs trade at midpoints and finer, 15 to 24 % of the five-minute closes of SPY do.
pub(super) fn off_tick(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let futures = batch.rows.iter().filter(|row| row.table == FUTURES_TABLE);
    let known = futures.filter_map(|row| Some((row, batch.tick(&row.symbol)?)));
    Seen::each(known, |(row, tick)| off_tick_of(row, tick, rule))
}

fn off_tick_of(row: &Row, tick: f64, rule: &Rule<'_>) -> Option<Finding> {
    let off = row.prices().filter(|(_, price)| {
        let ticks = price / tick;
        (ticks - ticks.round()).abs() > TICK_TOLERANCE * ticks.abs().max(1.0)
    });
    let told: Vec<String> = off.map(|(name, price)| format!("{name} {price}")).collect();
    rule.judge(&row.place(), Measured::count(told.len(), format!("{} with a tick of {tick}", told.join(", "))))
}

pub(super) fn no_last(_: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    rule.judge(&row.place(), Measured::count(usize::from(row.last.is_none()), "no last trade"))
}

pub(super) fn age(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    Seen::each(batch.rows.iter().filter(|row| row.source.is_captured()), |row| {
        let seconds = (row.captured_at - row.at).num_seconds();
        let age = f64::from(i32::try_from(seconds).unwrap_or(i32::MAX));
        rule.judge(&row.place(), Measured::new(age, format!("made {seconds} s after the slot")))
    })
}

pub(super) fn spread(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for row in batch.rows {
        let quoted = row.bid.zip(row.ask).zip(batch.tick(&row.symbol)).filter(|((bid, ask), _)| bid < ask);
        let Some(((bid, ask), tick)) = quoted else { continue };
        seen.looked_at += 1;
        let is_regular = batch.nyse.session_of_slot(Slot::at_or_before(row.at))?.is_some();
        let ticks = (ask - bid) / tick;
        let weighed = if is_regular { ticks } else { ticks / QUIET_HOURS };
        let hours = if is_regular { "regular" } else { "quiet" };
        let told = Measured::new(weighed, format!("{ticks:.0} ticks in {hours} hours"));
        seen.findings.extend(rule.judge(&row.place(), told));
    }
    Ok(seen)
}

pub(super) fn live(batch: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let unwanted = row.source == Source::Delayed && !batch.delayed_allowed;
    rule.judge(&row.place(), Measured::count(usize::from(unwanted), "a delayed row"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::super::fixtures::{at, batch, row, run};
    use super::super::super::{Row, Status};
    use super::super::row_checks;
    use crate::market::Source;

    fn status_at(check: &str, time: &str, change: impl FnOnce(&mut Row)) -> Status {
        let mut row = row("ES", at(time), 6_000.0);
        change(&mut row);
        let rows = [row];
        run(&row_checks(&batch(&rows, ("2026-11-18", "2026-11-18"))), check).status
    }

    fn status(check: &str, change: impl FnOnce(&mut Row)) -> Status {
        status_at(check, "2026-11-18 12:00", change)
    }

    #[test]
    fn a_locked_row_warns_and_a_crossed_one_fails() {
        assert_eq!(status("quote.crossed", |_| ()), Status::Pass);
        assert_eq!(status("quote.crossed", |row| row.bid = row.ask), Status::Warn);
        assert_eq!(status("quote.crossed", |row| row.bid = Some(6_000.25)), Status::Fail);
    }

    #[test]
    fn a_price_between_ticks_warns() {
        assert_eq!(status("quote.off_tick", |_| ()), Status::Pass);
        assert_eq!(status("quote.off_tick", |row| row.last = Some(1_797.718_75)), Status::Warn);
        let rows = [row("SPY", at("2025-11-18 12:00"), 660.225)];
        let run = run(&row_checks(&batch(&rows, ("2025-11-18", "2025-11-18"))), "quote.off_tick");
        assert_eq!(run.status, Status::Skipped, "a midpoint trade of an ETF is one");
    }

    #[test]
    fn a_row_without_a_last_trade_warns() {
        assert_eq!(status("quote.no_last", |_| ()), Status::Pass);
        assert_eq!(status("quote.no_last", |row| row.last = None), Status::Warn);
    }

    #[test]
    fn a_live_row_made_a_minute_late_fails_and_a_backfilled_one_is_not_asked() {
        let late = |seconds, source| {
            status("quote.age", |row| {
                row.captured_at = row.at + TimeDelta::seconds(seconds);
                row.source = source;
            })
        };
        assert_eq!((late(60, Source::Live), late(61, Source::Live)), (Status::Warn, Status::Fail));
        assert_eq!((late(5, Source::Live), late(9_000, Source::Backfill)), (Status::Pass, Status::Skipped));
        assert_eq!(late(9_000, Source::Import), Status::Skipped, "it is made when it is imported");
    }

    #[test]
    fn a_spread_may_be_wider_at_night() {
        let at = |time| status_at("quote.spread", time, |row| row.bid = Some(5_996.0));
        assert_eq!((at("2026-11-18 12:00"), at("2026-11-18 03:00")), (Status::Warn, Status::Pass));
        assert_eq!(status("quote.spread", |row| row.bid = Some(5_900.0)), Status::Fail);
    }

    #[test]
    fn a_delayed_row_fails_unless_the_configuration_permits_it() {
        let rows = [Row { source: Source::Delayed, ..row("ES", at("2026-11-18 12:00"), 6_000.0) }];
        let mut batch = batch(&rows, ("2026-11-18", "2026-11-18"));
        assert_eq!(run(&row_checks(&batch), "feed.live").status, Status::Fail);
        batch.delayed_allowed = true;
        assert_eq!(run(&row_checks(&batch), "feed.live").status, Status::Pass);
    }
}
