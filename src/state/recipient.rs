//! What became of a mail at each recipient: who has it gets no second copy while it still goes to another.

use chrono::{DateTime, Utc};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Transaction, params};
use serde::Serialize;

use super::severity::named;
use super::stamp::Stamp;
use super::{Ledger, LedgerError, QueuedMail, bounded, schema};

/// The first version of the schema that has recipients.
const WITH_RECIPIENTS: u32 = 4;

/// Where a mail stands at one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientState {
    /// The server asks to try again later.
    Queued,
    /// The server has taken the mail for this recipient.
    Sent,
    /// The server will never take it for this recipient.
    Refused,
    /// It was tried for as long as it is tried.
    GivenUp,
}

impl RecipientState {
    const ALL: [Self; 4] = [Self::Queued, Self::Sent, Self::Refused, Self::GivenUp];

    /// Its name in the ledger and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
        }
    }
}

impl ToSql for RecipientState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for RecipientState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        named(value, "state of a recipient", (Self::ALL, Self::as_str))
    }
}

/// What became of a mail at one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The address.
    pub recipient: String,
    /// Where the mail stands there.
    pub state: RecipientState,
    /// Why it is not sent, where it is not: code and words of the server.
    pub reason: Option<String>,
}

impl Receipt {
    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        mail_id: i64,
        now: DateTime<Utc>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO mail_recipients (mail_id, recipient, state, attempts, tried_at, error)
                       VALUES (?1, ?2, ?3, 1, ?4, ?5)
                   ON CONFLICT (mail_id, recipient) DO UPDATE SET state = excluded.state, attempts = attempts + 1,
                       tried_at = excluded.tried_at, error = excluded.error";
        let values = params![mail_id, self.recipient, self.state, Stamp(now), self.reason.as_deref().map(bounded)];
        transaction.prepare_cached(sql)?.execute(values).map(|_| ())
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { recipient: row.get("recipient")?, state: row.get("state")?, reason: row.get("error")? })
    }
}

/// A recipient for whom an earlier mail of the same thread still waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub recipient: String,
    /// When the earlier mail is tried again, or its lease runs out.
    pub until: DateTime<Utc>,
}

/// How far a mail has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// When it was first taken in hand.
    pub first_tried_at: Option<DateTime<Utc>>,
    /// What became of it at the recipients that it was tried for.
    pub receipts: Vec<Receipt>,
    /// Who waits for an earlier mail of its thread.
    pub held: Vec<Held>,
}

/// A recipient who has not got a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreached {
    /// Message-ID of the mail.
    pub message_id: String,
    /// The address.
    pub recipient: String,
    /// Whether it still waits, or why it does not.
    pub state: RecipientState,
    /// Attempts made.
    pub attempts: u32,
    /// The last one.
    pub tried_at: DateTime<Utc>,
    /// The next one; none where there is none.
    pub again_at: Option<DateTime<Utc>>,
    /// Code and words of the server.
    pub error: Option<String>,
}

impl Unreached {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let state = row.get("state")?;
        let Stamp(again_at) = row.get("not_before")?;
        Ok(Self {
            message_id: row.get("message_id")?,
            recipient: row.get("recipient")?,
            state,
            attempts: row.get("attempts")?,
            tried_at: row.get::<_, Stamp>("tried_at")?.0,
            again_at: (state == RecipientState::Queued).then_some(again_at),
            error: row.get("error")?,
        })
    }
}

/// How many recipients will not get a mail that others got; an older ledger knows of none.
pub(super) fn num_left_out(connection: &Connection) -> rusqlite::Result<u32> {
    if schema::version(connection)? < WITH_RECIPIENTS {
        return Ok(0);
    }
    let sql = "SELECT count(*) FROM mail_recipients AS one JOIN mails ON mails.id = one.mail_id
               WHERE one.state IN ('refused', 'given_up') AND mails.state NOT IN ('refused', 'given_up')";
    connection.query_row(sql, [], |row| row.get(0))
}

