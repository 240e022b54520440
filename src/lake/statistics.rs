//! What the log knows about the files of a table without opening one.

use std::collections::BTreeMap;

use crate::market::Symbol;
use chrono::{DateTime, Utc};

use super::files::Files;

/// The newest instant of each symbol.
#[derive(Debug, Default)]
pub(super) struct Newest(BTreeMap<String, Option<DateTime<Utc>>>);

/// What the statistics say about the newest row of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewestRow {
    /// No file holds this symbol.
    Absent,
    /// The newest row's instant.
    At(DateTime<Utc>),
    /// A file tells no maximum: only a scan can say.
    Unknown,
}

impl Newest {
    /// Reads the statistics of a snapshot's files. They are exact for slots.
    pub(super) fn of(files: &Files) -> Self {
        let mut by_symbol: BTreeMap<String, Option<DateTime<Utc>>> = BTreeMap::new();
        for file in files.iter() {
            match by_symbol.get_mut(file.symbol) {
                Some(newest) => *newest = (*newest).zip(file.newest).map(|(one, other)| one.max(other)),
                None => drop(by_symbol.insert(file.symbol.to_owned(), file.newest)),
            }
        }
        Self(by_symbol)
    }

    /// Notes a row that was added.
    pub(super) fn note(&mut self, symbol: &Symbol, at: DateTime<Utc>) {
        let newest = self.0.entry(symbol.as_str().to_owned()).or_insert(Some(at));
        *newest = newest.map(|newest| newest.max(at));
    }

    /// How many symbols have files.
    pub(super) fn num_symbols(&self) -> usize {
        self.0.len()
    }

    /// The newest instant of all; none where there is no file, or one tells no maximum.
    pub(super) fn of_all(&self) -> Option<DateTime<Utc>> {
        self.0.values().copied().collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    pub(super) fn row(&self, symbol: &Symbol) -> NewestRow {
        match self.0.get(symbol.as_str()) {
            None => NewestRow::Absent,
            Some(None) => NewestRow::Unknown,
            Some(Some(at)) => NewestRow::At(*at),
        }
    }

    /// Whether the table surely holds no row after this instant.
    pub(super) fn is_none_after(&self, at: DateTime<Utc>) -> bool {
        self.0.values().all(|newest| newest.is_some_and(|newest| newest <= at))
    }

    /// Whether the table surely holds no row of this symbol at or after this instant.
    pub(super) fn is_newer(&self, symbol: &Symbol, at: DateTime<Utc>) -> bool {
        match self.row(symbol) {
            NewestRow::Absent => true,
            NewestRow::At(newest) => at > newest,
            NewestRow::Unknown => false,
        }
    }
}
