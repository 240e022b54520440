//! The outbox: mails from when they are queued until the server has taken them, whoever dies in between.
//!
//! A mail is sent at least once. Who sends it leases it first, so two senders never have the same one in hand; one that
//! is killed with a mail in hand leaves the lease behind, and when that has run out the same mail goes again under the
//! same Message-ID. What became of it at each recipient stands in `recipient.rs`.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};
use serde::{Deserialize, Serialize};

use super::recipient::{Receipt, num_left_out};
use super::severity::named;
use super::stamp::Stamp;
use super::{Ledger, LedgerError, bounded};

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// An incident, or several of one run.
    Alert,
    /// What the bound of mails in an hour kept from being mailed.
    HeldBack,
    /// A report.
    Report,
}

impl MailKind {
    const ALL: [Self; 3] = [Self::Alert, Self::HeldBack, Self::Report];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::HeldBack => "held_back",
            Self::Report => "report",
        }
    }
}

impl ToSql for MailKind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for MailKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        named(value, "kind of mail", (Self::ALL, Self::as_str))
    }
}

/// A mail to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Its Message-ID with angle brackets: the same for the same mail.
    pub message_id: String,
    /// What it is for.
    pub kind: MailKind,
    /// The thread it belongs to: a mail waits for the one before it in the same thread.
    pub thread: String,
    /// The mail itself, as JSON.
    pub letter: String,
    /// It is not sent before.
    pub not_before: DateTime<Utc>,
}

/// A mail in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its place in the queue.
    pub id: i64,
    /// Its Message-ID.
    pub message_id: String,
    /// The mail itself, as JSON.
    pub letter: String,
    /// When it was queued.
    pub queued_at: DateTime<Utc>,
    /// Attempts made before.
    pub attempts: u32,
    /// What went wrong in the last attempt.
    pub error: Option<String>,
}

impl QueuedMail {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            message_id: row.get("message_id")?,
            letter: row.get("letter")?,
            queued_at: row.get::<_, Stamp>("queued_at")?.0,
            attempts: row.get("attempts")?,
            error: row.get("error")?,
        })
    }
}

/// What became of an attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The server has it.
    Sent,
    /// Another attempt is to be made at an instant.
    Later(DateTime<Utc>, String),
    /// Not tried: everybody it still goes to waits for an earlier mail of its thread, until an instant.
    Held(DateTime<Utc>),
    /// The server will never take it.
    Refused(String),
    /// Nobody took it within the time that it is tried for.
    GivenUp(String),
}

/// How many mails stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct MailCounts {
    /// Mails that wait to be sent.
    pub queued: u32,
    /// Mails that were sent.
    pub sent: u32,
    /// Mails that the server refused for good.
    pub refused: u32,
    /// Mails that nobody took within the time that they are tried for.
    pub given_up: u32,
    /// Recipients who will not get a mail that others got.
    pub left_out: u32,
}

impl NewMail {
    /// Puts it into the outbox. One that is there already stays as it is, but for a summary that nobody has in hand yet,
    /// which takes the new text. Tells whether it was new.
    pub(super) fn write(&self, transaction: &Transaction<'_>, now: DateTime<Utc>) -> rusqlite::Result<bool> {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO mails (message_id, kind, thread, letter, queued_at, not_before)
             VALUES (:message_id, :kind, :thread, :letter, :now, :not_before)
             ON CONFLICT (message_id) DO NOTHING",
        )?;
        let added = statement.execute(named_params! {
            ":message_id": self.message_id, ":kind": self.kind, ":thread": self.thread, ":letter": self.letter,
            ":now": Stamp(now), ":not_before": Stamp(self.not_before),
        })?;
        if added == 0 && self.kind == MailKind::HeldBack {
            let sql = "UPDATE mails SET letter = ?2 WHERE message_id = ?1 AND state = 'queued' AND leased_by IS NULL";
            transaction.prepare_cached(sql)?.execute((&self.message_id, &self.letter))?;
        }
        Ok(added > 0)
    }
}

/// The Message-ID of the summary that waits for its hour, in nobody's hand.
pub(super) fn waiting_summary(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT message_id FROM mails WHERE kind = 'held_back' AND state = 'queued' AND leased_by IS NULL
                   AND not_before > ?1 ORDER BY id DESC LIMIT 1";
    connection.prepare_cached(sql)?.query_row([Stamp(now)], |row| row.get(0)).optional()
}

