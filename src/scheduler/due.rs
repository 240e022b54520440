//! What is due: the slots of a job that have come and have no entry yet.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::error::PlanError;
use super::ledger::{JobLedger, LedgerView, SlotState, Trigger};
use super::occurrence::{Occurrence, Window};
use super::planner::{PlannedSlot, Planner};
use super::reason::{ON_START, after, eastern};
use super::schedule::{JobSchedule, Timing};
use crate::calendar::to_new_york;

/// A start this much after its time is still in time: the planner is asked every second, but a machine may be busy.
const PUNCTUAL: TimeDelta = TimeDelta::seconds(60);

/// Most slots of a job that one decision takes up; the rest are taken up by the next, a second later.
const MAX_DUE: usize = 10_000;

/// A slot that has come and has no entry.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) planned: PlannedSlot,
    /// The civil day it counts for.
    pub(super) day: NaiveDate,
    /// From when its lateness is counted: the slot, or the end of the run it comes after.
    pub(super) counted_from: DateTime<Utc>,
    pub(super) punctuality: Punctuality,
    /// Why it must not start, if so.
    pub(super) blocked: Option<String>,
}

/// Whether a slot can start in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Punctuality {
    InTime,
    /// Its time was when nobody looked.
    Late,
    /// The run it comes after was a catch-up.
    AfterCatchUp,
}

impl Planner {
    /// The slots of a job that are due and have no entry, in order.
    pub(super) fn due(
        &self,
        schedule: &JobSchedule,
        ledger: &LedgerView,
        now: DateTime<Utc>,
    ) -> Result<Vec<Due>, PlanError> {
        let own = ledger.of(&schedule.job);
        let mut due = BTreeMap::new();
        for rule in &schedule.rules {
            match &rule.timing {
                Timing::After(upstream) => self.due_after(upstream, (schedule, &own), (ledger, now), &mut due)?,
                Timing::OnStart => {
                    let started = ledger.started_at.filter(|at| *at <= now && !own.entries.contains_key(at));
                    due.extend(started.map(|at| (at, start_of_daemon(schedule, at))));
                }
                Timing::Every { .. } | Timing::At(_) | Timing::Cron(_) => {}
            }
        }
        self.due_by_clock((schedule, &own), now, &mut due)?;
        for found in due.values_mut() {
            if found.punctuality == Punctuality::InTime && now - found.planned.due_at > PUNCTUAL {
                found.punctuality = Punctuality::Late;
            }
        }
        Ok(due.into_values().collect())
    }

