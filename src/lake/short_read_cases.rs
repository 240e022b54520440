//! Tests that the reads without the query engine give the rows that it gives, whatever became of the table.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{DataType, StructField};
use tempfile::{TempDir, tempdir};

use super::file_index::Span;
use super::fixtures::{config, futures_of, futures_row, lake, slot, spot_row, symbol};
use super::short_read::Question;
use super::{AsOf, Durability, KeyRange, Lake, RowQuery, TableName, folder, read, show, store};
use crate::calendar::{Calendar, CalendarId, Session, Slot};
use crate::market::{FuturesSnapshot, SpotSnapshot, Symbol};

const FUTURES: TableName = TableName::FuturesSnapshots;
const SYMBOLS: [&str; 3] = ["ES", "NQ", "RTY"];

/// Slots of the bulk, so many that a compacted file has several row groups and pages.
const NUM_BULK: i64 = 17_500;

/// The first slot after the bulk and the files around it.
const END: i64 = NUM_BULK + 60;

/// A table as it grows: bulk, small files, compacted ones, filled holes, replaced rows, rows without a price.
async fn grown(folder: &Path) -> Lake {
    let lake = lake(folder);
    // One symbol is enough to fill row groups; the others keep to the ends.
    let is_kept = |row: &FuturesSnapshot, number: i64| {
        let is_at_an_end = !(1_000..=NUM_BULK - 1_000).contains(&number);
        number % 97 != 0 && (is_at_an_end || row.symbol.as_str() == "ES")
    };
    let rows = |number| futures_of(slot(number)).into_iter().filter(move |row| is_kept(row, number));
    let bulk: Vec<FuturesSnapshot> = (0..NUM_BULK).flat_map(rows).collect();
    lake.append_futures(&bulk).await.expect("written");
    for number in NUM_BULK..NUM_BULK + 20 {
        lake.append_futures(&futures_of(slot(number))).await.expect("written");
    }
    lake.compact(FUTURES).await.expect("compacted");
    for number in NUM_BULK + 20..NUM_BULK + 40 {
        lake.append_futures(&futures_of(slot(number))).await.expect("written");
    }
    lake.compact(FUTURES).await.expect("compacted");
    let filled = FuturesSnapshot { captured_at: instant(END), ..futures_row("ES", slot(970)) };
    lake.append_futures(&[filled]).await.expect("backfilled");
    let forced = |number| FuturesSnapshot { bid: Some(1.0), last: None, ..futures_row("NQ", slot(number)) };
    lake.replace_futures(&[forced(500), forced(NUM_BULK + 30)]).await.expect("replaced");
    for number in NUM_BULK + 40..END {
        lake.append_futures(&futures_of(slot(number))).await.expect("written");
    }
    lake
}

/// Every read in both ways.
async fn assert_equal(lakes: &[&Lake]) {
    for lake in lakes {
        let handle = &lake.shared.futures;
        for name in SYMBOLS.into_iter().chain(["YM"]) {
            let scanned = read::scan_latest::<FuturesSnapshot>(handle, &symbol(name)).await.expect("scanned");
            assert_eq!(lake.latest_futures(&symbol(name)).await.expect("read"), scanned, "{name}");
        }
        let source = handle.lock().await.source().await.expect("read").expect("the files can be read as they stand");
        for (names, from, to) in ranges() {
            let symbols: Vec<Symbol> = names.iter().map(|name| symbol(name)).collect();
            let question = Question::of(&symbols, Span { from: instant(from), to: instant(to) });
            assert!(source.batches(question).await.is_some(), "the short way is gone, not the long one");
            let range = KeyRange { symbols, from: instant(from), to: instant(to) };
            for as_of in [AsOf::Latest, AsOf::Instant(slot(END - 30).instant())] {
                let scanned = read::scan_rows::<FuturesSnapshot>(handle, &range, &as_of).await.expect("scanned");
                assert_eq!(lake.futures(&range, &as_of).await.expect("read"), scanned, "{range:?} {as_of:?}");
                let keys = scanned.iter().map(|row| (row.symbol.clone(), row.timestamp)).collect();
                if as_of == AsOf::Latest {
                    assert_eq!(lake.futures_keys(&range).await.expect("read"), keys, "{range:?}");
                }
            }
            let view = handle.lock().await.newest().await.expect("readable").expect("a table");
            let scanned = read::scan_prices(&view, (range.from, range.to)).await.expect("scanned");
            assert_eq!(lake.prices(range.from, range.to).await.expect("read"), scanned, "{range:?}");
        }
        for query in queries() {
            let scanned = show::scan_rows(handle, FUTURES, &query).await.expect("scanned");
            assert_eq!(lake.rows(FUTURES, &query).await.expect("read"), scanned, "{query:?}");
        }
    }
}

