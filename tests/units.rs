//! The systemd units: each line has its reason to be there, and what must agree does. Nothing here needs root.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The units that share a block.
const SERVICES: [&str; 3] = ["jobs.service", "jobs@.service", "jobs-alert@.service"];

/// First and last line of the block that is the same in all of them.
const BLOCK: (&str, &str) = ("# The shared block: ", "# End of the shared block.");

/// Directives that add to a list when they are given again; any other may be given once.
const LISTS: [&str; 3] = ["SystemCallFilter", "OnCalendar", "IPAddressAllow"];

/// What a section may hold, as far as these units use it: a misspelt directive is only a warning to systemd.
const SECTIONS: [(&str, &[&str]); 4] = [
    (
        "Unit",
        &[
            "Description",
            "Documentation",
            "Wants",
            "After",
            "Conflicts",
            "OnFailure",
            "StartLimitIntervalSec",
            "StartLimitBurst",
        ],
    ),
    ("Timer", &["OnActiveSec", "OnCalendar", "AccuracySec", "Persistent", "Unit"]),
    ("Install", &["WantedBy"]),
    ("Service", &[]),
];

/// A directive.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Directive {
    section: String,
    name: String,
    value: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every file of this extension below the folder, by its path from there.
fn files(extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let path = path.strip_prefix(folder()).expect("below the folder");
                found.push(path.to_str().expect("text").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The directives of a unit file.
fn directives(name: &str) -> Vec<Directive> {
    let mut section = None;
    let mut found = Vec::new();
    for (at, line) in read(name).lines().enumerate() {
        let place = format!("{name}:{}: {line}", at + 1);
        assert_eq!(line.trim(), line, "{place}: space around the line");
        assert!(
            !line.ends_with('\\') && line.len() <= 120,
            "{place}: one directive is one line of at most 120 characters"
        );
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            section = Some(header.strip_suffix(']').unwrap_or_else(|| panic!("{place}: no header")).to_owned());
            continue;
        }
        let (directive, value) = line.split_once('=').unwrap_or_else(|| panic!("{place}: no directive"));
        assert!(directive.chars().all(char::is_alphanumeric), "{place}: no name of a directive");
        let section = section.clone().unwrap_or_else(|| panic!("{place}: before any section"));
        found.push(Directive { section, name: directive.to_owned(), value: value.to_owned() });
    }
    found
}

fn value(name: &str, directive: &str) -> String {
    let found = directives(name).into_iter().find(|found| found.name == directive);
    found.unwrap_or_else(|| panic!("{name} has no {directive}")).value
}

/// Seconds of a time span as the units and the schedules write it.
fn seconds(span: &str) -> u64 {
    let units = [("min", 60), ("m", 60), ("h", 3_600), ("s", 1)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((span.strip_suffix(unit)?, factor)))
        .unwrap_or_else(|| panic!("{span}"));
    number.parse::<u64>().unwrap_or_else(|error| panic!("{span}: {error}")) * factor
}

/// The program with a decided kind of gateway, no other configuration from outside, and an empty folder to be in.
fn jobs(arguments: &[&str]) -> (i32, String) {
    jobs_with(&[("JOBS__GATEWAY__KIND", "simulated")], arguments)
}

fn jobs_with(variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let here = tempfile::tempdir().expect("a folder");
    let outside = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("JOBS__"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobs"));
    command.args(arguments).current_dir(here.path()).env_clear().envs(outside);
    let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().expect("the program runs");
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat();
    (output.status.code().unwrap_or(-1), told)
}

fn jobs_that_exist() -> BTreeSet<String> {
    let (code, told) = jobs(&["list", "--format", "jsonl"]);
    assert_eq!(code, 0, "{told}");
    let name = |line: &str| {
        let job: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        job["job"].as_str().unwrap_or_else(|| panic!("a name in {line}")).to_owned()
    };
    told.lines().map(name).collect()
}

fn shared_block(name: &str) -> String {
    let text = read(name);
    let from = text.find(BLOCK.0).unwrap_or_else(|| panic!("{name} has no shared block"));
    let to = text.find(BLOCK.1).unwrap_or_else(|| panic!("the shared block of {name} has no end"));
    text[from..to].to_owned()
}

#[test]
fn the_shared_block_is_the_same_in_all_services() {
    let block = shared_block(SERVICES[0]);
    assert!(block.lines().count() > 50, "{block}");
    for name in SERVICES {
        assert_eq!(shared_block(name), block, "{name}");
        assert_eq!(read(name).matches(BLOCK.0).count(), 1, "{name}");
    }
    assert_eq!(files("service"), ["jobs-alert@.service", "jobs.service", "jobs@.service"]);
}

#[test]
fn a_directive_stands_in_its_section_and_once_unless_it_is_a_list() {
    for name in [files("service"), files("timer"), files("conf")].concat() {
        if name.starts_with("sysusers.d") {
            continue;
        }
        let mut seen = BTreeSet::new();
        for Directive { section, name: directive, .. } in directives(&name) {
            let known = SECTIONS.iter().find(|(known, _)| *known == section);
            let (_, names) = known.unwrap_or_else(|| panic!("{name}: unknown section {section}"));
            assert!(names.is_empty() || names.contains(&directive.as_str()), "{name}: {directive} in {section}");
            let elsewhere =
                SECTIONS.iter().any(|(other, names)| *other != section && names.contains(&directive.as_str()));
            assert!(!elsewhere || !names.is_empty(), "{name}: {directive} does not belong to {section}");
            let is_first = seen.insert((section, directive.clone()));
            assert!(is_first || LISTS.contains(&directive.as_str()), "{name}: {directive} is given twice");
        }
    }
}

#[test]
fn the_start_limit_is_reached_however_slowly_the_daemon_fails() {
    let of = |directive| seconds(&value("jobs.service", directive));
    // The slowest failures: a start that never becomes ready, or a hang, each of which then ignores the request to end.
    let to_start = of("TimeoutStartSec") + of("TimeoutStopSec") + of("RestartSec");
    let to_hang = of("WatchdogSec") + of("TimeoutAbortSec") + of("RestartSec");
    let burst: u64 = value("jobs.service", "StartLimitBurst").parse().expect("a number");
    let needed = burst * to_start.max(to_hang);
    let interval = of("StartLimitIntervalSec");
    assert!(interval > needed, "StartLimitIntervalSec is {interval} s and must exceed {needed} s");
}

#[test]
fn a_stop_lasts_longer_than_the_daemon_waits_for_its_runs() {
    let (_, shown) = jobs(&["config", "show"]);
    let drain = shown.lines().find_map(|line| line.strip_prefix("runs.drain_seconds: ")).expect("the key");
    let drain: u64 = drain.split(' ').next().expect("a word").parse().expect("a number");
    // Runs that are told to end at the end of the drain get ten seconds more.
    assert!(seconds(&value("jobs.service", "TimeoutStopSec")) > drain + 10, "{drain} s");
}

#[test]
fn a_wrong_configuration_alone_is_not_tried_again() {
    assert_eq!(value("jobs.service", "RestartPreventExitStatus"), "78");
    assert_eq!(value("jobs.service", "Restart"), "on-failure");
}

#[test]
fn what_fails_is_told_by_the_alert_and_the_alert_tells_of_nobody() {
    for name in ["jobs.service", "jobs@.service"] {
        assert_eq!(value(name, "OnFailure"), "jobs-alert@%n.service", "{name}");
    }
    assert!(directives("jobs-alert@.service").iter().all(|directive| directive.name != "OnFailure"));
    let (_, command) =
        value("jobs-alert@.service", "ExecStart").split_once("jobs.yaml ").map(owned).expect("a command");
    let words: Vec<&str> = command.split(' ').map(|word| if word == "%i" { "jobs.service" } else { word }).collect();
    let (code, told) = jobs(&words);
    assert!(code == 0 && told.contains("jobs.service failed"), "{code}: {told}");
}

fn owned((before, after): (&str, &str)) -> (String, String) {
    (before.to_owned(), after.to_owned())
}

#[test]
fn each_timer_starts_a_job_that_exists_and_gives_way_to_the_daemon() {
    let jobs = jobs_that_exist();
    let timers = files("timer");
    assert_eq!(timers.len(), jobs.len(), "every job has a timer: {timers:?}");
    for name in timers {
        let unit = value(&name, "Unit");
        let job = unit.strip_prefix("jobs@").and_then(|rest| rest.strip_suffix(".service"));
        let job = job.unwrap_or_else(|| panic!("{name} starts {unit}"));
        assert!(jobs.contains(job), "{name}: there is no job {job}, only {jobs:?}");
        assert_eq!(name, format!("jobs-{job}.timer"));
        assert_eq!(value(&name, "Conflicts"), "jobs.service", "{name}");
    }
}

/// Each job with the timeout that its schedule gives.
fn timeouts() -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules")).expect("a folder") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a schedule");
        let mut job = "";
        for line in text.lines() {
            let is_job = line.starts_with("  ") && !line.starts_with("   ");
            job = line.trim().strip_suffix(':').filter(|_| is_job).unwrap_or(job);
            let timeout = line.strip_prefix("    timeout: ").map(|rest| rest.split(' ').next().expect("a word"));
            found.extend(timeout.map(|timeout| (job.to_owned(), seconds(timeout))));
        }
    }
    found
}

