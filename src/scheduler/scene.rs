//! A planner and its ledger, as the daemon holds them, for the tests of decisions.

use chrono::{DateTime, Utc};

use super::fixtures::{et, one_job};
use super::ledger::CLOCK_TOLERANCE;
use super::occurrence::INSTANT;
use super::{Decision, Entry, JobLedger, LedgerView, Planner, SlotState, Trigger};

/// A planner and its ledger, as the daemon holds them.
pub(super) struct Scene {
    pub(super) planner: Planner,
    pub(super) ledger: LedgerView,
    /// All that was ever entered, as the ledger's file has it.
    store: LedgerView,
    latest: Option<DateTime<Utc>>,
}

impl Scene {
    /// The job `nightly` with these keys, accounted for up to an instant.
    pub(super) fn new(keys: &str, since: &str) -> Self {
        Self::of(one_job(keys), since)
    }

    /// A planner, accounted for up to an instant.
    pub(super) fn of(planner: Planner, since: &str) -> Self {
        let ledger = LedgerView::new(et(since));
        Self { planner, store: ledger.clone(), ledger, latest: None }
    }

    /// What is decided, in short words; asked twice.
    pub(super) fn decide(&self, now: &str) -> Vec<String> {
        let decisions = self.planner.decide(&self.ledger, et(now)).unwrap();
        assert_eq!(self.planner.decide(&self.ledger, et(now)).unwrap(), decisions, "a doubled tick");
        let mut settled = self.ledger.clone();
        self.planner.settle(&mut settled, et(now)).unwrap();
        assert_eq!(self.planner.decide(&settled, et(now)).unwrap(), decisions, "settling changes nothing");
        decisions.iter().map(told).collect()
    }

    /// Decides and carries it out; then nothing more is to be done.
    pub(super) fn tick(&mut self, now: &str) -> Vec<String> {
        self.notice_set_back(et(now));
        let told = self.decide(now);
        for decision in self.planner.decide(&self.ledger, et(now)).unwrap() {
            self.ledger.apply(&decision, et(now));
        }
        self.save();
        self.planner.settle(&mut self.ledger, et(now)).unwrap();
        told
    }

    /// As the book does: what is taken back of the store is decided again, also where the view has forgotten it.
    fn notice_set_back(&mut self, now: DateTime<Utc>) {
        let is_back = self.latest.is_some_and(|latest| now + CLOCK_TOLERANCE < latest);
        self.latest = if is_back { Some(now) } else { self.latest.max(Some(now)) };
        if !is_back {
            return;
        }
        self.save();
        let firsts = self.store.retract(now);
        self.ledger.retract(now);
        for (job, first) in firsts {
            let loaded = JobLedger { accounted_until: first - INSTANT, ..self.store.jobs[&job].clone() };
            self.ledger.take_in(&job, loaded, now);
        }
    }

    fn save(&mut self) {
        for (job, own) in &self.ledger.jobs {
            let since = self.store.since;
            let stored = self.store.jobs.entry(job.clone()).or_insert_with(|| JobLedger::new(since));
            stored.entries.extend(own.entries.clone());
        }
    }

    pub(super) fn enter(&mut self, (job, slot): (&str, &str), state: SlotState, trigger: Trigger) {
        let slot = et(slot);
        self.ledger.record(job, slot, Entry { state, trigger, since: slot });
    }

    /// Ends the run of a slot.
    pub(super) fn end(&mut self, (job, slot): (&str, &str), state: SlotState, at: &str) {
        let trigger = self.ledger.jobs[job].entries[&et(slot)].trigger;
        self.ledger.record(job, et(slot), Entry { state, trigger, since: et(at) });
    }

    pub(super) fn job(&mut self) -> &mut JobLedger {
        let since = self.ledger.since;
        self.ledger.jobs.entry("nightly".to_owned()).or_insert_with(|| JobLedger::new(since))
    }
}

/// `start nightly 03-02 10:05 Schedule`, in New York time.
pub(super) fn told(decision: &Decision) -> String {
    let planned = decision.planned();
    let slot = crate::calendar::to_new_york(planned.slot).format("%m-%d %H:%M");
    let (verb, rest) = match decision {
        Decision::Start { trigger, .. } => ("start", format!("{trigger:?}")),
        Decision::Skip { reason, .. } => ("skip", reason.clone()),
        Decision::Miss { reason, .. } => ("miss", reason.clone()),
        Decision::Queue { trigger, .. } => ("queue", format!("{trigger:?}")),
        Decision::Replace { trigger, .. } => ("replace", format!("{trigger:?}")),
    };
    let job = if planned.job == "nightly" { String::new() } else { format!("{} ", planned.job) };
    format!("{verb} {job}{slot} {rest}")
}

pub(super) const NOTHING: [&str; 0] = [];
pub(super) const GRID: &str = "schedule: { every: 5m, during: cme_equity }";
pub(super) const DAILY: &str = "schedule: { at: nyse.open - 30m }";

pub(super) fn grid(keys: &str) -> Scene {
    Scene::new(&format!("{GRID}, {keys}"), "2026-03-02 10:00")
}

pub(super) fn daily(keys: &str, since: &str) -> Scene {
    Scene::new(&format!("{DAILY}, {keys}"), since)
}
