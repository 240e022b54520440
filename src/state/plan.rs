//! What the schedule says about slots that nobody has taken up: planned, skipped, missed; and recovered by a backfill.

use chrono::{DateTime, Utc};
use rusqlite::{Transaction, params};

use super::stamp::Stamp;
use super::{Ledger, LedgerError, RunState, bounded};

/// A slot that the schedule wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The job.
    pub job: String,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// When it is to start.
    pub due_at: DateTime<Utc>,
}

/// A slot that the schedule wanted and that nobody runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun {
    /// The job.
    pub job: String,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// What the schedule decided about a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It is to be run.
    Planned(Planned),
    /// It is not run, for a reason that is no failure.
    Skipped(NotRun),
    /// Nobody could take it up in time.
    Missed(NotRun),
}

impl Ledger {
    /// Enters what the schedule decided, all of it or nothing: a daemon that is killed leaves no decision without the
    /// ones before it. Otherwise as [`Ledger::plan`], [`Ledger::skip`] and [`Ledger::miss`].
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is entered.
    pub fn enter(&self, entries: &[Entered], now: DateTime<Utc>) -> Result<(), LedgerError> {
        self.write("enter decisions in", |transaction| {
            entries.iter().try_for_each(|entry| match entry {
                Entered::Planned(planned) => plan(transaction, planned).map(|_| ()),
                Entered::Skipped(not_run) => settle(transaction, (RunState::Skipped, not_run), now).map(|_| ()),
                Entered::Missed(not_run) => settle(transaction, (RunState::Missed, not_run), now).map(|_| ()),
            })
        })
    }

    /// Notes that the schedule wants these slots, and gives the number of those that are new. What has become of a slot
    /// already stays; what was only planned, or was run by hand alone, gets the time it was due.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is noted.
    pub fn plan(&self, planned: &[Planned]) -> Result<usize, LedgerError> {
        self.write("plan in", |transaction| planned.iter().map(|planned| plan(transaction, planned)).sum())
    }

    /// Notes that planned slots are not run, for a reason that is no failure; gives the number of those that had been
    /// planned or were unknown. What has become of a slot already stays.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is noted.
    pub fn skip(&self, slots: &[NotRun], now: DateTime<Utc>) -> Result<usize, LedgerError> {
        self.write("settle slots in", |transaction| {
            slots.iter().map(|slot| settle(transaction, (RunState::Skipped, slot), now)).sum()
        })
    }

    /// Notes that nobody took planned slots up in time; otherwise as [`Ledger::skip`].
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is noted.
    pub fn miss(&self, slots: &[NotRun], now: DateTime<Utc>) -> Result<usize, LedgerError> {
        self.write("settle slots in", |transaction| {
            slots.iter().map(|slot| settle(transaction, (RunState::Missed, slot), now)).sum()
        })
    }

    /// Notes that a backfill has filled these slots of a job: those that were missed, failed or timed out are recovered
    /// from then on. Gives their number.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is noted.
    pub fn recover(&self, job: &str, slots: &[DateTime<Utc>], now: DateTime<Utc>) -> Result<usize, LedgerError> {
        self.write("note recovered slots in", |transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE runs SET ended_at = ?3, reason = 'filled by a backfill, was ' || state
                     || coalesce(': ' || reason, ''), state = 'recovered'
                 WHERE job = ?1 AND slot = ?2 AND state IN ('missed', 'failed', 'timed_out')",
            )?;
            slots.iter().map(|slot| statement.execute(params![job, Stamp(*slot), Stamp(now)])).sum()
        })
    }
}

fn plan(transaction: &Transaction<'_>, planned: &Planned) -> rusqlite::Result<usize> {
    let values = params![planned.job, Stamp(planned.slot), Stamp(planned.due_at)];
    let mut insert = transaction.prepare_cached(
        "INSERT INTO runs (job, slot, state, due_at) VALUES (?1, ?2, 'planned', ?3) ON CONFLICT DO NOTHING",
    )?;
    let num_new = insert.execute(values)?;
    if num_new == 0 {
        let mut update = transaction.prepare_cached(
            "UPDATE runs SET due_at = ?3 WHERE job = ?1 AND slot = ?2 AND (state = 'planned' OR due_at IS NULL)",
        )?;
        update.execute(values)?;
    }
    Ok(num_new)
}

