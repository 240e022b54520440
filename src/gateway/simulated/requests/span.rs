//! How a request for history says when: its end, its duration, its bar size.

use chrono::{DateTime, Days, Months, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::calendar::new_york;

use super::super::hours::{Hours, Venue};

/// Sessions a request may reach back: twenty years.
const MAX_SESSIONS: u32 = 5_200;

/// Length of the bars asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// So many seconds, within a session.
    Seconds(i64),
    /// One session.
    Day,
}

const SIZES: [(&str, Size); 9] = [
    ("1 min", Size::Seconds(60)),
    ("5 mins", Size::Seconds(300)),
    ("10 mins", Size::Seconds(600)),
    ("15 mins", Size::Seconds(900)),
    ("20 mins", Size::Seconds(1_200)),
    ("30 mins", Size::Seconds(1_800)),
    ("1 hour", Size::Seconds(3_600)),
    ("2 hours", Size::Seconds(7_200)),
    ("1 day", Size::Day),
];

/// The bar size of a setting.
pub(super) fn size(setting: &str) -> Option<Size> {
    SIZES.iter().find(|(name, _)| *name == setting).map(|(_, size)| *size)
}

/// How far back a request reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duration {
    Seconds(i64),
    TradingDays(u32),
    Weeks(u64),
    Months(u32),
}

/// The duration of a text such as `5 D`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (count, unit) = text.trim().split_once(' ')?;
    let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
    match unit {
        "S" => Some(Duration::Seconds(i64::from(count))),
        "D" => Some(Duration::TradingDays(count)).filter(|_| count <= MAX_SESSIONS),
        "W" => Some(Duration::Weeks(u64::from(count))).filter(|_| count <= MAX_SESSIONS / 5),
        "M" => Some(Duration::Months(count)).filter(|_| count <= MAX_SESSIONS / 22),
        "Y" => Some(Duration::Months(count.checked_mul(12)?)).filter(|_| count <= MAX_SESSIONS / 255),
        _ => None,
    }
}

/// The instant of an end time: empty is now; with a zone, as UTC with a dash, or without a zone in New York.
pub(super) fn end_at(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(now);
    }
    if let Ok(utc) = NaiveDateTime::parse_from_str(text, "%Y%m%d-%H:%M:%S") {
        return Some(utc.and_utc());
    }
    let mut words = text.splitn(3, ' ');
    let local = format!("{} {}", words.next()?, words.next()?);
    let local = NaiveDateTime::parse_from_str(&local, "%Y%m%d %H:%M:%S").ok()?;
    match words.next() {
        None => Some(new_york(local)),
        Some(zone) => {
            let zone: Tz = zone.parse().ok()?;
            local.and_local_timezone(zone).earliest().map(|at| at.to_utc())
        }
    }
}

/// The instant a request reaches back to from its end.
pub(super) fn start_at(hours: &Hours, venue: Venue, end: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    match duration {
        Duration::Seconds(seconds) => end - TimeDelta::seconds(seconds),
        Duration::TradingDays(num_days) => {
            let newest = hours.standing(venue, end).map(|standing| standing.session);
            newest.map_or(end, |newest| hours.back(venue, newest, num_days - 1).open())
        }
        Duration::Weeks(weeks) => end.checked_sub_days(Days::new(7 * weeks)).unwrap_or(end),
        Duration::Months(months) => end.checked_sub_months(Months::new(months)).unwrap_or(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn an_end_is_written_in_any_of_four_forms() {
        let (now, meant) = (at("2026-11-23T15:00:00Z"), Some(at("2026-11-20T16:00:00Z")));
        assert_eq!(end_at("", now), Some(now));
        for text in [
            "20261120 16:00:00 UTC",
            "20261120-16:00:00",
            "20261120 11:00:00 US/Eastern",
            "20261120 11:00:00",
            "20261120 10:00:00 America/Chicago",
        ] {
            assert_eq!(end_at(text, now), meant, "{text}");
        }
        assert_eq!(end_at("yesterday", now), None);
        assert_eq!(end_at("20261120 16:00:00 Mars/Base", now), None);
    }

    #[test]
    fn days_count_trading_days() {
        let hours = Hours::embedded();
        let sunday_noon = at("2026-11-22T17:00:00Z");
        let start = |days| start_at(&hours, Venue::Cme, sunday_noon, Duration::TradingDays(days));
        assert_eq!(start(1), at("2026-11-19T23:00:00Z"));
        assert_eq!(start(5), at("2026-11-15T23:00:00Z"));
    }

    #[test]
    fn durations_have_a_bound() {
        assert_eq!(duration("2 W"), Some(Duration::Weeks(2)));
        assert_eq!(duration("1 Y"), Some(Duration::Months(12)));
        for text in ["0 D", "1000000 D", "1000000000 Y", "5", "5 H", "-1 D"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
