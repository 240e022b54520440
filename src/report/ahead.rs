//! The days to come that are not like others: holidays, half days, rolls and expiries.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::Report;
use super::sheet::{Grid, Section};
use crate::calendar::{Calendar, CalendarError, ContractMonth, DayKind, RollRule, Session, roll_date, to_new_york};

/// Days told of.
const NUM_DAYS: u64 = 7;

/// A day that is not like others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The day.
    pub day: NaiveDate,
    /// What is to be known of it.
    pub what: String,
}

/// What is to be known of the seven days from a day on, that day included.
///
/// # Errors
/// Where a calendar does not reach there.
pub fn week_ahead(
    from: NaiveDate,
    (nyse, futures): (&Calendar, &Calendar),
    rule: RollRule,
) -> Result<Vec<Ahead>, CalendarError> {
    let mut found = Vec::new();
    for day in (0..NUM_DAYS).filter_map(|days| from.checked_add_days(Days::new(days))) {
        for (name, calendar) in [("NYSE", nyse), ("CME", futures)] {
            if let Some(what) = of_exchange(name, calendar, day)? {
                found.push(Ahead { day, what });
            }
        }
        for month in [3, 6, 9, 12].into_iter().filter_map(|month| ContractMonth::new(day.year(), month).ok()) {
            if roll_date(month, rule) == day {
                let what = format!("the contract after {} leads, from the evening before on", month.local_symbol(""));
                found.push(Ahead { day, what });
            }
            if month.last_trade_date() == day {
                found.push(Ahead { day, what: format!("futures of {} expire at the open", month.local_symbol("")) });
            }
        }
    }
    Ok(found)
}

fn of_exchange(name: &str, calendar: &Calendar, day: NaiveDate) -> Result<Option<String>, CalendarError> {
    let reason = calendar.reason(day)?.map_or_else(String::new, |reason| format!(": {reason}"));
    let is_weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    Ok(match calendar.session(day)? {
        None if is_weekend => None,
        None => Some(format!("{name} is closed{reason}")),
        Some(session) if session.kind == DayKind::Normal => None,
        Some(session) => Some(format!("{name} {}{reason}", hours(&session))),
    })
}

fn hours(session: &Session) -> String {
    let [open, close] = [session.open(), session.close()].map(|at| to_new_york(at).format("%H:%M").to_string());
    match session.kind {
        DayKind::EarlyClose => format!("closes at {close} ET"),
        _ => format!("is open from {open} to {close} ET"),
    }
}

/// The week ahead.
pub(super) fn section(report: &Report) -> Section {
    let mut lines = Vec::new();
    if report.ahead.is_empty() {
        lines.push("Seven usual days: no holiday, no half day, no roll, no expiry.".to_owned());
    }
    let row = |of: &Ahead| vec![of.day.format("%a %m-%d").to_string(), of.what.clone()];
    let grid = (!report.ahead.is_empty()).then(|| Grid::new(&["day", "what"], report.ahead.iter().map(row).collect()));
    Section { title: "The week ahead", lines, grid, ..Section::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::CalendarId;

    fn ahead(from: &str) -> Vec<String> {
        let [nyse, futures] = [CalendarId::Nyse, CalendarId::CmeEquity].map(Calendar::embedded);
        let found = week_ahead(from.parse().expect("a day"), (&nyse, &futures), RollRule::Monday).expect("known days");
        found.into_iter().map(|one| format!("{} {}", one.day, one.what)).collect()
    }

    #[test]
    fn a_usual_week_has_nothing_to_tell() {
        assert_eq!(ahead("2026-10-05"), Vec::<String>::new());
    }

    #[test]
    fn the_week_of_thanksgiving_has_a_holiday_and_a_half_day() {
        let told = ahead("2026-11-23").join("\n");
        assert!(told.contains("2026-11-26 NYSE is closed: "), "{told}");
        assert!(told.contains("2026-11-27 NYSE closes at 13:00 ET"), "{told}");
        assert!(told.contains("2026-11-27 CME closes at 13:15 ET"), "{told}");
    }

    #[test]
    fn the_roll_and_the_expiry_are_told() {
        let told = ahead("2026-12-14").join("\n");
        assert!(told.contains("2026-12-14 the contract after Z6 leads"), "{told}");
        assert!(told.contains("2026-12-18 futures of Z6 expire"), "{told}");
    }
}
