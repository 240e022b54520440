//! The runner: the one place with the lock, the span, the timeout, the retries and the net for panics.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument;

use crate::calendar::Slot;
use crate::market::GatewayKind;
use crate::quality::Finding;

use super::recorder::{Beginning, Recorder};
use super::{
    Context, Counts, Disposition, Environment, Failure, Job, JobError, Lock, LockHolder, Locked, Outcome, Run,
    RunRequest, RunResult, Stop, WriteMode, chain,
};

/// How often a lock that another holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(100);

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
    /// Whether the job was ended and still runs: it blocks its thread.
    pub is_stuck: bool,
    /// What it came to.
    pub result: Result<Outcome, JobError>,
}

impl RunReport {
    /// Facts about bad data met on the way, whether the run came to a good end or not.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        match &self.result {
            Ok(outcome) => outcome.findings.iter(),
            Err(error) => error.findings().iter(),
        }
    }

    /// The exit code of a process that did this one run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.result.as_ref().map_or_else(|error| error.failure().exit_code(), |_| 0)
    }
}

/// Runs a job under its locks, within its timeout, with retries; whatever happens becomes a report.
pub async fn execute(environment: &Environment, (job, request): (Arc<dyn Job>, RunRequest), stop: Stop) -> RunReport {
    let started = Instant::now();
    let run_id = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect::<String>();
    let span = tracing::info_span!("run", job = job.name(), run_id, trigger = %request.trigger);
    let mut report = RunReport {
        run_id,
        slot: None,
        attempts: 0,
        took: Duration::ZERO,
        is_stuck: false,
        result: Ok(Outcome::skipped("")),
    };
    let assignment = Assignment { environment, job: &job, request: &request };
    report.result = assignment.run(&mut report, stop).instrument(span.clone()).await;
    report.took = started.elapsed();
    span.in_scope(|| log_end(&report));
    report
}

/// What is to be run.
#[derive(Clone, Copy)]
struct Assignment<'a> {
    environment: &'a Environment,
    job: &'a Arc<dyn Job>,
    request: &'a RunRequest,
}

impl Assignment<'_> {
    async fn run(self, report: &mut RunReport, mut stop: Stop) -> Result<Outcome, JobError> {
        let Assignment { environment, job, request } = self;
        let _locks = self.locks(&report.run_id, &mut stop).await?;
        let recorder = Recorder {
            ledger: environment.ledger().cloned().filter(|_| request.mode != WriteMode::DryRun),
            clock: environment.clock.clone(),
            job: job.name(),
            run_id: report.run_id.clone(),
            planned: request.planned,
            trigger: request.trigger,
            beginning: Beginning::Untold,
            start: None,
        };
        let bound = request.limits.timeout.unwrap_or_else(|| job.timeout());
        let deadline = Instant::now() + bound;
        let written = Counts::default();
        let mut underway = Underway { assignment: self, timeout: bound, deadline, stop, recorder, written };
        let result = underway.finish(report).await;
        let result = result.map_err(|error| accounted(error, underway.written));
        underway.recorder.end(&result, report.attempts).await;
        result
    }

    /// The locks of the job and of what it shares, waited for as long as the request says.
    async fn locks(self, run_id: &str, stop: &mut Stop) -> Result<Vec<Lock>, JobError> {
        let give_up_at = Instant::now() + self.request.limits.lock_wait;
        loop {
            let error = match self.try_locks(run_id) {
                Err(error) if error.failure() == Failure::Locked => error,
                taken => return taken,
            };
            if Instant::now() >= give_up_at {
                return Err(error);
            }
            tracing::debug!(error = %chain(&error), "waiting for a lock");
            tokio::select! {
                () = sleep(LOCK_POLL) => {}
                error = stop.asked() => return Err(error),
            }
        }
    }

    /// All of them or none, in one order, so that two jobs never wait for each other.
    fn try_locks(self, run_id: &str) -> Result<Vec<Lock>, JobError> {
        let clock = &self.environment.clock;
        let holder = LockHolder { pid: std::process::id(), run_id: run_id.to_owned(), since: clock.now() };
        let mut resources = self.job.resources().to_vec();
        resources.sort_unstable();
        let wanted = std::iter::once(Locked::Job(self.job.name())).chain(resources.into_iter().map(Locked::Resource));
        wanted.map(|what| Lock::take(&self.environment.config.paths.locks(), what, &holder)).collect()
    }
}

/// A run that holds its locks.
struct Underway<'a> {
    assignment: Assignment<'a>,
    timeout: Duration,
    deadline: Instant,
    stop: Stop,
    recorder: Recorder,
    /// What the attempts that are over wrote.
    written: Counts,
}

