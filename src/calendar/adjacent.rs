//! Questions about what comes next and what came last: opens, closes, trading days.

use chrono::{DateTime, NaiveDate, Utc};

use super::civil::{day_after, day_before};
use super::{Calendar, CalendarError, TradingDay};

impl Calendar {
    /// The first open of a segment strictly after `at`; the end of an old afternoon halt is such an open.
    ///
    /// # Errors
    ///
    /// As [`Calendar::is_open`].
    pub fn next_open(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        let opens = |day| {
            self.segments_dated(day)
                .into_iter()
                .map(|segment| segment.open)
        };
        self.first_from(at, |day| opens(day).find(|open| *open > at))
    }

    /// The newest close of a segment at or before `at`; the start of an old afternoon halt is such a close.
    ///
    /// # Errors
    ///
    /// As [`Calendar::is_open`]; [`CalendarError::BeforeCoverage`] also if the table has no close that early.
    pub fn last_close(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        let closes = |day| {
            self.segments_dated(day)
                .into_iter()
                .rev()
                .map(|segment| segment.close)
        };
        self.last_until(at, |day| closes(day).find(|close| *close <= at))
    }

    /// The newest close of the regular hours at or before `at`: 16:00 in New York, 13:00 on half days.
    ///
    /// # Errors
    ///
    /// As [`Calendar::last_close`].
    pub fn last_regular_close(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        let close = |day| self.regular_segment(day).map(|regular| regular.close);
        self.last_until(at, |day| close(day).filter(|close| *close <= at))
    }

    /// The session `at` belongs to, a halt included, else the next one: the first session that closes after `at`.
    ///
    /// At the close itself this is already the next session, while the slot stamped then is the last of the old one: for
    /// slots ask [`Calendar::session_of_slot`].
    ///
    /// # Errors
    ///
    /// As [`Calendar::is_open`].
    pub fn trading_day(&self, at: DateTime<Utc>) -> Result<TradingDay, CalendarError> {
        let closes_later = |day: NaiveDate| {
            self.segments_dated(day)
                .last()
                .is_some_and(|last| last.close > at)
        };
        self.first_from(at, |day| closes_later(day).then_some(TradingDay::new(day)))
    }

    /// The first answer from the day of `at` on.
    fn first_from<T>(
        &self,
        at: DateTime<Utc>,
        answer: impl Fn(NaiveDate) -> Option<T>,
    ) -> Result<T, CalendarError> {
        let mut day = self.local_day(at)?;
        loop {
            if let Some(found) = answer(day) {
                return Ok(found);
            }
            day = day_after(day);
            self.check_day(day)?;
        }
    }

    /// The first answer from the day after that of `at` back into the past.
    fn last_until<T>(
        &self,
        at: DateTime<Utc>,
        answer: impl Fn(NaiveDate) -> Option<T>,
    ) -> Result<T, CalendarError> {
        let mut day = day_after(self.local_day(at)?);
        loop {
            if let Some(found) = answer(day) {
                return Ok(found);
            }
            day = day_before(day);
            self.check_day(day)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::CalendarId;
    use super::super::civil::ymd;
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn cme() -> Calendar {
        Calendar::embedded(CalendarId::CmeEquity)
    }

    fn calendars() -> impl Strategy<Value = Calendar> {
        prop::sample::select(CalendarId::ALL.to_vec()).prop_map(Calendar::embedded)
    }

    /// Inside both tables and past them: 2010-02-01 to 2040, by the second.
    fn instants() -> impl Strategy<Value = DateTime<Utc>> {
        (1_264_982_400_i64..2_208_988_800)
            .prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
    }

    proptest! {
        #[test]
        fn the_next_open_is_later_and_nothing_opens_in_between(calendar in calendars(), at in instants()) {
            let next = calendar.next_open(at).unwrap();
            prop_assert!(next > at);
            prop_assert!(calendar.is_open(next).unwrap());
            prop_assert_eq!(calendar.segment_of(next).unwrap(), None);
            if !calendar.is_open(at).unwrap() {
                prop_assert!(calendar.last_close(next).unwrap() <= at);
            }
        }

        #[test]
        fn the_last_close_is_not_later_and_nothing_closes_in_between(calendar in calendars(), at in instants()) {
            let last = calendar.last_close(at).unwrap();
            prop_assert!(last <= at);
            prop_assert!(!calendar.is_open(last).unwrap());
            prop_assert_eq!(calendar.segment_of(last).unwrap().unwrap().close, last);
            prop_assert!(calendar.next_open(last).unwrap() > last);
            prop_assert!(calendar.last_regular_close(at).unwrap() <= at);
        }
    }

    #[test]
    fn the_trading_day_of_a_weekend_is_monday() {
        for at in [
            "2026-11-20T22:00:00Z",
            "2026-11-21T12:00:00Z",
            "2026-11-22T23:00:00Z",
        ] {
            assert_eq!(
                cme().trading_day(utc(at)).unwrap().date(),
                ymd(2026, 11, 23),
                "{at}"
            );
        }
    }

    #[test]
    fn the_last_regular_close_is_that_of_new_york() {
        let last = |at| cme().last_regular_close(utc(at)).unwrap();
        assert_eq!(last("2026-11-20T20:59:59Z"), utc("2026-11-19T21:00:00Z"));
        assert_eq!(last("2026-11-20T21:00:00Z"), utc("2026-11-20T21:00:00Z"));
        // Thanksgiving has no regular session; the Friday after ends at 13:00 in New York.
        assert_eq!(last("2026-11-27T17:59:59Z"), utc("2026-11-25T21:00:00Z"));
        assert_eq!(last("2026-11-27T18:00:00Z"), utc("2026-11-27T18:00:00Z"));
    }
}
