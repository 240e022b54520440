//! What every command knows: where the configuration is, how to print, how much to tell.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::config::{Config, Layers, Loaded, load_judged, salvage};
use crate::job::{Failure, JobError};
use crate::jobs::catalogue;
use crate::telemetry::Verbosity;

/// How data is printed on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a row.
    Jsonl,
    /// Comma separated values, of `jobs query` only.
    Csv,
    /// Apache Parquet, of `jobs query --out` only.
    Parquet,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Globals {
    /// Configuration file [default: ./jobs.yaml, else /etc/jobs/jobs.yaml, else built-in defaults].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to print data.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Tell more on stderr: once per run, twice per item.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Tell errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// A flag that sets a configuration key: flag, dotted key, value.
pub(super) type Flag = (&'static str, &'static str, String);

impl Globals {
    /// Refuses a form that only the answer to a statement has.
    pub(super) fn check_format(&self) -> Result<(), JobError> {
        let told = match self.format {
            Format::Text | Format::Json | Format::Jsonl => return Ok(()),
            Format::Csv => "--format csv is for jobs query: give text, json or jsonl",
            Format::Parquet => "--format parquet is for jobs query: give text, json or jsonl",
        };
        Err(JobError::fail(Failure::Usage, told))
    }

    /// How much goes to stderr.
    pub(super) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Info,
            (false, _) => Verbosity::Debug,
        }
    }

    /// How much goes to stderr of a command that makes many runs: those that went well only when asked for.
    pub(super) fn verbosity_of_many(&self) -> Verbosity {
        match self.verbosity() {
            Verbosity::Normal => Verbosity::Quiet,
            other => other,
        }
    }

    /// Loads the configuration, with what flags set on top.
    pub(super) fn load(&self, flags: Vec<Flag>) -> Result<Loaded, JobError> {
        load_judged(&self.layers(flags), unwatched).map_err(|error| JobError::fail(Failure::Misconfigured, error))
    }

    /// What can still be used of a configuration with faults, to tell of them.
    pub(super) fn salvage(&self) -> Option<Loaded> {
        salvage(&self.layers(Vec::new()))
    }

    fn layers(&self, flags: Vec<Flag>) -> Layers {
        Layers {
            explicit_file: self.config.clone(),
            usual_files: vec![PathBuf::from("jobs.yaml"), PathBuf::from("/etc/jobs/jobs.yaml")],
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
                .collect(),
            flags,
        }
    }
}

/// The flag `--gateway HOST:PORT` of commands that connect.
#[derive(Debug, Args)]
pub(super) struct GatewayFlag {
    /// Gateway to use instead of the configured one.
    #[arg(long = "gateway", value_name = "HOST:PORT")]
    address: Option<String>,
}

impl GatewayFlag {
    /// The keys it sets.
    pub(super) fn flags(&self) -> Vec<Flag> {
        self.address.iter().map(|address| ("--gateway", "gateway.address", address.clone())).collect()
    }
}

/// The monitors of jobs that are not there: they would wait for ever.
fn unwatched(config: &Config) -> Vec<String> {
    let jobs = catalogue();
    let known: Vec<&str> = jobs.iter().map(|job| job.name()).collect();
    let unknown = config.monitor.ping.keys().filter(|job| !known.contains(&job.as_str()));
    unknown.map(|job| format!("monitor.ping.{job}: there is no job {job}: give one of {}", known.join(", "))).collect()
}
