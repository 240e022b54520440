//! How bad something is that a person may have to be told.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// How bad an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing in the morning.
    Warn,
    /// Data is lost or wrong.
    Error,
    /// Nothing works until a person acts.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Error, Self::Critical];

    /// Its name in the ledger and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ToSql for Severity {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Severity {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        named(value, "severity", (Self::ALL, Self::as_str))
    }
}

/// One of several values by the name in a column.
pub(super) fn named<T: Copy, const N: usize>(
    value: ValueRef<'_>,
    what: &str,
    (all, name_of): ([T; N], impl Fn(T) -> &'static str),
) -> FromSqlResult<T> {
    let name = value.as_str()?;
    let unknown = || FromSqlError::Other(format!("unknown {what} {name:?}").into());
    all.into_iter().find(|one| name_of(*one) == name).ok_or_else(unknown)
}
