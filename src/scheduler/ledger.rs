//! What the planner has to know of the ledger.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::Decision;
use super::occurrence::INSTANT;

/// A clock that goes back by less was not set back: that is drift, and how a clock is kept right.
pub(super) const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// What became of the slots of every job, as far as a decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerView {
    /// From when slots are accounted for, of a job of which nothing is known.
    pub since: DateTime<Utc>,
    /// When this daemon started: the slot of `on: start`.
    pub started_at: Option<DateTime<Utc>>,
    /// By the name of the job.
    pub jobs: BTreeMap<String, JobLedger>,
}

/// What became of the slots of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLedger {
    /// Every planned slot up to here, included, has its entry.
    ///
    /// From a store it is the newest slot with an entry that was made neither by hand nor by a daemon's start, for
    /// entries are made in the order of slots; the same after SIGKILL between two of them.
    pub accounted_until: DateTime<Utc>,
    /// Entries by slot: all after `accounted_until`, all that wait or run, and that of the daemon's start.
    pub entries: BTreeMap<DateTime<Utc>, Entry>,
    /// A pause in force or past.
    pub pause: Option<Pause>,
}

/// What became of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How far it got.
    pub state: SlotState,
    /// Why it was taken up.
    pub trigger: Trigger,
    /// Since when it is in that state.
    pub since: DateTime<Utc>,
}

/// How far a slot got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// It waits for the run before it.
    Queued,
    /// It runs.
    Running,
    /// It ran to its end, also where the job found nothing to do.
    Done,
    /// It failed, or was ended by a slot that replaced it.
    Failed,
    /// Its timeout passed.
    TimedOut,
    /// It was not started, with a reason: an overlap, a pause, a failure upstream.
    Skipped,
    /// It could not start in time.
    Missed,
}

impl SlotState {
    /// Whether a run of the slot was begun.
    #[must_use]
    pub fn was_run(self) -> bool {
        matches!(self, Self::Running | Self::Done | Self::Failed | Self::TimedOut)
    }
}

/// Why a slot is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Its time has come.
    Schedule,
    /// Its time came when it could not start.
    CatchUp,
    /// Somebody asked for it; no other job comes after it.
    Manual,
}

/// A stretch in which slots are skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// From here on, included.
    pub from: DateTime<Utc>,
    /// Up to here, excluded; none: until it is ended.
    pub until: Option<DateTime<Utc>>,
    /// Why, as somebody wrote it.
    pub reason: String,
}

impl Pause {
    /// Whether an instant lies in it.
    #[must_use]
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl JobLedger {
    /// A job of which slots after `since` are accounted for.
    #[must_use]
    pub fn new(since: DateTime<Utc>) -> Self {
        Self { accounted_until: since, entries: BTreeMap::new(), pause: None }
    }

    /// Whether a slot needs no further decision. An entry that ended later than now, by more than a clock drifts, was made by
    /// a clock that was ahead: it accounts for nothing until its time comes.
    pub(super) fn accounts_for(&self, slot: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let is_open = |state| matches!(state, SlotState::Queued | SlotState::Running);
        self.entries.get(&slot).is_some_and(|entry| is_open(entry.state) || entry.since <= now + CLOCK_TOLERANCE)
    }

    /// Takes back what was decided when the clock was ahead of now; what was run stays, and counts from its time on.
    /// `kept` is never taken back. Gives the first slot that was.
    fn retract(&mut self, now: DateTime<Utc>, kept: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        self.accounted_until = self.accounted_until.min(now);
        let is_later = |slot: DateTime<Utc>, entry: &Entry| slot > now || entry.since > now;
        let is_retracted =
            |slot: DateTime<Utc>, entry: &Entry| !entry.state.was_run() && is_later(slot, entry) && Some(slot) != kept;
        let first = self.entries.iter().find(|(slot, entry)| is_retracted(**slot, entry)).map(|(slot, _)| *slot);
        if let Some(first) = first {
            self.accounted_until = self.accounted_until.min(first - INSTANT);
        }
        self.entries.retain(|slot, entry| !is_retracted(*slot, entry));
        // What is kept accounts for its slot from now on.
        if let Some(entry) = kept.and_then(|kept| self.entries.get_mut(&kept)).filter(|entry| !entry.state.was_run()) {
            entry.since = entry.since.min(now);
        }
        first
    }

    /// The newest slot in a state that has come.
    pub(super) fn newest(&self, state: SlotState, now: DateTime<Utc>) -> Option<(DateTime<Utc>, Entry)> {
        let mut found = self.entries.range(..=now).rev().filter(|(_, entry)| entry.state == state);
        found.next().map(|(slot, entry)| (*slot, *entry))
    }
}

impl LedgerView {
    /// A ledger of which nothing is known.
    #[must_use]
    pub fn new(since: DateTime<Utc>) -> Self {
        Self { since, started_at: None, jobs: BTreeMap::new() }
    }

    /// Takes back, at a clock that was set back, what was decided of slots that are later than now: they are planned again
    /// when they come. Gives the first slot of each job that was taken back.
    pub fn retract(&mut self, now: DateTime<Utc>) -> BTreeMap<String, DateTime<Utc>> {
        let kept = self.started_at;
        let firsts = self.jobs.iter_mut().filter_map(|(job, own)| Some((job.clone(), own.retract(now, kept)?)));
        firsts.collect()
    }

    /// Takes in what the ledger has of a job after the clock was set back and decisions were taken back. What is known here
    /// stands beside it.
    pub(super) fn take_in(&mut self, job: &str, loaded: JobLedger, now: DateTime<Utc>) {
        let Some(own) = self.jobs.get_mut(job) else { return };
        let pause = own.pause.take();
        let known = std::mem::replace(own, JobLedger { pause, ..loaded });
        own.accounted_until = own.accounted_until.min(now).min(known.accounted_until);
        own.entries.extend(known.entries);
    }

    /// Enters what became of a slot; an entry it had is replaced.
    pub fn record(&mut self, job: &str, slot: DateTime<Utc>, entry: Entry) {
        let since = self.since;
        let ledger = self.jobs.entry(job.to_owned()).or_insert_with(|| JobLedger::new(since));
        ledger.entries.insert(slot, entry);
    }

    /// Enters a decision as carried out at `now`: what is started runs, what is replaced has failed.
    pub fn apply(&mut self, decision: &Decision, now: DateTime<Utc>) {
        let planned = decision.planned();
        let entry = |state, trigger| Entry { state, trigger, since: now };
        let entered = match decision {
            Decision::Start { trigger, .. } => entry(SlotState::Running, *trigger),
            Decision::Queue { trigger, .. } => entry(SlotState::Queued, *trigger),
            Decision::Skip { .. } => entry(SlotState::Skipped, Trigger::Schedule),
            Decision::Miss { .. } => entry(SlotState::Missed, Trigger::Schedule),
            Decision::Replace { trigger, .. } => {
                let running = self.of(&planned.job).newest(SlotState::Running, now);
                if let Some((slot, replaced)) = running {
                    self.record(&planned.job, slot, entry(SlotState::Failed, replaced.trigger));
                }
                entry(SlotState::Running, *trigger)
            }
        };
        self.record(&planned.job, planned.slot, entered);
    }

    /// What is known of a job.
    pub(super) fn of(&self, job: &str) -> Cow<'_, JobLedger> {
        self.jobs.get(job).map_or_else(|| Cow::Owned(JobLedger::new(self.since)), Cow::Borrowed)
    }
}
