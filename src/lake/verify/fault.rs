//! What can be wrong with a table, each with the file it is in and what a person can do about it.

use std::path::PathBuf;

use serde::Serialize;

/// A sort of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// An entry of the log is empty, filled with zeros or cut off.
    TornEntry,
    /// An entry of the log is missing between others.
    MissingEntry,
    /// A checkpoint cannot be read whole.
    TornCheckpoint,
    /// The hint to the newest checkpoint points to none.
    CheckpointHint,
    /// The log holds no metadata or no protocol, or the library refuses it.
    Unopenable,
    /// A file the log names is not there.
    MissingFile,
    /// A file has another size than the log says.
    FileSize,
    /// A file cannot be read.
    UnreadableFile,
    /// A file holds another number of rows than the log says.
    RowCount,
    /// A file holds instants outside of those the log says, so that reads would pass it by.
    Statistics,
    /// A key is there more than once.
    DoubledKey,
    /// A row is not as this program writes it.
    MalformedRow,
    /// A row lies off the grid or outside of the sessions.
    StrayRow,
    /// A property of the table is not as it should be.
    Property,
    /// The table has other columns.
    Columns,
    /// The table demands a newer program.
    Protocol,
}

/// One fault of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The sort.
    pub kind: FaultKind,
    /// The file or folder it is in.
    pub path: PathBuf,
    /// The version of the table it belongs to, where there is one.
    pub version: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self { kind, path: path.into(), version: None, what: what.into(), remedy: String::new() }
    }

    pub(super) fn at(self, version: u64) -> Self {
        Self { version: Some(version), ..self }
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }
}

/// How a table is brought back from a backup.
pub(super) const FROM_BACKUP: &str =
    "move the table's folder out of the lake and bring it back: jobs table restore --from BACKUP";
