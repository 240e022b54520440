//! Compaction: many small files of a partition become one, and no row changes.
//!
//! The library's own way doubles every row where two of them run at once, so this is another: the new files are written
//! first, visible to nobody, and one commit then takes the old files out and the new ones in. That commit is made only on
//! a snapshot in which every old file still is, and fails if anything was committed since; then the newest snapshot is
//! looked at again. So an append in between costs another look and not the work, and of two compactions, or of a
//! compaction and a replacement of the same rows, the second gives up. The commit carries the token of all writers, which
//! keeps it apart from a replacement that was decided before it. Whatever is killed on the way leaves files that no commit
//! names, which vacuum takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::prelude::col;
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add};
use deltalake::logstore::object_store::ObjectStoreExt;
use deltalake::logstore::object_store::path::Path;
use deltalake::protocol::DeltaOperation;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use tokio::sync::Mutex;

use super::columns::{KeyColumns, plain};
use super::commit::{self, MAX_ROUNDS};
use super::compaction_plan::{CompactionPlan, Group, groups};
use super::data_file::read_sorted;
use super::direct;
use super::error::Cause;
use super::schema::{arrow_schema, instant_column};
use super::session::Reach;
use super::table::TableHandle;
use super::vacuum;
use super::view::TableView;
use super::{LakeError, TableName};

/// What the log says a compaction aimed at, in bytes.
const TARGET_BYTES: i64 = 8 * 1024 * 1024;

/// Steps of one compaction; each rewrites thousands of files where so many have piled up.
const MAX_STEPS: usize = 100;

/// What a compaction came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Files that gave way.
    pub files_removed: usize,
    /// Files in their place.
    pub files_added: usize,
    /// Bytes that gave way.
    pub bytes_removed: u64,
    /// Bytes in their place.
    pub bytes_added: u64,
    /// Rows rewritten.
    pub rows: usize,
    /// The version of the last commit; none where nothing was done.
    pub version: Option<u64>,
    /// Whether another writer replaced the same files first, so that something may be left to do.
    pub gave_up: bool,
}

/// Files to be put in the place of others.
pub(super) struct Rewritten {
    old: Vec<Group>,
    new: Vec<Add>,
    /// The version looked at before the new files were written.
    base: u64,
}

/// What a compaction would do now.
pub(super) async fn plan(name: TableName, handle: &Mutex<TableHandle>) -> Result<CompactionPlan, LakeError> {
    let Some(view) = handle.lock().await.newest().await? else { return Ok(CompactionPlan::nothing(name)) };
    let planned = groups(view.table()).and_then(|groups| CompactionPlan::of(name, view.table(), &groups));
    planned.map_err(|source| LakeError::storage("read", view.path(), source))
}

/// Compacts until nothing is left to do, or another was first.
pub(super) async fn compact(handle: &Mutex<TableHandle>) -> Result<Compacted, LakeError> {
    let mut compacted = Compacted::default();
    for _ in 0..MAX_STEPS {
        // The lock is held to look and to commit only: appends of this process go on beside the work between.
        let Some(view) = handle.lock().await.newest().await? else { break };
        let Some(rewritten) = rewrite(&view).await? else { break };
        let Some(version) = replace(handle, &rewritten).await? else {
            compacted.gave_up = true;
            break;
        };
        compacted.add(&rewritten, version);
    }
    Ok(compacted)
}

impl Compacted {
    fn add(&mut self, rewritten: &Rewritten, version: u64) {
        let bytes =
            |adds: &mut dyn Iterator<Item = Add>| adds.map(|add| u64::try_from(add.size).unwrap_or(0)).sum::<u64>();
        self.files_removed += rewritten.old.iter().map(|group| group.paths().count()).sum::<usize>();
        self.files_added += rewritten.new.len();
        self.bytes_removed += bytes(&mut rewritten.old.iter().flat_map(Group::adds));
        self.bytes_added += bytes(&mut rewritten.new.iter().cloned());
        self.rows += rewritten.old.iter().map(|group| group.rows).sum::<usize>();
        self.version = Some(version);
    }
}

