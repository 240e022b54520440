//! Writes the metrics file in the background whenever something has come to an end, one writing at a time.

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use crate::job::{Environment, Job};
use crate::monitor::publish;

use super::super::Planner;
use super::super::publish::metrics_of;

/// What is still to be published, and what is being published.
#[derive(Debug)]
pub(super) struct Publisher {
    is_due: bool,
    going_on: Option<JoinHandle<()>>,
}

impl Publisher {
    /// With everything to be published.
    pub(super) fn new() -> Self {
        Self { is_due: true, going_on: None }
    }

    /// Something has changed.
    pub(super) fn note(&mut self) {
        self.is_due = true;
    }

    /// Publishes what has changed, unless the last writing still goes on.
    pub(super) fn publish(
        &mut self,
        environment: &Environment,
        (jobs, planner): (&[&dyn Job], &Planner),
        now: DateTime<Utc>,
    ) {
        let is_busy = self.going_on.as_ref().is_some_and(|going_on| !going_on.is_finished());
        if !self.is_due || is_busy {
            return;
        }
        self.is_due = false;
        let Some((sources, folder)) = metrics_of(environment, (jobs, Some(planner)), now) else { return };
        self.going_on = Some(tokio::spawn(async move { publish(sources, &folder, now).await }));
    }

    /// Waits for the writing that goes on.
    pub(super) async fn finish(&mut self) {
        if let Some(going_on) = self.going_on.take() {
            let _ = going_on.await;
        }
    }
}
