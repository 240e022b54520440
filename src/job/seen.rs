//! What the end of a run, or a run that was not made, says to whom it concerns. Pure.
//!
//! Only what the schedule asked for is told by mail: whoever runs a job by hand sees what became of it.

use chrono::{DateTime, Utc};

use crate::alert::{CLOCK_DIFFERS, Facts, GATEWAY_DOWN, Observation};
use crate::state::{IncidentKey, Severity};

use super::{Failure, JobError, RunReport, RunResult, chain};

/// A run of the schedule failed, or took too long.
pub const RUN_FAILED: &str = "run.failed";

/// A run of the schedule was not made in time.
pub const RUN_MISSED: &str = "run.missed";

/// What the end of a scheduled run says of the job and of the gateway.
#[must_use]
pub fn seen_at_end((job, slot): (&str, DateTime<Utc>), report: &RunReport) -> Vec<Observation> {
    let key = |check| IncidentKey::new(check, "", job);
    match &report.result {
        Ok(outcome) => {
            let mut seen = vec![Observation::passed(key(RUN_FAILED)), Observation::passed(key(RUN_MISSED))];
            // Rows come from nowhere else.
            if matches!(outcome.result, RunResult::Done(counts) if counts.added > 0) {
                seen.push(Observation::passed(gateway_key()));
                seen.push(Observation::passed(clock_key()));
            }
            seen
        }
        Err(error) => match error.failure() {
            // Another run has the lock, or somebody ended this one: neither says that something is broken.
            Failure::Locked | Failure::Interrupted | Failure::Terminated => Vec::new(),
            // A gateway that answers is not down.
            Failure::Unavailable if error.is_of_clocks() => vec![
                Observation::failed(clock_key(), Severity::Critical, clock_facts((job, slot), error)),
                failed((job, slot), report, error).following_from(CLOCK_DIFFERS),
            ],
            // A gateway that gives some of the rows is not down.
            Failure::Unavailable if !error.has_some() => vec![
                Observation::failed(gateway_key(), Severity::Critical, gateway_facts((job, slot), error)),
                failed((job, slot), report, error).following_from(GATEWAY_DOWN),
            ],
            _ => vec![failed((job, slot), report, error)],
        },
    }
}

/// What slots of a job say that came and went without a run, the oldest first; none where there are none.
#[must_use]
pub fn seen_missed(job: &str, slots: &[DateTime<Utc>], reason: &str) -> Option<Observation> {
    let (first, last) = (*slots.first()?, *slots.last()?);
    let facts = Facts {
        observed: format!("{} slots without a run: {reason}", slots.len()),
        expected: "each slot is run in time".to_owned(),
        window: Some((first, last)),
        done: "the slots stand as missed in the ledger; what backfill can get later becomes recovered".to_owned(),
        next: vec![format!("jobs next {job} --explain"), "jobs status".to_owned(), "jobs run backfill".to_owned()],
        runbook:
            "The daemon was not running, the machine slept, its clock jumped, or the run before went on too long: \
                  jobs logs serve tells which."
                .to_owned(),
        ..Facts::default()
    };
    Some(Observation::failed(IncidentKey::new(RUN_MISSED, "", job), Severity::Warn, facts))
}

fn gateway_key() -> IncidentKey {
    IncidentKey::new(GATEWAY_DOWN, "", "gateway")
}

fn clock_key() -> IncidentKey {
    IncidentKey::new(CLOCK_DIFFERS, "", "gateway")
}

fn clock_facts((job, slot): (&str, DateTime<Utc>), error: &JobError) -> Facts {
    Facts {
        observed: chain(error),
        expected: "the gateway's clock and this machine's agree within gateway.max_clock_skew_seconds".to_owned(),
        window: Some((slot, slot)),
        held_jobs: vec![job.to_owned()],
        done: "no quote is stored under a slot that may be another's; what is missing is filled from bars by backfill once \
               the clocks agree"
            .to_owned(),
        next: vec!["timedatectl status".to_owned(), "jobs doctor".to_owned(), "jobs run backfill".to_owned()],
        runbook: "The gateway answers. Which of the two clocks is wrong? Let both machines keep their time by NTP; \
                  captures go on by themselves when the clocks agree."
            .to_owned(),
        ..Facts::default()
    }
}

fn failed((job, slot): (&str, DateTime<Utc>), report: &RunReport, error: &JobError) -> Observation {
    let exit_code = error.failure().exit_code();
    let facts = Facts {
        observed: chain(error),
        expected: "the run is done, or skipped for a reason".to_owned(),
        threshold: format!("exit code {exit_code} after attempt {}", report.attempts.max(1)),
        window: Some((slot, slot)),
        done: "the slot stands as failed in the ledger; the next one is run as planned".to_owned(),
        next: vec![
            format!("jobs logs {job}"),
            format!("jobs history {job} --status failed"),
            format!("jobs run {}", rerun((job, slot))),
        ],
        ..Facts::default()
    };
    Observation::failed(IncidentKey::new(RUN_FAILED, "", job), Severity::Error, facts)
}

