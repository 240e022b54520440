//! Logging: to stderr for the one who runs a job, and to a daily file per job for the one who comes later.

mod overheard;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, dynamic_filter_fn, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::clock::{Clock, SystemClock};
use crate::escape::{escaped, escaped_line};
use crate::exclusive::is_in_the_way;

pub use overheard::overhear;

/// The configuration section `log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Filter of the log files, such as `info` or `frontmonth=debug,ibapi=info`.
    pub file_filter: String,
    /// Days for which log files are kept.
    pub retention_days: usize,
    /// Size of one day's file of one job, in MB; further events of that day are left out.
    pub max_file_mb: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { file_filter: "warn,frontmonth=info".to_owned(), retention_days: 30, max_file_mb: 100 }
    }
}

impl LogConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Err(error) = EnvFilter::try_new(&self.file_filter) {
            faults.push(format!(
                "log.file_filter '{}' is no filter ({error}): write for instance info",
                self.file_filter
            ));
        }
        if !(1..=3_650).contains(&self.retention_days) {
            faults.push(format!("log.retention_days is {}: give 1 to 3650", self.retention_days));
        }
        if !(1..=100_000).contains(&self.max_file_mb) {
            faults.push(format!("log.max_file_mb is {}: give 1 to 100000", self.max_file_mb));
        }
        faults
    }
}

/// How much goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Warnings and errors.
    Normal,
    /// What happens once a run.
    Info,
    /// What happens per item.
    Debug,
}

/// Where the log goes.
#[derive(Debug, Clone)]
pub struct LogTarget<'a> {
    /// Folder of the log files.
    pub folder: &'a Path,
    /// Name of the job, or of the program that runs several; it names its files.
    pub job: &'a str,
    /// Jobs whose runs this process makes and that have files of their own.
    pub of_runs: &'a [&'a str],
    /// The section `log`.
    pub config: &'a LogConfig,
    /// How much goes to stderr.
    pub verbosity: Verbosity,
}

/// Writes what is still buffered when it is dropped, so `main` keeps it.
#[derive(Debug)]
pub struct LogGuard {
    _files: Vec<WorkerGuard>,
}

/// Starts logging: what happens in a run of one of `of_runs` goes to the file of its job, the rest to that of `job`. Where
/// the folder is full or may not be written, all of it goes to stderr alone, and says so: no run waits for its log.
///
/// # Errors
/// [`TelemetryError`] where something else stands in the place of the log folder.
pub fn start(target: &LogTarget<'_>) -> Result<LogGuard, TelemetryError> {
    let (files, unwritten) = match to_files(target) {
        Ok(files) => (files, None),
        Err(error) if is_in_the_way(&error.source) => return Err(error),
        Err(error) => (Files::default(), Some(error)),
    };
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![NoteJob.boxed(), overheard::layer()];
    layers.extend(files.layers);
    layers.push(to_stderr(target.verbosity));
    tracing_subscriber::registry().with(layers).init();
    if let Some(TelemetryError { folder, source }) = unwritten {
        tracing::error!(folder = %folder.display(), error = %source, "nothing is logged to files");
    }
    Ok(LogGuard { _files: files.guards })
}

/// The log files of a process, open.
#[derive(Default)]
struct Files {
    layers: Vec<Box<dyn Layer<Registry> + Send + Sync>>,
    guards: Vec<WorkerGuard>,
}

