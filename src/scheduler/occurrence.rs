//! Occurrences: when a rule next comes round.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc, Weekday};

use super::anchor::{Anchor, Anchored, Point};
use super::schedule::{Rule, Timing};
use crate::calendar::{
    Calendar, CalendarError, CalendarId, ContractMonth, DayKind, RollRule, Session, roll_at, roll_date, to_new_york,
};

/// The finest step of an instant.
pub(super) const INSTANT: TimeDelta = TimeDelta::nanoseconds(1);

/// Last year of the calendar's rules.
const LAST_YEAR: i32 = 2099;

/// What the planner knows of the exchanges.
#[derive(Clone, Debug)]
pub struct PlannerCalendars {
    /// CME equity index futures.
    pub futures: Calendar,
    /// The New York Stock Exchange.
    pub nyse: Calendar,
    /// When the next contract becomes lead, for `<ROOT>.roll`.
    pub roll_rule: RollRule,
}

/// Instants with `after < instant <= until`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) after: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

/// Two days past the last day of the calendar's rules, by the second: nothing is planned from here on.
const END_SECONDS: i64 = 4_102_617_600;

impl Window {
    /// From an instant to another, or to the end of what can be planned.
    pub(super) fn new(after: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Self {
        let end = DateTime::from_timestamp(END_SECONDS, 0).unwrap_or(after);
        Self { after, until: until.map_or(end, |until| until.min(end)) }
    }

    /// The one instant.
    pub(super) fn only(at: DateTime<Utc>) -> Self {
        Self { after: at - INSTANT, until: at }
    }

    /// The instants that come to lie in the window when `offset` is added.
    fn before(self, offset: TimeDelta) -> Self {
        Self { after: self.after - offset, until: self.until - offset }
    }
}

/// One coming round of a rule.
#[derive(Clone, Debug)]
pub(super) struct Occurrence<'p> {
    /// The slot.
    pub(super) at: DateTime<Utc>,
    /// The civil day it counts for: that of its session where it has one.
    pub(super) day: NaiveDate,
    pub(super) rule: &'p Rule,
    pub(super) cause: Cause<'p>,
}

/// Why it comes round just then.
#[derive(Clone, Debug)]
pub(super) enum Cause<'p> {
    /// A slot of a grid.
    Grid,
    /// An instant of a session.
    Session { anchor_at: DateTime<Utc>, kind: DayKind, provisional: bool },
    /// An instant of a contract.
    Contract { anchor_at: DateTime<Utc>, month: ContractMonth },
    /// A wall-clock time of a cron line.
    Cron { local: NaiveDateTime },
    /// Another job's slot.
    After(Box<Occurrence<'p>>),
}

impl<'p> Occurrence<'p> {
    /// The slot of a job whose `rule` says that it comes after this one's.
    pub(super) fn followed_by(self, rule: &'p Rule) -> Self {
        Self { at: self.at, day: self.day, rule, cause: Cause::After(Box::new(self)) }
    }
}

impl PlannerCalendars {
    /// A calendar by its name.
    #[must_use]
    pub fn of(&self, id: CalendarId) -> &Calendar {
        match id {
            CalendarId::CmeEquity => &self.futures,
            CalendarId::Nyse => &self.nyse,
        }
    }

