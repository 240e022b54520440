//! `jobs query` and `jobs table`: what the tables answer, and that asking writes nothing.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::support::{Desk, NOON, NOON_SLOT, Simulator, ended, text};

const COUNT: &str = "select symbol, count(*) as n from futures_snapshots group by symbol order by symbol";

/// Rows enough for a while, of no table.
const MANY: &str =
    "select a.value as one, b.value as other from generate_series(1, 100000) a, generate_series(1, 100000) b";

/// A desk with one slot captured.
fn filled() -> Desk {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    desk
}

#[test]
fn a_statement_is_answered_in_every_form_and_writes_nothing() {
    let desk = filled();
    let before = desk.lake_files();
    let csv = desk.jobs(&["query", COUNT, "--format", "csv"]).succeeded().stdout;
    assert_eq!(csv, "symbol,n\nES,1\nNQ,1\nRTY,1\n");
    let json = desk.jobs(&["query", COUNT, "--format", "json"]).succeeded().stdout;
    assert_eq!(json, "[{\"symbol\":\"ES\",\"n\":1},{\"symbol\":\"NQ\",\"n\":1},{\"symbol\":\"RTY\",\"n\":1}]\n");
    let sql = "select symbol, timestamp from futures_snapshots where symbol = 'ES'";
    let line = desk.jobs(&["query", sql, "--format", "jsonl"]).succeeded().lines();
    assert_eq!(text(&line[0], "timestamp"), NOON_SLOT);
    let table = desk.jobs(&["query", sql]).succeeded().stdout;
    assert!(table.contains(NOON_SLOT), "one instant is written in one way: {table}");
    for command in [&["list"][..], &["history", "futures_snapshots"], &["stats", "futures_snapshots"]] {
        for format in ["text", "json", "jsonl"] {
            let told = desk.jobs(&[&["table"], command, &["--format", format]].concat()).succeeded().stdout;
            assert!(!told.trim().is_empty(), "{command:?} {format}");
        }
    }
    assert_eq!(desk.lake_files(), before);
    let facts = desk.jobs(&["table", "list", "--format", "jsonl"]).succeeded().lines();
    assert_eq!((facts[0]["rows"].as_u64(), text(&facts[0], "newest")), (Some(3), NOON_SLOT.to_owned()));
    let commits = desk.jobs(&["table", "history", "futures_snapshots", "--format", "jsonl"]).succeeded().lines();
    assert_eq!((commits[0]["rows_added"].as_u64(), text(&commits[0], "operation")), (Some(3), "WRITE".to_owned()));
}

#[test]
fn a_wrong_or_refused_statement_is_a_usage_error_in_one_line() {
    let desk = filled();
    let before = desk.lake_files();
    for (arguments, told) in [
        (&["drop table futures_snapshots"][..], "DROP TABLE is refused: jobs query only reads"),
        (&["select lst from futures_snapshots"], "did you mean last?"),
        (&["select * from spot"], "did you mean spot_snapshots?"),
        (&["selec 1"], "cannot read the statement"),
        (&["select 1", "--format", "parquet"], "give --out FILE as well"),
        (&["select 1", "--out", "data/lake/futures_snapshots/x.csv"], "lies in the lake"),
        (&["select 1", "--out", "nowhere/x.csv"], "there is no folder nowhere"),
        (&["select count(*) from spot_snapshots, futures_snapshots", "--as-of", "1"], "futures_snapshots=1"),
        (&["select count(*) from spot_snapshots", "--as-of", "99"], "has no version 99"),
    ] {
        let ended = desk.jobs(&[&["query"], arguments].concat());
        assert!(ended.code == 2 && ended.stderr.contains(told), "{arguments:?}: {ended:#?}");
        assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1), "{arguments:?}");
    }
    let elsewhere = desk.jobs(&["show", "futures_snapshots", "--format", "csv"]);
    assert!(elsewhere.code == 2 && elsewhere.stderr.contains("is for jobs query"), "{elsewhere:#?}");
    assert_eq!(desk.lake_files(), before);
}

