//! Rolls: no hidden ones, no wide ones, and none on another date than the calendar's.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::calendar::{ContractMonth, RollRule, roll_at, roll_date, to_new_york};

use super::super::{Batch, CheckFault, FUTURES_TABLE, Measured, Row, Rule, Seen};
use super::outlier::{Scored, scored};
use super::steps::steps;

/// A step of the market stands out less than this among those of its hour.
const STANDS_OUT: f64 = 8.0;

/// Days on which nothing rolls far and wide: the answer for a date without a calendar.
const NOWHERE_NEAR: i64 = 9_999;

/// In a series that does not name its contracts, a jump in roll week that stands out of its hour is a switch. Series that name
/// them are not asked.
pub(super) fn unmarked(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let mut seen = Seen::default();
    for rows in batch.series().into_values() {
        let nameless: Vec<_> =
            rows.into_iter().filter(|row| row.table == FUTURES_TABLE && row.contract.is_none()).collect();
        for Scored { step, score } in scored(steps(&nameless, TimeDelta::minutes(5))) {
            if !is_roll_week(step.at()) {
                continue;
            }
            seen.looked_at += 1;
            let size = if score.abs() >= STANDS_OUT { step.basis_points().abs() } else { 0.0 };
            let told = format!("{:+.1} bp in one slot of roll week, no contract named", step.basis_points());
            seen.findings.extend(rule.judge(&step.to.place(), Measured::new(size, told)));
        }
    }
    seen
}

/// Whether anybody rolls then: from the earlier of the exchange's conventions, eight days before expiry, to the expiry itself.
fn is_roll_week(at: DateTime<Utc>) -> bool {
    let year = to_new_york(at).year();
    let months = [3, 6, 9, 12].into_iter().filter_map(|month| ContractMonth::new(year, month).ok());
    months.into_iter().any(|month| roll_at(month, RollRule::Thursday8d) <= at && at <= month.last_trade_at())
}

/// The distance of two contracts at the last instant at which both have a price. Between the last row of one and the first of the
/// next lies what the market did meanwhile, a weekend at least, so that those are not compared.
pub(super) fn gap(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    Seen::each(side_by_side(batch).into_values(), |(one, other)| {
        let (before, after) = one.price().zip(other.price())?;
        let distance = 1e4 * (after / before).ln();
        let told = format!("{distance:+.1} bp {}", named(one, other));
        let told = if distance.abs() > 0.0 {
            Measured::new(distance.abs(), told)
        } else {
            // Two contracts may stand at one price by chance: it is written down, and that is all.
            Measured::new(f64::NAN, format!("{told}: a price carried over is none")).only_a_warning()
        };
        rule.judge(&other.place(), told)
    })
}

/// Rows of two contracts of a symbol at one instant, the last of each pair of contracts, both with a price.
fn side_by_side<'a>(batch: &Batch<'a>) -> BTreeMap<(&'a str, &'a str), (&'a Row, &'a Row)> {
    let mut pairs = BTreeMap::new();
    for rows in batch.series().into_values() {
        let named: Vec<&Row> =
            rows.into_iter().filter(|row| row.contract.is_some() && row.price().is_some()).collect();
        for (one, other) in named.iter().zip(named.iter().skip(1)) {
            let contracts = one.contract.as_deref().zip(other.contract.as_deref());
            if let Some((first, second)) = contracts.filter(|(first, second)| one.at == other.at && first != second) {
                pairs.insert((first, second), (*one, *other));
            }
        }
    }
    pairs
}

/// The days on which the rows go over to another contract, against the calendar's; whichever convention is nearest counts.
pub(super) fn dates(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for (old, new) in switches(batch) {
        let day = batch.futures.trading_day(new.at)?.date();
        let distance = days_from_a_roll(day);
        seen.looked_at += 1;
        let told = format!("{}: {distance} days from the nearest roll", named(old, new));
        let measured = Measured::new(f64::from(i32::try_from(distance).unwrap_or(i32::MAX)), told);
        seen.findings.extend(rule.judge(&new.place(), measured));
    }
    Ok(seen)
}

/// The last row of a contract and the first of another after it, of every series that names them.
fn switches<'a>(batch: &Batch<'a>) -> Vec<(&'a Row, &'a Row)> {
    let mut found = Vec::new();
    for rows in batch.series().into_values() {
        let named: Vec<&Row> = rows.into_iter().filter(|row| row.contract.is_some()).collect();
        let neighbours = named.iter().zip(named.iter().skip(1));
        found.extend(neighbours.map(|(old, new)| (*old, *new)).filter(|(old, new)| old.contract != new.contract));
    }
    found
}

fn named(old: &Row, new: &Row) -> String {
    let [old, new] = [old, new].map(|row| row.contract.as_deref().unwrap_or_default());
    format!("from {old} to {new}")
}

