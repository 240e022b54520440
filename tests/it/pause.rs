//! `jobs pause` and `jobs resume`.

use chrono::TimeDelta;
use frontmonth::clock::{Clock, SystemClock};
use frontmonth::state::Ledger;

use crate::support::{Desk, text};

/// Times and counts, which differ from run to run.
const VARYING: [(&str, &str); 3] = [
    (r"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d ET", "[time]"),
    (r"\d+ slots", "[n] slots"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[instant]"),
];

#[test]
fn a_pause_is_told_replaced_and_ended() {
    let desk = Desk::bare();
    // Longer than any weekend.
    let until = (SystemClock.now() + TimeDelta::days(5)).to_rfc3339();
    let mut told = Vec::new();
    for arguments in [
        &["resume", "snapshot"][..],
        &["pause", "snapshot", "--reason", "roll week", "--until", &until],
        &["pause", "snapshot", "--reason", "longer than thought"],
        &["resume", "snapshot"],
    ] {
        told.push(desk.jobs(arguments).succeeded().stdout);
    }
    insta::with_settings!({ filters => VARYING }, { insta::assert_snapshot!(told.join("\n")) });
}

#[test]
fn a_pause_stands_in_the_ledger_until_its_end() {
    let desk = Desk::bare();
    let told = desk.jobs(&["pause", "backfill", "--reason", "disk is grown", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(
        (text(&told[0]["pause"], "job"), text(&told[0]["pause"], "reason")),
        ("backfill".into(), "disk is grown".into())
    );
    assert_eq!(told[0]["next_slots_utc"].as_array().map(Vec::len), Some(3));
    let paused = || {
        let ledger = Ledger::open_to_read(&desk.path().join("state/jobs.db")).expect("sound").expect("there");
        ledger.all_paused(SystemClock.now()).expect("readable").into_iter().map(|pause| pause.job).collect::<Vec<_>>()
    };
    assert_eq!(paused(), ["backfill"]);
    let status = desk.jobs(&["status", "--format", "jsonl"]).lines();
    assert_eq!(text(&status[0]["pauses"][0], "reason"), "disk is grown");
    let ended = desk.jobs(&["resume", "backfill", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(text(&ended[0]["ended"], "reason"), "disk is grown");
    assert!(paused().is_empty());
    assert!(desk.jobs(&["resume", "backfill", "--format", "jsonl"]).succeeded().lines()[0]["ended"].is_null());
}

#[test]
fn what_cannot_be_paused_is_refused_with_a_suggestion_and_nothing_is_made() {
    let desk = Desk::bare();
    let refused = |arguments: &[&str], told: &str| {
        let ended = desk.jobs(arguments);
        assert_eq!((ended.code, ended.stderr.contains(told)), (2, true), "{ended:#?}");
    };
    refused(&["pause", "snapsot", "--reason", "x"], "did you mean snapshot?");
    refused(&["resume", "snapsot"], "did you mean snapshot?");
    refused(&["pause", "snapshot"], "--reason");
    refused(&["pause", "snapshot", "--reason", " "], "--reason is empty");
    refused(&["pause", "snapshot", "--reason", "x", "--until", "2020-11-18T12:00"], "is past");
    refused(&["pause", "snapshot", "--reason", "x", "--until", "soon"], "soon");
    assert!(!desk.path().join("state").exists());
    std::fs::create_dir(desk.path().join("mine")).expect("a folder");
    std::fs::write(desk.path().join("mine/a.yaml"), "jobs: { backfill: { schedule: { on: start } } }\n")
        .expect("a file");
    desk.configure("paths: { schedules: mine }\n");
    refused(&["pause", "snapshot", "--reason", "x"], "snapshot");
    let told = desk.jobs(&["pause", "backfill", "--reason", "x"]).succeeded().stdout;
    assert!(told.contains("no slot of it is planned"), "{told}");
}

#[test]
fn a_pause_that_leaves_nothing_out_says_so_and_what_comes_after_it() {
    let desk = Desk::bare();
    std::fs::create_dir(desk.path().join("mine")).expect("a folder");
    // Four slots a year: the next hour has none but on those days.
    std::fs::write(desk.path().join("mine/a.yaml"), "jobs: { backfill: { schedule: { at: ES.expiry } } }\n")
        .expect("a file");
    desk.configure("paths: { schedules: mine }\n");
    let until = (SystemClock.now() + TimeDelta::hours(1)).to_rfc3339();
    let arguments = ["pause", "backfill", "--reason", "x", "--until", &until];
    let told = desk.jobs(&arguments).succeeded().stdout;
    assert!(told.contains("no slot of it is planned until then anyway: this pause leaves nothing out"), "{told}");
    assert!(told.contains("its first slot after the pause is "), "{told}");
    let told = desk.jobs(&[&arguments[..], &["--format", "jsonl"]].concat()).succeeded().lines();
    assert_eq!((told[0]["leaves_nothing_out"].as_bool(), told[0]["num_slots"].as_u64()), (Some(true), Some(0)));
    assert!(told[0]["first_slot_after_utc"].is_string());
}
