//! A run that an outside monitor is told of.

use std::sync::Arc;

use crate::monitor::{Pinger, Signal};

use super::{Environment, Job, RunReport, RunRequest, RunResult, Stop, WriteMode, chain, execute};

/// [`execute`], with a ping as the run begins and another one as it ends, where the job has a monitor. The run waits for
/// neither: what it took is told without them.
pub async fn execute_watched(
    environment: &Environment,
    (job, request): (Arc<dyn Job>, RunRequest),
    stop: Stop,
) -> RunReport {
    let is_told = request.mode != WriteMode::DryRun;
    let pinger = Pinger::of(&environment.config().monitor, job.name()).filter(|_| is_told);
    let Some(pinger) = pinger else { return execute(environment, (job, request), stop).await };
    let begins = pinger.clone();
    let beginning = tokio::spawn(async move { begins.tell(Signal::Start, "").await });
    let report = execute(environment, (job, request), stop).await;
    let (signal, words) = match &report.result {
        Ok(outcome) => (Signal::Success, words(&outcome.result)),
        Err(error) => (Signal::Fail, chain(error)),
    };
    // In order: a start that comes after its end would begin a run that never ends.
    let _ = beginning.await;
    pinger.tell(signal, &words).await;
    report
}

fn words(result: &RunResult) -> String {
    match result {
        RunResult::Skipped(reason) => format!("skipped: {reason}"),
        RunResult::Done(counts) => format!("{} of {} rows added", counts.added, counts.planned),
    }
}
