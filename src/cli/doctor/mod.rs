//! `jobs doctor`: looks at everything a run needs, and tells what is wrong and what to do about it.

mod check;
mod disk;
mod folders;
mod gateway;
mod operation;
mod ping;
mod settings;
mod tables;

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Loaded};
use crate::job::{Calendars, JobError, calendars};
use crate::telemetry;

use super::block_on;
use super::output::{print_document, print_documents, print_line};
use super::settings::{Format, GatewayFlag, Globals};

use check::{Check, Finding, Grade, Underway, asking, blocking};

/// Exit code where a check failed.
const FAILED: u8 = 1;

/// Bound of a check that looks at files only.
const QUICK: Duration = Duration::from_secs(10);

/// Bound of a check that may read much.
const THOROUGH: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs doctor
  jobs --config /etc/jobs/jobs.yaml doctor --format jsonl
  jobs doctor --gateway 127.0.0.1:4002
  jobs doctor --ping

It reads, connects to the gateway, and writes nothing but probe files, which it removes. Each check has a bound of its own.
With --ping each URL of monitor.ping gets one ping at URL/log, which a monitor notes and which changes no state.
Exit codes: 0 nothing failed, warnings or not; 1 a check failed.")]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    gateway: GatewayFlag,
    /// Also ping each monitor once, to see that it hears.
    #[arg(long)]
    ping: bool,
}

/// Runs every check.
pub(super) fn doctor(globals: &Globals, args: &DoctorArgs) -> Result<u8, JobError> {
    telemetry::start_on_stderr(globals.verbosity());
    let loaded = globals.load(args.gateway.flags());
    let checks = block_on(async {
        let mut underway = vec![blocking("zone", QUICK, settings::zone), blocking("shell", QUICK, settings::shell)];
        let mut checks = match loaded {
            Ok(loaded) => {
                let configuration = settings::configuration(&loaded);
                let pings = args.ping.then(|| loaded.config.monitor.clone());
                underway.extend(of_configuration(loaded));
                underway.extend(pings.map(|monitor| asking(&["ping"], THOROUGH, ping::ping(monitor))));
                vec![configuration]
            }
            Err(error) => vec![settings::no_configuration(&error)],
        };
        for one in underway {
            checks.extend(one.checks().await);
        }
        Ok(checks)
    })?;
    print(&checks, globals.format)?;
    let has_failed = checks.iter().any(|check| check.finding.grade == Grade::Fail);
    Ok(if has_failed { FAILED } else { 0 })
}

/// The checks that need a configuration; all are under way at once.
fn of_configuration(Loaded { config, .. }: Loaded) -> Vec<Underway> {
    let now = SystemClock.now();
    let of = |name, bound, work: fn(&Config) -> Finding| {
        let config = config.clone();
        blocking(name, bound, move || work(&config))
    };
    let mut underway = vec![
        of("schedules", QUICK, settings::schedules),
        of("locks", QUICK, folders::locks),
        of("logs", QUICK, folders::logs),
        of("disk", QUICK, disk::disk),
        of("ledger", THOROUGH, operation::ledger),
        of("daemon", QUICK, operation::daemon),
        of("mail", QUICK, operation::mail),
    ];
    let (ours, lake) = (config.clone(), config.clone());
    underway.push(blocking("pauses", QUICK, move || operation::pauses(&ours, now)));
    underway.push(asking(&["lake"], THOROUGH, async move { vec![tables::lake(&lake).await] }));
    match calendars(&config) {
        Ok(calendars) => underway.extend(of_calendars(config, calendars)),
        Err(error) => underway.push(blocking("calendars", QUICK, move || Finding::failed(&error))),
    }
    underway
}

/// The checks that need calendars as well.
fn of_calendars(config: Config, calendars: Calendars) -> [Underway; 2] {
    let ours = calendars.clone();
    let horizon = blocking("calendars", QUICK, move || operation::calendars(&ours, SystemClock.now()));
    let gateway = asking(&gateway::NAMES, THOROUGH, async move { gateway::gateway(config, &calendars).await });
    [horizon, gateway]
}

fn print(checks: &[Check], format: Format) -> Result<(), JobError> {
    let count = |grade| checks.iter().filter(|check| check.finding.grade == grade).count();
    let (num_warnings, num_failures) = (count(Grade::Warn), count(Grade::Fail));
    match format {
        Format::Text => {
            checks.iter().try_for_each(|check| print_line(&line(check)))?;
            print_line(&format!("{} checks, {num_warnings} warnings, {num_failures} failures", checks.len()))
        }
        Format::Json => {
            let document = json!({ "schema": 1, "failures": num_failures, "warnings": num_warnings, "checks": checks });
            print_document(&document, format)
        }
        _ => print_documents(checks.iter().map(|check| json!(check)).collect(), format),
    }
}

/// One line, however many an error has.
fn line(Check { name, finding }: &Check) -> String {
    let remedy = finding.remedy.as_ref().map_or_else(String::new, |remedy| format!(": {remedy}"));
    let told = format!("{}{remedy}", finding.found).lines().collect::<Vec<_>>().join("; ");
    format!("{:4}  {name:13}  {told}", finding.grade.as_str())
}
