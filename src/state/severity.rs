//! How bad something is that a person may have to be told.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

pub use crate::quality::Severity;

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
