//! The metrics file: what the ledger, the tables and the schedules say, written after each run.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::job::{Environment, Job};
use crate::monitor::Sources;

use super::Planner;

/// What the metrics are made of, and the folder they go to; none where they are not wanted or there is no ledger. Without
/// a planner nothing is told of the runs to come.
pub fn metrics_of(
    environment: &Environment,
    (jobs, planner): (&[&dyn Job], Option<&Planner>),
    now: DateTime<Utc>,
) -> Option<(Sources, PathBuf)> {
    let config = environment.config();
    let folder = config.monitor.metrics_folder.clone()?;
    let next = |job: &str| planner.and_then(|planner| planner.next(job, now).ok().flatten()).map(|slot| slot.slot);
    let jobs = jobs.iter().map(|job| (job.name().to_owned(), next(job.name()))).collect();
    let sources = Sources {
        ledger: environment.ledger()?.clone(),
        lake: environment.lake().clone(),
        market: config.market.clone(),
        labels: config.monitor.labels.clone(),
        jobs,
    };
    Some((sources, folder))
}