fn to_files(target: &LogTarget<'_>) -> Result<Files, TelemetryError> {
    fs::create_dir_all(target.folder).map_err(|source| TelemetryError { folder: target.folder.to_owned(), source })?;
    let Files { mut layers, mut guards } = Files::default();
    let elsewhere: Vec<String> = target.of_runs.iter().map(ToString::to_string).collect();
    let mut add = |job: &str, belongs: Belongs| {
        let (file, guard) = daily_file(target, job)?;
        let filter = EnvFilter::try_new(&target.config.file_filter).unwrap_or_else(|_| EnvFilter::new("info"));
        // Spans are kept whatever their level: an event belongs to the run around it.
        let of_file = dynamic_filter_fn(move |_: &Metadata<'_>, context: &Context<'_, Registry>| belongs(context));
        let events = FilterExt::<Registry>::and(filter, of_file);
        let filter = FilterExt::<Registry>::or(events, filter_fn(|metadata: &Metadata<'_>| metadata.is_span()));
        let layer = fmt::layer().log_internal_errors(false).json().flatten_event(true).with_writer(Escaping(file));
        layers.push(layer.with_filter(filter).boxed());
        guards.push(guard);
        Ok(())
    };
    add(target.job, Box::new(move |context| job_of(context).is_none_or(|job| !elsewhere.contains(&job))))?;
    for job in target.of_runs {
        let own = (*job).to_owned();
        add(job, Box::new(move |context| job_of(context).is_some_and(|job| job == own)))?;
    }
    Ok(Files { layers, guards })
}

/// Points `JOB.log` at the newest file of each job; a process that stays does so from time to time.
///
/// # Errors
/// [`TelemetryError`] where the log folder cannot be written.
pub fn link_newest_files(folder: &Path, jobs: &[&str]) -> Result<(), TelemetryError> {
    let unwritable = |source| TelemetryError { folder: folder.to_owned(), source };
    jobs.iter().try_for_each(|job| link_newest(folder, job)).map_err(unwritable)
}

fn daily_file(target: &LogTarget<'_>, job: &str) -> Result<(NonBlocking, WorkerGuard), TelemetryError> {
    let unwritable = |source| TelemetryError { folder: target.folder.to_owned(), source };
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(job)
        .filename_suffix("log")
        .max_log_files(target.config.retention_days)
        .build(target.folder)
        .map_err(|error| unwritable(io::Error::other(error)))?;
    // A link that cannot be made on a full disk costs nothing but the way to the file.
    let _ = link_newest(target.folder, job);
    let bounded = BoundedFile {
        appender,
        folder: target.folder.to_owned(),
        job: job.to_owned(),
        max_bytes: target.config.max_file_mb.saturating_mul(1_000_000),
        day: None,
        num_bytes: 0,
        is_full: false,
    };
    Ok(tracing_appender::non_blocking(bounded))
}

/// A daily file that takes so many bytes and no more, so that a fault that is logged without end does not fill the disk.
struct BoundedFile<W> {
    appender: W,
    folder: PathBuf,
    job: String,
    max_bytes: u64,
    /// The day whose bytes are counted, in UTC as the names of the files.
    day: Option<NaiveDate>,
    num_bytes: u64,
    is_full: bool,
}

impl<W: Write> BoundedFile<W> {
    /// Writes one event of a day, or leaves it out.
    fn write_on(&mut self, now: DateTime<Utc>, event: &[u8]) -> io::Result<usize> {
        let day = now.date_naive();
        if self.day != Some(day) {
            let path = self.folder.join(format!("{}.{day}.log", self.job));
            self.num_bytes = fs::metadata(path).map_or(0, |file| file.len());
            (self.day, self.is_full) = (Some(day), false);
        }
        let num_bytes = self.num_bytes + u64::try_from(event.len()).unwrap_or(u64::MAX);
        if num_bytes <= self.max_bytes {
            self.num_bytes = num_bytes;
            return self.appender.write(event);
        }
        if !self.is_full {
            self.is_full = true;
            let at = now.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            let note = format!(
                "{{\"timestamp\":\"{at}\",\"level\":\"WARN\",\"message\":\"the log file has reached log.max_file_mb: further \
                 events of this day are left out\",\"target\":\"frontmonth::telemetry\"}}\n"
            );
            self.appender.write_all(note.as_bytes())?;
        }
        Ok(event.len())
    }
}

impl<W: Write> Write for BoundedFile<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.write_on(SystemClock.now(), event)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.appender.flush()
    }
}

/// Whether an event belongs to a file.
type Belongs = Box<dyn Fn(&Context<'_, Registry>) -> bool + Send + Sync>;

/// The job of a span named `run`, kept with the span.
struct JobOfRun(String);

/// Keeps the field `job` of each run with its span.
struct NoteJob;

impl Layer<Registry> for NoteJob {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, Registry>) {
        if attributes.metadata().name() != "run" {
            return;
        }
        let mut field = JobField(None);
        attributes.record(&mut field);
        if let (Some(job), Some(span)) = (field.0, context.span(id)) {
            span.extensions_mut().insert(JobOfRun(job));
        }
    }
}

/// Reads the field `job`.
struct JobField(Option<String>);

impl Visit for JobField {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "job" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

/// The job of the run around an event.
fn job_of(context: &Context<'_, Registry>) -> Option<String> {
    let span = context.lookup_current()?;
    span.scope().find_map(|span| span.extensions().get::<JobOfRun>().map(|JobOfRun(job)| job.clone()))
}

/// Starts logging to stderr alone, for commands that are no run.
pub fn start_on_stderr(verbosity: Verbosity) {
    tracing_subscriber::registry().with(vec![to_stderr(verbosity), overheard::layer()]).init();
}

fn to_stderr<S>(verbosity: Verbosity) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::ERROR,
        Verbosity::Normal => LevelFilter::WARN,
        Verbosity::Info => LevelFilter::INFO,
        Verbosity::Debug => LevelFilter::DEBUG,
    };
    let filter = EnvFilter::new(format!("off,frontmonth={level}"));
    // The journal stamps and colours its lines itself, and takes their priority from a prefix.
    if std::env::var_os("JOURNAL_STREAM").is_some() && !io::IsTerminal::is_terminal(&io::stderr()) {
        let layer =
            fmt::layer().log_internal_errors(false).fmt_fields(escaped_fields()).with_writer(Journal).with_ansi(false);
        return layer.without_time().with_level(false).with_target(false).with_filter(filter).boxed();
    }
    let ansi = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && io::IsTerminal::is_terminal(&io::stderr());
    // What cannot be written to stderr must not be reported there: that would be a panic of the thread that logs.
    let layer =
        fmt::layer().log_internal_errors(false).fmt_fields(escaped_fields()).with_writer(io::stderr).with_ansi(ansi);
    layer.with_target(false).with_filter(filter).boxed()
}