impl Ledger {
    /// How far a mail has come: whom it need not be sent to again, and who waits for an earlier one.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn progress(&self, mail: &QueuedMail) -> Result<Progress, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT first_tried_at FROM mails WHERE id = ?1";
            let first = connection.query_row(sql, [mail.id], |row| row.get::<_, Option<Stamp>>(0))?;
            let sql = "SELECT recipient, state, error FROM mail_recipients WHERE mail_id = ?1";
            let receipts =
                connection.prepare_cached(sql)?.query_map([mail.id], Receipt::read)?.collect::<Result<_, _>>()?;
            let sql = "SELECT one.recipient, max(max(before.not_before, coalesce(before.leased_until, 0))) AS until
                       FROM mails JOIN mails AS before ON before.thread = mails.thread AND before.id < mails.id
                           JOIN mail_recipients AS one ON one.mail_id = before.id
                       WHERE mails.id = ?1 AND before.state = 'queued' AND one.state = 'queued' GROUP BY one.recipient";
            let held =
                |row: &Row<'_>| Ok(Held { recipient: row.get("recipient")?, until: row.get::<_, Stamp>("until")?.0 });
            let held = connection.prepare_cached(sql)?.query_map([mail.id], held)?.collect::<Result<_, _>>()?;
            Ok(Progress { first_tried_at: first.map(|Stamp(at)| at), receipts, held })
        })
    }

    /// Who has not got a mail that waits, or one that was given up or refused since an instant; by mail and address.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn unreached(&self, since: DateTime<Utc>) -> Result<Vec<Unreached>, LedgerError> {
        self.read("read", |connection| {
            if schema::version(connection)? < WITH_RECIPIENTS {
                return Ok(Vec::new());
            }
            let sql = "SELECT mails.message_id, mails.not_before, one.* FROM mail_recipients AS one
                           JOIN mails ON mails.id = one.mail_id
                       WHERE one.state <> 'sent' AND (one.state = 'queued' OR one.tried_at >= ?1)
                       ORDER BY one.mail_id, one.recipient";
            connection.prepare_cached(sql)?.query_map([Stamp(since)], Unreached::read)?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixtures::{NOW, ledger};
    use super::super::{Attempt, MailCounts, MailKind, NewMail};
    use super::*;

    fn queue(ledger: &Ledger, number: u32) {
        let mail = NewMail {
            message_id: format!("<jobs.7.{number}@host>"),
            kind: MailKind::Alert,
            thread: "7".into(),
            letter: "{}".into(),
            not_before: NOW,
        };
        assert!(ledger.queue_mail(&mail, NOW).expect("queued"));
    }

    fn lease(ledger: &Ledger, at: DateTime<Utc>) -> Option<QueuedMail> {
        ledger.lease_mail("s", (at, TimeDelta::minutes(1))).expect("an answer")
    }

    fn receipt(recipient: &str, state: RecipientState) -> Receipt {
        let reason = (state != RecipientState::Sent).then(|| "451 later".to_owned());
        Receipt { recipient: recipient.to_owned(), state, reason }
    }

    #[test]
    fn one_recipient_that_waits_holds_up_the_next_mail_for_itself_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        queue(&ledger, 1);
        queue(&ledger, 2);
        let first = lease(&ledger, NOW).expect("due");
        assert_eq!(ledger.progress(&first).expect("readable").first_tried_at, Some(NOW));
        let again = NOW + TimeDelta::minutes(1);
        let receipts = [receipt("a@x", RecipientState::Sent), receipt("b@x", RecipientState::Queued)];
        ledger.settle_mail((&first, "s"), &Attempt::Later(again, "451".into()), &receipts, NOW).expect("noted");
        let second = lease(&ledger, NOW).expect("the first holds up one recipient, not the mail");
        let progress = ledger.progress(&second).expect("readable");
        assert_eq!(progress.held, [Held { recipient: "b@x".into(), until: again }]);
        ledger.settle_mail((&second, "s"), &Attempt::Held(again), &[], NOW).expect("noted");
        let retried = lease(&ledger, again).expect("due");
        assert_eq!((retried.id, retried.attempts), (first.id, 1));
        assert_eq!(ledger.progress(&retried).expect("readable").receipts, receipts);
        let taken = [receipt("b@x", RecipientState::Sent)];
        ledger.settle_mail((&retried, "s"), &Attempt::Sent, &taken, again).expect("noted");
        let second = lease(&ledger, again).expect("due");
        assert_eq!((second.attempts, ledger.progress(&second).expect("readable").held), (0, Vec::new()));
    }

    #[test]
    fn who_did_not_get_a_mail_is_counted_and_listed_and_goes_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        queue(&ledger, 1);
        let mail = lease(&ledger, NOW).expect("due");
        let receipts = [
            receipt("a@x", RecipientState::Sent),
            receipt("b@x", RecipientState::GivenUp),
            receipt("c@x", RecipientState::Refused),
        ];
        ledger.settle_mail((&mail, "s"), &Attempt::Sent, &receipts, NOW).expect("noted");
        let counts = ledger.mail_counts().expect("readable");
        assert_eq!(counts, MailCounts { sent: 1, left_out: 2, ..MailCounts::default() });
        let listed = ledger.unreached(NOW).expect("readable");
        let told: Vec<_> =
            listed.iter().map(|one| (one.recipient.as_str(), one.state.as_str(), one.again_at)).collect();
        assert_eq!(told, [("b@x", "given_up", None), ("c@x", "refused", None)]);
        assert_eq!(ledger.unreached(NOW + TimeDelta::days(1)).expect("readable"), []);
        ledger.prune(1, NOW + TimeDelta::days(3)).expect("pruned");
        assert_eq!(ledger.unreached(NOW).expect("readable"), [], "they went with the mail");
    }

    #[test]
    fn a_mail_that_nobody_took_is_given_up_and_not_tried_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        queue(&ledger, 1);
        let mail = lease(&ledger, NOW).expect("due");
        let receipts = [receipt("a@x", RecipientState::GivenUp)];
        ledger.settle_mail((&mail, "s"), &Attempt::GivenUp("451".into()), &receipts, NOW).expect("noted");
        assert_eq!(lease(&ledger, NOW + TimeDelta::days(9)), None);
        let counts = ledger.mail_counts().expect("readable");
        assert_eq!(counts, MailCounts { given_up: 1, ..MailCounts::default() });
        assert_eq!(ledger.mail_state("<jobs.7.1@host>").expect("readable").as_deref(), Some("given_up"));
    }
}
