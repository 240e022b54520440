//! Tables that are replaced, moved or made anew under a warm handle: nothing is doubled, and nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use super::fixtures::{config, futures_of, futures_row, lake, slot, symbol};
use super::recording::{Fault, lake_on, recorded};
use super::{AsOf, KeyCount, KeyRange, Lake, LakeError, TableName};
use crate::clock::{Clock, SystemClock};
use crate::market::{FuturesSnapshot, GatewayKind};

const FUTURES: TableName = TableName::FuturesSnapshots;
const TABLE: &str = "lake/futures_snapshots";

fn everything() -> KeyRange {
    KeyRange { symbols: ["ES", "NQ", "RTY"].map(symbol).to_vec(), from: slot(0).instant(), to: slot(10_000).instant() }
}

/// Rows and keys as a process sees them that has not looked before.
async fn counted(folder: &Path) -> KeyCount {
    lake(folder).count(FUTURES, &everything()).await.expect("counted")
}

/// A folder with a table of these slots, one version each after the first.
async fn filled(slots: &[i64]) -> TempDir {
    let folder = tempdir().expect("a folder");
    fill(&lake(folder.path()), slots).await;
    folder
}

async fn fill(lake: &Lake, slots: &[i64]) {
    for number in slots {
        assert_eq!(lake.append_futures(&futures_of(slot(*number))).await.expect("written").added, 3, "slot {number}");
    }
}

async fn added(lake: &Lake, number: i64) -> usize {
    lake.append_futures(&futures_of(slot(number))).await.expect("written").added
}

/// Puts a table in the place of another.
fn swap(from: &Path, to: &Path) {
    fs::rename(to, to.with_extension("before")).expect("moved away");
    fs::rename(from, to).expect("moved in");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("copied");
        }
    }
}

