//! Holding something alone among all processes: a lock on a file, which the kernel releases whatever happens to its holder.
//!
//! A disk that is full or may only be read keeps nobody from working. A lock file that cannot be written is held as it can
//! be read; in the place of one that cannot be made, a socket's name is held, which needs no disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, absolute};
use std::thread;
use std::time::Duration;

/// Further tries to take a lock that is held.
const NUM_TRIES: u32 = 4;

/// Pause between two tries.
const TRY_PAUSE: Duration = Duration::from_millis(5);

/// The answer to who wants to hold something alone.
#[derive(Debug)]
pub enum Exclusive {
    /// It is held until this is dropped.
    Held(Hold),
    /// Another holds it: the lock file, where there is one.
    Taken(Option<File>),
}

/// Something held.
#[derive(Debug)]
pub struct Hold {
    file: Option<File>,
    unwritable: Option<io::Error>,
    _name: Option<UnixDatagram>,
}

impl Hold {
    /// The lock file, to note the holder in.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn file(&mut self) -> io::Result<&mut File> {
        match (&mut self.file, &self.unwritable) {
            (Some(file), None) => Ok(file),
            (_, Some(error)) => Err(io::Error::new(error.kind(), error.to_string())),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Takes the lock file at a path, and makes it and its folder where they are not there.
///
/// # Errors
/// Where something else stands in their place, or the file system has no locks: a person has to change something.
pub fn take(path: &Path) -> io::Result<Exclusive> {
    match open(path) {
        Ok(file) => take_file(file, None),
        Err(error) if is_in_the_way(&error) => Err(error),
        Err(error) => match File::open(path) {
            Ok(file) => take_file(file, Some(error)),
            Err(_) => take_name(path, error),
        },
    }
}

/// Whether a folder cannot be used because something else stands in its place, which no space and no right would change.
#[must_use]
pub fn is_in_the_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory};
    matches!(error.kind(), AlreadyExists | InvalidFilename | IsADirectory | NotADirectory)
}

/// Whether the disk is full, or the user's part of it.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}

fn take_file(file: File, unwritable: Option<io::Error>) -> io::Result<Exclusive> {
    match try_for_a_moment(&file) {
        Ok(()) => Ok(Exclusive::Held(Hold { file: Some(file), unwritable, _name: None })),
        Err(TryLockError::WouldBlock) => Ok(Exclusive::Taken(Some(file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the lock. One who only asks who holds it has it for some microseconds: that is waited out.
fn try_for_a_moment(file: &File) -> Result<(), TryLockError> {
    for _ in 0..NUM_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(TRY_PAUSE),
            taken_or_failed => return taken_or_failed,
        }
    }
    file.try_lock()
}

/// Holds a name of the kernel in the place of the file. Where there are no such names either, nothing is held: the tables
/// keep two writers apart by themselves.
fn take_name(path: &Path, unwritable: io::Error) -> io::Result<Exclusive> {
    let mut hasher = DefaultHasher::new();
    absolute(path)?.hash(&mut hasher);
    let name = format!("frontmonth-{:016x}", hasher.finish());
    let name = match SocketAddr::from_abstract_name(name).and_then(|address| UnixDatagram::bind_addr(&address)) {
        Ok(held) => Some(held),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Ok(Exclusive::Taken(None)),
        Err(_) => None,
    };
    Ok(Exclusive::Held(Hold { file: None, unwritable: Some(unwritable), _name: name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(path: &Path) -> Hold {
        match take(path).expect("an answer") {
            Exclusive::Held(hold) => hold,
            Exclusive::Taken(_) => panic!("{} is taken", path.display()),
        }
    }

    fn is_taken(path: &Path) -> bool {
        matches!(take(path).expect("an answer"), Exclusive::Taken(_))
    }

    #[test]
    fn what_one_holds_no_other_gets_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("locks/job-snapshot.lock");
        let mut first = held(&path);
        assert!(first.file().is_ok() && is_taken(&path));
        drop(first);
        drop(held(&path));
    }

    #[test]
    fn without_a_file_it_is_held_all_the_same() {
        // Nobody makes a file in /proc, root neither.
        let path = Path::new("/proc/frontmonth-tests/job-snapshot.lock");
        let mut first = held(path);
        assert!(first.file().is_err() && is_taken(path));
        assert!(!is_taken(&path.with_file_name("job-backfill.lock")), "another one");
        drop(first);
        drop(held(path));
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("state"), "").expect("a file");
        let error = take(&folder.path().join("state/locks/daemon.lock")).expect_err("in the way");
        assert!(is_in_the_way(&error), "{error}");
    }
}
