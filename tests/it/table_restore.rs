//! `jobs table restore` and `jobs table backup`: a version comes back, a copy is whole, and captures go on.

use crate::support::{Desk, NOON, Simulator};

/// A desk with a session of ES, filled in one commit, and then the slot of noon.
fn filled(simulator: &Simulator) -> Desk {
    let desk = Desk::at(simulator);
    desk.jobs(&["run", "backfill", "--from", "2026-11-17", "--to", "2026-11-17", "--symbols", "ES"]).succeeded();
    desk.jobs(&["run", "snapshot"]).succeeded();
    desk
}

#[test]
fn a_restore_tells_what_is_lost_asks_first_and_can_be_undone() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = filled(&simulator);
    let keys = desk.keys("futures_snapshots");
    let before = desk.lake_files();
    let restore = ["table", "restore", "futures_snapshots", "--version", "1"];
    let dry = desk.jobs(&[&restore[..], &["--dry-run"]].concat()).succeeded().stdout;
    assert!(dry.contains("lost: 1 rows of NQ from 2026-11-18T17:00:00Z to 2026-11-18T17:00:00Z"), "{dry}");
    let unasked = desk.jobs(&restore);
    assert_eq!(unasked.code, 1, "{unasked:#?}");
    assert!(unasked.stderr.contains("--yes"), "{unasked:#?}");
    assert_eq!(desk.lake_files(), before);
    desk.jobs(&[&restore[..], &["--yes"]].concat()).succeeded();
    assert_eq!(desk.keys("futures_snapshots").len(), keys.len() - 3);
    desk.jobs(&["table", "verify"]).succeeded();
    desk.jobs(&["table", "restore", "futures_snapshots", "--version", "2", "--yes"]).succeeded();
    assert_eq!(desk.keys("futures_snapshots"), keys);
    let none = desk.jobs(&["table", "restore", "futures_snapshots", "--version", "99", "--yes"]);
    assert_eq!(none.code, 2, "{none:#?}");
    let at = desk.jobs(&["table", "restore", "futures_snapshots", "--at", "2020-01-02T10:00", "--yes"]);
    assert_eq!(at.code, 2, "{at:#?}");
}

#[test]
fn a_backup_is_a_lake_of_its_own_and_brings_a_damaged_table_back() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = filled(&simulator);
    let rows = desk.rows("futures_snapshots");
    let told = desk.jobs(&["table", "backup", "saved"]).succeeded().stdout;
    assert!(told.contains("futures_snapshots: whole: 279 rows"), "{told}");
    let again = desk.jobs(&["table", "backup", "saved"]).succeeded().stdout;
    assert!(again.contains("futures_snapshots: version 2: 0 files copied"), "{again}");
    let inside = desk.jobs(&["table", "backup", "data/lake/saved"]);
    assert_eq!(inside.code, 2, "{inside:#?}");
    let lake = desk.path().join("data/lake");
    let refused = desk.jobs(&["table", "restore", "--from", "saved"]);
    assert_eq!(refused.code, 78, "{refused:#?}");
    std::fs::rename(lake.join("futures_snapshots"), desk.path().join("damaged")).expect("moved");
    desk.jobs(&["table", "restore", "--from", "saved", "futures_snapshots"]).succeeded();
    assert_eq!(desk.rows("futures_snapshots"), rows);
    desk.jobs(&["run", "snapshot"]).succeeded();
    desk.jobs(&["run", "compaction"]).succeeded();
    desk.jobs(&["table", "verify"]).succeeded();
}

#[test]
fn a_backup_of_nothing_is_an_error_that_names_configuration_and_lake() {
    let desk = Desk::bare();
    desk.configure("lake: { uri: no/such/lake }\n");
    let nothing = desk.jobs(&["table", "backup", "saved"]);
    assert_eq!(nothing.code, 78, "{nothing:#?}");
    assert!(nothing.stderr.contains("no/such/lake") && nothing.stderr.contains("jobs.yaml"), "{nothing:#?}");
    assert!(!desk.path().join("saved").exists(), "nothing is made");
    for names in [&[][..], &["futures_snapshots"]] {
        let nothing = desk.jobs(&[&["table", "restore", "--from", "nope"], names].concat());
        assert_eq!(nothing.code, 2, "{nothing:#?}");
        for part in ["nope", "no/such/lake", "jobs.yaml"] {
            assert!(nothing.stderr.contains(part), "{part}: {nothing:#?}");
        }
    }
}

#[test]
fn a_backup_holds_the_ledger_and_names_that_are_not_there_are_refused() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = filled(&simulator);
    let told = desk.jobs(&["table", "backup", "saved"]).succeeded().stdout;
    assert!(told.contains("ledger: ") && told.contains("saved/jobs.db"), "{told}");
    let history = |desk: &Desk| desk.jobs(&["history", "--format", "jsonl"]).succeeded().lines();
    let before = history(&desk);
    assert!(!before.is_empty());
    for name in ["jobs.db", "jobs.db-wal", "jobs.db-shm"] {
        let _ = std::fs::remove_file(desk.path().join("state").join(name));
    }
    std::fs::copy(desk.path().join("saved/jobs.db"), desk.path().join("state/jobs.db")).expect("copied");
    assert_eq!(history(&desk), before);
    let absent = desk.jobs(&["table", "backup", "other", "outcomes"]);
    assert_eq!(absent.code, 78, "{absent:#?}");
    assert!(absent.stderr.contains("no table outcomes"), "{absent:#?}");
}

#[test]
fn a_link_to_the_lake_takes_no_backup_of_it() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = filled(&simulator);
    std::os::unix::fs::symlink(desk.path().join("data/lake"), desk.path().join("link")).expect("linked");
    let before = desk.lake_files();
    let refused = desk.jobs(&["table", "backup", "link"]);
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert_eq!(desk.lake_files(), before);
}
