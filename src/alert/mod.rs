//! Telling a person: what the checks of a run saw becomes incidents, incidents become mails, and mails leave by the
//! outbox. The only module that speaks to a mail server.
//!
//! [`Alerts::observe`] takes what a run saw and writes incidents, mails and marks in one transaction of the ledger, so
//! whoever is killed when, there is no incident without its mail and no mail without its incident. [`Outbox::deliver`]
//! sends what is queued. What is told, and when, is decided by pure functions: `incident::step` for one incident and
//! `plan` for all that one run saw.

mod chart;
mod config;
mod error;
mod html;
mod incident;
mod letter;
mod maildir;
mod mailer;
mod message;
mod observation;
mod origin;
mod outbox;
mod page;
mod pages;
mod plan;
#[cfg(test)]
mod plan_cases;
mod policy;
mod quiet;
mod round;
mod secret;
mod secured;
mod smtp;
mod text;
mod wire;
mod words;
mod writer;

use chrono::{DateTime, Utc};

use crate::state::{IncidentKey, Ledger, LedgerError};

pub use config::{AlertConfig, MailConfig, MailRoute, SmtpConfig, TlsMode};
pub use error::{SendError, SendErrorClass};
pub use incident::{Note, Step, Verdict, step};
pub use letter::{Letter, Picture};
pub use mailer::{Kept, Mailer};
pub use observation::{Facts, Looker, MAX_POINTS, MAX_SAMPLE_ROWS, Observation, Reach, Sample, Series};
pub use origin::Origin;
pub use outbox::{Delivery, Outbox};
pub use plan::{Setting, plan};
pub use policy::{GATEWAY_DOWN, Policy, UNIT_FAILED};
pub use quiet::DailyHours;

/// Takes in what runs see.
#[derive(Debug, Clone)]
pub struct Alerts {
    ledger: Ledger,
    policy: Policy,
    origin: Origin,
}

impl Alerts {
    /// Incidents of this ledger, told by these rules.
    #[must_use]
    pub fn new(ledger: Ledger, policy: Policy, origin: Origin) -> Self {
        Self { ledger, policy, origin }
    }

    /// Notes what a run saw: marks, incidents, and the mails about them, all or nothing; gives the number of mails that
    /// were queued. It blocks, as the ledger does.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then nothing is.
    pub fn observe(
        &self,
        looker: &Looker,
        observations: &[Observation],
        now: DateTime<Utc>,
    ) -> Result<usize, LedgerError> {
        let keys: Vec<IncidentKey> = observations.iter().map(|seen| seen.key.clone()).collect();
        let setting = Setting { policy: &self.policy, origin: &self.origin, looker, now };
        self.ledger.change_alerts((&keys, now), |before| plan(setting, observations, before))
    }
}

/// The letter of a test, which shows that mail arrives.
#[must_use]
pub fn test_letter(setting: Setting<'_>) -> Letter {
    writer::test_letter(setting)
}
