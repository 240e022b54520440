//! `jobs table restore`: a version brought back as a new one, or tables brought back from a backup.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;

use crate::calendar::parse_instant;
use crate::config::Loaded;
use crate::job::{Failure, JobError, calendars};
use crate::lake::{BackupFolder, Lake, LakeConfig, RestorePlan, RowRange, TableName};
use crate::telemetry;

use super::super::block_on;
use super::super::output::{grouped, print_document, print_line, utc};
use super::super::settings::{Format, Globals};
use super::backup::{configuration, to_copy, went};
use super::verify;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs table restore futures_snapshots --version 4711 --dry-run
  jobs table restore futures_snapshots --at 2026-11-20T16:00 --yes
  jobs table restore --from /backup/lake futures_snapshots

A version comes back as a new one: later versions stay in the log, and jobs run backfill fills what was lost. Versions reach
back as far as replaced files are kept, one day. From a backup a table is copied only to where there is none: move a damaged
one out of the lake first. The ledger comes back by hand: see jobs table backup --help. Exit codes: 0 done, 1 not confirmed or
overtaken by another writer, 2 no such version, or no such table in the backup, 65 damaged, 75 another restore is at work.")]
pub(in crate::cli) struct RestoreArgs {
    /// Tables; one with --version or --at, all of the backup where none is named with --from.
    names: Vec<TableName>,
    /// The version to bring back.
    #[arg(long, value_name = "N", conflicts_with_all = ["at", "from"])]
    version: Option<u64>,
    /// The version that was the newest at this time, by the times in the log.
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    at: Option<String>,
    /// The folder of a backup to copy the tables from.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Tell what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Restores.
pub(super) fn restore(globals: &Globals, args: &RestoreArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    if let Some(from) = &args.from {
        return from_backup(globals, args, &loaded, from);
    }
    let config = loaded.config;
    let usage = |told: &str| JobError::fail(Failure::Usage, told.to_owned());
    let [name] = args.names.as_slice() else { return Err(usage("name one table, such as futures_snapshots")) };
    let lake = Lake::open(&config.lake, config.gateway.kind)?;
    let version = match (args.version, &args.at) {
        (Some(version), _) => version,
        (None, Some(at)) => {
            let at = parse_instant(at)?;
            lake.version_at(*name, at)?.ok_or_else(|| too_old(at))?
        }
        (None, None) => return Err(usage("say what to bring back: --version N, --at TIME or --from DIR")),
    };
    let plan = block_on(async { Ok(lake.restore_plan(*name, version).await?) })?;
    if globals.format == Format::Text {
        lines(&plan).iter().try_for_each(|line| print_line(line))?;
    } else {
        let document = serde_json::to_value(&plan).map_err(|error| JobError::fail(Failure::Failed, error))?;
        print_document(&document, globals.format)?;
    }
    if args.dry_run || plan.is_empty() {
        return Ok(0);
    }
    if !args.yes && !confirmed()? {
        return Err(JobError::fail(Failure::Failed, "not confirmed, nothing was changed: answer yes, or give --yes"));
    }
    let new = block_on(async { Ok(lake.restore(&plan).await?) })?;
    if globals.format == Format::Text {
        print_line(&format!("{name}: version {version} is back as version {new}"))?;
    }
    Ok(0)
}

fn too_old(at: DateTime<Utc>) -> JobError {
    JobError::fail(Failure::Usage, format!("the log does not reach back to {}: give a later time", utc(at)))
}

pub(super) fn confirmed() -> Result<bool, JobError> {
    let failed = |error: io::Error| JobError::fail(Failure::Failed, error);
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "Go on? [yes/no] ").and_then(|()| io::stderr().flush()).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim() == "yes")
}

fn lines(plan: &RestorePlan) -> Vec<String> {
    let RestorePlan { table, newest, version, files_removed, files_added, .. } = plan;
    if plan.is_empty() {
        return vec![format!("{table}: version {version} has the very files of version {newest}: nothing to do")];
    }
    let mut lines = vec![format!(
        "{table}: from version {newest} back to {version}: {files_removed} files leave the table, {files_added} come back"
    )];
    lines.extend(ranges("lost", &plan.lost));
    lines.extend(ranges("regained", &plan.regained));
    lines.extend(plan.unreadable.iter().map(|file| format!("  lost: the rows of {file}, which cannot be read")));
    lines
}

pub(super) fn ranges(what: &str, ranges: &[RowRange]) -> Vec<String> {
    let line = |range: &RowRange| {
        let RowRange { symbol, rows, first, last } = range;
        format!("  {what}: {} rows of {symbol} from {} to {}", grouped(&rows), utc(*first), utc(*last))
    };
    if ranges.is_empty() { vec![format!("  {what}: no row")] } else { ranges.iter().map(line).collect() }
}

/// Copies tables of a backup into the lake, where there are none of the name, and verifies them there.
fn from_backup(globals: &Globals, args: &RestoreArgs, loaded: &Loaded, from: &Path) -> Result<u8, JobError> {
    let config = &loaded.config;
    let uri = from.display().to_string();
    let backup = Lake::reader(&LakeConfig { uri, ..config.lake.clone() })?;
    let lake = Lake::reader(&config.lake)?;
    let usage = |reason: String| JobError::fail(Failure::Usage, reason);
    let names = to_copy(&backup, &args.names).map_err(|absent| {
        let (from, root, file) = (backup.root().display(), lake.root().display(), configuration(loaded));
        usage(format!(
            "{absent} in the backup {from}, so nothing was brought back to the lake {root} ({file}): give the folder of a backup"
        ))
    })?;
    if lake.overlaps(backup.root()) {
        let (from, root) = (backup.root().display(), lake.root().display());
        return Err(usage(format!("{from} and the lake {root} are one in the other: give the folder of a backup")));
    }
    for name in &names {
        let path = lake.root().join(name.as_str());
        if path.exists() {
            let told = format!(
                "{} is there: pause the jobs and move it out of the lake first, such as mv {0} /tmp/{name}.old",
                path.display()
            );
            return Err(JobError::fail(Failure::Misconfigured, told));
        }
    }
    if args.dry_run {
        return verify::print(&verify::verified(&backup, (&calendars(config)?, &names))?, globals.format);
    }
    let folder = BackupFolder::take(lake.root())?;
    block_on(async {
        for name in &names {
            backup.backup(*name, &folder).await?.ok_or_else(|| went(*name))?;
        }
        Ok(())
    })?;
    verify::print(&verify::verified(&lake, (&calendars(config)?, &names))?, globals.format)
}
