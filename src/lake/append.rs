//! Adding rows, each key once, whoever writes: look what is absent, then append it on that same snapshot.

use std::sync::Arc;

use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableError};

use crate::market::GatewayKind;

use super::commit::{self, MAX_ROUNDS};
use super::direct;
use super::disk::is_flush_failure;
use super::grow;
use super::row::{Row, encoded};
use super::session::Reach;
use super::table::TableHandle;
use super::view::TableView;
use super::{LakeError, Written};

/// Adds the rows whose keys are absent. They come in the order of their keys, each key once.
pub(super) async fn append<R: Row>(
    handle: &mut TableHandle,
    kind: GatewayKind,
    rows: &[&R],
) -> Result<Written, LakeError> {
    for round in 0..MAX_ROUNDS {
        match append_newest(handle, kind, rows).await? {
            Some(Ok(version)) => return Ok(written(rows, rows, Some(version))),
            Some(Err(error)) if commit::is_lost_race(&error) => {
                commit::pause(round).await;
                continue;
            }
            // Others may see the rows already, but a power cut may take them: not to be called done, here or below.
            Some(Err(error)) if is_flush_failure(&error) => {
                return Err(LakeError::storage("append to", handle.path(), error));
            }
            // Whatever it was, the long way finds out whether the rows are there, and tells what is wrong.
            Some(Err(error)) => tracing::debug!(table = %R::TABLE, %error, "the short way to append failed"),
            None => {}
        }
        let view = handle.newest_or_new(kind).await?;
        let absent = view.absent(rows).await?;
        if absent.is_empty() {
            commit::confirm(&view).await?;
            return Ok(written(rows, &absent, None));
        }
        match write(&view, &absent).await? {
            Ok(table) => {
                let version = table.version();
                handle.keep_written(table);
                return Ok(written(rows, &absent, version));
            }
            Err(error) if commit::is_lost_race(&error) => commit::pause(round).await,
            Err(error) => {
                // The commit may stand all the same: the error can come from the work after it. Never repeat it blindly.
                let failed = LakeError::storage("append to", view.path(), error);
                let Ok(view) = handle.newest_or_new(kind).await else { return Err(failed) };
                let Ok(still_absent) = view.absent(rows).await else { return Err(failed) };
                if !still_absent.is_empty() || is_flush_failure(&failed) || commit::confirm(&view).await.is_err() {
                    return Err(failed);
                }
                tracing::warn!(table = %R::TABLE, error = %failed, "the rows were stored, but work after the commit failed");
                return Ok(written(rows, &absent, Some(view.version())));
            }
        }
    }
    Err(LakeError::Conflict { table: R::TABLE, rounds: MAX_ROUNDS })
}

/// The short way: rows newer than all that is there, in a table that demands nothing of them; none for any others. The
/// inner error is the commit's.
async fn append_newest<R: Row>(
    handle: &mut TableHandle,
    kind: GatewayKind,
    rows: &[&R],
) -> Result<Option<Result<u64, DeltaTableError>>, LakeError> {
    let Some((table, head)) = handle.head_or_new(kind).await?.filter(|(_, head)| head.takes(rows)) else {
        return Ok(None);
    };
    let committed = direct::append(table, head, (R::TABLE, &encoded(rows)?)).await;
    Ok(Some(match committed {
        Ok(files) => Ok(handle.keep_appended(rows, &files).await),
        Err(error) => {
            handle.forget_head();
            Err(error)
        }
    }))
}

/// One append to the snapshot; the inner error is the commit's.
async fn write<R: Row>(view: &TableView, rows: &[&R]) -> Result<Result<DeltaTable, DeltaTableError>, LakeError> {
    let batch = grow::fitted(view, &encoded(rows)?)?;
    let properties = commit::properties(view).await?;
    let session = Arc::new(view.sessions().of(Reach::Tight).state());
    let write = view.table().clone().write([batch]).with_save_mode(SaveMode::Append).with_session_state(session);
    Ok(write.with_writer_properties(commit::file_properties()).with_commit_properties(properties).await)
}

