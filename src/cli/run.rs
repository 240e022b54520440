//! `jobs run JOB`: runs a job now, by the same code as the schedule does.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::calendar::{Slot, parse_instant};
use crate::clock::SystemClock;
use crate::config::Loaded;
use crate::job::{
    Environment, Failure, Job, JobError, Limits, RunReport, RunRequest, RunResult, SlotRange, Stop, WriteMode, chain,
    execute_watched,
};
use crate::jobs::{BEFORE_OPEN, catalogue};
use crate::lake::{AsOf, RowQuery, Rows, TableName};
use crate::market::Symbol;
use crate::monitor::publish;
use crate::scheduler::{metrics_of, parse_duration};
use crate::telemetry::{self, LogTarget};

use super::block_on;
use super::output::{eastern, print_document, print_documents, print_line, print_rows};
use super::progress::Bar;
use super::schedule::planner;
use super::settings::{Format, GatewayFlag, Globals};
use super::time_range::range_of;

/// The jobs that can be run.
#[derive(Debug, Subcommand)]
pub(super) enum RunCommand {
    /// Capture the quotes of the lead contracts and their ETFs at a slot.
    #[command(after_help = "Examples:
  jobs run snapshot
  jobs run snapshot --at 2026-11-20T10:05        New York time; or with an offset, 2026-11-20T15:05Z
  jobs run snapshot --dry-run --format jsonl")]
    Snapshot(SnapshotArgs),
    /// Fill missing slots from historical bars; a new lake's first load.
    #[command(after_help = "Examples:
  jobs run backfill                              the last 5 sessions; into an empty lake the last 60
  jobs run backfill --from 2026-11-16 --to 2026-11-20 --symbols ES,NQ")]
    Backfill(BackfillArgs),
    /// Put few files in the place of many small ones, and tidy the tables up.
    #[command(after_help = "Examples:
  jobs run compaction
  jobs run compaction --dry-run                  the files of each table now and then")]
    Compaction(CompactionArgs),
    /// Derive what the futures say of each ETF, as of the newest slot or the mornings of a range.
    #[command(after_help = "Examples:
  jobs run signals
  jobs run signals --from 2026-11-02 --to 2026-11-20      the mornings of past sessions, from the rows known then")]
    Signals(MorningsArgs),
    /// Decide by the entry rules what each signal means; on paper, nothing is traded.
    #[command(after_help = "Examples:
  jobs run rules
  jobs run rules --from 2026-11-02                        decisions made afterwards are marked late")]
    Rules(MorningsArgs),
    /// Note what became of each decision, on paper: in at the open after it, out at the close of its horizon.
    #[command(after_help = "Examples:
  jobs run evaluation                            decisions of the last 30 days
  jobs run evaluation --from 2026-09-01")]
    Evaluation(MorningsArgs),
    /// Make the daily report: a page, and one mail a day.
    #[command(after_help = "Examples:
  jobs run report
  jobs run report --dry-run                      the report in the terminal; nothing is written or sent
  jobs run report --date 2026-11-20 --resend     that morning's page and mail anew")]
    Report(ReportArgs),
    /// Check the captured rows, their series and their tables.
    #[command(after_help = "Examples:
  jobs run quality                               the last 5 sessions
  jobs run quality --from 2026-11-16 --to 2026-11-20
  jobs run quality --dry-run                     findings are printed and kept nowhere")]
    Quality(QualityArgs),
}

/// Options of every run.
#[derive(Debug, Args)]
struct CommonFlags {
    #[command(flatten)]
    gateway: GatewayFlag,
    /// Write nothing; show what would be written.
    #[arg(long)]
    dry_run: bool,
    /// Wait for another run of the job to end, at most so long [default with --wait alone: 5m].
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "5m", value_parser = duration)]
    wait: Option<Duration>,
}

/// Options of a run that makes rows.
#[derive(Debug, Args)]
struct RunFlags {
    #[command(flatten)]
    common: CommonFlags,
    /// Only these symbols.
    #[arg(long, value_delimiter = ',', value_name = "ES,NQ")]
    symbols: Vec<Symbol>,
    /// Replace rows that are there already.
    #[arg(long, conflicts_with = "dry_run")]
    force: bool,
}

