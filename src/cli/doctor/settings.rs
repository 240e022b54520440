//! Checks of what was set: configuration, schedules, zone, shell.

use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveDateTime};

use crate::calendar::new_york;
use crate::config::{Config, Loaded};
use crate::job::{JobError, chain};
use crate::scheduler::JobSchedule;

use super::super::schedule;
use super::check::{Check, Finding, Grade};

const CONFIGURATION: &str = "configuration";

/// Where the configuration comes from.
pub(super) fn configuration(loaded: &Loaded) -> Check {
    let gateway = &loaded.config.gateway;
    let gateway = match &gateway.address {
        Some(address) => format!("gateway {} at {address}", gateway.kind),
        None => "the simulated gateway inside".to_owned(),
    };
    let found = match &loaded.file {
        Some(file) => format!("{}, {} keys set, {gateway}", file.display(), loaded.origins.len()),
        None if loaded.origins.is_empty() => format!("no file, built-in defaults: {gateway}, nothing real is captured"),
        None => format!("no file, {} keys set by environment and flags, {gateway}", loaded.origins.len()),
    };
    Check { name: CONFIGURATION, finding: Finding::ok(found) }
}

/// A configuration that is not sound keeps most checks from being made.
pub(super) fn no_configuration(error: &JobError) -> Check {
    let remedy = "correct it; what it says is not checked until then";
    Check { name: CONFIGURATION, finding: Finding::fail(chain(error), remedy) }
}

/// The schedules in force.
pub(super) fn schedules(config: &Config) -> Finding {
    let from =
        config.paths.schedules.as_ref().map_or_else(|| "compiled in".to_owned(), |path| path.display().to_string());
    match schedule::planner(config) {
        Ok(planner) => {
            let jobs: Vec<&str> = planner.schedules().iter().map(|JobSchedule { job, .. }| job.as_str()).collect();
            Finding::ok(format!("{from}: {}", jobs.join(", ")))
        }
        Err(error) => Finding::failed(&error),
    }
}

/// The embedded time zone database, by the two offsets of New York.
pub(super) fn zone() -> Finding {
    let noon = |month| NaiveDate::from_ymd_opt(2026, month, 15).and_then(|day| day.and_hms_opt(12, 0, 0));
    let offset = |local: NaiveDateTime| (new_york(local).naive_utc() - local).num_hours();
    let offsets = [1, 7].map(|month| noon(month).map(offset));
    if offsets != [Some(5), Some(4)] {
        return Finding::fail(
            format!("New York is {offsets:?} hours behind UTC in January and July, not 5 and 4"),
            "install a build with a sound time zone database",
        );
    }
    let machine = std::env::var("TZ").ok().or_else(machine_zone).unwrap_or_else(|| "unknown".to_owned());
    Finding::ok(format!("New York's is compiled in; this machine's ({machine}) does not matter"))
}

fn machine_zone() -> Option<String> {
    let link = std::fs::read_link("/etc/localtime").ok()?;
    link.to_str()?.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned())
}

/// The builtin `jobs` of the user's shell, which would swallow this program's commands.
pub(super) fn shell() -> Finding {
    let Some(shell) = std::env::var_os("SHELL") else {
        return Finding::ok("no interactive shell, no builtin in the way");
    };
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let name = Path::new(&shell).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    judge_shell(&name, &home)
}

fn judge_shell(name: &str, home: &Path) -> Finding {
    let startup = match name {
        "bash" => home.join(".bashrc"),
        "zsh" => home.join(".zshrc"),
        "fish" => {
            return Finding::warn(
                "fish has a builtin jobs, which comes before this program",
                "type frontmonth instead of jobs",
            );
        }
        _ => return Finding::ok(format!("{name}: type frontmonth where the shell has a jobs of its own")),
    };
    if std::fs::read_to_string(&startup).is_ok_and(|text| text.contains("shell-init")) {
        return Finding::ok(format!("{} hands this program's commands to it (shell-init)", startup.display()));
    }
    let found = format!("{name} has a builtin jobs, which comes before this program");
    let remedy =
        format!("put  eval \"$(frontmonth shell-init {name})\"  into {}, or type frontmonth", startup.display());
    Finding { grade: Grade::Warn, found, remedy: Some(remedy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_is_warned_of_until_the_startup_file_deals_with_it() {
        let home = tempfile::tempdir().expect("a folder");
        let told = judge_shell("bash", home.path());
        assert_eq!(told.grade, Grade::Warn);
        assert!(told.remedy.is_some_and(|remedy| remedy.contains("frontmonth shell-init bash")));
        std::fs::write(home.path().join(".bashrc"), "eval \"$(frontmonth shell-init bash)\"\n").expect("a file");
        assert_eq!(judge_shell("bash", home.path()).grade, Grade::Ok);
        assert_eq!(judge_shell("zsh", home.path()).grade, Grade::Warn);
        assert_eq!(judge_shell("dash", home.path()).grade, Grade::Ok);
    }

    #[test]
    fn the_zone_is_sound() {
        assert_eq!(zone().grade, Grade::Ok);
    }
}