/// Writes the new files, which nobody sees yet; none where there is nothing to do.
pub(super) async fn rewrite(view: &TableView) -> Result<Option<Rewritten>, LakeError> {
    let failed = |source| LakeError::storage("compact", view.path(), source);
    let old = groups(view.table()).map_err(failed)?;
    let mut new = Vec::new();
    if let Err(error) = write_anew(view, &old, &mut new).await {
        abandon(view, &new).await;
        return Err(error);
    }
    Ok((!old.is_empty()).then_some(Rewritten { old, new, base: view.version() }))
}

/// Deletes files that no commit will name. On a full disk they would take what room there comes to be, at each attempt.
async fn abandon(view: &TableView, files: &[Add]) {
    let store = view.table().object_store();
    for path in files.iter().filter_map(|add| Path::parse(&add.path).ok()) {
        if let Err(error) = store.delete(&path).await {
            tracing::debug!(table = %view.name(), %path, %error, "left to the next vacuum");
        }
    }
}

async fn write_anew(view: &TableView, old: &[Group], new: &mut Vec<Add>) -> Result<(), LakeError> {
    let failed = |source| LakeError::storage("compact", view.path(), source);
    let is_plain = direct::is_plain(view.name(), view.table()).map_err(|error| failed(error.into()))?;
    // One after the other, so that one group at a time is in memory.
    for group in old {
        let batches = if is_plain { read_files(view, group).await } else { read(view, group).await };
        let batches = batches.map_err(failed)?;
        check_rows(view, group, &batches)?;
        let written = if is_plain { write_plain(view, &batches).await } else { write(view, batches).await };
        let mut written = written.map_err(|error| failed(error.into()))?;
        for add in &mut written {
            add.data_change = false;
        }
        check_written(view, group, &written)?;
        new.extend(written);
    }
    Ok(())
}

/// The rows of exactly these files, by instant, of a table that demands nothing.
async fn read_files(view: &TableView, group: &Group) -> Result<Vec<RecordBatch>, Cause> {
    let (folder, schema) = (view.path().to_path_buf(), arrow_schema(view.name()));
    let (paths, partition) = (group.paths().collect::<Vec<_>>(), group.partition.clone());
    let reading = tokio::task::spawn_blocking(move || read_sorted(&folder, (&paths, &partition), &schema));
    Ok(vec![reading.await??])
}

/// The rows of exactly these files, by instant, by way of the engine.
async fn read(view: &TableView, group: &Group) -> Result<Vec<RecordBatch>, Cause> {
    let session = view.sessions().of(Reach::Wide);
    let state = Arc::new(session.state());
    view.table().update_datafusion_session(state.as_ref())?;
    let provider = view.table().table_provider().with_session(state).with_adds(group.adds()).await?;
    let batches =
        session.read_table(provider)?.sort(vec![col(instant_column(view.name())).sort(true, false)])?.collect().await?;
    Ok(batches.iter().map(|batch| plain(view.name(), batch)).collect::<Result<_, _>>()?)
}

/// As many rows as the log says, and each key once: they are of one symbol.
fn check_rows(view: &TableView, group: &Group, batches: &[RecordBatch]) -> Result<(), LakeError> {
    let (mut num_rows, mut keys) = (0, BTreeSet::new());
    for batch in batches {
        let columns = KeyColumns::of(view.name(), batch)?;
        for row in 0..batch.num_rows() {
            num_rows += 1;
            let key = columns.texts(row)?;
            if !keys.insert(key) {
                return Err(miscounted(view, format!("{} has two rows at {}", key.0, key.1)));
            }
        }
    }
    if num_rows == group.rows { Ok(()) } else { Err(miscounted(view, counts(num_rows, group))) }
}

fn check_written(view: &TableView, group: &Group, written: &[Add]) -> Result<(), LakeError> {
    let rows_of = |add: &Add| Some(usize::try_from(add.get_stats().ok()??.num_records).unwrap_or(0));
    let num_rows = written.iter().map(rows_of).sum::<Option<usize>>().unwrap_or(0);
    if num_rows == group.rows { Ok(()) } else { Err(miscounted(view, counts(num_rows, group))) }
}

fn counts(num_rows: usize, group: &Group) -> String {
    format!("{num_rows} rows where the log says {}", group.rows)
}

fn miscounted(view: &TableView, reason: String) -> LakeError {
    LakeError::Miscounted { path: view.path().to_path_buf(), reason }
}

