//! Questions about an instant: is it open, in which session, which slots.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::civil::{LAST_RULE_DAY, day_after, days_in};
use super::slot::rfc3339;
use super::{Calendar, CalendarError, Segment, Session, Slot};

impl Calendar {
    /// True while the exchange trades: `open <= at < close` of a segment.
    ///
    /// # Errors
    ///
    /// [`CalendarError::BeforeCoverage`] or [`CalendarError::AfterRules`].
    pub fn is_open(&self, at: DateTime<Utc>) -> Result<bool, CalendarError> {
        Ok(self.segment_at(at)?.is_some())
    }

    /// The session that has a segment with `open <= at < close`.
    ///
    /// # Errors
    ///
    /// As [`Calendar::is_open`].
    pub fn session_at(&self, at: DateTime<Utc>) -> Result<Option<Session>, CalendarError> {
        let Some(segment) = self.segment_at(at)? else {
            return Ok(None);
        };
        let day = self.local_day(at)?;
        let mut sessions = [day, day_after(day)].into_iter().filter_map(|day| self.session_dated(day));
        Ok(sessions.find(|session| session.segments.contains(&segment)))
    }

    /// The session the slot belongs to: the one that has a segment with `open < slot <= close`.
    ///
    /// # Errors
    ///
    /// As [`Calendar::is_open`].
    pub fn session_of_slot(&self, slot: Slot) -> Result<Option<Session>, CalendarError> {
        self.session_at(just_before(slot.instant()))
    }

    /// The segment in which what is stamped with `instant` happened: `open < instant <= close`.
    ///
    /// # Errors
    ///
    /// As [`Calendar::is_open`].
    pub fn segment_of(&self, instant: DateTime<Utc>) -> Result<Option<Segment>, CalendarError> {
        self.segment_at(just_before(instant))
    }

    /// The slots of all sessions with `from <= slot <= to`, in order.
    ///
    /// # Errors
    ///
    /// [`CalendarError::ReversedRange`], else as [`Calendar::is_open`].
    pub fn slots(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Slot>, CalendarError> {
        if to < from {
            return Err(CalendarError::ReversedRange { from: rfc3339(from), to: rfc3339(to) });
        }
        let days = self.local_day(from)?..=day_after(self.local_day(to)?);
        let asked = |slot: &Slot| from <= slot.instant() && slot.instant() <= to;
        let segments = days_in(days).flat_map(|day| self.segments_dated(day));
        Ok(segments.flat_map(|segment| segment.slots().filter(asked).collect::<Vec<_>>()).collect())
    }

    /// The segment with `open <= at < close`.
    fn segment_at(&self, at: DateTime<Utc>) -> Result<Option<Segment>, CalendarError> {
        let day = self.local_day(at)?;
        // A session is dated on the day it closes, so an evening may belong to the next date, and to the next month.
        let found = [day, day_after(day)].into_iter().find_map(|day| match self.indexed_month(day) {
            Some(segments) => {
                let not_over = segments.partition_point(|segment| segment.close <= at);
                segments.get(not_over).copied().filter(|segment| segment.contains_instant(at))
            }
            None => self.segments_dated(day).into_iter().find(|segment| segment.contains_instant(at)),
        });
        Ok(found)
    }

    /// The civil date of an instant in the exchange's zone, if the calendar speaks of it.
    pub(super) fn local_day(&self, at: DateTime<Utc>) -> Result<NaiveDate, CalendarError> {
        let utc_day = at.date_naive();
        // Far outside there may be no local time to represent; the UTC date is as good for the message.
        if utc_day < *self.coverage().start() || utc_day > day_after(LAST_RULE_DAY) {
            self.check_day(utc_day)?;
        }
        let day = at.with_timezone(&self.id().zone()).date_naive();
        self.check_day(day)?;
        Ok(day)
    }
}

/// The instant a nanosecond earlier: `(open, close]` is `[open, close)` moved by the finest step there is.
fn just_before(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::civil::ymd;
    use super::super::{CalendarId, SLOT_MINUTES};
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
        (1_264_982_400_i64..2_208_988_800).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
    }

