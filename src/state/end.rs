//! How a run ended: as its process tells it, or as others find where the process died.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::stamp::Stamp;
use super::{EndState, Ledger, LedgerError, RowCounts, RunRow, RunState, bounded};

/// The reason of a run whose process is no more.
pub const PROCESS_DIED: &str = "the process ended: killed or crashed";

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Done, skipped, failed or timed out.
    pub state: EndState,
    /// Why, where it was skipped.
    pub reason: Option<String>,
    /// What it did to the tables.
    pub counts: RowCounts,
    /// What went wrong, with its causes.
    pub error: Option<String>,
    /// The exit code of a process that did this one run.
    pub exit_code: Option<u8>,
    /// Attempts made.
    pub attempts: u32,
}

impl Ledger {
    /// Notes how an execution ended and gives the slot's row as it stands then: better or as good as before its start
    /// where the slot was done or recovered. The first end stands, so telling it twice changes nothing.
    ///
    /// # Errors
    /// Where the ledger cannot be written, or the run was never started.
    pub fn finish(&self, run_id: &str, end: &End, now: DateTime<Utc>) -> Result<RunRow, LedgerError> {
        let row = self.write("end a run in", |transaction| {
            let Some(taken) = Taken::find(transaction, run_id)? else { return Ok(None) };
            taken.finish(transaction, end, now)?;
            RunRow::find(transaction, &taken.job, taken.slot)
        })?;
        row.ok_or_else(|| LedgerError::UnknownRun { path: self.path().to_path_buf(), run_id: run_id.to_owned() })
    }

    /// Notes the end of runs whose process died, and gives the rows of their slots as they stand then: failed, or done
    /// or recovered where it was a rerun of such.
    ///
    /// `is_alive` judges an execution that is running by the ledger. A process id alone misleads: another process may
    /// have it by now, and in a container nearly always has. The job's lock does not: the run lives while the lock is
    /// held by its run id. Who holds the lock may call everything else of the job dead.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is noted.
    pub fn close_orphans(
        &self,
        now: DateTime<Utc>,
        is_alive: impl Fn(&RunRow) -> bool,
    ) -> Result<Vec<RunRow>, LedgerError> {
        let died = End {
            state: EndState::Failed,
            reason: Some(PROCESS_DIED.to_owned()),
            counts: RowCounts::default(),
            error: None,
            exit_code: None,
            attempts: 1,
        };
        let orphans: Vec<String> =
            self.all_running()?.into_iter().filter(|row| !is_alive(row)).filter_map(|row| row.run_id).collect();
        if orphans.is_empty() {
            return Ok(Vec::new());
        }
        self.write("close orphaned runs in", |transaction| {
            let mut closed = Vec::new();
            for run_id in orphans {
                // One that told its end in the meantime was no orphan.
                let taken = Taken::find(transaction, &run_id)?.filter(|taken| taken.state == RunState::Running);
                if let Some(taken) = taken {
                    taken.finish(transaction, &died, now)?;
                    closed.extend(RunRow::find(transaction, &taken.job, taken.slot)?);
                }
            }
            Ok(closed)
        })
    }
}

/// An execution, and the state its slot is given back to unless it ends as done.
struct Taken {
    run_id: String,
    job: String,
    slot: DateTime<Utc>,
    state: RunState,
    kept: Option<RunState>,
}

