//! The tables, and how an older ledger becomes a newer one.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The schema's versions in order; `user_version` counts those a file has. A version that was released never changes.
const MIGRATIONS: [&str; 4] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

/// The newest version of the schema.
pub(super) const NEWEST: u32 = 4;

/// `runs.due_at` is set where the schedule wants the slot. `kept_*` is what a rerun gives back unless it ends as done.
const VERSION_1: &str = "
CREATE TABLE runs (
    job TEXT NOT NULL,
    slot INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('planned', 'running', 'done', 'skipped', 'missed', 'failed', 'timed_out', 'recovered')),
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    ended_at INTEGER,
    run_id TEXT,
    kept_state TEXT CHECK (kept_state IN ('done', 'recovered')),
    kept_run_id TEXT,
    PRIMARY KEY (job, slot),
    CHECK (state <> 'running' OR run_id IS NOT NULL),
    CHECK (state = 'running' OR kept_state IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_slot ON runs (slot);
CREATE INDEX runs_running ON runs (job, slot) WHERE state = 'running';
CREATE INDEX runs_failed ON runs (ended_at, slot) WHERE state IN ('failed', 'timed_out');

CREATE TABLE executions (
    run_id TEXT NOT NULL PRIMARY KEY,
    job TEXT NOT NULL,
    slot INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'skipped', 'failed', 'timed_out')),
    trigger TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    added INTEGER NOT NULL DEFAULT 0,
    present INTEGER NOT NULL DEFAULT 0,
    replaced INTEGER NOT NULL DEFAULT 0,
    without_data INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    exit_code INTEGER,
    FOREIGN KEY (job, slot) REFERENCES runs (job, slot) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX executions_by_slot ON executions (job, slot);
CREATE UNIQUE INDEX executions_running ON executions (job, slot) WHERE state = 'running';

CREATE VIEW history AS
SELECT
    runs.job, runs.slot, runs.state, executions.trigger,
    CASE WHEN runs.state <> 'running' THEN runs.reason END AS reason,
    runs.attempts, runs.run_id, executions.pid, executions.started_at,
    CASE WHEN runs.state <> 'running' THEN runs.ended_at END AS ended_at,
    runs.due_at,
    coalesce(executions.added, 0) AS added,
    coalesce(executions.present, 0) AS present,
    coalesce(executions.replaced, 0) AS replaced,
    coalesce(executions.without_data, 0) AS without_data,
    executions.error, executions.exit_code
FROM runs LEFT JOIN executions ON executions.run_id = runs.run_id;

CREATE TABLE replaced_rows (
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    old_json TEXT NOT NULL,
    run_id TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    UNIQUE (table_name, row_key, run_id, old_json)
) STRICT;

CREATE TABLE pauses (
    job TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    paused_at INTEGER NOT NULL,
    until INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE daemon (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    run_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    stopped_at INTEGER
) STRICT;
";

/// The start of a daemon is the slot of what the start starts; such a slot says nothing about those before it.
const VERSION_2: &str = "
CREATE TABLE daemon_starts (started_at INTEGER NOT NULL PRIMARY KEY) STRICT;
";

/// An incident's number is part of the Message-IDs of its mails, so none is used twice. `mails.letter` is what is sent,
/// whole, so that a mail that goes again is the same. Marks are by slot: a later look at a slot replaces an earlier one.
const VERSION_3: &str = "
CREATE TABLE incidents (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    check_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    session TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'resolved')),
    severity TEXT NOT NULL CHECK (severity IN ('warn', 'error', 'critical')),
    told_severity TEXT CHECK (told_severity IN ('warn', 'error', 'critical')),
    opened_at INTEGER NOT NULL,
    failed_at INTEGER NOT NULL,
    passed_at INTEGER,
    resolved_at INTEGER,
    mailed_at INTEGER,
    num_failures INTEGER NOT NULL,
    failures_in_a_row INTEGER NOT NULL,
    passes_in_a_row INTEGER NOT NULL,
    num_reopened INTEGER NOT NULL,
    num_held_back INTEGER NOT NULL,
    held_by TEXT,
    num_mails INTEGER NOT NULL,
    mail_subject TEXT,
    first_mail TEXT,
    last_mail TEXT,
    facts TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_by_key ON incidents (check_name, table_name, subject, session, id);
CREATE UNIQUE INDEX incidents_open ON incidents (check_name, table_name, subject, session) WHERE state = 'open';
CREATE INDEX incidents_held ON incidents (id) WHERE held_by IS NOT NULL;

CREATE TABLE mails (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('alert', 'held_back', 'report')),
    thread TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'refused')),
    letter TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    leased_by TEXT,
    leased_until INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    error TEXT,
    CHECK ((leased_by IS NULL) = (leased_until IS NULL))
) STRICT;
CREATE INDEX mails_queued ON mails (id) WHERE state = 'queued';
CREATE INDEX mails_by_time ON mails (queued_at);

CREATE TABLE mutes (
    pattern TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    muted_at INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE check_marks (
    check_name TEXT NOT NULL,
    table_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    slot INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pass', 'warn', 'fail', 'error', 'skipped')),
    looked_at INTEGER NOT NULL,
    PRIMARY KEY (check_name, table_name, subject, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX check_marks_by_time ON check_marks (looked_at);
";

/// A mail may be given up, and each recipient has a row from the first attempt on that came as far as the recipients.
/// SQLite cannot change a CHECK, so `mails` is made anew with what it holds.
const VERSION_4: &str = "
CREATE TABLE mails_of_4 (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('alert', 'held_back', 'report')),
    thread TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'refused', 'given_up')),
    letter TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    first_tried_at INTEGER,
    leased_by TEXT,
    leased_until INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    error TEXT,
    CHECK ((leased_by IS NULL) = (leased_until IS NULL))
) STRICT;
INSERT INTO mails_of_4 (id, message_id, kind, thread, state, letter, queued_at, not_before, leased_by, leased_until,
        attempts, ended_at, error)
    SELECT id, message_id, kind, thread, state, letter, queued_at, not_before, leased_by, leased_until,
        attempts, ended_at, error FROM mails;