    /// The first occurrence of a rule in the window, as far as it follows a clock; none for `after` and `on: start`.
    pub(super) fn next<'p>(&self, rule: &'p Rule, mut window: Window) -> Result<Option<Occurrence<'p>>, CalendarError> {
        loop {
            let found = match &rule.timing {
                Timing::Every { step, during } => self.next_slot(rule, (*step, *during), window),
                Timing::At(anchored) => match &anchored.anchor {
                    Anchor::Session { calendar, point } => self.next_of_session(rule, (*calendar, *point), window),
                    Anchor::Expiry { .. } | Anchor::Roll { .. } => self.next_of_contract(rule, anchored, window),
                },
                Timing::Cron(line) => {
                    Ok(line.next(window.after).filter(|firing| firing.at <= window.until).map(|firing| {
                        let cause = Cause::Cron { local: firing.local };
                        Occurrence { at: firing.at, day: firing.local.date(), rule, cause }
                    }))
                }
                Timing::After(_) | Timing::OnStart => Ok(None),
            };
            let Some(occurrence) = none_after_the_rules(found)? else { return Ok(None) };
            let judged = self.refused_until(&occurrence).map(|until| Some((occurrence, until)));
            match none_after_the_rules(judged)? {
                None => return Ok(None),
                Some((occurrence, None)) => return Ok(Some(occurrence)),
                Some((_, Some(until))) => window.after = until,
            }
        }
    }

    /// Whether the day it counts for lies past the calendar it goes by, and no override speaks of it. A cron line that
    /// no calendar narrows goes by none.
    pub(super) fn is_provisional(&self, found: &Occurrence) -> Result<bool, CalendarError> {
        let rule = found.rule;
        let id = match (&rule.timing, &found.cause) {
            (_, Cause::After(upstream)) => return self.is_provisional(upstream),
            (Timing::Every { during, .. }, _) => Some(*during),
            (Timing::At(anchored), _) => match &anchored.anchor {
                Anchor::Session { calendar, .. } => Some(*calendar),
                Anchor::Expiry { .. } | Anchor::Roll { .. } => Some(CalendarId::CmeEquity),
            },
            _ => rule.narrowing.as_ref().map(|narrowing| narrowing.calendar).or(rule.only_if_open),
        };
        let Some(calendar) = id.map(|id| self.of(id)).filter(|calendar| found.day > *calendar.coverage().end()) else {
            return Ok(false);
        };
        Ok(calendar.session(found.day)?.is_none_or(|session| session.provisional))
    }

    /// None if the rule takes the occurrence; else an instant up to which it takes none.
    fn refused_until(&self, found: &Occurrence) -> Result<Option<DateTime<Utc>>, CalendarError> {
        if let Some(narrowing) = &found.rule.narrowing
            && !narrowing.holds(self.of(narrowing.calendar), found.day)?
        {
            return self.end_of_day(found).map(|end| Some(end.max(found.at)));
        }
        // Whatever gives the instant, it is a slot: the close belongs to the session and the open does not.
        let Some(calendar) = found.rule.only_if_open.map(|id| self.of(id)) else { return Ok(None) };
        if calendar.segment_of(found.at)?.is_some() {
            return Ok(None);
        }
        Ok(Some(calendar.next_open(found.at - INSTANT)?.max(found.at)))
    }

    /// The last instant that may count for the day of an occurrence, as far as that is known without trying.
    fn end_of_day(&self, found: &Occurrence) -> Result<DateTime<Utc>, CalendarError> {
        Ok(match &found.rule.timing {
            Timing::Every { during, .. } => {
                self.of(*during).session(found.day)?.map_or(found.at, |session| session.close())
            }
            Timing::Cron(line) => line.end_of(found.day),
            _ => found.at,
        })
    }

    fn next_slot<'p>(
        &self,
        rule: &'p Rule,
        (step, during): (TimeDelta, CalendarId),
        window: Window,
    ) -> Result<Option<Occurrence<'p>>, CalendarError> {
        let calendar = self.of(during);
        let mut at = grid_after(window.after, step);
        while at <= window.until {
            if let Some(segment) = calendar.segment_of(at)? {
                // A session is named by the date on which it closes; a halt inside it is on that date.
                let day = to_new_york(segment.close).date_naive();
                return Ok(Some(Occurrence { at, day, rule, cause: Cause::Grid }));
            }
            at = grid_after(calendar.next_open(at - INSTANT)?, step);
        }
        Ok(None)
    }

    fn next_of_session<'p>(
        &self,
        rule: &'p Rule,
        (id, point): (CalendarId, Point),
        window: Window,
    ) -> Result<Option<Occurrence<'p>>, CalendarError> {
        let offset = rule.offset();
        let anchors = window.before(offset);
        let calendar = self.of(id);
        // A session lies between the noon before its date and the end of its date, in New York.
        let first = to_new_york(anchors.after).date_naive();
        let last = to_new_york(anchors.until).date_naive().succ_opt();
        for day in first.iter_days().take_while(|day| last.is_none_or(|last| *day <= last)) {
            let Some(session) = calendar.session(day)? else { continue };
            let instants = instants(calendar, &session, point)?;
            if let Some(anchor_at) = instants.into_iter().find(|at| *at > anchors.after) {
                let cause = Cause::Session { anchor_at, kind: session.kind, provisional: session.provisional };
                let found = Occurrence { at: anchor_at + offset, day, rule, cause };
                return Ok(Some(found).filter(|found| found.at <= window.until));
            }
        }
        Ok(None)
    }

    fn next_of_contract<'p>(
        &self,
        rule: &'p Rule,
        anchored: &Anchored,
        window: Window,
    ) -> Result<Option<Occurrence<'p>>, CalendarError> {
        let after = window.after - anchored.offset;
        let today = to_new_york(after).date_naive();
        let mut month = ContractMonth::new(today.year(), today.month().div_ceil(3) * 3)?.previous();
        while month.year() <= LAST_YEAR {
            let (anchor_at, day) = match anchored.anchor {
                Anchor::Roll { .. } => (roll_at(month, self.roll_rule), roll_date(month, self.roll_rule)),
                _ => (month.last_trade_at(), month.last_trade_date()),
            };
            if anchor_at > after {
                let cause = Cause::Contract { anchor_at, month };
                let found = Occurrence { at: anchor_at + anchored.offset, day, rule, cause };
                return Ok(Some(found).filter(|found| found.at <= window.until));
            }
            month = month.next();
        }
        Ok(None)
    }
}

impl Rule {
    fn offset(&self) -> TimeDelta {
        match &self.timing {
            Timing::At(anchored) => anchored.offset,
            _ => TimeDelta::zero(),
        }
    }
}

/// The instants of a session that an anchor means, in order.
fn instants(calendar: &Calendar, session: &Session, point: Point) -> Result<Vec<DateTime<Utc>>, CalendarError> {
    Ok(match point {
        Point::Open => vec![session.open()],
        Point::Close => vec![session.close()],
        Point::Reopen => {
            let skipped = usize::from(!follows_an_irregular_close(calendar, session)?);
            session.segments.iter().skip(skipped).map(|segment| segment.open).collect()
        }
    })
}

/// Whether the close before the session was early, or a weekday between the two has no session.
fn follows_an_irregular_close(calendar: &Calendar, session: &Session) -> Result<bool, CalendarError> {
    let mut day = session.day.date();
    while let Some(before) = day.pred_opt() {
        day = before;
        match calendar.session(day)? {
            Some(session) => return Ok(session.kind == DayKind::EarlyClose),
            None if !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) => return Ok(true),
            None => {}
        }
    }
    Ok(false)
}

/// The first multiple of `step` after an instant.
fn grid_after(at: DateTime<Utc>, step: TimeDelta) -> DateTime<Utc> {
    let step = step.num_seconds().max(1);
    let seconds = (at.timestamp().div_euclid(step) + 1).saturating_mul(step);
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Past the last day of the rules nothing comes round any more.
fn none_after_the_rules<T>(found: Result<Option<T>, CalendarError>) -> Result<Option<T>, CalendarError> {
    match found {
        Err(CalendarError::AfterRules { .. }) => Ok(None),
        other => other,
    }
}
