//! `jobs logs NAME`: the log files of a job, for a person or as they are.

mod entry;
mod files;
mod follow;

use std::collections::VecDeque;
use std::path::Path;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use crate::job::{Failure, JobError, calendars};
use crate::telemetry;

use super::job_names::{check_known, job_names};
use super::output::{print_documents, print_error, print_line};
use super::settings::{Format, Globals};
use super::time_range::{Edge, instant_or_day};

use entry::Entry;
use files::{LogFile, names, of};

/// Lines shown where nobody says how many or since when.
const DEFAULT_LINES: usize = 100;

/// What logs besides the jobs.
const OTHERS: [&str; 2] = ["serve", "alert"];

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs logs snapshot
  jobs logs snapshot -n 500 --level warn
  jobs logs serve -f
  jobs logs backfill --since 2026-11-20T16:00 --format jsonl

Times are New York time; a day stands for its session. With --format jsonl the lines come as they stand in the file; one
that cannot be read comes as {\"unreadable\": TEXT}. Exit codes: 0 also where there is no log yet, 2 an unknown name,
130 ended by SIGINT.")]
pub(super) struct LogsArgs {
    /// The job; or serve, the daemon, or alert.
    name: String,
    /// Go on with what comes, over midnight too, until SIGINT.
    #[arg(short, long)]
    follow: bool,
    /// At most N lines, the newest [default: 100, or with --since all].
    #[arg(short, value_name = "N")]
    n: Option<usize>,
    /// Since this time or trading day.
    #[arg(long, value_name = "DAY|TIME")]
    since: Option<String>,
    /// Only lines of this level or a graver one.
    #[arg(long, value_enum)]
    level: Option<Level>,
}

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
struct Filter {
    since: Option<DateTime<Utc>>,
    level: Option<Level>,
}

impl Filter {
    /// A line that cannot be read hides nothing: it is let through.
    fn admits(&self, entry: &Entry) -> bool {
        let is_since = self.since.is_none_or(|since| entry.at.is_none_or(|at| at >= since));
        is_since && self.level.is_none_or(|level| entry.level.is_none_or(|found| found >= level))
    }
}

/// Prints the log of a job.
pub(super) fn logs(globals: &Globals, args: &LogsArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let folder = &config.paths.logs;
    let unreadable = |error: std::io::Error| unreadable(folder, &error);
    let files = of(folder, &args.name).map_err(unreadable)?;
    if files.is_empty() {
        let found = names(folder).map_err(unreadable)?;
        let mut known: Vec<&str> = found.iter().map(String::as_str).collect();
        known.extend(job_names().into_iter().chain(OTHERS).filter(|name| !found.iter().any(|found| found == name)));
        check_known(&args.name, &known, "log of")?;
        if !args.follow {
            let exist = if found.is_empty() { "none yet".to_owned() } else { found.join(", ") };
            let folder = folder.display();
            print_error(&format!("{} has logged nothing in {folder} yet; there are logs of: {exist}", args.name));
        }
    }
    let since = match &args.since {
        Some(text) => Some(instant_or_day(text, &calendars(&config)?.futures, Edge::Open)?),
        None => None,
    };
    let filter = Filter { since, level: args.level };
    let limit = args.n.unwrap_or(if since.is_some() { usize::MAX } else { DEFAULT_LINES });
    let printer = Printer { job: &args.name, format: globals.format };
    if args.follow {
        return follow::follow(folder, &filter, (&printer, limit)).map_err(unreadable);
    }
    let entries = newest(&files, &filter, limit).map_err(unreadable)?;
    match globals.format {
        Format::Json => print_documents(entries.iter().map(Entry::document).collect(), Format::Json)?,
        _ => entries.iter().try_for_each(|entry| print_line(&printer.told(entry)))?,
    }
    Ok(0)
}

/// The newest entries that are wanted, oldest first.
fn newest(files: &[LogFile], filter: &Filter, limit: usize) -> std::io::Result<Vec<Entry>> {
    let mut newest: VecDeque<Entry> = VecDeque::new();
    for file in files.iter().rev() {
        let is_older = filter.since.is_some_and(|since| file.day < since.date_naive());
        if newest.len() >= limit || is_older {
            break;
        }
        let room = limit - newest.len();
        let mut own: VecDeque<Entry> = VecDeque::new();
        for entry in file.entries()?.filter(|entry| filter.admits(entry)) {
            if own.len() == room {
                own.pop_front();
            }
            own.push_back(entry);
        }
        own.append(&mut newest);
        newest = own;
    }
    Ok(newest.into_iter().take(limit).collect())
}

/// How entries are printed.
struct Printer<'a> {
    job: &'a str,
    format: Format,
}

impl Printer<'_> {
    /// An entry as it is printed.
    fn told(&self, entry: &Entry) -> String {
        match (self.format, &entry.fields) {
            (Format::Text, _) => entry.line(self.job),
            (_, Json::Object(_)) => entry.text.clone(),
            _ => entry.document().to_string(),
        }
    }
}

fn unreadable(folder: &Path, error: &std::io::Error) -> JobError {
    let told = format!("cannot read the logs in {} ({error}): check paths.logs and its permissions", folder.display());
    JobError::fail(Failure::Misconfigured, told)
}
