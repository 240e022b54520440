//! `jobs simulate`: trading days at the machine's speed, accounted to the last slot, continued after any end.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Desk, ended, half_day_tape};

/// The day after Thanksgiving closes at 13:15: 231 slots of futures, 42 of ETFs.
const HALF_DAY: [&str; 4] = ["--from", "2026-11-27", "--to", "2026-11-27"];

/// A capture every half hour, and one backfill for the rest: few runs, and still every row.
const SPARSE: &str = "jobs:
  snapshot:
    schedule: { every: 30m, during: cme_equity }
    live: true
    misfire: { catch_up: none, start_deadline: 60s }
  backfill:
    schedule: { at: cme_equity.close + 15m }
    misfire: { catch_up: one }
  compaction:
    schedule: { at: cme_equity.close + 5m }
    misfire: { catch_up: one }
";

fn sparse() -> Desk {
    let desk = Desk::bare();
    std::fs::create_dir(desk.path().join("plan")).expect("a folder");
    std::fs::write(desk.path().join("plan/all.yaml"), SPARSE).expect("a file");
    desk.configure("paths: { schedules: plan }\n");
    desk
}

fn arguments<'a>(range: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["simulate", "--format", "jsonl"], range, more].concat()
}

/// Simulates to the end, and gives the account.
fn simulated(desk: &Desk, range: &[&str], more: &[&str]) -> Value {
    let mut lines = desk.jobs(&arguments(range, more)).succeeded().lines();
    assert_eq!(lines.len(), 1, "one document");
    lines.remove(0)
}

fn job<'a>(account: &'a Value, name: &str) -> &'a Value {
    let jobs = account["jobs"].as_array().expect("jobs");
    jobs.iter().find(|job| job["job"] == name).unwrap_or_else(|| panic!("{name} in {account}"))
}

fn rows(account: &Value) -> Vec<(u64, u64, u64)> {
    let count = |table: &Value, what: &str| table[what].as_u64().expect("a count");
    let tables = account["tables"].as_array().expect("tables");
    tables.iter().map(|table| (count(table, "rows"), count(table, "keys"), count(table, "expected"))).collect()
}

fn begun(desk: &Desk, range: &[&str]) -> Child {
    let mut command = desk.command(&arguments(range, &[]));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}

/// The newest version of the futures; 0 where there is none.
fn version(desk: &Desk) -> u64 {
    let log = desk.path().join("data/simulation/lake/futures_snapshots/_delta_log");
    let commits = std::fs::read_dir(log).into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".json")?.parse::<u64>().ok()
    });
    commits.max().unwrap_or(0)
}

