//! An operator's word about one day: it goes before the tables and the rules.

use chrono::{NaiveDate, NaiveTime, Timelike};
use serde::{Deserialize, Deserializer, de};

use super::civil::{LAST_RULE_DAY, is_weekend};
use super::pattern::{hm, weekly_pattern};
use super::special::{DayHours, SpecialHours};
use super::{CalendarId, TradingDay, table};

/// One entry of the operator's override file: a day that is closed, or that opens or closes at another time.
///
/// The times are `HH:MM` in the exchange's zone (Chicago for `cme_equity`). An open later in the day than the close is on
/// the evening before, as CME's 17:00 is. What is not given stays as the weekly pattern has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayOverride {
    /// The calendar it changes.
    pub calendar: CalendarId,
    /// The session it changes, by the civil date of its close.
    pub date: NaiveDate,
    /// True if there is no session; absent is false.
    #[serde(default)]
    pub closed: bool,
    /// The open, if it differs.
    #[serde(default, deserialize_with = "hours_and_minutes")]
    pub open: Option<NaiveTime>,
    /// The close, if it differs.
    #[serde(default, deserialize_with = "hours_and_minutes")]
    pub close: Option<NaiveTime>,
    /// Why, for a person to read.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What is wrong with an override, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideProblem {
    /// Neither closed nor another time.
    #[error("it changes nothing: give `closed: true`, `open` or `close`")]
    NothingChanged,
    /// Closed, and hours as well.
    #[error("it is closed and has hours: drop `closed`, or drop `open` and `close`")]
    ClosedWithHours,
    /// One time is missing on a day without usual hours.
    #[error("a Saturday or Sunday has no usual hours: give both `open` and `close`")]
    WeekendNeedsBoth,
    /// The open is not before the close.
    #[error("its open is not before its close: check `open` and `close`, HH:MM in {0}")]
    NoTradingTime(chrono_tz::Tz),
    /// The date is before the table or after the rules.
    #[error("the date is outside {first} to {last}: correct it or drop the entry")]
    OutsideCalendar {
        /// The first date that may be overridden.
        first: NaiveDate,
        /// The last date that may be overridden.
        last: NaiveDate,
    },
    /// The same session twice in one list.
    #[error("entry {first} is for the same session: keep one of the two")]
    Repeated {
        /// The position of the earlier entry, from 1.
        first: usize,
    },
    /// The session would overlap another.
    #[error("its hours overlap the session of {other}: move `open` or `close`")]
    Overlap {
        /// The session on the other side.
        other: TradingDay,
    },
}

impl DayOverride {
    /// Checks the entry by itself.
    ///
    /// # Errors
    ///
    /// The first [`OverrideProblem`] found; what only the whole list shows is found by `Calendar::with_overrides`.
    pub fn validate(&self) -> Result<(), OverrideProblem> {
        let first = *table::coverage(self.calendar).start();
        let num_times = usize::from(self.open.is_some()) + usize::from(self.close.is_some());
        match (self.closed, num_times) {
            _ if self.date < first || self.date > LAST_RULE_DAY => {
                Err(OverrideProblem::OutsideCalendar { first, last: LAST_RULE_DAY })
            }
            (false, 0) => Err(OverrideProblem::NothingChanged),
            (true, 0) => Ok(()),
            (true, _) => Err(OverrideProblem::ClosedWithHours),
            (false, 1) if is_weekend(self.date) => Err(OverrideProblem::WeekendNeedsBoth),
            (false, _) if self.day_hours().is_none() => Err(OverrideProblem::NoTradingTime(self.calendar.zone())),
            (false, _) => Ok(()),
        }
    }

