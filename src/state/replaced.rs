//! Rows of the tables that `--force` replaced: kept here as they were, for good.
//!
//! A row is noted as pending before the commit that replaces it, and the note is marked as done after it. A process
//! killed in between leaves a pending note, which is settled later by what stands in the table: the new row, and the
//! commit took place; the old one in a later version, and it never will. Of the notes made on one version one commit at
//! most took place, since a version is committed once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rusqlite::{Row, Transaction, params};
use serde::Serialize;

use super::stamp::Stamp;
use super::{Ledger, LedgerError, schema};

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

/// Rows that are about to be replaced in one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacementNote {
    /// Their table.
    pub table: String,
    /// The run that replaces them.
    pub run_id: String,
    /// The version of the table that the replacement is decided on; its commit is the next one.
    pub base_version: u64,
    /// The version that an earlier try of the same replacement was decided on, whose commit did not take place.
    pub lost_version: Option<u64>,
    /// When.
    pub noted_at: DateTime<Utc>,
    /// The rows.
    pub rows: Vec<NotedRow>,
}

/// A row that is about to be replaced, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedRow {
    /// Its key, such as `ES 2026-11-20T15:05:00Z`.
    pub key: String,
    /// As it stands.
    pub old_json: String,
    /// As it will stand.
    pub new_json: String,
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
    /// Notes rows before they are replaced; what is pending of the same keys is settled first.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then none is noted, and none may be replaced.
    pub fn note_replacement(&self, note: &ReplacementNote) -> Result<(), LedgerError> {
        self.write("keep replaced rows in", |transaction| {
            let standing = note.rows.iter().map(|row| (row.key.clone(), row.old_json.clone())).collect();
            void_lost(transaction, note)?;
            settle(transaction, &note.table, note.base_version, &standing)?;
            let mut statement = transaction.prepare_cached(
                "INSERT INTO replaced_rows
                     (table_name, row_key, old_json, run_id, replaced_at, state, new_json, base_version)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7)
                 ON CONFLICT (table_name, row_key, run_id, old_json) DO UPDATE SET
                     state = 'pending', new_json = excluded.new_json, base_version = excluded.base_version
                     WHERE state <> 'done'",
            )?;
            for row in &note.rows {
                let (at, base) = (Stamp(note.noted_at), sql_version(note.base_version));
                let NotedRow { key, old_json, new_json } = row;
                statement.execute(params![note.table, key, old_json, note.run_id, at, new_json, base])?;
            }
            Ok(())
        })
    }

    /// Marks a note as done, after its commit. What others noted on the same version did not take place.
    ///
    /// # Errors
    /// Where the ledger cannot be written; the note stays pending then, and is settled later.
    pub fn confirm_replacement(&self, note: &ReplacementNote) -> Result<(), LedgerError> {
        self.write("confirm replaced rows in", |transaction| {
            let base = sql_version(note.base_version);
            transaction.execute(
                "UPDATE replaced_rows SET state = 'done'
                 WHERE table_name = ?1 AND run_id = ?2 AND base_version = ?3 AND state <> 'done'",
                params![note.table, note.run_id, base],
            )?;
            transaction.execute(
                "UPDATE replaced_rows SET state = 'void'
                 WHERE table_name = ?1 AND base_version = ?2 AND state = 'pending'",
                params![note.table, base],
            )?;
            Ok(())
        })
    }

    /// Keys of a table with notes whose commit nobody has confirmed.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn pending_replacements(&self, table: &str) -> Result<Vec<String>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT DISTINCT row_key FROM replaced_rows WHERE table_name = ?1 AND state = 'pending'";
            connection.prepare_cached(sql)?.query_map([table], |row| row.get(0))?.collect()
        })
    }

    /// Settles pending notes of a table by the rows that stand in a version of it, JSON by key.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn settle_replacements(
        &self,
        table: &str,
        version: u64,
        standing: &BTreeMap<String, String>,
    ) -> Result<(), LedgerError> {
        self.write("settle replaced rows in", |transaction| settle(transaction, table, version, standing))
    }

    /// How many replaced rows are kept.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn num_replaced(&self) -> Result<u32, LedgerError> {
        let sql = "SELECT count(*) FROM replaced_rows WHERE state = 'done'";
        self.read("read", |connection| connection.query_row(sql, [], |row| row.get(0)))
    }

    /// What a row of a table has been, newest first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn replaced(&self, table: &str, key: &str) -> Result<Vec<ReplacedRow>, LedgerError> {
        self.read("read", |connection| {
            // A ledger that is only read may be an earlier program's, which kept a row after its replacement.
            let is_done = if schema::version(connection)? >= schema::WITH_NOTES { "state = 'done'" } else { "TRUE" };
            let sql = format!(
                "SELECT * FROM replaced_rows WHERE table_name = ?1 AND row_key = ?2 AND {is_done}
                 ORDER BY replaced_at DESC, rowid DESC"
            );
            connection.prepare_cached(&sql)?.query_map([table, key], ReplacedRow::read)?.collect()
        })
    }
}

