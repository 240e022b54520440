//! `jobs query`: SQL over the tables, for reading only.

mod bounds;
mod out;
mod text;

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Builder;

use crate::job::{Failure, JobError};
use crate::lake::{Answer, AnswerFormat, AnswerWriter, Lake, Query};
use crate::scheduler::parse_duration;
use crate::telemetry;

use super::as_of::query_as_of;
use super::block_on_runtime;
use super::existing_lake::told;
use super::settings::{Format, Globals};

use bounds::Bounds;
use out::{Out, Target};
use text::TextWriter;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs query \"select symbol, max(timestamp), count(*) from futures_snapshots group by symbol\"
  jobs query \"select * from spot_snapshots where symbol = 'SPY'\" --format parquet --out spy.parquet
  jobs query \"select count(*) from futures_snapshots\" --as-of '2026-11-20 16:00'
  jobs query - --format csv < statement.sql | head

Tables: futures_snapshots, spot_snapshots; DESCRIBE TABLE names the columns. The dialect is that of Apache DataFusion.
Timestamps are UTC in a statement, where they need seconds ('2026-11-02 14:30:00'), and in every form of the answer
(2026-11-02T14:30:00Z); numbers are printed in full.
It only reads: anything else is refused. A table not made yet is empty. --as-of TIME shows the rows that had been captured
by then; --as-of VERSION a version of the only table in the statement; with several, --as-of TABLE=VERSION for each.
Exit codes: 0 answered, 1 the query failed or its memory did not suffice, 2 the statement is wrong or refused, 78 the
configuration, 124 the timeout passed.")]
pub(super) struct QueryArgs {
    /// Statement; - or none reads it from standard input.
    sql: Option<String>,
    /// As of a time, a version, or versions of named tables; may be given more than once.
    #[arg(long, value_name = "TIME|VERSION|TABLE=VERSION")]
    as_of: Vec<String>,
    /// File to write the answer to; it appears when it is complete.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Memory for sorting, grouping and joining; beyond it the query spills to the temporary folder or ends, at the
    /// latest where the process takes 128 MB more than this [default: `lake.query_memory_mb`].
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(1..))]
    max_memory_mb: Option<u32>,
    /// Give up after this time, such as 30s or 5m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

/// Answers a statement.
pub(super) fn query(globals: &Globals, args: QueryArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    let config = &loaded.config;
    telemetry::start_on_stderr(globals.verbosity());
    let format = globals.format;
    if format == Format::Parquet && args.out.is_none() {
        return Err(usage("--format parquet is no text for a terminal: give --out FILE as well"));
    }
    let memory_mb = args.max_memory_mb.unwrap_or(config.lake.query_memory_mb);
    // A folder of its own, so that what a plan has spilled goes with the process, however the plan ends.
    let spill = tempfile::tempdir().map_err(|error| {
        let folder = std::env::temp_dir();
        let told = format!("cannot make a temporary folder in {} ({error}): give TMPDIR another", folder.display());
        JobError::fail(Failure::Failed, told)
    })?;
    let query = Query {
        as_of: query_as_of(&args.as_of)?,
        memory_bytes: usize::try_from(memory_mb).unwrap_or(usize::MAX >> 20) << 20,
        spill_folder: Some(spill.path().to_owned()),
        sql: statement(args.sql)?,
    };
    let lake = Lake::reader(&config.lake)?;
    let target = Target::new(args.out, lake.root())?;
    let asked = lake.clone();
    let out = target.begin()?;
    let bounds = Bounds { timeout: args.timeout, memory_mb };
    // The plan computes on threads of its own: however long it holds them, the bounds and the signals are kept.
    let computing = Builder::new_multi_thread().enable_all().build();
    let computing = computing.map_err(|error| JobError::fail(Failure::Failed, error))?;
    let work = computing.spawn(answer(lake, query, format, out));
    let done = block_on_runtime(&mut Builder::new_current_thread(), bounds.keep(work));
    computing.shutdown_background();
    done.map_err(|error| match asked.check_exists() {
        Err(no_lake) if error.failure() == Failure::Misconfigured => error.with_message(told(&no_lake, &loaded)),
        _ => error,
    })?;
    target.finish()?;
    Ok(0)
}

async fn answer(lake: Lake, query: Query, format: Format, mut out: Out) -> Result<(), JobError> {
    let told = write(&lake, &query, format, &mut out).await;
    // A reader that has gone away, as `head` does, has what it wanted.
    if out.is_closed() { Ok(()) } else { told }
}

async fn write(lake: &Lake, query: &Query, format: Format, out: &mut Out) -> Result<(), JobError> {
    let answer = lake.query(query).await?;
    let format = match format {
        Format::Text => return write_text(answer, out).await,
        Format::Json => AnswerFormat::Json,
        Format::Jsonl => AnswerFormat::Jsonl,
        Format::Csv => AnswerFormat::Csv,
        Format::Parquet => AnswerFormat::Parquet,
    };
    let mut answer = answer;
    let mut writer = AnswerWriter::new(format, &answer, out)?;
    while let Some(chunk) = answer.next().await? {
        writer.write(&chunk)?;
    }
    writer.finish()?.flush().map_err(|error| text::unwritable(&error))
}

async fn write_text(mut answer: Answer, out: &mut Out) -> Result<(), JobError> {
    let mut writer = TextWriter::new(answer.columns());
    while let Some(chunk) = answer.next().await? {
        writer.write(chunk.rows()?, out)?;
    }
    writer.finish(out)
}

/// The statement as given, or from standard input.
fn statement(given: Option<String>) -> Result<String, JobError> {
    if let Some(sql) = given.filter(|sql| sql != "-") {
        return Ok(sql);
    }
    if std::io::stdin().is_terminal() {
        return Err(usage("no statement: give one, as in  jobs query \"select count(*) from futures_snapshots\""));
    }
    let mut sql = String::new();
    std::io::stdin().read_to_string(&mut sql).map_err(|error| JobError::fail(Failure::Usage, error))?;
    if sql.trim().is_empty() { Err(usage("the statement on standard input is empty: give one")) } else { Ok(sql) }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)?.to_std().map_err(|error| error.to_string())
}

fn usage(told: &str) -> JobError {
    JobError::fail(Failure::Usage, told)
}
