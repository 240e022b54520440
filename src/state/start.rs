//! A process takes a slot up.

use chrono::{DateTime, Utc};
use rusqlite::{Transaction, params};

use super::run_state::Admission;
use super::stamp::Stamp;
use super::{Ledger, LedgerError, RunRow, RunState, Trigger};

/// Who takes up which slot, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The job.
    pub job: String,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// Why.
    pub trigger: Trigger,
    /// Name of the run; no other ever has it.
    pub run_id: String,
    /// The process.
    pub pid: u32,
}

/// Whether it may go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It may: its end must be told.
    Started,
    /// It need not: the slot is done, recovered or skipped, not by a clock that was ahead, and nobody asked for it by hand.
    AlreadyDone(Box<RunRow>),
    /// Another execution of the slot is running, or died since [`Ledger::close_orphans`] was last called.
    Running(Box<RunRow>),
}

impl Ledger {
    /// Takes a slot up, unless it is taken or done. Of any number of processes at once one is started.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then nothing is started.
    pub fn start(&self, start: &Start, now: DateTime<Utc>) -> Result<Started, LedgerError> {
        self.write("start a run in", |transaction| {
            let before = RunRow::find(transaction, &start.job, start.slot)?;
            let kept = match before {
                None => None,
                Some(row) => match row.state.admits(start.trigger) {
                    Admission::AlreadyDone if !row.is_of_a_clock_ahead(now) => {
                        return Ok(Started::AlreadyDone(Box::new(row)));
                    }
                    Admission::Running => return Ok(Started::Running(Box::new(row))),
                    Admission::AlreadyDone | Admission::Started => Some(row.state).filter(|state| state.is_good()),
                },
            };
            take_up(transaction, start, kept, now)?;
            Ok(Started::Started)
        })
    }
}

/// Puts the slot into an execution's hands; `kept` is what it gives back unless it ends as done.
fn take_up(
    transaction: &Transaction<'_>,
    start: &Start,
    kept: Option<RunState>,
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    let Start { job, slot, trigger, run_id, pid } = start;
    // What nobody asked for comes of the schedule, also where a timer started it and it was never planned.
    let due_at = (!trigger.is_asked_for()).then_some(Stamp(*slot));
    let mut statement = transaction.prepare_cached(
        "INSERT INTO runs (job, slot, state, run_id, due_at) VALUES (?1, ?2, 'running', ?3, ?4)
         ON CONFLICT DO UPDATE SET state = 'running', run_id = excluded.run_id,
             kept_state = ?5, kept_run_id = CASE WHEN ?5 IS NOT NULL THEN run_id END,
             due_at = coalesce(due_at, excluded.due_at)",
    )?;
    statement.execute(params![job, Stamp(*slot), run_id, due_at, kept])?;
    let mut statement = transaction.prepare_cached(
        "INSERT INTO executions (run_id, job, slot, state, trigger, pid, started_at)
         VALUES (?1, ?2, ?3, 'running', ?4, ?5, ?6)",
    )?;
    statement.execute(params![run_id, job, Stamp(*slot), trigger, pid, Stamp(now)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::super::EndState;
    use super::super::fixtures::{NOW, executions, file, finish, ledger, request, row, slot, start};
    use super::*;

    #[test]
    fn a_started_slot_is_running_and_cannot_be_started_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Schedule, "r1");
        let running = row(&ledger, slot(1));
        assert_eq!((running.state, running.pid, running.started_at), (RunState::Running, Some(4711), Some(NOW)));
        for trigger in Trigger::ALL {
            let answer = ledger.start(&request(slot(1), trigger, "r2"), NOW).expect("an answer");
            assert_eq!(answer, Started::Running(Box::new(running.clone())));
        }
        assert_eq!(executions(&ledger, slot(1)).len(), 1);
    }

    #[test]
    fn what_is_done_is_done_again_only_where_a_person_asks() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Schedule, "r1");
        finish(&ledger, "r1", EndState::Done);
        let done = row(&ledger, slot(1));
        for trigger in [Trigger::Schedule, Trigger::CatchUp, Trigger::Simulation] {
            let answer = ledger.start(&request(slot(1), trigger, "r2"), NOW).expect("an answer");
            assert_eq!(answer, Started::AlreadyDone(Box::new(done.clone())));
        }
        start(&ledger, slot(1), Trigger::Manual, "r2");
        assert_eq!((row(&ledger, slot(1)).state, row(&ledger, slot(1)).ended_at), (RunState::Running, None));
    }

    #[test]
    fn a_run_id_used_twice_starts_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Manual, "r1");
        ledger.start(&request(slot(2), Trigger::Manual, "r1"), NOW).expect_err("used");
        assert_eq!(ledger.find("snapshot", slot(2)).expect("readable"), None, "the transaction is rolled back");
    }

    #[test]
    fn of_many_at_once_one_is_started() {
        const RACERS: usize = 8;
        let folder = tempfile::tempdir().expect("a folder");
        drop(ledger(&folder));
        let (path, barrier) = (file(&folder), Barrier::new(RACERS));
        let race = |racer: usize| {
            let own = Ledger::open(&path).expect("opened");
            let starts = |number| {
                barrier.wait();
                let run_id = format!("r{number}-{racer}");
                let answer = own.start(&request(slot(number), Trigger::Manual, &run_id), NOW).expect("an answer");
                usize::from(answer == Started::Started)
            };
            (0..20).map(starts).collect::<Vec<_>>()
        };
        let counts = thread::scope(|scope| {
            let race = &race;
            let racing: Vec<_> = (0..RACERS).map(|racer| scope.spawn(move || race(racer))).collect();
            racing.into_iter().map(|racer| racer.join().expect("no panic")).collect::<Vec<_>>()
        });
        for number in 0..20 {
            assert_eq!(counts.iter().map(|of_racer| of_racer[number]).sum::<usize>(), 1, "slot {number}");
        }
        let ledger = Ledger::open(&path).expect("opened");
        let (runs, executions): (u32, u32) = ledger
            .connection()
            .query_row("SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM executions)", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("counts");
        assert_eq!((runs, executions), (20, 20));
    }
}