#[derive(Debug, Args)]
pub(super) struct SnapshotArgs {
    /// The slot: New York time, or RFC 3339 with an offset [default: the newest slot].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    flags: RunFlags,
}

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// First trading day, or first instant [default: the last 5 sessions].
    #[arg(long, value_name = "DAY|TIME")]
    from: Option<String>,
    /// Last trading day, or last instant [default: now].
    #[arg(long, value_name = "DAY|TIME", requires = "from")]
    to: Option<String>,
    #[command(flatten)]
    flags: RunFlags,
}

#[derive(Debug, Args)]
pub(super) struct QualityArgs {
    /// First trading day, or first instant [default: the last 5 sessions].
    #[arg(long, value_name = "DAY|TIME")]
    from: Option<String>,
    /// Last trading day, or last instant [default: now].
    #[arg(long, value_name = "DAY|TIME", requires = "from")]
    to: Option<String>,
    #[command(flatten)]
    common: CommonFlags,
}

#[derive(Debug, Args)]
pub(super) struct MorningsArgs {
    /// First trading day, or first instant: the mornings from there on [default: the newest slot; of evaluation, 30 days ago].
    #[arg(long, value_name = "DAY|TIME")]
    from: Option<String>,
    /// Last trading day, or last instant [default: now].
    #[arg(long, value_name = "DAY|TIME", requires = "from")]
    to: Option<String>,
    #[command(flatten)]
    flags: RunFlags,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The day of the session [default: the newest morning].
    #[arg(long, value_name = "DAY")]
    date: Option<NaiveDate>,
    /// Make the page anew and send the mail again.
    #[arg(long, conflicts_with = "dry_run")]
    resend: bool,
    #[command(flatten)]
    common: CommonFlags,
}

#[derive(Debug, Args)]
pub(super) struct CompactionArgs {
    #[command(flatten)]
    common: CommonFlags,
}

/// Runs a job and prints what became of it.
pub(super) fn run(globals: &Globals, command: &RunCommand) -> Result<u8, JobError> {
    let (name, flags) = match command {
        RunCommand::Snapshot(args) => ("snapshot", &args.flags.common),
        RunCommand::Backfill(args) => ("backfill", &args.flags.common),
        RunCommand::Compaction(args) => ("compaction", &args.common),
        RunCommand::Quality(args) => ("quality", &args.common),
        RunCommand::Signals(args) => ("signals", &args.flags.common),
        RunCommand::Rules(args) => ("rules", &args.flags.common),
        RunCommand::Evaluation(args) => ("evaluation", &args.flags.common),
        RunCommand::Report(args) => ("report", &args.common),
    };
    let unknown = || JobError::fail(Failure::Usage, format!("there is no job {name}"));
    let job = catalogue().into_iter().find(|job| job.name() == name).ok_or_else(unknown)?;
    let loaded = globals.load(flags.gateway.flags())?;
    let request = request(command, &loaded)?;
    let paths = &loaded.config.paths;
    let target = LogTarget {
        folder: &paths.logs,
        job: job.name(),
        of_runs: &[],
        config: &loaded.config.log,
        verbosity: globals.verbosity(),
    };
    let _guard = telemetry::start(&target).map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    block_on(async {
        let environment =
            Environment::prepare(loaded.config.clone(), Arc::new(SystemClock), Arc::new(Bar::default())).await?;
        let mode = request.mode;
        let report = execute_watched(&environment, (job.clone(), request), Stop::on_signals()?).await;
        let code = print_report(&environment, (job.name(), mode), &report, globals.format).await?;
        if mode != WriteMode::DryRun {
            publish_metrics(&environment).await;
        }
        Ok(code)
    })
}

/// Writes the metrics file anew; schedules that cannot be read only leave out what is planned.
async fn publish_metrics(environment: &Environment) {
    let jobs = catalogue();
    let jobs: Vec<&dyn Job> = jobs.iter().map(AsRef::as_ref).collect();
    let planner = planner(environment.config()).ok();
    let now = environment.clock().now();
    if let Some((sources, folder)) = metrics_of(environment, (&jobs, planner.as_ref()), now) {
        publish(sources, &folder, now).await;
    }
}