async fn write_plain(view: &TableView, batches: &[RecordBatch]) -> Result<Vec<Add>, DeltaTableError> {
    let mut writer = direct::writer(view.name(), view.table(), commit::compacted_file_properties())?;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.close().await
}

async fn write(view: &TableView, batches: Vec<RecordBatch>) -> Result<Vec<Add>, DeltaTableError> {
    let mut writer =
        RecordBatchWriter::for_table(view.table())?.with_writer_properties(commit::compacted_file_properties());
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.flush().await
}

/// Puts the new files in the place of the old ones; none where an old one is no longer there.
pub(super) async fn replace(handle: &Mutex<TableHandle>, rewritten: &Rewritten) -> Result<Option<u64>, LakeError> {
    for round in 0..MAX_ROUNDS {
        {
            let mut handle = handle.lock().await;
            let Some(view) = handle.newest().await? else { return Ok(None) };
            // A vacuum that has begun since may be about to take the new files, should its clock be ahead of ours.
            if !rewritten.still_stands(&view)? || vacuum::has_begun_since(&view, rewritten.base).await? {
                return Ok(None);
            }
            match commit_on(&view, rewritten).await? {
                Ok(version) => {
                    handle.keep_compacted(&view, version, rewritten).await;
                    return Ok(Some(version));
                }
                Err(error) if commit::is_lost_race(&error) => {}
                Err(error) => return committed_all_the_same(&mut handle, rewritten, error).await.map(Some),
            }
        }
        commit::pause(round).await;
    }
    Ok(None)
}

/// The commit may stand all the same: the error can come from the work after it.
async fn committed_all_the_same(
    handle: &mut TableHandle,
    rewritten: &Rewritten,
    error: DeltaTableError,
) -> Result<u64, LakeError> {
    let path = handle.path().to_path_buf();
    let failed = LakeError::storage("compact", &path, error);
    let Ok(Some(view)) = handle.newest().await else { return Err(failed) };
    let Ok(active) = active_paths(&view) else { return Err(failed) };
    if !rewritten.new.iter().all(|add| active.contains(&add.path)) {
        return Err(failed);
    }
    tracing::warn!(table = %view.name(), error = %failed, "the files were replaced, but work after the commit failed");
    Ok(view.version())
}

impl Rewritten {
    /// The paths of the old files by partition.
    pub(super) fn old_paths(&self) -> impl Iterator<Item = (String, Vec<String>)> {
        self.old.iter().map(|group| (group.partition.clone(), group.paths().collect()))
    }

    /// The new files.
    pub(super) fn new_files(&self) -> &[Add] {
        &self.new
    }

    /// Whether every old file is in the table still, and every new one on the disk: a process that slept for a day may
    /// find that another's vacuum took what no commit named.
    fn still_stands(&self, view: &TableView) -> Result<bool, LakeError> {
        let active = active_paths(view)?;
        let is_there = |add: &Add| view.path().join(&add.path).is_file();
        Ok(self.old.iter().flat_map(Group::paths).all(|path| active.contains(&path)) && self.new.iter().all(is_there))
    }
}

fn active_paths(view: &TableView) -> Result<BTreeSet<String>, LakeError> {
    let state = view.table().snapshot().map_err(|error| LakeError::storage("read", view.path(), error))?;
    Ok(state.log_data().iter().map(|file| file.path().into_owned()).collect())
}

/// One commit on exactly this snapshot, as the next version or not at all; the inner error is the commit's.
///
/// Never on top of a commit this process has not looked at: the library's own check lets two compactions pass.
async fn commit_on(view: &TableView, rewritten: &Rewritten) -> Result<Result<u64, DeltaTableError>, LakeError> {
    let properties = commit::properties(view).await?;
    let removes = rewritten.old.iter().flat_map(Group::removes).map(Action::Remove);
    let actions = removes.chain(rewritten.new.iter().cloned().map(Action::Add)).collect();
    let operation = DeltaOperation::Optimize { predicate: None, target_size: TARGET_BYTES };
    let commit = CommitBuilder::from(properties).with_actions(actions);
    Ok(direct::commit_next((view.table(), view.version()), commit, operation).await)
}
