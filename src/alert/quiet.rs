//! Hours of the day, New York time, in which something waits.

use chrono::{DateTime, Days, NaiveTime, Utc};

use crate::calendar::{new_york, to_new_york};

/// A daily stretch of time, which may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyHours {
    /// First minute.
    pub from: NaiveTime,
    /// First minute after it.
    pub until: NaiveTime,
}

impl DailyHours {
    /// The end of the stretch that an instant lies in; none outside of it.
    #[must_use]
    pub fn end_at(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = to_new_york(at).naive_local();
        let (day, time) = (local.date(), local.time());
        let end_day = match (self.from <= self.until, self.from <= time, time < self.until) {
            (true, true, true) | (false, false, true) => day,
            (false, true, _) => day.checked_add_days(Days::new(1))?,
            _ => return None,
        };
        Some(new_york(end_day.and_time(self.until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, until: &str) -> DailyHours {
        DailyHours { from: from.parse().expect("a time"), until: until.parse().expect("a time") }
    }

    fn at(text: &str) -> DateTime<Utc> {
        crate::calendar::parse_instant(text).expect("New York time")
    }

    #[test]
    fn the_end_is_on_the_next_morning_in_winter_and_over_the_change_of_the_clocks() {
        let night = hours("22:00:00", "07:00:00");
        for (inside, end) in [
            ("2026-11-20T23:00", "2026-11-21T07:00"),
            ("2026-11-21T06:59", "2026-11-21T07:00"),
            ("2026-10-31T22:00", "2026-11-01T07:00"),
            ("2026-03-07T23:30", "2026-03-08T07:00"),
        ] {
            assert_eq!(night.end_at(at(inside)), Some(at(end)), "{inside}");
        }
        assert_eq!(night.end_at(at("2026-11-20T07:00")), None);
        assert_eq!(night.end_at(at("2026-11-20T21:59")), None);
        let noon = hours("12:00:00", "13:00:00");
        assert_eq!(noon.end_at(at("2026-11-20T12:30")), Some(at("2026-11-20T13:00")));
        assert_eq!(noon.end_at(at("2026-11-20T13:00")), None);
    }
}
