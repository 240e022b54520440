//! A copy of the ledger as of one instant, made while others write.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::open::FILE_MODE;
use super::{Ledger, LedgerError};

impl Ledger {
    /// Copies the ledger to a file, in whose place there may be an earlier copy; gives its size in bytes. The copy is one
    /// whole file, checked and on the disk before it has its name. A writer is waited for as long as for any other call.
    ///
    /// # Errors
    /// Where the ledger cannot be read, the copy is damaged, or cannot be written; an earlier copy stays then.
    pub fn back_up(&self, to: &Path) -> Result<u64, LedgerError> {
        let failed = |error: io::Error| LedgerError::of_io("copy to", to, error);
        let staged = to.with_extension("db.tmp");
        forget(&staged).map_err(failed)?;
        self.read("copy", |connection| {
            connection.execute("VACUUM INTO ?1", [staged.to_string_lossy().as_ref()]).map(drop)
        })?;
        fs::set_permissions(&staged, Permissions::from_mode(FILE_MODE)).map_err(failed)?;
        if let Some(copy) = Self::open_to_read(&staged)? {
            copy.integrity_check()?;
        }
        let flush = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        flush(&staged).map_err(failed)?;
        let bytes = fs::metadata(&staged).map_err(failed)?.len();
        fs::rename(&staged, to).and_then(|()| flush(to.parent().unwrap_or(to))).map_err(failed)?;
        Ok(bytes)
    }
}

/// Takes away what a killed process left.
fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{file, ledger, slot, start};
    use super::super::{HistoryQuery, Trigger};
    use super::*;

    #[test]
    fn a_copy_has_what_was_committed_while_others_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        start(&ledger, slot(1), Trigger::Manual, "r1");
        let to = folder.path().join("copy.db");
        fs::write(to.with_extension("db.tmp"), "left by a killed process").expect("written");
        let other = Ledger::open(&file(&folder)).expect("opened");
        let writing = other.connection();
        writing.execute_batch("BEGIN IMMEDIATE; DELETE FROM executions").expect("not committed");
        let bytes = ledger.back_up(&to).expect("copied");
        assert_eq!(fs::metadata(&to).expect("there").len(), bytes);
        writing.execute_batch("ROLLBACK").expect("ended");
        drop(writing);
        start(&ledger, slot(2), Trigger::Manual, "r2");
        let rows = |path: &Path| {
            let ledger = Ledger::open_to_read(path).expect("readable").expect("there");
            ledger.history(&HistoryQuery::default()).expect("readable").len()
        };
        assert_eq!(rows(&to), 1);
        ledger.back_up(&to).expect("copied again");
        assert_eq!(rows(&to), 2);
        assert_eq!(fs::metadata(&to).expect("there").permissions().mode() & 0o777, FILE_MODE);
        assert!(!to.with_extension("db.tmp").exists());
        start(&Ledger::open(&to).expect("a ledger to go on with"), slot(3), Trigger::Manual, "r3");
    }
}
