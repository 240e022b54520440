//! The trading days that a simulation goes through.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Calendar, Session};
use crate::job::{Failure, JobError};

/// Longest stretch of days without a session that is looked over for the one that follows.
const LONGEST_CLOSURE: TimeDelta = TimeDelta::days(10);

/// A range of trading days of `cme_equity`, both included.
#[derive(Debug, Clone)]
pub struct SimulatedRange {
    sessions: Vec<Session>,
    /// The open of the session after the last: what follows on the last day's close belongs to that day.
    until: DateTime<Utc>,
}

impl SimulatedRange {
    /// The sessions of these days.
    ///
    /// # Errors
    /// [`Failure::Usage`] where the days are reversed, hold no session, or lie beyond the calendar.
    pub fn of_days(futures: &Calendar, (from, to): (NaiveDate, NaiveDate)) -> Result<Self, JobError> {
        if from > to {
            let told = format!("the range is reversed: --from {from} lies after --to {to}: exchange them");
            return Err(JobError::fail(Failure::Usage, told));
        }
        let usage = |error| JobError::fail(Failure::Usage, error);
        let sessions = futures.sessions(from, to).map_err(usage)?;
        let Some(last) = sessions.last() else {
            let told = format!("{from} to {to} hold no session of cme_equity: give days on which it trades");
            return Err(JobError::fail(Failure::Usage, told));
        };
        let following = futures.sessions(to + TimeDelta::days(1), to + LONGEST_CLOSURE).map_err(usage)?;
        let until = following.first().map_or(last.close() + LONGEST_CLOSURE, Session::open);
        Ok(Self { sessions, until })
    }

    /// The open of the first session.
    #[must_use]
    pub fn open(&self) -> DateTime<Utc> {
        self.sessions.first().map_or(self.until, Session::open)
    }

    /// The close of the last session.
    #[must_use]
    pub fn close(&self) -> DateTime<Utc> {
        self.sessions.last().map_or(self.until, Session::close)
    }

    /// The open of the session after the last: up to here jobs are run, those after the last close included.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// The first day that lies past the published calendar, where there is one.
    #[must_use]
    pub fn provisional_from(&self) -> Option<NaiveDate> {
        self.sessions.iter().find(|session| session.provisional).map(|session| session.day.date())
    }

    /// Its sessions.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{CalendarId, parse_instant};

    fn range(from: &str, to: &str) -> Result<SimulatedRange, JobError> {
        let day = |text: &str| text.parse().expect("a date");
        SimulatedRange::of_days(&Calendar::embedded(CalendarId::CmeEquity), (day(from), day(to)))
    }

    #[test]
    fn it_opens_on_the_evening_before_and_lasts_until_the_next_open() {
        let at = |text| parse_instant(text).expect("New York time");
        let week = range("2026-03-07", "2026-03-13").expect("a week");
        assert_eq!((week.open(), week.close()), (at("2026-03-08 18:00"), at("2026-03-13 17:00")));
        assert_eq!((week.until(), week.sessions().len()), (at("2026-03-15 18:00"), 5));
        assert_eq!(week.provisional_from(), None);
    }

    #[test]
    fn days_past_the_published_calendar_are_known_as_such() {
        let turn = range("2027-12-30", "2028-01-05").expect("a week");
        assert_eq!(turn.provisional_from().map(|day| day.to_string()).as_deref(), Some("2028-01-03"));
    }

    #[test]
    fn days_that_cannot_be_are_told() {
        for (from, to, told) in [
            ("2026-03-13", "2026-03-09", "reversed"),
            ("2026-03-14", "2026-03-15", "hold no session"),
            ("1901-01-07", "1901-01-08", "1901"),
        ] {
            let error = range(from, to).expect_err("no range");
            assert_eq!(error.failure(), Failure::Usage);
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
