//! Narrowing a rule to the first or last session of a week, month or quarter.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::calendar::{Calendar, CalendarError, CalendarId};

/// Which session of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// No session of the period is before it.
    First,
    /// No session of the period is after it.
    Last,
}

/// A period of civil days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// January to March, and so on.
    Quarter,
}

impl Period {
    pub(super) const ALL: [(&str, Period); 3] =
        [("week", Period::Week), ("month", Period::Month), ("quarter", Period::Quarter)];

    /// The first day of the period that holds `day`, and the first day after it.
    fn around(self, day: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        let first = match self {
            Period::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()))?,
            Period::Month => day.with_day(1)?,
            Period::Quarter => day.with_day(1)?.with_month(day.month0() / 3 * 3 + 1)?,
        };
        let next = match self {
            Period::Week => first.checked_add_days(Days::new(7))?,
            Period::Month => first.checked_add_months(Months::new(1))?,
            Period::Quarter => first.checked_add_months(Months::new(3))?,
        };
        Some((first, next))
    }
}

/// Only the first or the last session of each period, counted in a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrowing {
    /// Which session of the period.
    pub edge: Edge,
    /// The period.
    pub period: Period,
    /// The calendar whose sessions count; a day without a session of it is neither.
    pub calendar: CalendarId,
}

impl Narrowing {
    /// True if `day` has the session of its period that is asked for.
    pub(super) fn holds(self, calendar: &Calendar, day: NaiveDate) -> Result<bool, CalendarError> {
        let Some((first, next)) = self.period.around(day) else { return Ok(false) };
        if calendar.session(day)?.is_none() {
            return Ok(false);
        }
        let others = match self.edge {
            Edge::First => (first, day),
            Edge::Last => (day.succ_opt().unwrap_or(day), next),
        };
        // At the end of the rules nothing comes after.
        let is_session = |day| calendar.session(day).is_ok_and(|session| session.is_some());
        Ok(!others.0.iter_days().take_while(|day| *day < others.1).any(is_session))
    }
}

impl fmt::Display for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edge = match self.edge {
            Edge::First => "first",
            Edge::Last => "last",
        };
        let period = Period::ALL.iter().find(|(_, known)| *known == self.period).map_or("", |(name, _)| name);
        write!(f, "{edge} {} session of the {period}", self.calendar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(edge: Edge, period: Period, calendar: CalendarId) -> Vec<String> {
        let narrowing = Narrowing { edge, period, calendar };
        let calendar = Calendar::embedded(calendar);
        let first = NaiveDate::from_ymd_opt(2026, 3, 23).unwrap();
        let days = first.iter_days().take(21);
        days.filter(|day| narrowing.holds(&calendar, *day).unwrap()).map(|day| day.to_string()).collect()
    }

    #[test]
    fn the_week_of_good_friday_ends_on_another_day_for_each_exchange() {
        let cme = days(Edge::Last, Period::Week, CalendarId::CmeEquity);
        assert_eq!(cme, ["2026-03-27", "2026-04-03", "2026-04-10"]);
        let nyse = days(Edge::Last, Period::Week, CalendarId::Nyse);
        assert_eq!(nyse, ["2026-03-27", "2026-04-02", "2026-04-10"]);
    }

    #[test]
    fn months_and_quarters_begin_and_end_with_a_session() {
        for period in [Period::Month, Period::Quarter] {
            assert_eq!(days(Edge::First, period, CalendarId::Nyse), ["2026-04-01"]);
            assert_eq!(days(Edge::Last, period, CalendarId::Nyse), ["2026-03-31"]);
        }
        assert_eq!(days(Edge::First, Period::Week, CalendarId::Nyse), ["2026-03-23", "2026-03-30", "2026-04-06"]);
    }
}
