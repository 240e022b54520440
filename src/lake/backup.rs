//! A table copied to another folder as of one version, while captures go on.
//!
//! Data files never change under their names, so those already there with the same size are not copied again. They go
//! first, each under a staging name until it is whole and on the disk; then a checkpoint of exactly that version, which at
//! once makes it the newest of the copy; then its entry. Last goes what the copy's version before had alone.
//! So the copy is a whole table at each moment, before it was first complete none at all, and one that was interrupted is
//! gone on with by the next.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::checkpoints::create_checkpoint;
use deltalake::logstore::ObjectStoreRef;
use serde::Serialize;
use thiserror::Error;

use super::error::Cause;
use super::folder;
use super::verify::{HINT, LogFolder, LogState, path_of};
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
}

impl Lake {
    /// Copies the newest version of a table into a folder, which is then a lake of its own; none where there is no table.
    ///
    /// # Errors
    /// Where the table is damaged, the folder holds another one, or a disk fails; what was there before stays.
    pub async fn backup(&self, table: TableName, to: &Path) -> Result<Option<BackedUp>, LakeError> {
        let (from, to) = (self.root().join(table.as_str()), to.join(table.as_str()));
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

fn is_gone(error: &Cause) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
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
            return Err(format!("it is damaged: {}: {}", fault.path.display(), fault.what).into());
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
        for path in parts.chain(entries) {
            place(path, &apart.join("_delta_log").join(path.file_name().unwrap_or_default()))?;
        }
        let table = folder::load(apart, Arc::clone(store), Some(self.version)).await?;
        create_checkpoint(&table, None).await?;
        Ok(())
    }

    /// A copy goes forward only, and of one table only.
    fn check_target(&self, state: &LogState) -> Result<(), Cause> {
        let occupied = |found: String| BackupFault::Occupied { path: self.to.clone(), found };
        if folder::presence(&self.to)? != folder::Presence::Table {
            return Ok(());
        }
        let there = LogState::read(&self.to)?;
        if there.id() != state.id() {
            return Err(occupied("another table".to_owned()).into());
        }
        match there.version.filter(|version| *version > self.version) {
            Some(version) => Err(occupied(format!("version {version}, the table is at {}", self.version)).into()),
            None => Ok(()),
        }
    }

    fn place_log(&self, apart: &Path) -> Result<(), Cause> {
        let (from, to) = (apart.join("_delta_log"), self.to.join("_delta_log"));
        let checkpoint = format!("{:020}.checkpoint.parquet", self.version);
        place(&from.join(&checkpoint), &to.join(&checkpoint))?;
        let entry = format!("{:020}.json", self.version);
        place(&from.join(&entry), &to.join(&entry))?;
        // A copy has one checkpoint, which is found without a hint; the one to the checkpoint before would mislead.
        match fs::remove_file(to.join(HINT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
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

/// A folder beside a table's copy.
fn folder_apart(to: &Path) -> io::Result<PathBuf> {
    let path = to.join(format!("_summed-up-{}", uuid::Uuid::new_v4()));
    fs::create_dir_all(&path)?;
    Ok(path)
}

/// Copies a file; its name is there when all of it is on the disk.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    stage(to, |staged| io::copy(&mut &source, staged).map(drop))
}

fn stage(to: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder)?;
    let staging = folder.join(format!("_staged-{}.tmp", uuid::Uuid::new_v4()));
    let mut copy = File::create(&staging)?;
    let placed = fill(&mut copy).and_then(|()| copy.sync_all()).and_then(|()| fs::rename(&staging, to));
    if placed.is_err() {
        let _ = fs::remove_file(&staging);
    }
    placed?;
    File::open(folder)?.sync_all()
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
        assert_eq!(lake.backup(FUTURES, &to).await.expect("nothing there"), None);
        for number in 1..9 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        let first = lake.backup(FUTURES, &to).await.expect("copied").expect("a table");
        assert_eq!((first.version, first.files_copied, first.files_present), (8, 24, 0));
        assert_eq!(rows_of(&to).await, 24);
        lake.append_futures(&futures_of(slot(9))).await.expect("written");
        let second = lake.backup(FUTURES, &to).await.expect("copied").expect("a table");
        assert_eq!((second.files_copied, second.files_present), (3, 24));
        assert_eq!(rows_of(&to).await, 27);
        lake.compact(FUTURES).await.expect("compacted");
        lake.backup(FUTURES, &to).await.expect("copied");
        assert_eq!(rows_of(&to).await, 27);
        let again = lake.backup(FUTURES, &to).await.expect("copied").expect("a table");
        assert_eq!(again.files_copied, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_with_another_table_is_left_alone() {
        let folder = tempdir().expect("a folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        lake(&one).append_futures(&futures_of(slot(1))).await.expect("written");
        lake(&two).append_futures(&futures_of(slot(1))).await.expect("written");
        let to = folder.path().join("backup");
        lake(&one).backup(FUTURES, &to).await.expect("copied");
        let error = lake(&two).backup(FUTURES, &to).await.expect_err("another");
        let told = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(told.contains("holds another table"), "{told}");
        assert_eq!(rows_of(&to).await, 3);
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
            source.backup(FUTURES, &to).await.expect("copied");
            let now = rows_of(&to).await;
            assert!(now >= rows, "{now} rows after {rows}");
            rows = now;
        }
        writing.await.expect("no panic");
        source.backup(FUTURES, &to).await.expect("copied");
        assert_eq!(rows_of(&to).await, 120);
    }
}
