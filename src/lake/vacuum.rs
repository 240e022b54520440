//! Deleting data files that were replaced, or that no commit names, longer ago than the table's retention.
//!
//! The library finds them; its own way of deleting them goes on over commits it has not looked at, one of which may name
//! a file it takes for an orphan, where the clocks of two hosts differ or a writer slept. Here an entry that announces the
//! deletion is the version after the one looked at, or none: whoever wrote a file before it finds his version taken and
//! writes another, and whoever committed a file first has the vacuum look again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::logstore::object_store::Error;
use deltalake::logstore::object_store::path::Path;
use deltalake::operations::vacuum::{Clock, VacuumMode};
use deltalake::protocol::DeltaOperation;
use deltalake::table::config::TablePropertiesExt;
use deltalake::{DeltaResult, DeltaTable};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use super::LakeError;
use super::commit::{self, MAX_ROUNDS};
use super::table::TableHandle;
use super::view::TableView;

/// What the log calls the entry that announces a deletion.
const BEGINNING: &str = "VACUUM START";

/// Deletes what the retention no longer keeps at an instant; hands back the newest snapshot and the number of files.
pub(super) async fn vacuum(
    handle: &Mutex<TableHandle>,
    mut view: TableView,
    now: DateTime<Utc>,
) -> Result<(TableView, usize), LakeError> {
    let path = view.path().to_path_buf();
    let failed = |error| LakeError::storage("tidy", &path, error);
    for round in 0..MAX_ROUNDS {
        let expired = expired(view.table().clone(), now).await.map_err(failed)?;
        if expired.is_empty() {
            return Ok((view, 0));
        }
        let mut locked = handle.lock().await;
        match announce(view.table()).await {
            Ok(table) => {
                drop(locked);
                let deleted = delete(&view, &table, expired).await.map_err(failed)?;
                // It tells those who read the history that the deletion came to its end; nothing depends on it.
                commit(&table, DeltaOperation::VacuumEnd { status: "COMPLETED".to_owned() }, FOLLOW)
                    .await
                    .map_err(failed)?;
                let newest = handle.lock().await.newest().await?;
                return Ok((newest.unwrap_or(view), deleted));
            }
            Err(error) if commit::is_lost_race(&error) => {}
            Err(error) => return Err(failed(error)),
        }
        if let Some(newest) = locked.newest().await? {
            view = newest;
        }
        drop(locked);
        commit::pause(round).await;
    }
    Err(LakeError::Conflict { table: view.name(), rounds: MAX_ROUNDS })
}

/// Whether a vacuum has announced itself after a version. An entry that is gone may have been one.
pub(super) async fn has_begun_since(view: &TableView, version: u64) -> Result<bool, LakeError> {
    let log = view.table().log_store();
    for version in version + 1..=view.version() {
        let entry = log.read_commit_entry(version).await;
        let entry = entry.map_err(|error| LakeError::storage("read", view.path(), error))?;
        let is_beginning = |entry: &[u8]| entry.windows(BEGINNING.len()).any(|window| window == BEGINNING.as_bytes());
        if entry.is_none_or(|entry| is_beginning(&entry)) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn expired(table: DeltaTable, now: DateTime<Utc>) -> DeltaResult<Vec<Path>> {
    let vacuum = table.vacuum().with_mode(VacuumMode::Full).with_clock(Arc::new(At(now))).with_dry_run(true);
    let (_, found) = vacuum.await?;
    found.files_deleted.iter().map(|path| Ok(Path::parse(path).map_err(Error::from)?)).collect()
}

/// Commits the beginning as the version after the one looked at, or not at all.
async fn announce(table: &DeltaTable) -> DeltaResult<DeltaTable> {
    let retention = table.snapshot()?.table_config().deleted_file_retention_duration();
    let operation = DeltaOperation::VacuumStart {
        retention_check_enabled: true,
        specified_retention_millis: None,
        default_retention_millis: i64::try_from(retention.as_millis()).unwrap_or(i64::MAX),
    };
    commit(table, operation, NEXT).await
}

/// Retries of a commit: as the next version or none, or after whatever came between.
const NEXT: usize = 0;
const FOLLOW: usize = 15;

async fn commit(table: &DeltaTable, operation: DeltaOperation, retries: usize) -> DeltaResult<DeltaTable> {
    let properties = CommitProperties::default().with_cleanup_expired_logs(Some(false)).with_max_retries(retries);
    let commit = CommitBuilder::from(properties).build(Some(table.snapshot()?), table.log_store(), operation);
    let committed = commit.await?;
    let mut table = table.clone();
    table.state = Some(committed.snapshot);
    Ok(table)
}

/// Deletes files of the table that was looked at. Should another be put in its place meanwhile, the rest stays: an older
/// state of it may need what the newer one does not.
async fn delete(view: &TableView, table: &DeltaTable, files: Vec<Path>) -> DeltaResult<usize> {
    let (store, mark, folder) = (table.object_store(), view.mark(), view.path().to_path_buf());
    let is_same = move |_: &Path| std::future::ready(mark.is_some_and(|mark| mark.stands(&folder)));
    let deleted = store.delete_stream(futures::stream::iter(files).take_while(is_same).map(Ok).boxed());
    // What is gone already was another's to delete.
    let deleted = deleted.filter(|done| std::future::ready(!matches!(done, Err(Error::NotFound { .. }))));
    Ok(deleted.try_collect::<Vec<_>>().await?.len())
}

/// The instant of a vacuum.
#[derive(Debug)]
struct At(DateTime<Utc>);

impl Clock for At {
    fn current_timestamp_millis(&self) -> i64 {
        self.0.timestamp_millis()
    }
}
