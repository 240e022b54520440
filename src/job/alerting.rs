//! Alerts and the outbox as the configuration has them.

use crate::alert::{Alerts, Mailer, Origin, Outbox, Policy, SendError, SendErrorClass};
use crate::config::Config;
use crate::market::GatewayKind;
use crate::state::Ledger;

use super::{Failure, JobError};

/// The rules that are configured. Only a real gateway has a nightly reset.
#[must_use]
pub fn policy(config: &Config) -> Policy {
    let is_real = config.gateway.kind == GatewayKind::Ib;
    Policy::new(&config.alert, is_real.then(|| config.gateway.reset_window()))
}

/// This machine, as mails name it.
#[must_use]
pub fn origin(config: &Config) -> Origin {
    Origin::here(config.mail.host_name.as_deref(), &config.mail.to, config)
}

/// What takes in what runs see.
#[must_use]
pub fn alerts(config: &Config, ledger: Ledger) -> Alerts {
    Alerts::new(ledger, policy(config), origin(config))
}

/// The way that mails leave by.
///
/// # Errors
/// Where an address is none.
pub fn mailer(config: &Config) -> Result<Mailer, JobError> {
    Ok(Mailer::new(&config.mail, &origin(config))?)
}

/// What sends the mails.
///
/// # Errors
/// Where an address is none.
pub fn outbox(config: &Config, ledger: Ledger) -> Result<Outbox, JobError> {
    Ok(Outbox::new(ledger, mailer(config)?))
}

impl From<SendError> for JobError {
    fn from(error: SendError) -> Self {
        match error.class() {
            SendErrorClass::Unavailable => Self::retry(Failure::Unavailable, error),
            SendErrorClass::Refused | SendErrorClass::Misconfigured => Self::fail(Failure::Misconfigured, error),
        }
    }
}
