//! How the daemon's last run ended: one that was killed could not say so itself, so the next one finds out.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::stamp::Stamp;
use super::{Ledger, LedgerError};

/// How the daemon before this one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousEnd {
    /// It said goodbye, or there was none.
    Clean,
    /// It was killed, crashed, or lost its power.
    Unclean {
        /// When it had started.
        since: DateTime<Utc>,
    },
}

impl Ledger {
    /// Notes that a daemon has started, by the id of its run, and tells how the one before it ended. The caller holds
    /// the daemon's lock, or a second daemon would take the first for dead.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn mark_started(&self, run_id: &str, now: DateTime<Utc>) -> Result<PreviousEnd, LedgerError> {
        self.write("note the daemon's start in", |transaction| {
            let sql = "SELECT started_at FROM daemon WHERE stopped_at IS NULL AND run_id <> ?1";
            let unstopped: Option<Stamp> = transaction.query_row(sql, [run_id], |row| row.get(0)).optional()?;
            let sql = "INSERT INTO daemon (id, run_id, started_at) VALUES (1, ?1, ?2) ON CONFLICT DO UPDATE
                       SET run_id = excluded.run_id, started_at = excluded.started_at, stopped_at = NULL";
            transaction.execute(sql, params![run_id, Stamp(now)])?;
            transaction.execute("INSERT OR IGNORE INTO daemon_starts VALUES (?1)", [Stamp(now)])?;
            Ok(unstopped.map_or(PreviousEnd::Clean, |Stamp(since)| PreviousEnd::Unclean { since }))
        })
    }

    /// The run of the daemon that has started last; none where none ever did.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn daemon_run(&self) -> Result<Option<String>, LedgerError> {
        self.read("read", |connection| {
            connection.query_row("SELECT run_id FROM daemon", [], |row| row.get(0)).optional()
        })
    }

    /// Notes that a daemon stops in good order; of one that another has followed since, nothing is noted.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn mark_stopped(&self, run_id: &str, now: DateTime<Utc>) -> Result<(), LedgerError> {
        self.write("note the daemon's end in", |transaction| {
            let sql = "UPDATE daemon SET stopped_at = ?2 WHERE run_id = ?1 AND stopped_at IS NULL";
            transaction.execute(sql, params![run_id, Stamp(now)])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Planned;
    use super::super::fixtures::{NOW, ledger, slot};
    use super::*;

    #[test]
    fn the_next_daemon_learns_how_the_last_one_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let started = |run_id, at| ledger.mark_started(run_id, at).expect("noted");
        assert_eq!(started("d1", NOW), PreviousEnd::Clean, "there was none");
        ledger.mark_stopped("d1", NOW).expect("noted");
        assert_eq!(started("d2", NOW), PreviousEnd::Clean);
        assert_eq!(started("d3", slot(1)), PreviousEnd::Unclean { since: NOW });
        ledger.mark_stopped("d2", NOW).expect("it comes too late");
        assert_eq!(started("d4", NOW), PreviousEnd::Unclean { since: slot(1) });
    }

    #[test]
    fn what_a_start_starts_says_nothing_about_the_slots_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let planned = |at| Planned { job: "backfill".into(), slot: at, due_at: at };
        ledger.mark_started("d1", slot(7)).expect("noted");
        ledger.plan(&[planned(slot(3)), planned(slot(7))]).expect("planned");
        assert_eq!(ledger.newest_slot("backfill", slot(99_999)).expect("readable"), Some(slot(3)));
    }
}