fn instant(number: i64) -> DateTime<Utc> {
    slot(number).instant()
}

fn ranges() -> Vec<(Vec<&'static str>, i64, i64)> {
    vec![
        (vec!["ES"], 960, 980),
        (vec!["NQ", "ES"], 480, 520),
        (vec!["RTY"], 0, 0),
        (SYMBOLS.to_vec(), NUM_BULK - 300, NUM_BULK + 45),
        (vec!["NQ"], NUM_BULK + 15, END + 100),
        (vec!["ES", "YM"], 16_000, 17_000),
        (vec!["YM"], 0, END),
        (vec!["ES"], 40, 20),
        (vec!["ES"], END + 1, END + 20),
        (vec![], 0, END),
    ]
}

fn queries() -> Vec<RowQuery> {
    let all = RowQuery::default();
    let few = |last| RowQuery { last: Some(last), ..RowQuery::default() };
    vec![
        few(0),
        few(1),
        few(4),
        few(1_000),
        RowQuery { symbol: Some(symbol("NQ")), ..few(7) },
        RowQuery { symbol: Some(symbol("YM")), ..few(7) },
        RowQuery { from: Some(instant(NUM_BULK)), ..few(1_000) },
        RowQuery { to: Some(instant(900)), ..few(50) },
        RowQuery { from: Some(instant(900)), to: Some(instant(905)), ..all.clone() },
        RowQuery { symbol: Some(symbol("ES")), from: Some(instant(END - 2)), ..all },
    ]
}

async fn a_grown_table() -> (TempDir, Lake) {
    let folder = tempdir().expect("a folder");
    let lake = grown(folder.path()).await;
    (folder, lake)
}

