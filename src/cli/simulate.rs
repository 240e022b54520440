//! `jobs simulate`: the jobs over a range of trading days at the machine's speed, in a folder of their own.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Args;
use serde_json::json;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::gateway::simulated::Fault;
use crate::job::{Failure, JobError, Stop, calendars};
use crate::jobs::catalogue;
use crate::scheduler::{Account, Beginning, SimulatedRange, Simulation, SimulationFolder, Staging};
use crate::telemetry::{self, LogGuard, LogTarget};

use super::block_on;
use super::gateway::tape;
use super::output::{plain_table, print_document, print_line, print_text};
use super::progress::Bar;
use super::schedule::planner;
use super::settings::{Format, Globals};

/// What to simulate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs simulate --from 2026-03-02 --to 2026-03-13
  jobs simulate --from 2026-01-02 --to 2026-12-31 --fresh --format json
  jobs simulate --from 2026-03-10 --to 2026-03-10 --tape es.csv.gz
  jobs simulate --from 2026-03-10 --to 2026-03-10 --fault crossed@symbol=NQ,first=2

It writes to the folder simulation beside the lake, and goes on there where it ended, unless --fresh.")]
pub(super) struct SimulateArgs {
    /// First trading day of the futures; it opens on the evening before.
    #[arg(long, value_name = "DAY")]
    from: NaiveDate,
    /// Last trading day.
    #[arg(long, value_name = "DAY")]
    to: NaiveDate,
    /// Recorded tape instead of the synthetic one; may be given more than once.
    #[arg(long, value_name = "FILE")]
    tape: Vec<PathBuf>,
    /// Fault to show, KIND[:ARG][@CONDITION], as of `jobs gateway simulate`; may be given more than once.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// Delete the earlier simulation first.
    #[arg(long)]
    fresh: bool,
}

/// Simulates and prints the account.
pub(super) fn simulate(globals: &Globals, args: SimulateArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    let range = SimulatedRange::of_days(&calendars(&config)?.futures, (args.from, args.to))?;
    let planner = planner(&config)?;
    let staging = Staging { tape: tape(&args.tape, config.gateway.simulated_seed)?, faults: args.fault };
    let beginning = if args.fresh { Beginning::Fresh } else { Beginning::Continued };
    let folder = SimulationFolder::take(&config, &SystemClock, beginning)?;
    let config = folder.configured(config);
    let _guard = start_log(&config, globals)?;
    let (account, stopped) = block_on(async {
        let stop = Stop::on_signals()?;
        let simulation = Simulation::prepare(config, (planner, catalogue()), (range, staging)).await?;
        simulation.run(stop, &Bar::default()).await
    })?;
    let days = (args.from, args.to);
    match globals.format {
        Format::Text => print_account(&account, days, folder.root())?,
        format => print_document(&document(&account, days, folder.root())?, format)?,
    }
    if let Some(error) = stopped {
        return Err(
            error.with_message("ended by a signal: the same command without --fresh goes on where it ended".to_owned())
        );
    }
    let faults = account.faults();
    for fault in &faults {
        eprintln!("error: {fault}");
    }
    Ok(if faults.is_empty() { 0 } else { Failure::Failed.exit_code() })
}

/// What happens once a run is for the log file alone: thousands of runs would hide everything else on the terminal.
fn start_log(config: &Config, globals: &Globals) -> Result<LogGuard, JobError> {
    let target = LogTarget {
        folder: &config.paths.logs,
        job: "simulation",
        of_runs: &[],
        config: &config.log,
        verbosity: globals.verbosity_of_many(),
    };
    telemetry::start(&target).map_err(|error| JobError::fail(Failure::Misconfigured, error))
}

fn print_account(account: &Account, (from, to): (NaiveDate, NaiveDate), root: &Path) -> Result<(), JobError> {
    let ended = if account.is_complete { "" } else { ", not to its end" };
    let memory = peak_memory_mb().map(|mb| format!(", peak memory {mb} MB")).unwrap_or_default();
    print_line(&format!(
        "simulated {from} to {to}{ended}: {} slots, {} runs in {:.1} s, {:.0} slots a second{memory}",
        account.num_slots,
        account.num_runs,
        account.took_seconds,
        per_second(account)
    ))?;
    if account.num_runs == 0 {
        print_line("nothing was left to do: every slot of the range has its entry in the ledger")?;
    }
    print_line(&format!("written without fsync to {}", root.display()))?;
    let mut jobs = plain_table();
    jobs.set_header([
        "job",
        "planned",
        "done",
        "skipped",
        "missed",
        "failed",
        "timed out",
        "recovered",
        "runs",
        "total s",
        "mean ms",
        "max ms",
    ]);
    for job in &account.jobs {
        let (ledger, timing) = (job.ledger, job.timing);
        let states = [
            ledger.done,
            ledger.skipped,
            ledger.missed,
            ledger.failed,
            ledger.timed_out,
            ledger.recovered,
            timing.num_runs,
        ];
        let took = [timing.total_ms / 1_000.0, timing.mean_ms(), timing.max_ms].map(|value| format!("{value:.1}"));
        let states = states.map(|count| count.to_string());
        jobs.add_row([job.job.clone(), job.planned_slots.to_string()].into_iter().chain(states).chain(took));
    }
    print_text(&jobs)?;
    let mut tables = plain_table();
    tables.set_header(["table", "rows", "slots x symbols"]);
    for table in &account.tables {
        tables.add_row([table.table.to_string(), table.rows.to_string(), table.expected.to_string()]);
    }
    print_text(&tables)?;
    let findings: Vec<String> = account.findings.iter().map(|(check, count)| format!("{check} {count}")).collect();
    let findings = if findings.is_empty() { "none".to_owned() } else { findings.join(", ") };
    print_line(&format!("findings: {findings}"))
}

fn document(account: &Account, (from, to): (NaiveDate, NaiveDate), root: &Path) -> Result<serde_json::Value, JobError> {
    let of_account = serde_json::to_value(account).map_err(|error| JobError::fail(Failure::Failed, error))?;
    let mut document = json!({
        "from": from, "to": to, "folder": root, "fsync": false, "per_second": per_second(account),
        "peak_memory_mb": peak_memory_mb(), "faults": account.faults(),
    });
    if let (Some(document), serde_json::Value::Object(of_account)) = (document.as_object_mut(), of_account) {
        document.extend(of_account);
    }
    Ok(document)
}

fn per_second(account: &Account) -> f64 {
    if account.took_seconds > 0.0 { f64::from(account.num_slots) / account.took_seconds } else { 0.0 }
}

/// Most memory that this process has held, in MB, as Linux tells it.
fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024 / 1_000_000)
}
