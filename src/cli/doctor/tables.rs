//! The check of the lake: it opens, it is of the right kind, commits can be placed in it, how much is in it, and what else
//! lies there. Nothing is written but probe files, which are removed.

use crate::config::Config;
use crate::lake::{Bystander, BystanderKind, Lake, LakeError, TableName};

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
    lake.check_kind(wanted).await?;
    let told = if told.is_empty() {
        format!("{root}: no table yet, the first run makes them, of kind {wanted}")
    } else {
        format!("{root}, kind {wanted}: {}", told.join("; "))
    };
    Ok(with_bystanders(told, &lake.bystanders().unwrap_or_default()))
}

/// Bystanders that are named.
const NUM_NAMED: usize = 10;

/// What else lies in the lake's folder: a matter for a person where somebody put it there.
fn with_bystanders(told: String, bystanders: &[Bystander]) -> Finding {
    if bystanders.is_empty() {
        return Finding::ok(told);
    }
    let named = bystanders.iter().take(NUM_NAMED).map(|one| format!("{} ({})", one.path.display(), one.kind.as_str()));
    let more = bystanders.len().saturating_sub(NUM_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let told = format!("{told}; passed over: {}{more}", named.collect::<Vec<_>>().join(", "));
    if bystanders.iter().all(|one| one.kind == BystanderKind::System) {
        return Finding::ok(told);
    }
    Finding::warn(told, "nothing of it is read or written; move out what does not belong in the lake")
}
