//! `jobs table backup`: the tables and the ledger copied to another folder while captures go on, and proved whole there.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::config::{Config, Loaded};
use crate::job::{Failure, JobError, calendars, chain};
use crate::lake::{BackedUp, BackupFolder, Lake, LakeConfig, TableName, Verified};
use crate::state::Ledger;
use crate::telemetry;

use super::super::block_on;
use super::super::output::{grouped, print_document, print_line};
use super::super::settings::{Format, Globals};
use super::verify;

/// The ledger's copy in a backup.
const LEDGER_NAME: &str = "jobs.db";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs table backup /backup/lake
  jobs table backup /backup/lake futures_snapshots --format json

The folder is a lake of its own, of one version each table, which any Delta reader opens. The second time only new files are
copied, and what the tables no longer have goes. The jobs may go on meanwhile. Back it comes by jobs table restore --from.
Without names the ledger is copied too, to jobs.db in the folder. To bring it back, stop the jobs, move state/jobs.db and
the files that end in -wal and -shm away, and copy the folder's jobs.db to state/jobs.db. Exit codes: 0 copied and whole,
1 the disk failed, 2 the folder is of the lake, 65 damaged, 75 another backup is writing there, 78 there is nothing to copy.")]
pub(in crate::cli) struct BackupArgs {
    /// Folder of the backup.
    folder: PathBuf,
    /// Tables [default: all].
    names: Vec<TableName>,
}

/// Backs tables up, and without names the ledger.
pub(super) fn backup(globals: &Globals, args: &BackupArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    let config = &loaded.config;
    let lake = Lake::reader(&config.lake)?;
    let names = to_copy(&lake, &args.names).map_err(|absent| {
        let (root, file) = (lake.root().display(), configuration(&loaded));
        let reason =
            format!("{absent} in the lake {root} ({file}), so nothing was copied: mount it, or correct lake.uri");
        JobError::fail(Failure::Misconfigured, reason)
    })?;
    let copy = Lake::reader(&LakeConfig { uri: args.folder.display().to_string(), ..config.lake.clone() })?;
    check_apart(&lake, &copy, config)?;
    let folder = BackupFolder::take(copy.root())?;
    let copied = block_on(async {
        let mut copied = Vec::new();
        for name in &names {
            copied.push(lake.backup(*name, &folder).await?.ok_or_else(|| went(*name))?);
        }
        Ok(copied)
    })?;
    // After the tables: what it says was replaced in them must be in it.
    let ledger = if args.names.is_empty() { copied_ledger(config, copy.root())? } else { None };
    let found = verify::verified(&copy, (&calendars(config)?, &names))?;
    tell(globals, &copied, ledger.as_ref(), &found)?;
    Ok(if found.iter().all(Verified::is_whole) { 0 } else { Failure::BadData.exit_code() })
}

/// The tables that were asked for, or all that are there; else what is missing.
pub(super) fn to_copy(lake: &Lake, asked: &[TableName]) -> Result<Vec<TableName>, String> {
    let mut names = Vec::new();
    for name in if asked.is_empty() { TableName::ALL.to_vec() } else { asked.to_vec() } {
        match lake.holds(name) {
            Ok(true) => names.push(name),
            Ok(false) if asked.is_empty() => {}
            Ok(false) => return Err(format!("there is no table {name}")),
            Err(error) => return Err(chain(&error)),
        }
    }
    if names.is_empty() { Err("there is no table".to_owned()) } else { Ok(names) }
}

/// A table that was there when the command began.
pub(super) fn went(name: TableName) -> JobError {
    JobError::fail(Failure::Failed, format!("the table {name} went away while it was copied: rerun the same command"))
}

/// The configuration in force, to name it in a message.
pub(super) fn configuration(loaded: &Loaded) -> String {
    loaded.file.as_ref().map_or_else(
        || "no configuration file, so the defaults".to_owned(),
        |file| format!("by the configuration {}", file.display()),
    )
}

fn check_apart(lake: &Lake, copy: &Lake, config: &Config) -> Result<(), JobError> {
    let root = copy.root();
    let is_of_state = root.canonicalize().ok().zip(config.paths.state.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    let (root, own) = (root.display(), lake.root().display());
    if lake.overlaps(copy.root()) {
        let reason = format!("{root} and the lake {own} are one in the other: give another folder");
        return Err(JobError::fail(Failure::Usage, reason));
    }
    if is_of_state {
        let reason = format!("{root} holds the ledger itself: give another folder");
        return Err(JobError::fail(Failure::Usage, reason));
    }
    Ok(())
}

/// What was copied of the ledger.
#[derive(Debug, Serialize)]
struct CopiedLedger {
    path: PathBuf,
    bytes: u64,
}

fn copied_ledger(config: &Config, root: &Path) -> Result<Option<CopiedLedger>, JobError> {
    let Some(ledger) = Ledger::open_to_read(&config.paths.ledger())? else { return Ok(None) };
    let path = root.join(LEDGER_NAME);
    let bytes = ledger.back_up(&path)?;
    Ok(Some(CopiedLedger { path, bytes }))
}

fn tell(
    globals: &Globals,
    copied: &[BackedUp],
    ledger: Option<&CopiedLedger>,
    found: &[Verified],
) -> Result<(), JobError> {
    if globals.format != Format::Text {
        return print_document(
            &json!({ "schema": 1, "copied": copied, "ledger": ledger, "verified": found }),
            globals.format,
        );
    }
    for BackedUp { table, version, files_copied, files_present, bytes_copied } in copied {
        let bytes = grouped(&bytes_copied);
        print_line(&format!(
            "{table}: version {version}: {files_copied} files copied, {bytes} bytes; {files_present} were there already"
        ))?;
    }
    if let Some(CopiedLedger { path, bytes }) = ledger {
        print_line(&format!("ledger: {} bytes copied to {}", grouped(bytes), path.display()))?;
    }
    verify::print(found, Format::Text).map(drop)
}
