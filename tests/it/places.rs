//! Where the lake lies: a wrong working directory, an empty lake, folders with names of every sort, and what else lies there.

use std::fs;

use serde_json::Value;

use crate::support::{Desk, Ended};

/// Commands that only read.
const READERS: [&[&str]; 11] = [
    &["show", "futures_snapshots"],
    &["query", "SELECT count(*) FROM futures_snapshots"],
    &["signal", "SPY"],
    &["decide", "SPY"],
    &["evaluate"],
    &["status"],
    &["quality", "report"],
    &["table", "list"],
    &["table", "verify"],
    &["table", "stats", "futures_snapshots"],
    &["table", "history", "futures_snapshots"],
];

fn refused(desk: &Desk, command: &[&str]) -> String {
    let Ended { code, stdout, stderr, .. } = desk.jobs(command);
    assert_eq!(code, 78, "{command:?}: {stdout}{stderr}");
    let told = format!("{stdout}{stderr}");
    assert!(told.contains("there is no lake at") && told.contains("data/lake: "), "{command:?}: {told}");
    told
}

#[test]
fn whoever_reads_where_no_lake_lies_is_refused_by_place_and_configuration() {
    let desk = Desk::bare();
    for command in READERS {
        let told = refused(&desk, command);
        let origin = "lake.uri 'data/lake' is the default, no configuration file was found";
        assert!(told.contains("the folder does not exist") && told.contains(origin), "{command:?}: {told}");
    }
    assert_eq!(fs::read_dir(desk.path()).expect("a folder").count(), 0, "nothing was made");
    fs::create_dir_all(desk.path().join("data/lake/lost+found")).expect("made");
    desk.configure("lake: { uri: data/lake }\n");
    for command in READERS {
        let told = refused(&desk, command);
        let origin = "is set by jobs.yaml:1";
        assert!(told.contains("the folder holds no table") && told.contains(origin), "{command:?}: {told}");
    }
    let json = desk.jobs(&["status", "--format", "json"]);
    let told: Value = serde_json::from_str(&json.stdout).expect("a document");
    assert_eq!((json.code, &told["verdict"]["exit_code"]), (78, &Value::from(78)), "{told}");
    let compaction = desk.jobs(&["run", "compaction"]);
    assert!(compaction.code == 78 && compaction.stderr.contains("there is no lake at"), "{compaction:?}");
}

#[test]
fn a_lake_without_a_row_of_the_kind_is_a_lake() {
    let desk = Desk::bare();
    desk.jobs(&["run", "snapshot"]).succeeded();
    for command in READERS.into_iter().filter(|command| !["signal", "decide"].contains(&command[0])) {
        desk.jobs(command).succeeded();
    }
    let told = desk.jobs(&["show", "outcomes"]).succeeded().stdout;
    assert!(told.contains("no such rows"), "{told}");
}

#[test]
fn a_lake_in_a_folder_of_an_odd_name_is_written_there_and_nowhere_else() {
    let desk = Desk::bare();
    for folder in ["Börse", "a ~b", "50% #1", "what?", "{x}<y>*"] {
        desk.configure(&format!("lake: {{ uri: 'data/{folder}/lake' }}\n"));
        desk.jobs(&["config", "check"]).succeeded();
        desk.jobs(&["run", "snapshot"]).succeeded();
        assert_eq!(desk.keys("futures_snapshots").len(), 3, "{folder}");
        let beside: Vec<_> = fs::read_dir(desk.path().join("data")).expect("a folder").collect();
        assert_eq!(beside.len(), 1, "{folder}: {beside:?}");
        fs::remove_dir_all(desk.path().join("data")).expect("removed");
        fs::remove_dir_all(desk.path().join("state")).expect("removed");
    }
}

#[test]
fn what_only_a_shell_expands_is_refused_by_config_check() {
    let desk = Desk::bare();
    desk.configure("lake: { uri: ~/lake }\npaths: { state: $HOME/state, logs: \"~/logs\" }\n");
    let told = desk.jobs(&["config", "check"]);
    assert_eq!(told.code, 78, "{told:?}");
    for expected in ["jobs.yaml:1", "lake.uri '~/lake'", "paths.state '$HOME/state'", "paths.logs '~/logs'"] {
        assert!(told.stderr.contains(expected), "{expected}: {}", told.stderr);
    }
    assert!(!desk.path().join("~").exists() && !desk.path().join("$HOME").exists());
}

#[test]
fn what_else_lies_in_the_lake_is_passed_over_and_reported() {
    let desk = Desk::bare();
    let lake = desk.path().join("data/lake");
    fs::create_dir_all(lake.join("lost+found")).expect("made");
    fs::create_dir_all(lake.join("futures_snapshots")).expect("made");
    fs::write(lake.join("futures_snapshots/.DS_Store"), "").expect("written");
    desk.jobs(&["run", "snapshot"]).succeeded();
    let told = desk.jobs(&["doctor"]).succeeded().stdout;
    assert!(told.contains("lost+found (left by the system)"), "{told}");
    fs::create_dir_all(lake.join("positions/_delta_log")).expect("made");
    fs::write(lake.join("positions/_delta_log/00000000000000000000.json"), "{}").expect("written");
    desk.jobs(&["run", "snapshot"]).succeeded();
    let told = desk.jobs(&["doctor"]).succeeded().stdout;
    let line = told.lines().find(|line| line.contains(" lake ")).expect("the check of the lake");
    assert!(line.starts_with("warn") && line.contains("positions (a table of another name)"), "{line}");
}
