//! How far back the ledger tells anything, and by which schema: read only, for those who judge it.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension};

use super::stamp::Stamp;
use super::{Ledger, LedgerError, schema};

/// How far back the ledger tells anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beginning {
    /// The oldest slot of any kind; none where no run was ever recorded.
    pub any: Option<DateTime<Utc>>,
    /// The oldest slot that the schedule has dealt with; none where no daemon and no timer ever did.
    pub scheduled: Option<DateTime<Utc>>,
}

impl Ledger {
    /// How far back the ledger tells anything of all jobs.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn beginning(&self) -> Result<Beginning, LedgerError> {
        self.read("read", |connection| {
            // In the order of an index, so that the first hit is the answer.
            let any = oldest(connection, "SELECT slot FROM runs ORDER BY slot LIMIT 1", &[])?;
            let sql = "SELECT slot FROM runs WHERE due_at IS NOT NULL ORDER BY slot LIMIT 1";
            Ok(Beginning { any, scheduled: oldest(connection, sql, &[])? })
        })
    }

    /// The oldest slot of a job that the schedule has dealt with.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn oldest_scheduled(&self, job: &str) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let sql = "SELECT slot FROM runs WHERE job = ?1 AND due_at IS NOT NULL ORDER BY slot LIMIT 1";
        self.read("read", |connection| oldest(connection, sql, &[job]))
    }

    /// The version of the file's schema.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn schema_version(&self) -> Result<u32, LedgerError> {
        self.read("read", schema::version)
    }
}

fn oldest(connection: &Connection, sql: &str, values: &[&str]) -> rusqlite::Result<Option<DateTime<Utc>>> {
    let parameters = rusqlite::params_from_iter(values);
    let slot: Option<Stamp> = connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0)).optional()?;
    Ok(slot.map(|Stamp(at)| at))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NOW, ledger, slot, start};
    use super::super::{NotRun, Trigger};
    use super::*;

    #[test]
    fn what_a_person_ran_is_no_beginning_of_the_schedule() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        assert_eq!(ledger.beginning().expect("readable"), Beginning::default());
        start(&ledger, slot(1), Trigger::Manual, "r1");
        let any = Some(NOW + chrono::TimeDelta::minutes(5));
        assert_eq!(ledger.beginning().expect("readable"), Beginning { any, scheduled: None });
        let missed = NotRun { job: "snapshot".into(), slot: slot(3), reason: "down".into() };
        ledger.miss(&[missed], NOW).expect("noted");
        let scheduled = Some(NOW + chrono::TimeDelta::minutes(15));
        assert_eq!(ledger.beginning().expect("readable"), Beginning { any, scheduled });
        assert_eq!(ledger.oldest_scheduled("snapshot").expect("readable"), scheduled);
        assert_eq!(ledger.oldest_scheduled("backfill").expect("readable"), None);
        assert_eq!(ledger.schema_version().expect("readable"), schema::NEWEST);
    }
}
