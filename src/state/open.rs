//! Opening the file: who may read it, how it is written, and what is refused.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::{LedgerError, schema};

/// Longest wait for another writer.
pub const BUSY_TIMEOUT_MS: u64 = 5_000;

/// Pause between two tries to become the writer. Short and even: SQLite's own pauses grow to 100 ms, in which another
/// process that writes without a break always comes first.
const BUSY_PAUSE_MS: u64 = 2;

const NUM_BUSY_TRIES: u64 = BUSY_TIMEOUT_MS / BUSY_PAUSE_MS;

/// The write-ahead log is cut back to this after a checkpoint.
const JOURNAL_LIMIT_BYTES: u32 = 8 << 20;

const FOLDER_MODE: u32 = 0o750;
pub(super) const FILE_MODE: u32 = 0o640;

/// What a power cut may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that a call has returned from.
    Synced,
    /// The last seconds; a killed process still loses nothing.
    Unsynced,
}

/// Opens or makes the file to write.
pub(super) fn to_write(path: &Path, durability: Durability) -> Result<Connection, LedgerError> {
    make_folder(path).map_err(|error| LedgerError::of_io("make the folder of", path, error))?;
    let failed = |error| LedgerError::of("open", path, error);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(LedgerError::ReadOnly {
            operation: "write to",
            path: path.into(),
            source: "it may only be read".into(),
        });
    }
    if known_version(path, &connection)? == 0 {
        tighten(path).map_err(|error| LedgerError::of_io("set the permissions of", path, error))?;
    }
    configure(&connection, durability).map_err(failed)?;
    schema::migrate(&mut connection).map_err(failed)?;
    Ok(connection)
}

/// Opens the file to read; none where there is none, or nothing in it.
pub(super) fn to_read(path: &Path) -> Result<Option<Connection>, LedgerError> {
    if !path.try_exists().map_err(|error| LedgerError::of_io("read", path, error))? {
        return Ok(None);
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let is_refused = |error: &rusqlite::Error| {
        matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
    };
    let connection = match schema::version(&connection) {
        Err(error) if is_refused(&error) => unattended(path)?.unwrap_or(connection),
        _ => connection,
    };
    Ok((known_version(path, &connection)? > 0).then_some(connection))
}

/// A reader that may not write the folder cannot make the shared memory that readers of a write-ahead log need. Where
/// there is no log nobody is writing, and the file is all there is.
fn unattended(path: &Path) -> Result<Option<Connection>, LedgerError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).exists() { Ok(None) } else { without_log(path) }
}

/// Opens the file to read as it is, whatever its log has; none for a name that is no text.
pub(super) fn without_log(path: &Path) -> Result<Option<Connection>, LedgerError> {
    let Some(name) = path.to_str() else { return Ok(None) };
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{name}?immutable=1");
    connect(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI).map(Some)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, LedgerError> {
    let connect = || -> rusqlite::Result<Connection> {
        let mut connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_handler(Some(wait_for_writer))?;
        Ok(connection)
    };
    connect().map_err(|error| LedgerError::of("open", path, error))
}

/// Waits a little, and tells whether to try again after so many tries.
fn wait_for_writer(num_tries: i32) -> bool {
    thread::sleep(Duration::from_millis(BUSY_PAUSE_MS));
    u64::try_from(num_tries).is_ok_and(|num_tries| num_tries < NUM_BUSY_TRIES)
}

/// The first look into the file: damage shows here, and a newer program's work.
fn known_version(path: &Path, connection: &Connection) -> Result<u32, LedgerError> {
    let found = schema::version(connection).map_err(|error| LedgerError::of("read", path, error))?;
    if found > schema::NEWEST {
        return Err(LedgerError::NewerSchema { path: path.into(), found, known: schema::NEWEST });
    }
    Ok(found)
}

fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder),
        None => Ok(()),
    }
}

/// Takes away what SQLite gave too much. By name, since closing a second handle would drop this process's locks. The
/// log and the shared memory get the file's mode.
fn tighten(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, Permissions::from_mode(mode & FILE_MODE))
}

fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    use_write_ahead_log(connection)?;
    let synchronous = match durability {
        Durability::Synced => "FULL",
        Durability::Unsynced => "OFF",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}"), [], |_| Ok(()))
}

/// SQLite itself does not always wait here, where several processes make the file at once.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let is_busy = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
    let mut num_tries = 0;
    loop {
        match set_journal(connection) {
            Err(error) if is_busy(&error) && wait_for_writer(num_tries) => num_tries += 1,
            other => return other,
        }
    }
}

