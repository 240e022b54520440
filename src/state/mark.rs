//! Marks of the checks: what each one came to, so that a check that was not made can be told from one that passed.

use chrono::{DateTime, Utc};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, Transaction, params};
use serde::Serialize;

use super::severity::named;
use super::stamp::Stamp;
use super::{Ledger, LedgerError};

/// Days for which marks are kept: a month and a little.
pub const MARKS_KEPT_DAYS: i64 = 35;

pub use crate::quality::Status as CheckStatus;

impl ToSql for CheckStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for CheckStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        named(value, "status of a check", (Self::ALL, Self::as_str))
    }
}

/// That a check was made, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckMark {
    /// The check.
    pub check: String,
    /// The table.
    pub table: String,
    /// The symbol or group.
    pub subject: String,
    /// The slot that it was made for.
    pub slot: DateTime<Utc>,
    /// The run that made it.
    pub run_id: String,
    /// What it came to.
    pub status: CheckStatus,
    /// When it was made.
    pub looked_at: DateTime<Utc>,
}

impl CheckMark {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (Stamp(slot), Stamp(looked_at)) = (row.get("slot")?, row.get("looked_at")?);
        Ok(Self {
            check: row.get("check_name")?,
            table: row.get("table_name")?,
            subject: row.get("subject")?,
            slot,
            run_id: row.get("run_id")?,
            status: row.get("status")?,
            looked_at,
        })
    }

    /// Writes it; a later look at the same slot replaces an earlier one.
    pub(super) fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let sql =
            "INSERT OR REPLACE INTO check_marks (check_name, table_name, subject, slot, run_id, status, looked_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let Self { check, table, subject, slot, run_id, status, looked_at } = self;
        let values = params![check, table, subject, Stamp(*slot), run_id, status, Stamp(*looked_at)];
        transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

impl Ledger {
    /// The marks that were left since an instant, oldest first; of one check where one is named.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn check_marks(&self, check: Option<&str>, since: DateTime<Utc>) -> Result<Vec<CheckMark>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM check_marks WHERE looked_at >= ?1 AND (?2 IS NULL OR check_name = ?2)
                       ORDER BY looked_at, check_name, table_name, subject, slot";
            connection.prepare_cached(sql)?.query_map(params![Stamp(since), check], CheckMark::read)?.collect()
        })
    }
}
