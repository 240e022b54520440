//! What a table is recognised by: not by the number of its newest version, which another table may have as well, but by
//! the file that is the entry of that version.
//!
//! A table that was restored, moved away or made anew under a running process may grow back to the number that the
//! process knows. Its entry of that version is another file, though, and every decision of a warm handle begins with a
//! look whether the file is the same. Where it is, all entries before it are the same too: a log is only appended to.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// One file or folder of a disk, whatever its name. A copy is another one, a renamed one is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    /// Device and inode.
    place: (u64, u64),
    /// Bytes.
    len: u64,
    modified: Option<SystemTime>,
}

/// A version of a table and the file that is its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    version: u64,
    entry: FileIdentity,
}

/// The table that a handle works on, as last observed. Commits carry it down to the store, which places an entry only
/// where the table still is this one.
#[derive(Debug)]
pub(super) struct Anchor {
    table: PathBuf,
    mark: Mutex<Option<Mark>>,
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::in_metadata(&path.metadata()?))
    }

    pub(super) fn in_metadata(file: &Metadata) -> Self {
        Self { place: place(file), len: file.len(), modified: file.modified().ok() }
    }
}

/// Device and inode of a file.
#[cfg(unix)]
pub(super) fn place(file: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

/// Elsewhere length and time have to do.
#[cfg(not(unix))]
pub(super) fn place(_file: &Metadata) -> (u64, u64) {
    (0, 0)
}

impl Mark {
    /// The mark of a version as it stands now: its entry, or the checkpoint where maintenance has cleaned the entry away.
    /// None where it has neither.
    pub(super) fn of(table: &Path, version: u64) -> Option<Self> {
        let log = table.join(LOG);
        let named = |ending: &str| FileIdentity::of(&log.join(format!("{version:020}{ending}"))).ok();
        let entry = named(ENTRY).or_else(|| named(CHECKPOINT))?;
        Some(Self { version, entry })
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether the table is the one that was marked.
    pub(super) fn stands(&self, table: &Path) -> bool {
        Self::of(table, self.version) == Some(*self)
    }

    /// Whether the table is the one that was marked and nobody has committed since: versions have no holes, so the next
    /// one's absence says so. It costs two looks at names where the library reads the log's folder.
    pub(super) fn is_newest(&self, table: &Path) -> bool {
        self.stands(table) && !entry(table, self.version.saturating_add(1)).try_exists().unwrap_or(true)
    }

    /// The mark of a later version of the same table; none where the table is another by now.
    pub(super) fn later(&self, table: &Path, version: u64) -> Option<Self> {
        // In this order: were the table replaced before the look at the later entry, the own one would not stand.
        Self::of(table, version).filter(|_| self.stands(table))
    }
}

impl Anchor {
    pub(super) fn new(table: PathBuf) -> Self {
        Self { table, mark: Mutex::new(None) }
    }

    /// Goes by this mark from now on; without one, as before the table is made, anything may be placed.
    pub(super) fn set(&self, mark: Option<Mark>) {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = mark;
    }

    /// Whether the table is the one observed last.
    pub(super) fn holds(&self) -> bool {
        self.mark().is_none_or(|mark| mark.stands(&self.table))
    }

    /// Whether the entry of a version may be placed: later than all observed, in the table observed.
    pub(super) fn admits(&self, version: u64) -> bool {
        self.mark().is_none_or(|mark| version > mark.version && mark.stands(&self.table))
    }

    fn mark(&self) -> Option<Mark> {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of a table's log, how the names in it end, and the digits of a version before that.
const LOG: &str = "_delta_log";
const ENTRY: &str = ".json";
const CHECKPOINT: &str = ".checkpoint.parquet";
const VERSION_DIGITS: usize = 20;

/// The version of which a file of the log is the entry.
pub(super) fn entry_version(name: &str) -> Option<u64> {
    version_before(name, ENTRY)
}

/// The version of which a file of the log is the entry or the checkpoint.
pub(super) fn log_version(name: &str) -> Option<u64> {
    entry_version(name).or_else(|| version_before(name, CHECKPOINT))
}

fn version_before(name: &str, ending: &str) -> Option<u64> {
    name.strip_suffix(ending).filter(|number| number.len() == VERSION_DIGITS)?.parse().ok()
}

fn entry(table: &Path, version: u64) -> PathBuf {
    table.join(LOG).join(format!("{version:020}{ENTRY}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn table_with(entries: &[(u64, &str)]) -> tempfile::TempDir {
        let table = tempfile::tempdir().expect("a folder");
        fs::create_dir(table.path().join("_delta_log")).expect("made");
        for (version, text) in entries {
            write(table.path(), *version, text);
        }
        table
    }

    fn write(table: &Path, version: u64, text: &str) {
        fs::write(entry(table, version), text).expect("written");
    }

    #[test]
    fn a_copy_of_an_entry_is_another_and_a_renamed_one_is_the_same() {
        let table = table_with(&[(0, "a"), (1, "b")]);
        let mark = Mark::of(table.path(), 1).expect("an entry");
        assert!(mark.stands(table.path()) && mark.is_newest(table.path()));
        let (at, aside) = (entry(table.path(), 1), table.path().join("aside"));
        fs::rename(&at, &aside).expect("moved");
        assert!(!mark.stands(table.path()), "it is gone");
        fs::copy(&aside, &at).expect("copied");
        assert!(!mark.stands(table.path()) && mark.later(table.path(), 1).is_none(), "it is a copy");
        fs::rename(&aside, &at).expect("moved back");
        assert!(mark.is_newest(table.path()));
        write(table.path(), 2, "c");
        assert!(mark.stands(table.path()) && !mark.is_newest(table.path()));
        assert_eq!(mark.later(table.path(), 2).expect("the same table").version(), 2);
    }

    #[test]
    fn an_anchor_admits_later_versions_of_its_own_table_only() {
        let table = table_with(&[(0, "a"), (1, "b")]);
        let anchor = Anchor::new(table.path().to_path_buf());
        assert!(anchor.admits(0) && anchor.holds(), "a table that is not made yet");
        anchor.set(Mark::of(table.path(), 1));
        assert_eq!([1, 2, 3].map(|version| anchor.admits(version)), [false, true, true]);
        fs::remove_file(entry(table.path(), 1)).expect("removed");
        write(table.path(), 1, "another");
        assert!(!anchor.admits(2) && !anchor.holds());
    }

    #[test]
    fn only_entries_have_a_version() {
        assert_eq!(entry_version("00000000000000000012.json"), Some(12));
        assert_eq!(log_version("00000000000000000012.checkpoint.parquet"), Some(12));
        for other in ["00000000000000000012.checkpoint.parquet", "_last_checkpoint", "12.json", "_staged-1.tmp"] {
            assert_eq!(entry_version(other), None, "{other}");
        }
    }
}