impl Taken {
    fn find(transaction: &Transaction<'_>, run_id: &str) -> rusqlite::Result<Option<Self>> {
        let mut statement = transaction.prepare_cached(
            "SELECT run_id, job, slot, state,
                 (SELECT kept_state FROM runs WHERE runs.job = executions.job AND runs.slot = executions.slot) AS kept
             FROM executions WHERE run_id = ?1",
        )?;
        let read = |row: &Row<'_>| {
            Ok(Self {
                run_id: row.get("run_id")?,
                job: row.get("job")?,
                slot: row.get::<_, Stamp>("slot")?.0,
                state: row.get("state")?,
                kept: row.get("kept")?,
            })
        };
        statement.query_row([run_id], read).optional()
    }

    /// The end of an execution that is running, of the slot with it; an earlier end stands.
    fn finish(&self, transaction: &Transaction<'_>, end: &End, now: DateTime<Utc>) -> rusqlite::Result<()> {
        if self.state != RunState::Running {
            let (run_id, state) = (&self.run_id, self.state);
            tracing::warn!(run_id, %state, "the run had ended before: its first end stands");
            return Ok(());
        }
        self.end_execution(transaction, end, now)?;
        match self.kept {
            Some(_) if end.state != EndState::Done => self.give_back(transaction, end),
            _ => self.end_slot(transaction, end, now),
        }
    }

    fn end_execution(&self, transaction: &Transaction<'_>, end: &End, now: DateTime<Utc>) -> rusqlite::Result<()> {
        let RowCounts { added, present, replaced, without_data } = end.counts;
        let (reason, error) = (end.reason.as_deref().map(bounded), end.error.as_deref().map(bounded));
        let mut statement = transaction.prepare_cached(
            "UPDATE executions SET state = ?2, ended_at = ?3, reason = ?4, error = ?5, exit_code = ?6, attempts = ?7
             WHERE run_id = ?1",
        )?;
        let state = RunState::from(end.state);
        statement.execute(params![self.run_id, state, Stamp(now), reason, error, end.exit_code, end.attempts])?;
        let mut statement = transaction.prepare_cached(
            "UPDATE executions SET added = ?2, present = ?3, replaced = ?4, without_data = ?5 WHERE run_id = ?1",
        )?;
        statement.execute(params![self.run_id, added, present, replaced, without_data])?;
        Ok(())
    }

    fn end_slot(&self, transaction: &Transaction<'_>, end: &End, now: DateTime<Utc>) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached(
            "UPDATE runs SET state = ?3, attempts = attempts + ?4, reason = ?5, ended_at = ?6,
                 kept_state = NULL, kept_run_id = NULL
             WHERE job = ?1 AND slot = ?2",
        )?;
        let (state, reason) = (RunState::from(end.state), end.reason.as_deref().map(bounded));
        statement.execute(params![self.job, Stamp(self.slot), state, end.attempts, reason, Stamp(now)])?;
        Ok(())
    }

    /// Reason and end of the slot have stood untouched meanwhile.
    fn give_back(&self, transaction: &Transaction<'_>, end: &End) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached(
            "UPDATE runs SET state = kept_state, run_id = kept_run_id, attempts = attempts + ?3,
                 kept_state = NULL, kept_run_id = NULL
             WHERE job = ?1 AND slot = ?2",
        )?;
        statement.execute(params![self.job, Stamp(self.slot), end.attempts])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NOW, end, executions, finish, ledger, request, row, slot, start};
    use super::super::{NotRun, Started, Trigger};
    use super::*;

    const LATER: DateTime<Utc> = DateTime::from_timestamp(1_795_188_000, 0).expect("representable");

    #[test]
    fn an_end_is_told_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Schedule, "r1");
        let counts = RowCounts { added: 3, present: 1, replaced: 2, without_data: 4 };
        let told = End { counts, attempts: 2, ..end(EndState::TimedOut) };
        let row = ledger.finish("r1", &told, LATER).expect("noted");
        assert_eq!((row.state, row.attempts, row.ended_at), (RunState::TimedOut, 2, Some(LATER)));
        assert_eq!((row.counts, row.error.as_deref(), row.exit_code), (counts, Some("it broke"), Some(1)));
        assert_eq!(ledger.find("snapshot", slot(1)).expect("readable"), Some(row));
    }

    #[test]
    fn a_failed_slot_is_retried_until_it_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        for (run_id, state) in [("r1", EndState::Failed), ("r2", EndState::TimedOut), ("r3", EndState::Done)] {
            start(&ledger, slot(1), Trigger::Schedule, run_id);
            finish(&ledger, run_id, state);
        }
        let row = row(&ledger, slot(1));
        assert_eq!((row.state, row.attempts, row.run_id.as_deref()), (RunState::Done, 3, Some("r3")));
        assert_eq!((row.error, row.reason), (None, None));
        assert_eq!(executions(&ledger, slot(1)).len(), 3);
    }

    #[test]
    fn a_rerun_that_does_not_end_as_done_leaves_a_done_slot_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Schedule, "r0");
        let done = ledger.finish("r0", &end(EndState::Done), NOW).expect("noted");
        for (number, state) in [(1, EndState::Failed), (2, EndState::TimedOut), (3, EndState::Skipped)] {
            let run_id = format!("r{number}");
            start(&ledger, slot(1), Trigger::Manual, &run_id);
            let row = ledger.finish(&run_id, &end(state), LATER).expect("noted");
            assert_eq!(row, RunRow { attempts: number + 1, ..done.clone() });
        }
        let errors: Vec<bool> = executions(&ledger, slot(1)).iter().map(|one| one.error.is_some()).collect();
        assert_eq!(errors, [false, true, true, false], "each execution tells its own end");
        start(&ledger, slot(1), Trigger::Manual, "r4");
        let row = ledger.finish("r4", &end(EndState::Done), LATER).expect("noted");
        assert_eq!((row.run_id.as_deref(), row.ended_at, row.attempts), (Some("r4"), Some(LATER), 5));
    }

    #[test]
    fn a_recovered_slot_stays_recovered_with_its_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.miss(&[NotRun { job: "snapshot".into(), slot: slot(1), reason: "down".into() }], NOW).expect("noted");
        ledger.recover("snapshot", &[slot(1)], NOW).expect("noted");
        let recovered = row(&ledger, slot(1));
        start(&ledger, slot(1), Trigger::Manual, "r1");
        let row = ledger.finish("r1", &end(EndState::Failed), LATER).expect("noted");
        assert_eq!(row, RunRow { attempts: 1, ..recovered });
    }

    #[test]
    fn the_first_end_stands_and_an_end_needs_a_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Schedule, "r1");
        let first = ledger.finish("r1", &end(EndState::Failed), NOW).expect("noted");
        assert_eq!(ledger.finish("r1", &end(EndState::Done), LATER).expect("no error"), first);
        let error = ledger.finish("r2", &end(EndState::Done), NOW).expect_err("never started");
        assert!(error.to_string().contains("knows no run r2"), "{error}");
    }

    #[test]
    fn runs_of_dead_processes_are_closed_and_can_be_taken_up_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        for number in 1..4 {
            start(&ledger, slot(number), Trigger::Schedule, &format!("r{number}"));
        }
        finish(&ledger, "r1", EndState::Done);
        start(&ledger, slot(1), Trigger::Manual, "r1-again");
        let is_alive = |row: &RunRow| row.run_id.as_deref() == Some("r2");
        let closed = ledger.close_orphans(LATER, is_alive).expect("closed");
        let told: Vec<_> = closed.iter().map(|row| (row.slot, row.state, row.reason.as_deref())).collect();
        assert_eq!(
            told,
            [(slot(1), RunState::Done, None), (slot(3), RunState::Failed, Some(PROCESS_DIED))],
            "the rerun died, the slot stays done"
        );
        assert_eq!(ledger.close_orphans(LATER, is_alive).expect("nothing to close"), []);
        assert_eq!(row(&ledger, slot(2)).state, RunState::Running);
        let again = request(slot(3), Trigger::CatchUp, "r3-again");
        assert_eq!(ledger.start(&again, LATER).expect("an answer"), Started::Started);
        let late = ledger.finish("r3", &end(EndState::Done), LATER).expect("no error");
        assert_eq!(late.state, RunState::Running, "the end of the one given up does not end the other");
    }
}
