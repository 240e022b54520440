//! How a table lies on the disk: its partitions and files, its log, what is left over, and its properties.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;
use serde::Serialize;

use super::error::Cause;
use super::files::{FileEntry, Files};
use super::folder::bound_to;
use super::history::{actions, commit, entries, path_in};
use super::schema::{Retention, properties};
use super::store::Durability;
use super::sweep::is_staging;
use super::view::TableView;
use super::{Lake, LakeError, TableName};

/// How a table lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableStats {
    /// The table.
    pub table: TableName,
    /// Its newest version.
    pub version: u64,
    /// Its partitions, by symbol.
    pub partitions: Vec<PartitionStats>,
    /// The newest version with a checkpoint.
    pub checkpoint: Option<u64>,
    /// When the newest checkpoint was written, by the clock of the disk.
    pub checkpointed_at: Option<DateTime<Utc>>,
    /// When the oldest and the newest entry of its log were written, by the clock of the disk.
    pub written_at: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Rows of the files that the newest compaction took out, and of those it put in; none where the log no longer tells.
    pub compacted: Option<(u64, u64)>,
    /// Entries of its log.
    pub log_entries: usize,
    /// Bytes of its log, checkpoints included.
    pub log_bytes: u64,
    /// Files the log still names as removed.
    pub tombstones: usize,
    /// Data files on the disk that no commit names.
    pub orphans: usize,
    /// Bytes of those.
    pub orphan_bytes: u64,
    /// Staging files, of writers at work or killed.
    pub staging_files: usize,
    /// Its properties, by name.
    pub properties: Vec<PropertyStats>,
}

/// One partition of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStats {
    /// The symbol of its rows.
    pub symbol: String,
    /// Its files.
    pub files: usize,
    /// Its rows; none where a file does not tell.
    pub rows: Option<u64>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of its smallest file.
    pub smallest_bytes: u64,
    /// Bytes of its largest file.
    pub largest_bytes: u64,
    /// Its oldest instant; none where a file does not tell.
    pub oldest: Option<DateTime<Utc>>,
    /// Its newest instant; none where a file does not tell.
    pub newest: Option<DateTime<Utc>>,
}

/// A property of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PropertyStats {
    /// Its name.
    pub name: String,
    /// As it is set.
    pub is: Option<String>,
    /// As this program sets it in a table that is kept.
    pub should_be: Option<String>,
}

/// What lies in a folder of a table.
#[derive(Debug, Default)]
struct Found {
    orphans: usize,
    orphan_bytes: u64,
    staging_files: usize,
    log_entries: usize,
    log_bytes: u64,
    checkpoint: Option<u64>,
    checkpointed_at: Option<DateTime<Utc>>,
    written_at: Option<(DateTime<Utc>, DateTime<Utc>)>,
    compacted: Option<(u64, u64)>,
}

impl TableStats {
    /// For how long commits go on without a checkpoint; none where there is no entry.
    #[must_use]
    pub fn checkpoint_age(&self) -> Option<TimeDelta> {
        let (oldest, newest) = self.written_at?;
        Some((newest - self.checkpointed_at.unwrap_or(oldest)).max(TimeDelta::zero()))
    }
}

impl Lake {
    /// How a table lies on the disk; none where there is no such table yet.
    ///
    /// # Errors
    /// Where the table is not one of ours or cannot be read.
    pub async fn stats(&self, table: TableName) -> Result<Option<TableStats>, LakeError> {
        let Some(view) = self.handle(table).lock().await.newest().await? else { return Ok(None) };
        let stats = stats(&view).await;
        stats.map(Some).map_err(|source| LakeError::storage("read", view.path(), source))
    }
}

