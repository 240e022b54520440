//! What the service manager is told: ready, the status line, that the loop still turns, and that it stops.

use std::sync::{Arc, Mutex, PoisonError};

use sd_notify::NotifyState;

/// Tells the service manager; without one it tells nobody.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    /// What was told, for tests.
    told: Option<Arc<Mutex<Vec<String>>>>,
}

impl Notifier {
    /// Tells systemd, over the socket that it names in `NOTIFY_SOCKET`.
    #[must_use]
    pub fn systemd() -> Self {
        Self::default()
    }

    /// Keeps what it is told.
    #[must_use]
    pub fn memory() -> Self {
        Self { told: Some(Arc::default()) }
    }

    /// What has been told so far, oldest first.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let told = self.told.as_ref().map(|told| told.lock().unwrap_or_else(PoisonError::into_inner).clone());
        told.unwrap_or_default()
    }

    pub(super) fn ready(&self) {
        self.tell(&NotifyState::Ready);
    }

    pub(super) fn reloading(&self) {
        self.tell(&NotifyState::Reloading);
    }

    pub(super) fn stopping(&self) {
        self.tell(&NotifyState::Stopping);
    }

    pub(super) fn status(&self, text: &str) {
        self.tell(&NotifyState::Status(text));
    }

    /// The loop has turned. To be told from the loop alone.
    pub(super) fn alive(&self) {
        self.tell(&NotifyState::Watchdog);
    }

    fn tell(&self, state: &NotifyState<'_>) {
        if let Some(told) = &self.told {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(state.to_string());
            return;
        }
        if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
            tracing::debug!(%error, "the service manager cannot be told");
        }
    }
}