/// Waits until a simulation has written a version after this one, so that it is in the middle of its work.
fn wait_for_version_after(desk: &Desk, before: u64) {
    let began = Instant::now();
    while version(desk) <= before {
        assert!(began.elapsed() < Duration::from_mins(1), "the simulation does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn every_slot_is_accounted_every_row_is_there_and_twice_adds_nothing() {
    let desk = Desk::bare();
    let account = simulated(&desk, &HALF_DAY, &[]);
    let snapshot = job(&account, "snapshot");
    for count in ["planned_slots", "planned", "done"] {
        assert_eq!(snapshot[count], 231, "{count} in {snapshot}");
    }
    assert_eq!(rows(&account), [(3 * 231, 3 * 231, 3 * 231), (3 * 42, 3 * 42, 3 * 42)]);
    assert_eq!((&account["is_complete"], &account["faults"]), (&Value::Bool(true), &Value::Array(Vec::new())));
    // One at the start, before the open, after the two closes; and compaction every hour and after the close.
    assert_eq!(job(&account, "backfill")["planned"], 4, "{account}");
    let files = desk.lake_files();
    let again = simulated(&desk, &HALF_DAY, &[]);
    assert_eq!(again["num_runs"], 0, "{again}");
    assert_eq!((rows(&again), job(&again, "snapshot")["done"].clone()), (rows(&account), Value::from(231)));
    let of_tables = |files: std::collections::BTreeSet<(std::path::PathBuf, u64)>| {
        files.into_iter().filter(|(path, _)| path.to_string_lossy().contains("simulation/lake")).collect::<Vec<_>>()
    };
    assert_eq!(of_tables(desk.lake_files()), of_tables(files), "nothing was written to the tables");
}

#[test]
fn the_night_in_which_the_clocks_change_has_all_its_slots_however_few_were_captured() {
    let desk = sparse();
    let account = simulated(&desk, &["--from", "2026-03-06", "--to", "2026-03-09"], &[]);
    assert_eq!(job(&account, "snapshot")["done"], 2 * 46, "{account}");
    assert_eq!(rows(&account), [(3 * 2 * 276, 3 * 2 * 276, 3 * 2 * 276), (3 * 2 * 78, 3 * 2 * 78, 3 * 2 * 78)]);
    // The next days go on in the same tables.
    let next = simulated(&desk, &["--from", "2026-03-10", "--to", "2026-03-10"], &[]);
    assert_eq!(rows(&next), [(3 * 276, 3 * 276, 3 * 276), (3 * 78, 3 * 78, 3 * 78)]);
}

#[test]
fn ended_by_a_signal_or_killed_it_goes_on_without_loss_or_double() {
    let desk = Desk::bare();
    let mut killed = begun(&desk, &HALF_DAY);
    wait_for_version_after(&desk, 8);
    killed.kill().expect("killed");
    killed.wait().expect("its end");
    let before = version(&desk);
    let mut ended = begun(&desk, &HALF_DAY);
    wait_for_version_after(&desk, before);
    let kill = Command::new("kill").args(["-TERM", &ended.id().to_string()]).status().expect("kill runs");
    assert!(kill.success(), "it was still at work");
    assert_eq!(ended.wait().expect("its end").code(), Some(143));
    let account = simulated(&desk, &HALF_DAY, &[]);
    assert_eq!(rows(&account), [(3 * 231, 3 * 231, 3 * 231), (3 * 42, 3 * 42, 3 * 42)]);
    // Killed after its rows were stored and before the ledger knew, a slot finds them there.
    let ended = ["done", "skipped"].map(|state| job(&account, "snapshot")[state].as_u64().expect("a count"));
    assert_eq!(ended.iter().sum::<u64>(), 231, "{account}");
    let num_runs = job(&account, "snapshot")["timing"]["num_runs"].as_u64().expect("a count");
    assert!(num_runs < 231, "it began where it had ended: {account}");
}

#[test]
fn a_second_one_is_told_who_holds_the_folder() {
    let desk = Desk::bare();
    let mut first = begun(&desk, &HALF_DAY);
    wait_for_version_after(&desk, 8);
    let second = desk.jobs(&arguments(&HALF_DAY, &["--fresh"]));
    let is_named = second.stderr.contains(&format!("process {}", first.id()));
    first.kill().expect("killed");
    first.wait().expect("its end");
    assert_eq!(second.code, 75, "{second:#?}");
    assert!(is_named, "{second:#?}");
}

#[test]
fn a_fresh_one_leaves_the_real_tables_alone() {
    let desk = sparse();
    let day = ["--from", "2026-11-27", "--to", "2026-11-27"];
    desk.jobs(&["run", "snapshot"]).succeeded();
    let real = desk.keys("futures_snapshots");
    let first = simulated(&desk, &day, &[]);
    std::fs::write(desk.path().join("data/simulation/notes.txt"), "mine").expect("written");
    let fresh = simulated(&desk, &day, &["--fresh"]);
    assert_eq!((&fresh["num_runs"], rows(&fresh)), (&first["num_runs"], rows(&first)));
    assert!(desk.path().join("data/simulation/notes.txt").exists());
    assert_eq!(desk.keys("futures_snapshots"), real);
    // A folder that no simulation made is not touched.
    std::fs::remove_file(desk.path().join("data/simulation/simulation.lock")).expect("removed");
    let refused = desk.jobs(&arguments(&day, &["--fresh"]));
    assert_eq!(refused.code, 78, "{refused:#?}");
    assert!(desk.path().join("data/simulation/lake/futures_snapshots").is_dir());
}

#[test]
fn days_that_cannot_be_are_refused() {
    let desk = Desk::bare();
    for (from, to, told) in [
        ("2026-03-13", "2026-03-09", "reversed"),
        ("2026-03-14", "2026-03-15", "hold no session"),
        ("1901-01-07", "1901-01-08", "1901"),
        ("2026-02-30", "2026-03-02", "2026-02-30"),
        ("monday", "2026-03-02", "monday"),
    ] {
        let refused = desk.jobs(&["simulate", "--from", from, "--to", to]);
        assert_eq!(refused.code, 2, "{refused:#?}");
        assert!(refused.stderr.contains(told), "{refused:#?}");
    }
    assert!(!desk.path().join("data").exists(), "nothing was made");
}

/// A tape of ES over the half day, a quarter of a point up each five minutes.
fn tape() -> String {
    let open: DateTime<Utc> = "2026-11-26T23:00:00Z".parse().expect("an instant");
    let bars = (0..231).map(|number: i32| {
        let start = open + TimeDelta::minutes(5 * i64::from(number));
        let (first, last) = (price(number), price(number + 1));
        let times = [start, start + TimeDelta::minutes(5)].map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        format!("ES,ESZ6,2026-12-18,{},{first},{last},{first},{last},10\n", times.join(","))
    });
    format!("symbol,contract,expiry,bar_start_utc,bar_end_utc,open,high,low,close,volume\n{}", bars.collect::<String>())
}

/// What stands after so many bars.
fn price(num_bars: i32) -> f64 {
    6_000.0 + 0.25 * f64::from(num_bars)
}

#[test]
fn a_recorded_tape_is_played_and_goes_on_only_with_itself() {
    let desk = sparse();
    // A recorded tape has neither open interest nor implied volatility, for which a capture waits.
    let gateway = "gateway: { quote_settle_ms: 100 }";
    desk.configure(&format!("paths: {{ schedules: plan }}\nmarket: {{ futures: [ES], spot: [] }}\n{gateway}\n"));
    std::fs::write(desk.path().join("es.csv"), tape()).expect("a tape");
    let account = simulated(&desk, &HALF_DAY, &["--tape", "es.csv"]);
    assert_eq!(rows(&account), [(231, 231, 231), (0, 0, 0)], "{account}");
    let mut show = desk.command(&["show", "futures_snapshots", "--last", "1000", "--format", "jsonl"]);
    let played = ended(show.env("JOBS__LAKE__URI", "data/simulation/lake")).succeeded().lines();
    let mut prices: Vec<f64> = played.iter().map(|row| row["last"].as_f64().expect("a price")).collect();
    prices.sort_by(f64::total_cmp);
    assert_eq!(prices, (1..=231).map(price).collect::<Vec<_>>());
    // The same bars go on, whatever their file is called; others do not.
    std::fs::rename(desk.path().join("es.csv"), desk.path().join("again.csv")).expect("renamed");
    assert_eq!(simulated(&desk, &HALF_DAY, &["--tape", "again.csv"])["num_runs"], 0);
    let files = desk.lake_files();
    for (more, told) in [
        (&[][..], "goes by the tape synthetic with seed 20260101, without faults"),
        (&["--tape", "again.csv", "--fault", "354"], "with the faults 354"),
    ] {
        let refused = desk.jobs(&arguments(&HALF_DAY, more));
        assert_eq!(refused.code, 78, "{refused:#?}");
        for told in ["was made by the tape recorded, 231 bars of ES (crc32 ", told, "--fresh"] {
            assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
        }
    }
    assert_eq!(desk.lake_files(), files, "nothing was written");
}

#[test]
fn a_fault_strikes_as_it_was_asked_for_and_what_it_took_is_recovered() {
    let desk = sparse();
    // Each capture asks three times before it fails.
    let account = simulated(&desk, &HALF_DAY, &["--fault", "crossed@symbol=NQ,first=6"]);
    let count = |state: &str| job(&account, "snapshot")[state].as_u64().expect("a count");
    assert_eq!((count("planned"), count("done") + count("recovered")), (38, 38), "{account}");
    assert!(count("recovered") > 0, "a capture was struck: {account}");
    assert_eq!(rows(&account), [(3 * 231, 3 * 231, 3 * 231), (3 * 42, 3 * 42, 3 * 42)]);
    assert!(account["findings"]["quote.crossed"].as_u64() >= Some(1), "of runs that failed too: {account}");
    assert_eq!(account["mails"], 2, "the capture that failed, and that the next ones did not: {account}");
}

#[test]
fn the_arenas_of_its_memory_are_bounded_unless_somebody_else_did() {
    let desk = Desk::bare();
    for (given, found) in [(None, "MALLOC_ARENA_MAX=2"), (Some("5"), "MALLOC_ARENA_MAX=5")] {
        let before = version(&desk);
        let mut command = desk.command(&arguments(&HALF_DAY, &[]));
        command.env_remove("MALLOC_ARENA_MAX").envs(given.map(|given| ("MALLOC_ARENA_MAX", given)));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        wait_for_version_after(&desk, before);
        let environment = std::fs::read(format!("/proc/{}/environ", child.id())).expect("of the child");
        child.kill().expect("killed");
        child.wait().expect("its end");
        let entries: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
        assert!(entries.contains(&found.as_bytes()), "{found}");
    }
}

#[test]
fn a_tape_of_one_future_as_the_help_shows_it_fails_no_slot() {
    let desk = sparse();
    half_day_tape(&desk.path().join("es.csv"), |number| 6_000.0 + f64::from(number % 7) * 0.25);
    let ended = desk.jobs(&arguments(&HALF_DAY, &["--tape", "es.csv"]));
    assert!(ended.stderr.contains("NQ, RTY, SPY, QQQ, IWM are left out"), "{}", ended.stderr);
    let account = ended.succeeded().lines().remove(0);
    assert_eq!(rows(&account)[0], (231, 231, 231), "{account}");
    let other = desk.path().join("other.csv");
    let tape = std::fs::read_to_string(desk.path().join("es.csv")).expect("read").replace("ES,ESZ6", "YM,YMZ6");
    std::fs::write(&other, tape).expect("written");
    let ended = desk.jobs(&arguments(&HALF_DAY, &["--tape", "other.csv"]));
    assert_eq!(ended.code, 2, "{ended:#?}");
    assert!(ended.stderr.contains("the tape holds YM and none of market.futures (ES, NQ, RTY)"), "{}", ended.stderr);
}

#[test]
fn a_signal_ends_a_simulation_with_its_account_and_leaves_the_run_to_the_next() {
    let desk = sparse();
    // Nothing is answered, so that a run takes as long as its bounds.
    let mut command = desk.command(&arguments(&HALF_DAY, &["--fault", "wrong-request-id"]));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let began = Instant::now();
    let history = || {
        let mut command = desk.command(&["history", "--format", "jsonl"]);
        let ended = ended(command.env("JOBS__PATHS__STATE", "data/simulation/state"));
        if ended.code == 0 { ended.lines() } else { Vec::new() }
    };
    while history().iter().all(|row| row["state"] != "running") {
        assert!(began.elapsed() < Duration::from_mins(1), "the simulation does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    let account: Value = serde_json::from_slice(&output.stdout).expect("the account");
    assert_eq!(account["is_complete"], false, "{account}");
    assert!(job(&account, "snapshot")["planned_slots"].as_u64().is_some_and(|slots| slots > 0));
    let states: Vec<Value> = history().iter().map(|row| row["state"].clone()).collect();
    assert!(states.iter().all(|state| state == "running" || state == "planned"), "nothing has failed: {states:?}");
}