fn written<R: Row>(rows: &[&R], added: &[&R], version: Option<u64>) -> Written {
    let added_keys = added.iter().map(|row| row.key()).map(|key| (key.symbol, key.slot)).collect();
    Written { added: added.len(), present: rows.len() - added.len(), version, added_keys }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{futures_of, futures_row, lake, slot, symbol};
    use crate::lake::recording::{Fault, lake_on, recorded};
    use crate::lake::{AsOf, KeyRange, Lake};
    use crate::market::FuturesSnapshot;

    async fn num_files(lake: &Lake) -> (u64, usize) {
        let view = lake.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
        (view.version(), view.table().snapshot().expect("loaded").log_data().num_files())
    }

    async fn num_rows(lake: &Lake) -> usize {
        let symbols = ["ES", "NQ", "RTY"].map(symbol).to_vec();
        let range = KeyRange { symbols, from: slot(0).instant(), to: slot(10_000).instant() };
        lake.futures(&range, &AsOf::Latest).await.expect("rows").len()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_second_append_of_a_slot_writes_nothing() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let first = lake.append_futures(&futures_of(slot(1))).await.expect("written");
        assert_eq!((first.added, first.present, first.version), (3, 0, Some(1)));
        let before = num_files(&lake).await;
        let second = lake.append_futures(&futures_of(slot(1))).await.expect("nothing to do");
        assert_eq!((second.added, second.present, second.version), (0, 3, None));
        assert_eq!(num_files(&lake).await, before);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_the_keys_that_are_absent_are_added() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&[futures_row("ES", slot(1)), futures_row("ES", slot(3))]).await.expect("written");
        let batch = [futures_of(slot(1)), futures_of(slot(2)), futures_of(slot(3))].concat();
        let written = lake.append_futures(&batch).await.expect("written");
        assert_eq!((written.added, written.present), (7, 2));
        assert!(written.added_keys.contains(&(symbol("ES"), slot(2))), "a backfilled slot goes between others");
        assert!(!written.added_keys.contains(&(symbol("ES"), slot(3))));
        assert_eq!(num_rows(&lake).await, 9);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_rows_with_one_key_the_first_counts() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let second = FuturesSnapshot { last: Some(1.0), ..futures_row("ES", slot(1)) };
        let written = lake.append_futures(&[futures_row("ES", slot(1)), second]).await.expect("written");
        assert_eq!((written.added, written.present), (1, 1));
        assert_eq!(lake.latest_futures(&symbol("ES")).await.expect("readable"), Some(futures_row("ES", slot(1))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_writers_on_one_snapshot_the_second_is_refused() {
        let folder = tempdir().expect("a folder");
        let (one, other) = (lake(folder.path()), lake(folder.path()));
        one.append_futures(&futures_of(slot(1))).await.expect("written");
        let view = other.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
        one.append_futures(&futures_of(slot(2))).await.expect("written");
        let rows = futures_of(slot(2));
        let lost = write(&view, &rows.iter().collect::<Vec<_>>()).await.expect("encoded").expect_err("too late");
        assert!(commit::is_lost_race(&lost), "{lost:?}");
        let again = other.append_futures(&rows).await.expect("looks again");
        assert_eq!((again.added, again.present), (0, 3));
        assert_eq!(num_rows(&one).await, 6);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn racing_writers_store_each_key_once_and_also_make_the_table_once() {
        let folder = tempdir().expect("a folder");
        let writer = |lake: Lake| async move {
            let mut added = 0;
            for number in 0..8 {
                added += lake.append_futures(&futures_of(slot(number))).await.expect("written").added;
            }
            added
        };
        let lakes: Vec<Lake> = (0..4).map(|_| lake(folder.path())).collect();
        let tasks: Vec<_> = lakes.into_iter().map(|lake| tokio::spawn(writer(lake))).collect();
        let mut added = 0;
        for task in tasks {
            added += task.await.expect("no panic");
        }
        assert_eq!((added, num_rows(&lake(folder.path())).await), (24, 24));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_somebody_gave_a_rule_of_its_own_is_asked_to_check_it() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&[futures_row("ES", slot(1))]).await.expect("written");
        let url = url::Url::from_directory_path(lake.root().join("futures_snapshots")).expect("absolute");
        let table = deltalake::open_table(url).await.expect("opens");
        table.add_constraint().with_constraint("above_zero", "last > 0").await.expect("added");
        let below = FuturesSnapshot { last: Some(-1.0), ..futures_row("ES", slot(2)) };
        lake.append_futures(&[below]).await.expect_err("refused");
        assert_eq!(lake.append_futures(&[futures_row("ES", slot(2))]).await.expect("written").added, 1);
        assert_eq!(num_rows(&lake).await, 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_that_another_makes_first_has_the_append_decided_anew() {
        let folder = tempdir().expect("a folder");
        let (one, other) = (lake(folder.path()), lake(folder.path()));
        one.append_futures(&futures_of(slot(1))).await.expect("written");
        let mut handle = one.shared.futures.lock().await;
        assert!(handle.head_or_new(GatewayKind::Simulated).await.expect("read").is_some(), "the handle has looked");
        other.append_futures(&futures_of(slot(2))).await.expect("written");
        let (table, head) = handle.looked_at().expect("what it saw");
        let rows = futures_of(slot(2));
        let batch = encoded(&rows.iter().collect::<Vec<_>>()).expect("encoded");
        let lost = direct::append(table, head, (FuturesSnapshot::TABLE, &batch)).await.expect_err("too late");
        assert!(commit::is_lost_race(&lost), "{lost:?}");
        drop(handle);
        assert_eq!(one.append_futures(&rows).await.expect("looks again").present, 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_after_the_commit_is_no_error() {
        let folder = tempdir().expect("a folder");
        let (store, _) = recorded(Fault::Store("checkpoint"));
        let lake = lake_on(folder.path(), store);
        for number in 0..50 {
            let written = lake.append_futures(&[futures_row("ES", slot(number))]).await.expect("stored");
            assert_eq!((written.added, written.version), (1, u64::try_from(number + 1).ok()), "slot {number}");
        }
        assert_eq!(num_rows(&lake).await, 50);
        assert!(!lake.root().join("futures_snapshots/_delta_log/_last_checkpoint").exists(), "the fault did happen");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_handle_survives_checkpoints() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        for number in 0..104 {
            let written = lake.append_futures(&[futures_row("ES", slot(number))]).await.expect("written");
            assert_eq!(written.added, 1, "slot {number}");
        }
        assert_eq!(num_rows(&lake).await, 104);
        assert!(lake.root().join("futures_snapshots/_delta_log/_last_checkpoint").exists());
    }
}
