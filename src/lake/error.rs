//! What can go wrong with the lake, and what a person can do about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::market::GatewayKind;

use super::{TableName, links};

/// How the standard library ends the text of a system's error, for layers that hand on the text only.
const OS_ERROR: &str = "(os error ";

/// An error of the layers below, kept as the cause only.
pub(super) type Cause = Box<dyn Error + Send + Sync + 'static>;

/// A class of errors that is handled alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LakeErrorClass {
    /// Another process is at work where two may not be: exit code 75.
    Busy,
    /// Wrong until a person changes the configuration or the folder.
    Configuration,
    /// The disk or a table failed.
    Storage,
    /// A table is damaged, and stays so until a person acts.
    Damaged,
    /// Other writers won every round; the same call may succeed at once.
    Conflict,
    /// What was asked for is not there, or no longer.
    Missing,
}

/// A failure of the lake.
#[derive(Debug, Error)]
pub enum LakeError {
    /// The lake's address is of a kind that is not supported.
    #[error(
        "lake.uri '{uri}': scheme '{scheme}' is not supported, only local folders are: give a path or a file:/// address"
    )]
    UnsupportedScheme {
        /// The address.
        uri: String,
        /// Its scheme.
        scheme: String,
    },
    /// The lake's address names no folder.
    #[error("lake.uri '{uri}' names no folder ({reason}): give a path such as data/lake")]
    MalformedUri {
        /// The address.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No table has this name.
    #[error("unknown table '{name}': known are {known}{suggestion}")]
    UnknownTable {
        /// The name asked for.
        name: String,
        /// The known ones, comma separated.
        known: String,
        /// Empty, or a question that names the most alike.
        suggestion: String,
    },
    /// The lake holds rows of the other kind of gateway.
    #[error(
        "the table {} holds {holds} rows and this run would write {wanted} ones: give lake.uri another folder, or set gateway.kind to {holds}",
        path.display()
    )]
    KindMismatch {
        /// Folder of the table.
        path: PathBuf,
        /// What the table is bound to.
        holds: GatewayKind,
        /// What was to be written.
        wanted: GatewayKind,
    },
    /// A row's own gateway is not the one this lake was opened for.
    #[error(
        "a row of {table} says it comes from the {row} gateway, but the lake was opened for {opened}: nothing was written"
    )]
    ForeignRow {
        /// The table.
        table: TableName,
        /// What the row says.
        row: GatewayKind,
        /// What the lake was opened for.
        opened: GatewayKind,
    },
    /// A table carries no mark of the gateway it is bound to.
    #[error("the table {} was not made by this program, nothing was changed: {difference}; {}", path.display(), remedy_of_foreign(path))]
    Unbound {
        /// Folder of the table.
        path: PathBuf,
        /// The property that is missing, and the columns in which it differs.
        difference: String,
    },
    /// The folder holds something else.
    #[error("{} is no Delta table: it holds files but no _delta_log; give lake.uri another folder or move them away", path.display())]
    NotATable {
        /// The folder.
        path: PathBuf,
    },
    /// A table this process has seen is not there any more.
    #[error("the table {} is gone: mount its disk or move it back; to begin a new one, restart", path.display())]
    Vanished {
        /// Folder of the table.
        path: PathBuf,
    },
    /// There is no lake to read.
    #[error(
        "there is no lake at {}: {found}; run this where the lake lies, name its configuration by --config, or begin a lake by jobs run snapshot",
        path.display()
    )]
    NoLake {
        /// The folder.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// The lake's folder is a file.
    #[error("{} is a file, not a folder: give lake.uri another path or move the file away", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// The table has other columns than this program writes.
    #[error("the table {} has other columns, nothing was changed: {difference}; {}", path.display(), remedy_of_foreign(path))]
    OtherColumns {
        /// Folder of the table.
        path: PathBuf,
        /// The columns that differ.
        difference: String,
    },
    /// The table demands a newer program.
    #[error("the table {} needs a newer program: {reason}; use the one that wrote it, or give lake.uri another folder", path.display())]
    NewerProtocol {
        /// Folder of the table.
        path: PathBuf,
        /// What it demands.
        reason: String,
    },
    /// The table is damaged.
    #[error("the table {} is damaged, nothing was changed: {what}; {remedy}; jobs table verify tells all", path.display())]
    Damaged {
        /// Folder of the table.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The folder cannot be written.
    #[error("cannot write to {}: check its owner and permissions, or give lake.uri another folder", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The folder, or a file in it, cannot be read.
    #[error("cannot {operation} {}: check its owner and permissions, or give lake.uri another folder", path.display())]
    Unreadable {
        /// What was being done: `open` or `read`.
        operation: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The file system cannot place a commit.
    #[error(
        "cannot write to {}: its file system makes no hard links, by which a commit is placed (FAT, exFAT and some network shares have none): give lake.uri a folder on one that does, such as ext4, xfs, btrfs or NFS",
        path.display()
    )]
    NoHardLinks {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A lake opened for reading was asked to write.
    #[error("cannot write to {table}: the lake was opened for reading only")]
    ReadOnly {
        /// The table.
        table: TableName,
    },
    /// The disk is full.
    #[error("no space left for {}: free some and run the same command again; nothing of it was written", path.display())]
    NoSpace {
        /// Folder of the table.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// Other writers won every round.
    #[error(
        "could not write to {table}: other writers were first {rounds} times in a row; nothing was written; try again"
    )]
    Conflict {
        /// The table.
        table: TableName,
        /// Rounds tried.
        rounds: u32,
    },
    /// The table never had this version.
    #[error("{table} has no version {version}: the newest is {newest}")]
    NoSuchVersion {
        /// The table.
        table: TableName,
        /// The version asked for.
        version: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The version's files are gone.
    #[error(
        "version {version} of {table} is no longer kept (log 7 days, replaced files 1 day): ask for a time instead, such as --as-of '2026-11-20 16:00'"
    )]
    VersionGone {
        /// The table.
        table: TableName,
        /// The version asked for.
        version: u64,
        /// What was missing.
        #[source]
        source: Cause,
    },
    /// Files of the version are gone.
    #[error(
        "version {version} of {table} cannot be brought back: {count} of its files are gone, the first {first}; replaced files are kept for 1 day, so ask for a newer version, or take a backup by --from"
    )]
    FilesGone {
        /// The table.
        table: TableName,
        /// The version asked for.
        version: u64,
        /// Files that are gone.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// A stored value is none that this program writes.
    #[error(
        "{table} holds a row that cannot be read, column {column}: {reason}; move the table away or repair the row"
    )]
    Corrupt {
        /// The table.
        table: TableName,
        /// The column.
        column: &'static str,
        /// What is wrong with the value.
        reason: String,
    },
    /// The rows of a table are not what its log says.
    #[error(
        "the table {} is not compacted, for its rows do not add up: {reason}; nothing was changed, please report it",
        path.display()
    )]
    Miscounted {
        /// Folder of the table.
        path: PathBuf,
        /// What does not add up.
        reason: String,
    },
    /// Rows cannot be put into the table's columns.
    #[error(
        "rows for {table} do not fit its columns: nothing was written; this is a fault of the program, please report it"
    )]
    Unfit {
        /// The table.
        table: TableName,
        /// What does not fit.
        #[source]
        source: Cause,
    },
    /// Another process copies tables to the folder.
    #[error("another backup or restore is writing to {}: wait for it, then rerun", path.display())]
    BackupBusy {
        /// The folder.
        path: PathBuf,
    },
    /// The rows that were to be replaced could not be noted.
    #[error("the rows of {table} that --force would replace cannot be kept, so none was replaced")]
    NotKept {
        /// The table.
        table: TableName,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// A table could not be read or written.
    #[error("cannot {operation} the table {}: check the disk, then rerun", path.display())]
    Storage {
        /// What was being done: `open`, `read`, `create`, `append to`, `replace rows of`, `compact`, `tidy`, `flush`.
        operation: &'static str,
        /// Folder of the table.
        path: PathBuf,
        /// What the layers below said.
        #[source]
        source: Cause,
    },
}

