//! The runs that go on. Each has a thread and a runtime of its own, so that a job that blocks or panics stops no other and
//! never the loop.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::job::{Environment, Failure, Job, RunReport, RunRequest, Stop, Stopper, execute_watched};

/// Threads of a run: while a job blocks one, the other still keeps its time.
const THREADS: usize = 2;

/// What a run needs beyond its timeout, locks and grace included, before it is given up.
const MARGIN: Duration = Duration::from_secs(30);

/// A run by its job and its slot.
pub(super) type RunKey = (String, DateTime<Utc>);

/// The runs that go on.
#[derive(Debug)]
pub(super) struct Crew {
    runs: BTreeMap<RunKey, Running>,
    reports: mpsc::UnboundedSender<(RunKey, Option<RunReport>)>,
    ended: mpsc::UnboundedReceiver<(RunKey, Option<RunReport>)>,
}

#[derive(Debug)]
struct Running {
    stopper: Stopper,
    give_up_at: Instant,
}

impl Crew {
    pub(super) fn new() -> Self {
        let (reports, ended) = mpsc::unbounded_channel();
        Self { runs: BTreeMap::new(), reports, ended }
    }

    /// Begins a run.
    ///
    /// # Errors
    /// Where the machine has no thread for it.
    pub(super) fn begin(
        &mut self,
        key: RunKey,
        environment: Arc<Environment>,
        (job, request): (Arc<dyn Job>, RunRequest),
    ) -> std::io::Result<()> {
        let (stopper, stop) = Stopper::pair();
        let limits = request.limits;
        let bound = limits.timeout.unwrap_or_else(|| job.timeout()) + limits.lock_wait + limits.grace + MARGIN;
        let (reports, its_key) = (self.reports.clone(), key.clone());
        let work = move || {
            let run = || run_alone(&environment, (job, request), stop);
            let report = catch_unwind(AssertUnwindSafe(run)).ok().and_then(Result::ok);
            // Nobody listens once the daemon has ended.
            let _ = reports.send((its_key, report));
        };
        std::thread::Builder::new().name(format!("run-{}", key.0)).spawn(work)?;
        self.runs.insert(key, Running { stopper, give_up_at: Instant::now() + bound });
        Ok(())
    }

    /// The next run that ends, with its report; none where its thread could not make one.
    pub(super) async fn ended(&mut self) -> (RunKey, Option<RunReport>) {
        match self.ended.recv().await {
            Some((key, report)) => {
                self.runs.remove(&key);
                (key, report)
            }
            None => std::future::pending().await,
        }
    }

    /// Asks the runs of a job to end.
    pub(super) fn stop(&self, job: &str, why: &str) {
        self.runs
            .iter()
            .filter(|((of, _), _)| of == job)
            .for_each(|(_, run)| run.stopper.stop(Failure::Terminated, why));
    }

    /// Asks all runs to end.
    pub(super) fn stop_all(&self, why: &str) {
        self.runs.values().for_each(|run| run.stopper.stop(Failure::Terminated, why));
    }

    /// Gives up the runs that should have ended long ago, and tells which.
    pub(super) fn give_up(&mut self, now: Instant) -> Vec<RunKey> {
        let overdue = |run: &Running| run.give_up_at <= now;
        let keys: Vec<RunKey> = self.runs.iter().filter(|(_, run)| overdue(run)).map(|(key, _)| key.clone()).collect();
        self.runs.retain(|_, run| !overdue(run));
        keys
    }

    /// The names of the jobs that run.
    pub(super) fn jobs(&self) -> Vec<&str> {
        self.runs.keys().map(|(job, _)| job.as_str()).collect()
    }
}

fn run_alone(
    environment: &Environment,
    (job, request): (Arc<dyn Job>, RunRequest),
    stop: Stop,
) -> std::io::Result<RunReport> {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().thread_name(job.name()).build()?;
    let report = runtime.block_on(execute_watched(environment, (job, request), stop));
    // A job that blocks its thread must not keep the others waiting.
    runtime.shutdown_background();
    Ok(report)
}
