//! `jobs next`, `jobs list`, `jobs schedule check` as an operator uses them.

use crate::support::{Desk, text};

#[test]
fn next_tells_each_slot_with_its_reason_over_a_half_day() {
    let desk = Desk::bare();
    let ask = ["next", "backfill", "-n", "8", "--from", "2026-11-26", "--explain"];
    insta::assert_snapshot!(desk.jobs(&ask).succeeded().stdout);
    let lines = desk.jobs(&["next", "-n", "400", "--from", "2026-03-01", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(lines.len(), 400);
    let columns: Vec<&String> = lines[0].as_object().expect("an object").keys().collect();
    assert_eq!(columns, ["job", "slot_utc", "slot_et", "reason"]);
    let slots: Vec<String> = lines.iter().map(|line| text(line, "slot_utc")).collect();
    assert!(slots.is_sorted(), "in order of time");
    assert_eq!(slots[0], "2026-03-01T23:05:00Z", "Sunday 18:05 in New York");
}

#[test]
fn the_jobs_are_listed_with_their_schedules() {
    let desk = Desk::bare();
    let lines = desk.jobs(&["list", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(lines.iter().map(|line| text(line, "job")).collect::<Vec<_>>(), ["snapshot", "backfill", "compaction"]);
    assert_eq!(lines[0]["schedule"], serde_json::json!(["every 5m during cme_equity"]));
}

#[test]
fn unsound_schedules_are_told_with_file_and_line() {
    let desk = Desk::bare();
    desk.jobs(&["schedule", "check"]).succeeded();
    std::fs::create_dir(desk.path().join("mine")).expect("a folder");
    let yaml = "jobs:\n  snapsot:\n    schedule: { every: 5m, during: cme_equity }\n  backfill:\n    schedule: { at: nyse.opn }\n";
    std::fs::write(desk.path().join("mine/a.yaml"), yaml).expect("a file");
    desk.configure("paths: { schedules: mine }\n");
    let told = desk.jobs(&["schedule", "check"]);
    assert_eq!(told.code, 78, "{told:#?}");
    assert!(told.stderr.contains("mine/a.yaml:2") && told.stderr.contains("snapshot"), "{}", told.stderr);
    assert!(told.stderr.contains("mine/a.yaml:5") && told.stderr.contains("nyse.open"), "{}", told.stderr);
    desk.configure("");
    assert_eq!(desk.jobs(&["next", "backfil"]).code, 2);
}