async fn stats(view: &TableView) -> Result<TableStats, Cause> {
    let files = Files::of(view.table())?;
    let snapshot = view.table().snapshot()?;
    let tombstones = snapshot.all_tombstones(view.table().log_store().as_ref());
    let removed: Vec<String> = tombstones.map_ok(|file| file.path().into_owned()).try_collect().await?;
    let tombstones = removed.len();
    let named: BTreeSet<String> = files.iter().map(|file| file.path.to_owned()).chain(removed).collect();
    let path = view.path().to_path_buf();
    let found = tokio::task::spawn_blocking(move || look(&path, named)).await??;
    Ok(TableStats {
        table: view.name(),
        version: view.version(),
        partitions: partitions(&files),
        checkpoint: found.checkpoint,
        checkpointed_at: found.checkpointed_at,
        written_at: found.written_at,
        compacted: found.compacted,
        log_entries: found.log_entries,
        log_bytes: found.log_bytes,
        tombstones,
        orphans: found.orphans,
        orphan_bytes: found.orphan_bytes,
        staging_files: found.staging_files,
        properties: property_stats(view)?,
    })
}

fn partitions(files: &Files) -> Vec<PartitionStats> {
    let mut partitions: BTreeMap<&str, PartitionStats> = BTreeMap::new();
    for file in files.iter() {
        match partitions.get_mut(file.symbol) {
            Some(partition) => partition.add(&file),
            None => drop(partitions.insert(file.symbol, PartitionStats::of(&file))),
        }
    }
    partitions.into_values().collect()
}

impl PartitionStats {
    fn of(file: &FileEntry<'_>) -> Self {
        Self {
            symbol: file.symbol.to_owned(),
            files: 1,
            rows: file.num_rows,
            bytes: file.num_bytes,
            smallest_bytes: file.num_bytes,
            largest_bytes: file.num_bytes,
            oldest: file.oldest,
            newest: file.newest,
        }
    }

    fn add(&mut self, file: &FileEntry<'_>) {
        self.files += 1;
        self.rows = self.rows.zip(file.num_rows).map(|(one, other)| one + other);
        self.bytes += file.num_bytes;
        self.smallest_bytes = self.smallest_bytes.min(file.num_bytes);
        self.largest_bytes = self.largest_bytes.max(file.num_bytes);
        self.oldest = self.oldest.zip(file.oldest).map(|(one, other)| one.min(other));
        self.newest = self.newest.zip(file.newest).map(|(one, other)| one.max(other));
    }
}

/// Everything set, and everything that should be.
fn property_stats(view: &TableView) -> Result<Vec<PropertyStats>, Cause> {
    let snapshot = view.table().snapshot()?;
    let is = snapshot.metadata().configuration();
    let made = (view.name(), bound_to(view.path(), view.table())?);
    let should_be = properties(made, Retention::of(Durability::Flushed));
    let names: BTreeSet<&String> = is.keys().chain(should_be.keys()).collect();
    let property = |name: &String| PropertyStats {
        name: name.clone(),
        is: is.get(name).cloned(),
        should_be: should_be.get(name).cloned().flatten(),
    };
    Ok(names.into_iter().map(property).collect())
}

/// Looks through the folder of a table for its log, and for files that nobody named.
fn look(table: &Path, mut named: BTreeSet<String>) -> io::Result<Found> {
    let (log, mut found) = (table.join("_delta_log"), Found::default());
    let mut rows_of = HashMap::new();
    for (version, entry) in entries(&log)? {
        found.log_entries += 1;
        let Some(at) = modified(&entry)? else { continue };
        found.written_at = Some(found.written_at.map_or((at, at), |(oldest, newest)| (oldest.min(at), newest.max(at))));
        let actions = actions(&entry)?;
        for action in &actions {
            named.extend(["add", "remove"].into_iter().filter_map(|kind| action.get(kind)).map(path_in));
        }
        let commit = commit(version, &actions, &mut rows_of);
        if !commit.changes_rows && commit.files_removed > 0 {
            found.compacted = commit.rows_removed.zip(commit.rows_added);
        }
    }
    walk(table, &mut |path, bytes| -> io::Result<()> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let below = path.strip_prefix(table).unwrap_or(path).to_string_lossy();
        if is_staging(&name) {
            found.staging_files += 1;
        } else if path.starts_with(&log) {
            found.log_bytes += bytes;
            if let Some(version) = checkpoint_in(&name).filter(|version| found.checkpoint <= Some(*version)) {
                found.checkpoint = Some(version);
                found.checkpointed_at = modified(path)?;
            }
        } else if !named.contains(below.as_ref()) {
            found.orphans += 1;
            found.orphan_bytes += bytes;
        }
        Ok(())
    })?;
    Ok(found)
}

