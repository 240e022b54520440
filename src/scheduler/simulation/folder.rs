//! The folder of a simulation, beside the lake: `simulation/` with tables, ledger, logs and reports of its own, and a note of what
//! it was made by.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::config::Config;
use crate::job::{Failure, JobError, Lock, LockHolder, Locked};
use crate::lake::Lake;

use super::Staging;
use super::made_by::MadeBy;

/// The folders in it, which `--fresh` deletes.
const FOLDERS: [&str; 4] = ["lake", "state", "logs", "reports"];

/// What becomes of an earlier simulation in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// It is gone on with.
    Continued,
    /// It is deleted.
    Fresh,
}

/// The folder of a simulation, held by this process.
#[derive(Debug)]
pub struct SimulationFolder {
    root: PathBuf,
    _held: Lock,
}

impl SimulationFolder {
    /// Takes the folder `simulation` beside the configured lake; its lock file marks it as one. It is gone on with only
    /// by the staging that it was made with: rows of two never stand in one table.
    ///
    /// # Errors
    /// [`Failure::Locked`] where another simulation runs in it, [`Failure::Misconfigured`] where it holds other files,
    /// was made with another staging, or cannot be written.
    pub fn take(
        config: &Config,
        clock: &dyn Clock,
        (beginning, staging): (Beginning, &Staging),
    ) -> Result<Self, JobError> {
        let lake = Lake::reader(&config.lake)?;
        let root = lake.root().parent().unwrap_or(lake.root()).join("simulation");
        let unusable = |error: io::Error| unusable(&root, &error);
        if !is_ours(&root).map_err(unusable)? {
            let told = format!(
                "{} holds files that no simulation made: move them away, or give lake.uri another folder",
                root.display()
            );
            return Err(JobError::fail(Failure::Misconfigured, told));
        }
        let holder = LockHolder { pid: std::process::id(), run_id: "simulation".to_owned(), since: clock.now() };
        let held = Lock::take(&root, Locked::Simulation, &holder)?;
        if beginning == Beginning::Fresh {
            FOLDERS.iter().try_for_each(|folder| delete(&root.join(folder))).map_err(unusable)?;
        }
        let now = MadeBy::of(staging);
        let is_empty = !FOLDERS.iter().any(|folder| root.join(folder).exists());
        match MadeBy::read(&root).map_err(unusable)? {
            _ if is_empty => now.write(&root).map_err(unusable)?,
            Some(then) if then == now => {}
            then => return Err(JobError::fail(Failure::Misconfigured, now.differs(then.as_ref(), &root))),
        }
        Ok(Self { root, _held: held })
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration with tables, ledger, logs and reports in this folder.
    #[must_use]
    pub fn configured(&self, mut config: Config) -> Config {
        let [lake, state, logs, reports] = FOLDERS.map(|folder| self.root.join(folder));
        config.lake.uri = lake.display().to_string();
        config.paths.state = state;
        config.paths.logs = logs;
        config.paths.reports = reports;
        config
    }
}

/// Whether a simulation made the folder: it has the lock file, or nothing is in it.
fn is_ours(root: &Path) -> io::Result<bool> {
    if root.join(Locked::Simulation.file_name()).is_file() {
        return Ok(true);
    }
    match fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn delete(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn unusable(root: &Path, error: &io::Error) -> JobError {
    let told = format!(
        "cannot use the simulation's folder {} ({error}): make it writable, or give lake.uri another folder",
        root.display()
    );
    JobError::fail(Failure::of_folder(error), told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::gateway::simulated::{SyntheticTape, Tape};

    fn config(folder: &Path) -> Config {
        let mut config = Config::default();
        config.lake.uri = folder.join("lake").display().to_string();
        config
    }

    fn staging(seed: u64, faults: &[&str]) -> Staging {
        let faults = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
        Staging { tape: Tape::Synthetic(SyntheticTape::new(seed)), faults }
    }

    fn take(folder: &Path, beginning: Beginning) -> Result<SimulationFolder, JobError> {
        take_with(folder, beginning, &staging(1, &[]))
    }

    fn take_with(folder: &Path, beginning: Beginning, staging: &Staging) -> Result<SimulationFolder, JobError> {
        SimulationFolder::take(&config(folder), &SystemClock, (beginning, staging))
    }

    #[test]
    fn another_seed_or_fault_than_it_was_made_with_is_refused_with_both_and_the_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = take(folder.path(), Beginning::Continued).expect("free").root().to_owned();
        take_with(folder.path(), Beginning::Continued, &staging(2, &[])).expect("nothing was made in it yet");
        fs::create_dir(root.join("lake")).expect("made");
        let refused = |seed, faults: &[&str]| {
            let error = take_with(folder.path(), Beginning::Continued, &staging(seed, faults)).expect_err("another");
            assert_eq!(error.failure(), Failure::Misconfigured);
            error.to_string()
        };
        for (told, words) in [
            (refused(3, &[]), ["synthetic with seed 2, without faults", "synthetic with seed 3, without faults"]),
            (refused(2, &["354", "crossed@symbol=NQ"]), ["seed 2, without", "with the faults 354 crossed@symbol=NQ"]),
        ] {
            assert!(words.iter().chain(&["--fresh", "lake.uri"]).all(|word| told.contains(word)), "{told}");
        }
        take_with(folder.path(), Beginning::Continued, &staging(2, &[])).expect("the same");
        take_with(folder.path(), Beginning::Fresh, &staging(3, &["354"])).expect("begun anew");
        fs::create_dir(root.join("lake")).expect("made");
        assert!(refused(3, &[]).contains("354"));
    }

    #[test]
    fn a_folder_that_does_not_tell_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = take(folder.path(), Beginning::Continued).expect("free").root().to_owned();
        fs::create_dir(root.join("state")).expect("made");
        for note in [None, Some("{ cut off"), Some("[]")] {
            match note {
                None => fs::remove_file(root.join("made_by.json")).expect("removed"),
                Some(note) => fs::write(root.join("made_by.json"), note).expect("written"),
            }
            let error = take(folder.path(), Beginning::Continued).expect_err("nobody knows");
            assert_eq!(error.failure(), Failure::Misconfigured);
            assert!(error.to_string().contains("does not tell"), "{error}");
        }
        take(folder.path(), Beginning::Fresh).expect("begun anew");
    }

    #[test]
    fn a_fresh_one_deletes_its_own_folders_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = take(folder.path(), Beginning::Continued).expect("free").root().to_owned();
        for path in ["simulation/lake/a", "simulation/state/b", "simulation/notes", "lake/futures", "state"] {
            fs::create_dir_all(folder.path().join(path)).expect("made");
        }
        take(folder.path(), Beginning::Continued).expect("free again");
        assert!(root.join("lake/a").is_dir(), "kept");
        take(folder.path(), Beginning::Fresh).expect("free again");
        assert!(!root.join("lake").exists() && !root.join("state").exists());
        assert!(root.join("notes").is_dir() && folder.path().join("lake/futures").is_dir());
        assert!(folder.path().join("state").is_dir());
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("simulation/lake")).expect("made");
        let refused = take(folder.path(), Beginning::Fresh).expect_err("not ours");
        assert_eq!(refused.failure(), Failure::Misconfigured);
        assert!(folder.path().join("simulation/lake").is_dir());
    }

    #[test]
    fn the_second_is_told_who_runs_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let _first = take(folder.path(), Beginning::Continued).expect("free");
        let refused = take(folder.path(), Beginning::Fresh).expect_err("held");
        assert_eq!(refused.failure(), Failure::Locked);
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    }
}
