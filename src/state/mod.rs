//! The ledger: what became of every slot of every job, in SQLite (`state/jobs.db`), shared by the daemon and by runs
//! made by hand. The only module that speaks to SQLite.
//!
//! Two tables tell the story. `runs` holds one row per (job, slot): where it stands. `executions` holds one row each
//! time a process took the slot up, by run id. The view `history` joins the two, and a person may query it
//! (`sqlite3 -readonly state/jobs.db 'select * from history'`). Instants are microseconds since 1970, UTC.
//!
//! Beside them stand what a person is to be told, and what was: `incidents`, `mails` (the outbox), `mutes`, and
//! `check_marks`, which every check leaves.
//!
//! What holds, whoever writes and whenever it is killed:
//!
//! * (job, slot) is unique, and at most one execution of it is running;
//! * a slot that is done or recovered never gets worse: where a rerun by hand fails, its execution keeps the error and
//!   the slot stays what it was, with the execution that made it so;
//! * an incident and the mails about it are written in one transaction, and of one key at most one is open;
//! * the first end of an execution stands, and what was told to be ended survives a power cut (WAL, every commit
//!   synced).
//!
//! Calls block, for [`BUSY_TIMEOUT_MS`] at most where another writer is at work: async code makes them in
//! `spawn_blocking`. Each call that changes several rows is one transaction. No call reads the clock.

mod alerts;
mod beginning;
mod daemon;
mod end;
mod error;
#[cfg(test)]
mod fixtures;
mod incident;
mod mail;
mod mark;
mod mute;
mod open;
mod pause;
mod plan;
mod query;
mod recipient;
mod replaced;
mod retention;
mod row;
mod run_state;
mod schema;
mod severity;
mod stamp;
mod start;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod transitions;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use alerts::{AlertChanges, AlertsBefore};
pub use beginning::Beginning;
pub use daemon::PreviousEnd;
pub use end::{End, PROCESS_DIED};
pub use error::{LedgerError, LedgerErrorClass};
pub use incident::{Incident, IncidentKey, IncidentState};
pub use mail::{Attempt, MailCounts, MailKind, NewMail, QueuedMail};
pub use mark::{CheckMark, CheckStatus, MARKS_KEPT_DAYS};
pub use mute::Mute;
pub use open::{BUSY_TIMEOUT_MS, Durability};
pub use pause::Pause;
pub use plan::{Entered, NotRun, Planned};
pub use query::{Accounting, HistoryQuery};
pub use recipient::{Held, Progress, Receipt, RecipientState, Unreached};
pub use replaced::ReplacedRow;
pub use row::{RowCounts, RunRow};
pub use run_state::{EndState, RunState, Trigger, UnknownRunState};
pub use severity::Severity;
pub use start::{Start, Started};

/// Longest reason or error that is stored, in bytes; the rest is in the log.
const MAX_TEXT_BYTES: usize = 4096;

/// The ledger; clones share one connection.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Ledger {
    /// Opens the ledger to write, and makes it where it is not there yet: file 0640, folder 0750, less the umask.
    ///
    /// # Errors
    /// Where it cannot be written, is damaged, or was made by a newer program.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::open_with(path, Durability::Synced)
    }

    /// The same, where the caller may prefer speed to what a power cut leaves; a simulation does.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_with(path: &Path, durability: Durability) -> Result<Self, LedgerError> {
        Ok(Self::over(path, open::to_write(path, durability)?))
    }

    /// Opens the ledger to read, and makes nothing: none where no run has been recorded.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, or was made by a newer program.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, LedgerError> {
        Ok(open::to_read(path)?.map(|connection| Self::over(path, connection)))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    fn over(path: &Path, connection: Connection) -> Self {
        Self(Arc::new(Shared { path: path.to_path_buf(), connection: Mutex::new(connection) }))
    }

    /// The connection. After a panic it is as good as before: a transaction that was under way has been rolled back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works without a transaction of its own; `operation` completes "cannot … the ledger".
    fn read<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        work(&self.connection()).map_err(|error| LedgerError::of(operation, self.path(), error))
    }

    /// Writes in one transaction, which takes the write lock at its start: it cannot fail half way for want of it.
    fn write<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.connection();
        let transact = || -> rusqlite::Result<T> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        transact().map_err(|error| LedgerError::of(operation, self.path(), error))
    }
}

/// The beginning of a text, as much of it as is stored.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(bounded("short"), "short");
        let long = "é".repeat(MAX_TEXT_BYTES) + "x";
        assert_eq!(bounded(&long).len(), MAX_TEXT_BYTES);
        assert_eq!(bounded(&format!("x{long}")).len(), MAX_TEXT_BYTES - 1);
    }
}
