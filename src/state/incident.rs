//! Incidents: failures of one kind over time, from the first one until it is over. What they mean is decided elsewhere.

use std::fmt;

use chrono::{DateTime, Utc};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params};
use serde::{Deserialize, Serialize};

use super::severity::named;
use super::stamp::Stamp;
use super::{Ledger, LedgerError, Severity};

/// What an incident is about. Parts that do not apply are empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct IncidentKey {
    /// The check, such as `complete.session`.
    pub check: String,
    /// The table.
    pub table: String,
    /// The symbol, or what else is meant.
    pub subject: String,
    /// The day of the session, `2026-11-20`.
    pub session: String,
}

impl IncidentKey {
    /// A key without a session.
    #[must_use]
    pub fn new(check: &str, table: &str, subject: &str) -> Self {
        Self { check: check.to_owned(), table: table.to_owned(), subject: subject.to_owned(), session: String::new() }
    }

    /// The same of one session.
    #[must_use]
    pub fn of_session(mut self, session: &str) -> Self {
        session.clone_into(&mut self.session);
        self
    }
}

impl fmt::Display for IncidentKey {
    /// The parts with colons between them, as `jobs alert mute` takes them; those that do not apply are left out at the
    /// end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = [&*self.check, &*self.table, &*self.subject, &*self.session].join(":");
        f.pad(text.trim_end_matches(':'))
    }
}

/// Whether an incident goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// It goes on.
    Open,
    /// It is over.
    Resolved,
}

impl IncidentState {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Open, Self::Resolved];

    /// Its name in the ledger and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
        }
    }
}

impl ToSql for IncidentState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for IncidentState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        named(value, "state of an incident", (Self::ALL, Self::as_str))
    }
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Its number, never used again.
    pub id: i64,
    /// What it is about.
    #[serde(flatten)]
    pub key: IncidentKey,
    /// Whether it goes on.
    pub state: IncidentState,
    /// The worst it has been.
    pub severity: Severity,
    /// The worst a mail has told of it; none while none has.
    pub told_severity: Option<Severity>,
    /// When it failed first.
    pub opened_at: DateTime<Utc>,
    /// When it failed last.
    pub failed_at: DateTime<Utc>,
    /// When it passed last.
    pub passed_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
    /// When a mail about it was queued last.
    pub mailed_at: Option<DateTime<Utc>>,
    /// Failures since it opened.
    pub num_failures: u32,
    /// Failures since it passed last.
    pub failures_in_a_row: u32,
    /// Passes since it failed last.
    pub passes_in_a_row: u32,
    /// How often it failed again soon after it was over.
    pub num_reopened: u32,
    /// Mails that were held back since the last one.
    pub num_held_back: u32,
    /// Why the newest mail was held back: `mute`, `cap`, or the number of the incident that it follows from.
    pub held_by: Option<String>,
    /// Mails of its own so far, which number the next one.
    pub num_mails: u32,
    /// Subject of its mails, which stays, so that they make one thread.
    pub mail_subject: Option<String>,
    /// Message-ID of the mail that told it first.
    pub first_mail: Option<String>,
    /// Message-ID of the newest mail about it.
    pub last_mail: Option<String>,
    /// What was seen last, as JSON.
    pub facts: String,
}

