//! The lake of a command that reads: where there is none, an empty answer would look like a true one.

use crate::config::Loaded;
use crate::job::{Failure, JobError};
use crate::lake::{Lake, LakeError};

/// Opens the configured lake to read; refused where there is none.
pub(super) fn lake_to_read(loaded: &Loaded) -> Result<Lake, JobError> {
    let lake = Lake::reader(&loaded.config.lake)?;
    check_exists(&lake, loaded)?;
    Ok(lake)
}

/// Refuses a lake that is not there, and says which one is looked for and by which configuration.
pub(super) fn check_exists(lake: &Lake, loaded: &Loaded) -> Result<(), JobError> {
    match lake.check_exists() {
        Err(error @ LakeError::NoLake { .. }) => Err(JobError::fail(Failure::Misconfigured, told(&error, loaded))),
        other => Ok(other?),
    }
}

/// The error with the configuration in force.
pub(super) fn told(error: &LakeError, loaded: &Loaded) -> String {
    let uri = &loaded.config.lake.uri;
    let origin = match (loaded.origins.get("lake.uri"), &loaded.file) {
        (Some(origin), _) => format!("lake.uri '{uri}' is set by {origin}"),
        (None, Some(file)) => format!("lake.uri '{uri}' is the default, {} does not set it", file.display()),
        (None, None) => format!("lake.uri '{uri}' is the default, no configuration file was found"),
    };
    format!("{error}; {origin}")
}
