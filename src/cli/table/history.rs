//! `jobs table history`: the commits of a table, newest first.

use clap::Args;
use serde_json::Value as Json;

use crate::job::{Failure, JobError};
use crate::lake::{CommitEntry, TableName};
use crate::telemetry;

use super::super::block_on;
use super::super::existing_lake::lake_to_read;
use super::super::output::{
    eastern_in_full, grouped, plain_table, print_documents, print_line, print_text, right, utc,
};
use super::super::settings::{Format, Globals};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs table history futures_snapshots
  jobs table history futures_snapshots -n 1000 --format jsonl

It reaches as far back as the log of the table is kept. A compaction adds and removes the same rows.")]
pub(in crate::cli) struct HistoryArgs {
    /// Table: `futures_snapshots` or `spot_snapshots`.
    table: TableName,
    /// At most N commits, the newest.
    #[arg(short, default_value_t = 20, value_name = "N")]
    n: usize,
}

/// Prints the commits.
pub(super) fn history(globals: &Globals, args: &HistoryArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    let lake = lake_to_read(&loaded)?;
    let commits = block_on(async { Ok(lake.history(args.table, args.n).await?) })?;
    if globals.format != Format::Text {
        print_documents(commits.iter().map(document).collect::<Result<_, _>>()?, globals.format)?;
    } else if commits.is_empty() {
        print_line(&format!("{}: not made yet in {}", args.table, loaded.config.lake.uri))?;
    } else {
        print_text(&text(&commits))?;
    }
    Ok(0)
}

fn document(commit: &CommitEntry) -> Result<Json, JobError> {
    let mut document = serde_json::to_value(commit).map_err(|error| JobError::fail(Failure::Failed, error))?;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("at".to_owned(), commit.at.map(utc).into());
        fields.insert("at_et".to_owned(), commit.at.map(eastern_in_full).into());
    }
    Ok(document)
}

fn text(commits: &[CommitEntry]) -> comfy_table::Table {
    let mut table = plain_table();
    table.set_header([
        "version",
        "time",
        "utc",
        "operation",
        "by",
        "rows",
        "",
        "files",
        "",
        "written by",
        "parameters",
    ]);
    for commit in commits {
        let known = |sign: &str, count: Option<u64>| count.map_or_else(|| "?".to_owned(), |n| signed(sign, n));
        let files = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        table.add_row([
            right(commit.version),
            commit.at.map_or_else(|| "-".to_owned(), eastern_in_full).into(),
            commit.at.map_or_else(|| "-".to_owned(), utc).into(),
            commit.operation.clone().into(),
            commit.token.clone().unwrap_or_else(|| "-".to_owned()).into(),
            right(known("+", commit.rows_added)),
            right(known("-", commit.rows_removed)),
            right(signed("+", files(commit.files_added))),
            right(signed("-", files(commit.files_removed))),
            commit.engine.clone().unwrap_or_else(|| "-".to_owned()).into(),
            parameters(commit).into(),
        ]);
    }
    table
}

fn signed(sign: &str, count: u64) -> String {
    if count == 0 { "0".to_owned() } else { format!("{sign}{}", grouped(&count)) }
}

/// The parameters in a line; texts as they are, what a table is made of left out.
fn parameters(commit: &CommitEntry) -> String {
    let told = commit.parameters.iter().filter(|(key, _)| !["metadata", "protocol"].contains(&key.as_str()));
    let told = told.map(|(key, value)| match value {
        Json::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    });
    told.collect::<Vec<_>>().join(" ")
}
