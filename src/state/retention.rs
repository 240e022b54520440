//! Keeping the file small and sound: old rows go, damage is looked for.

use super::stamp::Stamp;
use super::{Ledger, LedgerError, MARKS_KEPT_DAYS};
use chrono::{DateTime, TimeDelta, Utc};

/// Rows that one transaction deletes at most, so that other writers get their turn.
const PRUNE_BATCH: usize = 5_000;

/// Faults that a check tells at most.
const MAX_FAULTS: u32 = 5;

impl Ledger {
    /// Deletes what is known of slots more than so many days old, incidents and mails that were over by then, marks of
    /// checks after [`MARKS_KEPT_DAYS`], and pauses and mutes that are over; gives the number of slots.
    ///
    /// Kept are a slot that is running, each job's newest slot of the schedule, from which the planner goes on, all
    /// replaced rows, incidents that go on, and mails that wait.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then some may be deleted already.
    pub fn prune(&self, keep_days: u32, now: DateTime<Utc>) -> Result<usize, LedgerError> {
        let oldest = now.checked_sub_signed(TimeDelta::days(keep_days.into())).unwrap_or(DateTime::<Utc>::MIN_UTC);
        self.write("prune", |transaction| {
            transaction.execute("DELETE FROM pauses WHERE until <= ?1", [Stamp(now)])?;
            transaction.execute("DELETE FROM mutes WHERE until <= ?1", [Stamp(now)])?;
            transaction
                .execute("DELETE FROM incidents WHERE state = 'resolved' AND resolved_at < ?1", [Stamp(oldest)])?;
            transaction.execute("DELETE FROM mails WHERE state <> 'queued' AND ended_at < ?1", [Stamp(oldest)])?;
            let oldest_mark = oldest.max(now - TimeDelta::days(MARKS_KEPT_DAYS));
            transaction.execute("DELETE FROM check_marks WHERE looked_at < ?1", [Stamp(oldest_mark)])?;
            transaction.execute(
                "DELETE FROM daemon_starts WHERE started_at < ?1 AND started_at NOT IN (SELECT slot FROM runs)",
                [Stamp(oldest)],
            )
        })?;
        let mut num_pruned = 0;
        loop {
            let num_slots = self.prune_batch(oldest)?;
            num_pruned += num_slots;
            if num_slots < PRUNE_BATCH {
                return Ok(num_pruned);
            }
        }
    }

