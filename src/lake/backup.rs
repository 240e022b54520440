//! A table copied to another folder as of one version, while captures go on.
//!
//! Data files never change under their names, so those already there with the same size are not copied again. They go
//! first, each under a staging name until it is whole and on the disk; then a checkpoint of exactly that version, which at
//! once makes it the newest of the copy; then its entry, and the hint to the checkpoint. Last goes what the copy's version
//! before had alone. A folder takes one copy at a time, and only forward in the history that it holds.
//! So the copy is a whole table at each moment, before it was first complete none at all, and one that was interrupted is
//! gone on with by the next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::checkpoints::create_checkpoint;
use deltalake::logstore::ObjectStoreRef;
use serde::Serialize;
use thiserror::Error;

use super::error::Cause;
use super::folder::{self, Presence};
use super::place::{BackupFolder, identity, is_within, make_folder, place};
use super::verify::{CheckpointPart, HINT, LogFolder, LogState, SIDECARS, path_of};
use super::{Lake, LakeError, TableName};

/// Looks at the source: where a vacuum takes a file on the way, a newer version is taken.
const MAX_LOOKS: u32 = 5;

/// What was copied of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// The table.
    pub table: TableName,
    /// The version copied.
    pub version: u64,
    /// Data files copied.
    pub files_copied: usize,
    /// Data files that were there already.
    pub files_present: usize,
    /// Bytes of the data files copied.
    pub bytes_copied: u64,
}

/// Why a folder cannot take a copy of a table.
#[derive(Debug, Error)]
pub enum BackupFault {
    /// It holds another table, or a later version of this one.
    #[error("{} holds {found}: give another folder", path.display())]
    Occupied {
        /// The folder of the table's copy.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// The table that is to be copied is damaged.
    #[error("it is damaged: {}: {what}", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Lake {
    /// Whether there is anything under a table's name.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn holds(&self, table: TableName) -> Result<bool, LakeError> {
        let path = self.root().join(table.as_str());
        let presence = folder::presence(&path).map_err(|error| LakeError::storage("read", &path, error))?;
        Ok(presence != Presence::Absent)
    }

    /// Whether this lake and another folder are one in the other, by whatever path.
    #[must_use]
    pub fn overlaps(&self, other: &Path) -> bool {
        let tables = TableName::ALL.map(|table| self.root().join(table.as_str()));
        is_within(other, self.root())
            || is_within(self.root(), other)
            || tables.iter().any(|table| table.exists() && is_within(other, table))
    }

    /// Copies the newest version of a table into a folder, which is then a lake of its own; none where there is no table.
    ///
    /// # Errors
    /// Where the table is damaged, the folder holds another one, or a disk fails; what was there before stays.
    pub async fn backup(&self, table: TableName, to: &BackupFolder) -> Result<Option<BackedUp>, LakeError> {
        let (from, to) = (self.root().join(table.as_str()), to.root().join(table.as_str()));
        for look in 1..=MAX_LOOKS {
            // Read anew each time: the log of a table that goes on is the truth, not a handle.
            let view = {
                let mut handle = self.handle(table).lock().await;
                handle.forget();
                handle.newest().await?
            };
            let Some(view) = view else { return Ok(None) };
            let version = view.version();
            let copy = Copy { table, from: from.clone(), to: to.clone(), version };
            match copy.run(&self.shared.store).await {
                Ok(copied) => return Ok(Some(copied)),
                Err(error) if is_gone(&error) && look < MAX_LOOKS => {
                    tracing::info!(table = %table, version, "a file went meanwhile: a newer version is copied");
                }
                Err(error) => return Err(LakeError::storage("copy", &to, error)),
            }
        }
        Err(LakeError::Conflict { table, rounds: MAX_LOOKS })
    }
}

