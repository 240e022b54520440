//! What a daemon goes by from its start to its end, so that a reload cannot take it up.

use crate::config::Config;
use crate::job::{Failure, JobError};

/// Whether a daemon that goes by one configuration can take up another.
///
/// # Errors
/// [`Failure::Misconfigured`] with the keys that differ and cannot.
pub fn check_settled(in_force: &Config, new: &Config) -> Result<(), JobError> {
    let changed = changed(in_force, new);
    if changed.is_empty() {
        return Ok(());
    }
    let told = format!("{} cannot change while the daemon runs: restart it", changed.join(", "));
    Err(JobError::fail(Failure::Misconfigured, told))
}

/// The keys of that kind that differ. The daemon holds the locks of its state folder and has its log files open; were the
/// rest of such a configuration taken up, its file would no longer tell what is in force.
fn changed(old: &Config, new: &Config) -> Vec<&'static str> {
    let keys = [
        ("paths.state", old.paths.state != new.paths.state),
        ("paths.logs", old.paths.logs != new.paths.logs),
        ("log.file_filter", old.log.file_filter != new.log.file_filter),
        ("log.retention_days", old.log.retention_days != new.log.retention_days),
        ("log.max_file_mb", old.log.max_file_mb != new.log.max_file_mb),
    ];
    keys.into_iter().filter_map(|(key, has_changed)| has_changed.then_some(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_log_are_settled_and_what_is_captured_is_not() {
        let (old, mut new) = (Config::default(), Config::default());
        new.runs.max_retries += 1;
        new.market.spot.clear();
        new.paths.schedules = Some("mine".into());
        assert!(changed(&old, &new).is_empty());
        new.paths.logs = "elsewhere".into();
        new.log.retention_days += 1;
        new.log.max_file_mb += 1;
        assert_eq!(changed(&old, &new), ["paths.logs", "log.retention_days", "log.max_file_mb"]);
    }
}
