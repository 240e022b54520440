//! The check of the lake: it opens, it is of the right kind, and how much is in it. Nothing is written.

use crate::config::Config;
use crate::lake::{Lake, LakeError, TableName};

use super::check::Finding;
use super::disk::existing;

/// Looks at every table.
pub(super) async fn lake(config: &Config) -> Finding {
    match tables(config).await {
        Ok(finding) => finding,
        Err(error) => Finding::failed(&error),
    }
}

async fn tables(config: &Config) -> Result<Finding, LakeError> {
    let lake = Lake::reader(&config.lake)?;
    let wanted = config.gateway.kind;
    let mut told = Vec::new();
    for table in TableName::ALL {
        let Some(facts) = lake.facts(table).await? else { continue };
        if facts.kind != wanted {
            let path = lake.root().join(table.as_str());
            return Err(LakeError::KindMismatch { path, holds: facts.kind, wanted });
        }
        let rows = facts.num_rows.map_or_else(|| "rows unknown".to_owned(), |rows| format!("{rows} rows"));
        told.push(format!("{table} {rows} in {} files, version {}", facts.num_files, facts.version));
    }
    let root = lake.root().display();
    if let Some(folder) =
        existing(lake.root()).filter(|folder| rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err())
    {
        let found = format!("{root}: {} may not be written", folder.display());
        return Ok(Finding::fail(found, "let the user that runs jobs write it, or give lake.uri another value"));
    }
    if told.is_empty() {
        return Ok(Finding::ok(format!("{root}: no table yet, the first run makes them, of kind {wanted}")));
    }
    Ok(Finding::ok(format!("{root}, kind {wanted}: {}", told.join("; "))))
}
