//! `jobs show TABLE`: rows of a table, as of now or of then.

use clap::Args;

use crate::job::{JobError, calendars};
use crate::lake::{RowQuery, TableName};
use crate::market::Symbol;
use crate::telemetry;

use super::as_of::as_of;
use super::block_on;
use super::existing_lake::lake_to_read;
use super::output::{print_line, print_rows};
use super::settings::{Format, Globals};
use super::time_range::range_of;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs show futures_snapshots --last 6
  jobs show futures_snapshots --symbol ES --from 2026-11-20 --to 2026-11-20T10:00
  jobs show spot_snapshots --as-of 2026-11-20T16:00 --format jsonl

Times without an offset are New York time; a day stands for its session. --as-of TIME shows the rows that had been
captured by then, for any time; --as-of VERSION is the table's version, as far back as its files are kept.")]
pub(super) struct ShowArgs {
    /// Table: `futures_snapshots` or `spot_snapshots`.
    table: TableName,
    /// Only this symbol.
    #[arg(long)]
    symbol: Option<Symbol>,
    /// From this time or trading day on.
    #[arg(long, value_name = "DAY|TIME")]
    from: Option<String>,
    /// Up to this time or trading day.
    #[arg(long, value_name = "DAY|TIME")]
    to: Option<String>,
    /// Only the newest N rows [default: 20 where no other limit is given].
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// As of a time, or a version of the table.
    #[arg(long, value_name = "VERSION|TIME")]
    as_of: Option<String>,
}

/// Rows shown where nobody says how many.
const DEFAULT_ROWS: usize = 20;

/// Prints rows of a table.
pub(super) fn show(globals: &Globals, args: &ShowArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    telemetry::start_on_stderr(globals.verbosity());
    if let Some(symbol) = &args.symbol {
        let market = &loaded.config.market;
        market.future(symbol).map(drop).or_else(|unknown| market.etf(symbol).map(drop).map_err(|_| unknown))?;
    }
    let futures = calendars(&loaded.config)?.futures;
    let unlimited = args.from.is_some() || args.to.is_some() || args.last.is_some();
    let (from, to) = range_of(args.from.as_deref(), args.to.as_deref(), &futures)?;
    let query = RowQuery {
        symbol: args.symbol.clone(),
        from,
        to,
        last: args.last.or_else(|| (!unlimited).then_some(DEFAULT_ROWS)),
        as_of: args.as_of.as_deref().map(as_of).transpose()?.unwrap_or_default(),
    };
    let rows = block_on(async { Ok(lake_to_read(&loaded)?.rows(args.table, &query).await?) })?;
    if rows.rows.is_empty() && globals.format == Format::Text {
        print_line(&format!("{}: no such rows in {}", args.table, loaded.config.lake.uri))?;
        return Ok(0);
    }
    print_rows(&rows, globals.format)?;
    Ok(0)
}
