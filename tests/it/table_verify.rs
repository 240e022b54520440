//! `jobs table verify`, and every command on tables damaged by hand: damage is named with its remedy, and nothing makes it
//! worse.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Desk, Simulator, copy_of, text};

const TABLE: &str = "data/lake/futures_snapshots";

/// A desk with a session's beginning in seven commits, and the gateway that gave it.
fn filled() -> (Desk, Simulator) {
    let desk = Desk::bare();
    let mut last = None;
    for number in 0..7 {
        let now = format!("2026-11-18T15:{:02}:10Z", 5 * number);
        let simulator = Simulator::standing_at(&now, &[]);
        desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
        desk.jobs(&["run", "snapshot"]).succeeded();
        last = Some(simulator);
    }
    (desk, last.expect("a gateway"))
}

fn entry(desk: &Desk, version: u64) -> PathBuf {
    desk.path().join(TABLE).join(format!("_delta_log/{version:020}.json"))
}

fn data_file(desk: &Desk, symbol: &str) -> PathBuf {
    let folder = desk.path().join(TABLE).join(format!("symbol={symbol}"));
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a partition").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.swap_remove(0)
}

fn cut(path: &Path) {
    let content = fs::read(path).expect("read");
    fs::write(path, &content[..content.len() / 2]).expect("written");
}

/// The faults of the futures table: kind, version, text.
fn faults(desk: &Desk) -> Vec<(String, Option<u64>, String, String)> {
    let told = desk.jobs(&["table", "verify", "futures_snapshots", "--format", "jsonl"]);
    let table = told.lines().remove(0);
    let faults = table["faults"].as_array().expect("faults").clone();
    assert_eq!(told.code, if faults.is_empty() { 0 } else { 65 }, "{told:#?}");
    let fault = |fault: &Value| {
        assert!(Path::new(&text(fault, "path")).is_absolute(), "{fault}");
        assert!(!text(fault, "remedy").is_empty(), "{fault}");
        (text(fault, "kind"), fault["version"].as_u64(), text(fault, "what"), text(fault, "remedy"))
    };
    faults.iter().map(fault).collect()
}

#[test]
fn a_table_that_jobs_wrote_is_whole_before_and_after_maintenance() {
    let (desk, _simulator) = filled();
    let told = desk.jobs(&["table", "verify"]).succeeded().stdout;
    assert!(told.contains("futures_snapshots: whole: 21 rows in 21 files, version 7"), "{told}");
    assert!(told.contains("spot_snapshots: whole: 21 rows"), "{told}");
    desk.jobs(&["run", "compaction"]).succeeded();
    let before = desk.lake_files();
    let told = desk.jobs(&["table", "verify", "futures_snapshots", "--format", "json"]).succeeded().stdout;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((told[0]["num_rows"].as_u64(), told[0]["num_files"].as_u64()), (Some(21), Some(3)), "{told}");
    assert!(told[0]["strays"].as_array().is_some_and(Vec::is_empty), "replaced files are known: {told}");
    assert!(told[0]["notes"].as_array().is_some_and(Vec::is_empty), "{told}");
    assert_eq!(desk.lake_files(), before, "verify writes nothing");
}

