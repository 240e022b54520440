//! The calendar of one exchange: which days have a session, and with which hours.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::NaiveDate;

use super::civil::{LAST_RULE_DAY, days_in};
use super::month_index::MonthIndex;
use super::special::DayHours;
use super::{CalendarError, CalendarId, DayOverride, Segment, Session, TradingDay, table};

/// The calendar of an exchange. Cloning is cheap; clones share what has been worked out.
#[derive(Clone)]
pub struct Calendar {
    inner: Arc<Inner>,
}

/// The overrides of both calendars by session.
pub(super) type Overrides = BTreeMap<(CalendarId, NaiveDate), DayOverride>;

struct Inner {
    id: CalendarId,
    /// Of both calendars: the regular hours of `cme_equity` are those of `nyse`.
    overrides: Overrides,
    index: MonthIndex,
}

impl Calendar {
    /// The calendar as it is embedded in the crate.
    #[must_use]
    pub fn embedded(id: CalendarId) -> Calendar {
        Calendar::new(id, Overrides::new())
    }

    /// The calendar with these overrides, checked before, and nothing worked out yet.
    pub(super) fn new(id: CalendarId, overrides: Overrides) -> Calendar {
        let index = MonthIndex::new(&table::coverage(id));
        Calendar { inner: Arc::new(Inner { id, overrides, index }) }
    }

    /// The name of the calendar.
    #[must_use]
    pub fn id(&self) -> CalendarId {
        self.inner.id
    }

    /// The overrides of both calendars by session.
    pub(super) fn overrides(&self) -> &Overrides {
        &self.inner.overrides
    }

    /// The civil dates of the embedded table; the end is the horizon past which the rules speak.
    #[must_use]
    pub fn coverage(&self) -> RangeInclusive<NaiveDate> {
        table::coverage(self.id())
    }

    /// The session dated `day`; none if the exchange is closed that day.
    ///
    /// # Errors
    ///
    /// [`CalendarError::BeforeCoverage`] or [`CalendarError::AfterRules`].
    pub fn session(&self, day: NaiveDate) -> Result<Option<Session>, CalendarError> {
        self.check_day(day)?;
        Ok(self.session_dated(day))
    }

    /// The sessions dated `from` to `to`, both included.
    ///
    /// # Errors
    ///
    /// [`CalendarError::ReversedRange`], [`CalendarError::BeforeCoverage`] or [`CalendarError::AfterRules`].
    pub fn sessions(&self, from: NaiveDate, to: NaiveDate) -> Result<Vec<Session>, CalendarError> {
        if to < from {
            return Err(CalendarError::ReversedRange { from: from.to_string(), to: to.to_string() });
        }
        self.check_day(from)?;
        self.check_day(to)?;
        Ok(days_in(from..=to).filter_map(|day| self.session_dated(day)).collect())
    }

    /// Why `day` differs from the weekly pattern: the holiday or event, or the operator's reason; none if it does not.
    ///
    /// # Errors
    ///
    /// [`CalendarError::BeforeCoverage`] or [`CalendarError::AfterRules`].
    pub fn reason(&self, day: NaiveDate) -> Result<Option<String>, CalendarError> {
        self.check_day(day)?;
        if let Some(given) = self.overrides().get(&(self.id(), day)) {
            return Ok(Some(given.reason.clone().unwrap_or_else(|| "operator's override".to_owned())));
        }
        Ok(table::known_special_day(self.id(), day).map(|special| special.reason.to_owned()))
    }

    /// An error for a day of which neither the table nor the rules speak.
    pub(super) fn check_day(&self, day: NaiveDate) -> Result<(), CalendarError> {
        let (calendar, first) = (self.id(), *self.coverage().start());
        if day < first {
            return Err(CalendarError::BeforeCoverage { calendar, day, first });
        }
        if day > LAST_RULE_DAY {
            return Err(CalendarError::AfterRules { calendar, day, last: LAST_RULE_DAY });
        }
        Ok(())
    }

