//! The ledger: every run by hand is accounted for, whatever became of it.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Desk, NOON, NOON_SLOT, Simulator, text};

fn history(desk: &Desk, arguments: &[&str]) -> Vec<Value> {
    desk.jobs(&[&["history", "--format", "jsonl"], arguments].concat()).succeeded().lines()
}

#[test]
fn a_done_slot_stays_done_however_often_it_is_run() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    assert!(history(&desk, &[]).is_empty());
    desk.jobs(&["run", "snapshot", "--dry-run"]).succeeded();
    assert!(history(&desk, &[]).is_empty(), "a dry run is not recorded");
    for _ in 0..2 {
        desk.jobs(&["run", "snapshot"]).succeeded();
    }
    let told = history(&desk, &["snapshot"]);
    assert_eq!(told.len(), 1);
    assert_eq!(
        ["job", "slot", "state", "trigger"].map(|c| text(&told[0], c)),
        ["snapshot", NOON_SLOT, "done", "manual"]
    );
    assert_eq!((told[0]["added"].as_u64(), told[0]["attempts"].as_u64()), (Some(6), Some(2)));
}

#[test]
fn a_failed_run_is_recorded_with_its_reason_and_becomes_done() {
    let broken = Simulator::standing_at(NOON, &["--fault", "354@first=6"]);
    let desk = Desk::at(&broken);
    assert_eq!(desk.jobs(&["run", "snapshot"]).code, 69);
    let told = history(&desk, &["--status", "failed"]);
    assert_eq!((told.len(), told[0]["exit_code"].as_u64()), (1, Some(69)));
    assert!(text(&told[0], "error").contains("no subscription"), "{}", told[0]);
    desk.jobs(&["run", "snapshot"]).succeeded();
    assert_eq!(text(&history(&desk, &[])[0], "state"), "done");
}

#[test]
fn a_killed_run_is_found_by_the_next_one_and_a_backfill_recovers_the_slot() {
    let silent = Simulator::standing_at(NOON, &["--fault", "wrong-request-id"]);
    let desk = Desk::at(&silent);
    let mut child = desk.command(&["run", "snapshot"]).stderr(std::process::Stdio::null()).spawn().expect("it runs");
    while history(&desk, &["--status", "running"]).is_empty() {
        assert!(child.try_wait().expect("its state").is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("killed");
    child.wait().expect("its end");
    let later = Simulator::standing_at("2026-11-18T17:06:00Z", &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", later.address));
    desk.jobs(&["run", "snapshot"]).succeeded();
    let told = history(&desk, &["snapshot", "--status", "failed"]);
    assert_eq!((told.len(), text(&told[0], "slot").as_str()), (1, NOON_SLOT));
    assert_eq!(text(&told[0], "reason"), "the process ended: killed or crashed");
    desk.jobs(&["run", "backfill", "--from", "2026-11-18"]).succeeded();
    let told = history(&desk, &["snapshot", "--status", "recovered"]);
    assert_eq!((told.len(), text(&told[0], "slot").as_str()), (1, NOON_SLOT));
}

#[test]
fn a_replaced_row_is_kept() {
    let simulator = Simulator::standing_at(NOON, &["--seed", "1"]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot", "--symbols", "ES"]).succeeded();
    let old = desk.rows("futures_snapshots").remove(0);
    let other = Simulator::standing_at(NOON, &["--seed", "2"]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", other.address));
    desk.jobs(&["run", "snapshot", "--symbols", "ES", "--force"]).succeeded();
    assert_ne!(desk.rows("futures_snapshots")[0]["last"], old["last"]);
    let ledger =
        frontmonth::state::Ledger::open_to_read(&desk.path().join("state/jobs.db")).expect("sound").expect("there");
    let kept = ledger.replaced("futures_snapshots", &format!("ES {NOON_SLOT}")).expect("readable");
    assert_eq!(kept.len(), 1);
    assert_eq!(serde_json::from_str::<Value>(&kept[0].old_json).expect("JSON"), old);
}

/// What is replaced is kept for good, so nothing is replaced where it cannot be.
#[test]
fn force_is_refused_without_a_ledger_and_replaces_nothing() {
    let simulator = Simulator::standing_at(NOON, &["--seed", "1"]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let rows = desk.rows("futures_snapshots");
    for name in ["jobs.db", "jobs.db-wal", "jobs.db-shm"] {
        let _ = std::fs::remove_file(desk.path().join("state").join(name));
    }
    std::fs::write(desk.path().join("state/jobs.db"), vec![b'x'; 8192]).expect("a file");
    let other = Simulator::standing_at(NOON, &["--seed", "2"]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", other.address));
    let forced = desk.jobs(&["run", "snapshot", "--force"]);
    assert_eq!(forced.code, 78, "{forced:#?}");
    assert!(forced.stderr.contains("nothing was replaced"), "{forced:#?}");
    assert_eq!(desk.rows("futures_snapshots"), rows);
}

/// Killed at any moment: each row that was replaced is kept once, and no row that stands counts as replaced.
#[test]
fn a_killed_force_keeps_every_row_it_replaced() {
    let simulator = Simulator::standing_at(NOON, &["--seed", "1"]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot", "--symbols", "ES"]).succeeded();
    let mut prices = vec![desk.rows("futures_snapshots").remove(0)];
    for (number, moment) in [0, 60, 90, 120, 150, 180, 210, 240, 270, 300, 350, 400].into_iter().enumerate() {
        let other = Simulator::standing_at(NOON, &["--seed", &(number + 2).to_string()]);
        desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", other.address));
        let mut command = desk.command(&["run", "snapshot", "--symbols", "ES", "--force"]);
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(std::time::Duration::from_millis(moment));
        child.kill().expect("killed, or over already");
        child.wait().expect("its end");
        let now = desk.rows("futures_snapshots").remove(0);
        if prices.last() != Some(&now) {
            prices.push(now);
        }
    }
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
    desk.jobs(&["run", "compaction"]).succeeded();
    let ledger =
        frontmonth::state::Ledger::open_to_read(&desk.path().join("state/jobs.db")).expect("sound").expect("there");
    let kept = ledger.replaced("futures_snapshots", &format!("ES {NOON_SLOT}")).expect("readable");
    let mut kept: Vec<Value> = kept.iter().map(|row| serde_json::from_str(&row.old_json).expect("JSON")).collect();
    kept.reverse();
    prices.pop();
    assert_eq!(kept, prices);
}

/// The capture is worth more than its record: without a ledger it goes on, and says so.
#[test]
fn a_damaged_ledger_is_told_and_does_not_keep_a_slot_from_being_captured() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    std::fs::create_dir_all(desk.path().join("state")).expect("a folder");
    std::fs::write(desk.path().join("state/jobs.db"), vec![b'x'; 8192]).expect("a file");
    let ran = desk.jobs(&["run", "snapshot"]).succeeded();
    assert!(ran.stderr.contains("not recorded") && ran.stderr.contains("jobs.db"), "{}", ran.stderr);
    assert_eq!(desk.keys("futures_snapshots").len(), 3);
    let told = desk.jobs(&["history"]);
    assert_eq!((told.code, told.stderr.contains("jobs.db")), (78, true), "{told:#?}");
}
