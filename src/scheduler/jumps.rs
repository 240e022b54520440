//! The book and its ledger under a clock that jumps: what a right clock comes to is run, whatever a wrong one decided.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use tempfile::TempDir;

use super::fixtures::{et, one_job};
use super::{Book, Planner};
use crate::job::{Counts, Outcome, RunReport};
use crate::state::{self, Durability, End, EndState, Ledger, RowCounts, RunState, Start, Started, Trigger};

const GRID: &str = "schedule: { every: 5m, during: cme_equity }, live: true";
const JOB: &str = "nightly";

/// How late a slot of the grid may still begin.
const DEADLINE: TimeDelta = TimeDelta::seconds(60);

#[derive(Clone, Debug)]
enum Event {
    /// Time passes.
    Pass(i64),
    /// The clock is set so many seconds beside the right time.
    Set(i64),
    /// The clock is set right.
    SetRight,
    /// The daemon is killed and started again.
    Restart,
    /// A person pauses and resumes the job at once, which must leave no trace.
    Pause,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        8 => (1_i64..330).prop_map(Event::Pass),
        2 => (-8_000_i64..8_000).prop_map(Event::Set),
        2 => (80_000_i64..180_000).prop_map(Event::Set),
        1 => (-180_000_i64..-80_000).prop_map(Event::Set),
        4 => Just(Event::SetRight),
        1 => Just(Event::Restart),
        1 => Just(Event::Pause),
    ];
    prop::collection::vec(event, 1..60)
}

/// A daemon in a world that knows the right time.
struct World {
    _folder: TempDir,
    planner: Planner,
    ledger: Ledger,
    book: Book,
    began: DateTime<Utc>,
    right: DateTime<Utc>,
    beside: TimeDelta,
    num_runs: usize,
    /// The slots that were run while the clock was right.
    run_right: Vec<DateTime<Utc>>,
}

impl World {
    fn new(began: DateTime<Utc>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open_with(&folder.path().join("jobs.db"), Durability::Unsynced).unwrap();
        let planner = one_job(GRID);
        let book = Book::open(planner.clone(), Some(ledger.clone()), began).unwrap();
        let (beside, run_right) = (TimeDelta::zero(), Vec::new());
        Self { _folder: folder, planner, ledger, book, began, right: began, beside, num_runs: 0, run_right }
    }

    fn now(&self) -> DateTime<Utc> {
        self.right + self.beside
    }

    fn is_right(&self) -> bool {
        self.beside.is_zero()
    }

    fn meet(&mut self, event: &Event) {
        let now = self.now();
        match event {
            Event::Pass(seconds) => self.right += TimeDelta::seconds(*seconds),
            Event::Set(seconds) => self.beside = TimeDelta::seconds(*seconds),
            Event::SetRight => self.beside = TimeDelta::zero(),
            Event::Restart => {
                self.right += TimeDelta::seconds(1);
                self.book = Book::open(self.planner.clone(), Some(self.ledger.clone()), self.now()).unwrap();
            }
            Event::Pause => {
                let pause = state::Pause { job: JOB.into(), reason: "x".into(), paused_at: now, until: None };
                self.ledger.pause(&pause).unwrap();
                self.ledger.resume(JOB, now).unwrap();
            }
        }
    }

    /// Runs what is to be begun, as the runner does.
    fn tick(&mut self) {
        let now = self.now();
        for begin in self.book.decide(now).unwrap() {
            let slot = begin.planned.slot;
            self.num_runs += 1;
            let run_id = format!("r{}", self.num_runs);
            let start = Start { job: JOB.into(), slot, trigger: Trigger::Schedule, run_id: run_id.clone(), pid: 1 };
            if self.ledger.start(&start, now).unwrap() == Started::Started {
                if self.is_right() {
                    self.run_right.push(slot);
                }
                self.ledger.finish(&run_id, &done(), now).unwrap();
            }
            self.book.ended((JOB, slot), &report(), now);
        }
    }

    fn state(&self, slot: DateTime<Utc>) -> Option<RunState> {
        self.ledger.find(JOB, slot).unwrap().map(|row| row.state)
    }

    /// What a right clock has come to in time is done.
    fn check(&self) -> Result<(), TestCaseError> {
        let due = self.planner.between(JOB, self.began.max(self.right - DEADLINE), self.right).unwrap();
        for planned in due.iter().filter(|_| self.is_right()) {
            prop_assert_eq!(self.state(planned.slot), Some(RunState::Done), "{}", planned.slot);
        }
        Ok(())
    }
}

fn done() -> End {
    End {
        state: EndState::Done,
        reason: None,
        counts: RowCounts::default(),
        error: None,
        exit_code: Some(0),
        attempts: 1,
    }
}

fn report() -> RunReport {
    RunReport {
        run_id: "r".to_owned(),
        slot: None,
        attempts: 1,
        took: std::time::Duration::ZERO,
        is_stuck: false,
        result: Ok(Outcome::done(Counts::default())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_clock_did_what_a_right_one_comes_to_is_run_once_and_the_rest_is_accounted_for(events in events()) {
        let mut world = World::new(et("2026-03-02 10:01"));
        for event in &events {
            world.meet(event);
            world.tick();
            world.check()?;
        }
        world.meet(&Event::SetRight);
        world.tick();
        world.check()?;
        for planned in world.planner.between(JOB, world.began, world.right).unwrap() {
            prop_assert!(world.state(planned.slot).is_some(), "{} is lost", planned.slot);
        }
        let mut run = world.run_right.clone();
        run.sort_unstable();
        run.dedup();
        prop_assert_eq!(run.len(), world.run_right.len(), "a slot was run twice: {:?}", world.run_right);
    }
}

#[test]
fn a_clock_a_day_ahead_for_eight_seconds_is_got_over_through_a_restart() {
    for is_restarted in [false, true] {
        let mut world = World::new(et("2026-03-02 10:01"));
        world.meet(&Event::Pass(235));
        world.tick();
        world.meet(&Event::Set(86_400));
        world.tick();
        world.meet(&Event::Pass(8));
        world.tick();
        assert!(world.state(et("2026-03-03 09:00")).is_some(), "a day of slots was decided");
        world.meet(&Event::SetRight);
        if is_restarted {
            world.meet(&Event::Restart);
        }
        for _ in 0..12 {
            world.tick();
            world.check().unwrap();
            world.meet(&Event::Pass(300));
        }
        assert_eq!(world.run_right.len(), 12, "every slot of the hour");
        assert_eq!(world.state(et("2026-03-03 09:00")), None);
    }
}

#[test]
fn a_pause_that_a_clock_ahead_has_stamped_is_in_force() {
    let mut world = World::new(et("2026-03-02 10:01"));
    let paused_at = et("2026-03-03 10:00");
    world.ledger.pause(&state::Pause { job: JOB.into(), reason: "x".into(), paused_at, until: None }).unwrap();
    world.meet(&Event::Pass(240));
    world.tick();
    assert_eq!(world.state(et("2026-03-02 10:05")), Some(RunState::Skipped));
}