    /// The hours of the session under the override; none if it is closed.
    pub(super) fn day_hours(&self) -> Option<DayHours> {
        let pattern = weekly_pattern(self.calendar, self.date);
        let close = self.close.map(wall_minute);
        let open = self.open.map(wall_minute).map(|open| match close.or(pattern.last().map(|last| last.close)) {
            Some(close) if self.calendar == CalendarId::CmeEquity && open > close => open - hm(24, 0),
            _ => open,
        });
        let hours = if self.closed { SpecialHours::Closed } else { SpecialHours::Open { open, close } };
        DayHours::special(pattern, hours)
    }
}

/// The whole minutes of a wall-clock time since midnight.
pub(super) fn wall_minute(time: NaiveTime) -> i32 {
    i32::try_from(time.num_seconds_from_midnight() / 60).unwrap_or_default()
}

fn hours_and_minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveTime>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let time = NaiveTime::parse_from_str(&text, "%H:%M");
    time.map(Some)
        .map_err(|_| de::Error::custom(format!("{text:?} is no time of day: write HH:MM in the exchange's zone")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> DayOverride {
        serde_json::from_str(json).unwrap()
    }

    fn problem(json: &str) -> String {
        entry(json).validate().unwrap_err().to_string()
    }

    #[test]
    fn an_entry_reads_as_it_is_written() {
        let noon = entry(r#"{"calendar": "cme_equity", "date": "2026-12-07", "close": "12:00", "reason": "mourning"}"#);
        assert_eq!(noon.validate(), Ok(()));
        assert_eq!((noon.closed, noon.open, noon.close), (false, None, NaiveTime::from_hms_opt(12, 0, 0)));
        assert_eq!(noon.reason.as_deref(), Some("mourning"));
    }

    #[test]
    fn an_unknown_key_or_a_bad_time_is_refused_with_a_reason() {
        let message = |json| serde_json::from_str::<DayOverride>(json).unwrap_err().to_string();
        let unknown = message(r#"{"calendar": "nyse", "date": "2026-12-07", "shut": true}"#);
        assert!(unknown.starts_with("unknown field `shut`"), "{unknown}");
        let bad = message(r#"{"calendar": "nyse", "date": "2026-12-07", "open": "25:00"}"#);
        assert!(bad.starts_with("\"25:00\" is no time of day: write HH:MM"), "{bad}");
        let calendar = message(r#"{"calendar": "nysee", "date": "2026-12-07", "closed": true}"#);
        assert!(calendar.contains("did you mean nyse?"), "{calendar}");
    }

    #[test]
    fn an_entry_that_cannot_be_followed_says_what_to_do() {
        for (json, says) in [
            (r#"{"calendar": "nyse", "date": "2026-12-07"}"#, "it changes nothing"),
            (
                r#"{"calendar": "nyse", "date": "2026-12-07", "closed": true, "close": "13:00"}"#,
                "it is closed and has hours",
            ),
            (
                r#"{"calendar": "nyse", "date": "2026-12-05", "close": "13:00"}"#,
                "a Saturday or Sunday has no usual hours",
            ),
            (r#"{"calendar": "nyse", "date": "2026-12-07", "close": "09:00"}"#, "its open is not before its close"),
            (
                r#"{"calendar": "nyse", "date": "2026-12-07", "open": "17:00", "close": "16:00"}"#,
                "its open is not before",
            ),
            (
                r#"{"calendar": "cme_equity", "date": "2009-12-07", "closed": true}"#,
                "the date is outside 2010-01-01 to 2099-12-31",
            ),
        ] {
            let problem = problem(json);
            assert!(problem.starts_with(says), "{json}: {problem}");
        }
    }

    #[test]
    fn an_open_of_cme_later_than_the_close_is_on_the_evening_before() {
        let open = |json| entry(json).day_hours().unwrap().segments[0].open;
        assert_eq!(open(r#"{"calendar": "cme_equity", "date": "2026-12-07", "open": "19:00"}"#), hm(19, 0) - hm(24, 0));
        assert_eq!(open(r#"{"calendar": "cme_equity", "date": "2026-12-07", "open": "05:00"}"#), hm(5, 0));
    }
}
