//! Wrong input: what, where, what to do, an exit code, and nothing half written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Desk, NOON, Simulator};

fn refused(desk: &Desk, arguments: &[&str], code: i32, messages: &[&str]) {
    let before = desk.lake_files();
    let ran = desk.jobs(arguments);
    println!("{} -> {}: {}", arguments.join(" "), ran.code, ran.stderr.trim_end());
    assert_eq!(ran.code, code, "{ran:#?}");
    for message in messages {
        assert!(ran.stderr.contains(message), "{message:?} in {}", ran.stderr);
    }
    assert_eq!(desk.lake_files(), before);
}

#[test]
fn wrong_arguments_are_usage_errors_that_say_what_to_do() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    refused(&desk, &["run", "snapshot", "--symbols", "XX"], 2, &["XX is not captured", "ES, NQ, RTY, SPY, QQQ, IWM"]);
    refused(&desk, &["run", "snapshot", "--symbols", "es"], 2, &["'es' is no symbol"]);
    refused(&desk, &["run", "snapshot", "--at", "2026-11-18T11:03"], 2, &["11:00", "11:05"]);
    refused(&desk, &["run", "snapshot", "--at", "2026-11-18T12:05"], 2, &["lies in the future"]);
    refused(&desk, &["run", "snapshot", "--at", "noon"], 2, &["noon"]);
    refused(&desk, &["run", "snapshot", "--at", "1999-01-04T12:00"], 2, &["2010"]);
    refused(&desk, &["run", "backfill", "--from", "2026-11-18", "--to", "2026-11-17"], 2, &["reversed"]);
    refused(&desk, &["run", "backfill", "--from", "2026-11-15", "--to", "2026-11-15"], 2, &["has no session"]);
    refused(&desk, &["run", "backfill", "--from", "2026-11-14", "--to", "2026-11-15"], 2, &["hold no session"]);
    refused(&desk, &["run", "backfill", "--to", "2026-11-15"], 2, &["--from"]);
    refused(&desk, &["run", "backfill", "--from", "2027-01-04"], 2, &["lies in the future"]);
    refused(&desk, &["show", "futures_snapshots", "--symbol", "XX"], 2, &["unknown symbol XX"]);
    refused(&desk, &["calendar", "sessions", "nyse", "--from", "+262142-12-28"], 2, &[]);
    refused(&desk, &["run", "snapsot"], 2, &["snapshot"]);
    refused(&desk, &["show", "future_snapshots"], 2, &["futures_snapshots"]);
    refused(&desk, &["gateway", "simulate", "--fault", "crosed"], 2, &["crossed"]);
    refused(&desk, &["gateway", "simulate", "--tape", "nowhere.csv"], 2, &["nowhere.csv"]);
}

#[test]
fn a_slot_in_a_closed_market_is_skipped_with_the_reason() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let ran = desk.jobs(&["run", "snapshot", "--at", "2026-11-17T17:30"]).succeeded();
    assert!(ran.stdout.contains("cme_equity is closed at 2026-11-17T22:30:00Z"), "{}", ran.stdout);
    let night = desk.jobs(&["run", "snapshot", "--at", "2026-11-18T03:00", "--symbols", "SPY"]).succeeded();
    assert!(night.stdout.contains("nyse is closed at 2026-11-18T08:00:00Z"), "{}", night.stdout);
    assert!(desk.lake_files().is_empty());
}

#[test]
fn a_broken_configuration_is_told_with_its_lines() {
    let desk = Desk::bare();
    desk.configure("gateway:\n  kind: [ib\n");
    refused(&desk, &["run", "snapshot"], 78, &["jobs.yaml", "line"]);
    desk.configure("gateway:\n  knd: ib\nlake:\n  uri: s3://bucket/lake\n");
    refused(&desk, &["run", "snapshot"], 78, &["jobs.yaml:2: unknown key gateway.knd: did you mean kind?"]);
    desk.configure("lake:\n  uri: s3://bucket/lake\n");
    refused(&desk, &["run", "snapshot"], 78, &["s3"]);
    desk.configure("gateway:\n  kind: ib\n");
    refused(&desk, &["run", "snapshot"], 78, &["gateway.address is missing"]);
    let missing = desk.jobs(&["--config", "nowhere.yaml", "config", "check"]);
    assert_eq!((missing.code, missing.stderr.contains("nowhere.yaml")), (78, true), "{missing:#?}");
}

#[test]
fn a_folder_that_is_no_table_is_left_alone() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let folder = desk.path().join("data/lake/futures_snapshots");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("notes.txt"), "mine").expect("a file");
    refused(&desk, &["run", "snapshot"], 78, &["futures_snapshots", "no Delta table"]);
    refused(&desk, &["show", "futures_snapshots"], 78, &["no Delta table"]);
}