    fn prune_batch(&self, oldest: DateTime<Utc>) -> Result<usize, LedgerError> {
        self.write("prune", |transaction| {
            let sql = format!(
                "DELETE FROM runs WHERE (job, slot) IN (
                     SELECT job, slot FROM runs AS old
                     WHERE slot < ?1 AND state <> 'running' AND slot IS NOT (
                         SELECT max(slot) FROM runs AS planned WHERE planned.job = old.job AND due_at IS NOT NULL
                             AND slot NOT IN (SELECT started_at FROM daemon_starts))
                     LIMIT {PRUNE_BATCH})"
            );
            transaction.execute(&sql, [Stamp(oldest)])
        })
    }

    /// Gives the space of deleted rows back to the disk. Others wait meanwhile.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn vacuum(&self) -> Result<(), LedgerError> {
        self.read("vacuum", |connection| {
            connection.execute_batch("VACUUM; PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);")
        })
    }

    /// Reads the whole file in search of damage.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] with the first faults.
    pub fn integrity_check(&self) -> Result<(), LedgerError> {
        let faults = self.read("check", |connection| {
            let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MAX_FAULTS})"))?;
            let told: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let strays: u32 =
                connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
            let stray = (strays > 0).then(|| format!("{strays} executions of unknown runs"));
            Ok(told.into_iter().filter(|line| line != "ok").chain(stray).collect::<Vec<_>>())
        })?;
        if faults.is_empty() {
            return Ok(());
        }
        Err(LedgerError::Corrupt { path: self.path().to_path_buf(), reason: faults.join("; ") })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{Seek, SeekFrom, Write};

    use super::super::fixtures::{NOW, end, executions, file, finish, ledger, slot, start};
    use super::super::{
        EndState, HistoryQuery, LedgerErrorClass, NotRun, NotedRow, Pause, ReplacedRow, ReplacementNote, Trigger,
    };
    use super::*;

    fn missed(ledger: &Ledger, numbers: std::ops::Range<i32>) {
        let missed = |number| NotRun { job: "snapshot".into(), slot: slot(number), reason: "down".repeat(50) };
        ledger.miss(&numbers.map(missed).collect::<Vec<_>>(), NOW).expect("noted");
    }

    #[test]
    fn old_slots_go_and_what_is_needed_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(0), Trigger::Schedule, "r0");
        start(&ledger, slot(1), Trigger::Schedule, "r1");
        finish(&ledger, "r1", EndState::Done);
        missed(&ledger, 2..6000);
        start(&ledger, slot(6000), Trigger::Manual, "r6000");
        finish(&ledger, "r6000", EndState::Done);
        let over = Pause { job: "report".into(), reason: String::new(), paused_at: NOW, until: Some(NOW) };
        ledger.pause(&over).expect("noted");
        let row = NotedRow { key: "k".into(), old_json: "{}".into(), new_json: "[]".into() };
        let note = ReplacementNote {
            table: "t".into(),
            run_id: "r1".into(),
            base_version: 1,
            lost_version: None,
            noted_at: NOW,
            rows: vec![row],
        };
        ledger.note_replacement(&note).expect("noted");
        ledger.confirm_replacement(&note).expect("confirmed");
        let old = ReplacedRow {
            table: "t".into(),
            key: "k".into(),
            old_json: "{}".into(),
            run_id: "r1".into(),
            replaced_at: NOW,
        };
        let after = |days| slot(6000) + TimeDelta::days(days);
        assert_eq!(ledger.prune(90, after(60)).expect("pruned"), 0);
        assert_eq!(ledger.prune(90, after(90)).expect("pruned"), 5998);
        assert_eq!(ledger.prune(90, after(91)).expect("pruned"), 1);
        assert_eq!(ledger.prune(0, after(9000)).expect("pruned"), 0);
        let left: Vec<_> =
            ledger.history(&HistoryQuery::default()).expect("readable").into_iter().map(|row| row.slot).collect();
        assert_eq!(left, [slot(5999), slot(0)], "the planner's newest, and one that runs");
        assert_eq!(executions(&ledger, slot(1)), [], "executions go with their slot");
        assert_eq!(ledger.newest_slot("snapshot").expect("readable"), Some(slot(5999)));
        assert_eq!(ledger.replaced("t", "k").expect("readable"), [old]);
        ledger.finish("r0", &end(EndState::Done), NOW).expect("still known");
        ledger.integrity_check().expect("sound");
    }

    #[test]
    fn a_vacuum_gives_space_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        missed(&ledger, 0..3000);
        ledger.vacuum().expect("done");
        let size = || std::fs::metadata(file(&folder)).expect("there").len();
        let before = size();
        ledger.prune(0, slot(4000)).expect("pruned");
        ledger.vacuum().expect("done");
        assert!(size() * 4 < before, "{} of {before}", size());
    }

    #[test]
    fn damage_inside_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = ledger(&folder);
        missed(&whole, 0..3000);
        whole.vacuum().expect("all in the file");
        drop(whole);
        let mut raw = OpenOptions::new().write(true).open(file(&folder)).expect("a file");
        let length = raw.metadata().expect("there").len();
        raw.seek(SeekFrom::Start(length / 2)).expect("inside");
        raw.write_all(&[0xA5; 8 << 10]).expect("overwritten");
        drop(raw);
        let error =
            Ledger::open(&file(&folder)).expect("the beginning is sound").integrity_check().expect_err("damaged");
        assert!(matches!(error, LedgerError::Corrupt { .. }), "{error:?}");
        assert_eq!(error.class(), LedgerErrorClass::Configuration);
    }

    #[test]
    fn a_full_disk_takes_nothing_back_and_is_got_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(0), Trigger::Schedule, "r0");
        let set_pages = |number: u32| {
            let sql = format!("PRAGMA max_page_count = {number}");
            ledger.connection().query_row(&sql, [], |row| row.get::<_, u32>(0)).expect("set")
        };
        let pages = set_pages(1);
        let many: Vec<_> = (1..3000)
            .map(|number| NotRun { job: "snapshot".into(), slot: slot(number), reason: "x".repeat(200) })
            .collect();
        let error = ledger.miss(&many, NOW).expect_err("full");
        assert!(matches!(error, LedgerError::Full { .. }), "{error:?}");
        assert!(error.to_string().starts_with("no space left to settle slots in the ledger"), "{error}");
        assert_eq!(ledger.history(&HistoryQuery::default()).expect("readable").len(), 1, "all or nothing");
        finish(&ledger, "r0", EndState::Done);
        set_pages(pages + 1000);
        assert_eq!(ledger.miss(&many, NOW).expect("room again"), many.len());
        ledger.integrity_check().expect("sound");
    }
}
