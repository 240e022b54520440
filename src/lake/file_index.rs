//! The files of a version by symbol, each with the instants it spans: enough to tell which of them a read has to open.
//!
//! Follows our own commits without the library's snapshot, which takes longer to bring up to date than a read takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use deltalake::DeltaTable;
use deltalake::kernel::Add;

use crate::market::Symbol;

use super::error::Cause;
use super::files::{FileEntry, Files};
use super::row::Row;
use super::schema::PARTITION;

/// The log keeps instants in milliseconds, so that a row may be up to so much newer than it says.
const LOG_PRECISION: TimeDelta = TimeDelta::milliseconds(1);

/// The newest reader protocol in which a file shows all of its rows under the names of the table's columns.
const PLAIN_READER_VERSION: i32 = 1;

/// A closed interval of instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

/// The files of a version.
#[derive(Debug, Clone, Default)]
pub(super) struct FileIndex(BTreeMap<String, Vec<IndexedFile>>);

/// A file and the instants of its rows; none where the log does not tell them, and then it has to be opened.
#[derive(Debug, Clone)]
struct IndexedFile {
    path: Arc<str>,
    oldest: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
}

/// A file to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChosenFile {
    /// Its path below the table.
    pub(super) path: Arc<str>,
    /// The symbol of all its rows.
    pub(super) symbol: String,
}

impl Span {
    /// All instants from one on.
    pub(super) fn since(from: DateTime<Utc>) -> Self {
        Self { from, to: DateTime::<Utc>::MAX_UTC }
    }

    /// The bounds in microseconds, both included.
    pub(super) fn micros(self) -> (i64, i64) {
        (self.from.timestamp_micros(), self.to.timestamp_micros())
    }

    /// Whether rows of a file may be in it.
    fn may_hold(self, file: &IndexedFile) -> bool {
        let begins = file.oldest.is_none_or(|oldest| oldest <= self.to);
        let ends = file.newest.is_none_or(|newest| newest + LOG_PRECISION > self.from);
        begins && ends
    }
}

impl FileIndex {
    /// Reads it from the log of a snapshot; none where the files cannot be read as they stand.
    pub(super) fn of(table: &DeltaTable, files: &Files) -> Result<Option<Self>, Cause> {
        if !is_plain_to_read(table)? {
            return Ok(None);
        }
        let mut index = Self::default();
        for file in files.iter() {
            index.add(file.symbol, IndexedFile::of(&file));
        }
        Ok(Some(index))
    }

    /// The files that may hold rows in any of the spans, of these symbols or of all.
    pub(super) fn choose(&self, symbols: Option<&[Symbol]>, spans: &[Span]) -> Vec<ChosenFile> {
        let is_asked =
            |symbol: &str| symbols.is_none_or(|symbols| symbols.iter().any(|asked| asked.as_str() == symbol));
        let may_hold = |file: &IndexedFile| spans.iter().any(|span| span.may_hold(file));
        let of_symbol = |(symbol, files): (&String, &Vec<IndexedFile>)| -> Vec<ChosenFile> {
            let chosen = files.iter().filter(|file| may_hold(file));
            chosen.map(|file| ChosenFile { path: Arc::clone(&file.path), symbol: symbol.clone() }).collect()
        };
        self.0.iter().filter(|(symbol, _)| is_asked(symbol)).flat_map(of_symbol).collect()
    }

    /// From when on the newest row of a symbol is sure to be found; none where there is no row of it.
    pub(super) fn newest_from(&self, symbol: &Symbol) -> Option<DateTime<Utc>> {
        let files = self.0.get(symbol.as_str())?;
        Some(files.iter().filter_map(|file| file.newest).max().unwrap_or(DateTime::<Utc>::MIN_UTC))
    }

    /// The instants of the oldest and of the newest row of some symbols or of all, as far as the log tells.
    pub(super) fn reach(&self, symbols: Option<&[Symbol]>) -> Option<Span> {
        let is_asked =
            |symbol: &str| symbols.is_none_or(|symbols| symbols.iter().any(|asked| asked.as_str() == symbol));
        let files = || self.0.iter().filter(|(symbol, _)| is_asked(symbol)).flat_map(|(_, files)| files);
        let from = files().map(|file| file.oldest).collect::<Option<Vec<_>>>()?.into_iter().min()?;
        let to = files().map(|file| file.newest).collect::<Option<Vec<_>>>()?.into_iter().max()?;
        Some(Span { from, to: to + LOG_PRECISION })
    }

    /// Takes in the files of an append, and of whose rows they are.
    pub(super) fn extend<R: Row>(&mut self, files: &[Add], rows: &[&R]) {
        for file in files {
            let symbol = partition_of(file);
            let of_symbol = || {
                let keys = rows.iter().map(|row| row.key()).filter(|key| key.symbol.as_str() == symbol);
                keys.map(|key| key.slot.instant())
            };
            let (oldest, newest) = (of_symbol().min(), of_symbol().max());
            self.add(&symbol, IndexedFile { path: file.path.as_str().into(), oldest, newest });
        }
    }

    /// Puts files in the place of others with the same rows.
    pub(super) fn replace(&mut self, old: impl Iterator<Item = (String, Vec<String>)>, new: &[Add]) {
        for (symbol, paths) in old {
            let files = self.0.remove(&symbol).unwrap_or_default();
            let (gone, kept): (Vec<_>, Vec<_>) =
                files.into_iter().partition(|file| paths.iter().any(|path| **path == *file.path));
            let bound = |of: fn(&IndexedFile) -> Option<DateTime<Utc>>| gone.iter().map(of).collect::<Option<Vec<_>>>();
            let oldest = bound(|file| file.oldest).and_then(|all| all.into_iter().min());
            let newest = bound(|file| file.newest).and_then(|all| all.into_iter().max());
            let added = new.iter().filter(|file| partition_of(file) == symbol);
            let added = added.map(|file| IndexedFile { path: file.path.as_str().into(), oldest, newest });
            self.0.insert(symbol.clone(), kept.into_iter().chain(added).collect());
        }
    }

    fn add(&mut self, symbol: &str, file: IndexedFile) {
        match self.0.get_mut(symbol) {
            Some(files) => files.push(file),
            None => drop(self.0.insert(symbol.to_owned(), vec![file])),
        }
    }
}

impl IndexedFile {
    fn of(file: &FileEntry<'_>) -> Self {
        Self { path: file.path.into(), oldest: file.oldest, newest: file.newest }
    }
}

fn partition_of(file: &Add) -> String {
    file.partition_values.get(PARTITION).cloned().flatten().unwrap_or_default()
}

/// Whether the data files of a table show exactly its rows: none of them is hidden, and no column has another name there.
fn is_plain_to_read(table: &DeltaTable) -> Result<bool, Cause> {
    let snapshot = table.snapshot()?;
    let is_partitioned = snapshot.metadata().partition_columns().iter().eq([PARTITION]);
    Ok(is_partitioned && snapshot.protocol().min_reader_version() <= PLAIN_READER_VERSION)
}
