//! The way that mails leave by: a mail server, a maildir, or memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::Mailbox;

use crate::state::{Receipt, RecipientState};

use super::config::{MailConfig, MailRoute, SmtpConfig};
use super::error::SendError;
use super::letter::Letter;
use super::message::{Addresses, message};
use super::origin::Origin;
use super::round::not_taken;
use super::{maildir, smtp};

/// Mails that were kept in memory, as they would have been sent.
pub type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

/// The way that mails leave by.
#[derive(Debug, Clone)]
pub struct Mailer {
    addresses: Addresses,
    host_name: String,
    give_up_after: TimeDelta,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Smtp(SmtpConfig),
    File(PathBuf),
    Memory(Kept),
}

impl Mailer {
    /// The way that is configured.
    ///
    /// # Errors
    /// [`SendError::Letter`] where an address is none.
    pub fn new(config: &MailConfig, origin: &Origin) -> Result<Self, SendError> {
        let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| SendError::Letter { source: error.into() });
        let own = format!("jobs <jobs@{}>", origin.host);
        let from = mailbox(config.from.as_deref().unwrap_or(&own)).or_else(|_| mailbox("jobs@localhost"))?;
        let to = match config.to.as_slice() {
            // A file has no recipient; a mail has one.
            [] => vec![mailbox("operator@localhost")?],
            all => all.iter().map(|to| mailbox(to)).collect::<Result<_, _>>()?,
        };
        let way = match config.kind {
            MailRoute::Smtp => Way::Smtp(config.smtp.clone()),
            MailRoute::File => Way::File(config.folder.clone()),
            MailRoute::Memory => Way::Memory(Kept::default()),
        };
        Ok(Self {
            addresses: Addresses { from, to },
            host_name: origin.host.clone(),
            give_up_after: config.give_up_after(),
            way,
        })
    }

    /// Everybody that mails go to, each address once.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for to in self.addresses.to.iter().map(|to| to.email.to_string()) {
            if !all.contains(&to) {
                all.push(to);
            }
        }
        all
    }

    /// So long after its first attempt a mail is tried no more.
    #[must_use]
    pub fn give_up_after(&self) -> TimeDelta {
        self.give_up_after
    }

    /// What it is, for a person: `smtp.example.com:587` or the folder.
    #[must_use]
    pub fn destination(&self) -> String {
        match &self.way {
            Way::Smtp(config) => format!("{}:{}", config.host.as_deref().unwrap_or("localhost"), config.port()),
            Way::File(folder) => format!("the folder {}", folder.display()),
            Way::Memory(_) => "memory, which is forgotten".to_owned(),
        }
    }

    /// What was kept in memory; none by another way.
    #[must_use]
    pub fn kept(&self) -> Option<Vec<Vec<u8>>> {
        match &self.way {
            Way::Memory(kept) => Some(kept.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            _ => None,
        }
    }

    /// How long one mail may take at most.
    pub(super) fn longest(&self) -> Duration {
        match &self.way {
            Way::Smtp(config) => smtp::longest(config, self.addresses.to.len()),
            Way::File(_) | Way::Memory(_) => Duration::from_secs(30),
        }
    }

    /// Sends a letter to everybody; gives what became of it at each.
    ///
    /// # Errors
    /// Where it came to nobody: the first answer that a recipient got, or what went wrong before.
    pub async fn send(&self, letter: &Letter) -> Result<Vec<Receipt>, SendError> {
        let receipts = self.send_to(letter, &self.recipients()).await?;
        if receipts.iter().any(|receipt| receipt.state == RecipientState::Sent) {
            return Ok(receipts);
        }
        let destination = self.destination();
        receipts.iter().find_map(|receipt| not_taken(receipt, &destination)).map_or(Ok(receipts), Err)
    }

    /// Sends a letter to some of the recipients, as the same bytes that all of them get; gives what became of it at
    /// each. A maildir has no recipients: what is in it has come to all of them.
    ///
    /// # Errors
    /// Where it was tried for nobody, or refused for everybody.
    pub(super) async fn send_to(&self, letter: &Letter, recipients: &[String]) -> Result<Vec<Receipt>, SendError> {
        let message = message(letter, &self.addresses)?;
        let bytes = message.formatted();
        match &self.way {
            Way::Smtp(config) => {
                let envelope = envelope(message.envelope(), recipients)?;
                return smtp::send((config, &self.host_name), &envelope, &bytes).await;
            }
            Way::File(folder) => {
                let written = maildir::deliver(folder, (&letter.message_id, letter.written_at), &bytes);
                written.map_err(|source| SendError::Folder { folder: folder.clone(), source })?;
            }
            Way::Memory(kept) => kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes),
        }
        let sent = |to: &String| Receipt { recipient: to.clone(), state: RecipientState::Sent, reason: None };
        Ok(recipients.iter().map(sent).collect())
    }
}

/// The envelope with these recipients alone.
fn envelope(whole: &Envelope, recipients: &[String]) -> Result<Envelope, SendError> {
    let unsound = |error: Box<dyn std::error::Error + Send + Sync>| SendError::Letter { source: error };
    let parsed = recipients.iter().map(|to| to.parse::<Address>()).collect::<Result<Vec<_>, _>>();
    let to = parsed.map_err(|error| unsound(error.into()))?;
    Envelope::new(whole.from().cloned(), to).map_err(|error| unsound(error.into()))
}
