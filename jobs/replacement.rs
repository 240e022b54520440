//! Replacing rows by `--force`: noted in the ledger as pending, committed, marked as done. Killed between two of these, a
//! run leaves a pending note, which the next replacement or compaction settles by what stands in the table.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::clock::SharedClock;
use crate::job::{Context, Counts, Failure, JobError};
use crate::lake::{Lake, LakeError, Leaving, NotesReplaced, Replaced, RowQuery, TableName};
use crate::state::{Ledger, LedgerError, LedgerErrorClass, NotedRow, ReplacementNote};

/// A replacement of rows in one table.
pub(super) struct Replacement {
    /// The lake that notes what is replaced in it.
    pub(super) lake: Lake,
    notes: Arc<Notes>,
}

impl Replacement {
    /// Begins one; without a ledger there is nowhere to keep the rows that give way, so it is refused.
    pub(super) fn begin(context: &Context) -> Result<Self, JobError> {
        let Some(ledger) = context.ledger.clone() else {
            let path = context.config.paths.ledger();
            let reason = format!(
                "--force keeps the rows it replaces in the ledger {}, which could not be opened, so nothing was replaced: \
                 jobs doctor says why",
                path.display()
            );
            return Err(JobError::fail(Failure::Misconfigured, reason));
        };
        let (run_id, clock) = (context.run_id.clone(), context.clock.clone());
        let notes = Arc::new(Notes { ledger, run_id, clock, last: Mutex::default() });
        Ok(Self { lake: context.lake.noting(notes.clone()), notes })
    }

    /// Marks the rows as replaced, and counts them. Where the ledger cannot be written the note stays pending: the commit
    /// stands, and the note is settled later.
    pub(super) async fn done<R>(&self, replaced: Result<Replaced<R>, LakeError>) -> Result<Counts, JobError> {
        let replaced = replaced.map_err(refused)?;
        let note = self.notes.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(note) = note.filter(|_| replaced.written > 0) {
            let ledger = self.notes.ledger.clone();
            if let Err(error) = in_background(move || ledger.confirm_replacement(&note)).await {
                tracing::warn!(error = %crate::job::chain(&error), "rows were replaced and their note stays pending");
            }
        }
        let old = replaced.old.len();
        Ok(Counts { added: replaced.written - old, replaced: old, ..Counts::default() })
    }
}

/// Settles what killed runs left pending, by the rows that stand now.
pub(super) async fn settle(lake: &Lake, ledger: &Ledger, table: TableName) -> Result<(), JobError> {
    let reader = ledger.clone();
    let keys = in_background(move || reader.pending_replacements(table.as_str())).await?;
    if keys.is_empty() {
        return Ok(());
    }
    // Read before the rows: a commit in between only leaves a note pending for the next time.
    let Some(version) = lake.newest_version(table).await? else { return Ok(()) };
    let mut standing = BTreeMap::new();
    for key in keys {
        let mut words = key.splitn(3, ' ');
        let symbol = words.next().and_then(|symbol| symbol.parse().ok());
        let at = words.next().and_then(|at| at.parse().ok());
        let (Some(symbol), Some(at)) = (symbol, at) else { continue };
        let query = RowQuery { symbol: Some(symbol), from: Some(at), to: Some(at), ..RowQuery::default() };
        standing.extend(lake.rows(table, &query).await?.by_key(table));
    }
    let ledger = ledger.clone();
    Ok(in_background(move || ledger.settle_replacements(table.as_str(), version, &standing)).await?)
}

/// A ledger that cannot take the note fails the run as it would by itself, with what it means for the rows.
fn refused(error: LakeError) -> JobError {
    let class = match &error {
        LakeError::NotKept { source, .. } => source.downcast_ref::<LedgerError>().map(LedgerError::class),
        _ => None,
    };
    match class {
        Some(LedgerErrorClass::Busy) => JobError::fail(Failure::Locked, error),
        Some(LedgerErrorClass::Configuration) => JobError::fail(Failure::Misconfigured, error),
        _ => error.into(),
    }
}

/// Notes rows in the ledger, before they are replaced.
struct Notes {
    ledger: Ledger,
    run_id: String,
    clock: SharedClock,
    /// The newest note, which is to be marked as done.
    last: Mutex<Option<ReplacementNote>>,
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").field("run_id", &self.run_id).finish_non_exhaustive()
    }
}

#[async_trait]
impl NotesReplaced for Notes {
    async fn note(&self, leaving: Leaving) -> Result<(), Box<dyn Error + Send + Sync>> {
        let row =
            |row: crate::lake::LeavingRow| NotedRow { key: row.key, old_json: row.old_json, new_json: row.new_json };
        let note = ReplacementNote {
            table: leaving.table.to_string(),
            run_id: self.run_id.clone(),
            base_version: leaving.base_version,
            lost_version: leaving.lost_version,
            noted_at: self.clock.now(),
            rows: leaving.rows.into_iter().map(row).collect(),
        };
        let (ledger, noted) = (self.ledger.clone(), note.clone());
        in_background(move || ledger.note_replacement(&noted)).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
        Ok(())
    }
}

/// Calls of the ledger block.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
