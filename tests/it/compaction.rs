//! `jobs run compaction` on tables that captures made, killed ones too.

use std::ops::Range;
use std::process::Stdio;

use crate::support::{Desk, Simulator, copy_of};

/// Kills, spread over the length of a compaction.
const KILLS: u32 = 12;

/// Captures slots, each into files of its own, from a gateway that stands just after it.
fn capture(desk: &Desk, slots: Range<usize>) {
    for number in slots {
        let now = format!("2026-11-18T{}:{:02}:10Z", 15 + number / 12, 5 * (number % 12));
        let simulator = Simulator::standing_at(&now, &[]);
        desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
        desk.jobs(&["run", "snapshot"]).succeeded();
    }
    desk.configure("");
}

#[test]
fn a_compaction_changes_no_row_and_the_second_time_nothing_at_all() {
    let desk = Desk::bare();
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
    let desk = Desk::bare();
    capture(&desk, 0..7);
    let keys = ["futures_snapshots", "spot_snapshots"].map(|table| desk.keys(table));
    let took = copy_of(&desk).jobs(&["run", "compaction"]).succeeded().took;
    let (mut killed, mut abandoned) = (0, 0);
    for kill in 1..=KILLS {
        let copy = copy_of(&desk);
        let before = copy.lake_files();
        let mut command = copy.command(&["run", "compaction"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(took * kill / KILLS);
        child.kill().expect("killed, or over already");
        let is_killed = !child.wait().expect("its end").success();
        killed += usize::from(is_killed);
        abandoned += usize::from(is_killed && copy.lake_files() != before);
        let found = || ["futures_snapshots", "spot_snapshots"].map(|table| copy.keys(table));
        assert_eq!(found(), keys, "after kill {kill}");
        copy.jobs(&["run", "compaction"]).succeeded();
        assert_eq!(found(), keys, "compacted after kill {kill}");
        let left = copy.jobs(&["run", "compaction", "--dry-run"]).succeeded().stdout;
        assert_eq!(left.matches("nothing to compact").count(), 2, "{left}");
    }
    println!(
        "{killed} of {KILLS} compactions were killed before their end, {abandoned} of them in the midst of writing"
    );
    assert!(killed > 0, "no compaction was killed in time");
}
