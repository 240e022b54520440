//! Making sure that bytes and names are on the disk, beyond the system's caches.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use thiserror::Error;

use super::mark::place;

/// What a durable store asks of the disk; the tests put a recording one in its place.
pub(super) trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Returns once the content of a file is on the disk.
    fn flush_file(&self, path: &Path) -> io::Result<()>;

    /// Returns once the names in a folder are on the disk.
    fn flush_folder(&self, path: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug)]
pub(super) struct LocalDisk;

impl Disk for LocalDisk {
    fn flush_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    #[cfg(unix)]
    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Elsewhere a folder cannot be opened as a file; the file system's own order has to do.
    #[cfg(not(unix))]
    fn flush_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// A disk, and what is known to be on it.
#[derive(Debug)]
pub(super) struct FlushedDisk {
    disk: Arc<dyn Disk>,
    /// Folders whose own names are known to be on the disk: flushed by this process, with all above them.
    anchored: Mutex<HashMap<PathBuf, Option<FolderIdentity>>>,
}

/// Device, inode and birth of a folder: one that was put in the place of another has a name of its own to be flushed.
type FolderIdentity = ((u64, u64), Option<SystemTime>);

/// A flush that failed. What it was to keep may be gone after a power cut, even where a later flush succeeds.
#[derive(Debug, Error)]
#[error("cannot flush {}", path.display())]
struct FlushFailed {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl FlushedDisk {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, anchored: Mutex::default() }
    }

    /// Returns once the content of a file is on the disk.
    pub(super) fn flush_file(&self, path: &Path) -> io::Result<()> {
        let failed = |source| FlushFailed { path: path.to_path_buf(), source };
        self.disk.flush_file(path).map_err(|error| io::Error::new(error.kind(), failed(error)))
    }

    /// Returns once the names in the folder of a file, and the names on the way to it, are on the disk.
    pub(super) fn flush_name(&self, path: &Path) -> io::Result<()> {
        let Some(folder) = path.parent() else { return Ok(()) };
        let failed = |source| FlushFailed { path: folder.to_path_buf(), source };
        self.flush_folder(folder).map_err(|error| io::Error::new(error.kind(), failed(error)))
    }

    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.flush_folder(path)?;
        let identity = |folder: &Path| folder.metadata().ok().map(|found| (place(&found), found.created().ok()));
        let mut anchored = self.anchored.lock().unwrap_or_else(PoisonError::into_inner);
        // Where a folder above was replaced, so was this one.
        if anchored.get(path).is_some_and(|kept| *kept != identity(path)) {
            anchored.clear();
        }
        let unknown: Vec<&Path> = path.ancestors().take_while(|folder| !anchored.contains_key(*folder)).collect();
        for above in unknown.iter().filter_map(|folder| folder.parent()) {
            match self.disk.flush_folder(above) {
                // We could not have made anything in there, so nothing of ours can be lost from it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                done => done?,
            }
        }
        anchored.extend(unknown.into_iter().map(|folder| (folder.to_path_buf(), identity(folder))));
        Ok(())
    }
}

/// Whether an error comes from a flush. Where it was of a commit's name, others may see the commit already.
pub(super) fn is_flush_failure(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<FlushFailed>() {
            return true;
        }
        // An io::Error skips what it wraps in its own chain.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    false
}
