//! What a table needs besides compaction: files nobody needs any more deleted, a checkpoint, a short log.
//!
//! All of it goes by the table's own retention and is safe beside writers: what is deleted was replaced, or left behind by
//! a killed writer, long before anyone still at work began.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake::logstore::object_store::Error as ObjectStoreError;
use deltalake::table::config::TablePropertiesExt;
use deltalake::{DeltaTable, DeltaTableError};
use tokio::sync::Mutex;

use super::damage;
use super::error::Cause;
use super::sweep::sweep;
use super::table::TableHandle;
use super::{LakeError, commit, vacuum};

/// A staging file this old belongs to no writer at work.
const LEFTOVER_AGE: TimeDelta = TimeDelta::days(1);

/// What was tidied up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tidied {
    /// Properties that an earlier program gave no value or another.
    pub properties_set: usize,
    /// Data files deleted: replaced ones, and those that no commit ever named.
    pub files_deleted: usize,
    /// Staging files of killed writers deleted.
    pub leftovers_deleted: usize,
    /// Entries of the log deleted.
    pub log_entries_deleted: usize,
    /// The version a checkpoint was written for; none where there was one.
    pub checkpoint: Option<u64>,
}

/// Tidies a table up; an absent one is tidy.
pub(super) async fn tidy(handle: &Mutex<TableHandle>, now: DateTime<Utc>) -> Result<Tidied, LakeError> {
    let Some(view) = handle.lock().await.newest().await? else { return Ok(Tidied::default()) };
    let path = view.path().to_path_buf();
    let failed = |source: Cause| LakeError::storage("tidy", &path, source);
    check_apart(path.clone()).await?;
    let (view, properties_set) = handle.lock().await.kept(view).await?;
    let (view, files_deleted) = vacuum::vacuum(handle, view, now).await?;
    let table = view.table().clone();
    let checkpoint = checkpoint(&table, &path).await.map_err(|error| failed(error.into()))?;
    // Before the log: what a killed writer left of a checkpoint must not be taken for one there.
    // And after it is known that the newest entry and with it the checkpoint's name are on the disk.
    commit::confirm(&view).await?;
    let leftovers_deleted = sweep_apart(path.clone(), now - LEFTOVER_AGE).await.map_err(failed)?;
    let log_entries_deleted = shorten_log(&table, now).await.map_err(|error| failed(error.into()))?;
    // Loaded afresh from the checkpoint a handle is as quick as new.
    handle.lock().await.forget();
    Ok(Tidied { properties_set, files_deleted, leftovers_deleted, log_entries_deleted, checkpoint })
}

/// Writes a checkpoint, if the newest version has none: after a crash the one by interval can be missing.
async fn checkpoint(table: &DeltaTable, path: &Path) -> Result<Option<u64>, DeltaTableError> {
    let version = table.version().unwrap_or(0);
    if path.join(format!("_delta_log/{version:020}.checkpoint.parquet")).is_file() {
        return Ok(None);
    }
    create_checkpoint(table, None).await?;
    Ok(Some(version))
}

/// Deletes entries of the log that a checkpoint older than the retention makes needless.
async fn shorten_log(table: &DeltaTable, now: DateTime<Utc>) -> Result<usize, DeltaTableError> {
    let kept = table.snapshot()?.table_config().log_retention_duration();
    let cutoff = now.timestamp_millis() - i64::try_from(kept.as_millis()).unwrap_or(i64::MAX / 2);
    match cleanup_expired_logs_for(table.version().unwrap_or(0), table.log_store().as_ref(), cutoff, None).await {
        // Another process is at the same work; what it leaves is seen to the next time.
        Err(DeltaTableError::ObjectStore { source: ObjectStoreError::NotFound { .. } }) => Ok(0),
        done => done,
    }
}

/// Nothing is deleted of a table that is not whole.
async fn check_apart(path: PathBuf) -> Result<(), LakeError> {
    let folder = path.clone();
    let checked = tokio::task::spawn_blocking(move || damage::check_whole(&folder)).await;
    checked.map_err(|error| LakeError::storage("read", &path, error))?
}

