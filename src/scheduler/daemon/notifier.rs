//! What the service manager is told: ready, the status line, that the loop still turns, and that it stops.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sd_notify::NotifyState;

/// Messages that wait for a service manager that does not read; further ones are dropped.
const MAX_WAITING: usize = 64;

/// Tells the service manager; without one it tells nobody.
#[derive(Debug, Clone)]
pub struct Notifier(Target);

#[derive(Debug, Clone)]
enum Target {
    Nobody,
    /// A thread that sends, because sending waits for a service manager that is busy, and the loop must not.
    Systemd(SyncSender<Message>),
    Memory(Arc<Mutex<Vec<String>>>),
}

#[derive(Debug, Clone)]
enum Message {
    Ready,
    Reloading,
    Stopping,
    Alive,
    Status(String),
}

impl Message {
    fn state(&self) -> NotifyState<'_> {
        match self {
            Self::Ready => NotifyState::Ready,
            Self::Reloading => NotifyState::Reloading,
            Self::Stopping => NotifyState::Stopping,
            Self::Alive => NotifyState::Watchdog,
            Self::Status(text) => NotifyState::Status(text),
        }
    }
}

impl Notifier {
    /// Tells systemd, over the socket that it names in `NOTIFY_SOCKET`.
    #[must_use]
    pub fn systemd() -> Self {
        let (messages, received) = sync_channel(MAX_WAITING);
        let sender = thread::Builder::new().name("notify".to_owned()).spawn(move || send(&received));
        match sender {
            Ok(_) => Self(Target::Systemd(messages)),
            Err(error) => {
                tracing::error!(%error, "the service manager cannot be told anything");
                Self(Target::Nobody)
            }
        }
    }

    /// Keeps what it is told.
    #[must_use]
    pub fn memory() -> Self {
        Self(Target::Memory(Arc::default()))
    }

    /// What has been told so far, oldest first, where that is kept.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        match &self.0 {
            Target::Memory(told) => told.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Target::Nobody | Target::Systemd(_) => Vec::new(),
        }
    }

    pub(super) fn ready(&self) {
        self.tell(Message::Ready);
    }

    pub(super) fn reloading(&self) {
        self.tell(Message::Reloading);
    }

    pub(super) fn stopping(&self) {
        self.tell(Message::Stopping);
    }

    pub(super) fn status(&self, text: &str) {
        self.tell(Message::Status(text.to_owned()));
    }

    /// The loop has turned. To be told from the loop alone.
    pub(super) fn alive(&self) {
        self.tell(Message::Alive);
    }

    fn tell(&self, message: Message) {
        match &self.0 {
            Target::Nobody => {}
            Target::Systemd(messages) => {
                // A full queue means that nobody reads; the newest message is then no more wanted than the others.
                let _ = messages.try_send(message);
            }
            Target::Memory(told) => {
                told.lock().unwrap_or_else(PoisonError::into_inner).push(message.state().to_string());
            }
        }
    }
}

fn send(messages: &Receiver<Message>) {
    for message in messages {
        if let Err(error) = sd_notify::notify(&[message.state()]) {
            tracing::debug!(%error, "the service manager cannot be told");
        }
    }
}
