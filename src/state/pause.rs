//! Jobs that an operator has paused: the schedule skips their slots, a run by hand is still a run.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::stamp::Stamp;
use super::{Ledger, LedgerError, bounded};

/// A pause of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// The job.
    pub job: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub paused_at: DateTime<Utc>,
    /// From when on the job runs again; none: from when it is resumed.
    pub until: Option<DateTime<Utc>>,
}

impl Pause {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let Stamp(paused_at) = row.get("paused_at")?;
        let until = row.get::<_, Option<Stamp>>("until")?.map(|Stamp(until)| until);
        Ok(Self { job: row.get("job")?, reason: row.get("reason")?, paused_at, until })
    }
}

impl Ledger {
    /// Pauses a job; a pause it is in already is replaced.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn pause(&self, pause: &Pause) -> Result<(), LedgerError> {
        let Pause { job, reason, paused_at, until } = pause;
        self.write("pause a job in", |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO pauses (job, reason, paused_at, until) VALUES (?1, ?2, ?3, ?4)",
                params![job, bounded(reason), Stamp(*paused_at), until.map(Stamp)],
            )?;
            Ok(())
        })
    }

    /// Ends the pause of a job and gives it; none where it was not paused.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn resume(&self, job: &str, now: DateTime<Utc>) -> Result<Option<Pause>, LedgerError> {
        self.write("resume a job in", |transaction| {
            let pause = find(transaction, job, now)?;
            transaction.execute("DELETE FROM pauses WHERE job = ?1", [job])?;
            Ok(pause)
        })
    }

    /// The pause a job is in at an instant.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn paused(&self, job: &str, now: DateTime<Utc>) -> Result<Option<Pause>, LedgerError> {
        self.read("read", |connection| find(connection, job, now))
    }

    /// All pauses at an instant, by job.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn all_paused(&self, now: DateTime<Utc>) -> Result<Vec<Pause>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM pauses WHERE until IS NULL OR until > ?1 ORDER BY job";
            connection.prepare_cached(sql)?.query_map([Stamp(now)], Pause::read)?.collect()
        })
    }
}

fn find(connection: &Connection, job: &str, now: DateTime<Utc>) -> rusqlite::Result<Option<Pause>> {
    let sql = "SELECT * FROM pauses WHERE job = ?1 AND (until IS NULL OR until > ?2)";
    connection.prepare_cached(sql)?.query_row((job, Stamp(now)), Pause::read).optional()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixtures::{NOW, ledger};
    use super::*;

    fn pause(job: &str, until: Option<DateTime<Utc>>) -> Pause {
        Pause { job: job.into(), reason: "roll week".into(), paused_at: NOW, until }
    }

    #[test]
    fn a_pause_ends_at_its_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let until = NOW + TimeDelta::hours(1);
        ledger.pause(&pause("report", Some(until))).expect("noted");
        let paused = |at| ledger.paused("report", at).expect("readable");
        assert_eq!(paused(NOW), Some(pause("report", Some(until))));
        assert!(paused(until - TimeDelta::microseconds(1)).is_some());
        assert_eq!((paused(until), ledger.resume("report", until).expect("noted")), (None, None));
    }

    #[test]
    fn a_pause_without_an_end_ends_when_it_is_resumed() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.pause(&pause("report", Some(NOW + TimeDelta::hours(1)))).expect("noted");
        ledger.pause(&pause("report", None)).expect("replaced");
        ledger.pause(&pause("backfill", None)).expect("noted");
        let later = NOW + TimeDelta::days(900);
        assert_eq!(ledger.all_paused(later).expect("readable"), [pause("backfill", None), pause("report", None)]);
        assert_eq!(ledger.resume("report", later).expect("noted"), Some(pause("report", None)));
        assert_eq!(ledger.paused("report", later).expect("readable"), None);
        assert!(ledger.paused("backfill", later).expect("readable").is_some());
    }
}
