//! Whether the file in the ledger's place still is the one that is open, and how to go on with what stands there now.
//!
//! A process that stays has the file open by a handle. Deleted or replaced, the file lives on behind that handle, and what
//! is recorded in it is seen by nobody. Overwritten in place, it is the old log over other contents. So the file is compared,
//! by name and without opening it: by its identity, and where it was written to, by whether it has what it had before.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::{Ledger, LedgerError, open};

/// Looks at a file that others are writing to before it is left for the next time.
const NUM_LOOKS: usize = 3;

/// How the ledger's file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it should.
    InPlace,
    /// It was deleted or moved away.
    Deleted,
    /// Another file stands in its place.
    Replaced,
    /// It was written to by something that is no ledger's process.
    Overwritten,
    /// It was none of these before, and what stood there could not be used.
    Lost,
}

impl Standing {
    /// What happened to the ledger, in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::Deleted => "deleted or moved away",
            Self::Replaced => "replaced by another file",
            Self::Overwritten => "overwritten",
            Self::Lost => "not usable",
        }
    }
}

/// What is remembered of the file.
#[derive(Debug, Default)]
pub(super) struct FileMark {
    file: Option<Identity>,
    log: Option<Identity>,
    content: Option<Content>,
}

/// A file by its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

/// What the file held when all of its log was in it.
#[derive(Debug)]
struct Content {
    written: Written,
    /// Name of a run that is in it.
    witness: String,
}

/// How large the file is and when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written(u64, i64, i64);

impl FileMark {
    pub(super) fn of(path: &Path) -> Self {
        Self { file: identity(path), log: identity(&log_of(path)), content: None }
    }
}

impl Ledger {
    /// Looks whether the file in its place still is the ledger that is open. To be called from time to time by a process
    /// that stays; it also brings the log into the file.
    ///
    /// # Errors
    /// Where the place cannot be looked at.
    pub fn standing(&self) -> Result<Standing, LedgerError> {
        if self.is_lost() {
            return Ok(Standing::Lost);
        }
        let path = self.path();
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Deleted),
            Err(error) => return Err(LedgerError::of_io("look at", path, error)),
        };
        let mut mark = self.mark();
        if mark.file != Some(Identity(metadata.dev(), metadata.ino())) {
            return Ok(Standing::Replaced);
        }
        if mark.content.as_ref().is_some_and(|content| !content.is_in(path)) {
            return Ok(Standing::Overwritten);
        }
        match self.bring_into_file() {
            Ok(Some(witness)) => mark.content = written(path).map(|written| Content { written, witness }),
            // Somebody reads: the log is brought in the next time.
            Ok(None) => {}
            Err(LedgerError::Corrupt { .. }) => return Ok(Standing::Overwritten),
            Err(error) => return Err(error),
        }
        mark.log = identity(&log_of(path)).or(mark.log);
        Ok(Standing::InPlace)
    }

    /// Goes on with what stands in the ledger's place now, or makes it anew. All clones go on with it. The log of the file
    /// that is gone is neither written to another file nor deleted, but set aside as `jobs.db-wal.stale`.
    ///
    /// # Errors
    /// Where what stands there is no sound ledger. Then every call fails, and this one may be made again.
    pub fn take_up_again(&self) -> Result<(), LedgerError> {
        let path = self.path();
        let mut connection = self.connection();
        let mut mark = self.mark();
        let failed = |error| LedgerError::of("close", path, error);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
        *connection = Connection::open_in_memory().map_err(failed)?;
        self.set_lost(true);
        set_aside_log(path, mark.log).map_err(|error| LedgerError::of_io("set aside the log of", path, error))?;
        let opened = open::to_write(path, self.durability())?;
        check_quickly(path, &opened)?;
        *connection = opened;
        *mark = FileMark::of(path);
        self.set_lost(false);
        Ok(())
    }

    /// Brings the log into the file and gives the name of a run that is in it then; none where not all could be brought in.
    fn bring_into_file(&self) -> Result<Option<String>, LedgerError> {
        self.read("bring the log into", |connection| {
            let newest =
                "SELECT coalesce((SELECT run_id FROM runs WHERE run_id IS NOT NULL ORDER BY slot DESC LIMIT 1),
                              (SELECT run_id FROM daemon))";
            let witness: Option<String> = connection.query_row(newest, [], |row| row.get(0))?;
            let (is_busy, pages, brought_in): (i64, i64, i64) =
                connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            Ok(witness.filter(|_| is_busy == 0 && pages == brought_in && pages >= 0))
        })
    }
}

impl Content {
    /// Whether the file is as it was, or has at least what it had: others bring their log into it too.
    fn is_in(&self, path: &Path) -> bool {
        for _ in 0..NUM_LOOKS {
            let before = written(path);
            if before == Some(self.written) {
                return true;
            }
            let has_witness = has_run(path, &self.witness);
            // What is written meanwhile cannot be judged.
            if written(path) == before {
                return has_witness.unwrap_or(true);
            }
        }
        true
    }
}

/// Whether the file alone, without its log, has a run; none where that cannot be judged. A log that was brought in by half,
/// as on a full disk or by a process that was killed, leaves pages that do not fit each other: such a file is no other one.
fn has_run(path: &Path, run_id: &str) -> Option<bool> {
    let look = |connection: &Connection| -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM executions WHERE run_id = ?1)
                       OR EXISTS (SELECT 1 FROM daemon WHERE run_id = ?1)";
        Ok(connection.query_row(sql, [run_id], |row| row.get(0)).optional()?.unwrap_or(false))
    };
    // A name that SQLite cannot be given this way tells nothing.
    let connection = open::without_log(path).ok().flatten()?;
    match look(&connection) {
        Ok(true) => Some(true),
        Ok(false) => check_quickly(path, &connection).is_ok().then_some(false),
        // No database, or one without these tables.
        Err(error) => {
            let code = error.sqlite_error_code();
            matches!(code, Some(ErrorCode::NotADatabase | ErrorCode::Unknown)).then_some(false)
        }
    }
}