#[test]
fn a_lake_that_is_a_file_is_refused() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    fs::create_dir_all(desk.path().join("data")).expect("a folder");
    fs::write(desk.path().join("data/lake"), "a file").expect("a file");
    refused(&desk, &["run", "snapshot"], 78, &["data/lake"]);
}

/// Root writes everywhere, so this one only tells something for others.
#[test]
fn a_lake_that_cannot_be_written_is_refused() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let lake = desk.path().join("data/lake");
    fs::create_dir_all(&lake).expect("a folder");
    fs::set_permissions(&lake, fs::Permissions::from_mode(0o500)).expect("a mode");
    if fs::write(lake.join("probe"), "").is_ok() {
        println!("skipped: this user writes into folders without permission");
        return;
    }
    refused(&desk, &["run", "snapshot"], 78, &["cannot be written"]);
    fs::set_permissions(&lake, fs::Permissions::from_mode(0o700)).expect("a mode");
}

#[test]
fn a_state_folder_that_cannot_be_made_is_refused() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    fs::write(desk.path().join("state"), "a file").expect("a file");
    refused(&desk, &["run", "snapshot"], 78, &["lock folder state", "paths.state"]);
}

#[test]
fn an_unsound_override_file_names_the_entry() {
    let desk = Desk::bare();
    desk.configure("calendar: { override_file: days.yaml }\n");
    fs::write(desk.path().join("days.yaml"), "- { calendar: nyse, date: 2026-12-02, open: \"25:00\" }\n")
        .expect("a file");
    refused(&desk, &["run", "snapshot"], 78, &[]);
    fs::write(desk.path().join("days.yaml"), "- { calendar: nyse, day: 2026-12-02 }\n").expect("a file");
    refused(&desk, &["calendar", "next-open", "nyse"], 78, &["days.yaml", "day"]);
}

/// In a mount namespace of its own, so that the small disk is gone with the shell that made it.
#[test]
fn a_full_disk_is_told_and_the_run_goes_on_when_there_is_room() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let program = env!("CARGO_BIN_EXE_jobs");
    let script = format!(
        r#"mkdir data && mount -t tmpfs -o size=200k tmpfs data || {{ echo "no mount"; exit 0; }}
           '{program}' run snapshot --at 2026-11-18T11:55 > /dev/null 2>&1; echo "with room: $?"
           dd if=/dev/zero of=data/fill bs=1k count=1000 2> /dev/null
           '{program}' run snapshot; echo "without: $?"
           '{program}' show futures_snapshots --format jsonl | wc -l
           rm data/fill
           '{program}' run snapshot > /dev/null; echo "with room again: $?"
           '{program}' show futures_snapshots --format jsonl | wc -l"#
    );
    let mut shell = std::process::Command::new("unshare");
    shell.args(["--mount", "bash", "-c", &script]).current_dir(desk.path()).env("RUST_BACKTRACE", "1");
    let Ok(output) = shell.output() else {
        println!("skipped: unshare is not installed");
        return;
    };
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() || told.contains("no mount") {
        println!("skipped: this user cannot mount a small disk: {errors}");
        return;
    }
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert_eq!(lines, ["with room: 0", "without: 1", "3", "with room again: 0", "6"], "{errors}");
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 1, "{errors}");
    assert!(lines[0].contains("no space left") && lines[0].contains("nothing of it was written"), "{errors}");
}

#[test]
fn the_files_that_a_configuration_names_are_checked_all_at_once() {
    let desk = Desk::bare();
    desk.configure(
        "calendar: { override_file: days.yaml }\npaths: { schedules: nowhere }\nsignals: { dividends_file: none.yaml }\nmail:\n  kind: smtp\n  from: a@example.com\n  to: [b@example.com]\n  smtp: { host: mail.example.com, username: a, password_file: secret }\n",
    );
    fs::write(desk.path().join("days.yaml"), "- { calendar: nyse, date: 2026-12-25, open: \"10:00\" }\n")
        .expect("a file");
    let words = ["days.yaml:1: ", "nowhere", "none.yaml", "mail.smtp.password_file"];
    refused(&desk, &["config", "check"], 78, &words);
    desk.configure("");
    desk.jobs(&["config", "check"]).succeeded();
}

#[test]
fn a_fifo_is_no_configuration_and_holds_nobody() {
    let desk = Desk::bare();
    let made = std::process::Command::new("mkfifo").arg(desk.path().join("jobs.yaml")).status().expect("run");
    assert!(made.success());
    refused(&desk, &["config", "check"], 78, &["jobs.yaml: is a FIFO: name a regular file"]);
    fs::remove_file(desk.path().join("jobs.yaml")).expect("removed");
    std::os::unix::fs::symlink("gone.yaml", desk.path().join("jobs.yaml")).expect("linked");
    refused(&desk, &["run", "snapshot"], 78, &["is a link to gone.yaml, which is not there"]);
}