/// An earlier try whose commit was refused, or that left the table at the version it was decided on.
fn void_lost(transaction: &Transaction<'_>, note: &ReplacementNote) -> rusqlite::Result<()> {
    let (base, lost) = (sql_version(note.base_version), note.lost_version.map(sql_version));
    let sql = "UPDATE replaced_rows SET state = 'void'
               WHERE table_name = ?1 AND run_id = ?2 AND base_version IN (?3, ?4) AND state = 'pending'";
    transaction.execute(sql, params![note.table, note.run_id, base, lost]).map(drop)
}

fn settle(
    transaction: &Transaction<'_>,
    table: &str,
    version: u64,
    standing: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let sql = "SELECT rowid, row_key, old_json, new_json, base_version FROM replaced_rows
               WHERE table_name = ?1 AND state = 'pending' ORDER BY rowid";
    let mut select = transaction.prepare_cached(sql)?;
    let pending: Vec<Pending> = select.query_map([table], Pending::read)?.collect::<Result<_, _>>()?;
    for note in pending {
        let Some(now) = standing.get(&note.key) else { continue };
        let state = match now {
            now if note.new_json.as_ref() == Some(now) => "done",
            now if note.base_version < sql_version(version) && note.old_json == *now => "void",
            _ => continue,
        };
        let sql = "UPDATE replaced_rows SET state = ?2 WHERE rowid = ?1 AND state = 'pending'";
        if transaction.execute(sql, params![note.id, state])? == 1 && state == "done" {
            let sql = "UPDATE replaced_rows SET state = 'void'
                       WHERE table_name = ?1 AND row_key = ?2 AND base_version = ?3 AND state = 'pending'";
            transaction.execute(sql, params![table, note.key, note.base_version])?;
        }
    }
    Ok(())
}

/// A note whose commit nobody has confirmed.
struct Pending {
    id: i64,
    key: String,
    old_json: String,
    new_json: Option<String>,
    base_version: i64,
}

impl Pending {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("rowid")?,
            key: row.get("row_key")?,
            old_json: row.get("old_json")?,
            new_json: row.get("new_json")?,
            base_version: row.get("base_version")?,
        })
    }
}