#[test]
fn holes_orphans_and_leftovers_are_told_and_are_no_faults() {
    let (desk, _simulator) = filled();
    let simulator = Simulator::standing_at("2026-11-18T16:00:10Z", &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
    desk.jobs(&["run", "snapshot"]).succeeded();
    let table = desk.path().join(TABLE);
    fs::copy(data_file(&desk, "ES"), table.join("symbol=ES/part-orphan.parquet")).expect("copied");
    fs::write(table.join("_delta_log/_staged-1.tmp"), "").expect("written");
    fs::write(table.join("notes.txt"), "mine").expect("written");
    let told = desk.jobs(&["table", "verify", "futures_snapshots"]).succeeded().stdout;
    assert!(told.contains("ES 2026-11-18: 5 of 13: 2026-11-18T15:35:00Z"), "{told}");
    for part in ["part-orphan.parquet", "_staged-1.tmp", "notes.txt"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

/// A way to damage a table, and the fault that is to be named with a part of its remedy.
struct Damage {
    name: &'static str,
    harm: fn(&Desk),
    kind: &'static str,
    version: Option<u64>,
    remedy: &'static str,
}

const DAMAGES: [Damage; 9] = [
    Damage {
        name: "newest entry cut",
        harm: |d| cut(&entry(d, 7)),
        kind: "torn_entry",
        version: Some(7),
        remedy: "move it out",
    },
    Damage {
        name: "entry in the middle cut",
        harm: |d| cut(&entry(d, 4)),
        kind: "torn_entry",
        version: Some(4),
        remedy: "restore --from",
    },
    Damage {
        name: "newest entry empty",
        harm: |d| fs::write(entry(d, 7), "").expect("written"),
        kind: "torn_entry",
        version: Some(7),
        remedy: "move it out",
    },
    Damage {
        name: "newest entry zeros",
        harm: |d| fs::write(entry(d, 7), [0; 900]).expect("written"),
        kind: "torn_entry",
        version: Some(7),
        remedy: "move it out",
    },
    Damage {
        name: "entry missing",
        harm: |d| fs::remove_file(entry(d, 3)).expect("gone"),
        kind: "missing_entry",
        version: Some(3),
        remedy: "restore --from",
    },
    Damage {
        name: "data file missing",
        harm: |d| fs::remove_file(data_file(d, "NQ")).expect("gone"),
        kind: "missing_file",
        version: None,
        remedy: "restore --version",
    },
    Damage {
        name: "data file cut",
        harm: |d| cut(&data_file(d, "RTY")),
        kind: "file_size",
        version: None,
        remedy: "restore --from",
    },
    Damage {
        name: "hint to no checkpoint",
        harm: |d| {
            let hint = d.path().join(TABLE).join("_delta_log/_last_checkpoint");
            fs::write(hint, r#"{"version":5,"size":9}"#).expect("written");
        },
        kind: "checkpoint_hint",
        version: None,
        remedy: "delete it",
    },
    Damage {
        name: "checkpoint cut",
        harm: |d| {
            d.jobs(&["run", "compaction"]).succeeded();
            let log = d.path().join(TABLE).join("_delta_log");
            let names = fs::read_dir(log).expect("a log").map(|entry| entry.expect("an entry").path());
            let checkpoint =
                names.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).max();
            cut(&checkpoint.expect("a checkpoint"));
        },
        kind: "torn_checkpoint",
        version: Some(8),
        remedy: "move it",
    },
];

/// The commands that an operator, or the daemon, would run on a table without knowing that it is damaged.
const COMMANDS: [&[&str]; 6] = [
    &["show", "futures_snapshots", "--last", "1000"],
    &["run", "snapshot"],
    &["run", "compaction"],
    &["run", "backfill", "--from", "2026-11-18", "--to", "2026-11-18T15:30"],
    &["doctor"],
    &["table", "list"],
];

/// Every file below the futures table.
fn files(desk: &Desk) -> BTreeSet<(PathBuf, u64)> {
    let table = desk.path().join(TABLE);
    desk.lake_files().into_iter().filter(|(path, _)| path.starts_with(&table)).collect()
}

#[test]
fn each_damage_is_named_with_its_remedy_and_no_command_takes_anything_away() {
    let (whole, _simulator) = filled();
    for Damage { name, harm, kind, version, remedy } in DAMAGES {
        let desk = copy_of(&whole);
        desk.configure(&fs::read_to_string(whole.path().join("jobs.yaml")).expect("a configuration"));
        harm(&desk);
        let found = faults(&desk);
        let fault =
            found.iter().find(|fault| fault.0 == kind).unwrap_or_else(|| panic!("{name}: {kind} in {found:#?}"));
        assert!(version.is_none() || fault.1 == version, "{name}: {fault:?}");
        assert!(fault.3.contains(remedy), "{name}: {fault:?}");
        let before = files(&desk);
        for command in COMMANDS {
            let ended = desk.jobs(command);
            println!(
                "{name}: jobs {}: {} {}{}",
                command.join(" "),
                ended.code,
                ended.stdout.lines().last().unwrap_or_default(),
                ended.stderr
            );
            let after = files(&desk);
            let gone: Vec<_> =
                before.difference(&after).filter(|(path, _)| !path.ends_with("_last_checkpoint")).collect();
            assert!(gone.is_empty(), "{name}: jobs {command:?} took {gone:?} away");
            let is_clear = ended.stderr.contains("is damaged") || ended.stdout.contains("is damaged");
            assert!(ended.code == 0 || is_clear || command[0] == "doctor", "{name}: jobs {command:?}: {ended:#?}");
            assert!(!ended.stderr.contains("panick"), "{name}: jobs {command:?}: {ended:#?}");
        }
    }
}

#[test]
fn an_empty_newest_entry_stops_every_reader_and_writer_and_its_remedy_heals_the_table() {
    let (desk, _simulator) = filled();
    let keys = desk.keys("futures_snapshots");
    fs::write(entry(&desk, 7), "").expect("written");
    for command in [&["show", "futures_snapshots"][..], &["run", "snapshot"], &["run", "compaction"]] {
        let ended = desk.jobs(command);
        assert_eq!(ended.code, 65, "{ended:#?}");
        assert!(ended.stderr.contains("00000000000000000007.json of its log is empty"), "{ended:#?}");
    }
    fs::rename(entry(&desk, 7), desk.path().join("torn.json")).expect("moved out");
    assert_eq!(desk.keys("futures_snapshots").len(), 18);
    desk.jobs(&["run", "snapshot"]).succeeded();
    assert_eq!(desk.keys("futures_snapshots"), keys);
    assert!(faults(&desk).is_empty());
}
