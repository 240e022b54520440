//! An operator's word about one day: it goes before the tables and the rules.

use chrono::{NaiveDate, NaiveTime, Timelike};
use serde::{Deserialize, Deserializer, de};

use super::civil::{LAST_RULE_DAY, is_weekend};
use super::pattern::{WallSegment, hm, weekly_pattern};
use super::special::{DayHours, SpecialHours, whole};
use super::{CalendarId, TradingDay, table};

/// Minutes of a civil day.
const DAY: i32 = hm(24, 0);

/// One entry of the operator's override file: a day that is closed, or that opens or closes at another time.
///
/// The times are `HH:MM` in the exchange's zone (Chicago for `cme_equity`). An open later in the day than the close is on
/// the evening before, as CME's 17:00 is. An edge that is not given stays the day's own: that of its early close or late
/// open where the tables or the rules have one, else that of the weekly pattern.
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
    /// All segments of the day, in order, where trading is interrupted; they stand in place of `open` and `close`.
    #[serde(default)]
    pub segments: Vec<SegmentOverride>,
    /// Why, for a person to read.
    #[serde(default)]
    pub reason: Option<String>,
}

/// One segment of an overridden day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentOverride {
    /// Its open.
    #[serde(deserialize_with = "time_of_day")]
    pub open: NaiveTime,
    /// Its close.
    #[serde(deserialize_with = "time_of_day")]
    pub close: NaiveTime,
}

/// What is wrong with an override, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideProblem {
    /// Neither closed nor another time.
    #[error("it changes nothing: give `closed: true`, `open`, `close` or `segments`")]
    NothingChanged,
    /// Closed, and hours as well.
    #[error("it is closed and has hours: drop `closed`, or drop `open`, `close` and `segments`")]
    ClosedWithHours,
    /// Segments, and an open or a close as well.
    #[error("it has `segments` beside `open` or `close`: give the whole day as `segments`, or drop them")]
    SegmentsWithEdges,
    /// One time is missing on a day without usual hours.
    #[error("a Saturday or Sunday has no usual hours: give both `open` and `close`")]
    WeekendNeedsBoth,
    /// Another open of a day that is closed.
    #[error("the day is closed otherwise, so it has no close of its own: give `close` as well")]
    HolidayNeedsClose,
    /// The open is not before the close.
    #[error("its open is not before its close: check `open` and `close`, HH:MM in {0}")]
    NoTradingTime(chrono_tz::Tz),
    /// The segments are not in order.
    #[error("its segments do not follow one another: give each open after the close before it, HH:MM in {0}")]
    SegmentsOutOfOrder(chrono_tz::Tz),
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
        if self.date < first || self.date > LAST_RULE_DAY {
            return Err(OverrideProblem::OutsideCalendar { first, last: LAST_RULE_DAY });
        }
        let num_times = usize::from(self.open.is_some()) + usize::from(self.close.is_some());
        match (self.closed, !self.segments.is_empty(), num_times) {
            (false, false, 0) => Err(OverrideProblem::NothingChanged),
            (true, false, 0) => Ok(()),
            (true, _, _) => Err(OverrideProblem::ClosedWithHours),
            (false, true, 1..) => Err(OverrideProblem::SegmentsWithEdges),
            (false, true, 0) if self.day_hours().is_none() => {
                Err(OverrideProblem::SegmentsOutOfOrder(self.calendar.zone()))
            }
            (false, false, 1) if is_weekend(self.date) => Err(OverrideProblem::WeekendNeedsBoth),
            (false, false, 1) if self.close.is_none() && self.own_edges().is_none() => {
                Err(OverrideProblem::HolidayNeedsClose)
            }
            (false, _, _) if self.day_hours().is_none() => Err(OverrideProblem::NoTradingTime(self.calendar.zone())),
            (false, _, _) => Ok(()),
        }
    }

    /// The hours of the session under the override; none if it is closed.
    pub(super) fn day_hours(&self) -> Option<DayHours> {
        if self.closed {
            return None;
        }
        let pattern = weekly_pattern(self.calendar, self.date);
        if !self.segments.is_empty() {
            return Some(DayHours::of_segments(pattern, self.wall_segments()?));
        }
        let own = self.own_edges();
        let close = self.close.map(wall_minute).or(own.map(|own| own.close));
        let usual_close = close.or(pattern.last().map(|last| last.close));
        let open = self.open.map(wall_minute).map(|open| match usual_close {
            Some(close) if self.calendar == CalendarId::CmeEquity && open > close => open - DAY,
            _ => open,
        });
        DayHours::special(pattern, SpecialHours::Open { open: open.or(own.map(|own| own.open)), close })
    }

    /// From the first open to the last close that the day has without the override; none if it is closed.
    fn own_edges(&self) -> Option<WallSegment> {
        whole(&table::day_hours(self.calendar, self.date)?.segments)
    }

    /// The segments in minutes of the session's date; none where they do not follow one another. From the last close
    /// backwards, a time later in the day than the one after it is on the evening before.
    fn wall_segments(&self) -> Option<Vec<WallSegment>> {
        let mut times: Vec<i32> =
            self.segments.iter().flat_map(|segment| [segment.open, segment.close]).map(wall_minute).collect();
        let mut later = i32::MAX;
        for time in times.iter_mut().rev() {
            if *time > later && self.calendar == CalendarId::CmeEquity {
                *time -= DAY;
            }
            later = *time;
        }
        let in_order = times.is_sorted_by(|before, after| before < after);
        let segment = |pair: &[i32]| match *pair {
            [open, close] => Some(WallSegment { open, close }),
            _ => None,
        };
        if in_order { times.chunks(2).map(segment).collect() } else { None }
    }
}

