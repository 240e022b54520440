//! Checks of daily closes: no hole, no split taken for a move, no dividend that nobody knows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::calendar::{Calendar, Session, Slot};
use crate::market::{DailyClose, Dividends, Symbol, WentEx};

use super::{Action, CheckFault, CheckSpec, LooksAt, Measure, Measured, Place, Row, Rule, Seen};

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
    CheckSpec::new(
        "daily.ex_date",
        LooksAt::Daily,
        "the ETF moves with its future from close to close, dividends put back",
    )
    .steps(Some(12.0), Some(100.0), "bp against the future")
    .because(
        "a dividend that nobody put in looks like a fall against the future, of 15 bp (QQQ) to 50 bp (SPY); so do days of panic, \
         hence a warning. What goes ex by an amount that nobody knows, and what no dividend explains, is mailed",
    ),
];

/// Daily closes, each symbol's in the order of time.
#[derive(Debug, Clone, Copy)]
pub struct DailyBatch<'a> {
    /// The closes.
    pub closes: &'a [DailyClose],
    /// Rows of the same days, of which those at the closes count.
    pub rows: &'a [Row],
    /// Each ETF and its future.
    pub partners: &'a [(Symbol, Symbol)],
    /// The ex-dates that are known.
    pub dividends: &'a Dividends,
    /// Whose sessions they are.
    pub nyse: &'a Calendar,
}

/// A close and the next one of the symbol, and how many sessions lie in between.
struct Pair<'a> {
    before: &'a DailyClose,
    after: &'a DailyClose,
    missing: usize,
    /// The closes of both sessions.
    ends: (DateTime<Utc>, DateTime<Utc>),
    place: Place,
}

