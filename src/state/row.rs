//! A row of the ledger: where a slot of a job stands, with the execution that tells why.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use super::stamp::Stamp;
use super::{RunState, Trigger};

/// How many rows of the tables met which fate in an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RowCounts {
    /// Rows added.
    pub added: u32,
    /// Rows that were there already.
    pub present: u32,
    /// Rows replaced, with `--force`.
    pub replaced: u32,
    /// Slots for which the gateway has no bar.
    pub without_data: u32,
}

/// Where a slot of a job stands. What an execution tells is of the newest one, or of the one that made the slot good
/// where later ones did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// The job.
    pub job: String,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// Where it stands.
    pub state: RunState,
    /// Why the execution took place; none where there was none.
    pub trigger: Option<Trigger>,
    /// Why it was skipped, missed or ended by others.
    pub reason: Option<String>,
    /// Attempts made in all executions that have ended.
    pub attempts: u32,
    /// The execution.
    pub run_id: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When the slot came to its state; none while it is planned or running.
    pub ended_at: Option<DateTime<Utc>>,
    /// When the schedule wanted it to start; none where only a person wanted it.
    pub due_at: Option<DateTime<Utc>>,
    /// What the execution did to the tables.
    #[serde(flatten)]
    pub counts: RowCounts,
    /// What went wrong in the execution.
    pub error: Option<String>,
    /// The exit code of the execution.
    pub exit_code: Option<u8>,
}

impl RunRow {
    /// Reads a row of the view `history`, or of `executions` with its columns.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let instant = |name| Ok::<_, rusqlite::Error>(row.get::<_, Option<Stamp>>(name)?.map(|Stamp(at)| at));
        let counts = RowCounts {
            added: row.get("added")?,
            present: row.get("present")?,
            replaced: row.get("replaced")?,
            without_data: row.get("without_data")?,
        };
        Ok(Self {
            job: row.get("job")?,
            slot: row.get::<_, Stamp>("slot")?.0,
            state: row.get("state")?,
            trigger: row.get("trigger")?,
            reason: row.get("reason")?,
            attempts: row.get("attempts")?,
            run_id: row.get("run_id")?,
            pid: row.get("pid")?,
            started_at: instant("started_at")?,
            ended_at: instant("ended_at")?,
            due_at: instant("due_at")?,
            counts,
            error: row.get("error")?,
            exit_code: row.get("exit_code")?,
        })
    }

    /// Whether what became of the slot is stamped later than now: it was done by a clock that was ahead, and whoever comes
    /// to the slot in time may do it again.
    #[must_use]
    pub fn is_of_a_clock_ahead(&self, now: DateTime<Utc>) -> bool {
        self.started_at.or(self.ended_at).is_some_and(|at| at > now)
    }

    /// The row of a slot.
    pub(super) fn find(connection: &Connection, job: &str, slot: DateTime<Utc>) -> rusqlite::Result<Option<Self>> {
        let mut statement = connection.prepare_cached("SELECT * FROM history WHERE job = ?1 AND slot = ?2")?;
        statement.query_row((job, Stamp(slot)), Self::read).optional()
    }
}
