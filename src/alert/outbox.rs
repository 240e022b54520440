//! Sending what is queued: at least once, by any number of processes, never one mail from two hands at once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::clock::SharedClock;
use crate::state::{Attempt, Ledger, LedgerError, QueuedMail};

use super::error::{SendError, SendErrorClass, told};
use super::letter::Letter;
use super::mailer::Mailer;

/// A lease outlasts the longest talk with a server by this.
const LEASE_ROOM: TimeDelta = TimeDelta::minutes(1);

/// First pause after a failure; each further one is twice as long.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// Longest pause.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);

/// What came of sending what was due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Mails sent.
    pub num_sent: u32,
    /// Mails that are tried again later.
    pub num_later: u32,
    /// Mails that the server refused for good.
    pub num_refused: u32,
    /// Why the last one did not go, and how that is to be handled.
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
            let result = self.send(&mail).await;
            let now = clock.now();
            let attempt = attempt(&mail, result.as_ref().err(), now);
            note(&mut delivery, &attempt, result.as_ref().err());
            self.settle(mail, attempt, now).await?;
            if result.is_err_and(|error| error.is_of_the_server()) {
                break;
            }
        }
        Ok(delivery)
    }

    async fn send(&self, mail: &QueuedMail) -> Result<(), SendError> {
        let letter: Letter =
            serde_json::from_str(&mail.letter).map_err(|error| SendError::Letter { source: error.into() })?;
        let refused = self.mailer.send(&letter).await?;
        if !refused.is_empty() {
            tracing::error!(
                message_id = mail.message_id,
                refused = refused.join(", "),
                "a mail went, but not to these recipients: check mail.to"
            );
        }
        Ok(())
    }

    async fn lease(&self, now: DateTime<Utc>) -> Result<Option<QueuedMail>, LedgerError> {
        let (ledger, sender) = (self.ledger.clone(), self.sender.clone());
        let lease = TimeDelta::from_std(self.mailer.longest()).unwrap_or(LONGEST_PAUSE) + LEASE_ROOM;
        blocking(move || ledger.lease_mail(&sender, (now, lease))).await.unwrap_or(Ok(None))
    }

    async fn settle(&self, mail: QueuedMail, attempt: Attempt, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        let (ledger, sender) = (self.ledger.clone(), self.sender.clone());
        blocking(move || ledger.settle_mail((&mail, &sender), &attempt, now)).await.unwrap_or(Ok(false))
    }
}

/// Works on the ledger where blocking is allowed; none where the process is about to end.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn attempt(mail: &QueuedMail, error: Option<&SendError>, now: DateTime<Utc>) -> Attempt {
    let Some(error) = error else { return Attempt::Sent };
    match error.class() {
        SendErrorClass::Refused => Attempt::Refused(told(error)),
        SendErrorClass::Unavailable | SendErrorClass::Misconfigured => {
            let pause = FIRST_PAUSE * (1 << mail.attempts.min(10));
            Attempt::Later(now + pause.min(LONGEST_PAUSE), told(error))
        }
    }
}

/// Counts what came of a mail; a failure is told here, once.
fn note(delivery: &mut Delivery, attempt: &Attempt, error: Option<&SendError>) {
    match attempt {
        Attempt::Sent => delivery.num_sent += 1,
        Attempt::Later(at, reason) => {
            delivery.num_later += 1;
            tracing::warn!(error = reason, again_at = %at, "a mail did not go and is kept");
        }
        Attempt::Refused(reason) => {
            delivery.num_refused += 1;
            tracing::error!(error = reason, "a mail was refused for good and will not go");
        }
    }
    if let Some(error) = error {
        delivery.failure = Some((error.class(), told(error)));
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
