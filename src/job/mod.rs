//! Jobs: what a job is, what a run is, and the one place that runs them.

mod alerting;
mod checked;
mod context;
mod environment;
mod error;
mod holds;
mod lock;
mod lock_holder;
mod outcome;
mod progress;
mod recorder;
mod request;
mod runner;
mod seen;
mod simulated;
mod stop;
mod watched;

use std::time::Duration;

use async_trait::async_trait;

pub use crate::state::Trigger;
pub use alerting::{alerts, mailer, origin, outbox, policy};
pub use checked::{Looked, seen_by_checks};
pub use context::{Calendars, Context};
pub use environment::{Environment, calendars, dividends, start_embedded};
pub use error::{Disposition, Failure, JobError, chain};
pub use holds::{Holds, built_on};
pub use lock::{Lock, LockHolder, Locked};
pub use lock_holder::lock_holder;
pub use outcome::{Captured, Counts, Outcome, RunResult};
pub use progress::{NoProgress, Progress};
pub use request::{Limits, Run, RunRequest, SlotRange, WriteMode};
pub use runner::{RunReport, execute};
pub use seen::{RUN_FAILED, RUN_MISSED, seen_at_end, seen_missed};
pub use simulated::SimulatedWorld;
pub use stop::{Stop, Stopper};
pub use watched::execute_watched;

/// A batch job. Running it twice for one slot equals running it once.
#[async_trait]
pub trait Job: Send + Sync {
    /// Its name on the command line, in locks and in logs.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn summary(&self) -> &'static str;

    /// The bound of one run, all attempts together.
    fn timeout(&self) -> Duration;

    /// What it shares with other jobs and must have to itself, by name; locked beside the job.
    fn resources(&self) -> &'static [&'static str] {
        &[]
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`JobError`] says whether a new attempt makes sense, and the exit code.
    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError>;
}
