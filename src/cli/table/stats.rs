//! `jobs table stats`: partitions, log, leftovers and properties of a table.

use clap::Args;
use serde_json::Value as Json;

use crate::job::{Failure, JobError};
use crate::lake::{PartitionStats, TableName, TableStats};
use crate::telemetry;

use super::super::block_on;
use super::super::existing_lake::lake_to_read;
use super::super::output::{eastern, grouped, plain_table, print_document, print_line, print_text, right};
use super::super::settings::{Format, Globals};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs table stats futures_snapshots
  jobs table stats spot_snapshots --format json

Orphans are data files that no commit names, of a writer at work or killed; jobs run compaction removes them after a day.")]
pub(in crate::cli) struct StatsArgs {
    /// Table: `futures_snapshots` or `spot_snapshots`.
    table: TableName,
}

/// Prints the statistics.
pub(super) fn stats(globals: &Globals, args: &StatsArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    let lake = lake_to_read(&loaded)?;
    let stats = block_on(async { Ok(lake.stats(args.table).await?) })?;
    match (stats, globals.format) {
        (Some(stats), Format::Text) => print(&stats)?,
        (Some(stats), format) => {
            let document = serde_json::to_value(&stats).map_err(|error| JobError::fail(Failure::Failed, error))?;
            print_document(&document, format)?;
        }
        (None, Format::Text) => print_line(&format!("{}: not made yet in {}", args.table, loaded.config.lake.uri))?,
        (None, format) => print_document(&Json::Null, format)?,
    }
    Ok(0)
}

fn print(stats: &TableStats) -> Result<(), JobError> {
    print_text(&partitions(&stats.partitions))?;
    let checkpoint = stats.checkpoint.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let lines = [
        String::new(),
        format!("version {}, newest checkpoint {checkpoint}", stats.version),
        format!("log: {} entries, {} bytes", grouped(&stats.log_entries), grouped(&stats.log_bytes)),
        format!("removed files still named (tombstones): {}", grouped(&stats.tombstones)),
        format!("files no commit names: {}, {} bytes", grouped(&stats.orphans), grouped(&stats.orphan_bytes)),
        format!("staging files: {}", grouped(&stats.staging_files)),
        String::new(),
    ];
    lines.iter().try_for_each(|line| print_line(line))?;
    let mut table = plain_table();
    table.set_header(["property", "is", "should be"]);
    for property in &stats.properties {
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let should_be = if property.is == property.should_be { String::new() } else { told(&property.should_be) };
        table.add_row([property.name.clone(), told(&property.is), should_be]);
    }
    print_text(&table)
}

fn partitions(partitions: &[PartitionStats]) -> comfy_table::Table {
    let mut table = plain_table();
    table.set_header(["symbol", "rows", "files", "bytes", "smallest", "largest", "oldest slot", "newest slot"]);
    for partition in partitions {
        table.add_row([
            partition.symbol.clone().into(),
            right(partition.rows.map_or_else(|| "?".to_owned(), |rows| grouped(&rows))),
            right(grouped(&partition.files)),
            right(grouped(&partition.bytes)),
            right(grouped(&partition.smallest_bytes)),
            right(grouped(&partition.largest_bytes)),
            partition.oldest.map_or_else(|| "?".to_owned(), eastern).into(),
            partition.newest.map_or_else(|| "?".to_owned(), eastern).into(),
        ]);
    }
    table
}