/// Fields as `name=value`, the message without its name, on one line and without what acts on a terminal.
fn escaped_fields() -> impl for<'a> fmt::FormatFields<'a> + Send + Sync + 'static {
    let field = |writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", escaped_line(&text)),
            name => write!(writer, "{}={}", name.trim_start_matches("r#"), escaped_line(&text)),
        }
    };
    fmt::format::debug_fn(field).delimited(" ")
}

/// Writes lines of JSON without what acts on a terminal: the codes of JSON stand in its place.
#[derive(Debug, Clone)]
struct Escaping<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Escaping<W> {
    type Writer = Escaping<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Escaping(self.0.make_writer())
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Escaping(self.0.make_writer_for(metadata))
    }
}

impl<W: Write> Write for Escaping<W> {
    /// An event comes as a whole.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(escaped(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes to stderr with the priorities of `sd-daemon(3)` in front of each event.
struct Journal;

impl<'a> MakeWriter<'a> for Journal {
    type Writer = io::Stderr;

    fn make_writer(&'a self) -> Self::Writer {
        io::stderr()
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        let prefix = match *metadata.level() {
            Level::ERROR => "<3>",
            Level::WARN => "<4>",
            Level::INFO => "<6>",
            _ => "<7>",
        };
        let mut stderr = io::stderr();
        // A prefix that is lost costs the line its colour, no more.
        let _ = stderr.write_all(prefix.as_bytes());
        stderr
    }
}

/// Points `JOB.log` at the newest file of the job.
fn link_newest(folder: &Path, job: &str) -> io::Result<()> {
    let prefix = format!("{job}.");
    let is_ours = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| rest.len() == "2026-01-01.log".len());
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let Some(newest) = names.filter(|name| is_ours(name)).max() else {
        return Ok(());
    };
    let link = folder.join(format!("{job}.log"));
    let staged = folder.join(format!(".{job}.{}.link", std::process::id()));
    let _ = fs::remove_file(&staged);
    std::os::unix::fs::symlink(newest, &staged)?;
    fs::rename(staged, link)
}

/// The log folder cannot be written.
#[derive(Debug, Error)]
#[error("cannot write logs to {}: make the folder writable, or give paths.logs another value", folder.display())]
pub struct TelemetryError {
    folder: PathBuf,
    #[source]
    source: io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_points_at_the_newest_file_of_the_job_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["snapshot.2026-11-22.log", "snapshot.2026-11-23.log", "snapshot-x.2026-11-24.log"] {
            fs::write(folder.path().join(name), name).expect("a file");
        }
        link_newest(folder.path(), "snapshot").expect("a link");
        link_newest(folder.path(), "snapshot").expect("the link again");
        let text = fs::read_to_string(folder.path().join("snapshot.log")).expect("the newest");
        assert_eq!(text, "snapshot.2026-11-23.log");
    }

    #[test]
    fn a_line_of_a_log_file_acts_on_no_terminal_and_says_the_same() {
        let mut file = Escaping(Vec::new());
        let line = "{\"message\":\"ES\u{9b}2J\u{202e}\"}\n";
        file.write_all(line.as_bytes()).expect("written");
        let written = String::from_utf8(file.0).expect("text");
        assert_eq!(written, "{\"message\":\"ES\\u009b2J\\u202e\"}\n");
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        assert_eq!(read(&written), read(line));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_a_fault() {
        let config = LogConfig { file_filter: "frontmonth=loud".to_owned(), retention_days: 0, max_file_mb: 0 };
        assert_eq!(config.faults().len(), 3, "{:?}", config.faults());
    }

    #[test]
    fn a_full_file_says_so_once_and_the_next_day_begins_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("snapshot.2026-11-23.log"), "12345").expect("a file");
        let mut file = BoundedFile {
            appender: Vec::new(),
            folder: folder.path().to_owned(),
            job: "snapshot".to_owned(),
            max_bytes: 10,
            day: None,
            num_bytes: 0,
            is_full: false,
        };
        let on = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        for event in ["abcde", "fghij", "k"] {
            let taken = file.write_on(on("2026-11-23T12:00:00Z"), event.as_bytes()).expect("taken");
            assert_eq!(taken, event.len(), "whoever logs is not to notice");
        }
        file.write_on(on("2026-11-24T00:00:00Z"), b"next").expect("taken");
        let text = String::from_utf8(file.appender).expect("text");
        let (first, rest) = text.split_at(5);
        let (note, next) = rest.split_once('\n').expect("a line");
        assert_eq!((first, next), ("abcde", "next"), "what was there before counts");
        let note: serde_json::Value = serde_json::from_str(note).expect("JSON, as every line");
        assert!(note["message"].as_str().is_some_and(|message| message.contains("log.max_file_mb")), "{note}");
    }
}
