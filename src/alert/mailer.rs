//! The way that mails leave by: a mail server, a maildir, or memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::Mailbox;

use super::config::{MailConfig, MailRoute, SmtpConfig};
use super::error::SendError;
use super::letter::Letter;
use super::message::{Addresses, message};
use super::origin::Origin;
use super::{maildir, smtp};

/// Mails that were kept in memory, as they would have been sent.
pub type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

/// The way that mails leave by.
#[derive(Debug, Clone)]
pub struct Mailer {
    addresses: Addresses,
    host_name: String,
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
        Ok(Self { addresses: Addresses { from, to }, host_name: origin.host.clone(), way })
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
            Way::Smtp(config) => smtp::longest(config),
            Way::File(_) | Way::Memory(_) => Duration::from_secs(30),
        }
    }

    /// Sends a letter; gives the recipients that were refused, where others were not.
    ///
    /// # Errors
    /// Where it could not be sent to anybody.
    pub async fn send(&self, letter: &Letter) -> Result<Vec<String>, SendError> {
        let message = message(letter, &self.addresses)?;
        let bytes = message.formatted();
        match &self.way {
            Way::Smtp(config) => smtp::send((config, &self.host_name), message.envelope(), &bytes).await,
            Way::File(folder) => {
                let written = maildir::deliver(folder, (&letter.message_id, letter.written_at), &bytes);
                written.map_err(|source| SendError::Folder { folder: folder.clone(), source })?;
                Ok(Vec::new())
            }
            Way::Memory(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
                Ok(Vec::new())
            }
        }
    }
}