#[test]
fn a_unit_lasts_longer_than_its_job_may_and_that_of_a_capture_ends_before_the_next_slot() {
    let usual = seconds(&value("jobs@.service", "TimeoutStartSec"));
    assert!(usual < 300, "{usual} s");
    let timeouts = timeouts();
    assert!(timeouts.iter().any(|(job, _)| job == "snapshot"), "{timeouts:?}");
    for (job, timeout) in timeouts {
        let drop_in = format!("jobs@{job}.service.d/timeout.conf");
        let is_there = folder().join(&drop_in).is_file();
        let allowed = if is_there { seconds(&value(&drop_in, "TimeoutStartSec")) } else { usual };
        assert!(allowed > timeout, "jobs@{job} may take {allowed} s, and the job {timeout} s: add {drop_in}");
    }
}

#[test]
fn the_sample_configuration_is_sound_once_the_kind_of_gateway_is_decided() {
    let sample = folder().join("jobs.yaml");
    let (code, told) = jobs(&["--config", sample.to_str().expect("text"), "config", "check"]);
    assert_eq!(code, 0, "{told}");
    let (_, shown) = jobs(&["--config", sample.to_str().expect("text"), "config", "show"]);
    for line in ["paths.state: \"/var/lib/jobs/state\"", "paths.logs: \"/var/log/jobs\"", "lake.uri: \"/var/lib/jobs/"]
    {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let origin = shown.lines().find(|line| line.starts_with("gateway.kind:")).expect("the kind");
    assert!(origin.contains("JOBS__GATEWAY__KIND"), "the sample must leave the kind to the operator: {origin}");
    let (code, told) = jobs_with(&[], &["--config", sample.to_str().expect("text"), "serve"]);
    assert!(code == 78 && told.contains("gateway.kind"), "{code}: {told}");
    let decided = read("jobs.yaml").replace("\n#   ", "\n  ").replace("  schedules:", "#");
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    fs::write(file.path(), &decided).expect("written");
    let (code, told) = jobs(&["--config", file.path().to_str().expect("text"), "config", "check"]);
    assert!(code == 78 && told.contains("monitor.ping.snapshot is an example"), "{code}: {told}");
    let decided = decided.replace("hc-ping.com/UUID", "hc-ping.com/3b1c5f0e-7a44-4a53-9a53-2f2f6f1d9f10");
    fs::write(file.path(), &decided).expect("written");
    let (code, told) = jobs(&["--config", file.path().to_str().expect("text"), "config", "check"]);
    assert_eq!(code, 0, "with every line of the sample in force: {told}\n{decided}");
}

/// A drop-in that lies beside a unit counts, so each is scored from a folder of its own.
#[test]
fn the_exposure_stays_low() {
    let is_there = Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    for name in SERVICES {
        assert_below(name, None, 12);
    }
    assert_below("jobs.service", Some("jobs.service.d/addresses.conf"), 10);
}

/// Demands an exposure of at most so many tenths.
fn assert_below(name: &str, drop_in: Option<&str>, tenths: u32) {
    let apart = tempfile::tempdir().expect("a folder");
    fs::copy(folder().join(name), apart.path().join(name)).expect("a copy");
    if let Some(drop_in) = drop_in {
        let to = apart.path().join(drop_in);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::copy(folder().join(drop_in), to).expect("a copy");
    }
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager", &format!("--threshold={tenths}")]);
    let output = command.arg(apart.path().join(name)).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let score = told.lines().last().unwrap_or_default();
    println!("{name} with {drop_in:?}: {score}");
    assert!(output.status.success(), "{name} with {drop_in:?} exceeds {tenths} tenths:\n{told}");
}