fn settle(
    transaction: &Transaction<'_>,
    (state, not_run): (RunState, &NotRun),
    now: DateTime<Utc>,
) -> rusqlite::Result<usize> {
    let NotRun { job, slot, reason } = not_run;
    // Only the schedule leaves a slot out, so it counts as planned, due at its own time.
    let mut statement = transaction.prepare_cached(
        "INSERT INTO runs (job, slot, state, reason, ended_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5, ?2)
         ON CONFLICT DO UPDATE
         SET state = excluded.state, reason = excluded.reason, ended_at = excluded.ended_at
         WHERE state = 'planned'",
    )?;
    statement.execute(params![job, Stamp(*slot), state, bounded(reason), Stamp(now)])
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixtures::{NOW, finish, ledger, row, slot, start};
    use super::super::{EndState, Trigger};
    use super::*;

    fn planned(number: i32) -> Planned {
        Planned { job: "snapshot".into(), slot: slot(number), due_at: slot(number) }
    }

    fn not_run(number: i32, reason: &str) -> NotRun {
        NotRun { job: "snapshot".into(), slot: slot(number), reason: reason.into() }
    }

    #[test]
    fn planning_twice_plans_once_and_moves_what_is_still_planned() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        assert_eq!(ledger.plan(&[planned(1), planned(2), planned(2)]).expect("planned"), 2);
        start(&ledger, slot(1), Trigger::Schedule, "r1");
        let later = |number| Planned { due_at: planned(number).due_at + TimeDelta::seconds(7), ..planned(number) };
        assert_eq!(ledger.plan(&[later(1), later(2)]).expect("planned"), 0);
        assert_eq!(row(&ledger, slot(1)).due_at, Some(planned(1).due_at), "it has started");
        assert_eq!(row(&ledger, slot(1)).state, RunState::Running);
        assert_eq!(row(&ledger, slot(2)).due_at, Some(later(2).due_at));
    }

    #[test]
    fn decisions_are_entered_all_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let entries = [
            Entered::Missed(not_run(1, "late")),
            Entered::Planned(planned(2)),
            Entered::Skipped(not_run(3, "the run before is still going")),
        ];
        ledger.enter(&entries, NOW).expect("entered");
        ledger.enter(&entries, NOW).expect("entered again");
        let states: Vec<RunState> = (1..4).map(|number| row(&ledger, slot(number)).state).collect();
        assert_eq!(states, [RunState::Missed, RunState::Planned, RunState::Skipped]);
        assert_eq!(ledger.newest_slot("snapshot", slot(99_999)).expect("readable"), Some(slot(3)));
        let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON runs WHEN new.state = 'skipped'
                      BEGIN SELECT raise(ABORT, 'refused'); END";
        ledger.connection().execute_batch(refuse).expect("a trigger");
        let entries = [Entered::Planned(planned(5)), Entered::Skipped(not_run(6, "x"))];
        ledger.enter(&entries, NOW).expect_err("refused");
        assert_eq!(ledger.find("snapshot", slot(5)).expect("readable"), None);
    }

    #[test]
    fn a_slot_run_by_hand_before_it_was_planned_counts_as_planned_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Manual, "r1");
        finish(&ledger, "r1", EndState::Done);
        assert_eq!(
            (row(&ledger, slot(1)).due_at, ledger.newest_slot("snapshot", slot(99_999)).expect("readable")),
            (None, None)
        );
        assert_eq!(ledger.plan(&[planned(1)]).expect("planned"), 0);
        assert_eq!(row(&ledger, slot(1)).state, RunState::Done);
        assert_eq!(ledger.newest_slot("snapshot", slot(99_999)).expect("readable"), Some(slot(1)));
    }

    #[test]
    fn only_what_is_planned_or_unknown_can_be_skipped_or_missed() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.plan(&[planned(1)]).expect("planned");
        start(&ledger, slot(3), Trigger::Schedule, "r3");
        assert_eq!(
            ledger.skip(&[not_run(1, "the one before was still running"), not_run(2, "x")], NOW).expect("noted"),
            2
        );
        assert_eq!(ledger.miss(&[not_run(1, "late"), not_run(3, "late"), not_run(4, "down")], NOW).expect("noted"), 1);
        let told = |number| (row(&ledger, slot(number)).state, row(&ledger, slot(number)).reason);
        assert_eq!(told(1), (RunState::Skipped, Some("the one before was still running".into())));
        assert_eq!(told(3), (RunState::Running, None));
        assert_eq!(told(4), (RunState::Missed, Some("down".into())));
        assert_eq!(row(&ledger, slot(4)).ended_at, Some(NOW));
        assert_eq!(
            ledger.newest_slot("snapshot", slot(99_999)).expect("readable"),
            Some(slot(4)),
            "the schedule has dealt with it"
        );
    }

    #[test]
    fn a_backfill_recovers_what_went_wrong_and_nothing_else() {
        use RunState::{Done, Recovered, Skipped};
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.miss(&[not_run(1, "down")], NOW).expect("noted");
        ledger.skip(&[not_run(2, "paused")], NOW).expect("noted");
        for (number, end) in [(3, EndState::Failed), (4, EndState::TimedOut), (5, EndState::Done)] {
            start(&ledger, slot(number), Trigger::Schedule, &format!("r{number}"));
            finish(&ledger, &format!("r{number}"), end);
        }
        let all: Vec<DateTime<Utc>> = (0..8).map(slot).collect();
        assert_eq!(ledger.recover("snapshot", &all, NOW).expect("noted"), 3);
        assert_eq!(ledger.recover("snapshot", &all, NOW).expect("noted"), 0);
        let states: Vec<RunState> = (1..6).map(|number| row(&ledger, slot(number)).state).collect();
        assert_eq!(states, [Recovered, Skipped, Recovered, Recovered, Done]);
        assert_eq!(row(&ledger, slot(1)).reason.as_deref(), Some("filled by a backfill, was missed: down"));
        assert_eq!(row(&ledger, slot(3)).error.as_deref(), Some("it broke"), "what went wrong is still told");
    }
}
