//! `jobs serve`: runs the jobs by their schedules until it is told to stop.

use std::sync::Arc;

use clap::Args;

use crate::clock::SystemClock;
use crate::config::{Config, Loaded};
use crate::gateway::ClockSource;
use crate::job::{Environment, Failure, JobError};
use crate::jobs::catalogue;
use crate::scheduler::{Service, check_settled, serve};
use crate::telemetry::{self, LogTarget};

use super::schedule::{left_out, planner};
use super::settings::{GatewayFlag, Globals};
use super::{arenas, block_on};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  JOBS__GATEWAY__KIND=simulated jobs serve -v
  systemctl start jobs

SIGTERM waits for the runs that go on, up to runs.drain_seconds; a second one ends them. SIGHUP reads configuration and
schedules again; broken ones are told and the old ones stay in force. gateway.kind must be given: a configuration that was
lost must not capture simulated quotes. The schedules go by this machine's clock: gateway.clock: gateway is refused.")]
pub(super) struct ServeArgs {
    #[command(flatten)]
    gateway: GatewayFlag,
}

/// Serves.
pub(super) fn serve_jobs(globals: &Globals, args: &ServeArgs) -> Result<u8, JobError> {
    arenas::bound();
    let loaded = load(globals, args)?;
    let catalogue = catalogue();
    let names: Vec<&str> = catalogue.iter().map(|job| job.name()).collect();
    let target = LogTarget {
        folder: &loaded.config.paths.logs,
        job: "serve",
        of_runs: &names,
        config: &loaded.config.log,
        verbosity: globals.verbosity(),
    };
    let _guard = telemetry::start(&target).map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    block_on(async {
        serve(async |in_force: Option<&Config>| service(&load(globals, args)?, in_force).await).await?;
        Ok(0)
    })
}

/// The configuration, which must say where quotes come from.
fn load(globals: &Globals, args: &ServeArgs) -> Result<Loaded, JobError> {
    let loaded = globals.load(args.gateway.flags())?;
    if loaded.config.gateway.clock == Some(ClockSource::Gateway) {
        let told = "gateway.clock is gateway, but a daemon goes by this machine's clock, as its schedules do: remove the key \
                    for jobs serve, and start the simulated gateway without --now and --speed; jobs run NAME may go by \
                    the gateway's clock, and jobs simulate replays other days";
        return Err(JobError::fail(Failure::Misconfigured, told));
    }
    if loaded.origins.contains_key("gateway.kind") {
        return Ok(loaded);
    }
    let told = "gateway.kind is not configured: set it to ib or simulated in jobs.yaml, or JOBS__GATEWAY__KIND; the daemon \
                does not choose, so that a lost configuration never captures simulated quotes";
    Err(JobError::fail(Failure::Misconfigured, told))
}

async fn service(loaded: &Loaded, in_force: Option<&Config>) -> Result<Service, JobError> {
    // Before anything is made: a reload that is refused leaves no folder behind.
    in_force.map_or(Ok(()), |in_force| check_settled(in_force, &loaded.config))?;
    let planner = planner(&loaded.config)?;
    let left_out = left_out(planner.schedules())?;
    if !left_out.is_empty() {
        tracing::warn!(jobs = left_out.join(", "), "jobs that are scheduled by default are not scheduled here");
    }
    let environment = Environment::prepare_service(loaded.config.clone(), Arc::new(SystemClock)).await?;
    Ok(Service { environment, jobs: catalogue(), planner })
}