fn gateway_facts((job, slot): (&str, DateTime<Utc>), error: &JobError) -> Facts {
    Facts {
        observed: chain(error),
        expected: "the gateway answers".to_owned(),
        window: Some((slot, slot)),
        held_jobs: vec![job.to_owned()],
        done: "each slot is tried when it comes; what is missing is filled from bars by backfill".to_owned(),
        next: vec!["jobs doctor".to_owned(), "jobs gateway probe".to_owned(), "jobs run backfill".to_owned()],
        runbook: "Is the gateway running and logged in? Failures of other checks that follow from this are held back \
                  until it answers again."
            .to_owned(),
        ..Facts::default()
    }
}

/// What to give `jobs run` to have the same again.
fn rerun((job, slot): (&str, DateTime<Utc>)) -> String {
    if job == "snapshot" { format!("{job} --at {}", slot.format("%Y-%m-%dT%H:%MZ")) } else { job.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::GatewayError;
    use crate::job::{Counts, Outcome};
    use crate::state::CheckStatus;

    fn slot() -> DateTime<Utc> {
        "2026-03-02T15:05:00Z".parse().expect("an instant")
    }

    fn seen(result: Result<Outcome, JobError>) -> Vec<(String, CheckStatus, Option<String>)> {
        let report =
            RunReport { run_id: String::new(), slot: None, attempts: 2, took: Duration::ZERO, is_stuck: false, result };
        let seen = seen_at_end(("snapshot", slot()), &report);
        seen.into_iter().map(|seen| (seen.key.check, seen.status, seen.follows_from)).collect()
    }

    #[test]
    fn only_rows_say_that_the_gateway_is_well() {
        let done = |added| seen(Ok(Outcome::done(Counts { added, ..Counts::default() }))).len();
        assert_eq!([done(0), done(3)], [2, 4], "rows of a gateway say that it answers and that the clocks agree");
        assert!(seen(Ok(Outcome::skipped("closed"))).iter().all(|(_, status, _)| *status == CheckStatus::Pass));
    }

    #[test]
    fn a_gateway_that_is_down_explains_the_run_that_failed_by_it() {
        let down = seen(Err(JobError::retry(Failure::Unavailable, "cannot connect")));
        let names: Vec<_> = down.iter().map(|(check, _, cause)| (check.as_str(), cause.as_deref())).collect();
        assert_eq!(names, [(GATEWAY_DOWN, None), (RUN_FAILED, Some(GATEWAY_DOWN))]);
    }

    #[test]
    fn a_gateway_whose_clock_differs_is_not_down() {
        let error = GatewayError::ClockSkew { skew_seconds: 90, remedy: "set this machine's clock" };
        let names: Vec<_> = seen(Err(error.into())).into_iter().map(|(check, _, cause)| (check, cause)).collect();
        let expected = [(CLOCK_DIFFERS.to_owned(), None), (RUN_FAILED.to_owned(), Some(CLOCK_DIFFERS.to_owned()))];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_gateway_that_gives_some_of_the_rows_is_not_down() {
        let some = seen(Err(JobError::fail(Failure::Unavailable, "5 of 6 rows captured").after_some()));
        let names: Vec<_> = some.iter().map(|(check, _, cause)| (check.as_str(), cause.as_deref())).collect();
        assert_eq!(names, [(RUN_FAILED, None)]);
    }

    #[test]
    fn a_lock_that_another_holds_and_a_signal_are_no_incidents() {
        for failure in [Failure::Locked, Failure::Interrupted, Failure::Terminated] {
            assert!(seen(Err(JobError::fail(failure, "busy"))).is_empty());
        }
        for failure in [Failure::Failed, Failure::BadData, Failure::Panicked, Failure::Misconfigured, Failure::TimedOut]
        {
            assert_eq!(seen(Err(JobError::fail(failure, "broken"))).len(), 1, "{failure:?}");
        }
    }

    #[test]
    fn missed_slots_are_one_observation_with_their_window() {
        assert_eq!(seen_missed("snapshot", &[], ""), None);
        let slots = [slot(), slot() + chrono::TimeDelta::minutes(5)];
        let seen = seen_missed("snapshot", &slots, "too late").expect("seen");
        assert_eq!(seen.facts.window, Some((slots[0], slots[1])));
        assert_eq!(seen.facts.observed, "2 slots without a run: too late");
    }
}
