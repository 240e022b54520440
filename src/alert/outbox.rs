//! Sending what is queued: at least once, by any number of processes, never one mail from two hands at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::state::{Attempt, Ledger, LedgerError, Progress, QueuedMail, Receipt, RecipientState};

use super::error::{SendError, SendErrorClass};
use super::letter::Letter;
use super::mailer::Mailer;
use super::round::{LONGEST_PAUSE, Noted, Round};

/// A lease outlasts the longest talk with a server by this.
const LEASE_ROOM: TimeDelta = TimeDelta::minutes(1);

/// What came of sending what was due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Mails sent: whoever is to get one has it, or will never.
    pub num_sent: u32,
    /// Mails that are tried again later, though some recipients may have them.
    pub num_later: u32,
    /// Mails that the server refused for good.
    pub num_refused: u32,
    /// Mails that nobody took within the time that they are tried for.
    pub num_given_up: u32,
    /// Mails that somebody has got just now and somebody else has not.
    pub num_in_part: u32,
    /// Why the last one did not go, or not to everybody, and how that is to be handled.
    pub failure: Option<(SendErrorClass, String)>,
}

/// The outbox of a process.
#[derive(Debug, Clone)]
pub struct Outbox {
    ledger: Ledger,
    mailer: Mailer,
    sender: String,
}

impl Outbox {
    /// The mails of this ledger, by this way.
    #[must_use]
    pub fn new(ledger: Ledger, mailer: Mailer) -> Self {
        Self { ledger, mailer, sender: uuid::Uuid::new_v4().simple().to_string() }
    }

    /// The way that the mails leave by.
    #[must_use]
    pub fn mailer(&self) -> &Mailer {
        &self.mailer
    }

    /// Sends what is due, one after the other, for about so long. It stops where the server fails, since every further
    /// mail would wait for the same failure.
    ///
    /// # Errors
    /// Where the ledger cannot be written. A mail that was sent and could not be noted goes again, as the same mail.
    pub async fn deliver(&self, clock: &SharedClock, patience: Duration) -> Result<Delivery, LedgerError> {
        let deadline = Instant::now() + patience;
        let mut delivery = Delivery::default();
        while Instant::now() < deadline {
            let Some(mail) = self.lease(clock.now()).await? else { break };
            let progress = self.progress(mail.clone()).await?;
            let round = Round {
                mail: &mail,
                progress: &progress,
                recipients: &self.mailer.recipients(),
                destination: &self.mailer.destination(),
                give_up_after: self.mailer.give_up_after(),
            };
            let result = self.send(&mail, &round.open()).await;
            let is_of_the_server = result.as_ref().is_err_and(SendError::is_of_the_server);
            let now = clock.now();
            let noted = round.noted(result, now);
            note(&mut delivery, &mail, &noted);
            self.settle(mail, noted, now).await?;
            if is_of_the_server {
                break;
            }
        }
        Ok(delivery)
    }

    /// Sends a mail to those who are to get it now; nobody is asked anything where that is nobody.
    async fn send(&self, mail: &QueuedMail, open: &[String]) -> Result<Vec<Receipt>, SendError> {
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let letter: Letter =
            serde_json::from_str(&mail.letter).map_err(|error| SendError::Letter { source: error.into() })?;
        self.mailer.send_to(&letter, open).await
    }

    async fn progress(&self, mail: QueuedMail) -> Result<Progress, LedgerError> {
        let ledger = self.ledger.clone();
        blocking(move || ledger.progress(&mail)).await.unwrap_or_else(|| Ok(Progress::default()))
    }

    async fn lease(&self, now: DateTime<Utc>) -> Result<Option<QueuedMail>, LedgerError> {
        let (ledger, sender) = (self.ledger.clone(), self.sender.clone());
        let lease = TimeDelta::from_std(self.mailer.longest()).unwrap_or(LONGEST_PAUSE) + LEASE_ROOM;
        blocking(move || ledger.lease_mail(&sender, (now, lease))).await.unwrap_or(Ok(None))
    }

    async fn settle(&self, mail: QueuedMail, noted: Noted, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        let (ledger, sender) = (self.ledger.clone(), self.sender.clone());
        let Noted { attempt, receipts, .. } = noted;
        blocking(move || ledger.settle_mail((&mail, &sender), &attempt, &receipts, now)).await.unwrap_or(Ok(false))
    }
}