#[test]
fn a_file_appears_when_it_is_complete_and_not_otherwise() {
    let desk = filled();
    let names = || {
        let entries = std::fs::read_dir(desk.path()).expect("a folder").map(|entry| entry.expect("an entry"));
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains("out"))
            .collect::<Vec<_>>()
    };
    desk.jobs(&["query", "select * from futures_snapshots", "--format", "parquet", "--out", "out.parquet"]).succeeded();
    assert!(std::fs::read(desk.path().join("out.parquet")).expect("a file").starts_with(b"PAR1"));
    std::fs::write(desk.path().join("out.csv"), "before").expect("written");
    let late = desk.jobs(&["query", MANY, "--format", "csv", "--out", "out.csv", "--timeout", "1s"]);
    assert!(late.code == 124 && late.stderr.contains("not answered within 1 s"), "{late:#?}");
    let failed = "select 1 / (value - 50000) from generate_series(1, 100000)";
    assert_eq!(desk.jobs(&["query", failed, "--format", "csv", "--out", "out.csv"]).code, 1);
    let mut found = names();
    found.sort();
    assert_eq!(found, ["out.csv", "out.parquet"]);
    assert_eq!(std::fs::read_to_string(desk.path().join("out.csv")).expect("a file"), "before");
}

#[test]
fn a_long_answer_comes_at_once_and_a_reader_may_go_away() {
    let desk = Desk::bare();
    for format in ["text", "csv", "jsonl", "json"] {
        let mut command = desk.command(&["query", MANY, "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut reader = BufReader::new(child.stdout.take().expect("piped"));
        let mut begin = vec![0; 100];
        std::io::Read::read_exact(&mut reader, &mut begin).expect("the first rows");
        drop(reader);
        let ended = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && told.is_empty(), "{format}: {told}");
    }
}

#[test]
fn a_statement_may_come_from_standard_input_and_a_table_not_made_yet_is_empty() {
    let desk = filled();
    let before = desk.lake_files();
    for arguments in [&["query", "--format", "csv"][..], &["query", "-", "--format", "csv"]] {
        let mut command = desk.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        child.stdin.take().expect("piped").write_all(b"select count(*) as n\nfrom outcomes").expect("written");
        let lines: Vec<String> =
            BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text")).collect();
        assert!(child.wait().expect("it ends").success());
        assert_eq!(lines, ["n", "0"]);
    }
    assert_eq!(ended(&mut desk.command(&["query"])).code, 2, "nothing on standard input");
    let table = desk.jobs(&["table", "list"]).succeeded().stdout;
    assert!(table.contains("not made yet"), "{table}");
    assert_eq!(desk.lake_files(), before);
}

/// A plan over our own table that computes for longer than any test waits, without giving a row before its end.
const LONG: &str = "select sum(a.last * b.last * c.last) from futures_snapshots a, futures_snapshots b, futures_snapshots c, \
                    generate_series(1, 100000) d, generate_series(1, 100000) e";

#[test]
fn the_timeout_and_signals_end_a_plan_that_computes() {
    let desk = filled();
    let late = desk.jobs(&["query", LONG, "--timeout", "1s"]);
    assert!(late.code == 124 && late.stderr.contains("not answered within 1 s"), "{late:#?}");
    let temporary = desk.path().join("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let mut command = desk.command(&["query", LONG]);
    command.env("TMPDIR", &temporary).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let num_entries = || std::fs::read_dir(&temporary).expect("readable").count();
    // Its folder for spilling is there just before it computes, its handlers of signals a moment later.
    while num_entries() == 0 {
        assert!(child.try_wait().expect("it is ours").is_none(), "it has ended before");
        std::thread::yield_now();
    }
    let status = || std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it lives");
    let caught = |line: &str| u64::from_str_radix(line.trim(), 16).is_ok_and(|mask| mask & (1 << 14) != 0);
    while !status().lines().filter_map(|line| line.strip_prefix("SigCgt:")).any(caught) {
        std::thread::yield_now();
    }
    let asked = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("run");
    assert!(asked.success());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(143), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(num_entries(), 0, "nothing is left in the temporary folder");
}

#[test]
fn a_small_bound_of_memory_holds_for_values_that_the_engine_does_not_count() {
    let desk = filled();
    let long = "select length(repeat(string_agg(symbol, ','), 30000000)) from futures_snapshots";
    let ended = desk.jobs(&["query", long, "--max-memory-mb", "16"]);
    assert!(ended.code == 1 && ended.stderr.contains("more than its 16 MB of memory"), "{ended:#?}");
}
