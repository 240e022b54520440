//! `jobs doctor`: what is wrong, and what to do about it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::{Desk, Ended, Simulator, ended, text};

/// What differs from machine to machine and from day to day.
const VARYING: [(&str, &str); 6] = [
    (r"compiled in: .*", "compiled in: [jobs]"),
    (r"(?m)^(ok|warn|fail) +disk +.*$", "[grade] disk [space]"),
    // A full disk is one more.
    (r"\d+ warnings, \d+ failures", "[n] warnings, [n] failures"),
    (r"\(\d+ days\)", "([n] days)"),
    (r"(ES|NQ|RTY)[HMUZ]\d", "$1[month]"),
    (r"\S*/data/lake", "[desk]/data/lake"),
];

/// The doctor in a shell of the test's own.
fn doctor(desk: &Desk, more: &[&str]) -> Ended {
    let mut command = desk.command(&[&["doctor"], more].concat());
    command.env("SHELL", "/bin/bash").env("HOME", "/nonexistent").env("TZ", "Asia/Tokyo");
    ended(&mut command)
}

/// The findings by the name of the check.
fn finding(desk: &Desk, name: &str) -> (String, String) {
    let told = doctor(desk, &["--format", "jsonl"]);
    let has_failed = told.lines().iter().any(|check| text(check, "grade") == "fail");
    assert_eq!(told.code, i32::from(has_failed), "{told:#?}");
    let checks: Vec<Value> = told.lines();
    let check = checks.iter().find(|check| text(check, "name") == name).unwrap_or_else(|| panic!("{name}: {told:#?}"));
    let remedy = check["remedy"].as_str().unwrap_or_default();
    (text(check, "grade"), format!("{}: {remedy}", text(check, "found")))
}

fn fails(desk: &Desk, name: &str, told: &str) {
    let (grade, found) = finding(desk, name);
    assert_eq!((grade.as_str(), found.contains(told)), ("fail", true), "{found}");
}

fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        let name = path.display().to_string();
        // SQLite's own, which every reader of a write-ahead log makes.
        if !name.ends_with("-wal") && !name.ends_with("-shm") {
            found.insert(name);
        }
    }
    found
}

/// A port on which nobody listens.
fn dead_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn without_a_configuration_nothing_fails_and_nothing_is_made() {
    let desk = Desk::bare();
    let told = doctor(&desk, &[]).succeeded().stdout;
    insta::with_settings!({ filters => VARYING }, { insta::assert_snapshot!(told) });
    assert!(files(desk.path()).is_empty());
    desk.jobs(&["run", "snapshot"]).succeeded();
    let before = files(desk.path());
    let (grade, found) = finding(&desk, "lake");
    assert_eq!((grade.as_str(), found.contains("kind simulated: futures_snapshots 3 rows")), ("ok", true), "{found}");
    assert_eq!(finding(&desk, "ledger").0, "ok");
    assert_eq!(files(desk.path()), before);
}

#[test]
fn a_gateway_that_is_away_is_told_and_the_other_checks_stand() {
    let desk = Desk::bare();
    desk.configure(&format!("gateway: {{ address: \"127.0.0.1:{}\", clock: gateway }}\n", dead_port()));
    let (grade, found) = finding(&desk, "gateway");
    // In the hours of the nightly reset it is expected.
    assert!(["warn", "fail"].contains(&grade.as_str()) && found.contains("cannot connect to the gateway"), "{found}");
    assert_eq!(
        finding(&desk, "contracts"),
        ("warn".into(), "not asked: the gateway does not answer: mend the gateway first".into())
    );
    assert_eq!(finding(&desk, "ledger").0, "ok");
}

#[test]
fn a_gateway_whose_clock_is_off_still_tells_its_contracts() {
    let simulator = Simulator::standing_at("2026-03-10T15:00:00Z", &[]);
    let desk = Desk::bare();
    desk.configure(&format!("gateway: {{ address: \"{}\" }}\n", simulator.address));
    fails(&desk, "clock", "set gateway.clock: gateway");
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
    assert_eq!(finding(&desk, "clock").0, "ok");
    assert_eq!(finding(&desk, "contracts"), ("ok".into(), "ES ESH6, NQ NQH6, RTY RTYH6: ".into()));
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let desk = Desk::bare();
    // A file in its place: the superuser may write every folder.
    std::fs::write(desk.path().join("logs"), "").expect("a file");
    fails(&desk, "logs", "is a file where a folder should be: make it writable, or give paths.logs another value");
}

#[test]
fn a_damaged_ledger_is_told() {
    let desk = Desk::bare();
    std::fs::create_dir(desk.path().join("state")).expect("a folder");
    std::fs::write(desk.path().join("state/jobs.db"), vec![b'x'; 8192]).expect("a file");
    fails(&desk, "ledger", "is damaged");
    assert_eq!(finding(&desk, "pauses").0, "warn");
}

#[test]
fn a_lake_of_another_kind_is_told_and_not_touched() {
    let desk = Desk::bare();
    desk.jobs(&["run", "snapshot"]).succeeded();
    let before = desk.lake_files();
    desk.configure(&format!("gateway: {{ kind: ib, address: \"127.0.0.1:{}\" }}\n", dead_port()));
    fails(&desk, "lake", "holds simulated rows");
    assert_eq!(desk.lake_files(), before);
}

#[test]
fn an_unsound_configuration_or_schedule_is_one_failed_check_of_many() {
    let desk = Desk::bare();
    desk.configure("gateway: { kind: ibb }\n");
    fails(&desk, "configuration", "jobs.yaml");
    assert_eq!(finding(&desk, "zone").0, "ok");
    desk.configure("paths: { schedules: nowhere }\n");
    fails(&desk, "schedules", "nowhere");
    assert_eq!(finding(&desk, "gateway").0, "ok");
}

#[test]
fn a_run_that_nobody_carries_out_any_more_is_warned_of() {
    use frontmonth::calendar::parse_instant;
    use frontmonth::state::{Ledger, Start, Trigger};
    let desk = Desk::bare();
    let at = parse_instant("2026-11-18T12:00").expect("New York time");
    let ledger = Ledger::open(&desk.path().join("state/jobs.db")).expect("opened");
    let start = Start { job: "snapshot".into(), slot: at, trigger: Trigger::Manual, run_id: "r1".into(), pid: 1 };
    ledger.start(&start, at).expect("noted");
    let (grade, found) = finding(&desk, "ledger");
    assert_eq!((grade.as_str(), found.contains("processes that are gone: snapshot")), ("warn", true), "{found}");
}
