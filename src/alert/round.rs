//! One attempt at one mail: whom it goes to, and what is to be noted of it. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::state::{Attempt, Progress, QueuedMail, Receipt, RecipientState};

use super::error::{SendError, SendErrorClass, told};

/// First pause after a failure; each further one is twice as long.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// Longest pause.
pub(super) const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);

/// A mail in hand, with what is known of it.
pub(super) struct Round<'a> {
    pub(super) mail: &'a QueuedMail,
    pub(super) progress: &'a Progress,
    /// Everybody that mails go to.
    pub(super) recipients: &'a [String],
    /// The way that it leaves by, for a person.
    pub(super) destination: &'a str,
    /// So long after the first attempt no further one is made.
    pub(super) give_up_after: TimeDelta,
}

/// What is to be noted of an attempt.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) attempt: Attempt,
    pub(super) receipts: Vec<Receipt>,
    /// Why somebody has not got it, where somebody has not, and how that is to be handled.
    pub(super) failure: Option<(SendErrorClass, String)>,
}

impl Round<'_> {
    /// Whom the mail goes to now: those who have not got it, were not refused, and wait for no earlier mail.
    pub(super) fn open(&self) -> Vec<String> {
        let is_held = |to: &String| self.progress.held.iter().any(|held| held.recipient == *to);
        self.unsettled().filter(|to| !is_held(to)).cloned().collect()
    }

    fn unsettled(&self) -> impl Iterator<Item = &String> {
        self.recipients.iter().filter(|to| self.state_of(to).is_none_or(|state| state == RecipientState::Queued))
    }

    fn state_of(&self, recipient: &str) -> Option<RecipientState> {
        self.progress.receipts.iter().find(|receipt| receipt.recipient == recipient).map(|receipt| receipt.state)
    }

    /// What came of it.
    pub(super) fn noted(&self, result: Result<Vec<Receipt>, SendError>, now: DateTime<Utc>) -> Noted {
        let is_past = self.progress.first_tried_at.is_some_and(|first| now - first >= self.give_up_after);
        let failure = result.as_ref().err().map(|error| (error.class(), told(error)));
        let mut receipts = match (result, &failure) {
            (Ok(receipts), _) => receipts,
            (Err(_), Some((SendErrorClass::Refused, reason))) => self.all_open(RecipientState::Refused, reason),
            (Err(_), Some((_, reason))) if is_past => self.all_open(RecipientState::GivenUp, reason),
            (Err(_), _) => Vec::new(),
        };
        for receipt in receipts.iter_mut().filter(|one| is_past && one.state == RecipientState::Queued) {
            receipt.state = RecipientState::GivenUp;
        }
        receipts.extend(self.removed());
        let failure = failure.or_else(|| self.failure_of(&receipts));
        let attempt = self.attempt(&receipts, failure.as_ref(), now);
        Noted { attempt, receipts, failure }
    }

    fn all_open(&self, state: RecipientState, reason: &str) -> Vec<Receipt> {
        let receipt = |recipient| Receipt { recipient, state, reason: Some(reason.to_owned()) };
        self.open().into_iter().map(receipt).collect()
    }

    /// Who still waited when somebody took them out of the configuration.
    fn removed(&self) -> impl Iterator<Item = Receipt> {
        let waits = |receipt: &&Receipt| receipt.state == RecipientState::Queued;
        let removed =
            self.progress.receipts.iter().filter(waits).filter(|one| !self.recipients.contains(&one.recipient));
        removed.map(|one| Receipt {
            recipient: one.recipient.clone(),
            state: RecipientState::GivenUp,
            reason: Some("mail.to does not name it any more".to_owned()),
        })
    }

    /// The gravest answer of the server about a recipient: what never goes before what goes later.
    fn failure_of(&self, receipts: &[Receipt]) -> Option<(SendErrorClass, String)> {
        let states = [RecipientState::Refused, RecipientState::GivenUp, RecipientState::Queued];
        states.into_iter().find_map(|state| self.answer_of(receipts, state))
    }

    /// The first answer about a recipient at which the mail stands so.
    fn answer_of(&self, receipts: &[Receipt], state: RecipientState) -> Option<(SendErrorClass, String)> {
        let error = not_taken(receipts.iter().find(|receipt| receipt.state == state)?, self.destination)?;
        Some((error.class(), told(&error)))
    }

    fn attempt(&self, receipts: &[Receipt], failure: Option<&(SendErrorClass, String)>, now: DateTime<Utc>) -> Attempt {
        let now_in = |state| receipts.iter().any(|receipt| receipt.state == state);
        let ever_in = |state| now_in(state) || self.progress.receipts.iter().any(|receipt| receipt.state == state);
        let reason = failure.map_or_else(|| "nobody is left to send it to".to_owned(), |(_, reason)| reason.clone());
        let is_tried_again = |to: &String| {
            let end = receipts.iter().find(|receipt| receipt.recipient == *to).map(|receipt| receipt.state);
            end.is_none_or(|state| state == RecipientState::Queued)
        };
        if self.open().iter().any(is_tried_again) {
            let pause = FIRST_PAUSE * (1 << self.mail.attempts.min(10));
            let waits_for = self.answer_of(receipts, RecipientState::Queued).map_or(reason, |(_, answer)| answer);
            return Attempt::Later(now + pause.min(LONGEST_PAUSE), waits_for);
        }
        let held = self.progress.held.iter().filter(|held| self.unsettled().any(|to| *to == held.recipient));
        match held.map(|held| held.until).min() {
            Some(until) => Attempt::Held(until.max(now + FIRST_PAUSE)),
            None if ever_in(RecipientState::Sent) => Attempt::Sent,
            None if ever_in(RecipientState::GivenUp) => Attempt::GivenUp(reason),
            None => Attempt::Refused(reason),
        }
    }
}