    proptest! {
        #[test]
        fn open_session_and_segment_say_the_same(calendar in calendars(), at in instants()) {
            let session = calendar.session_at(at).unwrap();
            prop_assert_eq!(calendar.is_open(at).unwrap(), session.is_some());
            if let Some(session) = session {
                prop_assert_eq!(calendar.trading_day(at).unwrap(), session.day);
                prop_assert_eq!(calendar.session(session.day.date()).unwrap(), Some(session));
            }
        }

        #[test]
        fn a_slot_is_open_if_the_five_minutes_before_it_were(at in instants()) {
            let (calendar, slot) = (cme(), Slot::at_or_before(at));
            let was_open = calendar.is_open(slot.previous().instant()).unwrap();
            prop_assert_eq!(calendar.session_of_slot(slot).unwrap().is_some(), was_open);
            prop_assert_eq!(calendar.slots(slot.instant(), slot.instant()).unwrap().len(), usize::from(was_open));
        }
    }

    #[test]
    fn the_open_is_no_slot_and_the_close_is_one() {
        let session = cme().session(ymd(2026, 11, 20)).unwrap().unwrap();
        let of_slot = |at| cme().session_of_slot(Slot::at(at).unwrap()).unwrap();
        assert_eq!(of_slot(session.open()), None);
        assert_eq!(of_slot(session.close()), Some(session.clone()));
        assert_eq!(cme().session_at(session.open()), Ok(Some(session.clone())));
        assert_eq!(cme().session_at(session.close()), Ok(None));
        assert_eq!(session.slots().next().map(Slot::instant), Some(session.open() + TimeDelta::minutes(SLOT_MINUTES)));
        assert_eq!(session.slots().last().map(Slot::instant), Some(session.close()));
    }

    #[test]
    fn a_slot_of_the_old_halt_belongs_to_no_session_but_the_halt_to_its_trading_day() {
        let halt = utc("2021-06-25T20:20:00Z"); // 15:20 in Chicago
        let of_slot =
            |at: DateTime<Utc>| cme().session_of_slot(Slot::at(at).unwrap()).unwrap().map(|session| session.day.date());
        assert_eq!(of_slot(utc("2021-06-25T20:15:00Z")), Some(ymd(2021, 6, 25)));
        assert_eq!(of_slot(halt), None);
        assert_eq!(of_slot(utc("2021-06-25T20:30:00Z")), None);
        assert_eq!(of_slot(utc("2021-06-25T20:35:00Z")), Some(ymd(2021, 6, 25)));
        assert_eq!(cme().trading_day(halt).unwrap().date(), ymd(2021, 6, 25));
        assert_eq!(cme().next_open(halt), Ok(utc("2021-06-25T20:30:00Z")));
        assert_eq!(cme().last_close(halt), Ok(utc("2021-06-25T20:15:00Z")));
    }

    #[test]
    fn a_range_of_slots_holds_both_ends_and_spans_closures() {
        let slots = cme().slots(utc("2026-11-20T21:55:00Z"), utc("2026-11-22T23:10:00Z")).unwrap();
        let expected = ["2026-11-20T21:55:00Z", "2026-11-20T22:00:00Z", "2026-11-22T23:05:00Z", "2026-11-22T23:10:00Z"];
        assert_eq!(slots.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        let reversed = cme().slots(utc("2026-11-22T23:10:00Z"), utc("2026-11-20T21:55:00Z"));
        assert!(matches!(reversed, Err(CalendarError::ReversedRange { .. })));
    }

    #[test]
    fn outside_the_calendar_every_question_is_an_error() {
        for at in [DateTime::<Utc>::MIN_UTC, utc("2010-01-01T05:59:59Z")] {
            assert!(matches!(cme().is_open(at), Err(CalendarError::BeforeCoverage { .. })));
        }
        assert_eq!(cme().is_open(utc("2010-01-01T06:00:00Z")), Ok(false));
        assert!(matches!(cme().last_close(utc("2010-01-04T12:00:00Z")), Err(CalendarError::BeforeCoverage { .. })));
        for at in [DateTime::<Utc>::MAX_UTC, utc("2100-01-01T06:00:00Z")] {
            assert!(matches!(cme().is_open(at), Err(CalendarError::AfterRules { .. })));
        }
        assert!(matches!(cme().next_open(utc("2099-12-31T22:00:00Z")), Err(CalendarError::AfterRules { .. })));
    }
}
