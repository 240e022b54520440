//! Logging: to stderr for the one who runs a job, and to a daily file per job for the one who comes later.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The configuration section `log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Filter of the log files, such as `info` or `frontmonth=debug,ibapi=info`.
    pub file_filter: String,
    /// Days for which log files are kept.
    pub retention_days: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { file_filter: "warn,frontmonth=info".to_owned(), retention_days: 30 }
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
    /// Name of the job, which names its files.
    pub job: &'a str,
    /// The section `log`.
    pub config: &'a LogConfig,
    /// How much goes to stderr.
    pub verbosity: Verbosity,
}

/// Starts logging. The guard writes what is still buffered when it is dropped, so `main` keeps it.
///
/// # Errors
/// [`TelemetryError`] where the log folder cannot be written.
pub fn start(target: &LogTarget<'_>) -> Result<WorkerGuard, TelemetryError> {
    let unwritable = |source| TelemetryError { folder: target.folder.to_owned(), source };
    fs::create_dir_all(target.folder).map_err(unwritable)?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(target.job)
        .filename_suffix("log")
        .max_log_files(target.config.retention_days)
        .build(target.folder)
        .map_err(|error| unwritable(io::Error::other(error)))?;
    link_newest(target.folder, target.job).map_err(unwritable)?;
    let (file, guard) = tracing_appender::non_blocking(appender);
    let filter = EnvFilter::try_new(&target.config.file_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let to_file = fmt::layer().json().flatten_event(true).with_writer(file).with_filter(filter);
    tracing_subscriber::registry().with(to_file).with(to_stderr(target.verbosity)).init();
    Ok(guard)
}

/// Starts logging to stderr alone, for commands that are no run.
pub fn start_on_stderr(verbosity: Verbosity) {
    tracing_subscriber::registry().with(to_stderr(verbosity)).init();
}

fn to_stderr<S>(verbosity: Verbosity) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::ERROR,
        Verbosity::Normal => LevelFilter::WARN,
        Verbosity::Info => LevelFilter::INFO,
        Verbosity::Debug => LevelFilter::DEBUG,
    };
    let ours = format!("off,frontmonth={level}");
    let ansi = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && io::IsTerminal::is_terminal(&io::stderr());
    fmt::layer().with_writer(io::stderr).with_ansi(ansi).with_target(false).with_filter(EnvFilter::new(ours))
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
    fn a_filter_that_cannot_be_read_is_a_fault() {
        let config = LogConfig { file_filter: "frontmonth=loud".to_owned(), retention_days: 0 };
        assert_eq!(config.faults().len(), 2, "{:?}", config.faults());
    }
}
