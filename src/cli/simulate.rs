//! `jobs simulate`: the jobs over a range of trading days at the machine's speed, in a folder of their own.

mod account;

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;
use tokio::runtime::Builder;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::gateway::simulated::{Fault, Tape};
use crate::job::{Failure, JobError, Stop, calendars};
use crate::jobs::catalogue;
use crate::market::Symbol;
use crate::scheduler::{Beginning, SimulatedRange, Simulation, SimulationFolder, Staging};
use crate::telemetry::{self, LogGuard, LogTarget};

use super::gateway::tape;
use super::output::{print_document, print_error};
use super::progress::Bar;
use super::schedule::planner;
use super::settings::{Format, Globals};
use super::{arenas, block_on_runtime};

/// What to simulate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs simulate --from 2026-03-02 --to 2026-03-13
  jobs simulate --from 2026-01-02 --to 2026-12-31 --fresh --format json
  jobs simulate --from 2026-03-10 --to 2026-03-10 --tape es.csv.gz
  jobs simulate --from 2026-03-10 --to 2026-03-10 --fault crossed@symbol=NQ,first=2

Of a tape those symbols are simulated that it holds. It writes to the folder simulation beside the lake, and goes on there where it ended, unless --fresh.")]
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
    arenas::bound();
    let config = globals.load(Vec::new())?.config;
    let range = SimulatedRange::of_days(&calendars(&config)?.futures, (args.from, args.to))?;
    if let Some(day) = range.provisional_from() {
        eprintln!(
            "warning: from {day} on the days follow the rules and are provisional: no calendar is published for them"
        );
    }
    let planner = planner(&config)?;
    let staging = Staging { tape: tape(&args.tape, config.gateway.simulated_seed)?, faults: args.fault };
    let config = on_tape(config, &staging.tape)?;
    let beginning = if args.fresh { Beginning::Fresh } else { Beginning::Continued };
    let folder = SimulationFolder::take(&config, &SystemClock, (beginning, &staging))?;
    let config = folder.configured(config);
    let _guard = start_log(&config, globals)?;
    // One run after the other: a second worker would only be woken for what the first could have gone on with.
    let (account, stopped) = block_on_runtime(Builder::new_multi_thread().worker_threads(1), async {
        let stop = Stop::on_signals()?;
        let simulation = Simulation::prepare(config, (planner, catalogue()), (range, staging)).await?;
        simulation.run(stop, &Bar::default()).await
    })?;
    let days = (args.from, args.to);
    match globals.format {
        Format::Text => account::print(&account, days, folder.root())?,
        format => print_document(&account::document(&account, days, folder.root())?, format)?,
    }
    if let Some(error) = stopped {
        return Err(
            error.with_message("ended by a signal: the same command without --fresh goes on where it ended".to_owned())
        );
    }
    let faults = account.faults();
    for fault in &faults {
        print_error(&format!("error: {fault}"));
    }
    Ok(if faults.is_empty() { 0 } else { Failure::Failed.exit_code() })
}

/// The configuration with the symbols that the tape holds: of the others nothing could ever be captured.
fn on_tape(mut config: Config, tape: &Tape) -> Result<Config, JobError> {
    let Tape::Recorded(tape) = tape else { return Ok(config) };
    let held = tape.symbols();
    let listed = |symbols: &[Symbol]| symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let market = &mut config.market;
    let all = market.futures.iter().chain(&market.spot).cloned();
    let (_, left_out): (Vec<Symbol>, Vec<Symbol>) = all.partition(|symbol| held.contains(symbol));
    let wanted = listed(&market.futures);
    market.futures.retain(|symbol| held.contains(symbol));
    market.spot.retain(|symbol| held.contains(symbol));
    if market.futures.is_empty() {
        let message = format!(
            "the tape holds {} and none of market.futures ({wanted}): give a tape of one of them, or name its future there",
            listed(&held)
        );
        return Err(JobError::fail(Failure::Usage, message));
    }
    let futures = market.futures.clone();
    config.signals.pairs.retain(|pair| futures.contains(&pair.future));
    if !left_out.is_empty() {
        eprintln!("note: the tape holds {}; {} are left out", listed(&held), listed(&left_out));
    }
    Ok(config)
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