/// Opens the table as another program does.
async fn opened(at: &Path) -> deltalake::DeltaTable {
    let path = config(at).root().expect("a path").join(FUTURES.as_str());
    folder::load(&path, store::store(Durability::Unflushed), None).await.expect("opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_a_grown_table_are_those_of_the_engine() {
    let (folder, lake) = a_grown_table().await;
    let fresh = Lake::reader(&config(folder.path())).expect("a local folder");
    assert_equal(&[&lake, &fresh]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_statistics_is_read() {
    let (folder, lake) = a_grown_table().await;
    let table = opened(folder.path()).await;
    let batch = super::row::encoded(&[&futures_row("ES", slot(END + 3)), &futures_row("ES", slot(97))]).expect("rows");
    table.write([batch]).with_commit_properties(CommitProperties::default()).await.expect("written");
    strip_statistics(folder.path());
    assert_equal(&[&lake]).await;
    let latest = lake.latest_futures(&symbol("ES")).await.expect("read").expect("a row");
    assert_eq!(latest.timestamp, slot(END + 3));
}

/// Takes the statistics out of the newest commit, as a writer that keeps none commits.
fn strip_statistics(folder: &Path) {
    let log = config(folder).root().expect("a path").join("futures_snapshots/_delta_log");
    let names = std::fs::read_dir(log).expect("a log").map(|entry| entry.expect("an entry").path());
    let newest = names.filter(|path| path.extension().is_some_and(|ext| ext == "json")).max().expect("a commit");
    let text = std::fs::read_to_string(&newest).expect("readable");
    let lines = text.lines().map(|line| {
        let mut action: serde_json::Value = serde_json::from_str(line).expect("json");
        if let Some(add) = action.get_mut("add").and_then(serde_json::Value::as_object_mut) {
            add.remove("stats");
        }
        action.to_string() + "\n"
    });
    let stripped: String = lines.collect();
    assert!(!stripped.contains("minValues"));
    std::fs::write(newest, stripped).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_a_later_programs_column_reads_the_same() {
    let (folder, lake) = a_grown_table().await;
    let table = opened(folder.path()).await;
    table.add_columns().with_fields([StructField::new("note", DataType::STRING, true)]).await.expect("added");
    assert_equal(&[&lake]).await;
    lake.append_futures(&futures_of(slot(END + 1))).await.expect("written");
    assert_equal(&[&lake]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_sees_what_others_wrote_and_compacted_since() {
    let (folder, warm) = a_grown_table().await;
    let other = lake(folder.path());
    assert_equal(&[&warm]).await;
    other.append_futures(&futures_of(slot(END + 1))).await.expect("written");
    assert_equal(&[&warm]).await;
    other.compact(FUTURES).await.expect("compacted");
    other.append_futures(&futures_of(slot(END + 2))).await.expect("written");
    assert_equal(&[&warm]).await;
    assert_eq!(warm.latest_futures(&symbol("NQ")).await.expect("read"), Some(futures_row("NQ", slot(END + 2))));
}

#[tokio::test(flavor = "multi_thread")]
async fn etfs_are_read_the_same_way() {
    let folder = tempdir().expect("a folder");
    let lake = lake(folder.path());
    for number in 0..5 {
        lake.append_spot(&[spot_row("SPY", slot(number)), spot_row("QQQ", slot(number))]).await.expect("written");
    }
    let range = KeyRange { symbols: vec![symbol("SPY")], from: instant(1), to: instant(3) };
    let scanned = read::scan_rows::<SpotSnapshot>(&lake.shared.spot, &range, &AsOf::Latest).await.expect("scanned");
    assert_eq!(scanned.len(), 3);
    assert_eq!(lake.spot(&range, &AsOf::Latest).await.expect("read"), scanned);
    assert_eq!(lake.latest_spot(&symbol("QQQ")).await.expect("read"), Some(spot_row("QQQ", slot(4))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_row_of_each_session_is_that_of_all_its_rows() {
    let folder = tempdir().expect("a folder");
    let lake = lake(folder.path());
    let date = |day| NaiveDate::from_ymd_opt(2026, 11, day).expect("a date");
    let sessions = Calendar::embedded(CalendarId::CmeEquity).sessions(date(19), date(25)).expect("covered");
    let mut expected = Vec::new();
    for (number, session) in sessions.iter().enumerate() {
        let rows = rows_of(session, number);
        expected.push(rows.last().cloned());
        lake.append_futures(&rows).await.expect("written");
    }
    assert_eq!(lake.last_futures_of_each(&symbol("ES"), &sessions).await.expect("read"), expected);
    assert!(expected.iter().any(Option::is_none) && expected.iter().flatten().count() > 2);
    assert!(lake.last_futures_of_each(&symbol("ES"), &[]).await.expect("read").is_empty());
}

/// All rows of a session, of one those of its first half, of another none.
fn rows_of(session: &Session, number: usize) -> Vec<FuturesSnapshot> {
    let slots: Vec<Slot> = session.slots().collect();
    let num_rows = match number {
        1 => slots.len() / 2,
        2 => 0,
        _ => slots.len(),
    };
    slots.into_iter().take(num_rows).map(|slot| futures_row("ES", slot)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_that_is_gone_is_told_and_not_left_out() {
    let (folder, lake) = a_grown_table().await;
    let partition = lake.root().join("futures_snapshots/symbol=RTY");
    for entry in std::fs::read_dir(partition).expect("a folder") {
        std::fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    let reader = Lake::reader(&config(folder.path())).expect("a local folder");
    reader.latest_futures(&symbol("RTY")).await.expect_err("gone");
    assert!(reader.latest_futures(&symbol("ES")).await.expect("read").is_some());
}
