//! How values stand in columns: instants as microseconds since 1970 UTC, states and triggers as their names.

use chrono::{DateTime, Utc};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use super::{RunState, Trigger};

/// An instant in a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp(pub(super) DateTime<Utc>);

impl ToSql for Stamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.timestamp_micros().into())
    }
}

impl FromSql for Stamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let micros = value.as_i64()?;
        DateTime::from_timestamp_micros(micros).map(Self).ok_or(FromSqlError::OutOfRange(micros))
    }
}

impl ToSql for RunState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for RunState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for Trigger {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Trigger {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        let unknown = || FromSqlError::Other(format!("unknown trigger {name:?}").into());
        Trigger::ALL.into_iter().find(|trigger| trigger.as_str() == name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::fixtures::slot;
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let connection = Connection::open_in_memory().expect("memory");
        let Stamp(back) = connection.query_row("SELECT ?1", [Stamp(slot(7))], |row| row.get(0)).expect("an instant");
        assert_eq!(back, slot(7));
        for trigger in Trigger::ALL {
            let back: Trigger = connection.query_row("SELECT ?1", [trigger], |row| row.get(0)).expect("a trigger");
            assert_eq!(back, trigger);
        }
        for state in RunState::ALL {
            let back: RunState = connection.query_row("SELECT ?1", [state], |row| row.get(0)).expect("a state");
            assert_eq!(back, state);
        }
    }

    #[test]
    fn what_nobody_can_have_stored_is_an_error() {
        let connection = Connection::open_in_memory().expect("memory");
        assert!(connection.query_row("SELECT 'gone'", [], |row| row.get::<_, RunState>(0)).is_err());
        assert!(connection.query_row("SELECT 'gone'", [], |row| row.get::<_, Trigger>(0)).is_err());
        assert!(connection.query_row("SELECT ?1", [i64::MAX], |row| row.get::<_, Stamp>(0)).is_err());
    }
}
