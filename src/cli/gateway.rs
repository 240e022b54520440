//! `jobs gateway`: a simulated gateway to run against, and a probe for a real one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::calendar::parse_instant;
use crate::clock::{Clock, SystemClock};
use crate::gateway::probe;
use crate::gateway::simulated::{
    Fault, RecordedTape, SimulatedClock, SimulatedConfig, SimulatedGateway, SyntheticTape, Tape, fault_kinds,
};
use crate::job::{Environment, Failure, JobError, NoProgress};
use crate::telemetry;

use super::block_on;
use super::output::{plain_table, print_documents, print_line, print_text};
use super::settings::{Format, GatewayFlag, Globals};

/// What to do with a gateway.
#[derive(Debug, Subcommand)]
pub(super) enum GatewayCommand {
    /// Run a simulated gateway on 127.0.0.1 until a signal ends it.
    Simulate(SimulateArgs),
    /// Connect to the configured gateway and tell what each step found.
    #[command(after_help = "Example:\n  jobs gateway probe --gateway 127.0.0.1:4002")]
    Probe(ProbeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs gateway simulate --port 4004
  jobs gateway simulate --tape es.csv.gz --now 2026-03-10T14:00 --speed 60
  jobs gateway simulate --fault slow:5 --fault crossed@symbol=NQ,first=2
  jobs gateway simulate --list-faults

A tape is CSV, plain or gzip, with the columns symbol,contract,expiry,bar_start_utc,bar_end_utc,open,high,low,close,volume.")]
pub(super) struct SimulateArgs {
    /// Port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Recorded tape instead of the synthetic one; may be given more than once.
    #[arg(long, value_name = "FILE")]
    tape: Vec<PathBuf>,
    /// Seed of the synthetic tape.
    #[arg(long, default_value_t = 20_260_101, conflicts_with = "tape")]
    seed: u64,
    /// Time at which its clock starts; New York time, or RFC 3339 with an offset [default: the machine's].
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// How fast its clock runs; 0 stands still.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "now")]
    speed: f64,
    /// Fault to show, KIND[:ARG][@CONDITION]; may be given more than once.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// Protocol version to announce.
    #[arg(long, default_value_t = 226, value_parser = clap::value_parser!(i32).range(213..=226))]
    server_version: i32,
    /// List the kinds of faults and end.
    #[arg(long)]
    list_faults: bool,
}

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    #[command(flatten)]
    gateway: GatewayFlag,
}

/// Does it.
pub(super) fn gateway(globals: &Globals, command: GatewayCommand) -> Result<u8, JobError> {
    telemetry::start_on_stderr(globals.verbosity());
    match command {
        GatewayCommand::Simulate(args) if args.list_faults => list_faults(globals.format),
        GatewayCommand::Simulate(args) => block_on(simulate(args, globals.format)),
        GatewayCommand::Probe(args) => {
            let loaded = globals.load(args.gateway.flags())?;
            block_on(async {
                let environment =
                    Environment::prepare(loaded.config, Arc::new(SystemClock), Arc::new(NoProgress)).await?;
                print_probe(&environment, globals.format).await
            })
        }
    }
}

fn list_faults(format: Format) -> Result<u8, JobError> {
    let kinds = fault_kinds();
    if format != Format::Text {
        let kinds = kinds.iter().map(|(name, help)| json!({ "fault": name, "help": help }));
        print_documents(kinds.collect(), format)?;
        return Ok(0);
    }
    let mut table = plain_table();
    table.set_header(["fault", "what happens"]);
    for (name, help) in kinds {
        table.add_row([name, help]);
    }
    print_text(&table)?;
    Ok(0)
}

/// The recorded tape of these files, or without any the synthetic one.
pub(super) fn tape(files: &[PathBuf], seed: u64) -> Result<Tape, JobError> {
    if files.is_empty() {
        return Ok(Tape::Synthetic(SyntheticTape::new(seed)));
    }
    Ok(Tape::Recorded(RecordedTape::load(files).map_err(|error| JobError::fail(Failure::Usage, error))?))
}

async fn simulate(args: SimulateArgs, format: Format) -> Result<u8, JobError> {
    let usage = |error: String| JobError::fail(Failure::Usage, error);
    if !args.speed.is_finite() || args.speed < 0.0 {
        return Err(usage(format!("--speed {} cannot be: give 0 or more", args.speed)));
    }
    let tape = tape(&args.tape, args.seed)?;
    let clock = match &args.now {
        None => SimulatedClock::machine(Arc::new(|| SystemClock.now())),
        Some(now) if args.speed == 0.0 => SimulatedClock::fixed(parse_instant(now)?),
        Some(now) => SimulatedClock::running(parse_instant(now)?, args.speed),
    };
    let mut config = SimulatedConfig::new(tape, clock);
    config.port = args.port;
    config.server_version = args.server_version;
    config.faults = args.fault;
    let gateway = SimulatedGateway::start(config).await.map_err(|error| JobError::fail(Failure::Unavailable, error))?;
    match format {
        Format::Text => {
            print_line(&format!("simulated gateway on {}, its time is {}", gateway.address(), gateway.now()))?;
        }
        _ => print_line(&json!({ "address": gateway.address().to_string(), "now_utc": gateway.now() }).to_string())?,
    }
    let listen = |kind| signal(kind).map_err(|error| JobError::fail(Failure::Failed, error));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    gateway.shutdown().await;
    Ok(0)
}

async fn print_probe(environment: &Environment, format: Format) -> Result<u8, JobError> {
    let steps = probe(&environment.endpoint(Duration::ZERO)).await?;
    match format {
        Format::Text => steps.iter().try_for_each(|(step, found)| print_line(&format!("{step}: {found}")))?,
        _ => print_documents(
            steps.iter().map(|(step, found)| json!({ "step": step, "found": found })).collect(),
            format,
        )?,
    }
    Ok(0)
}