    /// The session dated `day`, whatever the day.
    pub(super) fn session_dated(&self, day: NaiveDate) -> Option<Session> {
        let hours = self.hours(self.id(), day)?;
        let overridden = self.overrides().contains_key(&(self.id(), day));
        Some(Session {
            day: TradingDay::new(day),
            segments: hours.segments.iter().map(|wall| wall.on(self.id(), day)).collect(),
            regular: self.regular_segment(day),
            kind: hours.kind,
            provisional: day > *self.coverage().end() && !overridden,
        })
    }

    /// The segments of the session dated `day`; empty if it is closed.
    pub(super) fn segments_dated(&self, day: NaiveDate) -> Vec<Segment> {
        self.segments_of_calendar(self.id(), day)
    }

    /// The regular trading hours of `day`: those of NYSE, as far as this calendar trades in them.
    pub(super) fn regular_segment(&self, day: NaiveDate) -> Option<Segment> {
        let nyse = whole(&self.segments_of_calendar(CalendarId::Nyse, day))?;
        if self.id() == CalendarId::Nyse {
            return Some(nyse);
        }
        let own = whole(&self.segments_dated(day))?;
        let clipped = Segment { open: nyse.open.max(own.open), close: nyse.close.min(own.close) };
        (clipped.open < clipped.close).then_some(clipped)
    }

    /// The segments of the month of `day`, kept once worked out; none past the table.
    pub(super) fn indexed_month(&self, day: NaiveDate) -> Option<&[Segment]> {
        let build = |month| days_in(month).flat_map(|day| self.segments_dated(day)).collect();
        self.inner.index.month_of(day, build)
    }

    /// The segments of the session of either calendar dated `day`; empty if it is closed.
    pub(super) fn segments_of_calendar(&self, id: CalendarId, day: NaiveDate) -> Vec<Segment> {
        let hours = self.hours(id, day);
        hours.map(|hours| hours.segments.iter().map(|wall| wall.on(id, day)).collect()).unwrap_or_default()
    }

    /// The hours of a day: the operator's word, else the table's or the rules', else the pattern's.
    fn hours(&self, id: CalendarId, day: NaiveDate) -> Option<DayHours> {
        match self.overrides().get(&(id, day)) {
            Some(given) => given.day_hours(),
            None => table::day_hours(id, day),
        }
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let overrides: Vec<_> = self.overrides().values().collect();
        f.debug_struct("Calendar").field("id", &self.id()).field("overrides", &overrides).finish_non_exhaustive()
    }
}

/// From the first open to the last close.
pub(super) fn whole(segments: &[Segment]) -> Option<Segment> {
    segments.first().zip(segments.last()).map(|(first, last)| Segment { open: first.open, close: last.close })
}

#[cfg(test)]
mod tests {
    use super::super::civil::ymd;
    use super::super::{DayKind, Slot};
    use super::*;

    #[test]
    fn past_the_horizon_the_rules_go_on_and_say_so() {
        for id in CalendarId::ALL {
            let calendar = Calendar::embedded(id);
            let (last, next) = (*calendar.coverage().end(), ymd(2028, 1, 3));
            assert!(!calendar.session(last).unwrap().unwrap().provisional);
            assert!(calendar.session(next).unwrap().unwrap().provisional);
        }
        let cme = Calendar::embedded(CalendarId::CmeEquity);
        let slot = Slot::at("2028-07-04T16:55:00Z".parse().unwrap()).unwrap();
        let fourth = cme.session_of_slot(slot).unwrap().unwrap();
        assert_eq!((fourth.kind, fourth.regular, fourth.num_slots()), (DayKind::EarlyClose, None, 228));
        assert_eq!(cme.reason(ymd(2028, 7, 4)).unwrap().as_deref(), Some("Independence Day"));
    }

    #[test]
    fn the_debug_form_is_short() {
        assert_eq!(format!("{:?}", Calendar::embedded(CalendarId::Nyse)), "Calendar { id: Nyse, overrides: [], .. }");
    }
}
