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
    assert_eq!(columns, ["job", "slot_utc", "slot_et", "reason", "provisional"]);
    let slots: Vec<String> = lines.iter().map(|line| text(line, "slot_utc")).collect();
    assert!(slots.is_sorted(), "in order of time");
    assert_eq!(slots[0], "2026-03-01T23:05:00Z", "Sunday 18:05 in New York");
    let none = desk.jobs(&["next", "-n", "0"]);
    assert_eq!((none.code, none.stdout.as_str()), (2, ""), "{none:#?}");
}

#[test]
fn slots_past_the_published_calendars_are_marked_unless_the_operator_speaks_of_their_day() {
    let desk = Desk::bare();
    let ask = ["next", "backfill", "-n", "8", "--from", "2027-12-30"];
    let told = desk.jobs(&ask).succeeded().stdout;
    let marks = |told: &str| told.lines().skip(2).map(|line| line.contains(" ET (provisional) ")).collect::<Vec<_>>();
    assert_eq!(marks(&told), [false, false, false, false, false, false, true, true], "{told}");
    let slots = desk.jobs(&[&ask[..], &["--format", "jsonl"]].concat()).succeeded().lines();
    assert_eq!(slots.iter().map(|slot| slot["provisional"] == true).collect::<Vec<_>>(), marks(&told), "{told}");
    desk.configure("calendar: { override_file: days.yaml }\n");
    let day =
        "- { calendar: nyse, date: 2028-01-03, open: \"09:30\", close: \"13:00\", reason: told by the exchange }\n";
    std::fs::write(desk.path().join("days.yaml"), day).expect("a file");
    let told = desk.jobs(&ask).succeeded().stdout;
    assert_eq!(marks(&told), [false; 8], "{told}");
}

#[test]
fn the_jobs_are_listed_with_their_schedules() {
    let desk = Desk::bare();
    let lines = desk.jobs(&["list", "--format", "jsonl"]).succeeded().lines();
    let names: Vec<String> = lines.iter().map(|line| text(line, "job")).collect();
    assert_eq!(names, ["snapshot", "backfill", "compaction", "quality", "signals", "rules", "report", "evaluation"]);
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

#[test]
fn a_rule_that_never_comes_round_is_refused_wherever_the_schedules_are_loaded() {
    let desk = Desk::bare();
    std::fs::create_dir(desk.path().join("mine")).expect("a folder");
    let yaml = "jobs:\n  backfill:\n    schedule: { at: nyse.close + 20m }\n  compaction:\n    schedule:\n      - { every: 1h, during: cme_equity }\n      - { at: nyse.close + 61m, only_if_open: cme_equity }\n";
    std::fs::write(desk.path().join("mine/a.yaml"), yaml).expect("a file");
    desk.configure("gateway: { kind: simulated }\npaths: { schedules: mine }\n");
    let pause = ["pause", "backfill", "--reason", "a test"];
    for arguments in [&["schedule", "check"][..], &["config", "check"], &["list"], &["next"], &pause, &["serve"]] {
        let told = desk.jobs(arguments);
        assert_eq!(told.code, 78, "{arguments:?}: {told:#?}");
        assert!(told.stderr.contains("mine/a.yaml:7: jobs.compaction.schedule: "), "{arguments:?}: {}", told.stderr);
        assert!(told.stderr.contains("never comes round"), "{arguments:?}: {}", told.stderr);
    }
    assert!(!desk.path().join("state/jobs.db").exists(), "nothing was paused");
}

#[test]
fn the_default_jobs_that_a_folder_leaves_out_are_named() {
    let desk = Desk::bare();
    assert_eq!(desk.jobs(&["schedule", "check"]).succeeded().stdout.lines().count(), 1, "nothing is left out");
    std::fs::create_dir(desk.path().join("mine")).expect("a folder");
    let yaml = "jobs:\n  backfill: { schedule: { at: nyse.close + 20m } }\n  snapshot: { schedule: { every: 5m, during: cme_equity } }\n";
    std::fs::write(desk.path().join("mine/a.yaml"), yaml).expect("a file");
    desk.configure("paths: { schedules: mine }\n");
    let told = desk.jobs(&["schedule", "check"]).succeeded().stdout;
    let left_out = "compaction, quality, signals, rules, report, evaluation";
    assert!(told.lines().nth(1).is_some_and(|line| line.ends_with(left_out)), "{told}");
    let told = desk.jobs(&["schedule", "check", "--format", "json"]).succeeded().stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["left_out"].as_array().map(Vec::len), Some(6), "{told}");
}
