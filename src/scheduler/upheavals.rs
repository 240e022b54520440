//! Clocks set back and forward, suspended machines, restarts: whatever befalls, each slot that has come is decided, and
//! none is run twice but by clocks that were ahead.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::fixtures::{EVERY_JOB, et, planner};
use super::ledger::CLOCK_TOLERANCE;
use super::occurrence::INSTANT;
use super::scene::{GRID, NOTHING, Scene, daily, grid, told};
use super::{Entry, JobLedger, LedgerView, Planner, SlotState};

#[test]
fn a_clock_set_back_goes_on_from_now_and_runs_no_slot_twice() {
    let mut scene = grid("live: true");
    let run = |scene: &mut Scene, slot: &str| {
        assert_eq!(scene.tick(&format!("2026-03-02 {slot}")), [format!("start 03-02 {slot} Schedule")]);
        scene.end(("nightly", &format!("2026-03-02 {slot}")), SlotState::Done, &format!("2026-03-02 {slot}:20"));
    };
    run(&mut scene, "10:05");
    assert_eq!(scene.tick("2026-03-02 09:10"), NOTHING);
    run(&mut scene, "09:15");
    let decided = scene.tick("2026-03-02 10:06");
    assert_eq!(decided.len(), 9, "09:20 to 10:00, and 10:05 was run: {decided:?}");
    assert!(decided.iter().all(|told| told.starts_with("miss ")), "{decided:?}");
    run(&mut scene, "10:10");
}

#[test]
fn a_clock_that_is_a_day_ahead_for_seconds_keeps_no_slot_from_its_run() {
    let mut scene = grid("live: true");
    scene.tick("2026-03-02 10:04:58");
    let ahead = scene.tick("2026-03-03 10:04:59");
    assert_eq!(ahead.last().map(String::as_str), Some("miss 03-03 10:00 its start deadline of 1m passed"));
    assert_eq!(scene.tick("2026-03-02 10:05:06"), ["start 03-02 10:05 Schedule"], "in time all the same");
    scene.end(("nightly", "2026-03-02 10:05"), SlotState::Done, "2026-03-02 10:05:10");
    assert_eq!(scene.tick("2026-03-02 10:10"), ["start 03-02 10:10 Schedule"]);
    scene.end(("nightly", "2026-03-02 10:10"), SlotState::Done, "2026-03-02 10:10:10");
    assert_eq!(scene.tick("2026-03-03 10:00").last().map(String::as_str), Some("start 03-03 10:00 Schedule"));
}

#[test]
fn what_a_clock_ahead_ran_is_run_again_in_time() {
    let mut scene = grid("live: true");
    scene.tick("2026-03-02 10:04:58");
    let ahead = scene.tick("2026-03-03 10:05:30");
    assert_eq!(ahead.last().map(String::as_str), Some("start 03-03 10:05 Schedule"));
    scene.end(("nightly", "2026-03-03 10:05"), SlotState::Failed, "2026-03-03 10:05:31");
    assert_eq!(scene.tick("2026-03-02 10:05:06"), ["start 03-02 10:05 Schedule"]);
    scene.end(("nightly", "2026-03-02 10:05"), SlotState::Done, "2026-03-02 10:05:10");
    assert_eq!(scene.tick("2026-03-03 10:05").last().map(String::as_str), Some("start 03-03 10:05 Schedule"));
}

#[test]
fn what_comes_after_a_run_of_a_clock_ahead_waits_for_its_time() {
    let yaml = "
jobs:
  signals: { schedule: { at: nyse.open - 30m } }
  rules: { schedule: { after: signals }, misfire: { catch_up: one } }
";
    let mut scene = Scene::of(planner(yaml), "2026-03-02 08:00");
    assert_eq!(scene.tick("2026-03-02 09:00"), ["start signals 03-02 09:00 Schedule"]);
    assert_eq!(scene.tick("2026-03-02 08:59"), NOTHING);
    scene.end(("signals", "2026-03-02 09:00"), SlotState::Done, "2026-03-02 08:59:30");
    assert_eq!(scene.tick("2026-03-02 08:59:40"), NOTHING);
    assert_eq!(scene.tick("2026-03-02 09:00"), ["start rules 03-02 09:00 Schedule"]);
}

#[test]
fn a_clock_set_forward_accounts_for_what_lies_between() {
    let mut scene = grid("live: true");
    let decided = scene.tick("2026-03-02 11:00");
    assert_eq!((decided.len(), decided.last().map(String::as_str)), (12, Some("start 03-02 11:00 Schedule")));
    assert!(decided[..11].iter().all(|told| told.starts_with("miss ")));
}

