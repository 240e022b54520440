//! What can go wrong when a calendar is asked.

use chrono::{DateTime, NaiveDate, Utc};

use super::slot::{eastern, rfc3339};
use super::{CalendarId, OverrideProblem};

/// An error of the calendar: each message says what, where, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// A day or instant before the embedded table, where nothing is known.
    #[error("{day} is before the table of {calendar}, which starts on {first}: ask for {first} or later")]
    BeforeCoverage {
        /// The calendar that was asked.
        calendar: CalendarId,
        /// The civil date that was asked for, in the exchange's zone.
        day: NaiveDate,
        /// The first civil date of the table.
        first: NaiveDate,
    },
    /// A day or instant after the last year of the rules.
    #[error("{day} is after the last day the rules of {calendar} speak about, {last}: ask for {last} or earlier")]
    AfterRules {
        /// The calendar that was asked.
        calendar: CalendarId,
        /// The civil date that was asked for, in the exchange's zone.
        day: NaiveDate,
        /// The last civil date of the rules.
        last: NaiveDate,
    },
    /// A calendar name nobody knows.
    #[error("unknown calendar {name:?}: known are cme_equity and nyse{}", did_you_mean(*suggestion))]
    UnknownCalendar {
        /// The name as it was given.
        name: String,
        /// The calendar that was probably meant.
        suggestion: Option<CalendarId>,
    },
    /// An instant that is no slot.
    #[error(
        "{} ({}) is not on the five-minute grid: the nearest slots are {} and {}",
        rfc3339(*at), eastern(*at), eastern(*before), eastern(*after)
    )]
    OffGrid {
        /// The instant that was given.
        at: DateTime<Utc>,
        /// The newest slot before it.
        before: DateTime<Utc>,
        /// The first slot after it.
        after: DateTime<Utc>,
    },
    /// A range whose end is before its start.
    #[error("the range {from} to {to} is reversed: give the earlier end first")]
    ReversedRange {
        /// The start as it was given.
        from: String,
        /// The end as it was given.
        to: String,
    },
    /// An entry of the operator's override file that cannot be followed.
    #[error("override {entry}, {calendar} {date}: {problem}")]
    BadOverride {
        /// The position in the list, from 1.
        entry: usize,
        /// The calendar the entry is for.
        calendar: CalendarId,
        /// The session the entry is for.
        date: NaiveDate,
        /// What is wrong and what to do.
        problem: OverrideProblem,
    },
    /// Text that is no time.
    #[error(
        "cannot read the time {text:?}: write it with an offset (2026-11-20T15:05:00Z, 2026-11-20T10:05:00-05:00) or as \
         New York time without one (2026-11-20T10:05, 2026-11-20 10:05:30)"
    )]
    BadInstant {
        /// The text as it was given.
        text: String,
    },
    /// Text or numbers that are no quarterly contract month.
    #[error(
        "{text:?} is no quarterly contract month: write YYYYMM with month 03, 06, 09 or 12 and a year from 2000 to 2099, such as 202612"
    )]
    BadContractMonth {
        /// The text as it was given.
        text: String,
    },
    /// A time zone nobody knows.
    #[error("unknown zone {name:?}: write an IANA name such as America/New_York or UTC")]
    UnknownZone {
        /// The name as it was given.
        name: String,
    },
    /// A roll rule nobody knows.
    #[error("unknown roll rule {name:?}: known are by_date, monday and thursday_8d")]
    UnknownRollRule {
        /// The name as it was given.
        name: String,
    },
}

fn did_you_mean(suggestion: Option<CalendarId>) -> String {
    suggestion.map(|id| format!("; did you mean {id}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Calendar, Slot, civil::ymd};
    use super::*;

    #[test]
    fn messages_say_where_and_what_to_do() {
        let nyse = Calendar::embedded(CalendarId::Nyse);
        assert_eq!(
            nyse.session(ymd(1999, 12, 31)).unwrap_err().to_string(),
            "1999-12-31 is before the table of nyse, which starts on 2000-01-01: ask for 2000-01-01 or later"
        );
        assert_eq!(
            nyse.session(ymd(2100, 1, 4)).unwrap_err().to_string(),
            "2100-01-04 is after the last day the rules of nyse speak about, 2099-12-31: ask for 2099-12-31 or earlier"
        );
        assert_eq!(
            nyse.sessions(ymd(2026, 2, 1), ymd(2026, 1, 1)).unwrap_err().to_string(),
            "the range 2026-02-01 to 2026-01-01 is reversed: give the earlier end first"
        );
        assert_eq!(
            Slot::at("2026-11-20T15:07:30Z".parse().unwrap()).unwrap_err().to_string(),
            "2026-11-20T15:07:30Z (2026-11-20 10:07:30 ET) is not on the five-minute grid: the nearest slots are 2026-11-20 10:05:00 ET and 2026-11-20 10:10:00 ET"
        );
    }
}
