//! When what trades: the sessions of the two exchanges as the gateway tells them.
//!
//! A day the calendar does not cover has no session here: the simulated gateway then has no data, as a real one would.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::calendar::{Calendar, CalendarId, Segment, Session, to_new_york};
use crate::market::Instrument;

/// Longest run of days without a session that is looked over: no closure since 1933 was longer.
const MAX_CLOSED_DAYS: u64 = 12;

/// Where an instrument trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Venue {
    /// CME index futures.
    Cme,
    /// ETFs.
    Nyse,
}

impl Venue {
    /// The venue of an instrument.
    pub(super) fn of(instrument: &Instrument) -> Self {
        match instrument {
            Instrument::Future(_) => Self::Cme,
            Instrument::Etf(_) => Self::Nyse,
        }
    }

    /// The zone in which a gateway tells the hours of this venue.
    pub(super) fn zone(self) -> Tz {
        match self {
            Self::Cme => Tz::US__Central,
            Self::Nyse => Tz::US__Eastern,
        }
    }
}

/// What stands at an instant: the last session that had begun, and up to where it was traded.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// The session.
    pub(super) session: Session,
    /// The instant itself while open, else the last close.
    pub(super) at: DateTime<Utc>,
    /// Whether the instant lies in `(open, close]` of a segment.
    pub(super) open: bool,
}

/// The calendars of both venues.
#[derive(Debug, Clone)]
pub(super) struct Hours {
    cme: Calendar,
    nyse: Calendar,
}

impl Hours {
    /// The calendars embedded in the program.
    pub(super) fn embedded() -> Self {
        Self { cme: Calendar::embedded(CalendarId::CmeEquity), nyse: Calendar::embedded(CalendarId::Nyse) }
    }

    fn calendar(&self, venue: Venue) -> &Calendar {
        match venue {
            Venue::Cme => &self.cme,
            Venue::Nyse => &self.nyse,
        }
    }

    /// The session of a day; none where the exchange is closed or the calendar does not reach.
    pub(super) fn session(&self, venue: Venue, day: NaiveDate) -> Option<Session> {
        self.calendar(venue).session(day).ok().flatten()
    }

    /// The last session before a day.
    pub(super) fn before(&self, venue: Venue, day: NaiveDate) -> Option<Session> {
        (1..=MAX_CLOSED_DAYS).find_map(|back| self.session(venue, day.checked_sub_days(Days::new(back))?))
    }

    /// What stands at an instant.
    pub(super) fn standing(&self, venue: Venue, at: DateTime<Utc>) -> Option<Standing> {
        let tomorrow = to_new_york(at).date_naive().succ_opt()?;
        let begun = |day| self.session(venue, day).filter(|s| s.open() < at);
        let session = (0..=MAX_CLOSED_DAYS).find_map(|back| begun(tomorrow.checked_sub_days(Days::new(back))?))?;
        let segment = session.segments.iter().rev().find(|s| s.open < at).copied()?;
        Some(Standing { at: at.min(segment.close), open: at <= segment.close, session })
    }

    /// The session `num_before` sessions before the one given.
    pub(super) fn back(&self, venue: Venue, from: Session, num_before: u32) -> Session {
        let mut session = from;
        for _ in 0..num_before {
            match self.before(venue, session.day.date()) {
                Some(earlier) => session = earlier,
                None => break,
            }
        }
        session
    }

    /// The sessions that have a part in `(from, to)`, in order.
    pub(super) fn overlapping(&self, venue: Venue, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Session> {
        let calendar = self.calendar(venue);
        let first = to_new_york(from).date_naive().max(*calendar.coverage().start());
        let last = to_new_york(to).date_naive().succ_opt().unwrap_or(first);
        let sessions = if first <= last { calendar.sessions(first, last).unwrap_or_default() } else { Vec::new() };
        sessions.into_iter().filter(|s| s.open() < to && s.close() > from).collect()
    }

    /// First day the calendar of the venue covers.
    pub(super) fn first_day(&self, venue: Venue) -> NaiveDate {
        *self.calendar(venue).coverage().start()
    }
}

/// The five-minute bars of a session, as `(start, end)`: the ends are its slots.
pub(super) fn five_minute_bars(session: &Session) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let bars = |segment: &Segment| {
        let open = segment.open;
        segment.slots().map(move |slot| ((slot.instant() - TimeDelta::minutes(5)).max(open), slot.instant()))
    };
    session.segments.iter().flat_map(bars).collect()
}

/// The day's number when only Monday to Friday count; a weekend day counts as its Friday.
pub(super) fn business_day(day: NaiveDate) -> i64 {
    let days = i64::from(day.num_days_from_ce()) - 1; // day 0 is a Monday: 0001-01-01
    days.div_euclid(7) * 5 + days.rem_euclid(7).min(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn on_a_weekend_friday_stands() {
        let standing = Hours::embedded().standing(Venue::Cme, at("2026-11-21T15:00:00Z")).expect("covered");
        assert_eq!(standing.at, at("2026-11-20T22:00:00Z"));
        assert!(!standing.open);
    }

    #[test]
    fn the_close_is_open_and_the_open_is_closed() {
        let hours = Hours::embedded();
        let standing = |text| hours.standing(Venue::Nyse, at(text)).expect("covered");
        assert!(standing("2026-11-20T21:00:00Z").open);
        assert!(!standing("2026-11-20T14:30:00Z").open);
        assert_eq!(standing("2026-11-20T14:30:00Z").at, at("2026-11-19T21:00:00Z"));
    }

    #[test]
    fn a_normal_session_has_276_bars() {
        let session = Hours::embedded().session(Venue::Cme, day("2026-11-20")).expect("open");
        let bars = five_minute_bars(&session);
        assert_eq!(bars.len(), 276);
        assert_eq!(bars.first().map(|b| b.0), Some(session.open()));
    }

    #[test]
    fn business_days_skip_the_weekend() {
        let friday = business_day(day("2026-11-20"));
        assert_eq!(business_day(day("2026-11-23")), friday + 1);
        assert_eq!(business_day(day("2026-11-22")), friday);
    }
}
