//! Rows of the tables that `--force` replaced: kept here as they were, for good.

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};
use serde::Serialize;

use super::stamp::Stamp;
use super::{Ledger, LedgerError};

/// A row that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplacedRow {
    /// Its table.
    pub table: String,
    /// Its key, such as `ES 2026-11-20T15:05:00Z`.
    pub key: String,
    /// The row as JSON.
    pub old_json: String,
    /// The run that replaced it.
    pub run_id: String,
    /// When.
    pub replaced_at: DateTime<Utc>,
}

impl ReplacedRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let Stamp(replaced_at) = row.get("replaced_at")?;
        Ok(Self {
            table: row.get("table_name")?,
            key: row.get("row_key")?,
            old_json: row.get("old_json")?,
            run_id: row.get("run_id")?,
            replaced_at,
        })
    }
}

impl Ledger {
    /// Keeps rows that were replaced. The same row of the same run is kept once, so a retry adds nothing. Gives the
    /// number of rows kept.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is kept.
    pub fn keep_replaced(&self, rows: &[ReplacedRow]) -> Result<usize, LedgerError> {
        self.write("keep replaced rows in", |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT OR IGNORE INTO replaced_rows (table_name, row_key, old_json, run_id, replaced_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let mut keep = |row: &ReplacedRow| {
                statement.execute(params![row.table, row.key, row.old_json, row.run_id, Stamp(row.replaced_at)])
            };
            rows.iter().map(&mut keep).sum()
        })
    }

    /// How many replaced rows are kept.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn num_replaced(&self) -> Result<u32, LedgerError> {
        self.read("read", |connection| connection.query_row("SELECT count(*) FROM replaced_rows", [], |row| row.get(0)))
    }

    /// What a row of a table has been, newest first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn replaced(&self, table: &str, key: &str) -> Result<Vec<ReplacedRow>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM replaced_rows WHERE table_name = ?1 AND row_key = ?2
                       ORDER BY replaced_at DESC, rowid DESC";
            connection.prepare_cached(sql)?.query_map([table, key], ReplacedRow::read)?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NOW, ledger};
    use super::*;

    fn old(last: &str, run_id: &str) -> ReplacedRow {
        ReplacedRow {
            table: "futures_snapshots".into(),
            key: "ES 2026-11-20T15:05:00Z".into(),
            old_json: format!("{{\"last\":{last}}}"),
            run_id: run_id.into(),
            replaced_at: NOW,
        }
    }

    #[test]
    fn every_state_of_a_row_is_kept_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        assert_eq!(ledger.keep_replaced(&[old("1.0", "r1"), old("1.0", "r1")]).expect("kept"), 1);
        assert_eq!(ledger.keep_replaced(&[old("1.0", "r1"), old("2.0", "r2"), old("1.0", "r3")]).expect("kept"), 2);
        let kept = ledger.replaced("futures_snapshots", "ES 2026-11-20T15:05:00Z").expect("readable");
        assert_eq!(kept, [old("1.0", "r3"), old("2.0", "r2"), old("1.0", "r1")]);
        assert_eq!(ledger.replaced("spot_snapshots", "ES 2026-11-20T15:05:00Z").expect("readable"), []);
    }
}
