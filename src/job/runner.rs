//! The runner: the one place with the lock, the span, the timeout, the retries and the net for panics.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument;

use crate::calendar::Slot;
use crate::market::GatewayKind;

use super::recorder::Recorder;
use super::{
    Context, Disposition, Environment, Failure, Job, JobError, JobLock, LockHolder, Outcome, Run, RunRequest,
    RunResult, WriteMode, chain,
};

/// The share of its timeout that a run may wait for the gateway's pacing rules: 15 s of a capture, 10 min of a backfill.
const PACING_SHARE: u32 = 6;

/// What became of a run.
#[derive(Debug)]
pub struct RunReport {
    /// Name of the run in logs and locks.
    pub run_id: String,
    /// The slot, where it got so far as to know it.
    pub slot: Option<Slot>,
    /// Attempts made.
    pub attempts: u32,
    /// How long it took.
    pub took: Duration,
    /// What it came to.
    pub result: Result<Outcome, JobError>,
}

impl RunReport {
    /// The exit code of a process that did this one run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.result.as_ref().map_or_else(|error| error.failure().exit_code(), |_| 0)
    }
}

/// Runs a job under its lock, within its timeout, with retries; whatever happens becomes a report.
pub async fn execute(environment: &Environment, job: Arc<dyn Job>, request: RunRequest) -> RunReport {
    let started = Instant::now();
    let run_id = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect::<String>();
    let span = tracing::info_span!("run", job = job.name(), run_id, trigger = %request.trigger);
    let mut report =
        RunReport { run_id, slot: None, attempts: 0, took: Duration::ZERO, result: Ok(Outcome::skipped("")) };
    report.result = run_locked(environment, &job, &request, &mut report).instrument(span.clone()).await;
    report.took = started.elapsed();
    span.in_scope(|| log_end(&report));
    report
}

async fn run_locked(
    environment: &Environment,
    job: &Arc<dyn Job>,
    request: &RunRequest,
    report: &mut RunReport,
) -> Result<Outcome, JobError> {
    let holder = LockHolder { pid: std::process::id(), run_id: report.run_id.clone(), since: environment.clock.now() };
    let _lock = JobLock::take(&environment.config.paths.locks(), job.name(), &holder)?;
    let recorder = Recorder {
        ledger: environment.ledger.clone().filter(|_| request.mode != WriteMode::DryRun),
        clock: environment.clock.clone(),
        job: job.name(),
        run_id: report.run_id.clone(),
        trigger: request.trigger,
        begun: false,
    };
    let deadline = Instant::now() + job.timeout();
    let mut underway = Underway { environment, job, request, deadline, signals: Signals::listen()?, recorder };
    let result = underway.finish(report).await;
    underway.recorder.end(&result, report.attempts).await;
    result
}

/// A run that holds its lock.
struct Underway<'a> {
    environment: &'a Environment,
    job: &'a Arc<dyn Job>,
    request: &'a RunRequest,
    deadline: Instant,
    signals: Signals,
    recorder: Recorder,
}

