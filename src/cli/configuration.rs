//! `jobs config`: shows what is in force, checks it, or prints a commented sample.

use clap::Subcommand;
use serde_json::Value as Json;

use crate::config::{Config, Loaded, SAMPLE};
use crate::job::{Failure, JobError, calendars, chain, dividends};

use super::output::{print_document, print_line};
use super::schedule::{planner, schedules};
use super::settings::{Format, Globals};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every key in force, and where it comes from.
    #[command(after_help = "Example:\n  jobs config show | grep gateway")]
    Show,
    /// Check the configuration; all faults are told at once.
    #[command(after_help = "Example:\n  jobs --config /etc/jobs/jobs.yaml config check")]
    Check,
    /// Print a sample with every key, commented; it is YAML whatever the format.
    #[command(after_help = "Example:\n  jobs config generate > jobs.yaml")]
    Generate,
}

/// Does it.
pub(super) fn configuration(globals: &Globals, command: &ConfigCommand) -> Result<u8, JobError> {
    match command {
        ConfigCommand::Generate => print_line(SAMPLE.trim_end())?,
        ConfigCommand::Check => check(globals)?,
        ConfigCommand::Show => show(globals)?,
    }
    Ok(0)
}

fn check(globals: &Globals) -> Result<(), JobError> {
    let loaded = globals.load(Vec::new())?;
    let faults = faults_of_files(&loaded.config);
    if !faults.is_empty() {
        return Err(JobError::fail(Failure::Misconfigured, faults.join("\n")));
    }
    let from = loaded.file.as_ref().map_or_else(|| "built-in defaults".to_owned(), |path| path.display().to_string());
    match globals.format {
        Format::Text => print_line(&format!("the configuration is sound ({from}, {} keys set)", loaded.origins.len())),
        format => {
            let told = serde_json::json!({ "sound": true, "file": loaded.file, "keys_set": loaded.origins.len() });
            print_document(&told, format)
        }
    }
}

/// What is wrong with the files and folders that the configuration names, all of it.
fn faults_of_files(config: &Config) -> Vec<String> {
    let told = |error: JobError| chain(&error);
    let calendars = calendars(config);
    let mut faults: Vec<String> = calendars.as_ref().err().map(|error| chain(error)).into_iter().collect();
    // A planner needs the calendars, so without them the schedules are only read.
    let schedules = if calendars.is_ok() { planner(config).map(drop) } else { schedules(config).map(drop) };
    faults.extend(schedules.err().map(told));
    faults.extend(dividends(config).err().map(told));
    faults.extend(config.mail.faults_of_files());
    faults
}

fn show(globals: &Globals) -> Result<(), JobError> {
    let loaded = globals.load(Vec::new())?;
    let value = serde_json::to_value(&loaded.config).map_err(|error| JobError::fail(Failure::Failed, error))?;
    match globals.format {
        Format::Json => print_document(&value, Format::Json),
        Format::Text => keys(&value, &loaded)
            .iter()
            .try_for_each(|(key, value, origin)| print_line(&format!("{key}: {value}  # {origin}"))),
        _ => keys(&value, &loaded).iter().try_for_each(|(key, value, origin)| {
            print_line(&serde_json::json!({ "key": key, "value": value, "origin": origin }).to_string())
        }),
    }
}

/// Dotted key, value and origin of every key.
fn keys<'a>(config: &'a Json, loaded: &Loaded) -> Vec<(String, &'a Json, String)> {
    let sections = config.as_object().into_iter().flatten();
    sections.flat_map(|(section, keys)| below(section, keys, loaded)).collect()
}

/// The keys below one. What was set as a whole stays whole.
fn below<'a>(parent: &str, keys: &'a Json, loaded: &Loaded) -> Vec<(String, &'a Json, String)> {
    let mut all = Vec::new();
    for (key, value) in keys.as_object().into_iter().flatten() {
        let key = format!("{parent}.{key}");
        match loaded.origins.get(&key) {
            Some(origin) => all.push((key, value, origin.clone())),
            None if value.as_object().is_some_and(|keys| !keys.is_empty()) => all.extend(below(&key, value, loaded)),
            None => all.push((key, value, "default".to_owned())),
        }
    }
    all
}
