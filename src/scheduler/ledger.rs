//! What the planner has to know of the ledger.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::decide::Decision;

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

    /// The newest slot in a state.
    pub(super) fn newest(&self, state: SlotState) -> Option<(DateTime<Utc>, Entry)> {
        let mut found = self.entries.iter().rev().filter(|(_, entry)| entry.state == state);
        found.next().map(|(slot, entry)| (*slot, *entry))
    }
}

impl LedgerView {
    /// A ledger of which nothing is known.
    #[must_use]
    pub fn new(since: DateTime<Utc>) -> Self {
        Self { since, started_at: None, jobs: BTreeMap::new() }
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
                let running = self.of(&planned.job).newest(SlotState::Running);
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