impl Underway<'_> {
    /// Tries until it is done, must not be tried again, or the time is up.
    async fn finish(&mut self, report: &mut RunReport) -> Result<Outcome, JobError> {
        let runs = &self.environment.config.runs;
        let backoff = Duration::from_millis(runs.retry_backoff_ms);
        loop {
            report.attempts += 1;
            let began = Instant::now();
            let error = match self.attempt(report).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let may_retry = error.disposition() == Disposition::Retry && report.attempts <= runs.max_retries;
            // An attempt that would be cut off by the timeout would only hide why the last one failed.
            if !may_retry || Instant::now() + backoff + began.elapsed() >= self.deadline {
                return Err(expected_at_night(self.environment, error));
            }
            tracing::warn!(attempt = report.attempts, error = %chain(&error), "the attempt failed, another follows");
            tokio::select! {
                () = sleep(backoff) => {}
                failure = self.signals.next() => return Err(interrupted(failure)),
            }
        }
    }

    /// Runs once, in a task of its own, so that a panic ends the task and not the process.
    async fn attempt(&mut self, report: &mut RunReport) -> Result<Outcome, JobError> {
        let timeout = self.job.timeout();
        let context = Arc::new(self.environment.context(timeout / PACING_SHARE, &report.run_id));
        // The slot is what the run is about: a later attempt keeps it.
        let slot = match report.slot {
            Some(slot) => slot,
            None => *report.slot.insert(self.slot(&context).await?),
        };
        if let Some(row) = self.recorder.begin(slot).await {
            return Ok(Outcome::skipped(format!("the ledger has the slot as {}", row.state)));
        }
        let run = Run { slot, attempt: report.attempts, request: self.request.clone() };
        let span = tracing::info_span!("attempt", %slot, attempt = run.attempt);
        let (job, shared) = (self.job.clone(), context.clone());
        let mut task = tokio::spawn(async move { job.run(&shared, &run).await }.instrument(span));
        let result = tokio::select! {
            finished = timeout_at(self.deadline, &mut task) => match finished {
                Ok(Ok(result)) => result,
                Ok(Err(join)) => Err(JobError::fail(Failure::Panicked, format!("the job panicked, which is a bug: {join}"))),
                Err(_) => Err(timed_out(timeout)),
            },
            failure = self.signals.next() => Err(interrupted(failure)),
        };
        task.abort();
        context.close().await;
        result
    }

    async fn slot(&mut self, context: &Context) -> Result<Slot, JobError> {
        tokio::select! {
            resolved = timeout_at(self.deadline, resolve_slot(context, self.request)) => {
                resolved.map_err(|_| timed_out(self.job.timeout()))?
            }
            failure = self.signals.next() => Err(interrupted(failure)),
        }
    }
}

/// The slot that was asked for, or the newest at or before now.
async fn resolve_slot(context: &Context, request: &RunRequest) -> Result<Slot, JobError> {
    let now = context.now().await?;
    match request.at {
        None => context.newest_slot(now),
        Some(slot) if slot.instant() <= now => Ok(slot),
        Some(slot) => {
            let told =
                format!("slot {slot} lies in the future (it is {}): wait for it", now.format("%Y-%m-%dT%H:%M:%SZ"));
            Err(JobError::fail(Failure::Usage, told))
        }
    }
}

fn timed_out(timeout: Duration) -> JobError {
    let told = format!("the run took longer than its timeout of {} s and was ended: run it again", timeout.as_secs());
    JobError::fail(Failure::TimedOut, told)
}

fn interrupted(failure: Failure) -> JobError {
    JobError::fail(failure, "the run was ended by a signal; what it had written is kept: run it again for the rest")
}

/// A gateway that is down during its nightly reset is expected to be.
fn expected_at_night(environment: &Environment, error: JobError) -> JobError {
    let window = environment.config.gateway.reset_window();
    let is_real = environment.config.gateway.kind == GatewayKind::Ib;
    let may_pass = error.failure() == Failure::Unavailable && error.disposition() == Disposition::Retry;
    if !is_real || !may_pass || !window.contains(environment.clock.now()) {
        return error;
    }
    let told = format!(
        "{} (expected: this is the gateway's nightly reset, {} to {} New York time; backfill fills the slot later)",
        chain(&error),
        window.from,
        window.until
    );
    JobError::fail(Failure::Unavailable, told)
}

/// The signals that end a run.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, JobError> {
        let listen = |kind| signal(kind).map_err(|error| JobError::fail(Failure::Failed, error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Failure {
        tokio::select! {
            _ = self.interrupt.recv() => Failure::Interrupted,
            _ = self.terminate.recv() => Failure::Terminated,
        }
    }
}

fn log_end(report: &RunReport) {
    let took_ms = u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX);
    let slot = report.slot.map(|slot| slot.to_string());
    match &report.result {
        Ok(outcome) => {
            for finding in &outcome.findings {
                tracing::warn!(check = finding.check, symbol = %finding.symbol, "{finding}");
            }
            match &outcome.result {
                RunResult::Done(counts) => {
                    tracing::info!(slot, took_ms, added = counts.added, present = counts.present, "run done");
                }
                RunResult::Skipped(reason) => tracing::info!(slot, took_ms, %reason, "run skipped"),
            }
        }
        // The command line tells the error on stderr itself; here it goes to the log file.
        Err(error) => tracing::info!(slot, took_ms, attempts = report.attempts, error = %chain(error), "run failed"),
    }
}