/// Works on the ledger where blocking is allowed; none where the process is about to end.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Counts what came of a mail; a failure is logged here, once, without addresses: `jobs alert list` has them.
fn note(delivery: &mut Delivery, mail: &QueuedMail, noted: &Noted) {
    let message_id = mail.message_id.as_str();
    let num_missing = noted.receipts.iter().filter(|one| one.state != RecipientState::Sent).count();
    let is_in_part = num_missing < noted.receipts.len() && num_missing > 0;
    delivery.num_in_part += u32::from(is_in_part);
    match &noted.attempt {
        Attempt::Sent => {
            delivery.num_sent += 1;
            if let Some((_, error)) = &noted.failure {
                tracing::error!(
                    message_id,
                    error,
                    "a mail did not go to everybody: jobs alert list names the recipients"
                );
            }
        }
        Attempt::Later(at, error) => {
            delivery.num_later += 1;
            tracing::warn!(message_id, error, again_at = %at, is_in_part, "a mail did not go and is kept");
        }
        Attempt::Held(_) => {}
        Attempt::Refused(error) => {
            delivery.num_refused += 1;
            tracing::error!(message_id, error, "a mail was refused for good and will not go");
        }
        Attempt::GivenUp(error) => {
            delivery.num_given_up += 1;
            tracing::error!(message_id, error, "a mail was given up and will not go");
        }
    }
    if let Some(failure) = &noted.failure {
        delivery.failure = Some(failure.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{AlertConfig, Alerts, Facts, Looker, MailConfig, MailRoute, Observation, Origin, Policy};
    use super::*;
    use crate::clock::ManualClock;
    use crate::state::{IncidentKey, MailKind, NewMail, Severity};

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_795_187_100, 0).expect("representable");
    const PATIENCE: Duration = Duration::from_secs(20);

    fn outbox(ledger: &Ledger, config: &MailConfig) -> Outbox {
        let origin = Origin::here(Some("desk"), &[], &());
        Outbox::new(ledger.clone(), Mailer::new(config, &origin).expect("addresses"))
    }

    fn ledger(folder: &tempfile::TempDir) -> Ledger {
        Ledger::open(&folder.path().join("jobs.db")).expect("opened")
    }

    fn fail(ledger: &Ledger, symbol: &str) {
        let origin = Origin::here(Some("desk"), &[], &());
        let alerts = Alerts::new(ledger.clone(), Policy::new(&AlertConfig::default(), None), origin);
        let looker = Looker { job: "quality".into(), run_id: "r1".into(), slot: NOW };
        let key = IncidentKey::new("complete.session", "futures_snapshots", symbol);
        let seen = [Observation::failed(key, Severity::Error, Facts::default())];
        assert_eq!(alerts.observe(&looker, &seen, NOW).expect("noted"), 1);
    }

    #[tokio::test]
    async fn what_is_queued_is_sent_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let outbox = outbox(&ledger, &MailConfig { kind: MailRoute::Memory, ..MailConfig::default() });
        let clock: SharedClock = Arc::new(ManualClock::at(NOW));
        for symbol in ["ES", "NQ"] {
            fail(&ledger, symbol);
        }
        let delivery = outbox.deliver(&clock, PATIENCE).await.expect("delivered");
        assert_eq!(delivery, Delivery { num_sent: 2, ..Delivery::default() });
        assert_eq!(outbox.deliver(&clock, PATIENCE).await.expect("delivered"), Delivery::default());
        let kept = outbox.mailer().kept().expect("in memory");
        let subject = |mail: &Vec<u8>| {
            let text = String::from_utf8_lossy(mail).into_owned();
            text.lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned)).expect("a subject")
        };
        let subjects: Vec<String> = kept.iter().map(subject).collect();
        assert_eq!(subjects, ["[jobs] ERROR complete.session ES", "[jobs] ERROR complete.session NQ"]);
    }

    #[tokio::test]
    async fn a_way_that_is_barred_keeps_the_mails_and_is_tried_less_and_less() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").expect("written");
        let outbox = outbox(&ledger, &MailConfig { folder: blocked.join("mail"), ..MailConfig::default() });
        let clock = Arc::new(ManualClock::at(NOW));
        fail(&ledger, "ES");
        fail(&ledger, "NQ");
        let shared: SharedClock = clock.clone();
        let delivery = outbox.deliver(&shared, PATIENCE).await.expect("an answer");
        assert_eq!((delivery.num_later, delivery.num_sent), (1, 0), "it stops at a failure of the way");
        let (class, error) = delivery.failure.expect("a failure");
        assert_eq!(class, SendErrorClass::Misconfigured);
        assert!(error.contains("give mail.folder another value"), "{error}");
        for (minutes, attempts) in [(1, 2), (3, 3), (7, 4)] {
            clock.set(NOW + TimeDelta::minutes(minutes));
            outbox.deliver(&shared, PATIENCE).await.expect("an answer");
            outbox.deliver(&shared, PATIENCE).await.expect("an answer");
            let waiting = ledger.queued_mails().expect("readable");
            assert_eq!(waiting.first().map(|mail| mail.attempts), Some(attempts), "after {minutes} min");
        }
        std::fs::remove_file(&blocked).expect("removed");
        clock.set(NOW + TimeDelta::hours(2));
        assert_eq!(outbox.deliver(&shared, PATIENCE).await.expect("delivered").num_sent, 2);
    }

    #[tokio::test]
    async fn a_mail_that_cannot_be_read_holds_up_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let unreadable = NewMail {
            message_id: "<x@desk>".into(),
            kind: MailKind::Report,
            thread: "x".into(),
            letter: "no JSON".into(),
            not_before: NOW,
        };
        ledger.queue_mail(&unreadable, NOW).expect("queued");
        fail(&ledger, "ES");
        let outbox = outbox(&ledger, &MailConfig { kind: MailRoute::Memory, ..MailConfig::default() });
        let clock: SharedClock = Arc::new(ManualClock::at(NOW));
        let delivery = outbox.deliver(&clock, PATIENCE).await.expect("delivered");
        assert_eq!((delivery.num_sent, delivery.num_later), (1, 1));
    }
}
