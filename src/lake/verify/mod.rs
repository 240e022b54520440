//! The proof that a table is whole: its log, its files and its rows, read without the library, which refuses a damaged
//! table and opens one with an empty entry as if nothing were missing. Nothing is written.

mod checkpoint;
mod entry;
mod fault;
mod files;
mod holes;
mod log;
mod made;
mod rows;
mod strays;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::calendar::{Calendar, Slot};
use crate::market::GatewayKind;

use super::folder::{self, Presence};
use super::schema::is_of_every_slot;
use super::{Lake, LakeError, TableName};

pub use fault::{Fault, FaultKind};
pub use holes::Hole;
pub use strays::{Stray, StrayKind};

pub(super) use checkpoint::{CheckpointPart, SIDECARS};
pub(super) use entry::Protocol;
pub(super) use files::{keys_of, outer_fault, path_of};
pub(super) use log::{ActiveFile, HINT, LogFolder, LogState, remedy_of_torn, version_at};

use fault::FROM_BACKUP;
use rows::RowCheck;

/// What was found of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The table.
    pub table: TableName,
    /// Its folder.
    pub path: PathBuf,
    /// Its newest version; none where there is no table.
    pub version: Option<u64>,
    /// Its files.
    pub num_files: usize,
    /// Rows read.
    pub num_rows: u64,
    /// The oldest slot.
    pub first: Option<Slot>,
    /// The newest slot.
    pub last: Option<Slot>,
    /// What is damaged.
    pub faults: Vec<Fault>,
    /// Slots missing between the first row and the last, which may be as it should.
    pub holes: Vec<Hole>,
    /// Files that are not part of the table.
    pub strays: Vec<Stray>,
    /// Whatever else is worth knowing.
    pub notes: Vec<String>,
}

impl Verified {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Lake {
    /// Reads everything a table consists of, and tells what is damaged. A table under this name goes by the calendar given.
    ///
    /// # Errors
    /// Where the folder itself cannot be read.
    pub async fn verify(
        &self,
        name: TableName,
        calendar: &Calendar,
        now: DateTime<Utc>,
    ) -> Result<Verified, LakeError> {
        let path = self.root().join(name.as_str());
        let (folder, calendar) = (path.clone(), calendar.clone());
        let reading = tokio::task::spawn_blocking(move || verify(name, &folder, (&calendar, now)));
        let failed = |error| LakeError::storage("read", &path, error);
        let mut found = reading.await.map_err(|error| LakeError::storage("read", &path, error))?.map_err(failed)?;
        if found.version.is_some()
            && found.is_whole()
            && let Err(error) = folder::load(&path, Arc::clone(&self.shared.store), found.version).await
        {
            let what = format!("the library does not open it: {}", root_cause(&error));
            found.faults.push(Fault::new(FaultKind::Unopenable, &path, what).remedy(FROM_BACKUP));
        }
        Ok(found)
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

fn verify(name: TableName, path: &Path, (calendar, now): (&Calendar, DateTime<Utc>)) -> std::io::Result<Verified> {
    let mut found = Verified {
        table: name,
        path: path.to_path_buf(),
        version: None,
        num_files: 0,
        num_rows: 0,
        first: None,
        last: None,
        faults: Vec::new(),
        holes: Vec::new(),
        strays: Vec::new(),
        notes: Vec::new(),
    };
    match folder::presence(path)? {
        Presence::Absent => return Ok(found),
        Presence::Other => {
            let fault = Fault::new(FaultKind::Unopenable, path, "the folder holds files but no log");
            found.faults.push(fault.remedy(format!("{FROM_BACKUP}, or move the files away")));
            return Ok(found);
        }
        Presence::Table => {}
    }
    let state = read_log(path)?;
    let kind = made::check(name, path, &state, &mut found);
    let mut rows = RowCheck::new(name, calendar, kind);
    for file in state.active.values() {
        found.faults.extend(files::check(path, file, &mut rows));
    }
    found.num_rows = rows.num_rows();
    if found.faults.iter().any(|fault| fault.kind == FaultKind::Columns) {
        found.notes.push("its rows are another program's and are not judged".to_owned());
    } else {
        found.faults.extend(rows.faults());
        found.tell_rows(&rows, calendar);
    }
    found.tell_strays(&state, now)?;
    found.version = state.version;
    found.num_files = state.active.len();
    Ok(found)
}

/// A writer at work may have cleaned the log up meanwhile: what is damaged is damaged at the second look too.
fn read_log(path: &Path) -> std::io::Result<LogState> {
    let state = LogState::read(path)?;
    if state.faults.is_empty() { Ok(state) } else { LogState::read(path) }
}

impl Verified {
    fn tell_rows(&mut self, rows: &RowCheck<'_>, calendar: &Calendar) {
        for (symbol, slots) in rows.slots() {
            self.first = self.first.into_iter().chain(slots.first().copied()).min();
            self.last = self.last.max(slots.last().copied());
            if !is_of_every_slot(self.table) {
                continue;
            }
            match holes::holes(symbol, &slots, calendar) {
                Ok(holes) => self.holes.extend(holes),
                Err(error) => self.notes.push(format!("{symbol}: holes cannot be told: {error}")),
            }
        }
    }

    fn tell_strays(&mut self, state: &LogState, now: DateTime<Utc>) -> std::io::Result<()> {
        let active = state.active.values().map(|file| files::path_of(&self.path, file));
        let removed = state.removed.iter().map(|path| self.path.join(path));
        let known: BTreeSet<PathBuf> = active.chain(removed).collect();
        self.strays = strays::strays(&self.path, &known, now)?;
        Ok(())
    }
}

/// The kind of gateway a table is bound to, as far as its metadata tells.
type Bound = Option<GatewayKind>;
