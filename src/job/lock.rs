//! One run of a job at a time, one holder of what jobs share, one daemon: flocks that the kernel releases whatever happens
//! to their holders.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Failure, JobError};
use crate::calendar::to_new_york;
use crate::exclusive::{self, Exclusive, Hold};

/// Who holds a lock; for messages only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Process.
    pub pid: u32,
    /// Run.
    pub run_id: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// What a lock keeps to one holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked<'a> {
    /// The runs of a job.
    Job(&'a str),
    /// Something that jobs share.
    Resource(&'a str),
    /// The daemon.
    Daemon,
    /// The folder of a simulation.
    Simulation,
}

impl Locked<'_> {
    /// Its file in the lock folder.
    #[must_use]
    pub fn file_name(self) -> String {
        match self {
            Self::Job(job) => format!("job-{job}.lock"),
            Self::Resource(resource) => format!("resource-{resource}.lock"),
            Self::Daemon => "daemon.lock".to_owned(),
            Self::Simulation => "simulation.lock".to_owned(),
        }
    }

    fn taken_by(self, who: &str) -> String {
        match self {
            Self::Job(job) => {
                format!("{job} is running already, in {who}: run it again when that has ended, or wait with --wait=5m")
            }
            Self::Resource(resource) => {
                format!("{resource} is in use, by {who}: run it again when that has ended, or wait with --wait=5m")
            }
            Self::Simulation => format!("a simulation runs in this folder already, in {who}: wait until it has ended"),
            Self::Daemon => format!("a daemon serves this state folder already, in {who}: stop that one first"),
        }
    }
}

/// A note of a holder is far shorter.
const MAX_NOTE_BYTES: u64 = 4_096;

/// A held lock; dropped, it is free.
#[derive(Debug)]
pub struct Lock {
    _held: Hold,
}

impl Lock {
    /// Takes a lock.
    ///
    /// # Errors
    /// [`Failure::Locked`] where another holds it, naming the holder; [`Failure::Misconfigured`] where something else
    /// stands in the place of the lock folder. One that is full or may only be read is no error.
    pub fn take(locks: &Path, what: Locked<'_>, holder: &LockHolder) -> Result<Self, JobError> {
        let path = locks.join(what.file_name());
        match exclusive::take(&path).map_err(|error| unusable(locks, &error))? {
            Exclusive::Held(mut held) => {
                // It is held without the note too: a full disk must not keep a slot from being captured.
                if let Err(error) = held.file().and_then(|file| write_holder(file, holder)) {
                    tracing::warn!(lock = %path.display(), %error, "the lock is held, but not noted by whom");
                }
                Ok(Self { _held: held })
            }
            Exclusive::Taken(mut file) => Err(held(file.as_mut(), what)),
        }
    }
}

/// Notes who holds a lock. The file is cut to its length afterwards: cut before, it would give its place on a full disk
/// to others. What cannot be written whole leaves no holder of old behind.
fn write_holder(file: &mut File, holder: &LockHolder) -> std::io::Result<()> {
    let note = serde_json::to_vec(holder)?;
    file.rewind()?;
    let written = file.write_all(&note);
    let kept = if written.is_ok() { u64::try_from(note.len()).unwrap_or_default() } else { 0 };
    written.and(file.set_len(kept))
}

fn held(file: Option<&mut File>, what: Locked<'_>) -> JobError {
    let mut text = String::new();
    let read = file.and_then(|file| file.take(MAX_NOTE_BYTES).read_to_string(&mut text).ok());
    let holder: Option<LockHolder> = read.and_then(|_| serde_json::from_str(&text).ok());
    let who = match holder {
        Some(LockHolder { pid, run_id, since }) => {
            let since = to_new_york(since).format("%a %Y-%m-%d %H:%M:%S ET");
            format!("process {pid} (run {run_id}, since {since})")
        }
        None => "another process".to_owned(),
    };
    JobError::fail(Failure::Locked, what.taken_by(&who))
}

fn unusable(locks: &Path, error: &std::io::Error) -> JobError {
    let folder = locks.display();
    let told =
        format!("cannot use the lock folder {folder} ({error}): make it writable, or give paths.state another value");
    JobError::fail(Failure::Misconfigured, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(run_id: &str) -> LockHolder {
        LockHolder { pid: 4711, run_id: run_id.to_owned(), since: DateTime::UNIX_EPOCH }
    }

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = |what, run_id| Lock::take(folder.path(), what, &holder(run_id));
        let first = take(Locked::Job("snapshot"), "r1").expect("free");
        let refused = take(Locked::Job("snapshot"), "r2").expect_err("held");
        assert_eq!(refused.failure(), Failure::Locked);
        assert!(refused.to_string().contains("process 4711 (run r1, since Wed 1969-12-31 19:00:00 ET)"), "{refused}");
        take(Locked::Job("backfill"), "r3").expect("another job");
        take(Locked::Resource("snapshot"), "r4").expect("not a job");
        drop(first);
        take(Locked::Job("snapshot"), "r2").expect("free again");
    }

    #[test]
    fn a_lock_whose_holder_cannot_be_noted_is_held_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = folder.path().join(Locked::Job("snapshot").file_name());
        std::os::unix::fs::symlink("/dev/full", lock).expect("a disk without space");
        let take = |run_id| Lock::take(folder.path(), Locked::Job("snapshot"), &holder(run_id));
        let first = take("r1").expect("held");
        assert_eq!(take("r2").expect_err("held").failure(), Failure::Locked);
        drop(first);
        take("r2").expect("free again");
    }

    #[test]
    fn a_lock_folder_that_cannot_be_made_keeps_nobody_from_his_lock() {
        let locks = Path::new("/proc/frontmonth-lock-tests");
        let take = |run_id| Lock::take(locks, Locked::Job("snapshot"), &holder(run_id));
        let first = take("r1").expect("held");
        let refused = take("r2").expect_err("held");
        assert_eq!(refused.failure(), Failure::Locked);
        assert!(refused.to_string().contains("in another process"), "{refused}");
        drop(first);
        take("r2").expect("free again");
    }

    #[test]
    fn a_shorter_note_leaves_nothing_of_a_longer_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = |run_id: &str| Lock::take(folder.path(), Locked::Job("snapshot"), &holder(run_id));
        drop(take("a run of a long name").expect("free"));
        let _held = take("r1").expect("free again");
        assert!(take("r2").expect_err("held").to_string().contains("(run r1, "));
    }
}
