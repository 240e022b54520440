//! Imports into real tables: twice equals once, in whatever order rows lie in files, and nothing that is there is replaced.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, TimeDelta, Utc};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::protocol::SaveMode;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::calendar::{Calendar, CalendarId};
use crate::lake::fixtures::{futures_row, lake, slot, start, symbol};
use crate::lake::{AsOf, LakeError};
use crate::market::{GatewayKind, MarketConfig};

/// Symbol, minutes after slot 0, last price.
type Told<'a> = (&'a str, i64, f64);

fn batch(rows: &[Told<'_>]) -> RecordBatch {
    let stamps = rows.iter().map(|(_, minutes, _)| (start() + TimeDelta::minutes(*minutes)).timestamp_micros());
    let symbols: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let stamps: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(stamps).with_timezone("UTC"));
    let last: ArrayRef = Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2)));
    RecordBatch::try_from_iter([("symbol", symbols), ("timestamp", stamps), ("last", last)]).expect("a batch")
}

fn parquet(folder: &Path, name: &str, rows: &[Told<'_>]) -> PathBuf {
    std::fs::create_dir_all(folder).expect("made");
    let path = folder.join(name);
    let batch = batch(rows);
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&path).expect("made"), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    path
}

/// A Delta table of another program, a commit for each group of rows.
async fn delta(folder: &Path, commits: &[&[Told<'_>]]) -> PathBuf {
    let path = folder.join("foreign");
    std::fs::create_dir_all(&path).expect("made");
    let url = url::Url::from_directory_path(&path).expect("absolute");
    for rows in commits {
        let table = deltalake::DeltaTable::try_from_url(url.clone()).await.expect("a folder");
        table.write([batch(rows)]).with_save_mode(SaveMode::Append).await.expect("written");
    }
    path
}

fn request(from: &Path) -> ImportRequest {
    ImportRequest { from: from.to_path_buf(), zone: None, source: Source::Import, mode: ImportMode::Write }
}

fn noon() -> DateTime<Utc> {
    start() + TimeDelta::days(30)
}

async fn imported(lake: &Lake, request: &ImportRequest) -> Result<ImportAccount, ImportError> {
    let (futures, nyse) = (Calendar::embedded(CalendarId::CmeEquity), Calendar::embedded(CalendarId::Nyse));
    let market = MarketConfig::default();
    let quality = crate::quality::QualityConfig::default();
    let rules = ImportRules { futures: &futures, nyse: &nyse, market: &market, quality: &quality, now: noon() };
    lake.import(request, &rules).await
}

async fn rows(lake: &Lake, as_of: AsOf) -> Vec<FuturesSnapshot> {
    let symbols = ["ES", "NQ", "RTY"].map(symbol).to_vec();
    let range = KeyRange { symbols, from: start() - TimeDelta::days(30), to: noon() };
    lake.futures(&range, &as_of).await.expect("readable")
}

fn folder() -> TempDir {
    tempdir().expect("a folder")
}

fn sum(account: &ImportAccount) -> u64 {
    account.imported + account.present + account.doubled + account.num_refused()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_import_adds_nothing_and_a_row_that_is_there_is_never_replaced() {
    let folder = folder();
    let lake = lake(folder.path());
    let own = futures_row("ES", slot(1));
    lake.append_futures(std::slice::from_ref(&own)).await.expect("written");
    let from = parquet(folder.path(), "rows.parquet", &[("ES", 5, 1.0), ("ES", 10, 2.0), ("NQ", 5, 3.0)]);
    let first = imported(&lake, &request(&from)).await.expect("imported");
    assert_eq!((first.rows_read, first.imported, first.present, sum(&first)), (3, 2, 1, 3));
    assert_eq!(rows(&lake, AsOf::Latest).await.first(), Some(&own));
    let second = imported(&lake, &request(&from)).await.expect("nothing to do");
    assert_eq!((second.imported, second.present, second.version), (0, 3, None));
    assert_eq!(rows(&lake, AsOf::Latest).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_imports_at_once_beside_a_capture_store_each_row_once() {
    let folder = folder();
    let slots: Vec<Told<'_>> = (1..80).flat_map(|slot| [("ES", 5 * slot, 1.0), ("NQ", 5 * slot, 2.0)]).collect();
    let from = parquet(folder.path(), "rows.parquet", &slots);
    let import = |lake: Lake| {
        let asked = request(&from);
        tokio::spawn(async move { imported(&lake, &asked).await })
    };
    let (one, two, own) = (import(lake(folder.path())), import(lake(folder.path())), lake(folder.path()));
    let capture = [futures_row("ES", slot(1)), futures_row("RTY", slot(1))];
    let captured = own.append_futures(&capture).await.expect("captured").added as u64;
    let (one, two) = (one.await.expect("no panic").expect("imported"), two.await.expect("no panic").expect("imported"));
    let stored = rows(&own, AsOf::Latest).await.len();
    let added = one.imported + two.imported + captured;
    assert_eq!((added, stored, sum(&one), sum(&two)), (stored as u64, slots.len() + 1, one.rows_read, two.rows_read));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_the_same_and_makes_nothing() {
    let folder = folder();
    let lake = lake(folder.path());
    let hours: Vec<Told<'_>> =
        (0..40).map(|hour| ("ES", 60 * hour, 6000.0 + 2.0 * f64::from(i32::try_from(hour).expect("small")))).collect();
    let from = parquet(folder.path(), "rows.parquet", &hours);
    let dry = imported(&lake, &ImportRequest { mode: ImportMode::DryRun, ..request(&from) }).await.expect("read");
    assert!(!lake.root().exists(), "nothing was made");
    let done = imported(&lake, &request(&from)).await.expect("imported");
    assert!(dry.imported > 30 && dry.with_changes > 30, "{dry:?}");
    assert_eq!(ImportAccount { dry_run: false, version: done.version, ..dry }, done);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rows_of_a_slot_the_one_written_first_counts() {
    let folder = folder();
    let lake = lake(folder.path());
    let commits: [&[Told<'_>]; 3] =
        [&[("ES", 5, 1.0)], &[("ES", 5, 2.0), ("NQ", 5, 3.0)], &[("NQ", 5, 4.0), ("ES", 6, 5.0)]];
    let from = delta(folder.path(), &commits).await;
    let account = imported(&lake, &request(&from)).await.expect("imported");
    assert_eq!((account.rows_read, account.imported, account.doubled, account.moved_to_slot), (5, 2, 3, 1));
    let last: Vec<Option<f64>> = rows(&lake, AsOf::Latest).await.iter().map(|row| row.last).collect();
    assert_eq!(last, [Some(1.0), Some(3.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_before_the_import_stays_as_it_was() {
    let folder = folder();
    let lake = lake(folder.path());
    let from = parquet(folder.path(), "rows.parquet", &[("ES", 5, 6000.0)]);
    imported(&lake, &request(&from)).await.expect("imported");
    assert!(rows(&lake, AsOf::Instant(noon() - TimeDelta::seconds(1))).await.is_empty());
    assert_eq!(rows(&lake, AsOf::Instant(noon())).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_computed_from_rows_of_any_file_and_of_the_table() {
    let folder = folder();
    let lake = lake(folder.path());
    let own = FuturesSnapshot { last: Some(5990.0), ..futures_row("ES", slot(0)) };
    lake.append_futures(&[own]).await.expect("written");
    let from = folder.path().join("parts");
    // The later rows are in the file that is read first.
    parquet(&from, "a.parquet", &[("ES", 300, 6030.0), ("NQ", 60, 20_000.0)]);
    parquet(&from, "b.parquet", &[("ES", 240, 6020.0), ("ES", 60, 6000.0)]);
    let account = imported(&lake, &request(&from)).await.expect("imported");
    assert_eq!((account.imported, account.with_changes), (4, 3));
    let found = rows(&lake, AsOf::Latest).await;
    let changes = |minutes: i64| {
        let at = start() + TimeDelta::minutes(minutes);
        let row = found.iter().find(|row| row.symbol == symbol("ES") && row.timestamp.instant() == at).expect("there");
        (row.changes.one_hour, row.changes.four_hours)
    };
    assert_eq!(changes(60), (Some(10.0), None), "against the row of the table");
    assert_eq!(changes(240), (None, Some(30.0)), "nothing stood an hour before");
    assert_eq!(changes(300), (Some(10.0), Some(30.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn near_a_roll_no_change_is_told() {
    let folder = folder();
    let lake = lake(folder.path());
    // 2026-12-10 15:00 UTC, the Thursday before the Monday on which the lead changes.
    let minutes = 22 * 24 * 60;
    let from = parquet(folder.path(), "rows.parquet", &[("ES", minutes, 6000.0), ("ES", minutes + 60, 6001.0)]);
    let account = imported(&lake, &request(&from)).await.expect("imported");
    assert_eq!((account.imported, account.near_roll, account.with_changes), (2, 2, 0));
    assert!(
        rows(&lake, AsOf::Latest).await.iter().all(|row| row.changes == Changes::default() && row.contract == "ESZ6")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_files_hide_rows_or_are_ours_is_not_read() {
    let folder = folder();
    let lake = lake(folder.path());
    lake.append_futures(&[futures_row("ES", slot(1))]).await.expect("written");
    let ours = folder.path().join("ours");
    std::fs::create_dir_all(&ours).expect("made");
    std::fs::rename(lake.root().join("futures_snapshots"), ours.join("futures_snapshots")).expect("moved");
    let other = crate::lake::fixtures::lake(folder.path());
    let error = imported(&other, &request(&ours.join("futures_snapshots"))).await.expect_err("ours");
    assert!(matches!(error, ImportError::Own { .. }), "{error:?}");
    let from = delta(folder.path(), &[&[("ES", 5, 1.0)]]).await;
    let entry = from.join("_delta_log/00000000000000000000.json");
    let told = std::fs::read_to_string(&entry).expect("read");
    let hiding = told.replace("\"dataChange\":true", "\"dataChange\":true,\"deletionVector\":{\"storageType\":\"u\"}");
    assert_ne!(told, hiding);
    std::fs::write(&entry, hiding).expect("written");
    let error = imported(&other, &request(&from)).await.expect_err("hidden rows").to_string();
    assert!(error.contains("a deletion vector hides rows of"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_other_gateway_do_not_get_in() {
    let folder = folder();
    lake(folder.path()).append_futures(&[futures_row("ES", slot(1))]).await.expect("written");
    let real = Lake::open(&crate::lake::fixtures::config(folder.path()), GatewayKind::Ib).expect("a local folder");
    let from = parquet(folder.path(), "rows.parquet", &[("ES", 10, 1.0)]);
    let error = imported(&real, &request(&from)).await.expect_err("bound");
    assert!(matches!(error, ImportError::Lake(LakeError::KindMismatch { .. })), "{error:?}");
}