fn sql_version(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NOW, ledger};
    use super::*;

    const TABLE: &str = "futures_snapshots";
    const KEY: &str = "ES 2026-11-20T15:05:00Z";

    fn note(run_id: &str, base_version: u64, prices: [&str; 2]) -> ReplacementNote {
        let [old_json, new_json] = prices.map(|price| format!("{{\"last\":{price}}}"));
        ReplacementNote {
            table: TABLE.into(),
            run_id: run_id.into(),
            base_version,
            lost_version: None,
            noted_at: NOW,
            rows: vec![NotedRow { key: KEY.into(), old_json, new_json }],
        }
    }

    fn replace(ledger: &Ledger, note: &ReplacementNote) {
        ledger.note_replacement(note).expect("noted");
        ledger.confirm_replacement(note).expect("confirmed");
    }

    fn settle_by(ledger: &Ledger, version: u64, price: &str) {
        let standing = BTreeMap::from([(KEY.to_owned(), format!("{{\"last\":{price}}}"))]);
        ledger.settle_replacements(TABLE, version, &standing).expect("settled");
    }

    /// The run and the old price of each replacement, newest first.
    fn replaced(ledger: &Ledger) -> Vec<(String, String)> {
        let rows = ledger.replaced(TABLE, KEY).expect("readable");
        rows.into_iter().map(|row| (row.run_id, row.old_json)).collect()
    }

    fn old(run_id: &str, price: &str) -> (String, String) {
        (run_id.to_owned(), format!("{{\"last\":{price}}}"))
    }

    fn num_pending(ledger: &Ledger) -> usize {
        ledger.pending_replacements(TABLE).expect("readable").len()
    }

    #[test]
    fn every_state_of_a_row_is_kept_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        replace(&ledger, &note("r1", 1, ["1.0", "2.0"]));
        replace(&ledger, &note("r1", 1, ["1.0", "2.0"]));
        assert_eq!(replaced(&ledger), [old("r1", "1.0")]);
        replace(&ledger, &note("r2", 2, ["2.0", "1.0"]));
        replace(&ledger, &note("r3", 3, ["1.0", "4.0"]));
        assert_eq!(replaced(&ledger), [old("r3", "1.0"), old("r2", "2.0"), old("r1", "1.0")]);
        assert_eq!(ledger.replaced("spot_snapshots", KEY).expect("readable"), []);
    }

    #[test]
    fn a_pending_note_counts_once_its_commit_is_seen_and_not_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.note_replacement(&note("r1", 7, ["1.0", "2.0"])).expect("noted");
        settle_by(&ledger, 7, "1.0");
        assert_eq!((replaced(&ledger), num_pending(&ledger)), (Vec::new(), 1), "it may still be committed");
        settle_by(&ledger, 8, "2.0");
        assert_eq!((replaced(&ledger), num_pending(&ledger)), (vec![old("r1", "1.0")], 0));
    }

    #[test]
    fn a_note_whose_version_another_commit_took_is_void() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.note_replacement(&note("r1", 7, ["1.0", "2.0"])).expect("noted");
        settle_by(&ledger, 8, "1.0");
        assert_eq!((replaced(&ledger), num_pending(&ledger)), (Vec::new(), 0));
    }

    #[test]
    fn the_same_replacement_by_a_later_run_counts_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.note_replacement(&note("killed", 7, ["1.0", "2.0"])).expect("noted");
        replace(&ledger, &note("again", 7, ["1.0", "2.0"]));
        settle_by(&ledger, 8, "2.0");
        assert_eq!((replaced(&ledger), num_pending(&ledger)), (vec![old("again", "1.0")], 0));
    }

    #[test]
    fn two_killed_runs_of_one_version_count_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        for run_id in ["one", "two"] {
            ledger.note_replacement(&note(run_id, 7, ["1.0", "2.0"])).expect("noted");
        }
        settle_by(&ledger, 8, "2.0");
        assert_eq!((replaced(&ledger).len(), num_pending(&ledger)), (1, 0));
    }

    #[test]
    fn a_try_that_lost_its_version_is_noted_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.note_replacement(&note("r1", 7, ["1.0", "9.0"])).expect("noted");
        let again = ReplacementNote { lost_version: Some(7), ..note("r1", 8, ["3.0", "9.0"]) };
        replace(&ledger, &again);
        assert_eq!((replaced(&ledger), num_pending(&ledger)), (vec![old("r1", "3.0")], 0));
    }

    #[test]
    fn the_note_of_a_later_replacement_settles_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.note_replacement(&note("killed", 7, ["1.0", "2.0"])).expect("noted");
        replace(&ledger, &note("later", 8, ["2.0", "3.0"]));
        assert_eq!(replaced(&ledger), [old("later", "2.0"), old("killed", "1.0")]);
    }
}
