//! Making sure that bytes and names are on the disk, beyond the system's caches.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a durable store asks of the disk; the tests put a recording one in its place.
pub(super) trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Returns once the content of a file is on the disk.
    fn flush_file(&self, path: &Path) -> io::Result<()>;

    /// Returns once the names in a folder, and the names on the way to it, are on the disk.
    fn flush_folder(&self, path: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug, Default)]
pub(super) struct LocalDisk {
    /// Folders whose own names are known to be on the disk: flushed by this process, with all above them.
    anchored: Mutex<HashSet<PathBuf>>,
}

impl Disk for LocalDisk {
    fn flush_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn flush_folder(&self, path: &Path) -> io::Result<()> {
        sync_folder(path)?;
        let mut anchored = self.anchored.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown: Vec<&Path> = path.ancestors().take_while(|folder| !anchored.contains(*folder)).collect();
        for above in unknown.iter().filter_map(|folder| folder.parent()) {
            match sync_folder(above) {
                // We could not have made anything in there, so nothing of ours can be lost from it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                done => done?,
            }
        }
        anchored.extend(unknown.into_iter().map(Path::to_path_buf));
        Ok(())
    }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file; the file system's own order has to do.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}
