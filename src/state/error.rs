//! What can go wrong with the ledger, and what a person can do about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::exclusive::is_full;

/// What SQLite writes at least to open a file: the shared memory of its log.
const PROBE_BYTES: usize = 32 << 10;

/// An error of the layers below, kept as the cause only.
type Cause = Box<dyn Error + Send + Sync + 'static>;

/// A class of errors that is handled alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerErrorClass {
    /// Wrong until a person acts: exit code 78, after which systemd does not start the daemon again.
    Configuration,
    /// The disk failed, now: exit code 1.
    Failed,
    /// Another writer was at work for too long: exit code 75.
    Busy,
}

/// A failure of the ledger.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Another writer was at work for too long.
    #[error(
        "cannot {operation} the ledger {}: another process has been writing to it for {} s; try again",
        path.display(),
        super::BUSY_TIMEOUT_MS / 1000
    )]
    Locked {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Cause,
    },
    /// The file or its folder may not be written, or not be read.
    #[error(
        "cannot {operation} the ledger {}: let the user that runs jobs read and write it and its folder, or give paths.state another value",
        path.display()
    )]
    ReadOnly {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        #[source]
        source: Cause,
    },
    /// Something else stands where its folder should be.
    #[error(
        "cannot {operation} the ledger {}: {} is no folder: move it away, or give paths.state another value",
        path.display(),
        in_the_way(path).display()
    )]
    NoFolder {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The file is damaged or no ledger.
    #[error(
        "the ledger {} is damaged ({reason}): stop jobs and move the file away, with those named like it that end in -wal and -shm; the tables in the lake are not touched, only the history of the runs is lost",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk is full.
    #[error("no space left to {operation} the ledger {}: free some; nothing was written; rerun the same command", path.display())]
    Full {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        #[source]
        source: Cause,
    },
    /// A newer program has been at work on the file.
    #[error(
        "the ledger {} was written by a newer jobs (schema {found}, this one knows {known}): run the newer one, or give paths.state another value",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version of the schema in the file.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// Its file was deleted, replaced or overwritten while it was open.
    #[error(
        "cannot {operation} the ledger {}: it was deleted, replaced or overwritten, and what stands there now cannot be used: put a sound one there, or move it away; it is taken up within a minute",
        path.display()
    )]
    Lost {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The end of a run that was never started.
    #[error("the ledger {} knows no run {run_id}: this is a fault of the program, please report it", path.display())]
    UnknownRun {
        /// The file.
        path: PathBuf,
        /// The run.
        run_id: String,
    },
    /// Anything else the disk or SQLite said.
    #[error("cannot {operation} the ledger {}: check the disk, then rerun", path.display())]
    Io {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        #[source]
        source: Cause,
    },
}

impl LedgerError {
    /// How it is to be handled.
    #[must_use]
    pub fn class(&self) -> LedgerErrorClass {
        match self {
            Self::Locked { .. } => LedgerErrorClass::Busy,
            Self::ReadOnly { .. } | Self::NoFolder { .. } | Self::Corrupt { .. } | Self::NewerSchema { .. } => {
                LedgerErrorClass::Configuration
            }
            Self::Full { .. } | Self::Lost { .. } | Self::UnknownRun { .. } | Self::Io { .. } => {
                LedgerErrorClass::Failed
            }
        }
    }

    /// An error of SQLite, by its code.
    pub(super) fn of(operation: &'static str, path: &Path, error: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
        let path = path.to_path_buf();
        if matches!(error, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)) {
            return Self::Corrupt { path, reason: error.to_string() };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { operation, path, source: error.into() }
            }
            // SQLite calls a file that it has no space to make one that it cannot open.
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if has_no_space(&path) => {
                Self::Full { operation, path, source: error.into() }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { operation, path, source: error.into() }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, reason: error.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::Full { operation, path, source: error.into() },
            _ => Self::Io { operation, path, source: error.into() },
        }
    }

    /// An error of the system.
    pub(super) fn of_io(operation: &'static str, path: &Path, error: io::Error) -> Self {
        let (path, kind, source) = (path.to_path_buf(), error.kind(), error.into());
        match kind {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { operation, path, source }
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Self::NoFolder { operation, path, source },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { operation, path, source },
            _ => Self::Io { operation, path, source },
        }
    }
}

/// Whether the folder of the file takes no other file for want of space: tried, since SQLite does not say it.
fn has_no_space(path: &Path) -> bool {
    let probe = path.with_file_name(format!(".space.{}", std::process::id()));
    let written = std::fs::write(&probe, vec![0; PROBE_BYTES]);
    let _ = std::fs::remove_file(&probe);
    written.is_err_and(|error| is_full(&error))
}

/// The folder above the file that is none; the nearest one where that cannot be seen.
fn in_the_way(path: &Path) -> &Path {
    let above = || path.ancestors().skip(1);
    above().find(|folder| folder.is_file()).or_else(|| above().next()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn of_code(code: std::ffi::c_int) -> LedgerError {
        LedgerError::of(
            "write to",
            Path::new("state/jobs.db"),
            rusqlite::Error::SqliteFailure(ffi::Error::new(code), None),
        )
    }

    #[test]
    fn codes_of_sqlite_become_what_a_person_can_act_on() {
        use LedgerErrorClass::{Busy, Configuration, Failed};
        for (code, class, told) in [
            (ffi::SQLITE_BUSY, Busy, "another process has been writing to it for 5 s; try again"),
            (ffi::SQLITE_BUSY_SNAPSHOT, Busy, "another process"),
            (ffi::SQLITE_READONLY_DBMOVED, Configuration, "let the user that runs jobs read and write it"),
            (ffi::SQLITE_CANTOPEN, Configuration, "give paths.state another value"),
            (ffi::SQLITE_CORRUPT_INDEX, Configuration, "is damaged"),
            (ffi::SQLITE_NOTADB, Configuration, "the tables in the lake are not touched"),
            (ffi::SQLITE_FULL, Failed, "no space left to write to the ledger state/jobs.db: free some"),
            (ffi::SQLITE_IOERR_FSYNC, Failed, "cannot write to the ledger state/jobs.db: check the disk"),
        ] {
            let error = of_code(code);
            assert_eq!(error.class(), class, "{error}");
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[test]
    fn the_cause_stays_out_of_the_message() {
        let error = LedgerError::of_io("open", Path::new("jobs.db"), io::ErrorKind::PermissionDenied.into());
        assert!(matches!(error, LedgerError::ReadOnly { .. }), "{error:?}");
        assert!(!error.to_string().contains("permission denied"), "{error}");
        assert_eq!(error.source().map(ToString::to_string), Some("permission denied".to_owned()));
    }
}
