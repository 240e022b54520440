//! Cron lines of five fields in a zone.
//!
//! The crate `croner` reads the line and finds the next matching wall-clock time on a clock without daylight saving; it
//! is wrong on the nights when clocks change. Which instant a wall-clock time is, the calendar
//! decides: a time in the gap is the first valid instant after it, one that happens twice is its first, once.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::calendar::Zone;

/// A cron line and its zone.
#[derive(Clone, Debug, PartialEq)]
pub struct CronLine {
    text: String,
    cron: Cron,
    zone: Zone,
}

/// A firing: the wall-clock time the line names, and the instant it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CronFiring {
    pub(super) local: NaiveDateTime,
    pub(super) at: DateTime<Utc>,
}

impl CronLine {
    /// Reads a line of five fields; day of month and day of week are alternatives, as in cron(5).
    pub(super) fn parse(text: &str, zone: Zone) -> Result<Self, String> {
        let bad = |what: &str| format!("cannot read the cron line {text:?}: {what}");
        if text.split_whitespace().count() != 5 {
            return Err(bad("write five fields: minute, hour, day of month, month, day of week"));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| bad(error.to_string().to_lowercase().trim_end_matches('.')))?;
        let line = Self { text: text.split_whitespace().collect::<Vec<_>>().join(" "), cron, zone };
        let never = line.next(DateTime::UNIX_EPOCH).is_none();
        if never { Err(bad("it never comes round, because no month has such a day")) } else { Ok(line) }
    }

    /// The zone its times are in.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The last instant of a civil day on the line's wall clock.
    pub(super) fn end_of(&self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.succ_opt().unwrap_or(day).and_time(NaiveTime::MIN);
        self.zone.instant(midnight) - TimeDelta::nanoseconds(1)
    }

    /// The first firing after an instant.
    pub(super) fn next(&self, after: DateTime<Utc>) -> Option<CronFiring> {
        let mut local = self.zone.wall_clock(after).trunc_subsecs(0);
        // In the hour that happens twice the wall clock may show a time whose instant, the first, has passed.
        loop {
            local = self.cron.find_next_occurrence(&local.and_utc(), false).ok()?.naive_utc();
            let at = self.zone.instant(local);
            if at > after {
                return Some(CronFiring { local, at });
            }
        }
    }
}

impl fmt::Display for CronLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cron \"{}\" {}", self.text, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str, zone: &str) -> CronLine {
        CronLine::parse(text, zone.parse().unwrap()).unwrap()
    }

    fn firings(text: &str, zone: &str, (from, count): (&str, usize)) -> Vec<String> {
        let line = line(text, zone);
        let mut after: DateTime<Utc> = from.parse().unwrap();
        let mut told = Vec::new();
        for _ in 0..count {
            after = line.next(after).unwrap().at;
            told.push(after.format("%m-%dT%H:%MZ").to_string());
        }
        told
    }

    #[test]
    fn a_time_in_the_gap_comes_once_right_after_it() {
        let told = firings("30 2 * * *", "America/New_York", ("2026-03-07T00:00:00Z", 3));
        assert_eq!(told, ["03-07T07:30Z", "03-08T07:00Z", "03-09T06:30Z"]);
        let told = firings("*/20 1-3 * * *", "America/New_York", ("2026-03-08T06:30:00Z", 4));
        assert_eq!(told, ["03-08T06:40Z", "03-08T07:00Z", "03-08T07:20Z", "03-08T07:40Z"]);
    }

    #[test]
    fn a_time_that_happens_twice_comes_once_at_its_first() {
        let told = firings("30 1 * * *", "America/New_York", ("2026-10-31T12:00:00Z", 2));
        assert_eq!(told, ["11-01T05:30Z", "11-02T06:30Z"]);
        let told = firings("*/30 * * * *", "America/New_York", ("2026-11-01T05:10:00Z", 3));
        assert_eq!(told, ["11-01T05:30Z", "11-01T07:00Z", "11-01T07:30Z"]);
    }

    #[test]
    fn days_of_month_and_week_are_alternatives() {
        let told = firings("0 12 13 * FRI", "UTC", ("2026-11-10T00:00:00Z", 4));
        assert_eq!(told, ["11-13T12:00Z", "11-20T12:00Z", "11-27T12:00Z", "12-04T12:00Z"]);
        assert_eq!(firings("0 0 29 2 *", "UTC", ("2026-01-01T00:00:00Z", 1)), ["02-29T00:00Z"]);
    }

    #[test]
    fn a_line_that_is_none_or_never_comes_is_refused() {
        for text in ["", "@daily", "* * * *", "0 * * * * *", "61 * * * *", "0 0 30 2 *", "0 0 31 4,6 *", "x * * * *"] {
            let told = CronLine::parse(text, "UTC".parse().unwrap()).unwrap_err();
            assert!(told.starts_with("cannot read the cron line"), "{told}");
        }
    }

    proptest! {
        #[test]
        fn next_is_after_now_around_the_nights_when_clocks_change(
            text in prop::sample::select(vec!["*/7 * * * *", "30 2 * * *", "15 1 * * *", "0 */2 * * *", "59 2 * * SUN"]),
            night in prop::sample::select(vec![1_772_953_200_i64, 1_793_512_800]),
            seconds in -90_000_i64..90_000,
        ) {
            let after = DateTime::from_timestamp(night + seconds, 0).unwrap();
            let first = line(text, "America/New_York").next(after).unwrap();
            prop_assert!(first.at > after);
            let second = line(text, "America/New_York").next(first.at).unwrap();
            prop_assert!(second.at > first.at);
        }
    }
}