/// All answers of a warm lake are those of one that looks for the first time.
async fn answers_as_fresh(warm: &Lake, folder: &Path) {
    let fresh = lake(folder);
    let (from, to) = (slot(0).instant(), slot(50).instant());
    assert_eq!(warm.prices(from, to).await.expect("read"), fresh.prices(from, to).await.expect("read"));
    assert_eq!(warm.prices(from, to).await.expect("read again"), fresh.prices(from, to).await.expect("read"));
    let es = symbol("ES");
    assert_eq!(warm.latest_futures(&es).await.expect("read"), fresh.latest_futures(&es).await.expect("read"));
    let range = everything();
    assert_eq!(warm.futures_keys(&range).await.expect("keys"), fresh.futures_keys(&range).await.expect("keys"));
    let rows = |lake: Lake| async move { lake.futures(&everything(), &AsOf::Latest).await.expect("rows") };
    assert_eq!(rows(warm.clone()).await, rows(fresh.clone()).await);
    assert_eq!(
        warm.count(FUTURES, &range).await.expect("counted"),
        fresh.count(FUTURES, &range).await.expect("counted")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_table_that_grew_back_to_the_known_version_is_looked_at_anew() {
    let folder = filled(&[1]).await;
    let (table, backup) = (folder.path().join(TABLE), folder.path().join("backup"));
    copy(&table, &backup);
    let warm = lake(folder.path());
    fill(&warm, &[2, 3]).await;
    answers_as_fresh(&warm, folder.path()).await;
    fs::remove_dir_all(&table).expect("emptied");
    copy(&backup, &table);
    fill(&lake(folder.path()), &[4, 5]).await;
    assert_eq!(added(&warm, 5).await, 0, "the restored table has the slot");
    answers_as_fresh(&warm, folder.path()).await;
    assert_eq!((added(&warm, 2).await, added(&warm, 3).await), (3, 3), "the restored table lacks these");
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 15, keys: 15 });
    answers_as_fresh(&warm, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_table_in_the_same_place_is_looked_at_anew_whatever_its_version() {
    for others in [vec![7, 8, 9], vec![8, 9], vec![5, 6, 7, 8, 9]] {
        let (folder, other) = (filled(&[1]).await, filled(&others).await);
        let warm = lake(folder.path());
        fill(&warm, &[2, 3]).await;
        answers_as_fresh(&warm, folder.path()).await;
        swap(&other.path().join(TABLE), &folder.path().join(TABLE));
        answers_as_fresh(&warm, folder.path()).await;
        assert_eq!((added(&warm, 9).await, added(&warm, 3).await), (0, 3), "{others:?}");
        let rows = 3 * (others.len() + 1);
        assert_eq!(counted(folder.path()).await, KeyCount { rows, keys: rows }, "{others:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_by_hand_goes_by_the_table_that_is_there() {
    let (folder, other) = (filled(&[1]).await, filled(&[7, 8, 9]).await);
    let warm = lake(folder.path());
    fill(&warm, &[2, 3]).await;
    swap(&other.path().join(TABLE), &folder.path().join(TABLE));
    let new = FuturesSnapshot { last: Some(1.0), ..futures_row("ES", slot(9)) };
    let replaced = warm.replace_futures(&[new]).await.expect("replaced");
    assert_eq!(replaced.old, [futures_row("ES", slot(9))]);
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 9, keys: 9 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_deleted_and_made_anew_is_another() {
    let folder = filled(&[1, 2, 3]).await;
    let warm = lake(folder.path());
    assert_eq!(added(&warm, 4).await, 3);
    fs::remove_dir_all(folder.path().join(TABLE)).expect("deleted");
    fill(&lake(folder.path()), &[4, 5, 6, 7]).await;
    assert_eq!((added(&warm, 7).await, added(&warm, 3).await), (0, 3));
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 15, keys: 15 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_moved_away_and_back_is_the_same() {
    let folder = filled(&[1, 2]).await;
    let (table, away) = (folder.path().join(TABLE), folder.path().join("away"));
    let warm = lake(folder.path());
    assert_eq!(added(&warm, 3).await, 3);
    fs::rename(&table, &away).expect("moved away");
    let error = warm.append_futures(&futures_of(slot(4))).await.expect_err("gone");
    assert!(matches!(error, LakeError::Vanished { .. }), "{error:?}");
    fs::rename(&away, &table).expect("moved back");
    assert_eq!((added(&warm, 3).await, added(&warm, 4).await), (0, 3));
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 12, keys: 12 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_emptied_is_gone_and_no_second_one_begins_in_it() {
    let folder = filled(&[1, 2]).await;
    let (table, away) = (folder.path().join(TABLE), folder.path().join("away"));
    let warm = lake(folder.path());
    assert_eq!(added(&warm, 3).await, 3);
    fs::rename(&table, &away).expect("moved away");
    fs::create_dir(&table).expect("an empty folder, as a mount point is");
    let error = warm.append_futures(&futures_of(slot(4))).await.expect_err("gone");
    assert!(matches!(error, LakeError::Vanished { .. }), "{error:?}");
    let error = warm.prices(slot(0).instant(), slot(9).instant()).await.expect_err("gone");
    assert!(matches!(error, LakeError::Vanished { .. }), "{error:?}");
    assert_eq!(fs::read_dir(&table).expect("a folder").count(), 0, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_of_another_table_is_not_followed_from_what_was_known_of_the_first() {
    let numbers: Vec<i64> = (20..28).collect();
    let (folder, other) = (filled(&(0..7).collect::<Vec<_>>()).await, filled(&numbers).await);
    let warm = lake(folder.path());
    assert_eq!(added(&warm, 7).await, 3);
    swap(&other.path().join(TABLE), &folder.path().join(TABLE));
    let compacted = warm.compact(FUTURES).await.expect("compacted");
    assert_eq!((compacted.version, compacted.rows), (Some(9), 24));
    answers_as_fresh(&warm, folder.path()).await;
    assert_eq!((added(&warm, 27).await, added(&warm, 7).await), (0, 3));
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 27, keys: 27 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_never_lands_in_a_table_that_was_put_in_place_after_the_look() {
    let (folder, other) = (filled(&[1]).await, filled(&[3, 4]).await);
    let (store, journal) = recorded(Fault::None);
    let warm = lake_on(folder.path(), store);
    assert_eq!(added(&warm, 2).await, 3);
    let (from, to) = (other.path().join(TABLE), folder.path().join(TABLE));
    journal.before("flush STAGED", move || swap(&from, &to));
    assert_eq!(added(&warm, 4).await, 0, "the table that is there has the slot");
    assert!(!journal.is_armed(), "the table was replaced on the way");
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 6, keys: 6 });
}

/// Replaces a file by a copy of itself, as a restore in place does.
fn copied(entry: &Path) {
    let aside: PathBuf = entry.with_extension("aside");
    fs::copy(entry, &aside).expect("copied");
    fs::rename(&aside, entry).expect("moved in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_a_restore_in_place_overtakes_is_taken_out_and_decided_anew() {
    let folder = filled(&[1]).await;
    let (store, journal) = recorded(Fault::None);
    let warm = lake_on(folder.path(), store);
    assert_eq!(added(&warm, 2).await, 3);
    let entry = folder.path().join(TABLE).join("_delta_log/00000000000000000002.json");
    journal.before("link 3.json", move || copied(&entry));
    let written = warm.append_futures(&futures_of(slot(3))).await.expect("written");
    assert!(!journal.is_armed(), "the entry was replaced on the way");
    assert_eq!((written.added, written.version), (3, Some(3)));
    let links = journal.take().into_iter().filter(|event| event == "link 3.json").count();
    assert_eq!(links, 2, "the first one was taken out");
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 9, keys: 9 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_never_lands_in_a_table_that_was_put_in_place_meanwhile() {
    let (folder, other) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
    let (store, journal) = recorded(Fault::None);
    let warm = lake_on(folder.path(), store);
    fill(&warm, &[1, 2, 6]).await;
    fill(&lake_on(other.path(), recorded(Fault::None).0), &[3, 4, 5]).await;
    let (from, to) = (other.path().join(TABLE), folder.path().join(TABLE));
    journal.before("flush STAGED", move || swap(&from, &to));
    warm.tidy(FUTURES, SystemClock.now()).await.expect_err("the table is another");
    assert!(!journal.is_armed(), "the table was replaced on the way");
    let log = fs::read_dir(folder.path().join(TABLE).join("_delta_log")).expect("a folder");
    let names: Vec<String> = log.map(|entry| entry.expect("an entry").file_name().display().to_string()).collect();
    assert_eq!(names.iter().filter(|name| name.strip_suffix(".json").is_some()).count(), 4, "{names:?}");
    assert!(!names.iter().any(|name| name.contains("checkpoint")), "{names:?}");
    assert_eq!(counted(folder.path()).await, KeyCount { rows: 9, keys: 9 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_the_other_gateway_put_in_place_gets_no_table() {
    let (folder, other) = (filled(&[1]).await, tempdir().expect("a folder"));
    let warm = lake(folder.path());
    assert_eq!(added(&warm, 2).await, 3);
    let real = Lake::open(&config(other.path()), GatewayKind::Ib).expect("a local folder");
    let row = FuturesSnapshot { gateway: GatewayKind::Ib, ..futures_row("ES", slot(3)) };
    real.append_futures(&[row]).await.expect("written");
    swap(real.root(), warm.root());
    let etf = super::fixtures::spot_row("SPY", slot(3));
    let error = warm.append_spot(&[etf]).await.expect_err("bound to the other");
    assert!(matches!(error, LakeError::KindMismatch { .. }), "{error:?}");
    assert!(!warm.root().join("spot_snapshots").exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_put_in_the_place_of_one_with_its_name_is_read_anew() {
    let folder = filled(&[]).await;
    let warm = lake(folder.path());
    let rows: Vec<FuturesSnapshot> = (0..6_000).map(|number| futures_row("ES", slot(number))).collect();
    warm.append_futures(&rows).await.expect("written");
    assert_eq!(warm.futures(&everything(), &AsOf::Latest).await.expect("rows").len(), 6_000);
    let partition = folder.path().join(TABLE).join("symbol=ES");
    let file = fs::read_dir(&partition).expect("a folder").next().expect("a file").expect("an entry").path();
    let content = fs::read(&file).expect("read");
    assert!(content.len() > 32 * 1024, "its footer is kept");
    fs::write(&file, &content[..content.len() / 2]).expect("cut off");
    warm.futures(&everything(), &AsOf::Latest).await.expect_err("damaged, whatever is known of its footer");
    fs::write(&file, &content).expect("mended");
    assert_eq!(warm.futures(&everything(), &AsOf::Latest).await.expect("rows").len(), 6_000);
}