async fn sweep_apart(folder: PathBuf, before: DateTime<Utc>) -> Result<usize, Cause> {
    Ok(tokio::task::spawn_blocking(move || sweep(&folder, before)).await??)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use tempfile::tempdir;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::lake::fixtures::{config, futures_of, slot, symbol};
    use crate::lake::recording::{Fault, lake_on, recorded};
    use crate::lake::schema::Retention;
    use crate::lake::store::store;
    use crate::lake::{Durability, Lake, TableName};
    use crate::market::GatewayKind;

    const FUTURES: TableName = TableName::FuturesSnapshots;

    /// A lake with the retention of one that is kept, with eight slots compacted.
    async fn compacted(folder: &Path) -> Lake {
        let lake = lake_on(folder, recorded(Fault::None).0);
        fill(&lake).await;
        lake
    }

    async fn fill(lake: &Lake) {
        for number in 0..8 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        lake.compact(FUTURES).await.expect("compacted");
    }

    fn num_data_files(lake: &Lake) -> usize {
        ["ES", "NQ", "RTY"]
            .map(|name| {
                fs::read_dir(lake.root().join(format!("futures_snapshots/symbol={name}"))).expect("a folder").count()
            })
            .iter()
            .sum()
    }

    async fn version(lake: &Lake) -> Option<u64> {
        lake.shared.futures.lock().await.newest().await.expect("readable").expect("a table").table().version()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn replaced_files_and_orphans_go_after_a_day_and_not_before() {
        let folder = tempdir().expect("a folder");
        let lake = compacted(folder.path()).await;
        let now = SystemClock.now();
        let orphan = |name: &str, age: TimeDelta| {
            let path = lake.root().join("futures_snapshots/symbol=ES").join(name);
            File::create(&path).and_then(|file| file.set_modified((now - age).into())).expect("written");
            path
        };
        let (old, young) =
            (orphan("part-old.parquet", TimeDelta::hours(25)), orphan("part-new.parquet", TimeDelta::hours(23)));
        assert_eq!(num_data_files(&lake), 24 + 3 + 2);
        let tidied = lake.tidy(FUTURES, now).await.expect("tidied");
        assert_eq!((tidied.files_deleted, tidied.log_entries_deleted), (1, 0));
        assert!(!old.exists() && young.exists());
        let tidied = lake.tidy(FUTURES, now + TimeDelta::hours(25)).await.expect("tidied");
        assert_eq!(tidied.files_deleted, 25);
        assert_eq!(num_data_files(&lake), 3);
        let reader = crate::lake::fixtures::lake(folder.path());
        let latest = reader.latest_futures(&symbol("NQ")).await.expect("readable").expect("a row");
        assert_eq!(latest.timestamp, slot(7));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tidy_table_stays_as_it_is() {
        let folder = tempdir().expect("a folder");
        let unkept = (store(Durability::Unflushed), Retention::NONE);
        let lake = Lake::new(&config(folder.path()), Some(GatewayKind::Simulated), unkept).expect("a path");
        fill(&lake).await;
        // A moment later, so that what tidying itself writes to the log is not kept either.
        let now = SystemClock.now() + TimeDelta::minutes(1);
        let first = lake.tidy(FUTURES, now).await.expect("tidied");
        assert_eq!((first.files_deleted, first.checkpoint), (24, version(&lake).await));
        let before = version(&lake).await;
        assert_eq!(lake.tidy(FUTURES, now).await.expect("tidy already"), Tidied::default(), "after {first:?}");
        assert_eq!(version(&lake).await, before);
        let absent = lake.tidy(TableName::SpotSnapshots, now).await.expect("nothing there");
        assert_eq!(absent, Tidied::default());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_log_is_cut_behind_a_checkpoint_and_warm_handles_go_on() {
        let folder = tempdir().expect("a folder");
        let lake = compacted(folder.path()).await;
        let warm = crate::lake::fixtures::lake(folder.path());
        assert_eq!(version(&warm).await, Some(9));
        let log = lake.root().join("futures_snapshots/_delta_log");
        let unfinished = log.join("_staged-1.tmp");
        File::create(&unfinished).expect("written");
        let tidied = lake.tidy(FUTURES, SystemClock.now() + TimeDelta::days(8)).await.expect("tidied");
        assert_eq!((tidied.leftovers_deleted, tidied.files_deleted), (1, 24));
        assert!(tidied.log_entries_deleted >= 9, "{tidied:?}");
        assert!(!log.join("00000000000000000000.json").exists() && !unfinished.exists());
        for (number, lake) in (8..12).zip([&warm, &lake, &warm, &lake]) {
            assert_eq!(lake.append_futures(&futures_of(slot(number))).await.expect("written").added, 3);
        }
        let url = url::Url::from_directory_path(lake.root().join("futures_snapshots")).expect("absolute");
        let plain = deltalake::open_table(url).await.expect("opens from the checkpoint");
        assert_eq!(plain.snapshot().expect("loaded").log_data().num_files(), 3 + 12);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_killed_writer_left_of_a_checkpoint_is_not_taken_for_one() {
        let folder = tempdir().expect("a folder");
        let (store, _) = recorded(Fault::Store("checkpoint"));
        let lake = lake_on(folder.path(), store);
        lake.append_futures(&futures_of(slot(0))).await.expect("written");
        lake.tidy(FUTURES, SystemClock.now()).await.expect_err("no checkpoint can be written");
        let log = lake.root().join("futures_snapshots/_delta_log");
        let entries = fs::read_dir(&log).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let named = entries.filter(|name| name.to_string_lossy().contains("checkpoint")).count();
        assert_eq!(named, 0, "a staging file carries no version");
    }
}