fn days_from_a_roll(date: NaiveDate) -> i64 {
    let years = [date.year() - 1, date.year(), date.year() + 1];
    let months = years.into_iter().flat_map(|year| [3, 6, 9, 12].map(|month| ContractMonth::new(year, month)));
    let rolls = months.flatten().flat_map(|month| {
        let last_day = month.last_trade_date();
        [roll_date(month, RollRule::Monday), roll_date(month, RollRule::Thursday8d), last_day]
    });
    rolls.map(|roll| (roll - date).num_days().abs()).min().unwrap_or(NOWHERE_NEAR)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{at, batch, row, rows, run};
    use super::super::super::{Row, Status};
    use super::super::series_checks;
    use super::*;

    const ROLL_DAYS: (&str, &str) = ("2026-12-11", "2026-12-14");

    fn unmarked(days: (&str, &str), jump_at: &str, has_contracts: Option<&str>) -> Status {
        let mut rows = rows("ES", days, 6_000.0);
        for row in &mut rows {
            row.contract = has_contracts.map(str::to_owned);
            if row.at >= at(jump_at) {
                row.last = row.last.map(|last| last * 1.008);
            }
        }
        run(&series_checks(&batch(&rows, days)), "roll.unmarked").status
    }

    #[test]
    fn a_jump_of_a_nameless_series_in_roll_week_is_a_switch() {
        assert_eq!(unmarked(ROLL_DAYS, "2026-12-14 11:30", None), Status::Fail);
        assert_eq!(unmarked(ROLL_DAYS, "2026-12-15 11:30", None), Status::Pass, "no jump inside");
        assert_eq!(unmarked(("2026-11-18", "2026-11-18"), "2026-11-18 11:30", None), Status::Skipped);
        assert_eq!(unmarked(ROLL_DAYS, "2026-12-14 11:30", Some("ESH7")), Status::Skipped, "a contract is named");
    }

    #[test]
    fn a_wide_gap_between_two_contracts_is_told() {
        let status = |after: f64| {
            let old = Row { contract: Some("ESZ6".to_owned()), ..row("ES", at("2026-12-13 18:05"), 6_000.0) };
            let rows = [old, row("ES", at("2026-12-13 18:05"), after)];
            run(&series_checks(&batch(&rows, ROLL_DAYS)), "roll.gap").status
        };
        assert_eq!((status(6_055.0), status(6_120.0), status(6_400.0)), (Status::Pass, Status::Warn, Status::Fail));
        assert_eq!(status(6_000.0), Status::Warn, "no distance at all is one that nobody knows");
        let month = ContractMonth::new(2026, 12).expect("quarterly");
        assert_eq!(roll_at(month, RollRule::Monday), at("2026-12-13 18:00"));
    }

    /// ESH6 to ESM6: +197.7 bp from Friday's close to the first row of the new contract, 80.8 bp side by side.
    #[test]
    fn what_a_weekend_moved_is_no_distance_of_two_contracts() {
        let days = ("2026-03-13", "2026-03-16");
        let of = |contract: &str, time: &str, last| Row { contract: Some(contract.to_owned()), ..row("ES", at(time), last) };
        let friday = of("ESH6", "2026-03-13 17:00", 6_637.25);
        let old = of("ESH6", "2026-03-16 11:30", 6_714.0);
        let new = |time| of("ESM6", time, 6_768.5);
        let run = |rows: &[Row]| run(&series_checks(&batch(rows, days)), "roll.gap");
        assert_eq!(run(&[friday.clone(), new("2026-03-16 11:35")]).status, Status::Skipped);
        assert_eq!(run(&[friday, old.clone(), new("2026-03-16 11:35")]).status, Status::Skipped, "five minutes apart");
        let side_by_side = run(&[old, new("2026-03-16 11:30")]);
        assert_eq!((side_by_side.looked_at, side_by_side.status), (1, Status::Pass), "{side_by_side:?}");
    }

    #[test]
    fn a_switch_far_from_every_roll_of_the_calendar_is_told() {
        let status = |[before, after]: [&str; 2]| {
            let mut rows = vec![row("ES", at(before), 6_000.0), row("ES", at(after), 6_010.0)];
            rows[0].contract = Some("ESZ6".to_owned());
            rows[1].contract = Some("ESH7".to_owned());
            run(&series_checks(&batch(&rows, ROLL_DAYS)), "roll.table").status
        };
        assert_eq!(status(["2026-12-11 17:00", "2026-12-13 18:05"]), Status::Pass);
        assert_eq!(status(["2026-12-10 09:00", "2026-12-10 09:05"]), Status::Pass, "eight days before expiry");
        assert_eq!(status(["2026-10-27 09:00", "2026-10-27 09:05"]), Status::Fail, "weeks before it");
    }
}