#[test]
fn a_machine_suspended_for_a_year_accounts_for_every_slot_in_a_few_ticks() {
    let mut scene = Scene::new(&format!("{GRID}, live: true"), "2026-01-01 00:00");
    let (mut num_decided, mut num_ticks) = (0, 0);
    let mut now = et("2027-01-04 10:00");
    loop {
        let decisions = scene.planner.decide(&scene.ledger, now).unwrap();
        if decisions.is_empty() {
            break;
        }
        num_decided += decisions.len();
        num_ticks += 1;
        for decision in &decisions {
            scene.ledger.apply(decision, now);
        }
        scene.planner.settle(&mut scene.ledger, now).unwrap();
        now += TimeDelta::seconds(1);
    }
    let expected = scene.planner.between("nightly", et("2026-01-01 00:00"), now).unwrap();
    assert_eq!((num_decided, num_ticks), (expected.len(), 8));
    assert!(scene.ledger.jobs["nightly"].entries.len() <= 1, "only the run under way is kept");
}

#[test]
fn the_start_of_the_daemon_is_a_slot_of_its_own() {
    let mut scene = Scene::new("schedule: [{ on: start }, { at: nyse.open - 60m }]", "2026-03-01 12:00");
    scene.ledger.started_at = Some(et("2026-03-02 08:42"));
    // One run at the start serves the slot that was slept through.
    assert_eq!(
        scene.tick("2026-03-02 08:42"),
        ["miss 03-02 08:30 a newer slot has come, and only the newest is caught up", "start 03-02 08:42 Schedule"]
    );
    assert_eq!(scene.tick("2026-03-02 08:43"), NOTHING);
    scene.end(("nightly", "2026-03-02 08:42"), SlotState::Done, "2026-03-02 08:50");
    assert_eq!(scene.tick("2026-03-02 08:51"), NOTHING);
    scene.ledger.started_at = Some(et("2026-03-02 08:55"));
    assert_eq!(scene.tick("2026-03-02 08:55"), ["start 03-02 08:55 Schedule"]);
    assert_eq!(scene.tick("2026-03-03 08:30"), ["skip 03-03 08:30 the run of 2026-03-02 08:55 ET is still going"]);
}

#[test]
fn jitter_moves_the_start_and_not_the_slot() {
    let scene = daily("jitter: 10m, misfire: { catch_up: one }", "2026-03-02 08:00");
    let due_at = scene.planner.next("nightly", et("2026-03-02 08:00")).unwrap().unwrap().due_at;
    assert!(due_at > et("2026-03-02 09:00"));
    let decide = |now: DateTime<Utc>| scene.planner.decide(&scene.ledger, now).unwrap();
    assert_eq!(decide(due_at - TimeDelta::seconds(1)), []);
    assert_eq!(decide(due_at).iter().map(told).collect::<Vec<_>>(), ["start 03-02 09:00 Schedule"]);
}

/// What befalls a daemon.
#[derive(Clone, Debug)]
enum Event {
    Sleep(i64),
    ClockBack(i64),
    EndRuns(SlotState),
    DoubledTick,
    /// It is killed when so many decisions of the tick are carried out, and started again.
    Kill(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let end = prop::sample::select(vec![SlotState::Done, SlotState::Failed, SlotState::TimedOut]);
    let event = prop_oneof![
        6 => (1_i64..400).prop_map(Event::Sleep),
        1 => (400_i64..200_000).prop_map(Event::Sleep),
        1 => (1_i64..7_200).prop_map(Event::ClockBack),
        1 => (7_200_i64..200_000).prop_map(Event::ClockBack),
        5 => end.prop_map(Event::EndRuns),
        1 => Just(Event::DoubledTick),
        1 => (0_usize..4).prop_map(Event::Kill),
    ];
    prop::collection::vec(event, 1..60)
}

/// A daemon and the store that survives it.
struct Life {
    planner: Planner,
    now: DateTime<Utc>,
    /// The latest time at which anything was decided.
    latest: DateTime<Utc>,
    ledger: LedgerView,
    /// Every entry there ever was.
    store: LedgerView,
    starts: Vec<DateTime<Utc>>,
}

impl Life {
    fn new(planner: Planner, since: DateTime<Utc>) -> Self {
        let ledger = LedgerView { started_at: Some(since), ..LedgerView::new(since) };
        Self { planner, now: since, latest: since, store: ledger.clone(), ledger, starts: vec![since] }
    }

