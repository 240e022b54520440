//! One run of a job at a time, one holder of what jobs share, one daemon: flocks that the kernel releases whatever happens
//! to their holders.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Failure, JobError};
use crate::calendar::to_new_york;

/// Further tries to take a lock that is held.
const NUM_TRIES: u32 = 4;

/// Pause between two tries.
const TRY_PAUSE: Duration = Duration::from_millis(5);

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
    _held: File,
}

impl Lock {
    /// Takes a lock.
    ///
    /// # Errors
    /// [`Failure::Locked`] where another holds it, naming the holder; [`Failure::Misconfigured`] where the lock folder
    /// cannot be written.
    pub fn take(locks: &Path, what: Locked<'_>, holder: &LockHolder) -> Result<Self, JobError> {
        let path = locks.join(what.file_name());
        let unusable = |error: &std::io::Error| unusable(locks, error);
        let mut file = open(locks, &path).map_err(|error| unusable(&error))?;
        match try_for_a_moment(&file) {
            Ok(()) => {
                // It is held without the note too: a full disk must not keep a slot from being captured.
                if let Err(error) = write_holder(&mut file, holder) {
                    tracing::warn!(lock = %path.display(), %error, "the lock is held, but not noted by whom");
                }
                Ok(Self { _held: file })
            }
            Err(TryLockError::WouldBlock) => Err(held(&mut file, what)),
            Err(TryLockError::Error(error)) => Err(unusable(&error)),
        }
    }
}

/// Takes the lock. One who only asks who holds it (`lock_holder.rs`) has it for some microseconds: that is waited out.
fn try_for_a_moment(file: &File) -> Result<(), TryLockError> {
    for _ in 0..NUM_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(TRY_PAUSE),
            taken_or_failed => return taken_or_failed,
        }
    }
    file.try_lock()
}

fn open(locks: &Path, path: &Path) -> std::io::Result<File> {
    fs::create_dir_all(locks)?;
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
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

fn held(file: &mut File, what: Locked<'_>) -> JobError {
    let mut text = String::new();
    let read = file.take(MAX_NOTE_BYTES).read_to_string(&mut text).ok();
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
    fn a_shorter_note_leaves_nothing_of_a_longer_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = |run_id: &str| Lock::take(folder.path(), Locked::Job("snapshot"), &holder(run_id));
        drop(take("a run of a long name").expect("free"));
        let _held = take("r1").expect("free again");
        assert!(take("r2").expect_err("held").to_string().contains("(run r1, "));
    }
}
