//! `jobs status`: what the schedule wanted against what the ledger and the tables have.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use chrono::{DateTime, Utc};
use frontmonth::calendar::parse_instant;
use frontmonth::state::{End, EndState, Ledger, NotRun, RowCounts, Start, Trigger};
use serde_json::{Value, json};

use crate::support::{Desk, Ended, NOON, Simulator, ended, text};

/// Two minutes after noon in New York on the day of [`NOON`].
const AT: [&str; 2] = ["--at", "2026-11-18T12:02"];

fn at(time: &str) -> DateTime<Utc> {
    parse_instant(&format!("2026-11-18T{time}")).expect("New York time")
}

/// A desk with schedules of the test's own, so that another job of the program changes no case.
fn desk(gateway: &str) -> Desk {
    let desk = Desk::bare();
    let schedules = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/schedules");
    desk.configure(&format!("paths: {{ schedules: {schedules} }}\n{gateway}"));
    desk
}

fn at_simulator(simulator: &Simulator) -> Desk {
    desk(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address))
}

fn ledger(desk: &Desk) -> Ledger {
    Ledger::open(&desk.path().join("state/jobs.db")).expect("opened")
}

fn ran(ledger: &Ledger, time: &str, state: EndState) {
    begun(ledger, time);
    let error = (state != EndState::Done).then(|| "the gateway was away".to_owned());
    let exit_code = Some(if error.is_some() { 69 } else { 0 });
    let end = End { state, reason: None, counts: RowCounts::default(), error, exit_code, attempts: 1 };
    ledger.finish(&format!("r{time}"), &end, at(time)).expect("noted");
}

fn begun(ledger: &Ledger, time: &str) {
    let (trigger, run_id) = (Trigger::Schedule, format!("r{time}"));
    let start = Start { job: "snapshot".into(), slot: at(time), trigger, run_id, pid: 1 };
    ledger.start(&start, at(time)).expect("noted");
}

fn missed(ledger: &Ledger, time: &str) {
    let reason = "its start deadline of 60s passed".to_owned();
    ledger.miss(&[NotRun { job: "snapshot".into(), slot: at(time), reason }], at(time)).expect("noted");
}

/// Stands in for a daemon: notes its run in the ledger and holds its lock.
fn daemon(desk: &Desk) -> File {
    ledger(desk).mark_started("d1", at("11:00")).expect("noted");
    let locks = desk.path().join("state/locks");
    std::fs::create_dir_all(&locks).expect("a folder");
    let mut file = File::create(locks.join("daemon.lock")).expect("a file");
    file.lock().expect("free");
    let holder = json!({ "pid": 4711, "run_id": "d1", "since": at("11:00") });
    file.write_all(holder.to_string().as_bytes()).expect("written");
    file
}

fn status(desk: &Desk, more: &[&str]) -> Ended {
    desk.jobs(&[&["status"], &AT[..], more].concat())
}

fn document(desk: &Desk) -> Value {
    status(desk, &["--format", "jsonl"]).lines().remove(0)
}

#[test]
fn a_fresh_desk_is_told_plainly_that_nothing_was_ever_recorded() {
    let desk = desk("");
    // A wrong working directory looks the same, so it is no success.
    let told = status(&desk, &[]);
    assert_eq!(told.code, 78, "{told:#?}");
    assert!(told.stdout.starts_with("no run was ever recorded here; "), "{}", told.stdout);
    assert!(
        told.stdout.contains("there is no lake at ") && told.stdout.contains("daemon: not running"),
        "{}",
        told.stdout
    );
    assert_eq!(std::fs::read_dir(desk.path()).expect("a folder").count(), 1, "it makes nothing");
    let daemon = daemon(&desk);
    assert!(status(&desk, &[]).succeeded().stdout.contains("waits for the first slot"));
    drop(daemon);
    desk.configure("gateway: { kind: ib, address: \"127.0.0.1:9\" }\n");
    let told = status(&desk, &[]);
    assert_eq!(told.code, 3, "where real data should come silence would hide a lost ledger: {told:#?}");
    assert_eq!(desk.jobs(&["status", "--at", "2099-01-05T12:00"]).code, 2);
}

#[test]
fn after_a_run_by_hand_nothing_is_accused() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = at_simulator(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    insta::assert_snapshot!(status(&desk, &[]).succeeded().stdout);
}

#[test]
fn what_was_missed_failed_or_is_unknown_is_told_and_what_was_recovered_is_not() {
    let desk = desk("");
    let ledger = ledger(&desk);
    ran(&ledger, "11:25", EndState::Done);
    missed(&ledger, "11:30");
    missed(&ledger, "11:35");
    ran(&ledger, "11:40", EndState::Failed);
    ran(&ledger, "11:45", EndState::TimedOut);
    ledger.recover("snapshot", &[at("11:45")], at("11:50")).expect("noted");
    ran(&ledger, "11:50", EndState::Done);
    begun(&ledger, "12:00");
    let held = daemon(&desk);
    let told = status(&desk, &[]);
    assert_eq!(told.code, 1, "{told:#?}");
    insta::assert_snapshot!(told.stdout);
    drop(held);
    let told = status(&desk, &[]);
    assert_eq!(told.code, 3, "a missing daemon counts before what it missed");
    assert!(told.stdout.starts_with("no daemon is running") && told.stdout.contains("2 missed"), "{}", told.stdout);
    assert_eq!(status(&desk, &["--timers"]).code, 1);
}