fn set_journal(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            mode,
            "the file system of the ledger has no write-ahead log: readers and writers wait for each other"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::super::fixtures::{NOW, file, ledger, request, slot, start};
    use super::super::{Ledger, LedgerErrorClass, RunState, Trigger};
    use super::*;

    #[test]
    fn a_new_ledger_is_no_business_of_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/jobs.db");
        let ledger = Ledger::open(&path).expect("made");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        for name in ["jobs.db", "jobs.db-wal", "jobs.db-shm"] {
            let path = path.with_file_name(name);
            assert_eq!(mode(&path) & !FILE_MODE, 0, "{name}: {:o}", mode(&path));
        }
        assert_eq!(mode(&path.with_file_name("")) & !FOLDER_MODE, 0);
        let setting = |name: &str| -> Value {
            ledger.connection().query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).expect("a setting")
        };
        assert_eq!(setting("journal_mode"), Value::Text("wal".into()));
        assert_eq!((setting("synchronous"), setting("foreign_keys")), (Value::Integer(2), Value::Integer(1)));
    }

    #[test]
    fn many_may_open_a_new_ledger_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = file(&folder);
            thread::scope(|scope| {
                let opening: Vec<_> = (0..6).map(|_| scope.spawn(|| Ledger::open(&path).map(drop))).collect();
                for one in opening {
                    one.join().expect("no panic").expect("opened");
                }
            });
        }
    }

    #[test]
    fn a_reader_makes_nothing_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Ledger::open_to_read(&file(&folder)).expect("no error").is_none());
        assert!(!file(&folder).exists());
        fs::write(file(&folder), "").expect("written");
        assert!(Ledger::open_to_read(&file(&folder)).expect("no error").is_none());
        let writer = ledger(&folder);
        start(&writer, slot(1), Trigger::Manual, "r1");
        let reader = Ledger::open_to_read(&file(&folder)).expect("readable").expect("there");
        assert_eq!(reader.running("snapshot").expect("readable").map(|row| row.state), Some(RunState::Running));
        let error = reader.prune(1, NOW).expect_err("reading only");
        assert!(matches!(error, LedgerError::ReadOnly { .. }), "{error:?}");
    }

    #[test]
    fn a_file_that_is_no_ledger_is_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(file(&folder), "not a database, whatever its name says".repeat(100)).expect("written");
        for error in [Ledger::open(&file(&folder)).map(drop), Ledger::open_to_read(&file(&folder)).map(drop)] {
            let error = error.expect_err("damaged");
            assert!(matches!(error, LedgerError::Corrupt { .. }), "{error:?}");
            assert_eq!(error.class(), LedgerErrorClass::Configuration);
            let told = error.to_string();
            assert!(
                told.contains("jobs.db is damaged (file is not a database): stop jobs and move the file away"),
                "{told}"
            );
            assert!(
                told.ends_with("the tables in the lake are not touched, only the history of the runs is lost"),
                "{told}"
            );
        }
    }

    #[test]
    fn a_writer_that_waits_in_vain_is_told_and_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (ledger(&folder), ledger(&folder));
        other.connection().busy_timeout(Duration::ZERO).expect("set: no wait in a test");
        let guard = one.connection();
        guard.execute_batch("BEGIN IMMEDIATE").expect("begun");
        let error = other.start(&request(slot(1), Trigger::Manual, "r1"), NOW).expect_err("locked");
        assert!(matches!(error, LedgerError::Locked { .. }), "{error:?}");
        assert_eq!(error.class(), LedgerErrorClass::Busy);
        assert_eq!(other.running("snapshot").expect("readers need not wait"), None);
        guard.execute_batch("COMMIT").expect("ended");
        start(&other, slot(1), Trigger::Manual, "r1");
    }

    #[test]
    fn a_folder_in_its_place_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(file(&folder)).expect("made");
        let error = Ledger::open(&file(&folder)).expect_err("a folder");
        assert_eq!(error.class(), LedgerErrorClass::Configuration);
        fs::write(folder.path().join("taken"), "").expect("written");
        for path in ["taken/jobs.db", "taken/state/jobs.db"].map(|path| folder.path().join(path)) {
            let to_write = Ledger::open(&path).map(drop).expect_err("a file for a folder");
            let to_read = Ledger::open_to_read(&path).map(drop).expect_err("a file for a folder");
            assert!(to_write.to_string().starts_with("cannot make the folder of the ledger"), "{to_write}");
            for error in [to_write, to_read] {
                assert_eq!(error.class(), LedgerErrorClass::Configuration);
                assert!(error.to_string().contains("taken is no folder: move it away"), "{error}");
            }
        }
    }

    #[test]
    fn an_idle_ledger_without_shared_memory_can_be_read_in_a_strange_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("50%? #1/jobs.db");
        let writer = Ledger::open(&path).expect("made");
        start(&writer, slot(1), Trigger::Manual, "r1");
        assert!(unattended(&path).expect("no error").is_none(), "somebody is writing");
        drop(writer);
        let reader =
            Ledger::over(&path, unattended(&path).expect("readable").expect("nobody writes"), Durability::Synced);
        assert!(reader.running("snapshot").expect("readable").is_some());
    }
}