impl LakeError {
    /// How to handle it.
    #[must_use]
    pub const fn class(&self) -> LakeErrorClass {
        match self {
            Self::UnsupportedScheme { .. }
            | Self::MalformedUri { .. }
            | Self::KindMismatch { .. }
            | Self::ForeignRow { .. }
            | Self::Unbound { .. }
            | Self::NotATable { .. }
            | Self::NoLake { .. }
            | Self::NotAFolder { .. }
            | Self::OtherColumns { .. }
            | Self::NewerProtocol { .. }
            | Self::Unwritable { .. }
            | Self::Unreadable { .. }
            | Self::NoHardLinks { .. }
            | Self::ReadOnly { .. } => LakeErrorClass::Configuration,
            Self::Vanished { .. }
            | Self::NoSpace { .. }
            | Self::Corrupt { .. }
            | Self::Miscounted { .. }
            | Self::Unfit { .. }
            | Self::NotKept { .. }
            | Self::Storage { .. } => LakeErrorClass::Storage,
            Self::BackupBusy { .. } => LakeErrorClass::Busy,
            Self::Damaged { .. } => LakeErrorClass::Damaged,
            Self::Conflict { .. } => LakeErrorClass::Conflict,
            Self::UnknownTable { .. }
            | Self::NoSuchVersion { .. }
            | Self::VersionGone { .. }
            | Self::FilesGone { .. } => LakeErrorClass::Missing,
        }
    }