impl Underway<'_> {
    /// Tries until it is done, must not be tried again, or the time is up.
    async fn finish(&mut self, report: &mut RunReport) -> Result<Outcome, JobError> {
        let Assignment { environment, request, .. } = self.assignment;
        let runs = &environment.config.runs;
        let max_retries = request.limits.max_retries.unwrap_or(runs.max_retries);
        let backoff = request.limits.retry_backoff.unwrap_or(Duration::from_millis(runs.retry_backoff_ms));
        loop {
            report.attempts += 1;
            let began = Instant::now();
            let error = match self.attempt(report).await {
                Ok(outcome) => return Ok(after_attempts(outcome, self.written)),
                Err((error, written)) => {
                    self.written.add(written);
                    error
                }
            };
            let may_retry = error.disposition() == Disposition::Retry && report.attempts <= max_retries;
            // An attempt that would be cut off by the timeout would only hide why the last one failed.
            if !may_retry || Instant::now() + backoff + began.elapsed() >= self.deadline {
                return Err(expected_at_night(environment, error));
            }
            tracing::warn!(attempt = report.attempts, error = %chain(&error), "the attempt failed, another follows");
            tokio::select! {
                () = sleep(backoff) => {}
                error = self.stop.asked() => return Err(error),
            }
        }
    }

    /// Runs once, in a task of its own, so that a panic ends the task and not the process.
    async fn attempt(&mut self, report: &mut RunReport) -> Result<Outcome, (JobError, Counts)> {
        let Assignment { environment, job, request } = self.assignment;
        let bound = self.timeout;
        let context = Arc::new(environment.context(bound, &report.run_id));
        // The slot is what the run is about: a later attempt keeps it.
        let slot = if let Some(slot) = report.slot {
            slot
        } else {
            let slot = self.slot(&context).await.map_err(|error| (error, Counts::default()))?;
            *report.slot.insert(slot)
        };
        if let Some(row) = self.recorder.begin(slot).await {
            return Ok(Outcome::skipped(format!("the ledger has the slot as {}", row.state)));
        }
        let run = Run { slot, attempt: report.attempts, request: request.clone() };
        let span = tracing::info_span!("attempt", %slot, attempt = run.attempt);
        let (job, shared) = (job.clone(), context.clone());
        let mut task = tokio::spawn(async move { job.run(&shared, &run).await }.instrument(span));
        let result = tokio::select! {
            finished = timeout_at(self.deadline, &mut task) => match finished {
                Ok(Ok(result)) => result,
                Ok(Err(join)) => Err(JobError::fail(Failure::Panicked, format!("the job panicked, which is a bug: {join}"))),
                Err(_) => Err(timed_out(bound)),
            },
            error = self.stop.asked() => Err(error),
        };
        task.abort();
        // A job that awaits anything lets go at once; one that blocks its thread cannot be made to.
        let lets_go = task.is_finished() || timeout(request.limits.grace, &mut task).await.is_ok();
        report.is_stuck |= !lets_go && !request.limits.grace.is_zero();
        context.close().await;
        result.map_err(|error| (error, context.written()))
    }

    async fn slot(&mut self, context: &Context) -> Result<Slot, JobError> {
        tokio::select! {
            resolved = timeout_at(self.deadline, resolve_slot(context, self.assignment.request)) => {
                resolved.map_err(|_| timed_out(self.timeout))?
            }
            error = self.stop.asked() => Err(error),
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
    error.with_message(told).for_good()
}

/// The end of a run that earlier attempts had a part in.
fn after_attempts(outcome: Outcome, earlier: Counts) -> Outcome {
    let result = match outcome.result {
        RunResult::Done(counts) => RunResult::Done(counts.after(earlier)),
        RunResult::Skipped(_) if earlier.added + earlier.replaced > 0 => {
            RunResult::Done(Counts::default().after(earlier))
        }
        skipped @ RunResult::Skipped(_) => skipped,
    };
    Outcome { result, ..outcome }
}

/// A failure with what all attempts wrote. One that knows nothing of rows, as a timeout, has it in its words too.
fn accounted(error: JobError, written: Counts) -> JobError {
    let num_rows = written.added + written.replaced;
    let error = error.with_written(written);
    match error.failure() {
        _ if num_rows == 0 => error,
        Failure::TimedOut | Failure::Panicked | Failure::Interrupted | Failure::Terminated => {
            let told = format!("{}; {num_rows} rows were written before", chain(&error));
            error.with_message(told).after_some()
        }
        _ => error.after_some(),
    }
}

fn log_end(report: &RunReport) {
    let took_ms = u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX);
    let slot = report.slot.map(|slot| slot.to_string());
    for finding in report.findings() {
        tracing::warn!(
            check = finding.check,
            symbol = finding.symbol.as_ref().map(tracing::field::display),
            "{finding}"
        );
    }
    match report.result.as_ref().map(|outcome| &outcome.result) {
        Ok(RunResult::Done(counts)) => {
            tracing::info!(slot, took_ms, added = counts.added, present = counts.present, "run done");
        }
        Ok(RunResult::Skipped(reason)) => tracing::info!(slot, took_ms, %reason, "run skipped"),
        // The command line tells the error on stderr itself; here it goes to the log file.
        Err(error) => tracing::info!(slot, took_ms, attempts = report.attempts, error = %chain(error), "run failed"),
    }
}
