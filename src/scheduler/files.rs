//! The schedule files: a folder of the operator's, or those compiled in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{ScheduleErrors, Schedules};
use crate::input_file::{self, InputFileError};

/// Largest schedule file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Schedules {
    /// Reads every `*.yaml` of a folder, which then replaces the schedules compiled in; without a folder those.
    ///
    /// # Errors
    /// Where the folder cannot be read or holds no schedule file, and every fault of the files.
    pub fn load(folder: Option<&Path>, known_jobs: &[&str]) -> Result<Self, ScheduleFileError> {
        let Some(folder) = folder else { return Ok(Self::built_in(known_jobs)?) };
        let unreadable = |source| ScheduleFileError::Unreadable { folder: folder.to_owned(), source };
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).map_err(unreadable)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        if paths.is_empty() {
            return Err(ScheduleFileError::Empty { folder: folder.to_owned() });
        }
        let read = |path: PathBuf| match input_file::read_text(&path, MAX_FILE_BYTES) {
            Ok(text) => Ok((path, text)),
            Err(fault) => Err(ScheduleFileError::File { path, fault }),
        };
        let files: Vec<(PathBuf, String)> = paths.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self::parse(&files, known_jobs)?)
    }
}

/// The schedules cannot be had.
#[derive(Debug, Error)]
pub enum ScheduleFileError {
    /// The folder cannot be read.
    #[error("cannot read the schedules in {}: check paths.schedules and its permissions", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of it cannot be read.
    #[error("the schedule {} {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it is instead of a schedule.
        fault: InputFileError,
    },
    /// A folder without a schedule would mean that nothing ever runs.
    #[error("{} holds no *.yaml: put schedules there, or remove paths.schedules to use those compiled in", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// The files are not sound.
    #[error(transparent)]
    Faults(#[from] ScheduleErrors),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_replaces_what_is_compiled_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = ["snapshot", "backfill", "compaction", "quality", "signals", "rules", "report", "evaluation"];
        let load = || Schedules::load(Some(folder.path()), &known);
        assert!(matches!(load(), Err(ScheduleFileError::Empty { .. })));
        fs::write(folder.path().join("a.yaml"), "jobs: { backfill: { schedule: { on: start } } }\n").expect("a file");
        fs::write(folder.path().join("notes.txt"), "not a schedule").expect("a file");
        assert_eq!(load().expect("sound").iter().map(|job| job.job.as_str()).collect::<Vec<_>>(), ["backfill"]);
        let built_in = Schedules::load(None, &known).expect("sound");
        assert_eq!(built_in.iter().map(|job| job.job.as_str()).collect::<Vec<_>>(), known);
        let nowhere = Schedules::load(Some(&folder.path().join("nowhere")), &known);
        assert!(matches!(nowhere, Err(ScheduleFileError::Unreadable { .. })));
    }
}