/// Why a recipient has not got a mail; none where it has.
pub(super) fn not_taken(receipt: &Receipt, destination: &str) -> Option<SendError> {
    let (server, answer) = (destination.to_owned(), receipt.reason.clone().unwrap_or_default());
    match receipt.state {
        RecipientState::Sent => None,
        RecipientState::Queued => Some(SendError::Later { server, answer }),
        RecipientState::Refused => Some(SendError::Refused { server, answer }),
        RecipientState::GivenUp => Some(SendError::GivenUp { server, answer }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Held;

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_795_187_100, 0).expect("representable");

    fn mail(attempts: u32) -> QueuedMail {
        let message_id = "<jobs.7.1@host>".to_owned();
        QueuedMail { id: 1, message_id, letter: String::new(), queued_at: NOW, attempts, error: None }
    }

    fn receipt(recipient: &str, state: RecipientState) -> Receipt {
        let reason = (state != RecipientState::Sent).then(|| "451 later".to_owned());
        Receipt { recipient: recipient.to_owned(), state, reason }
    }

    fn with<T>(progress: Progress, work: impl FnOnce(Round<'_>) -> T) -> T {
        let recipients = ["a@x", "b@x"].map(str::to_owned);
        let mail = mail(0);
        work(Round {
            mail: &mail,
            progress: &Progress { first_tried_at: progress.first_tried_at.or(Some(NOW)), ..progress },
            recipients: &recipients,
            destination: "mail:25",
            give_up_after: TimeDelta::hours(120),
        })
    }

    #[test]
    fn who_has_it_gets_no_second_copy_while_it_goes_to_the_other() {
        let first = vec![receipt("a@x", RecipientState::Sent), receipt("b@x", RecipientState::Queued)];
        let noted = with(Progress::default(), |round| {
            assert_eq!(round.open(), ["a@x", "b@x"]);
            round.noted(Ok(first.clone()), NOW)
        });
        assert!(matches!(noted.attempt, Attempt::Later(at, _) if at == NOW + FIRST_PAUSE), "{noted:?}");
        assert_eq!(noted.receipts, first);
        let noted = with(Progress { receipts: first, ..Progress::default() }, |round| {
            assert_eq!(round.open(), ["b@x"]);
            round.noted(Ok(vec![receipt("b@x", RecipientState::Sent)]), NOW)
        });
        assert_eq!((noted.attempt, noted.failure), (Attempt::Sent, None));
    }

    #[test]
    fn it_is_given_up_after_its_time_and_not_before() {
        let end = NOW + TimeDelta::hours(120);
        let only_b = Progress { receipts: vec![receipt("a@x", RecipientState::Sent)], ..Progress::default() };
        let later = || Ok(vec![receipt("b@x", RecipientState::Queued)]);
        let before = with(only_b.clone(), |round| round.noted(later(), end - TimeDelta::seconds(1)));
        assert!(matches!(before.attempt, Attempt::Later(..)), "{before:?}");
        let noted = with(only_b, |round| round.noted(later(), end));
        assert_eq!((noted.attempt, noted.receipts[0].state), (Attempt::Sent, RecipientState::GivenUp));
        let silent = || SendError::Silent { server: "mail:25".into(), step: "the greeting", seconds: 1 };
        let noted = with(Progress::default(), |round| round.noted(Err(silent()), end));
        assert!(matches!(&noted.attempt, Attempt::GivenUp(why) if why.contains("no answer")), "{noted:?}");
        assert_eq!(noted.receipts.len(), 2);
        let noted = with(Progress::default(), |round| round.noted(Err(silent()), NOW));
        assert!(matches!(&noted.attempt, Attempt::Later(..)) && noted.receipts.is_empty(), "{noted:?}");
    }

    #[test]
    fn what_is_refused_for_good_ends_though_one_waits_and_a_mail_that_nobody_takes_is_refused() {
        let both = vec![receipt("a@x", RecipientState::Refused), receipt("b@x", RecipientState::Queued)];
        let noted = with(Progress::default(), |round| round.noted(Ok(both.clone()), NOW));
        assert!(matches!(noted.attempt, Attempt::Later(..)), "{noted:?}");
        let refused = Ok(vec![receipt("b@x", RecipientState::Refused)]);
        let noted = with(Progress { receipts: both, ..Progress::default() }, |round| round.noted(refused, NOW));
        assert!(matches!(noted.attempt, Attempt::Refused(_)), "{noted:?}");
    }

    #[test]
    fn who_waits_for_an_earlier_mail_is_not_tried_and_who_was_taken_out_is_given_up() {
        let until = NOW + TimeDelta::minutes(8);
        let held = vec![Held { recipient: "b@x".into(), until }];
        let noted = with(Progress { held, ..Progress::default() }, |round| {
            assert_eq!(round.open(), ["a@x"]);
            round.noted(Ok(vec![receipt("a@x", RecipientState::Sent)]), NOW)
        });
        assert_eq!(noted.attempt, Attempt::Held(until));
        let gone = vec![receipt("c@x", RecipientState::Queued)];
        let noted = with(Progress { receipts: gone, ..Progress::default() }, |round| {
            round.noted(Ok(["a@x", "b@x"].map(|to| receipt(to, RecipientState::Sent)).into()), NOW)
        });
        assert_eq!(noted.attempt, Attempt::Sent);
        assert_eq!(noted.receipts[2].state, RecipientState::GivenUp);
    }
}