    /// The error of an operation on a table's folder, told apart by its innermost cause.
    pub(super) fn storage(operation: &'static str, path: &Path, source: impl Into<Cause>) -> Self {
        let (source, path) = (source.into(), path.to_path_buf());
        let kind = io_kind(source.as_ref());
        // A link that cannot be made has the error of a folder that may not be written, or of a call that is not there.
        if kind != Some(io::ErrorKind::StorageFull)
            && commits(operation)
            && let Some(source) = links::lacking(&path)
        {
            return Self::NoHardLinks { path, source };
        }
        match kind {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Self::NoSpace { path, source },
            Some(io::ErrorKind::PermissionDenied) if matches!(operation, "open" | "read") => {
                Self::Unreadable { operation, path, source }
            }
            Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
                Self::Unwritable { path, source }
            }
            Some(io::ErrorKind::NotADirectory) => Self::NotAFolder { path },
            _ => Self::Storage { operation, path, source },
        }
    }
}

/// Whether an operation ends with a commit.
fn commits(operation: &str) -> bool {
    !["open", "read"].contains(&operation)
}

/// What to do about a table of another program.
pub(super) fn remedy_of_foreign(path: &Path) -> &'static str {
    if path.file_name().is_some_and(|name| name == TableName::FuturesSnapshots.as_str()) {
        return "move its folder out of the lake and take its rows in by jobs table import FOLDER, or give lake.uri another \
                folder";
    }
    "move it out of the lake, or give lake.uri another folder"
}

/// The kind of the input or output error at the root of a chain.
pub(super) fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // An io::Error skips what it wraps in its own chain, so look inside by hand.
            let inner = io.get_ref().and_then(|inner| io_kind(inner));
            return Some(inner.unwrap_or_else(|| io.kind()));
        }
        if error.source().is_none() {
            return kind_in_text(&error.to_string());
        }
        next = error.source();
    }
    None
}

fn kind_in_text(text: &str) -> Option<io::ErrorKind> {
    let (_, number) = text.rsplit_once(OS_ERROR)?;
    let (number, _) = number.split_once(')')?;
    Some(io::Error::from_raw_os_error(number.parse().ok()?).kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(error: impl Into<Cause>) -> LakeError {
        LakeError::storage("append to", Path::new("/lake/futures_snapshots"), error)
    }

    #[test]
    fn a_full_disk_is_found_through_the_chain() {
        let full = io::Error::other(io::Error::from(io::ErrorKind::StorageFull));
        let error = classified(full);
        assert!(matches!(error, LakeError::NoSpace { .. }), "{error:?}");
        assert!(error.to_string().starts_with("no space left for /lake/futures_snapshots"), "{error}");
        assert_eq!(error.class(), LakeErrorClass::Storage);
        assert!(matches!(classified("writing: No space left on device (os error 28)"), LakeError::NoSpace { .. }));
    }

    #[test]
    fn a_forbidden_folder_is_a_matter_of_configuration() {
        let error = classified(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(error, LakeError::Unwritable { .. }), "{error:?}");
        assert_eq!(error.class(), LakeErrorClass::Configuration);
    }

    #[test]
    fn what_was_being_done_is_what_could_not_be_done() {
        for operation in ["open", "read"] {
            let denied = io::Error::from(io::ErrorKind::PermissionDenied);
            let error = LakeError::storage(operation, Path::new("/lake"), denied);
            assert!(error.to_string().starts_with(&format!("cannot {operation} /lake: check its owner")), "{error}");
            assert_eq!(error.class(), LakeErrorClass::Configuration);
        }
    }

    #[test]
    fn anything_else_keeps_its_cause_out_of_the_message() {
        let error = classified("the dog ate it");
        assert_eq!(error.to_string(), "cannot append to the table /lake/futures_snapshots: check the disk, then rerun");
        assert_eq!(error.source().map(ToString::to_string), Some("the dog ate it".to_owned()));
    }
}