/// Whether what was to be copied may have been cleaned up meanwhile: what is damaged is damaged at the next look too.
fn is_gone(error: &Cause) -> bool {
    matches!(error.downcast_ref::<BackupFault>(), Some(BackupFault::Damaged { .. }))
        || error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

struct Copy {
    table: TableName,
    from: PathBuf,
    to: PathBuf,
    version: u64,
}

impl Copy {
    async fn run(&self, store: &ObjectStoreRef) -> Result<BackedUp, Cause> {
        let state = LogState::read_at(&self.from, self.version)?;
        if let Some(fault) = state.faults.first() {
            return Err(BackupFault::Damaged { path: fault.path.clone(), what: fault.what.clone() }.into());
        }
        self.check_target(&state)?;
        let mut copied =
            BackedUp { table: self.table, version: self.version, files_copied: 0, files_present: 0, bytes_copied: 0 };
        for file in state.active.values() {
            let (from, to) = (path_of(&self.from, file), path_of(&self.to, file));
            if fs::metadata(&to).is_ok_and(|there| there.len() == file.file.size) {
                copied.files_present += 1;
                continue;
            }
            place(&from, &to)?;
            copied.files_copied += 1;
            copied.bytes_copied += file.file.size;
        }
        // Nothing is written to the source: its writers see to their own checkpoints.
        let summed_up = folder_apart(&self.to)?;
        let placed = async {
            self.sum_up(&summed_up, store).await?;
            self.place_log(&summed_up)
        };
        let placed: Result<(), Cause> = placed.await;
        fs::remove_dir_all(&summed_up)?;
        placed?;
        self.prune(&state)?;
        Ok(copied)
    }

    /// Writes a checkpoint of the version to a log of its own.
    async fn sum_up(&self, apart: &Path, store: &ObjectStoreRef) -> Result<(), Cause> {
        let source = LogFolder::of(&self.from)?;
        let base = source.checkpoints.range(..=self.version).next_back();
        let first = base.map_or(0, |(version, _)| *version);
        let parts = base.into_iter().flat_map(|(_, parts)| parts).map(|part| &part.path);
        let entries = source.entries.range(first..=self.version).map(|(_, path)| path);
        let sidecars = base.into_iter().flat_map(|(_, parts)| parts).flat_map(CheckpointPart::sidecars);
        let log = apart.join("_delta_log");
        for path in parts.chain(entries) {
            place(path, &log.join(path.file_name().unwrap_or_default()))?;
        }
        for path in sidecars {
            place(&path, &log.join(SIDECARS).join(path.file_name().unwrap_or_default()))?;
        }
        let table = folder::load(apart, Arc::clone(store), Some(self.version)).await?;
        create_checkpoint(&table, None).await?;
        Ok(())
    }

    /// A copy goes forward only, and of one table only.
    fn check_target(&self, state: &LogState) -> Result<(), Cause> {
        let occupied = |found: String| BackupFault::Occupied { path: self.to.clone(), found };
        if identity(&self.to).is_some_and(|id| identity(&self.from) == Some(id)) {
            return Err(occupied("the table itself, by another path".to_owned()).into());
        }
        if folder::presence(&self.to)? != folder::Presence::Table {
            return Ok(());
        }
        let there = LogState::read(&self.to)?;
        if there.id() != state.id() {
            return Err(occupied("another table".to_owned()).into());
        }
        let Some(version) = there.version else { return Ok(()) };
        if version > self.version {
            return Err(occupied(format!("version {version}, the table is at {}", self.version)).into());
        }
        // Where a table was brought back and went on, one version has two contents.
        let entry = |table: &Path| fs::read(table.join("_delta_log").join(format!("{version:020}.json"))).ok();
        match (entry(&self.from), entry(&self.to)) {
            (Some(own), Some(copied)) if own != copied => {
                Err(occupied(format!("another version {version} of the table than the lake's")).into())
            }
            _ => Ok(()),
        }
    }

    fn place_log(&self, apart: &Path) -> Result<(), Cause> {
        let (from, to) = (apart.join("_delta_log"), self.to.join("_delta_log"));
        let checkpoint = format!("{:020}.checkpoint.parquet", self.version);
        place(&from.join(&checkpoint), &to.join(&checkpoint))?;
        let entry = format!("{:020}.json", self.version);
        place(&from.join(&entry), &to.join(&entry))?;
        // Last, for readers that do not list the log: what it names is there. Where the source had the checkpoint of this
        // version already, none was written anew, and the hint to it is the source's.
        let hints = [from, self.from.join("_delta_log")].map(|log| log.join(HINT));
        match hints.iter().find(|hint| hinted_version(hint) == Some(self.version)) {
            Some(hint) => place(hint, &to.join(HINT))?,
            // One to an earlier checkpoint would mislead; without any the checkpoint is found in the list of the log.
            None => match fs::remove_file(to.join(HINT)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            },
        }
        Ok(())
    }

    /// Takes away what only earlier versions of the copy had.
    fn prune(&self, state: &LogState) -> io::Result<()> {
        let active: Vec<PathBuf> = state.active.values().map(|file| path_of(&self.to, file)).collect();
        for partition in self.to.read_dir()? {
            let partition = partition?.path();
            let is_partition = partition.file_name().is_some_and(|name| name.to_string_lossy().contains('='));
            for file in if is_partition { partition.read_dir()?.collect() } else { Vec::new() } {
                let path = file?.path();
                if path.extension().is_some_and(|extension| extension == "parquet") && !active.contains(&path) {
                    fs::remove_file(path)?;
                }
            }
        }
        for entry in self.to.join("_delta_log").read_dir()? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let version = name.get(..20).and_then(|stem| stem.parse::<u64>().ok());
            if version.is_some_and(|version| version < self.version) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The version of the checkpoint that a hint names; none where there is no hint that can be read.
fn hinted_version(hint: &Path) -> Option<u64> {
    let hint: serde_json::Value = serde_json::from_slice(&fs::read(hint).ok()?).ok()?;
    hint.get("version")?.as_u64()
}

/// A folder beside a table's copy.
fn folder_apart(to: &Path) -> io::Result<PathBuf> {
    let path = to.join(format!("_summed-up-{}", uuid::Uuid::new_v4()));
    make_folder(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::calendar::{Calendar, CalendarId};
    use crate::clock::{Clock, SystemClock};
    use crate::lake::LakeConfig;
    use crate::lake::fixtures::{futures_of, lake, slot};
    use crate::lake::recording::{Fault, lake_on, recorded};

    const FUTURES: TableName = TableName::FuturesSnapshots;

    fn taken(folder: &Path) -> BackupFolder {
        BackupFolder::take(folder).expect("free")
    }

    async fn rows_of(folder: &Path) -> u64 {
        let copy = Lake::reader(&LakeConfig { uri: folder.display().to_string(), ..LakeConfig::default() })
            .expect("a local folder");
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        let found = copy.verify(FUTURES, &calendar, SystemClock.now()).await.expect("read");
        assert!(found.is_whole() && found.strays.is_empty(), "{found:?}");
        found.num_rows
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_second_backup_copies_only_what_is_new_and_drops_what_went() {
        let folder = tempdir().expect("a folder");
        let (lake, to) = (lake(folder.path()), folder.path().join("backup"));
        assert_eq!(lake.backup(FUTURES, &taken(&to)).await.expect("nothing there"), None);
        for number in 1..9 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        let first = lake.backup(FUTURES, &taken(&to)).await.expect("copied").expect("a table");
        assert_eq!((first.version, first.files_copied, first.files_present), (8, 24, 0));
        assert_eq!(rows_of(&to).await, 24);
        lake.append_futures(&futures_of(slot(9))).await.expect("written");
        let second = lake.backup(FUTURES, &taken(&to)).await.expect("copied").expect("a table");
        assert_eq!((second.files_copied, second.files_present), (3, 24));
        assert_eq!(rows_of(&to).await, 27);
        lake.compact(FUTURES).await.expect("compacted");
        lake.backup(FUTURES, &taken(&to)).await.expect("copied");
        assert_eq!(rows_of(&to).await, 27);
        let again = lake.backup(FUTURES, &taken(&to)).await.expect("copied").expect("a table");
        assert_eq!(again.files_copied, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_with_another_table_is_left_alone() {
        let folder = tempdir().expect("a folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        lake(&one).append_futures(&futures_of(slot(1))).await.expect("written");
        lake(&two).append_futures(&futures_of(slot(1))).await.expect("written");
        let to = folder.path().join("backup");
        lake(&one).backup(FUTURES, &taken(&to)).await.expect("copied");
        let error = lake(&two).backup(FUTURES, &taken(&to)).await.expect_err("another");
        let told = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(told.contains("holds another table"), "{told}");
        assert_eq!(rows_of(&to).await, 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_copy_of_another_history_and_a_newer_copy_are_left_alone() {
        let folder = tempdir().expect("a folder");
        let (one, two, to) = (folder.path().join("one"), folder.path().join("two"), folder.path().join("backup"));
        lake(&one).append_futures(&futures_of(slot(1))).await.expect("written");
        lake(&one).backup(FUTURES, &taken(lake(&two).root())).await.expect("copied");
        lake(&one).append_futures(&futures_of(slot(2))).await.expect("written");
        lake(&one).append_futures(&futures_of(slot(3))).await.expect("written");
        lake(&one).backup(FUTURES, &taken(&to)).await.expect("copied");
        lake(&two).append_futures(&futures_of(slot(4))).await.expect("written");
        let told = |error: &LakeError| std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let older = lake(&two).backup(FUTURES, &taken(&to)).await.expect_err("older");
        assert!(told(&older).contains("holds version 3"), "{}", told(&older));
        for number in 5..7 {
            lake(&two).append_futures(&futures_of(slot(number))).await.expect("written");
        }
        let other = lake(&two).backup(FUTURES, &taken(&to)).await.expect_err("another history");
        assert!(told(&other).contains("another version 3"), "{}", told(&other));
        assert_eq!(rows_of(&to).await, 9);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lake_by_another_path_takes_no_copy_of_itself() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        let other = tempdir().expect("a folder");
        let link = other.path().join("link");
        std::os::unix::fs::symlink(lake.root(), &link).expect("linked");
        assert!(lake.overlaps(&link) && lake.overlaps(&link.join("below")) && !lake.overlaps(other.path()));
        lake.backup(FUTURES, &taken(&link)).await.expect_err("itself");
        assert!(lake.root().join("futures_snapshots/_delta_log/00000000000000000000.json").exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_hint_of_a_copy_names_its_checkpoint() {
        let folder = tempdir().expect("a folder");
        let (lake, to) = (lake(folder.path()), folder.path().join("backup"));
        for number in 1..3 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
            lake.backup(FUTURES, &taken(&to)).await.expect("copied");
            let log = to.join("futures_snapshots/_delta_log");
            let hint: serde_json::Value =
                serde_json::from_slice(&fs::read(log.join(HINT)).expect("a hint")).expect("JSON");
            let version = hint["version"].as_u64().expect("a version");
            assert_eq!(version, u64::try_from(number).expect("small"));
            assert!(log.join(format!("{version:020}.checkpoint.parquet")).exists(), "{hint}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn backups_beside_a_writer_and_maintenance_are_each_whole() {
        let folder = tempdir().expect("a folder");
        // With the retention of tables that are kept: replaced files go after a day, here at once, and the log stays.
        let writer = lake_on(folder.path(), recorded(Fault::None).0);
        let to = folder.path().join("backup");
        writer.append_futures(&futures_of(slot(0))).await.expect("written");
        let writing = tokio::spawn(async move {
            for number in 1..40 {
                writer.append_futures(&futures_of(slot(number))).await.expect("written");
                if number % 8 == 0 {
                    writer.compact(FUTURES).await.expect("compacted");
                    let later = SystemClock.now() + chrono::TimeDelta::hours(25);
                    writer.tidy(FUTURES, later).await.expect("tidied");
                }
            }
        });
        let source = lake_on(folder.path(), recorded(Fault::None).0);
        let mut rows = 0;
        while !writing.is_finished() {
            source.backup(FUTURES, &taken(&to)).await.expect("copied");
            let now = rows_of(&to).await;
            assert!(now >= rows, "{now} rows after {rows}");
            rows = now;
        }
        writing.await.expect("no panic");
        source.backup(FUTURES, &taken(&to)).await.expect("copied");
        assert_eq!(rows_of(&to).await, 120);
    }
}
