//! A clock that was ahead: what was decided by it of slots that have not come is taken back.

use chrono::{DateTime, TimeDelta, Utc};

use super::stamp::Stamp;
use super::{Ledger, LedgerError};

/// How far before now a slot may lie that a clock ahead decided: older ones were decided in time, or were too late anyway.
const REACH: TimeDelta = TimeDelta::days(31);

impl Ledger {
    /// Deletes what the schedule decided by a clock that was ahead: planned, skipped and missed slots that are later than
    /// now, or were decided later. Nobody has run them, so nothing is lost but the decision. What was run stays; it counts
    /// when its time comes. Gives the jobs and slots that are to be decided again.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then all of them stay.
    pub fn retract(&self, now: DateTime<Utc>) -> Result<Vec<(String, DateTime<Utc>)>, LedgerError> {
        self.write("take back decisions in", |transaction| {
            let sql = "DELETE FROM runs WHERE slot > ?2 AND (slot > ?1 OR ended_at > ?1) AND run_id IS NULL
                           AND due_at IS NOT NULL AND state IN ('planned', 'skipped', 'missed')
                       RETURNING job, slot";
            let bounds = (Stamp(now), Stamp(now - REACH));
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Stamp>(1)?.0));
            transaction.prepare(sql)?.query_map(bounds, read)?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{executions, finish, ledger, request, row, slot, start};
    use super::super::{EndState, NotRun, Planned, RunState, Started, Trigger};
    use super::*;

    #[test]
    fn what_was_not_run_is_taken_back_and_what_was_run_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let not_run = |number| NotRun { job: "snapshot".into(), slot: slot(number), reason: "so".into() };
        let now = slot(10) + TimeDelta::seconds(6);
        ledger.miss(&[not_run(8)], slot(9)).expect("in time");
        ledger.miss(&[not_run(10), not_run(11)], slot(300)).expect("by a clock ahead");
        ledger.skip(&[not_run(12)], slot(300)).expect("by a clock ahead");
        ledger.plan(&[Planned { job: "snapshot".into(), slot: slot(300), due_at: slot(300) }]).expect("planned");
        start(&ledger, slot(299), Trigger::Schedule, "r299");
        finish(&ledger, "r299", EndState::Done);
        start(&ledger, slot(298), Trigger::Manual, "r298");
        assert_eq!(ledger.retract(now).expect("taken back").len(), 4);
        assert_eq!(ledger.retract(now).expect("taken back"), []);
        assert_eq!(ledger.newest_slot("snapshot", now).expect("readable"), Some(slot(8)));
        assert_eq!(row(&ledger, slot(299)).state, RunState::Done);
        assert_eq!(row(&ledger, slot(298)).state, RunState::Running);
    }

    #[test]
    fn what_a_clock_ahead_did_is_done_again_in_time_and_stays_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let ahead = slot(300) + TimeDelta::seconds(50);
        ledger.start(&request(slot(300), Trigger::Schedule, "r1"), ahead).expect("an answer");
        finish(&ledger, "r1", EndState::Done);
        let in_time = ledger.start(&request(slot(300), Trigger::Schedule, "r2"), slot(300)).expect("an answer");
        assert_eq!(in_time, Started::Started);
        finish(&ledger, "r2", EndState::Skipped);
        assert_eq!((row(&ledger, slot(300)).state, executions(&ledger, slot(300)).len()), (RunState::Done, 2));
        let later = ledger.start(&request(slot(300), Trigger::Schedule, "r3"), ahead).expect("an answer");
        assert!(matches!(later, Started::AlreadyDone(_)), "{later:?}");
    }
}