fn request(command: &RunCommand, loaded: &Loaded) -> Result<RunRequest, JobError> {
    Ok(match command {
        RunCommand::Snapshot(args) => {
            RunRequest { at: args.at.as_deref().map(slot).transpose()?, ..args.flags.request(loaded)? }
        }
        RunCommand::Backfill(args) => {
            RunRequest { range: range((&args.from, &args.to), loaded)?, ..args.flags.request(loaded)? }
        }
        RunCommand::Quality(args) => {
            RunRequest { range: range((&args.from, &args.to), loaded)?, ..args.common.request() }
        }
        RunCommand::Signals(args) | RunCommand::Rules(args) | RunCommand::Evaluation(args) => {
            RunRequest { range: range((&args.from, &args.to), loaded)?, ..args.flags.request(loaded)? }
        }
        RunCommand::Report(args) => {
            let request = args.common.request();
            let mode = if args.resend { WriteMode::Replace } else { request.mode };
            RunRequest { at: args.date.map(|day| morning_of(day, loaded)).transpose()?, mode, ..request }
        }
        RunCommand::Compaction(args) => args.common.request(),
    })
}

impl CommonFlags {
    fn request(&self) -> RunRequest {
        let mode = if self.dry_run { WriteMode::DryRun } else { WriteMode::Add };
        let limits = Limits { lock_wait: self.wait.unwrap_or_default(), ..Limits::default() };
        RunRequest { mode, limits, ..RunRequest::manual() }
    }
}

impl RunFlags {
    fn request(&self, loaded: &Loaded) -> Result<RunRequest, JobError> {
        let market = &loaded.config.market;
        let configured: Vec<&Symbol> = market.futures.iter().chain(&market.spot).collect();
        if let Some(unknown) = self.symbols.iter().find(|s| !configured.contains(s)) {
            let known: Vec<&str> = configured.iter().map(|s| s.as_str()).collect();
            let told = format!("{unknown} is not captured: give one of {}, or add it under market", known.join(", "));
            return Err(JobError::fail(Failure::Usage, told));
        }
        let request = self.common.request();
        let mode = if self.force { WriteMode::Replace } else { request.mode };
        Ok(RunRequest { symbols: self.symbols.clone(), mode, ..request })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)?.to_std().map_err(|error| error.to_string())
}

fn slot(text: &str) -> Result<Slot, JobError> {
    Ok(Slot::at(parse_instant(text)?)?)
}

/// The slot of the report of a day: the morning of its session.
fn morning_of(day: NaiveDate, loaded: &Loaded) -> Result<Slot, JobError> {
    let session = crate::job::calendars(&loaded.config)?.nyse.session(day)?;
    let closed = || JobError::fail(Failure::Usage, format!("NYSE does not open on {day}: give a day of a session"));
    Ok(Slot::at_or_before(session.ok_or_else(closed)?.open() - BEFORE_OPEN))
}

/// The range of a backfill.
fn range((from, to): (&Option<String>, &Option<String>), loaded: &Loaded) -> Result<Option<SlotRange>, JobError> {
    let futures = crate::job::calendars(&loaded.config)?.futures;
    let (Some(from), to) = range_of(from.as_deref(), to.as_deref(), &futures)? else { return Ok(None) };
    Ok(Some(SlotRange { from, to: to.unwrap_or(DateTime::<Utc>::MAX_UTC) }))
}

async fn print_report(
    environment: &Environment,
    (job, mode): (&str, WriteMode),
    report: &RunReport,
    format: Format,
) -> Result<u8, JobError> {
    let rows = match &report.result {
        Ok(outcome) if outcome.unwritten.is_empty() => stored(environment, job, report).await?,
        Ok(outcome) => Tables {
            futures: Rows::of_futures(&outcome.unwritten.futures)?,
            spot: Rows::of_spot(&outcome.unwritten.spot)?,
        },
        Err(_) => Tables::default(),
    };
    match format {
        Format::Text => print_text_report(environment, (job, mode), report, &rows)?,
        Format::Jsonl if job == "snapshot" => {
            print_documents(rows.futures.objects(), format)?;
            print_documents(rows.spot.objects(), format)?;
        }
        _ => print_document(&document(job, report, &rows), format)?,
    }
    match &report.result {
        Ok(outcome) => {
            for finding in &outcome.findings {
                note!("finding: {finding}");
            }
            if let (Format::Jsonl, RunResult::Skipped(reason)) = (format, &outcome.result) {
                note!("{job}: {reason}");
            }
        }
        Err(error) => note!("error: {job} failed: {}", chain(error)),
    }
    Ok(report.exit_code())
}