/// When alerts were queued since an instant, oldest first.
pub(super) fn queued_since(connection: &Connection, since: DateTime<Utc>) -> rusqlite::Result<Vec<DateTime<Utc>>> {
    let sql = "SELECT queued_at FROM mails WHERE queued_at > ?1 AND kind = 'alert' ORDER BY queued_at";
    let read = |row: &Row<'_>| row.get::<_, Stamp>(0).map(|Stamp(at)| at);
    connection.prepare_cached(sql)?.query_map([Stamp(since)], read)?.collect()
}

impl Ledger {
    /// Queues a mail that belongs to no incident; tells whether it was new. The same Message-ID is queued once.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn queue_mail(&self, mail: &NewMail, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        self.write("queue a mail in", |transaction| mail.write(transaction, now))
    }

    /// Takes the next mail that is due into the hand of a sender, for so long; none where there is none. A mail waits for
    /// the one before it in its thread, unless that one waits for its hour, or for some of its recipients only: then
    /// those alone wait, as [`Ledger::progress`] says.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn lease_mail(
        &self,
        sender: &str,
        (now, lease): (DateTime<Utc>, TimeDelta),
    ) -> Result<Option<QueuedMail>, LedgerError> {
        self.write("take a mail from", |transaction| {
            let sql = "SELECT * FROM mails AS mail WHERE state = 'queued' AND not_before <= ?1
                           AND (leased_until IS NULL OR leased_until <= ?1)
                           AND NOT EXISTS (SELECT 1 FROM mails AS before WHERE before.thread = mail.thread
                               AND before.state = 'queued' AND before.id < mail.id
                               AND (before.attempts > 0 OR before.not_before <= ?1)
                               AND NOT EXISTS (SELECT 1 FROM mail_recipients WHERE mail_id = before.id))
                       ORDER BY id LIMIT 1";
            let next = transaction.prepare_cached(sql)?.query_row([Stamp(now)], QueuedMail::read).optional()?;
            if let Some(mail) = &next {
                let sql = "UPDATE mails SET leased_by = ?2, leased_until = ?3,
                               first_tried_at = coalesce(first_tried_at, ?4) WHERE id = ?1";
                transaction.execute(sql, (mail.id, sender, Stamp(now + lease), Stamp(now)))?;
            }
            Ok(next)
        })
    }

    /// Notes what became of a mail that this sender has in hand, and of its recipients; tells whether it still had it.
    /// One that was held has not been tried, and its attempts stay what they were.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn settle_mail(
        &self,
        (mail, sender): (&QueuedMail, &str),
        attempt: &Attempt,
        receipts: &[Receipt],
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let (state, next, error) = match attempt {
            Attempt::Sent => ("sent", None, None),
            Attempt::Later(at, error) => ("queued", Some(*at), Some(bounded(error))),
            Attempt::Held(at) => ("queued", Some(*at), mail.error.as_deref()),
            Attempt::Refused(error) => ("refused", None, Some(bounded(error))),
            Attempt::GivenUp(error) => ("given_up", None, Some(bounded(error))),
        };
        let was_tried = !matches!(attempt, Attempt::Held(_));
        let ended_at = next.is_none().then_some(Stamp(now));
        self.write("note the end of a mail in", |transaction| {
            let sql = "UPDATE mails SET state = ?3, not_before = coalesce(?4, not_before), error = ?5, ended_at = ?6,
                           attempts = attempts + ?7, leased_by = NULL, leased_until = NULL
                       WHERE id = ?1 AND leased_by = ?2";
            let values = params![mail.id, sender, state, next.map(Stamp), error, ended_at, was_tried];
            if transaction.execute(sql, values)? == 0 {
                return Ok(false);
            }
            receipts.iter().try_for_each(|receipt| receipt.write(transaction, mail.id, now)).map(|()| true)
        })
    }

    /// How many mails stand where.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn mail_counts(&self) -> Result<MailCounts, LedgerError> {
        self.read("read", |connection| {
            let count = |state: &str| {
                connection.query_row("SELECT count(*) FROM mails WHERE state = ?1", [state], |row| row.get(0))
            };
            Ok(MailCounts {
                queued: count("queued")?,
                sent: count("sent")?,
                refused: count("refused")?,
                given_up: count("given_up")?,
                left_out: num_left_out(connection)?,
            })
        })
    }

    /// Where a mail stands: `queued`, `sent`, `refused` or `given_up`; none where none has this Message-ID.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn mail_state(&self, message_id: &str) -> Result<Option<String>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT state FROM mails WHERE message_id = ?1";
            connection.prepare_cached(sql)?.query_row([message_id], |row| row.get(0)).optional()
        })
    }

    /// Whether a report was ever queued.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn has_reports(&self) -> Result<bool, LedgerError> {
        self.read("read", |connection| {
            connection.query_row("SELECT EXISTS (SELECT 1 FROM mails WHERE kind = 'report')", [], |row| row.get(0))
        })
    }

    /// The mails that wait, in order.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn queued_mails(&self) -> Result<Vec<QueuedMail>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM mails WHERE state = 'queued' ORDER BY id";
            connection.prepare_cached(sql)?.query_map([], QueuedMail::read)?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NOW, ledger};
    use super::*;

    const LEASE: TimeDelta = TimeDelta::minutes(2);

    fn mail(number: u32, thread: &str) -> NewMail {
        NewMail {
            message_id: format!("<jobs.{thread}.{number}@host>"),
            kind: MailKind::Alert,
            thread: thread.into(),
            letter: "{}".into(),
            not_before: NOW,
        }
    }

    fn leased(ledger: &Ledger, sender: &str, at: DateTime<Utc>) -> Option<QueuedMail> {
        ledger.lease_mail(sender, (at, LEASE)).expect("an answer")
    }

    #[test]
    fn two_senders_never_have_the_same_mail_in_hand() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (ledger(&folder), ledger(&folder));
        assert!(one.queue_mail(&mail(1, "7"), NOW).expect("queued"));
        assert!(!other.queue_mail(&mail(1, "7"), NOW).expect("queued once"));
        let first = leased(&one, "one", NOW).expect("due");
        assert_eq!(leased(&other, "other", NOW), None);
        let late = NOW + LEASE;
        assert_eq!(leased(&other, "other", late).map(|mail| mail.message_id), Some(first.message_id.clone()));
        assert!(!one.settle_mail((&first, "one"), &Attempt::Sent, &[], late).expect("noted"), "the lease had run out");
        assert!(other.settle_mail((&first, "other"), &Attempt::Sent, &[], late).expect("noted"));
        assert_eq!(one.mail_counts().expect("readable"), MailCounts { sent: 1, ..MailCounts::default() });
        assert_eq!(leased(&one, "one", NOW + TimeDelta::days(1)), None);
    }

    #[test]
    fn a_mail_waits_for_the_one_before_it_in_its_thread_and_for_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        for new in [mail(1, "7"), mail(2, "7"), mail(1, "8")] {
            ledger.queue_mail(&new, NOW).expect("queued");
        }
        let first = leased(&ledger, "s", NOW).expect("due");
        let again = NOW + TimeDelta::hours(1);
        ledger.settle_mail((&first, "s"), &Attempt::Later(again, "451 later".into()), &[], NOW).expect("noted");
        let next = leased(&ledger, "s", NOW).expect("the other thread");
        assert_eq!(next.message_id, "<jobs.8.1@host>");
        ledger.settle_mail((&next, "s"), &Attempt::Refused("550 no".into()), &[], NOW).expect("noted");
        assert_eq!(leased(&ledger, "s", NOW), None);
        let retried = leased(&ledger, "s", again).expect("due again");
        assert_eq!((retried.id, retried.attempts, retried.error.as_deref()), (first.id, 1, Some("451 later")));
        ledger.settle_mail((&retried, "s"), &Attempt::Sent, &[], again).expect("noted");
        assert_eq!(leased(&ledger, "s", again).map(|mail| mail.message_id), Some("<jobs.7.2@host>".into()));
    }

    #[test]
    fn what_waits_for_the_morning_holds_up_nothing_that_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.queue_mail(&NewMail { not_before: NOW + TimeDelta::hours(8), ..mail(1, "7") }, NOW).expect("queued");
        ledger.queue_mail(&mail(2, "7"), NOW).expect("queued");
        assert_eq!(leased(&ledger, "s", NOW).map(|mail| mail.message_id), Some("<jobs.7.2@host>".into()));
    }

    #[test]
    fn only_a_summary_in_nobodys_hand_takes_a_new_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let summary = |text: &str| NewMail { kind: MailKind::HeldBack, letter: text.into(), ..mail(1, "cap") };
        ledger.queue_mail(&summary("one"), NOW).expect("queued");
        ledger.queue_mail(&summary("two"), NOW).expect("changed");
        assert_eq!(leased(&ledger, "s", NOW).map(|mail| mail.letter), Some("two".into()));
        ledger.queue_mail(&summary("three"), NOW).expect("too late");
        assert_eq!(ledger.queued_mails().expect("readable").first().map(|mail| mail.letter.as_str()), Some("two"));
    }
}
