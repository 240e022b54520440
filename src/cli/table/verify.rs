//! `jobs table verify`: the proof that a table is whole, or what is damaged and what to do.

use clap::Args;
use serde_json::Value as Json;

use crate::clock::{Clock, SystemClock};
use crate::job::{Calendars, Failure, JobError, calendars};
use crate::lake::{Hole, Lake, Stray, StrayKind, TableName, Verified};
use crate::telemetry;

use super::super::block_on;
use super::super::existing_lake::lake_to_read;
use super::super::output::{grouped, print_documents, print_line, utc};
use super::super::settings::{Format, Globals};

/// Holes and files that are named in text; JSON names all.
const NUM_NAMED: usize = 5;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs table verify
  jobs table verify futures_snapshots --format json

Everything is read, nothing is written: each key once, each row well formed and inside of a session, each file as the log
says, the log without a gap since its newest checkpoint. Missing slots and files that are not part of the table are told,
and are no faults. Exit codes: 0 whole, 65 damaged, 1 the folder cannot be read, 78 there is no lake.")]
pub(in crate::cli) struct VerifyArgs {
    /// Table [default: all].
    name: Option<TableName>,
}

/// Verifies one table, or all.
pub(super) fn verify(globals: &Globals, args: &VerifyArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    let names = args.name.map_or_else(|| TableName::ALL.to_vec(), |name| vec![name]);
    let found = verified(&lake_to_read(&loaded)?, (&calendars(&loaded.config)?, &names))?;
    print(&found, globals.format)
}

/// What is found of the tables of a lake.
pub(super) fn verified(lake: &Lake, (calendars, names): (&Calendars, &[TableName])) -> Result<Vec<Verified>, JobError> {
    block_on(async {
        let mut found = Vec::new();
        for name in names {
            found.push(lake.verify(*name, calendars.of(*name), SystemClock.now()).await?);
        }
        Ok(found)
    })
}

/// Prints what was found, and gives the exit code.
pub(super) fn print(found: &[Verified], format: Format) -> Result<u8, JobError> {
    if format == Format::Text {
        for table in found {
            for line in lines(table) {
                print_line(&line)?;
            }
        }
    } else {
        let documents = found.iter().map(document).collect::<Result<_, _>>()?;
        print_documents(documents, format)?;
    }
    let is_whole = found.iter().all(Verified::is_whole);
    Ok(if is_whole { 0 } else { Failure::BadData.exit_code() })
}

fn document(found: &Verified) -> Result<Json, JobError> {
    let mut document = serde_json::to_value(found).map_err(|error| JobError::fail(Failure::Failed, error))?;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("whole".to_owned(), found.is_whole().into());
    }
    Ok(document)
}

fn lines(found: &Verified) -> Vec<String> {
    let name = found.table;
    let Some(version) = found.version else {
        let mut lines = vec![format!("{name}: there is no such table in {}", found.path.display())];
        lines.extend(found.faults.iter().flat_map(of_fault));
        return lines;
    };
    let verdict = if found.is_whole() { "whole" } else { "DAMAGED" };
    let mut lines = vec![format!(
        "{name}: {verdict}: {} rows in {} files, version {version}",
        grouped(&found.num_rows),
        found.num_files
    )];
    if let (Some(first), Some(last)) = (found.first, found.last) {
        lines.push(format!("  from {} to {}", utc(first.instant()), utc(last.instant())));
    }
    lines.extend(found.faults.iter().flat_map(of_fault));
    lines.extend(of_holes(&found.holes));
    for kind in [StrayKind::Orphan, StrayKind::Staging, StrayKind::Other] {
        lines.extend(of_strays(kind, &found.strays));
    }
    lines.extend(found.notes.iter().map(|note| format!("  note: {note}")));
    lines
}

fn of_fault(fault: &crate::lake::Fault) -> [String; 2] {
    let version = fault.version.map_or_else(String::new, |version| format!(" (version {version})"));
    [
        format!("  fault: {}{version}: {}", fault.path.display(), fault.what),
        format!("         remedy: {}", fault.remedy),
    ]
}

fn of_holes(holes: &[Hole]) -> Vec<String> {
    if holes.is_empty() {
        return Vec::new();
    }
    let missing: usize = holes.iter().map(|hole| hole.missing).sum();
    let mut lines = vec![format!(
        "  note: {} slots are missing between the first row and the last, in {} sessions; jobs run backfill fills those it can",
        grouped(&missing),
        holes.len()
    )];
    for hole in holes.iter().take(NUM_NAMED) {
        let first: Vec<String> = hole.first.iter().map(ToString::to_string).collect();
        let more = if hole.missing > first.len() { ", …" } else { "" };
        lines.push(format!(
            "        {} {}: {} of {}: {}{more}",
            hole.symbol,
            hole.day,
            hole.missing,
            hole.expected,
            first.join(", ")
        ));
    }
    if holes.len() > NUM_NAMED {
        lines.push(format!("        and {} sessions more, which --format json lists", holes.len() - NUM_NAMED));
    }
    lines
}

fn of_strays(kind: StrayKind, strays: &[Stray]) -> Vec<String> {
    let strays: Vec<&Stray> = strays.iter().filter(|stray| stray.kind == kind).collect();
    let what = match kind {
        StrayKind::Orphan => {
            "data files that no commit names; jobs run compaction deletes them when they are a day old"
        }
        StrayKind::Staging => {
            "files that writers left on their way; jobs run compaction deletes them when they are a day old"
        }
        StrayKind::Other => "files that are not of a table; nothing deletes them",
    };
    if strays.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("  note: {} {what}", strays.len())];
    for stray in strays.iter().take(NUM_NAMED) {
        lines.push(format!(
            "        {}, {} bytes, {} h old",
            stray.path.display(),
            grouped(&stray.bytes),
            stray.age_hours
        ));
    }
    lines
}