DROP TABLE mails;
ALTER TABLE mails_of_4 RENAME TO mails;
CREATE INDEX mails_queued ON mails (id) WHERE state = 'queued';
CREATE INDEX mails_by_time ON mails (queued_at);

CREATE TABLE mail_recipients (
    mail_id INTEGER NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'refused', 'given_up')),
    attempts INTEGER NOT NULL,
    tried_at INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (mail_id, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_recipients_unreached ON mail_recipients (mail_id) WHERE state <> 'sent';
";

/// The version of a file; 0 is an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a file to the newest version. Of several processes at once one does it and the others find it done.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? >= NEWEST {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    apply_missing(&transaction)?;
    transaction.commit()
}

fn apply_missing(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let present = version(transaction)?;
    for (number, migration) in (1..).zip(MIGRATIONS) {
        if number > present {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixtures::{NOW, file, ledger};
    use super::super::{Ledger, LedgerError, LedgerErrorClass};
    use super::*;

    #[test]
    fn the_newest_version_is_the_last_migration() {
        assert_eq!(usize::try_from(NEWEST), Ok(MIGRATIONS.len()));
        let mut connection = Connection::open_in_memory().expect("memory");
        migrate(&mut connection).expect("migrated");
        migrate(&mut connection).expect("nothing to do");
        assert_eq!(version(&connection), Ok(NEWEST));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch("CREATE TABLE daemon (x)").expect("in the way of the last table");
        migrate(&mut connection).expect_err("in the way");
        assert_eq!(version(&connection), Ok(0));
        let tables: u32 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("a count");
        assert_eq!(tables, 1);
    }

    #[test]
    fn an_older_ledger_keeps_its_rows_and_gets_the_new_tables() {
        let folder = tempfile::tempdir().expect("a folder");
        let raw = Connection::open(file(&folder)).expect("a file");
        raw.execute_batch(VERSION_1).expect("made");
        raw.execute_batch(VERSION_2).expect("made");
        raw.pragma_update(None, "user_version", 2).expect("set");
        raw.execute("INSERT INTO runs (job, slot, state) VALUES ('snapshot', 1, 'missed')", []).expect("a row");
        drop(raw);
        let ledger = ledger(&folder);
        assert_eq!(ledger.history(&super::super::HistoryQuery::default()).expect("readable").len(), 1);
        assert_eq!(ledger.open_incidents().expect("readable"), []);
        assert_eq!(ledger.schema_version().expect("readable"), NEWEST);
    }

    /// As the program before this schema left it: a mail in hand, one that was sent, and one that waits for its hour.
    #[test]
    fn a_ledger_of_version_3_keeps_its_mails_and_they_go_on_from_where_they_stood() {
        let folder = tempfile::tempdir().expect("a folder");
        let raw = Connection::open(file(&folder)).expect("a file");
        for version in [VERSION_1, VERSION_2, VERSION_3] {
            raw.execute_batch(version).expect("made");
        }
        raw.pragma_update(None, "user_version", 3).expect("set");
        let insert = "INSERT INTO mails (message_id, kind, thread, state, letter, queued_at, not_before, leased_by,
                          leased_until, attempts, error) VALUES (?1, 'alert', ?1, ?2, '{}', 1, ?3, ?4, ?5, 7, '451')";
        raw.execute(insert, ("a", "queued", 1, "gone", 2)).expect("a row");
        raw.execute(insert, ("b", "sent", 1, None::<&str>, None::<i64>)).expect("a row");
        raw.execute(insert, ("c", "queued", i64::MAX / 2, None::<&str>, None::<i64>)).expect("a row");
        drop(raw);
        let before = Ledger::open_to_read(&file(&folder)).expect("readable").expect("there");
        assert_eq!(before.mail_counts().expect("of an older ledger").queued, 2);
        assert_eq!(before.unreached(NOW).expect("of an older ledger"), []);
        drop(before);
        let ledger = ledger(&folder);
        let counts = ledger.mail_counts().expect("readable");
        assert_eq!((counts.queued, counts.sent, counts.given_up), (2, 1, 0));
        let mail = ledger.lease_mail("s", (NOW, TimeDelta::minutes(1))).expect("an answer").expect("due");
        assert_eq!((mail.id, mail.message_id.as_str(), mail.attempts), (1, "a", 7));
        let progress = ledger.progress(&mail).expect("readable");
        assert_eq!((progress.first_tried_at, progress.receipts.len()), (Some(NOW), 0), "its time begins anew");
    }

    #[test]
    fn a_ledger_of_a_newer_program_is_refused_and_not_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(ledger(&folder));
        let raw = Connection::open(file(&folder)).expect("a file");
        raw.pragma_update(None, "user_version", NEWEST + 1).expect("set");
        let bytes = std::fs::read(file(&folder)).expect("readable");
        let reading = Ledger::open_to_read(&file(&folder)).expect_err("newer");
        let error = Ledger::open(&file(&folder)).expect_err("newer");
        for error in [reading, error] {
            assert!(matches!(error, LedgerError::NewerSchema { .. }), "{error:?}");
            assert_eq!(error.class(), LedgerErrorClass::Configuration);
            let told = format!("written by a newer jobs (schema {}, this one knows {NEWEST})", NEWEST + 1);
            assert!(error.to_string().contains(&told), "{error}");
        }
        assert_eq!(std::fs::read(file(&folder)).expect("readable"), bytes);
    }
}