/// The checks of daily closes.
#[must_use]
pub fn daily_checks(batch: DailyBatch<'_>) -> Vec<Measure<'_>> {
    vec![
        Measure::new("daily.hole", move |rule| hole(batch, rule)),
        Measure::new("daily.jump", move |rule| jump(batch, rule)),
        Measure::new("daily.ex_date", move |rule| ex_date(batch, rule)),
    ]
}

fn pairs(batch: DailyBatch<'_>) -> Result<Vec<Pair<'_>>, CheckFault> {
    let mut pairs = Vec::new();
    for (before, after) in batch.closes.iter().zip(batch.closes.iter().skip(1)) {
        // Before its calendar begins nobody knows what is missing.
        let is_covered = *batch.nyse.coverage().start() <= before.date.date();
        if before.symbol != after.symbol || before.date >= after.date || !is_covered {
            continue;
        }
        let sessions = batch.nyse.sessions(before.date.date(), after.date.date())?;
        let between = sessions.iter().filter(|session| {
            let day = session.day;
            before.date < day && day < after.date
        });
        let missing = between.count();
        let end = |session: Option<&Session>| session.map(Session::close).unwrap_or_default();
        let ends = (end(sessions.first()), end(sessions.last()));
        let place = Place { table: TABLE, symbol: Some(after.symbol.clone()), timestamp: Slot::at_or_before(ends.1) };
        pairs.push(Pair { before, after, missing, ends, place });
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

/// Each ETF against its future from close to close, within one contract, with what it went ex put back. An ex-date without
/// an amount is told whatever the prices say.
fn ex_date(batch: DailyBatch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    if let Some(fault) = batch.dividends.fault() {
        return Err(CheckFault::Dividends(fault.to_owned()));
    }
    let at: BTreeMap<(&Symbol, DateTime<Utc>), &Row> =
        batch.rows.iter().map(|row| ((&row.symbol, row.at), row)).collect();
    let future_change = |etf: &Symbol, (from, to): (DateTime<Utc>, DateTime<Utc>)| {
        let (_, future) = batch.partners.iter().find(|(of, _)| of == etf)?;
        let (before, after) = (at.get(&(future, from))?, at.get(&(future, to))?);
        (before.contract == after.contract).then(|| Some((after.price()? / before.price()?).ln())).flatten()
    };
    let mut seen = Seen::default();
    for pair in pairs(batch)?.into_iter().filter(|pair| pair.missing == 0) {
        let (etf, day) = (&pair.after.symbol, pair.after.date);
        let measured = match batch.dividends.between(etf, (pair.before.date.date(), day.date())) {
            WentEx::Unknown(on) => Measured::new(f64::NAN, format!("{etf} goes ex on {on}, and no amount is known")),
            WentEx::Usd(usd) => {
                let Some(future) = future_change(etf, pair.ends) else { continue };
                // The closing auction is later than the future's price: the ETF's own row of that instant is nearer.
                let price =
                    |end, daily: &DailyClose| at.get(&(etf, end)).and_then(|row| row.price()).unwrap_or(daily.close);
                let (before, after) = (price(pair.ends.0, pair.before), price(pair.ends.1, pair.after));
                let change = 1e4 * (future - ((after + usd) / before).ln());
                // What is missing can only make the ETF fall; what was put back in excess, only rise.
                let size = if usd > 0.0 { change.abs() } else { change.max(0.0) };
                Measured::new(size, format!("{change:+.1} bp of the future against {etf} up to {day}"))
            }
        };
        seen.looked_at += 1;
        let told =
            measured.with_detail("a missing dividend? put it into signals.dividends_file, then systemctl reload jobs");
        seen.findings.extend(rule.judge(&pair.place, told));
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::fixtures::{NYSE, at, row, run, symbol};
    use super::*;
    use crate::calendar::TradingDay;
    use crate::market::ExDate;

    fn status(check: &str, closes: &[(&str, f64)]) -> Status {
        let of = |(date, close): &(&str, f64)| DailyClose {
            symbol: symbol("QQQ"),
            date: TradingDay::new(date.parse().expect("a date")),
            close: *close,
        };
        let closes: Vec<DailyClose> = closes.iter().map(of).collect();
        let dividends = Dividends::default();
        let batch = DailyBatch { closes: &closes, rows: &[], partners: &[], dividends: &dividends, nyse: &NYSE };
        run(&daily_checks(batch), check).status
    }

    /// SPY goes ex on Friday 2026-12-18 by 1.80 while ES stands still; what is known of it decides.
    #[test]
    fn an_ex_date_without_its_dividend_is_told_and_with_it_is_not() {
        let status_of = |after: f64, known: Option<Option<f64>>, contract: &str| {
            let close = |date: &str, close| DailyClose {
                symbol: symbol("SPY"),
                date: TradingDay::new(date.parse().expect("a date")),
                close,
            };
            let closes = [close("2026-12-17", 600.0), close("2026-12-18", after)];
            let mut rows = vec![row("ES", at("2026-12-17 16:00"), 6_000.0), row("ES", at("2026-12-18 16:00"), 6_000.0)];
            rows[1].contract = Some(contract.to_owned());
            let ex_date = "2026-12-18".parse().expect("a date");
            let ex_dates = known.map(|usd| ExDate { etf: symbol("SPY"), ex_date, usd });
            let (dividends, partners) = (Dividends::new(ex_dates).expect("sound"), [(symbol("SPY"), symbol("ES"))]);
            let batch =
                DailyBatch { closes: &closes, rows: &rows, partners: &partners, dividends: &dividends, nyse: &NYSE };
            let faulty = Dividends::unreadable("no list");
            let crashed = run(&daily_checks(DailyBatch { dividends: &faulty, ..batch }), "daily.ex_date").status;
            assert_eq!(crashed, Status::Error, "a list that cannot be read is no pass");
            run(&daily_checks(batch), "daily.ex_date").status
        };
        let same = row("ES", at("2026-12-17 16:00"), 6_000.0).contract.expect("a contract");
        let status = |known, contract: &str| status_of(598.2, known, contract);
        assert_eq!(status(None, &same), Status::Warn, "nobody knows of it");
        assert_eq!(status_of(601.8, None, &same), Status::Pass, "no dividend makes an ETF rise");
        assert_eq!(status_of(600.0, Some(Some(1.8)), &same), Status::Warn, "it did not go ex");
        assert_eq!(status_of(590.0, None, &same), Status::Fail, "no dividend is so large");
        assert_eq!(status(Some(None), &same), Status::Fail, "nobody knows how much");
        assert_eq!(status(Some(Some(1.8)), &same), Status::Pass);
        assert_eq!(status(None, "ESM7"), Status::Skipped, "prices of two contracts are never compared");
        assert_eq!(status(Some(None), "ESM7"), Status::Fail);
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
