//! Mailing that a unit failed: as an incident by the ledger, or where that is of no use at once and unrecorded.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::{Facts, Letter, Looker, Observation, SendError, SendErrorClass, Setting, UNIT_FAILED, plan};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::Config;
use crate::job::{JobError, alerts, chain, mailer, origin, outbox, policy};
use crate::state::{AlertsBefore, IncidentKey, Ledger, LedgerError, Severity};

use super::unit_failed::UnitFailure;

/// How long sending may take: the unit that runs this has a minute.
const PATIENCE: Duration = Duration::from_secs(30);

/// Mails it and gives what came of it in words.
pub(super) async fn unit_failed(
    (config, ledger): (&Config, Option<&Path>),
    failure: &UnitFailure,
) -> Result<String, JobError> {
    let now = SystemClock.now();
    let Some(path) = ledger else { return at_once(config, failure, now).await };
    let recorded = Ledger::open(path).and_then(|ledger| record(config, (ledger, failure), now));
    match recorded {
        Ok((ledger, num_queued)) => by_outbox(config, ledger, num_queued).await,
        Err(error) => {
            tracing::error!(error = %chain(&error), "the incident is not recorded, so it is mailed at once");
            at_once(config, failure, now).await
        }
    }
}

fn record(
    config: &Config,
    (ledger, failure): (Ledger, &UnitFailure),
    now: DateTime<Utc>,
) -> Result<(Ledger, usize), LedgerError> {
    let num_queued =
        alerts(config, ledger.clone()).observe(&looker(failure, now), &[observation(failure, now)], now)?;
    Ok((ledger, num_queued))
}

/// Sends all that is due. What does not go stays in the outbox, and the daemon or the next command sends it.
async fn by_outbox(config: &Config, ledger: Ledger, num_queued: usize) -> Result<String, JobError> {
    let outbox = outbox(config, ledger)?;
    let destination = outbox.mailer().destination();
    let clock: SharedClock = std::sync::Arc::new(SystemClock);
    let delivered = tokio::time::timeout(PATIENCE, outbox.deliver(&clock, PATIENCE)).await;
    Ok(match delivered {
        Err(_) => {
            format!("queued: {destination} did not take it within {} s; it goes again by itself", PATIENCE.as_secs())
        }
        Ok(Err(error)) => return Err(error.into()),
        Ok(Ok(delivery)) => match (delivery.failure, num_queued) {
            (Some((_, error)), _) if delivery.num_in_part > 0 => {
                format!("sent to {destination}, but not to everybody, see jobs alert list: {error}")
            }
            (Some((SendErrorClass::Refused, error)), _) => format!("not sent: {error}"),
            (Some((_, error)), _) => format!("queued: {error}"),
            (None, 0) => "none: it was told before, and is told again when it goes on for hours".to_owned(),
            (None, _) => format!("sent to {destination}"),
        },
    })
}

/// Sends it without a record, as if nothing had ever been told.
async fn at_once(config: &Config, failure: &UnitFailure, now: DateTime<Utc>) -> Result<String, JobError> {
    let (policy, origin, looker) = (policy(config), origin(config), looker(failure, now));
    let setting = Setting { policy: &policy, origin: &origin, looker: &looker, now };
    // The instant as the number, so that the Message-ID is nobody else's.
    let before = AlertsBefore {
        incidents: Vec::new(),
        mutes: Vec::new(),
        queued_at: Vec::new(),
        summary: None,
        next_id: now.timestamp_micros(),
    };
    let mailer = mailer(config)?;
    for mail in plan(setting, &[observation(failure, now)], before).mails {
        let letter: Result<Letter, _> = serde_json::from_str(&mail.letter);
        let letter = letter.map_err(|error| JobError::from(SendError::Letter { source: error.into() }))?;
        let sent = tokio::time::timeout(PATIENCE, mailer.send(&letter)).await;
        let silent =
            |_| SendError::Silent { server: mailer.destination(), step: "the whole mail", seconds: PATIENCE.as_secs() };
        sent.map_err(silent)??;
    }
    Ok(format!("sent to {}, without a record", mailer.destination()))
}

fn looker(failure: &UnitFailure, now: DateTime<Utc>) -> Looker {
    let run_id = failure.ending.invocation_id.clone().unwrap_or_else(|| now.timestamp_micros().to_string());
    Looker { job: "alert".to_owned(), run_id, slot: now }
}

fn observation(failure: &UnitFailure, now: DateTime<Utc>) -> Observation {
    // Without the daemon nothing runs; a unit of one run is one run.
    let severity = if failure.unit == "jobs.service" { Severity::Critical } else { Severity::Error };
    let told = failure.ending.told().into_iter().map(|(name, value)| format!("{name} {value}"));
    let journal = failure.journal.as_ref().map(|lines| format!("Newest lines of its journal:\n{}", lines.join("\n")));
    let fault = failure.configuration_fault.as_ref().map(|fault| format!("The configuration cannot be read: {fault}"));
    let facts = Facts {
        observed: failure.meaning.clone(),
        expected: "the unit runs, or ends with exit code 0".to_owned(),
        threshold: told.collect::<Vec<_>>().join(", "),
        window: Some((now, now)),
        next: failure.next.clone(),
        runbook: fault.into_iter().chain(journal).collect::<Vec<_>>().join("\n"),
        ..Facts::default()
    };
    Observation::failed(IncidentKey::new(UNIT_FAILED, "", &failure.unit), severity, facts)
}