/// Rows of both tables.
#[derive(Debug, Default)]
struct Tables {
    futures: Rows,
    spot: Rows,
}

/// What the lake now holds for the slot, read back from it.
async fn stored(environment: &Environment, job: &str, report: &RunReport) -> Result<Tables, JobError> {
    let done = matches!(&report.result, Ok(outcome) if matches!(outcome.result, RunResult::Done(_)));
    let Some(slot) = report.slot.filter(|_| done && job == "snapshot") else {
        return Ok(Tables::default());
    };
    let at = Some(slot.instant());
    let query = RowQuery { from: at, to: at, as_of: AsOf::Latest, ..RowQuery::default() };
    let lake = environment.lake();
    Ok(Tables {
        futures: lake.rows(TableName::FuturesSnapshots, &query).await?,
        spot: lake.rows(TableName::SpotSnapshots, &query).await?,
    })
}

fn print_text_report(
    environment: &Environment,
    (job, mode): (&str, WriteMode),
    report: &RunReport,
    rows: &Tables,
) -> Result<(), JobError> {
    let Ok(outcome) = &report.result else { return Ok(()) };
    let slot = report.slot.map_or_else(String::new, |slot| format!(" {} ({slot})", eastern(slot.instant())));
    let lake = environment.lake().root().display();
    let kind = environment.config().gateway.kind;
    match &outcome.result {
        RunResult::Skipped(reason) => print_line(&format!("{job}{slot}: {reason}; nothing written"))?,
        RunResult::Done(counts) => {
            let mut parts = vec![match mode {
                // What such a run did stands in its notes.
                WriteMode::DryRun if job == "compaction" => format!("dry run, nothing written to {lake}"),
                WriteMode::DryRun if matches!(job, "quality" | "signals" | "rules" | "evaluation" | "report") => {
                    format!("dry run, nothing written to {lake}")
                }
                _ if job == "report" => "made".to_owned(),
                _ if job == "quality" => format!("the findings are in {lake}"),
                _ if matches!(job, "signals" | "rules" | "evaluation") => {
                    format!("{} of {} rows added to {lake}", counts.added, counts.planned)
                }
                _ if job == "compaction" => format!("the tables in {lake} are in order"),
                WriteMode::DryRun => {
                    format!("dry run, {} rows would be written to {lake}", counts.planned - counts.present)
                }
                _ => format!("{} of {} rows added to {lake}", counts.added, counts.planned),
            }];
            let others = [
                ("already there", if job == "quality" { 0 } else { counts.present }),
                ("replaced", counts.replaced),
                ("without a bar", counts.without_data),
            ];
            parts.extend(others.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{n} {what}")));
            print_line(&format!(
                "{job}{slot}: {}, gateway {kind}, {:.1} s",
                parts.join(", "),
                report.took.as_secs_f64()
            ))?;
        }
    }
    outcome.notes.iter().try_for_each(|note| print_line(note))?;
    for rows in [&rows.futures, &rows.spot] {
        if !rows.rows.is_empty() {
            print_rows(rows, Format::Text)?;
        }
    }
    Ok(())
}

fn document(job: &str, report: &RunReport, rows: &Tables) -> serde_json::Value {
    let mut document = json!({
        "job": job,
        "run_id": report.run_id,
        "slot_utc": report.slot.map(|slot| slot.to_string()),
        "slot_et": report.slot.map(|slot| eastern(slot.instant())),
        "attempts": report.attempts,
        "took_ms": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        "exit_code": report.exit_code(),
        "futures_snapshots": rows.futures.objects(),
        "spot_snapshots": rows.spot.objects(),
    });
    let more = match &report.result {
        Ok(outcome) => {
            let findings: Vec<String> = outcome.findings.iter().map(ToString::to_string).collect();
            match &outcome.result {
                RunResult::Skipped(reason) => json!({ "status": "skipped", "reason": reason, "findings": findings }),
                RunResult::Done(counts) => json!({
                    "status": "done", "findings": findings, "notes": outcome.notes, "planned": counts.planned, "added": counts.added,
                    "present": counts.present, "replaced": counts.replaced, "without_data": counts.without_data,
                }),
            }
        }
        Err(error) => json!({
            "status": "failed", "error": chain(error),
            "added": error.written().added, "replaced": error.written().replaced,
        }),
    };
    if let (Some(document), serde_json::Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}
