//! `jobs status`: was anything missed? What the schedule wanted against what the ledger and the tables have.

mod account;
mod freshness;
mod horizon;
mod survey;
mod text;
mod verdict;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use crate::calendar::parse_instant;
use crate::clock::{Clock, SystemClock};
use crate::job::{Failure, JobError};
use crate::market::GatewayKind;
use crate::state::{Pause, RunRow};
use crate::telemetry;

use super::block_on;
use super::output::print_document;
use super::settings::{Format, Globals};

use account::SessionAccount;
use freshness::Freshness;
use horizon::Horizon;
pub(super) use horizon::horizons;
use survey::Survey;
use verdict::Verdict;

/// Version of the JSON document; keys are added to it, and never renamed or taken away within a version.
const SCHEMA: u32 = 1;

/// Exit code where something was missed.
const MISSED: u8 = 1;

/// Exit code where no daemon is running.
const NO_DAEMON: u8 = 3;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs status
  jobs status --sessions 5 --format json
  jobs status --at 2026-11-20T16:05             what was known of the slots up to then
  jobs status --timers > /dev/null || echo \"look after the jobs\"

A slot is unaccounted where the schedule wanted it and the ledger knows nothing of it: no daemon ran. A session reaches
to the open of the next one, so that what follows its close is its own.

Exit codes, for a monitor: 0 all is well, or nothing has ever been scheduled in a simulated lake; 78 nothing was ever
recorded here and there is no lake, as in a wrong working directory; 1 something was missed,
failed, timed out or is unaccounted, and was not recovered, in the sessions shown, or a table is stale; 3 no daemon is
running, which counts before 1, since it is the cause to mend first; 75, 78 and others as ever.")]
pub(super) struct StatusArgs {
    /// How many sessions, the current or the last one first.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=250))]
    sessions: u32,
    /// Judge the slots up to this time: New York time, or with an offset [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Timers start the runs: that no daemon is running is no fault.
    #[arg(long)]
    timers: bool,
}

/// Everything that is told.
#[derive(Debug, Serialize)]
struct Status {
    schema: u32,
    at_utc: DateTime<Utc>,
    verdict: Verdict,
    daemon: Daemon,
    sessions: Vec<SessionAccount>,
    last_failure: Option<RunRow>,
    freshness: Vec<Freshness>,
    /// Why the tables could not be looked into.
    lake_error: Option<String>,
    pauses: Vec<Pause>,
    calendars: Vec<Horizon>,
}

/// Whether a daemon holds its lock.
#[derive(Debug, Serialize)]
struct Daemon {
    running: bool,
    pid: Option<u32>,
    since_utc: Option<DateTime<Utc>>,
    run_id: Option<String>,
    /// Whether its absence is a fault.
    wanted: bool,
}

/// Tells where everything stands.
pub(super) fn status(globals: &Globals, args: &StatusArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    let config = &loaded.config;
    telemetry::start_on_stderr(globals.verbosity());
    let now = SystemClock.now();
    let at = args.at.as_deref().map(parse_instant).transpose()?.unwrap_or(now);
    if at > now && config.gateway.kind == GatewayKind::Ib {
        let told = "--at lies in the future, of which nothing is known: jobs next tells what is planned";
        return Err(JobError::fail(Failure::Usage, told));
    }
    let survey = Survey { loaded: &loaded, config, now, at, num_sessions: args.sessions, by_timers: args.timers };
    let status = block_on(survey.status())?;
    match globals.format {
        Format::Text => text::print(&status)?,
        format => {
            let document = serde_json::to_value(&status).map_err(|error| JobError::fail(Failure::Failed, error))?;
            print_document(&document, format)?;
        }
    }
    Ok(status.verdict.exit_code)
}