    /// As the book does when the clock was set back.
    fn follow_clock(&mut self) {
        let back = self.now + CLOCK_TOLERANCE < self.latest;
        self.latest = if back { self.now } else { self.latest.max(self.now) };
        if back {
            let firsts = self.store.retract(self.now);
            let before = self.ledger.clone();
            self.ledger.retract(self.now);
            for (job, own) in before.jobs {
                if firsts.contains_key(&job) || own.accounted_until > self.now {
                    self.ledger.take_in(&job, self.stored(&job, &firsts), self.now);
                }
            }
        }
    }

    /// What a store gives of a job, as the documentation of the ledger view says.
    fn stored(&self, job: &str, firsts: &BTreeMap<String, DateTime<Utc>>) -> JobLedger {
        let since = self.store.since.min(self.now);
        let kept = self.store.jobs.get(job).cloned().unwrap_or_else(|| JobLedger::new(since));
        let planned = kept.entries.keys().filter(|slot| **slot <= self.now && !self.starts.contains(slot));
        let reached = planned.max().copied().unwrap_or(since);
        let accounted_until = firsts.get(job).map_or(reached, |first| reached.min(*first - INSTANT));
        JobLedger { accounted_until, ..kept }
    }

    /// Decides, and carries out at most so many decisions.
    fn tick(&mut self, at_most: usize) -> Result<(), TestCaseError> {
        self.follow_clock();
        let decisions = self.planner.decide(&self.ledger, self.now).unwrap();
        prop_assert_eq!(&self.planner.decide(&self.ledger, self.now).unwrap(), &decisions);
        for decision in decisions.iter().take(at_most) {
            let planned = decision.planned();
            prop_assert!(planned.due_at <= self.now, "{decision:?} is early");
            let known = self.store.jobs.get(&planned.job).and_then(|job| job.entries.get(&planned.slot));
            let may_be_decided =
                |entry: &Entry| entry.state == SlotState::Queued || entry.state.was_run() && entry.since > self.now;
            prop_assert!(known.is_none_or(may_be_decided), "{decision:?} is decided already: {known:?}");
            self.ledger.apply(decision, self.now);
            self.store.apply(decision, self.now);
        }
        Ok(())
    }

    fn end_runs(&mut self, state: SlotState) {
        let jobs = self.ledger.jobs.values_mut().chain(self.store.jobs.values_mut());
        for entry in jobs.flat_map(|job| job.entries.values_mut()) {
            if entry.state == SlotState::Running {
                *entry = Entry { state, since: self.now.max(entry.since), ..*entry };
            }
        }
    }

    /// A new daemon takes its view from the store.
    fn restart(&mut self) {
        self.now += TimeDelta::seconds(1);
        self.end_runs(SlotState::Failed);
        self.starts.push(self.now);
        self.latest = self.now;
        let firsts = self.store.retract(self.now);
        let mut view = LedgerView { started_at: Some(self.now), ..LedgerView::new(self.store.since) };
        for job in self.store.jobs.keys() {
            view.jobs.insert(job.clone(), self.stored(job, &firsts));
        }
        self.ledger = view;
    }
}

proptest! {
    #[test]
    fn whatever_befalls_every_slot_that_has_come_is_run_once_or_accounted_for(events in events()) {
        let yaml = EVERY_JOB.replace("overlap: queue_one", "overlap: replace");
        let since = et("2026-11-25 08:00");
        let mut life = Life::new(planner(&yaml), since);
        for event in events {
            match event {
                Event::Sleep(seconds) => life.now += TimeDelta::seconds(seconds),
                Event::ClockBack(seconds) => life.now -= TimeDelta::seconds(seconds),
                Event::EndRuns(state) => life.end_runs(state),
                Event::DoubledTick => {}
                Event::Kill(carried_out) => {
                    life.tick(carried_out)?;
                    life.restart();
                }
            }
            life.tick(usize::MAX)?;
            life.planner.settle(&mut life.ledger, life.now).unwrap();
        }
        // What follows a clock alone, and does not wait its turn, has been decided up to now.
        for job in ["snapshot", "backfill", "compaction", "quality", "evaluation"] {
            for planned in life.planner.between(job, since, life.now).unwrap() {
                let entry = life.store.jobs.get(job).and_then(|own| own.entries.get(&planned.slot));
                prop_assert!(entry.is_some(), "{planned:?} is lost");
            }
        }
    }
}
