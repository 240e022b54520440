//! A table of another program where ours belongs is told with what to do, and `jobs table import` takes its rows in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Desk, Ended, NOON, Simulator, text};

const TABLE: &str = "data/lake/futures_snapshots";

/// A copy of a table that Python made, beside the lake.
fn foreign(desk: &Desk, name: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign").join(name);
    let to = desk.path().join("old").join(name);
    copy(&from, &to);
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

fn import(desk: &Desk, from: &Path, more: &[&str]) -> Ended {
    let from = from.to_str().expect("a path");
    desk.jobs(&[&["table", "import", from, "--gateway", "simulated", "--format", "jsonl"], more].concat())
}

/// The account of an import that succeeded.
fn account(desk: &Desk, from: &Path, more: &[&str]) -> Value {
    import(desk, from, more).succeeded().lines().remove(0)
}

fn counts(account: &Value) -> [u64; 4] {
    let refused =
        account["refused"].as_array().expect("reasons").iter().map(|refused| refused["rows"].as_u64().expect("rows"));
    let count = |name: &str| account[name].as_u64().expect("a count");
    let counts = [count("imported"), count("present"), count("doubled"), refused.sum()];
    assert_eq!(counts.iter().sum::<u64>(), count("rows_read"), "every row is accounted for: {account}");
    counts
}

fn refused(desk: &Desk, from: &Path, (more, code, messages): (&[&str], i32, &[&str])) {
    let before = desk.lake_files();
    let ended = import(desk, from, &[&["--yes"], more].concat());
    println!("{} {more:?} -> {}: {}", from.display(), ended.code, ended.stderr.trim_end());
    assert_eq!(ended.code, code, "{ended:#?}");
    for message in messages {
        assert!(ended.stderr.contains(message), "{message:?} in {}", ended.stderr);
    }
    assert_eq!(desk.lake_files(), before, "nothing was written");
}

#[test]
fn every_command_tells_a_table_of_another_program_with_its_remedy_and_leaves_it_alone() {
    let simulator = Simulator::standing_at(NOON, &[]);
    for (name, differs) in
        [("naive", "timestamp has no time zone"), ("zoned", "it lacks contract, expiry, source, gateway")]
    {
        let desk = Desk::at(&simulator);
        copy(&foreign(&desk, name), &desk.path().join(TABLE));
        let before = desk.lake_files();
        let commands: [(&[&str], i32); 9] = [
            (&["run", "snapshot"], 78),
            (&["run", "backfill", "--from", "2026-11-18"], 78),
            (&["run", "compaction"], 78),
            (&["show", "futures_snapshots"], 78),
            (&["query", "select * from futures_snapshots"], 78),
            (&["table", "list"], 78),
            (&["table", "stats", "futures_snapshots"], 78),
            (&["table", "verify", "futures_snapshots"], 65),
            (&["doctor"], 1),
        ];
        for (command, code) in commands {
            let ended = desk.jobs(command);
            let told = format!("{}{}", ended.stdout, ended.stderr);
            println!("{name}: jobs {} -> {}: {told}", command.join(" "), ended.code);
            assert_eq!(ended.code, code, "jobs {command:?}: {ended:#?}");
            for part in ["futures_snapshots", differs, "jobs table import", "out of the lake"] {
                assert!(told.contains(part), "jobs {command:?}: {part:?} in {told}");
            }
            assert_eq!(desk.lake_files(), before, "jobs {command:?} wrote");
        }
        let verified = desk.jobs(&["table", "verify", "futures_snapshots"]).stdout;
        assert!(!verified.contains("backfill"), "its rows are not judged by rules of ours: {verified}");
        let history = desk.jobs(&["table", "history", "futures_snapshots"]).succeeded().stdout;
        assert!(history.contains("delta-rs"), "its commits are told as those of any table: {history}");
        assert_eq!(desk.lake_files(), before);
    }
}

#[test]
fn the_remedy_brings_the_rows_in_and_captures_go_on() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let table = desk.path().join(TABLE);
    copy(&foreign(&desk, "zoned"), &table);
    refused(&desk, &table, (&[], 78, &["was not made by this program", "jobs table import"]));
    let aside = desk.path().join("aside");
    fs::rename(&table, &aside).expect("moved");
    let account = account(&desk, &aside, &["--yes"]);
    assert_eq!(counts(&account), [92, 0, 0, 0]);
    desk.jobs(&["run", "snapshot"]).succeeded();
    desk.jobs(&["run", "compaction"]).succeeded();
    desk.jobs(&["table", "verify"]).succeeded();
    assert_eq!(desk.keys("futures_snapshots").len(), 95);
}

