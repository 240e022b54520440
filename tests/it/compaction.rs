//! `jobs run compaction` on tables that captures made, killed ones too.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{Desk, NOON, Simulator};

/// Milliseconds after which a compaction is killed, spread over the length of one.
const MOMENTS: [u64; 16] = [10, 40, 70, 90, 110, 130, 150, 170, 190, 210, 230, 260, 300, 340, 400, 480];

/// Captures slots of the hour before noon, each into files of its own.
fn capture(desk: &Desk, minutes: impl Iterator<Item = usize>) {
    for minute in minutes.map(|number| 5 * number) {
        let at = format!("2026-11-18T{}:{:02}:00Z", 15 + minute / 60, minute % 60);
        desk.jobs(&["run", "snapshot", "--at", &at]).succeeded();
    }
}

#[test]
fn a_compaction_changes_no_row_and_the_second_time_nothing_at_all() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    capture(&desk, 0..7);
    let rows = ["futures_snapshots", "spot_snapshots"].map(|table| desk.rows(table));
    let before = desk.lake_files();
    let planned = desk.jobs(&["run", "compaction", "--dry-run"]).succeeded().stdout;
    assert!(planned.contains("futures_snapshots: 21 files") && planned.contains("leaving 3 files"), "{planned}");
    assert_eq!(desk.lake_files(), before, "a dry run writes nothing");
    let told = desk.jobs(&["run", "compaction", "--format", "json"]).succeeded().stdout;
    assert!(told.contains("21 rows of 21 files") && told.contains("checkpoint at version"), "{told}");
    assert_eq!(["futures_snapshots", "spot_snapshots"].map(|table| desk.rows(table)), rows);
    let after = desk.lake_files();
    let again = desk.jobs(&["run", "compaction"]).succeeded().stdout;
    assert!(again.contains("every table is compact"), "{again}");
    assert_eq!(desk.lake_files(), after);
    capture(&desk, 7..8);
    assert_eq!(desk.keys("futures_snapshots").len(), 24, "captures go on");
}

#[test]
fn a_killed_compaction_loses_nothing_and_doubles_nothing() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    capture(&desk, 0..6);
    let mut completed = 0;
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        let mut command = desk.command(&["run", "compaction"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().expect("killed, or over already");
        completed += usize::from(child.wait().expect("its end").success());
        capture(&desk, 6 + number..7 + number);
        for table in ["futures_snapshots", "spot_snapshots"] {
            assert_eq!(desk.keys(table).len(), 3 * (7 + number), "{table} after kill {number}");
        }
    }
    println!("{} of {} compactions were killed before their end", MOMENTS.len() - completed, MOMENTS.len());
    assert!(completed < MOMENTS.len(), "no compaction was killed in time");
    desk.jobs(&["run", "compaction"]).succeeded();
    assert_eq!(desk.keys("futures_snapshots").len(), 3 * (6 + MOMENTS.len()));
}
