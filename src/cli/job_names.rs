//! Names of jobs on the command line: an unknown one is told with the one that was probably meant.

use crate::job::{Failure, JobError};
use crate::jobs::catalogue;

/// How alike a name must be to be suggested, from 0 to 1.
const SIMILARITY: f64 = 0.7;

/// The names of all jobs.
pub(super) fn job_names() -> Vec<&'static str> {
    catalogue().iter().map(|job| job.name()).collect()
}

/// Refuses a name that is not among the known ones; `what` says of what kind they are.
pub(super) fn check_known(name: &str, known: &[&str], what: &str) -> Result<(), JobError> {
    if known.contains(&name) {
        return Ok(());
    }
    let likeness = |candidate: &&&str| strsim::jaro_winkler(name, candidate);
    let best =
        known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|best| likeness(best) >= SIMILARITY);
    let meant = best.map_or_else(String::new, |best| format!("; did you mean {best}?"));
    let told = format!("there is no {what} {name}: known are {}{meant}", known.join(", "));
    Err(JobError::fail(Failure::Usage, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_probably_meant_is_suggested() {
        let known = ["snapshot", "backfill"];
        assert!(check_known("snapshot", &known, "job").is_ok());
        let told = |name| check_known(name, &known, "job").expect_err("unknown").to_string();
        assert_eq!(told("snapsot"), "there is no job snapsot: known are snapshot, backfill; did you mean snapshot?");
        assert_eq!(told("zzz"), "there is no job zzz: known are snapshot, backfill");
    }
}
