//! Rolls: no hidden ones, no wide ones, and none on another date than the calendar's.

use chrono::{NaiveDate, TimeDelta, Utc};

use crate::calendar::{ContractMonth, RollRule, Slot, lead_month, roll_date};

use super::super::{Batch, CheckFault, FUTURES_TABLE, Measure, Measured, Place, Rule, Seen};
use super::steps::{Step, steps};

/// How far around a roll a jump may be one that nobody marked.
const ROLL_WEEK: TimeDelta = TimeDelta::days(7);

/// A longer pause hides what happened in it.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(4);

/// Days on which nothing rolls far and wide: the answer for a date without a calendar.
const NOWHERE_NEAR: i64 = 9_999;

/// In a series that does not name its contracts, a jump in roll week is a switch. Series that name them are not asked.
pub(super) fn unmarked(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for rows in batch.series().into_values() {
        let nameless: Vec<_> =
            rows.into_iter().filter(|row| row.table == FUTURES_TABLE && row.contract.is_none()).collect();
        for step in steps(&nameless, TimeDelta::minutes(5)) {
            if !is_roll_week(&step, batch.market.roll_rule)? {
                continue;
            }
            seen.looked_at += 1;
            let told = format!("{:+.1} bp in one slot of roll week, no contract named", step.basis_points());
            seen.findings.extend(rule.judge(&step.to.place(), Measured::new(step.basis_points().abs(), told)));
        }
    }
    Ok(seen)
}

fn is_roll_week(step: &Step<'_>, rule: RollRule) -> Result<bool, CheckFault> {
    let months = [step.at() - ROLL_WEEK, step.at() + ROLL_WEEK].map(|at| lead_month(at, rule));
    let [before, after] = months;
    Ok(before? != after?)
}

/// The distance of two contracts where one follows the other.
pub(super) fn gap(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let mut seen = Seen::default();
    for rows in batch.series().into_values() {
        for (old, new) in rows.iter().zip(rows.iter().skip(1)) {
            let switched = old.contract.is_some() && new.contract.is_some() && old.contract != new.contract;
            let prices = old.price().zip(new.price()).filter(|_| new.at - old.at <= LONGEST_PAUSE);
            let Some((before, after)) = prices.filter(|_| switched) else { continue };
            seen.looked_at += 1;
            let distance = 1e4 * (after / before).ln();
            let names = [old, new].map(|row| row.contract.as_deref().unwrap_or_default());
            let told = format!("{distance:+.1} bp from {} to {}", names[0], names[1]);
            seen.findings.extend(rule.judge(&new.place(), Measured::new(distance.abs(), told)));
        }
    }
    seen
}

/// The roll dates of somebody's table against the calendar's; whichever convention is nearest counts.
#[must_use]
pub fn check_rolls(dates: &[NaiveDate]) -> Measure<'_> {
    Measure::new("roll.table", move |rule| {
        Ok(Seen::each(dates, |date| {
            let days = days_from_a_roll(*date);
            let midnight = date.and_time(chrono::NaiveTime::MIN).and_local_timezone(Utc).earliest()?;
            let place = Place { table: FUTURES_TABLE, symbol: None, timestamp: Slot::at_or_before(midnight) };
            let days = f64::from(i32::try_from(days).unwrap_or(i32::MAX));
            rule.judge(&place, Measured::new(days, format!("a roll on {date}, {days} days from the nearest")))
        }))
    })
}

fn days_from_a_roll(date: NaiveDate) -> i64 {
    use chrono::Datelike;
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
    use crate::calendar::roll_at;

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
            let rows: Vec<Row> =
                vec![row("ES", at("2026-12-11 17:00"), 6_000.0), row("ES", at("2026-12-13 18:05"), after)];
            run(&series_checks(&batch(&rows, ROLL_DAYS)), "roll.gap").status
        };
        assert_eq!((status(6_055.0), status(6_120.0), status(6_400.0)), (Status::Pass, Status::Warn, Status::Fail));
        let month = ContractMonth::new(2026, 12).expect("quarterly");
        assert_eq!(roll_at(month, RollRule::Monday), at("2026-12-13 18:00"));
    }

    #[test]
    fn a_roll_far_from_those_of_the_calendar_is_told() {
        let dates = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a date")).collect::<Vec<NaiveDate>>();
        let sound = dates(&["2026-12-14", "2026-12-10", "2026-12-18"]);
        assert_eq!(run(&[check_rolls(&sound)], "roll.table").status, Status::Pass);
        let wrong = dates(&["2012-10-28", "2013-11-17"]);
        assert_eq!(run(&[check_rolls(&wrong)], "roll.table").findings.len(), 2);
    }
}