/// When a file was written; none where it is gone meanwhile.
fn modified(path: &Path) -> io::Result<Option<DateTime<Utc>>> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        written => Ok(Some(written?.into())),
    }
}

/// The version of a checkpoint by the name of its file.
fn checkpoint_in(name: &str) -> Option<u64> {
    let (version, rest) = name.split_once('.')?;
    let is_checkpoint = rest.starts_with("checkpoint") && rest.ends_with("parquet");
    version.parse().ok().filter(|_| is_checkpoint)
}

/// Visits every file below a folder; what goes meanwhile is passed over.
fn walk(folder: &Path, visit: &mut impl FnMut(&Path, u64) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        if metadata.is_dir() {
            walk(&entry.path(), visit)?;
        } else {
            visit(&entry.path(), metadata.len())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::lake::fixtures::{config, futures_of, slot};
    use crate::lake::recording::{Fault, lake_on, recorded};

    const FUTURES: TableName = TableName::FuturesSnapshots;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_files_the_log_and_what_is_left_over_are_counted() {
        let folder = tempdir().expect("a folder");
        let lake = lake_on(folder.path(), recorded(Fault::None).0);
        for number in 0..6 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        lake.compact(FUTURES).await.expect("compacted");
        lake.tidy(FUTURES, SystemClock.now()).await.expect("tidied");
        lake.append_futures(&futures_of(slot(6))).await.expect("written");
        let partition = lake.root().join("futures_snapshots/symbol=ES");
        fs::write(partition.join("part-nobody.parquet"), "12345").expect("written");
        fs::write(partition.join("part-1.parquet#1"), "1").expect("written");
        let stats = lake.stats(FUTURES).await.expect("readable").expect("a table");
        let es = &stats.partitions[0];
        assert_eq!((es.symbol.as_str(), es.files, es.rows), ("ES", 2, Some(7)));
        assert_eq!((es.oldest, es.newest), (Some(slot(0).instant()), Some(slot(6).instant())));
        assert_eq!(es.bytes, es.smallest_bytes + es.largest_bytes);
        assert_eq!((stats.partitions.len(), stats.tombstones, stats.staging_files), (3, 18, 1));
        assert_eq!((stats.orphans, stats.orphan_bytes), (1, 5));
        let entries = usize::try_from(stats.version).expect("small") + 1;
        assert_eq!((stats.log_entries, stats.checkpoint), (entries, Some(stats.version - 1)));
        assert_eq!(stats.compacted, Some((18, 18)), "the rows that gave way and those in their place");
        assert!(stats.checkpoint_age().is_some_and(|age| age < TimeDelta::hours(1)), "{stats:?}");
        let differing = stats.properties.iter().filter(|property| property.is != property.should_be);
        assert_eq!(differing.collect::<Vec<_>>(), Vec::<&PropertyStats>::new());
        assert!(stats.properties.iter().any(|p| p.name == "delta.checkpointInterval" && p.is.as_deref() == Some("50")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_missing_table_has_no_stats_and_stays_missing() {
        let folder = tempdir().expect("a folder");
        let lake = Lake::reader(&config(folder.path())).expect("a local folder");
        assert_eq!(lake.stats(FUTURES).await.expect("none"), None);
        assert!(!lake.root().exists());
    }
}