    /// The first instant after another at which a slot without an entry comes due, or one that waits does.
    pub(super) fn next_due(
        &self,
        ledger: &LedgerView,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, PlanError> {
        let mut first: Option<DateTime<Utc>> = None;
        for schedule in self.schedules().iter() {
            let (own, delay) = (ledger.of(&schedule.job), schedule.delay());
            let waiting = own.entries.iter().filter(|(_, entry)| entry.state == SlotState::Queued);
            let waiting = waiting.map(|(slot, _)| *slot + delay).filter(|due| *due > after);
            let started = schedule.rules.iter().any(|rule| matches!(rule.timing, Timing::OnStart));
            let started = ledger.started_at.filter(|at| started && *at > after && !own.entries.contains_key(at));
            let mut window = Window::new(own.accounted_until.max(after - delay), None);
            let planned = loop {
                match self.occurrence(schedule, window)? {
                    Some(found) if own.entries.contains_key(&found.at) => window.after = found.at,
                    found => break found.map(|found| found.at + delay),
                }
            };
            first = first.into_iter().chain(waiting).chain(started).chain(planned).min();
        }
        Ok(first)
    }

    fn due_by_clock(
        &self,
        (schedule, own): (&JobSchedule, &JobLedger),
        now: DateTime<Utc>,
        due: &mut BTreeMap<DateTime<Utc>, Due>,
    ) -> Result<(), PlanError> {
        let mut window = Window::new(own.accounted_until, Some(now - schedule.delay()));
        while due.len() < MAX_DUE
            && window.after < window.until
            && let Some(found) = self.own_occurrence(schedule, window)?
        {
            window.after = found.at;
            if !own.accounts_for(found.at, now) {
                due.insert(found.at, by_clock(schedule, &found));
            }
        }
        Ok(())
    }

    /// The slots of another job that have ended, and at which this one has no entry.
    fn due_after(
        &self,
        upstream: &str,
        (schedule, own): (&JobSchedule, &JobLedger),
        (ledger, now): (&LedgerView, DateTime<Utc>),
        due: &mut BTreeMap<DateTime<Utc>, Due>,
    ) -> Result<(), PlanError> {
        // A run of a clock that was ahead starts nothing until its time comes.
        let is_open = |slot: DateTime<Utc>| {
            slot <= now
                && (slot > own.accounted_until || ledger.started_at == Some(slot))
                && !own.accounts_for(slot, now)
        };
        let theirs = ledger.of(upstream);
        let delay = schedule.delay();
        for (slot, entry) in theirs.entries.iter().filter(|(slot, _)| is_open(**slot)) {
            let blocked = match entry.state {
                SlotState::Queued | SlotState::Running => continue,
                _ if entry.trigger == Trigger::Manual => continue,
                SlotState::Done => None,
                SlotState::Failed => Some(format!("{upstream} failed at this slot")),
                SlotState::TimedOut => Some(format!("{upstream} ran out of time at this slot")),
                SlotState::Skipped => Some(format!("{upstream} was skipped at this slot")),
                SlotState::Missed => Some(format!("{upstream} missed this slot")),
            };
            // A clock that was set back must not hold up what comes after.
            let due_at = entry.since.min(now) + delay;
            if due_at > now {
                continue;
            }
            let found = self.occurrence(self.schedules().of(upstream)?, Window::only(*slot))?;
            let reason = match &found {
                Some(found) => found.reason(),
                None if ledger.started_at == Some(*slot) => ON_START.to_owned(),
                None => eastern(*slot),
            };
            let planned =
                PlannedSlot { job: schedule.job.clone(), slot: *slot, due_at, reason: after(upstream, &reason) };
            let punctuality = match entry.trigger {
                Trigger::CatchUp => Punctuality::AfterCatchUp,
                Trigger::Schedule | Trigger::Manual => Punctuality::InTime,
            };
            let day = found.map_or_else(|| to_new_york(*slot).date_naive(), |found| found.day);
            due.insert(*slot, Due { counted_from: planned.due_at, planned, day, punctuality, blocked });
        }
        Ok(())
    }

    /// The slot as it is planned, or as it was before the schedule changed.
    pub(super) fn planned_at(&self, schedule: &JobSchedule, slot: DateTime<Utc>) -> Result<PlannedSlot, PlanError> {
        let found = self.occurrence(schedule, Window::only(slot))?;
        let reason = found.map_or_else(|| eastern(slot), |found| found.reason());
        Ok(PlannedSlot { job: schedule.job.clone(), slot, due_at: slot + schedule.delay(), reason })
    }

    /// Whether a slot of the job after this one has come.
    pub(super) fn is_superseded(
        &self,
        schedule: &JobSchedule,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, PlanError> {
        Ok(self.occurrence(schedule, Window::new(slot, Some(now - schedule.delay())))?.is_some())
    }

    /// The first day of those sessions of the job's calendar that are caught up: `max_sessions` before now or before
    /// the newest slot, whichever is later, that session included.
    pub(super) fn first_day_caught_up(
        &self,
        schedule: &JobSchedule,
        (newest, max_sessions): (NaiveDate, u32),
        now: DateTime<Utc>,
    ) -> Result<NaiveDate, PlanError> {
        let calendar = self.calendars.of(schedule.calendar());
        // A session opens on the evening before its date at the earliest.
        let tomorrow = to_new_york(now).date_naive().succ_opt().unwrap_or(newest);
        let (mut day, mut num_sessions) = (newest.max(tomorrow), 0);
        loop {
            let session = calendar.session(day)?;
            num_sessions += u32::from(session.is_some_and(|session| session.open() <= now || day <= newest));
            if num_sessions >= max_sessions {
                return Ok(day);
            }
            let Some(before) = day.pred_opt() else { return Ok(day) };
            day = before;
        }
    }
}

fn by_clock(schedule: &JobSchedule, found: &Occurrence) -> Due {
    let planned = PlannedSlot {
        job: schedule.job.clone(),
        slot: found.at,
        due_at: found.at + schedule.delay(),
        reason: found.reason(),
    };
    Due { planned, day: found.day, counted_from: found.at, punctuality: Punctuality::InTime, blocked: None }
}

fn start_of_daemon(schedule: &JobSchedule, at: DateTime<Utc>) -> Due {
    let planned = PlannedSlot { job: schedule.job.clone(), slot: at, due_at: at, reason: ON_START.to_owned() };
    let day = to_new_york(at).date_naive();
    Due { planned, day, counted_from: at, punctuality: Punctuality::InTime, blocked: None }
}
