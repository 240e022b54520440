//! The weekly pattern: the hours of a day on which nothing happens, by exchange and by the time they were in force.
//!
//! Source: trading hours as CME Group and NYSE published them; the changes of 2012, 2015 and 2021 by CME notice.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta, Weekday};

use super::civil::{is_weekend, ymd};
use super::zone::instant_of;
use super::{CalendarId, Segment};

/// A stretch of trading on the exchange's wall clock, in minutes from midnight of the session's date; what lies on the
/// evening before is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WallSegment {
    /// The open, in minutes.
    pub(super) open: i32,
    /// The close, in minutes.
    pub(super) close: i32,
}

/// 17:00 in Chicago on the evening before.
const CME_OPEN: i32 = hm(17, 0) - hm(24, 0);
/// The segment before the afternoon halt that CME kept until 2021-06-25.
const CME_BEFORE_HALT: WallSegment = wall(CME_OPEN, hm(15, 15));

/// CME before 2012-11-19: the halt, and a late hour from Monday to Thursday.
const CME_LATE_HOUR: [WallSegment; 2] = [CME_BEFORE_HALT, wall(hm(15, 30), hm(16, 30))];
/// CME before 2012-11-19 on a Friday: the halt ends the week.
const CME_NO_LATE_HOUR: [WallSegment; 1] = [CME_BEFORE_HALT];
/// CME from 2012-11-19, with the close at 16:15.
const CME_CLOSE_1615: [WallSegment; 2] = [CME_BEFORE_HALT, wall(hm(15, 30), hm(16, 15))];
/// CME from 2015-09-21, with the close at 16:00.
const CME_CLOSE_1600: [WallSegment; 2] = [CME_BEFORE_HALT, wall(hm(15, 30), hm(16, 0))];
/// CME from 2021-06-28, without a halt: 1380 minutes.
const CME_NO_HALT: [WallSegment; 1] = [wall(CME_OPEN, hm(16, 0))];
/// NYSE: 390 minutes.
const NYSE: [WallSegment; 1] = [wall(hm(9, 30), hm(16, 0))];

const CME_CLOSE_1615_FROM: NaiveDate = ymd(2012, 11, 19);
const CME_CLOSE_1600_FROM: NaiveDate = ymd(2015, 9, 21);
const CME_NO_HALT_FROM: NaiveDate = ymd(2021, 6, 28);

/// The segments of the session dated `day` if nothing special happens; none at weekends.
pub(super) fn weekly_pattern(id: CalendarId, day: NaiveDate) -> &'static [WallSegment] {
    match id {
        _ if is_weekend(day) => &[],
        CalendarId::Nyse => &NYSE,
        CalendarId::CmeEquity if day >= CME_NO_HALT_FROM => &CME_NO_HALT,
        CalendarId::CmeEquity if day >= CME_CLOSE_1600_FROM => &CME_CLOSE_1600,
        CalendarId::CmeEquity if day >= CME_CLOSE_1615_FROM => &CME_CLOSE_1615,
        CalendarId::CmeEquity if day.weekday() == Weekday::Fri => &CME_NO_LATE_HOUR,
        CalendarId::CmeEquity => &CME_LATE_HOUR,
    }
}

impl WallSegment {
    /// The segment in UTC, as part of the session of `id` dated `day`.
    pub(super) fn on(self, id: CalendarId, day: NaiveDate) -> Segment {
        let midnight = day.and_time(NaiveTime::MIN);
        let instant = |minutes: i32| {
            let local = midnight.checked_add_signed(TimeDelta::minutes(minutes.into()));
            instant_of(local.unwrap_or(midnight), id.zone())
        };
        Segment { open: instant(self.open), close: instant(self.close) }
    }
}

/// Minutes from midnight of `hours:minutes`.
pub(super) const fn hm(hours: i32, minutes: i32) -> i32 {
    hours * 60 + minutes
}

const fn wall(open: i32, close: i32) -> WallSegment {
    WallSegment { open, close }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_minutes_of_each_epoch_are_those_of_the_facts() {
        let minutes = |day| -> Vec<i32> {
            weekly_pattern(CalendarId::CmeEquity, day).iter().map(|segment| segment.close - segment.open).collect()
        };
        assert_eq!(minutes(ymd(2010, 1, 4)), [1335, 60]);
        assert_eq!(minutes(ymd(2010, 1, 8)), [1335]);
        assert_eq!(minutes(ymd(2012, 11, 16)), [1335]);
        assert_eq!(minutes(ymd(2012, 11, 19)), [1335, 45]);
        assert_eq!(minutes(ymd(2015, 9, 18)), [1335, 45]);
        assert_eq!(minutes(ymd(2015, 9, 21)), [1335, 30]);
        assert_eq!(minutes(ymd(2021, 6, 25)), [1335, 30]);
        assert_eq!(minutes(ymd(2021, 6, 28)), [1380]);
        assert!(minutes(ymd(2026, 6, 20)).is_empty());
    }

    #[test]
    fn a_monday_opens_on_sunday_evening_also_in_the_week_the_clocks_change() {
        let open = |day| CME_NO_HALT[0].on(CalendarId::CmeEquity, day).open.to_rfc3339();
        assert_eq!(open(ymd(2026, 3, 2)), "2026-03-01T23:00:00+00:00");
        assert_eq!(open(ymd(2026, 3, 9)), "2026-03-08T22:00:00+00:00");
        assert_eq!(open(ymd(2026, 11, 2)), "2026-11-01T23:00:00+00:00");
    }
}
