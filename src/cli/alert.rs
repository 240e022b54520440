//! `jobs alert unit-failed`: tells that a systemd unit failed. It is what `OnFailure=` of the units runs.
//!
//! It tells also where nothing else works any more: a configuration that cannot be read, a log folder that cannot be
//! written and a journal that stays silent are told as well or left out, and the exit code is 0.

mod journal;
mod meaning;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::Config;
use crate::job::{Failure, JobError, chain};
use crate::telemetry::{self, LogTarget};

use super::block_on;
use super::output::{print_document, print_line};
use super::settings::{Format, Globals};
use meaning::Ending;
use words::{one_line, quoted};

/// What to tell.
#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// Tell that a systemd unit failed; the units run it when they do.
    #[command(after_help = "Example:
  jobs alert unit-failed jobs.service            to stdout, stderr and logs/alert.log

How the unit ended is read from the variables that systemd sets for OnFailure=: MONITOR_SERVICE_RESULT,
MONITOR_EXIT_CODE, MONITOR_EXIT_STATUS and MONITOR_INVOCATION_ID.")]
    UnitFailed(UnitFailedArgs),
}

#[derive(Debug, Args)]
pub(super) struct UnitFailedArgs {
    /// Full name of the unit, such as jobs.service.
    #[arg(allow_hyphen_values = true)]
    unit: OsString,
}

/// A failed unit, as it is told.
#[derive(Debug, Serialize)]
struct UnitFailure {
    unit: String,
    meaning: String,
    #[serde(flatten)]
    ending: Ending,
    /// Why the configuration cannot be read, where it cannot.
    configuration_fault: Option<String>,
    next: Vec<String>,
    /// The newest lines of the unit's journal, where one can be read.
    journal: Option<Vec<String>>,
}

/// Tells it.
pub(super) fn alert(globals: &Globals, command: &AlertCommand) -> Result<u8, JobError> {
    let AlertCommand::UnitFailed(args) = command;
    let (config, configuration_fault) = match globals.load(Vec::new()) {
        Ok(loaded) => (loaded.config, None),
        Err(error) => (Config::default(), Some(chain(&error))),
    };
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
    print(&failure, globals.format)?;
    Ok(0)
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

fn print(failure: &UnitFailure, format: Format) -> Result<(), JobError> {
    if format != Format::Text {
        let document = serde_json::to_value(failure).map_err(|error| JobError::fail(Failure::Failed, error))?;
        return print_document(&document, format);
    }
    print_line(&format!("{} failed: {}", failure.unit, failure.meaning))?;
    failure.ending.told().iter().try_for_each(|(name, value)| print_line(&format!("  {name}: {value}")))?;
    if let Some(fault) = &failure.configuration_fault {
        print_line(&format!("the configuration cannot be read: {fault}"))?;
    }
    failure.next.iter().try_for_each(|step| print_line(&format!("next: {step}")))?;
    let Some(lines) = &failure.journal else { return Ok(()) };
    print_line(&format!("the newest {} lines of its journal:", lines.len()))?;
    lines.iter().try_for_each(|line| print_line(&format!("  {line}")))
}