impl Incident {
    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == IncidentState::Open
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let instant = |name| Ok::<_, rusqlite::Error>(row.get::<_, Option<Stamp>>(name)?.map(|Stamp(at)| at));
        let key = IncidentKey {
            check: row.get("check_name")?,
            table: row.get("table_name")?,
            subject: row.get("subject")?,
            session: row.get("session")?,
        };
        Ok(Self {
            id: row.get("id")?,
            key,
            state: row.get("state")?,
            severity: row.get("severity")?,
            told_severity: row.get("told_severity")?,
            opened_at: row.get::<_, Stamp>("opened_at")?.0,
            failed_at: row.get::<_, Stamp>("failed_at")?.0,
            passed_at: instant("passed_at")?,
            resolved_at: instant("resolved_at")?,
            mailed_at: instant("mailed_at")?,
            num_failures: row.get("num_failures")?,
            failures_in_a_row: row.get("failures_in_a_row")?,
            passes_in_a_row: row.get("passes_in_a_row")?,
            num_reopened: row.get("num_reopened")?,
            num_held_back: row.get("num_held_back")?,
            held_by: row.get("held_by")?,
            num_mails: row.get("num_mails")?,
            mail_subject: row.get("mail_subject")?,
            first_mail: row.get("first_mail")?,
            last_mail: row.get("last_mail")?,
            facts: row.get("facts")?,
        })
    }

    /// Writes it, new or changed.
    pub(super) fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO incidents VALUES (:id, :check, :table, :subject, :session, :state, :severity, :told_severity,
                 :opened_at, :failed_at, :passed_at, :resolved_at, :mailed_at, :num_failures, :failures_in_a_row,
                 :passes_in_a_row, :num_reopened, :num_held_back, :held_by, :num_mails, :mail_subject, :first_mail, :last_mail, :facts)
             ON CONFLICT (id) DO UPDATE SET
                 state = excluded.state, severity = excluded.severity, told_severity = excluded.told_severity,
                 opened_at = excluded.opened_at, failed_at = excluded.failed_at, passed_at = excluded.passed_at,
                 resolved_at = excluded.resolved_at, mailed_at = excluded.mailed_at,
                 num_failures = excluded.num_failures, failures_in_a_row = excluded.failures_in_a_row,
                 passes_in_a_row = excluded.passes_in_a_row, num_reopened = excluded.num_reopened,
                 num_held_back = excluded.num_held_back, held_by = excluded.held_by, num_mails = excluded.num_mails,
                 mail_subject = excluded.mail_subject, first_mail = excluded.first_mail, last_mail = excluded.last_mail, facts = excluded.facts",
        )?;
        statement.execute(named_params! {
            ":id": self.id, ":check": self.key.check, ":table": self.key.table, ":subject": self.key.subject,
            ":session": self.key.session, ":state": self.state, ":severity": self.severity,
            ":told_severity": self.told_severity, ":opened_at": Stamp(self.opened_at),
            ":failed_at": Stamp(self.failed_at), ":passed_at": self.passed_at.map(Stamp),
            ":resolved_at": self.resolved_at.map(Stamp), ":mailed_at": self.mailed_at.map(Stamp),
            ":num_failures": self.num_failures, ":failures_in_a_row": self.failures_in_a_row,
            ":passes_in_a_row": self.passes_in_a_row, ":num_reopened": self.num_reopened,
            ":num_held_back": self.num_held_back, ":held_by": self.held_by, ":num_mails": self.num_mails,
            ":mail_subject": self.mail_subject, ":first_mail": self.first_mail, ":last_mail": self.last_mail, ":facts": bounded_facts(&self.facts),
        })?;
        Ok(())
    }

    /// The newest incident of a key.
    pub(super) fn newest(connection: &Connection, key: &IncidentKey) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT * FROM incidents WHERE check_name = ?1 AND table_name = ?2 AND subject = ?3 AND session = ?4
                   ORDER BY id DESC LIMIT 1";
        let parts = (&key.check, &key.table, &key.subject, &key.session);
        connection.prepare_cached(sql)?.query_row(parts, Self::read).optional()
    }

    /// Those that go on, and those that a mail about others is still to tell.
    pub(super) fn current(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        let sql = "SELECT * FROM incidents WHERE state = 'open' OR held_by IS NOT NULL ORDER BY id";
        connection.prepare_cached(sql)?.query_map([], Self::read)?.collect()
    }

    /// The number of the next one.
    pub(super) fn next_id(connection: &Connection) -> rusqlite::Result<i64> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'incidents'";
        Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0) + 1)
    }
}

/// JSON cannot be cut: facts that are too long are left out.
fn bounded_facts(facts: &str) -> &str {
    if facts.len() > MAX_FACTS_BYTES { "{}" } else { facts }
}

/// Longest facts that are kept.
const MAX_FACTS_BYTES: usize = 256 << 10;

impl Ledger {
    /// Incidents that go on, oldest first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn open_incidents(&self) -> Result<Vec<Incident>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM incidents WHERE state = 'open' ORDER BY id";
            connection.prepare_cached(sql)?.query_map([], Incident::read)?.collect()
        })
    }

    /// Incidents that went on at some time since an instant, oldest first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn incidents_since(&self, since: DateTime<Utc>) -> Result<Vec<Incident>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM incidents WHERE state = 'open' OR resolved_at >= ?1 ORDER BY id";
            connection.prepare_cached(sql)?.query_map([Stamp(since)], Incident::read)?.collect()
        })
    }
}