/// The whole minutes of a wall-clock time since midnight.
pub(super) fn wall_minute(time: NaiveTime) -> i32 {
    i32::try_from(time.num_seconds_from_midnight() / 60).unwrap_or_default()
}

fn hours_and_minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveTime>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| read_time(&text)).transpose()
}

fn time_of_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveTime, D::Error> {
    read_time(&String::deserialize(deserializer)?)
}

fn read_time<E: de::Error>(text: &str) -> Result<NaiveTime, E> {
    let time = NaiveTime::parse_from_str(text, "%H:%M");
    time.map_err(|_| E::custom(format!("{text:?} is no time of day: write HH:MM in the exchange's zone")))
}

#[cfg(test)]
mod tests {
    use super::super::DayKind;
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

    fn hours(json: &str) -> (Vec<(i32, i32)>, DayKind) {
        let entry = entry(json);
        assert_eq!(entry.validate(), Ok(()), "{json}");
        let hours = entry.day_hours().unwrap();
        (hours.segments.iter().map(|segment| (segment.open, segment.close)).collect(), hours.kind)
    }

    #[test]
    fn the_edge_that_is_not_given_stays_the_days_own() {
        // The day after Thanksgiving closes at 12:15 in Chicago, and NYSE at 13:00.
        let half = hours(r#"{"calendar": "cme_equity", "date": "2026-11-27", "open": "05:00"}"#);
        assert_eq!(half, (vec![(hm(5, 0), hm(12, 15))], DayKind::EarlyClose));
        let evening = hours(r#"{"calendar": "cme_equity", "date": "2026-11-27", "open": "19:00"}"#);
        assert_eq!(evening, (vec![(hm(19, 0) - DAY, hm(12, 15))], DayKind::EarlyClose));
        let nyse = hours(r#"{"calendar": "nyse", "date": "2026-11-27", "open": "10:00"}"#);
        assert_eq!(nyse, (vec![(hm(10, 0), hm(13, 0))], DayKind::EarlyClose));
        // 2014-01-02 opened late, at 05:00; the halt of that time stays where it was.
        let late = hours(r#"{"calendar": "cme_equity", "date": "2014-01-02", "close": "16:00"}"#);
        assert_eq!(late.0, [(hm(5, 0), hm(15, 15)), (hm(15, 30), hm(16, 0))]);
        // A day made whole again says so for both edges.
        let whole = hours(r#"{"calendar": "nyse", "date": "2026-11-27", "close": "16:00"}"#);
        assert_eq!(whole, (vec![(hm(9, 30), hm(16, 0))], DayKind::Normal));
    }

    #[test]
    fn a_day_that_is_closed_otherwise_does_not_open_without_a_close() {
        for calendar in ["nyse", "cme_equity"] {
            let told = problem(&format!(r#"{{"calendar": "{calendar}", "date": "2026-12-25", "open": "10:00"}}"#));
            assert!(told.starts_with("the day is closed otherwise"), "{told}");
        }
        let both = hours(r#"{"calendar": "nyse", "date": "2026-12-25", "open": "10:00", "close": "12:00"}"#);
        assert_eq!(both.0, [(hm(10, 0), hm(12, 0))]);
        // With a close alone it opens as the weekly pattern does.
        let close = hours(r#"{"calendar": "cme_equity", "date": "2026-12-25", "close": "08:15"}"#);
        assert_eq!(close, (vec![(hm(17, 0) - DAY, hm(8, 15))], DayKind::EarlyClose));
    }

    #[test]
    fn a_day_may_have_several_segments() {
        let halted = hours(
            r#"{"calendar": "cme_equity", "date": "2026-12-07", "segments": [
                {"open": "17:00", "close": "20:00"}, {"open": "21:30", "close": "10:00"}, {"open": "11:00", "close": "16:00"}]}"#,
        );
        let evening = |hours, minutes| hm(hours, minutes) - DAY;
        assert_eq!(
            halted,
            (
                vec![(evening(17, 0), evening(20, 0)), (evening(21, 30), hm(10, 0)), (hm(11, 0), hm(16, 0))],
                DayKind::Normal
            )
        );
        let short = hours(
            r#"{"calendar": "nyse", "date": "2026-12-07", "segments": [
                {"open": "09:30", "close": "11:00"}, {"open": "12:00", "close": "15:00"}]}"#,
        );
        assert_eq!(short, (vec![(hm(9, 30), hm(11, 0)), (hm(12, 0), hm(15, 0))], DayKind::EarlyClose));
        for segments in [
            r#"{"open": "12:00", "close": "15:00"}, {"open": "09:30", "close": "11:00"}"#,
            r#"{"open": "09:30", "close": "11:00"}, {"open": "11:00", "close": "15:00"}"#,
            r#"{"open": "11:00", "close": "09:30"}"#,
        ] {
            let told = problem(&format!(r#"{{"calendar": "nyse", "date": "2026-12-07", "segments": [{segments}]}}"#));
            assert!(told.starts_with("its segments do not follow one another"), "{segments}: {told}");
        }
        let told = problem(
            r#"{"calendar": "nyse", "date": "2026-12-07", "close": "15:00", "segments": [{"open": "09:30", "close": "11:00"}]}"#,
        );
        assert!(told.starts_with("it has `segments` beside"), "{told}");
    }

    #[test]
    fn an_open_of_cme_later_than_the_close_is_on_the_evening_before() {
        let open = |json| entry(json).day_hours().unwrap().segments[0].open;
        assert_eq!(open(r#"{"calendar": "cme_equity", "date": "2026-12-07", "open": "19:00"}"#), hm(19, 0) - hm(24, 0));
        assert_eq!(open(r#"{"calendar": "cme_equity", "date": "2026-12-07", "open": "05:00"}"#), hm(5, 0));
    }
}
