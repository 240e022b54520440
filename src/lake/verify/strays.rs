//! Files below a table that are not part of it: orphans that no commit names, staging files of killed writers.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::lake::sweep::is_staging;

use super::checkpoint::SIDECARS;

/// Why a file is there that is not part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StrayKind {
    /// A data file that no commit names; vacuum takes it when it is a day old.
    Orphan,
    /// What a killed writer left on its way; the sweep takes it when it is a day old.
    Staging,
    /// Anything else.
    Other,
}

/// A file that is not part of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stray {
    /// Why it is there.
    pub kind: StrayKind,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How long ago it was written.
    pub age_hours: i64,
}

/// The files below a table that are neither known data files nor of the log.
pub(super) fn strays(table: &Path, known: &BTreeSet<PathBuf>, now: DateTime<Utc>) -> io::Result<Vec<Stray>> {
    let mut found = Vec::new();
    collect((table, table), (known, now), &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(
    (table, folder): (&Path, &Path),
    (known, now): (&BTreeSet<PathBuf>, DateTime<Utc>),
    found: &mut Vec<Stray>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect((table, &path), (known, now), found)?;
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = match (is_staging(&name), path.starts_with(table.join("_delta_log"))) {
            (true, _) => StrayKind::Staging,
            (false, true) if is_of_log(&name) || folder.ends_with(SIDECARS) => continue,
            (false, false) if known.contains(&path) => continue,
            (false, false) if path.extension().is_some_and(|extension| extension == "parquet") => StrayKind::Orphan,
            _ => StrayKind::Other,
        };
        // A writer at work may have taken its staging file away meanwhile.
        let Ok(metadata) = entry.metadata() else { continue };
        let age_hours = metadata.modified().map_or(0, |modified| (now - DateTime::<Utc>::from(modified)).num_hours());
        found.push(Stray { kind, path, bytes: metadata.len(), age_hours: age_hours.max(0) });
    }
    Ok(())
}

/// Whether a name is one that writers give to files of the log.
fn is_of_log(name: &str) -> bool {
    let is_numbered = name.split('.').next().is_some_and(|stem| stem.len() == 20 && stem.parse::<u64>().is_ok());
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    name == super::log::HINT || (is_numbered && matches!(extension, Some("json" | "parquet" | "crc")))
}
