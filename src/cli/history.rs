//! `jobs history`: what became of the slots, as the ledger has it.

use clap::Args;
use serde_json::Value as Json;

use crate::job::{Failure, JobError, calendars};
use crate::state::{HistoryQuery, Ledger, RunRow, RunState};
use crate::telemetry;

use super::job_names::{check_known, job_names};
use super::output::{eastern, plain_table, print_documents, print_line, print_text};
use super::settings::{Format, Globals};
use super::time_range::{Edge, instant_or_day};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs history
  jobs history snapshot --since 2026-11-20 --status failed,missed
  jobs history --format jsonl -n 1000")]
pub(super) struct HistoryArgs {
    /// Only this job.
    job: Option<String>,
    /// Since this time or trading day.
    #[arg(long, value_name = "DAY|TIME")]
    since: Option<String>,
    /// Only in these states: planned, running, done, skipped, missed, failed, `timed_out`, recovered.
    #[arg(long, value_delimiter = ',', value_name = "STATE,STATE")]
    status: Vec<RunState>,
    /// At most N slots, the newest.
    #[arg(short, default_value_t = 20, value_name = "N")]
    n: u32,
}

/// Prints the history.
pub(super) fn history(globals: &Globals, args: &HistoryArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    if let Some(job) = &args.job {
        check_known(job, &job_names(), "job")?;
    }
    let futures = calendars(&config)?.futures;
    let since = args.since.as_deref().map(|text| instant_or_day(text, &futures, Edge::Open)).transpose()?;
    let query = HistoryQuery { job: args.job.clone(), since, until: None, states: args.status.clone(), limit: args.n };
    let rows = match Ledger::open_to_read(&config.paths.ledger())? {
        Some(ledger) => ledger.history(&query)?,
        None => Vec::new(),
    };
    if globals.format != Format::Text {
        print_documents(rows.iter().map(document).collect::<Result<_, _>>()?, globals.format)?;
    } else if rows.is_empty() {
        print_line(&format!("no such runs in {}", config.paths.ledger().display()))?;
    } else {
        let mut table = plain_table();
        table.set_header(["slot", "job", "state", "trigger", "attempts", "took", "added", "why"]);
        for row in &rows {
            table.add_row(cells(row));
        }
        print_text(&table)?;
    }
    Ok(0)
}

fn document(row: &RunRow) -> Result<Json, JobError> {
    let mut document = serde_json::to_value(row).map_err(|error| JobError::fail(Failure::Failed, error))?;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("slot_et".to_owned(), eastern(row.slot).into());
    }
    Ok(document)
}

fn cells(row: &RunRow) -> [String; 8] {
    let took = row.started_at.zip(row.ended_at).map(|(from, to)| (to - from).as_seconds_f64());
    [
        eastern(row.slot),
        row.job.clone(),
        row.state.to_string(),
        row.trigger.map_or_else(String::new, |trigger| trigger.to_string()),
        row.attempts.to_string(),
        took.map_or_else(String::new, |seconds| format!("{seconds:.1} s")),
        row.counts.added.to_string(),
        row.error.clone().or_else(|| row.reason.clone()).unwrap_or_default(),
    ]
}