fn check_quickly(path: &Path, connection: &Connection) -> Result<(), LedgerError> {
    let told: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| LedgerError::of("check", path, error))?;
    if told == "ok" { Ok(()) } else { Err(LedgerError::Corrupt { path: path.into(), reason: told }) }
}

/// Sets the log aside that belongs to the file that is gone. One that came with the new file is left.
fn set_aside_log(path: &Path, known: Option<Identity>) -> io::Result<()> {
    let log = log_of(path);
    if known.is_none() || identity(&log) != known {
        return Ok(());
    }
    for file in [log, with_suffix(path, "-shm")] {
        match fs::rename(&file, with_suffix(&file, ".stale")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|metadata| Identity(metadata.dev(), metadata.ino()))
}

fn written(path: &Path) -> Option<Written> {
    fs::metadata(path).ok().map(|metadata| Written(metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

fn log_of(path: &Path) -> PathBuf {
    with_suffix(path, "-wal")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NOW, file, finish, ledger, row, slot, start};
    use super::super::{EndState, LedgerErrorClass, RunState, Trigger};
    use super::*;

    fn looked_at(ledger: &Ledger) -> Standing {
        ledger.standing().expect("an answer")
    }

    fn filled(folder: &tempfile::TempDir) -> Ledger {
        let ledger = ledger(folder);
        run(&ledger, 1);
        assert_eq!(looked_at(&ledger), Standing::InPlace);
        ledger
    }

    fn run(ledger: &Ledger, number: i32) {
        start(ledger, slot(number), Trigger::Schedule, &format!("r{number}"));
        finish(ledger, &format!("r{number}"), EndState::Done);
    }

    #[test]
    fn a_ledger_that_is_written_to_stays_in_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ledger, other) = (filled(&folder), ledger(&folder));
        for number in 2..6 {
            run(&other, number);
            if number == 4 {
                other.vacuum().expect("brought in by another");
            }
            assert_eq!(looked_at(&ledger), Standing::InPlace, "{number}");
        }
        drop(other);
        assert_eq!(looked_at(&ledger), Standing::InPlace);
    }

    #[test]
    fn a_deleted_ledger_is_made_anew_for_all_who_have_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = filled(&folder);
        let clone = ledger.clone();
        fs::remove_file(file(&folder)).expect("deleted");
        assert_eq!(looked_at(&ledger), Standing::Deleted);
        ledger.take_up_again().expect("made anew");
        run(&clone, 2);
        assert_eq!(looked_at(&ledger), Standing::InPlace);
        let reader = Ledger::open_to_read(&file(&folder)).expect("readable").expect("there");
        assert_eq!(row(&reader, slot(2)).state, RunState::Done);
        assert_eq!(reader.find("snapshot", slot(1)).expect("readable"), None, "what was deleted is gone");
    }

    #[test]
    fn a_ledger_that_takes_its_place_is_gone_on_with() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let old = ledger(&other);
        run(&old, 7);
        drop(old);
        let ledger = filled(&folder);
        fs::rename(file(&other), file(&folder)).expect("replaced");
        assert_eq!(looked_at(&ledger), Standing::Replaced);
        ledger.take_up_again().expect("taken up");
        assert_eq!(row(&ledger, slot(7)).state, RunState::Done);
        assert_eq!(ledger.find("snapshot", slot(1)).expect("readable"), None, "the old log is not written over it");
        ledger.integrity_check().expect("sound");
        assert!(file(&folder).with_file_name("jobs.db-wal.stale").exists());
    }

    #[test]
    fn a_copy_written_over_it_is_noticed_and_stands_as_it_was_copied() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = filled(&folder);
        let copy = folder.path().join("copy.db");
        fs::copy(file(&folder), &copy).expect("copied");
        for number in 2..40 {
            run(&ledger, number);
        }
        assert_eq!(looked_at(&ledger), Standing::InPlace);
        run(&ledger, 40);
        fs::copy(&copy, file(&folder)).expect("written over");
        assert_eq!(looked_at(&ledger), Standing::Overwritten);
        ledger.take_up_again().expect("taken up");
        assert_eq!(row(&ledger, slot(1)).state, RunState::Done);
        assert_eq!(ledger.find("snapshot", slot(40)).expect("readable"), None);
        ledger.integrity_check().expect("sound");
        run(&ledger, 41);
        assert_eq!(looked_at(&ledger), Standing::InPlace);
    }

    #[test]
    fn what_is_no_ledger_is_refused_until_it_is_moved_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = filled(&folder);
        fs::write(file(&folder), "no database, whatever its name says".repeat(900)).expect("written over");
        assert_eq!(looked_at(&ledger), Standing::Overwritten);
        for _ in 0..2 {
            ledger.take_up_again().expect_err("damaged");
            assert_eq!(looked_at(&ledger), Standing::Lost);
            let error = ledger.prune(1, NOW).expect_err("lost");
            assert!(matches!(error, LedgerError::Lost { .. }), "{error:?}");
            assert_eq!(error.class(), LedgerErrorClass::Failed);
        }
        fs::remove_file(file(&folder)).expect("moved away");
        ledger.take_up_again().expect("made anew");
        run(&ledger, 2);
    }
}
