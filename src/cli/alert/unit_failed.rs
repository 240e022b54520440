//! `jobs alert unit-failed`: tells that a systemd unit failed. It is what `OnFailure=` of the units runs.
//!
//! It tells also where nothing else works any more: a configuration that cannot be read, a log folder that cannot be
//! written, a journal that stays silent, a ledger that is damaged and a mail server that is down are told as well or left
//! out, and the exit code is 0.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::config::{Config, Loaded};
use crate::job::{Failure, JobError, chain};
use crate::telemetry::{self, LogTarget};

use super::super::block_on;
use super::super::output::{print_document, print_line};
use super::super::settings::{Format, Globals};
use super::journal;
use super::meaning::Ending;
use super::post;
use super::words::{one_line, quoted};

#[derive(Debug, Args)]
pub(in super::super) struct UnitFailedArgs {
    /// Full name of the unit, such as jobs.service.
    #[arg(allow_hyphen_values = true)]
    unit: OsString,
}

/// A failed unit, as it is told.
#[derive(Debug, Serialize)]
pub(super) struct UnitFailure {
    pub(super) unit: String,
    pub(super) meaning: String,
    #[serde(flatten)]
    pub(super) ending: Ending,
    /// Why the configuration cannot be read, where it cannot.
    pub(super) configuration_fault: Option<String>,
    pub(super) next: Vec<String>,
    /// The newest lines of the unit's journal, where one can be read.
    pub(super) journal: Option<Vec<String>>,
}

/// Tells it.
pub(super) fn unit_failed(globals: &Globals, args: &UnitFailedArgs) -> Result<u8, JobError> {
    let (loaded, configuration_fault) = match globals.load(Vec::new()) {
        Ok(loaded) => (Some(loaded), None),
        Err(error) => (None, Some(chain(&error))),
    };
    let config = loaded.as_ref().map_or_else(Config::default, |loaded| loaded.config.clone());
    let folder = log_folder(&config, configuration_fault.is_some());
    let _guard = start_logging(globals, &config, folder);
    let ending = Ending::from_environment(|name| std::env::var_os(name));
    let failure = UnitFailure {
        unit: one_line(&args.unit.to_string_lossy()),
        meaning: ending.meaning(),
        next: next_steps(&quoted(&args.unit.to_string_lossy()), &ending),
        journal: block_on(async { Ok(journal::newest_lines(&args.unit).await) }).ok().flatten(),
        ending,
        configuration_fault,
    };
    log(&failure);
    let mail = mail(globals, loaded, &failure);
    print(&failure, &mail, globals.format)?;
    Ok(0)
}

/// Mails it by what is configured, or by what can be saved of a faulty configuration; gives what came of it in words.
fn mail(globals: &Globals, loaded: Option<Loaded>, failure: &UnitFailure) -> String {
    let is_faulty = loaded.is_none();
    let Some(loaded) = loaded.or_else(|| globals.salvage()) else {
        return "not sent: the configuration of the mail cannot be read".to_owned();
    };
    // Of a faulty configuration only a ledger that it names is the right one.
    let has_ledger = !is_faulty || loaded.origins.contains_key("paths.state");
    let ledger = has_ledger.then(|| loaded.config.paths.ledger());
    let sent = block_on(post::unit_failed((&loaded.config, ledger.as_deref()), failure));
    sent.unwrap_or_else(|error| {
        let told = chain(&error);
        tracing::error!(error = told, "the alert was not mailed");
        format!("not sent: {told}")
    })
}

/// The configured folder; without a configuration the one that systemd gives to the unit, if any.
fn log_folder(config: &Config, is_unconfigured: bool) -> Option<PathBuf> {
    if !is_unconfigured {
        return Some(config.paths.logs.clone());
    }
    let given = std::env::var_os("LOGS_DIRECTORY")?;
    std::env::split_paths(&given).next().filter(|folder| folder.is_absolute())
}

/// Logs to `alert.log` and stderr, or to stderr alone where there is no folder to write to.
fn start_logging(globals: &Globals, config: &Config, folder: Option<PathBuf>) -> Option<impl Sized> {
    let verbosity = globals.verbosity();
    let started = folder.map(|folder| {
        telemetry::start(&LogTarget { folder: &folder, job: "alert", of_runs: &[], config: &config.log, verbosity })
    });
    let fault = match started {
        Some(Ok(guard)) => return Some(guard),
        Some(Err(error)) => Some(error),
        None => None,
    };
    telemetry::start_on_stderr(verbosity);
    if let Some(error) = fault {
        tracing::warn!(error = %chain(&error), "the alert is not kept in a log file");
    }
    None
}

fn next_steps(unit: &str, ending: &Ending) -> Vec<String> {
    let mut steps = vec![format!("journalctl -u {unit} -n 50"), "jobs doctor".to_owned()];
    if ending.exit_code() == Some(Failure::Misconfigured.exit_code()) {
        steps.insert(0, "jobs --config /etc/jobs/jobs.yaml config check".to_owned());
    }
    steps.push(format!("systemctl reset-failed {unit} && systemctl start {unit}"));
    steps
}

fn log(failure: &UnitFailure) {
    let ending = &failure.ending;
    tracing::error!(
        unit = failure.unit,
        service_result = ending.service_result,
        exit_code = ending.exit_code,
        exit_status = ending.exit_status,
        invocation_id = ending.invocation_id,
        configuration_fault = failure.configuration_fault,
        next = failure.next.join("; "),
        "the unit failed: {}",
        failure.meaning
    );
    if let Some(lines) = &failure.journal {
        tracing::info!(unit = failure.unit, journal = lines.join("\n"), "the unit's journal");
    }
}

fn print(failure: &UnitFailure, mail: &str, format: Format) -> Result<(), JobError> {
    if format != Format::Text {
        let mut document = serde_json::to_value(failure).map_err(|error| JobError::fail(Failure::Failed, error))?;
        if let Some(fields) = document.as_object_mut() {
            fields.insert("mail".to_owned(), mail.into());
        }
        return print_document(&document, format);
    }
    print_line(&format!("{} failed: {}", failure.unit, failure.meaning))?;
    failure.ending.told().iter().try_for_each(|(name, value)| print_line(&format!("  {name}: {value}")))?;
    if let Some(fault) = &failure.configuration_fault {
        print_line(&format!("the configuration cannot be read: {fault}"))?;
    }
    failure.next.iter().try_for_each(|step| print_line(&format!("next: {step}")))?;
    print_line(&format!("mail: {}", one_line(mail)))?;
    let Some(lines) = &failure.journal else { return Ok(()) };
    print_line(&format!("the newest {} lines of its journal:", lines.len()))?;
    lines.iter().try_for_each(|line| print_line(&format!("  {line}")))
}