#[test]
fn a_table_without_a_zone_with_strays_and_doubles_is_taken_in_as_far_as_it_goes() {
    let desk = Desk::bare();
    let from = foreign(&desk, "naive");
    refused(&desk, &from, (&[], 2, &["have no time zone", "--zone America/New_York"]));
    let zone = ["--zone", "America/New_York"];
    let dry = account(&desk, &from, &[&zone[..], &["--dry-run"]].concat());
    assert!(!desk.path().join("data").exists(), "a dry run makes nothing");
    assert_eq!(counts(&dry), [7, 0, 1, 8]);
    let reasons: Vec<(String, u64)> = dry["refused"]
        .as_array()
        .expect("reasons")
        .iter()
        .map(|refused| (text(refused, "reason"), refused["rows"].as_u64().expect("rows")))
        .collect();
    for (reason, rows) in [
        ("off_grid", 2),
        ("outside_sessions", 1),
        ("unknown_symbol", 2),
        ("no_symbol", 1),
        ("no_timestamp", 1),
        ("no_price", 1),
    ] {
        assert!(reasons.contains(&(reason.to_owned(), rows)), "{reason} in {reasons:?}");
    }
    assert_eq!((dry["moved_to_slot"].as_u64(), dry["nulled"].as_u64()), (Some(7), Some(5)));
    assert_eq!(dry["columns_left_out"], serde_json::json!(["note"]));
    let unasked = import(&desk, &from, &zone);
    assert_eq!(unasked.code, 1, "{unasked:#?}");
    assert!(unasked.stderr.contains("--yes"), "{unasked:#?}");
    let done = account(&desk, &from, &[&zone[..], &["--yes"]].concat());
    assert_eq!(counts(&done), counts(&dry));
    let rows = desk.rows("futures_snapshots");
    let row = rows.iter().find(|row| text(row, "symbol") == "ES" && text(row, "timestamp") == "2024-11-20T15:05:00Z");
    let row = row.expect("10:05 in New York");
    assert_eq!(
        (row["last"].as_f64(), &row["bid"], &row["open_interest"], &row["con_id"]),
        (Some(6701.0), &Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(
        (text(row, "contract"), text(row, "date"), text(row, "source")),
        ("ESZ4".to_owned(), "2024-11-20".to_owned(), "import".to_owned())
    );
    assert_eq!(row["change_daily"], Value::Null, "those of another program are of nobody knows what");
    let first = rows.iter().find(|row| text(row, "symbol") == "ES" && text(row, "timestamp") == "2024-11-20T15:00:00Z");
    assert_eq!(first.and_then(|row| row["last"].as_f64()), Some(6700.0), "the one written first");
    let files = desk.lake_files();
    assert_eq!(counts(&account(&desk, &from, &[&zone[..], &["--yes"]].concat())), [0, 7, 1, 8]);
    assert_eq!(desk.lake_files(), files, "the second time nothing is written");
    desk.jobs(&["table", "verify", "futures_snapshots"]).succeeded();
}

#[test]
fn the_account_in_text_names_each_thing_that_was_decided() {
    let desk = Desk::bare();
    let from = foreign(&desk, "naive");
    let arguments = ["table", "import", "old/naive", "--gateway", "simulated", "--zone", "America/New_York", "--yes"];
    let told = desk.jobs(&arguments).succeeded().stdout;
    assert!(from.exists(), "it is only read");
    insta::assert_snapshot!(told);
}

#[test]
fn changes_are_those_of_our_own_definition() {
    let desk = Desk::bare();
    let from = foreign(&desk, "zoned");
    refused(&desk, &from, (&["--zone", "UTC"], 2, &["leave --zone away"]));
    let done = account(&desk, &from, &["--yes"]);
    assert_eq!((counts(&done), done["with_changes"].as_u64()), ([92, 0, 0, 0], Some(90)));
    let hourly: Vec<Option<f64>> = desk.rows("futures_snapshots").iter().map(|row| row["change_1h"].as_f64()).collect();
    assert_eq!(hourly.iter().filter(|change| **change == Some(1.0)).count(), 90, "{hourly:?}");
    let then =
        desk.jobs(&["show", "futures_snapshots", "--as-of", "2024-12-01T00:00", "--format", "jsonl"]).succeeded();
    assert_eq!(then.stdout, "", "nobody knew the rows then");
}

#[test]
fn what_cannot_be_imported_is_refused_with_what_to_do() {
    let desk = Desk::bare();
    let path = |name: &str| desk.path().join(name);
    refused(&desk, &path("nowhere"), (&[], 2, &["nowhere is no table"]));
    fs::create_dir_all(path("notes")).expect("made");
    refused(&desk, &path("notes"), (&[], 2, &["is no table"]));
    fs::write(path("notes/a.txt"), "mine").expect("written");
    refused(&desk, &path("notes"), (&[], 2, &["is no table"]));
    refused(&desk, &path("notes/a.txt"), (&[], 2, &["a.txt is a text file", "write it as Parquet first"]));
    fs::write(path("notes/rows.csv"), "symbol,timestamp,last\nES,2024-11-20T15:00:00Z,6000.25\n").expect("written");
    refused(
        &desk,
        &path("notes/rows.csv"),
        (&[], 2, &["rows.csv is a CSV file", "Delta table", "write it as Parquet first"]),
    );
    fs::write(path("notes/b.parquet"), "PAR1 and no more").expect("written");
    refused(&desk, &path("notes/b.parquet"), (&[], 65, &["cannot read", "b.parquet"]));
    let zoned = foreign(&desk, "zoned");
    let asked = desk.jobs(&["table", "import", "old/zoned", "--yes"]);
    assert_eq!(asked.code, 2, "{asked:#?}");
    assert!(asked.stderr.contains("--gateway ib or --gateway simulated"), "{asked:#?}");
    refused(&desk, &zoned, (&["--table", "spot_snapshots"], 2, &["only futures_snapshots"]));
    refused(&desk, &zoned, (&["--zone", "Mars"], 2, &["unknown zone"]));
    refused(&desk, &zoned, (&["--source", "guessed"], 2, &["live, delayed, backfill, import"]));
    refused(&desk, &zoned, (&["--source", "live"], 2, &["for rows that this program captured"]));
    desk.jobs(&["query", "select 'ES' as symbol, 1.0 as last", "--format", "parquet", "--out", "short.parquet"])
        .succeeded();
    refused(&desk, &path("short.parquet"), (&[], 2, &["has no column timestamp", "it has symbol, last"]));
    desk.configure("gateway: { kind: ib, address: \"127.0.0.1:4002\" }\n");
    refused(&desk, &zoned, (&[], 78, &["gateway.kind is ib"]));
}

#[test]
fn a_damaged_table_is_not_taken_in_and_an_empty_one_has_nothing_to_take() {
    let desk = Desk::bare();
    let zoned = foreign(&desk, "zoned");
    let entry = zoned.join("_delta_log/00000000000000000000.json");
    let log = fs::read_to_string(&entry).expect("read");
    let folder =
        fs::read_dir(zoned.join("symbol=NQ")).expect("a partition").next().expect("a file").expect("an entry").path();
    let whole = fs::read(&folder).expect("read");
    fs::write(&folder, &whole[..whole.len() / 2]).expect("cut");
    refused(&desk, &zoned, (&[], 65, &["is damaged", "bytes long where the log says"]));
    let mut scratched = whole.clone();
    scratched[whole.len() - 200..].fill(0);
    fs::write(&folder, &scratched).expect("written");
    refused(&desk, &zoned, (&[], 65, &["cannot read"]));
    fs::remove_file(&folder).expect("gone");
    refused(&desk, &zoned, (&[], 65, &["the file is missing"]));
    fs::write(&entry, "").expect("emptied");
    refused(&desk, &zoned, (&[], 65, &["torn"]));
    let made: Vec<&str> =
        log.lines().filter(|line| line.contains("\"protocol\"") || line.contains("\"metaData\"")).collect();
    fs::write(&entry, made.join("\n")).expect("written");
    assert_eq!(counts(&account(&desk, &zoned, &["--yes"])), [0, 0, 0, 0]);
    fs::write(&folder, &whole).expect("whole again");
    fs::write(&entry, log).expect("whole again");
    assert_eq!(counts(&account(&desk, &zoned, &["--yes"])), [92, 0, 0, 0]);
}

#[test]
fn rows_none_of_which_can_be_taken_are_bad_data() {
    let desk = Desk::bare();
    let sql = "select 'ZZZ' as symbol, timestamp '2024-11-20T15:00:00' as timestamp, 1.0 as last";
    desk.jobs(&["query", sql, "--format", "parquet", "--out", "bad.parquet"]).succeeded();
    let ended = import(&desk, &desk.path().join("bad.parquet"), &["--zone", "UTC", "--yes"]);
    assert_eq!((ended.code, counts(&ended.lines()[0])), (65, [0, 0, 0, 1]), "{ended:#?}");
}

/// Rows of one session: sound ones, a crossed one, one that is ten times the others, and numbers that are none.
const SPOILED: &str = "select 'ES' as symbol, t.* from (values \
    (timestamp '2024-11-20T15:00:00', 6000.0, 6000.25, 6000.25, 0.2), \
    (timestamp '2024-11-20T15:05:00', 6001.0, 6000.0, 6000.5, 0.2), \
    (timestamp '2024-11-20T15:10:00', 60000.0, 60000.25, 60000.25, 0.2), \
    (timestamp '2024-11-20T15:15:00', 'NaN'::double, 6000.25, 6000.25, 'inf'::double), \
    (timestamp '2024-11-21T15:00:00', 6000.0, 6000.25, 60000.0, 0.2), \
    (timestamp '2024-11-21T15:05:00', 6000.0, 6000.25, 6000.0, 7.5)) as t(timestamp, bid, ask, last, implied_vol)";

#[test]
fn rows_that_fail_the_checks_of_rows_wait_in_quarantine_and_the_rest_say_import() {
    let desk = Desk::bare();
    desk.jobs(&["query", SPOILED, "--format", "parquet", "--out", "spoiled.parquet"]).succeeded();
    let from = desk.path().join("spoiled.parquet");
    let first = account(&desk, &from, &["--zone", "UTC", "--yes"]);
    println!("{first}");
    assert_eq!(counts(&first), [2, 0, 0, 4]);
    assert_eq!(first["refused"][0]["reason"], "fails_checks");
    assert_eq!(first["nulled"].as_u64(), Some(2));
    let rows = desk.rows("futures_snapshots");
    assert!(rows.iter().all(|row| text(row, "source") == "import"), "{rows:?}");
    let nulled = rows.iter().find(|row| text(row, "timestamp") == "2024-11-20T15:15:00Z").expect("its row");
    assert!(nulled["bid"].is_null() && nulled["implied_vol"].is_null(), "{nulled}");
    let failed =
        |desk: &Desk| -> Vec<String> { desk.rows("quarantine").iter().map(|row| text(row, "checks")).collect() };
    assert_eq!(failed(&desk), ["quote.crossed", "price.plausible", "price.plausible", "size.sane"]);
    let second = account(&desk, &from, &["--zone", "UTC", "--yes"]);
    assert_eq!((counts(&second), failed(&desk).len()), ([0, 2, 0, 4], 4));
    assert_eq!(desk.rows("quality_findings").len(), 4, "one for each row that failed");
    desk.jobs(&["table", "verify"]).succeeded();
}

/// Five months of three futures, times without a zone and of nanoseconds, in one file and in no order of symbols.
const LONG: &str = "select s.symbol, t.timestamp, 6000.0 + extract(hour from t.timestamp) as last \
    from (values ('ES'), ('NQ'), ('RTY')) as s(symbol) cross join (select unnest(generate_series(\
    timestamp '2024-02-01T00:00:00', timestamp '2024-05-31T00:00:00', interval '5 minutes')) as timestamp) as t";

#[test]
fn an_import_that_was_killed_is_gone_on_with_by_the_next() {
    let desk = Desk::bare();
    desk.jobs(&["query", LONG, "--format", "parquet", "--out", "long.parquet"]).succeeded();
    let from = desk.path().join("long.parquet");
    let dry = account(&desk, &from, &["--zone", "UTC", "--dry-run"]);
    let [planned, ..] = counts(&dry);
    assert!(planned > 60_000, "{dry}");
    let arguments = ["table", "import", "long.parquet", "--gateway", "simulated", "--zone", "UTC", "--yes"];
    let mut killed = desk.command(&arguments).stdout(Stdio::null()).spawn().expect("it runs");
    let second = desk.path().join(TABLE).join("_delta_log/00000000000000000002.json");
    let since = Instant::now();
    while !second.exists() && since.elapsed() < Duration::from_mins(2) && killed.try_wait().expect("asked").is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    killed.kill().expect("killed");
    assert!(!killed.wait().expect("ended").success(), "it was killed before its end");
    let [imported, present, ..] = counts(&account(&desk, &from, &["--zone", "UTC", "--yes"]));
    assert!(imported > 0 && present > 0, "{imported} and {present}");
    assert_eq!(imported + present, planned);
    assert_eq!(desk.keys("futures_snapshots").len() as u64, planned);
}
