//! `jobs table backup`: the tables copied to another folder while captures go on, and proved whole there.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::job::{Failure, JobError, calendars};
use crate::lake::{BackedUp, Lake, LakeConfig, TableName, Verified};
use crate::telemetry;

use super::super::block_on;
use super::super::output::{grouped, print_document, print_line};
use super::super::settings::{Format, Globals};
use super::verify;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs table backup /backup/lake
  jobs table backup /backup/lake futures_snapshots --format json

The folder is a lake of its own, of one version each table, which any Delta reader opens. The second time only new files are
copied, and what the tables no longer have goes. The jobs may go on meanwhile. Back it comes by jobs table restore --from.
The ledger, state/jobs.db, is not part of it. Exit codes: 0 copied and whole, 1 the disk failed, 65 damaged.")]
pub(in crate::cli) struct BackupArgs {
    /// Folder of the backup.
    folder: PathBuf,
    /// Tables [default: all].
    names: Vec<TableName>,
}

/// Backs tables up.
pub(super) fn backup(globals: &Globals, args: &BackupArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let names = if args.names.is_empty() { TableName::ALL.to_vec() } else { args.names.clone() };
    let lake = Lake::reader(&config.lake)?;
    let copy = Lake::reader(&LakeConfig { uri: args.folder.display().to_string(), ..config.lake.clone() })?;
    if copy.root().starts_with(lake.root()) || lake.root().starts_with(copy.root()) {
        let told = format!(
            "{} and the lake {} are one in the other: give another folder",
            copy.root().display(),
            lake.root().display()
        );
        return Err(JobError::fail(Failure::Usage, told));
    }
    let copied = block_on(async {
        let mut copied = Vec::new();
        for name in &names {
            copied.extend(lake.backup(*name, copy.root()).await?);
        }
        Ok(copied)
    })?;
    let found = verify::verified(&copy, (&calendars(&config)?, &names))?;
    tell(globals, &copied, &found)?;
    Ok(if found.iter().all(Verified::is_whole) { 0 } else { Failure::BadData.exit_code() })
}

fn tell(globals: &Globals, copied: &[BackedUp], found: &[Verified]) -> Result<(), JobError> {
    if globals.format != Format::Text {
        return print_document(&json!({ "schema": 1, "copied": copied, "verified": found }), globals.format);
    }
    for BackedUp { table, version, files_copied, files_present, bytes_copied } in copied {
        let bytes = grouped(&bytes_copied);
        print_line(&format!(
            "{table}: version {version}: {files_copied} files copied, {bytes} bytes; {files_present} were there already"
        ))?;
    }
    verify::print(found, Format::Text).map(drop)
}
