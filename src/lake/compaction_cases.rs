//! Compaction beside appends, replacements and other compactions: no row lost, none doubled.

use std::path::Path;
use std::sync::Arc;

use deltalake::protocol::SaveMode;
use tempfile::tempdir;

use super::compact::{replace, rewrite};
use super::fixtures::{futures_of, futures_row, lake, slot, spot_row, symbol};
use super::recording::{Fault, lake_on, recorded};
use super::row::encoded;
use super::{AsOf, KeyRange, Lake, LakeError, TableName};
use crate::market::FuturesSnapshot;

const FUTURES: TableName = TableName::FuturesSnapshots;

async fn rows(lake: &Lake) -> Vec<FuturesSnapshot> {
    let symbols = ["ES", "NQ", "RTY"].map(symbol).to_vec();
    let everything = KeyRange { symbols, from: slot(-1_000).instant(), to: slot(10_000).instant() };
    lake.futures(&everything, &AsOf::Latest).await.expect("rows")
}

/// The rows of so many slots, as they ought to be.
fn rows_of(slots: std::ops::Range<i64>) -> Vec<FuturesSnapshot> {
    let mut rows: Vec<_> = slots.flat_map(|number| futures_of(slot(number))).collect();
    rows.sort_by_key(|row| (row.symbol.clone(), row.timestamp));
    rows
}

async fn append(lake: &Lake, slots: std::ops::Range<i64>) {
    for number in slots {
        assert_eq!(lake.append_futures(&futures_of(slot(number))).await.expect("written").added, 3, "slot {number}");
    }
}

async fn version(lake: &Lake) -> u64 {
    lake.shared.futures.lock().await.newest().await.expect("readable").expect("a table").version()
}

