//! The daemon's alarm: what runs saw becomes incidents, and the mails about them leave in the background.
//!
//! It holds nothing up. A ledger that cannot be written is told in the log and runs go on; a mail server that is down keeps
//! only the outbox waiting.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinHandle;

use crate::alert::{Alerts, Looker, Observation, Outbox};
use crate::clock::SharedClock;
use crate::job::{Environment, alerts, chain, outbox};

/// How long one round of sending may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the outbox is looked into where nothing new was queued: for mails that wait and those of other processes.
const INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// What takes in what runs saw, and sends.
#[derive(Debug)]
pub(super) struct Alarm {
    alerts: Option<Alerts>,
    outbox: Option<Outbox>,
    sending: Option<JoinHandle<()>>,
    /// When the outbox is to be looked into again; none: now.
    next_look: Option<DateTime<Utc>>,
}

impl Alarm {
    /// As the configuration in force has it. Without a ledger nothing can be told.
    pub(super) fn of(environment: &Environment) -> Self {
        let config = environment.config();
        let ledger = environment.ledger().cloned();
        let outbox = ledger.clone().and_then(|ledger| {
            let made = outbox(config, ledger);
            made.map_err(|error| tracing::error!(error = %chain(&error), "no mail can be sent")).ok()
        });
        Self { alerts: ledger.map(|ledger| alerts(config, ledger)), outbox, sending: None, next_look: None }
    }

    /// Takes in what a run saw.
    pub(super) fn observe(&mut self, looker: &Looker, seen: &[Observation], now: DateTime<Utc>) {
        let Some(alerts) = self.alerts.as_ref().filter(|_| !seen.is_empty()) else { return };
        match alerts.observe(looker, seen, now) {
            Ok(0) => {}
            Ok(queued) => {
                tracing::info!(job = looker.job, queued, "mails were queued");
                self.next_look = None;
            }
            Err(error) => {
                tracing::error!(job = looker.job, error = %chain(&error), "what the run saw is not recorded, and nobody is told");
            }
        }
    }

    /// Sends what is due, unless that goes on already or was looked after a moment ago.
    pub(super) fn send(&mut self, clock: &SharedClock) {
        let now = clock.now();
        // A clock set back must not silence it for the time between.
        let waits = self.next_look.is_some_and(|next| now < next && next - now <= INTERVAL);
        let Some(outbox) = self.outbox.clone().filter(|_| !waits && !self.is_sending()) else { return };
        self.next_look = Some(now + INTERVAL);
        let clock = clock.clone();
        self.sending = Some(tokio::spawn(async move {
            match outbox.deliver(&clock, PATIENCE).await {
                Ok(delivery) if delivery.num_sent > 0 => tracing::info!(sent = delivery.num_sent, "mails were sent"),
                Ok(_) => {}
                Err(error) => tracing::error!(error = %chain(&error), "the outbox cannot be worked on"),
            }
        }));
    }

    /// Sends what is queued before the daemon ends; what does not go by then waits for the next one.
    pub(super) async fn send_last(&mut self, clock: &SharedClock) {
        for _ in 0..2 {
            if let Some(sending) = self.sending.take() {
                if !sending.is_finished() {
                    tracing::warn!(
                        seconds = PATIENCE.as_secs(),
                        "stopping when the mails in hand are sent, at most so long"
                    );
                }
                let _ = tokio::time::timeout(PATIENCE, sending).await;
            }
            if self.next_look.is_none() {
                self.send(clock);
            }
        }
    }

    fn is_sending(&self) -> bool {
        self.sending.as_ref().is_some_and(|sending| !sending.is_finished())
    }
}
