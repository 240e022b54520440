//! `jobs table import`: the rows of another program's table taken into ours.

use std::path::PathBuf;

use clap::Args;

use crate::calendar::Zone;
use crate::clock::{Clock, SystemClock};
use crate::config::Loaded;
use crate::job::{Failure, JobError, calendars};
use crate::lake::{ImportAccount, ImportMode, ImportRequest, ImportRules, Lake, TableName};
use crate::market::{GatewayKind, Source};
use crate::telemetry;

use super::super::block_on;
use super::super::output::{grouped, print_document, print_line};
use super::super::settings::{Format, Globals};
use super::restore::{confirmed, ranges};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs table import /old/futures_snapshots --gateway ib --zone America/New_York --dry-run
  jobs table import /old/futures_snapshots --gateway ib --yes

FROM is a Delta table with the columns symbol, timestamp, bid, ask, last, volume, open_interest and implied_vol, or Parquet
files with them; it is only read. Of one that stands where the lake's table belongs, move the folder out of the lake first.
A time within 60 s after a slot is the slot's; NaN, -1 and prices of 0 become null; the contract is the one that led by the
roll rule, its con_id null; changes are computed anew from prices of one contract and are null near a roll; date is the
session's. Rows pass the checks of rows first, and those that fail go to quarantine. Rows say they were captured now, so --as-of an earlier time does not show them. A row that is there stays; of two
rows of one slot the one written first counts. Exit codes: 0 done, 1 not confirmed, 2 no such table, 65 damaged or no row
that can be taken, 78 the lake is of the other gateway.")]
pub(in crate::cli) struct ImportArgs {
    /// Folder of a Delta table, a Parquet file, or a folder of Parquet files.
    from: PathBuf,
    /// Table that takes the rows.
    #[arg(long, default_value = "futures_snapshots", value_name = "TABLE")]
    table: TableName,
    /// Zone of timestamps that have none: `America/New_York`, `UTC` or another IANA name.
    #[arg(long, value_name = "ZONE")]
    zone: Option<Zone>,
    /// What the rows are: import, delayed (never compared with other prices) or backfill (without bid and ask).
    #[arg(long, default_value = "import", value_name = "SOURCE")]
    source: Source,
    /// Where the rows come from: ib or simulated [default: the configured gateway.kind].
    #[arg(long, value_name = "KIND")]
    gateway: Option<GatewayKind>,
    /// Tell what would be taken in, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Imports.
pub(super) fn import(globals: &Globals, args: &ImportArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    if args.table != TableName::FuturesSnapshots {
        let told = format!("{} takes no rows in: only futures_snapshots does", args.table);
        return Err(JobError::fail(Failure::Usage, told));
    }
    if args.source == Source::Live {
        let message = "--source live is for rows that this program captured: leave it out, and the rows say import";
        return Err(JobError::fail(Failure::Usage, message));
    }
    let lake = Lake::open(&loaded.config.lake, kind(args, &loaded)?)?;
    let account = |mode| {
        let (from, zone, source) = (args.from.clone(), args.zone, args.source);
        account(&loaded, &lake, &ImportRequest { from, zone, source, mode })
    };
    if args.dry_run || !args.yes {
        let planned = account(ImportMode::DryRun)?;
        print(globals, &planned)?;
        if args.dry_run || planned.imported == 0 {
            return Ok(exit_code(&planned));
        }
        if !confirmed()? {
            return Err(JobError::fail(
                Failure::Failed,
                "not confirmed, nothing was written: answer yes, or give --yes",
            ));
        }
    }
    let done = account(ImportMode::Write)?;
    print(globals, &done)?;
    Ok(exit_code(&done))
}

/// Where the rows come from. Only somebody who knows them can say, so that it is asked for where nothing says it.
fn kind(args: &ImportArgs, loaded: &Loaded) -> Result<GatewayKind, JobError> {
    let configured = loaded.origins.contains_key("gateway.kind").then_some(loaded.config.gateway.kind);
    match (args.gateway, configured) {
        (Some(given), Some(configured)) if given != configured => {
            let told = format!(
                "the rows are of the {given} gateway and gateway.kind is {configured}: a lake holds rows of one kind, so \
                 import them with a configuration whose lake.uri is another folder"
            );
            Err(JobError::fail(Failure::Misconfigured, told))
        }
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => {
            let told =
                "say where the rows come from: --gateway ib or --gateway simulated; a lake holds rows of one kind";
            Err(JobError::fail(Failure::Usage, told))
        }
    }
}

fn account(loaded: &Loaded, lake: &Lake, request: &ImportRequest) -> Result<ImportAccount, JobError> {
    let calendars = calendars(&loaded.config)?;
    let (futures, nyse, market) = (&calendars.futures, &calendars.nyse, &loaded.config.market);
    let rules = ImportRules { futures, nyse, market, quality: &loaded.config.quality, now: SystemClock.now() };
    block_on(async { Ok(lake.import(request, &rules).await?) })
}

/// All rows refused is bad data, as it is where a job's rows are.
fn exit_code(account: &ImportAccount) -> u8 {
    let is_bad = account.rows_read > 0 && account.num_refused() == account.rows_read;
    if is_bad { Failure::BadData.exit_code() } else { 0 }
}

fn print(globals: &Globals, account: &ImportAccount) -> Result<(), JobError> {
    if globals.format == Format::Text {
        return lines(account).iter().try_for_each(|line| print_line(line));
    }
    let document = serde_json::to_value(account).map_err(|error| JobError::fail(Failure::Failed, error))?;
    print_document(&document, globals.format)
}

fn lines(account: &ImportAccount) -> Vec<String> {
    let ImportAccount { table, from, gateway, source, .. } = account;
    let from = from.display();
    let mut lines = vec![
        format!("{table}: {} rows in {} files of {from}", grouped(&account.rows_read), grouped(&account.files)),
        format!(
            "  {}: {} rows, as {source} rows of the {gateway} gateway",
            if account.dry_run { "to be imported" } else { "imported" },
            grouped(&account.imported)
        ),
    ];
    lines.extend(ranges("import", &account.symbols).into_iter().filter(|_| account.imported > 0));
    lines.extend([
        format!("  already there: {} rows, which stay as they are", grouped(&account.present)),
        format!("  given again: {} rows of a slot that an earlier row has", grouped(&account.doubled)),
    ]);
    for refused in &account.refused {
        let (rows, reason) = (grouped(&refused.rows), refused.reason.as_str());
        lines.push(format!("  refused: {rows} rows {reason}, the first: {}", refused.first));
    }
    lines.extend(notes(account));
    lines
}

fn notes(account: &ImportAccount) -> Vec<String> {
    let mut notes = Vec::new();
    if account.moved_to_slot > 0 {
        notes.push(format!("{} times were moved to the slot at most 60 s before", grouped(&account.moved_to_slot)));
    }
    if account.nulled > 0 {
        notes.push(format!(
            "{} numbers that stand for none, such as NaN, -1 and 0, became null",
            grouped(&account.nulled)
        ));
    }
    if account.imported > 0 {
        let rule = account.roll_rule;
        notes.push(format!("contract and expiry are inferred by the roll rule {rule}, con_id is null"));
        let rows = grouped(&account.with_changes);
        notes.push(format!("changes are computed anew, where prices of one contract allow it: in {rows} rows"));
    }
    if account.near_roll > 0 {
        let rows = grouped(&account.near_roll);
        notes.push(format!(
            "{rows} rows are of days in which some have rolled and others not: their contract may be the other"
        ));
    }
    if !account.columns_left_out.is_empty() {
        notes.push(format!("columns left out: {}", account.columns_left_out.join(", ")));
    }
    if !account.columns_absent.is_empty() {
        notes.push(format!("columns that are not there: {}", account.columns_absent.join(", ")));
    }
    notes.into_iter().map(|note| format!("  note: {note}")).collect()
}