/// Rows and files as another program sees them that knows nothing of this one.
async fn seen_by_others(folder: &Path) -> (usize, usize) {
    let url = url::Url::from_directory_path(folder.join("lake/futures_snapshots")).expect("absolute");
    let table = deltalake::open_table(url).await.expect("opens");
    let session = datafusion::prelude::SessionContext::new();
    let provider = table.table_provider().await.expect("a provider");
    let num_rows = session.read_table(provider).expect("readable").count().await.expect("counted");
    (num_rows, table.snapshot().expect("loaded").log_data().num_files())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_are_the_same_before_and_after_for_everybody() {
    let folder = tempdir().expect("a folder");
    let lake = lake(folder.path());
    // Out of order, as a backfill comes between.
    append(&lake, 6..13).await;
    append(&lake, 0..6).await;
    for number in 0..13 {
        lake.append_spot(&[spot_row("SPY", slot(number))]).await.expect("written");
    }
    let planned = lake.compaction_plan(FUTURES).await.expect("planned");
    assert_eq!((planned.files_before, planned.files_rewritten, planned.files_after), (39, 39, 3));
    assert_eq!(planned.bytes_before, planned.bytes_rewritten);
    let compacted = lake.compact(FUTURES).await.expect("compacted");
    assert_eq!((compacted.files_removed, compacted.files_added, compacted.rows), (39, 3, 39));
    assert!(compacted.bytes_removed == planned.bytes_before && compacted.bytes_added < planned.bytes_before / 3);
    assert_eq!(rows(&lake).await, rows_of(0..13));
    assert_eq!(rows(&super::fixtures::lake(folder.path())).await, rows_of(0..13));
    assert_eq!(seen_by_others(folder.path()).await, (39, 3));
    assert_eq!(lake.compact(TableName::SpotSnapshots).await.expect("compacted").files_removed, 13);
    assert_eq!(lake.latest_spot(&symbol("SPY")).await.expect("readable"), Some(spot_row("SPY", slot(12))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_table_stays_as_it_is_and_takes_more() {
    let folder = tempdir().expect("a folder");
    let lake = lake(folder.path());
    assert_eq!(lake.compact(FUTURES).await.expect("nothing there").version, None);
    assert!(!lake.root().exists(), "nothing was made");
    append(&lake, 0..8).await;
    assert_eq!(lake.compact(FUTURES).await.expect("compacted").version, Some(9));
    assert!(lake.compaction_plan(FUTURES).await.expect("planned").is_empty());
    assert_eq!(lake.compact(FUTURES).await.expect("compact already").version, None);
    assert_eq!(version(&lake).await, 9);
    // The statistics of the compacted files tell what is there, or this would look into the files, or double a row.
    let view = lake.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
    assert!(view.newest().expect("statistics").is_newer(&symbol("ES"), slot(8).instant()));
    assert!(!view.newest().expect("statistics").is_newer(&symbol("ES"), slot(7).instant()));
    assert_eq!(lake.append_futures(&futures_of(slot(7))).await.expect("looked").present, 3);
    append(&lake, 8..10).await;
    assert_eq!(rows(&lake).await, rows_of(0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_between_look_and_commit_is_kept_and_costs_another_look() {
    let folder = tempdir().expect("a folder");
    let (one, other) = (lake(folder.path()), lake(folder.path()));
    append(&one, 0..8).await;
    let view = one.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
    let rewritten = rewrite(&view).await.expect("written").expect("something to do");
    append(&other, 8..9).await;
    let committed = replace(&one.shared.futures, &rewritten).await.expect("committed");
    assert_eq!(committed, Some(10));
    assert_eq!(rows(&one).await, rows_of(0..9));
    assert_eq!(seen_by_others(folder.path()).await, (27, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_compactions_of_the_same_files_the_second_gives_up() {
    let folder = tempdir().expect("a folder");
    let (one, other) = (lake(folder.path()), lake(folder.path()));
    append(&one, 0..8).await;
    let view = one.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
    let rewritten = rewrite(&view).await.expect("written").expect("something to do");
    assert_eq!(other.compact(FUTURES).await.expect("compacted").version, Some(9));
    assert_eq!(replace(&one.shared.futures, &rewritten).await.expect("no error"), None);
    assert_eq!((version(&one).await, rows(&one).await), (9, rows_of(0..8)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_gives_up_to_a_replacement_of_its_rows() {
    let folder = tempdir().expect("a folder");
    let (one, other) = (lake(folder.path()), lake(folder.path()));
    append(&one, 0..8).await;
    let view = one.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
    let rewritten = rewrite(&view).await.expect("written").expect("something to do");
    let new = FuturesSnapshot { last: Some(1.0), ..futures_row("NQ", slot(3)) };
    other.replace_futures(std::slice::from_ref(&new)).await.expect("replaced");
    assert_eq!(replace(&one.shared.futures, &rewritten).await.expect("no error"), None);
    let found = rows(&one).await;
    assert_eq!(found.len(), 24);
    assert!(found.contains(&new), "the replacement stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_files_that_are_gone_are_not_committed() {
    let folder = tempdir().expect("a folder");
    let lake = lake(folder.path());
    append(&lake, 0..8).await;
    let before = std::fs::read_dir(lake.root().join("futures_snapshots/symbol=ES")).expect("a folder");
    let before: Vec<_> = before.map(|entry| entry.expect("an entry").path()).collect();
    let view = lake.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
    let rewritten = rewrite(&view).await.expect("written").expect("something to do");
    for entry in std::fs::read_dir(lake.root().join("futures_snapshots/symbol=ES")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !before.contains(&path) {
            std::fs::remove_file(path).expect("removed, as the vacuum of another machine does a day later");
        }
    }
    assert_eq!(replace(&lake.shared.futures, &rewritten).await.expect("no error"), None);
    assert_eq!(rows(&lake).await, rows_of(0..8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_and_compactions_at_once_keep_each_key_once() {
    let folder = tempdir().expect("a folder");
    append(&lake(folder.path()), 0..6).await;
    let appending = |first: i64| {
        let lake = lake(folder.path());
        // Both go over the same slots, one of them backwards; so few that nobody can lose as many rounds as an append has.
        tokio::spawn(async move {
            for number in 6..18 {
                let number = if first == 0 { number } else { 23 - number };
                lake.append_futures(&futures_of(slot(number))).await.expect("written");
            }
        })
    };
    let compacting = |shared: Lake| {
        tokio::spawn(async move {
            let mut commits = 0;
            for _ in 0..8 {
                commits += usize::from(shared.compact(FUTURES).await.expect("no error").version.is_some());
            }
            commits
        })
    };
    let appends = [appending(0), appending(1)];
    let shared = lake(folder.path());
    let compactions = [compacting(shared.clone()), compacting(shared), compacting(lake(folder.path()))];
    for append in appends {
        append.await.expect("no panic");
    }
    let mut commits = 0;
    for compaction in compactions {
        commits += compaction.await.expect("no panic");
    }
    assert!(commits > 0, "no compaction came through");
    assert_eq!(rows(&lake(folder.path())).await, rows_of(0..18));
    assert_eq!(seen_by_others(folder.path()).await.0, 54);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_files_are_on_the_disk_before_the_commit_gets_its_name() {
    let folder = tempdir().expect("a folder");
    let (store, journal) = recorded(Fault::None);
    let lake = lake_on(folder.path(), store);
    append(&lake, 0..8).await;
    journal.take();
    lake.compact(FUTURES).await.expect("compacted");
    let events = journal.take();
    let link = events.iter().position(|event| event == "link 9.json").expect("a commit");
    let flushed = events.iter().take(link).filter(|event| *event == "flush DATA").count();
    assert_eq!(flushed, 3, "{events:?}");
    assert!(!events.iter().any(|event| event == "list _delta_log"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_the_table_as_it_was() {
    let folder = tempdir().expect("a folder");
    append(&lake(folder.path()), 0..8).await;
    let (store, _) = recorded(Fault::FullDisk);
    let full = lake_on(folder.path(), store);
    let error = full.compact(FUTURES).await.expect_err("full");
    assert!(matches!(error, LakeError::NoSpace { .. }), "{error:?}");
    assert_eq!((version(&full).await, rows(&full).await), (8, rows_of(0..8)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_commit_is_no_error() {
    let folder = tempdir().expect("a folder");
    let (store, _) = recorded(Fault::Store("checkpoint"));
    let lake = lake_on(folder.path(), store);
    append(&lake, 0..48).await;
    let compacted = lake.compact(FUTURES).await.expect("committed");
    assert_eq!((compacted.version, compacted.rows), (Some(49), 144));
    assert!(!lake.root().join("futures_snapshots/_delta_log/_last_checkpoint").exists(), "the fault did happen");
    assert_eq!(rows(&lake).await, rows_of(0..48));
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_rows_are_told_and_not_touched() {
    let folder = tempdir().expect("a folder");
    let lake = lake(folder.path());
    append(&lake, 0..8).await;
    // Past the protocol, as another program could.
    let view = lake.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
    let session = Arc::new(view.sessions().of(super::session::Reach::Wide).state());
    let batch = encoded(&[&futures_row("ES", slot(3))]).expect("a batch");
    let write = view.table().clone().write([batch]).with_save_mode(SaveMode::Append).with_session_state(session);
    write.await.expect("written");
    let error = lake.compact(FUTURES).await.expect_err("doubled");
    assert!(error.to_string().contains("ES has two rows at 2026-11-18 15:15:00 UTC"), "{error}");
    assert_eq!((version(&lake).await, rows(&lake).await.len()), (9, 25));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_for_reading_is_not_compacted() {
    let folder = tempdir().expect("a folder");
    append(&lake(folder.path()), 0..8).await;
    let reader = Lake::reader(&super::fixtures::config(folder.path())).expect("a local folder");
    assert!(matches!(reader.compact(FUTURES).await, Err(LakeError::ReadOnly { table: FUTURES })));
}