#[test]
fn a_failure_that_was_recovered_and_fresh_tables_are_well() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = at_simulator(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let ledger = ledger(&desk);
    ran(&ledger, "11:55", EndState::Failed);
    let _held = daemon(&desk);
    assert_eq!(status(&desk, &[]).code, 1);
    ledger.recover("snapshot", &[at("11:55")], at("12:01")).expect("noted");
    let told = status(&desk, &[]).succeeded().stdout;
    assert!(told.starts_with("all is well: 2 slots planned in 1 session: 1 done, 1 recovered\n"), "{told}");
    let later = desk.jobs(&["status", "--at", "2026-11-18T12:20"]);
    assert_eq!(later.code, 1);
    assert!(later.stdout.contains("snapshot: 3 unaccounted; stale: ES, NQ, RTY, SPY, QQQ, IWM"), "{}", later.stdout);
}

#[test]
fn the_document_has_a_stable_shape() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = at_simulator(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let ledger = ledger(&desk);
    ran(&ledger, "11:50", EndState::Done);
    ran(&ledger, "11:55", EndState::Failed);
    let told = document(&desk);
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(told["schema"], 1);
    assert_eq!(keys(&told), "schema at_utc verdict daemon sessions last_failure freshness lake_error pauses calendars");
    assert_eq!(keys(&told["verdict"]), "state exit_code text");
    assert_eq!(keys(&told["daemon"]), "running pid since_utc run_id wanted");
    assert_eq!(keys(&told["sessions"][0]), "session_date open_utc close_utc until_utc jobs");
    let job = &told["sessions"][0]["jobs"][0];
    assert_eq!(
        keys(job),
        "job planned done skipped recovered running waiting missed failed timed_out died unaccounted not_counted by_hand \
         rows_added faults"
    );
    assert_eq!(keys(&job["faults"][0]), "fate from_utc to_utc num_slots reason");
    let states = ["done", "skipped", "recovered", "running", "waiting", "missed", "failed", "timed_out", "died"];
    let sum: u64 =
        states.iter().chain(&["unaccounted", "not_counted"]).map(|s| job[s].as_u64().expect("a count")).sum();
    assert_eq!(job["planned"].as_u64(), Some(sum), "every planned slot has one fate");
    assert_eq!(keys(&told["freshness"][0]), "table symbol newest_slot_utc expected_slot_utc behind_slots state reason");
    assert_eq!(keys(&told["calendars"][0]), "calendar horizon_date horizon_days");
    assert_eq!(text(&told["last_failure"], "error"), "the gateway was away");
    let sessions = status(&desk, &["--sessions", "3", "--format", "jsonl"]).lines().remove(0)["sessions"].clone();
    let days: Vec<String> = sessions.as_array().expect("sessions").iter().map(|s| text(s, "session_date")).collect();
    assert_eq!(days, ["2026-11-18", "2026-11-17", "2026-11-16"]);
    assert_eq!(sessions[1]["jobs"][0]["planned"], 276);
    assert_eq!(sessions[1]["jobs"][1]["planned"], 3, "what follows the close is the session's own");
}

#[test]
fn a_damaged_ledger_is_a_fault_of_the_configuration_and_a_damaged_lake_is_told() {
    let desk = desk("");
    ran(&ledger(&desk), "11:55", EndState::Done);
    let _held = daemon(&desk);
    std::fs::create_dir_all(desk.path().join("data/lake/futures_snapshots")).expect("a folder");
    std::fs::write(desk.path().join("data/lake/futures_snapshots/notes.txt"), "mine").expect("a file");
    let told = status(&desk, &[]);
    assert_eq!((told.code, told.stdout.contains("the tables cannot be read")), (1, true), "{told:#?}");
    std::fs::write(desk.path().join("state/jobs.db"), vec![b'x'; 8192]).expect("a file");
    for more in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(desk.path().join(format!("state/jobs.db{more}")));
    }
    assert_eq!(status(&desk, &[]).code, 78);
}

#[test]
fn a_state_folder_that_is_a_file_or_may_not_be_entered_is_told_in_the_first_line() {
    let desk = desk("");
    std::fs::write(desk.path().join("state"), "a file").expect("a file");
    let told = status(&desk, &[]);
    assert_eq!((told.code, told.stdout.as_str()), (78, ""), "{told:#?}");
    let first = "error: cannot read the ledger state/jobs.db: state is no folder: move it away, or give paths.state another value";
    assert!(told.stderr.starts_with(first), "{}", told.stderr);
    std::fs::remove_file(desk.path().join("state")).expect("removed");
    std::fs::create_dir(desk.path().join("state")).expect("a folder");
    std::fs::set_permissions(desk.path().join("state"), std::fs::Permissions::from_mode(0o000)).expect("a mode");
    let told = if std::fs::read_dir(desk.path().join("state")).is_err() {
        status(&desk, &[])
    } else {
        // Root enters everywhere: the capability that lets it is taken away.
        let program = env!("CARGO_BIN_EXE_jobs");
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-dac_override,-dac_read_search", program, "status"]).args(AT);
        if !Command::new("setpriv").arg("--version").output().is_ok_and(|version| version.status.success()) {
            println!("skipped: setpriv is not installed");
            return;
        }
        ended(command.current_dir(desk.path()))
    };
    assert_eq!((told.code, told.stdout.as_str()), (78, ""), "{told:#?}");
    let first =
        "error: cannot read the ledger state/jobs.db: let the user that runs jobs read and write it and its folder";
    assert!(told.stderr.starts_with(first), "{}", told.stderr);
}
