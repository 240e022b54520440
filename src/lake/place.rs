//! Files and folders put in place for good: a file is whole and on the disk before its name is there, and a folder's name
//! is on the disk before anything in it counts.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::LakeError;

/// Where a folder itself cannot be locked, as on NFS, this file in it is.
const LOCK_FILE: &str = ".backup.lock";

/// A folder that this process alone copies tables to, until it is dropped.
#[derive(Debug)]
pub struct BackupFolder {
    root: PathBuf,
    _lock: File,
}

impl BackupFolder {
    /// Makes the folder where it is not there yet, and takes it.
    ///
    /// # Errors
    /// [`LakeError::BackupBusy`] where another process copies to it, and where it cannot be made or written.
    pub fn take(root: &Path) -> Result<Self, LakeError> {
        let failed = |error: io::Error| LakeError::storage("create", root, error);
        make_folder(root).and_then(|()| flush_above(root)).map_err(failed)?;
        match locked(root) {
            Ok(lock) => Ok(Self { root: root.to_path_buf(), _lock: lock }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(LakeError::BackupBusy { path: root.to_path_buf() })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

fn locked(root: &Path) -> io::Result<File> {
    let folder = File::open(root)?;
    match flock(&folder, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from) {
        Ok(()) => Ok(folder),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
        Err(_) => {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(root.join(LOCK_FILE))?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            Ok(file)
        }
    }
}

/// Makes a folder and what is missing above it, all on the disk.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(path)?;
    missing.into_iter().filter_map(Path::parent).try_for_each(flush_folder)
}

/// A process killed between making a folder and flushing its name left it to the next.
fn flush_above(path: &Path) -> io::Result<()> {
    for folder in path.ancestors().skip(1) {
        match flush_folder(folder) {
            // Whoever may not read a folder did not make one in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            other => other?,
        }
    }
    Ok(())
}

fn flush_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

/// Copies a file; its name is there when all of it is on the disk.
pub(super) fn place(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    stage(to, |staged| io::copy(&mut &source, staged).map(drop))
}

fn stage(to: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = to.parent().unwrap_or(to);
    make_folder(folder)?;
    let staging = folder.join(format!("_staged-{}.tmp", uuid::Uuid::new_v4()));
    let mut copy = File::create(&staging)?;
    let placed = fill(&mut copy).and_then(|()| copy.sync_all()).and_then(|()| fs::rename(&staging, to));
    if placed.is_err() {
        let _ = fs::remove_file(&staging);
    }
    placed?;
    flush_folder(folder)
}

/// Whether a folder is another one, or is or will be below it, by whatever path: a link or a bind mount has the device and
/// the number of what it shows.
pub(super) fn is_within(inner: &Path, outer: &Path) -> bool {
    let Some(outer_id) = identity(outer) else { return inner.starts_with(outer) };
    let existing = inner.ancestors().find_map(|folder| folder.canonicalize().ok());
    existing.is_some_and(|existing| existing.ancestors().any(|folder| identity(folder) == Some(outer_id)))
}

/// The device and the number of a file or folder.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("new/backup");
        let taken = BackupFolder::take(&root).expect("free");
        let error = BackupFolder::take(&root).expect_err("taken");
        assert!(matches!(error, LakeError::BackupBusy { .. }), "{error:?}");
        drop(taken);
        BackupFolder::take(&root).expect("free again");
    }

    #[test]
    fn a_folder_is_known_by_another_path_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (lake, other) = (folder.path().join("lake"), folder.path().join("other"));
        fs::create_dir(&lake).expect("made");
        std::os::unix::fs::symlink(&lake, &other).expect("linked");
        assert!(is_within(&other, &lake) && is_within(&other.join("not/there"), &lake) && is_within(&lake, &other));
        assert!(!is_within(folder.path(), &lake) && !is_within(&folder.path().join("lake-2"), &lake));
        let absent = folder.path().join("absent");
        assert!(is_within(&absent.join("below"), &absent) && !is_within(&lake, &absent));
    }
}
