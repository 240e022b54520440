//! Replacing rows by hand (`--force`): the same protocol and the same token as an append, so that neither can slip
//! between the other's look and write. The rows that give way are noted before the commit, or nothing is replaced.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::prelude::{Expr, col, lit};
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableError};

use crate::calendar::Slot;
use crate::market::{GatewayKind, Symbol};

use super::commit::{self, MAX_ROUNDS};
use super::disk::is_flush_failure;
use super::grow;
use super::row::{Row, encoded, sorted};
use super::schema::{instant_column, part_column};
use super::session::{Reach, of_symbols, utc};
use super::table::TableHandle;
use super::view::TableView;
use super::{LakeError, Replaced, Rows, TableName};

/// Rows that are about to be replaced in one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Their table.
    pub table: TableName,
    /// The version that the replacement is decided on; its commit is the next one or none.
    pub base_version: u64,
    /// The version that the try before was decided on, whose commit was refused.
    pub lost_version: Option<u64>,
    /// The rows that change.
    pub rows: Vec<LeavingRow>,
}

/// A row that is about to be replaced, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingRow {
    /// Its key, such as `ES 2026-11-20T15:05:00Z`.
    pub key: String,
    /// As it stands.
    pub old_json: String,
    /// As it will stand.
    pub new_json: String,
}

/// What notes rows before they are replaced.
#[async_trait]
pub trait NotesReplaced: fmt::Debug + Send + Sync {
    /// Notes them durably; an error keeps them from being replaced.
    ///
    /// # Errors
    /// Where they cannot be noted.
    async fn note(&self, leaving: Leaving) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Writes the rows, in place of those with their keys. Rows already there just so are not written again.
pub(super) async fn replace<R: Row>(
    handle: &mut TableHandle,
    kind: GatewayKind,
    rows: &[&R],
    notes: Option<&dyn NotesReplaced>,
) -> Result<Replaced<R>, LakeError> {
    let mut lost_version = None;
    for round in 0..MAX_ROUNDS {
        let view = handle.newest_or_new(kind).await?;
        let old = sorted(view.present(rows).await?);
        if is_same(&old, rows)? {
            commit::confirm(&view).await?;
            return Ok(Replaced { written: 0, old: Vec::new(), version: None });
        }
        if let Some(notes) = notes {
            let leaving = Leaving { lost_version, ..leaving(&view, &old, rows)? };
            let result = notes.note(leaving).await;
            result.map_err(|source| LakeError::NotKept { table: R::TABLE, source })?;
            lost_version = Some(view.version());
        }
        match write(&view, rows).await? {
            Ok(table) => {
                let version = table.version();
                handle.keep_written(table);
                return Ok(Replaced { written: rows.len(), old, version });
            }
            Err(error) if commit::is_lost_race(&error) => commit::pause(round).await,
            Err(error) => {
                let failed = LakeError::storage("replace rows of", view.path(), error);
                let Ok(view) = handle.newest_or_new(kind).await else { return Err(failed) };
                let Ok(now) = view.present(rows).await else { return Err(failed) };
                let is_done = is_same(&sorted(now), rows)? && !is_flush_failure(&failed);
                if !is_done || commit::confirm(&view).await.is_err() {
                    return Err(failed);
                }
                tracing::warn!(table = %R::TABLE, error = %failed, "the rows were replaced, but work after the commit failed");
                return Ok(Replaced { written: rows.len(), old, version: Some(view.version()) });
            }
        }
    }
    Err(LakeError::Conflict { table: R::TABLE, rounds: MAX_ROUNDS })
}

/// The rows that change, each with what comes in its place.
fn leaving<R: Row>(view: &TableView, old: &[R], rows: &[&R]) -> Result<Leaving, LakeError> {
    let standing = Rows::of_refs(&old.iter().collect::<Vec<_>>())?.by_key(R::TABLE);
    let mut coming = Rows::of_refs(rows)?.by_key(R::TABLE);
    let leaving = |(key, old_json): (String, String)| {
        let new_json = coming.remove(&key).filter(|new| *new != old_json)?;
        Some(LeavingRow { key, old_json, new_json })
    };
    let rows = standing.into_iter().filter_map(leaving).collect();
    Ok(Leaving { table: R::TABLE, base_version: view.version(), lost_version: None, rows })
}

/// Whether two lists of rows, both in order of their keys, would be stored as the same.
fn is_same<R: Row>(stored: &[R], rows: &[&R]) -> Result<bool, LakeError> {
    Ok(stored.len() == rows.len() && encoded(&stored.iter().collect::<Vec<_>>())? == encoded(rows)?)
}

/// One overwrite of exactly these keys on the snapshot; the inner error is the commit's.
async fn write<R: Row>(view: &TableView, rows: &[&R]) -> Result<Result<DeltaTable, DeltaTableError>, LakeError> {
    // Without a key to replace the library would replace the whole table.
    let no_rows = || LakeError::Unfit { table: R::TABLE, source: "there are none".into() };
    let (keys, batch) = (exact_keys(rows).ok_or_else(no_rows)?, grow::fitted(view, &encoded(rows)?)?);
    let properties = commit::properties(view).await?;
    let session = Arc::new(view.sessions().of(Reach::Wide).state());
    let write = view.table().clone().write([batch]).with_save_mode(SaveMode::Overwrite).with_replace_where(keys);
    let write = write.with_session_state(session).with_writer_properties(commit::file_properties());
    Ok(write.with_commit_properties(properties).await)
}

/// The keys of these rows and no others, grouped by what they share.
fn exact_keys<R: Row>(rows: &[&R]) -> Option<Expr> {
    let mut grouped: BTreeMap<(Symbol, Option<String>), Vec<Slot>> = BTreeMap::new();
    for key in rows.iter().map(|row| row.key()) {
        grouped.entry((key.symbol, key.part)).or_default().push(key.slot);
    }
    let of_group = |((symbol, part), slots): ((Symbol, Option<String>), Vec<Slot>)| {
        let instants = slots.into_iter().map(|slot| utc(slot.instant())).collect();
        let of_slots = of_symbols([&symbol]).and(col(instant_column(R::TABLE)).in_list(instants, false));
        let of_part = part_column(R::TABLE).zip(part).map(|(column, part)| col(column).eq(lit(part)));
        of_part.into_iter().fold(of_slots, Expr::and)
    };
    grouped.into_iter().map(of_group).reduce(Expr::or)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{futures_of, futures_row, lake, slot, symbol};
    use crate::lake::{AsOf, KeyRange};
    use crate::market::FuturesSnapshot;

    fn everything() -> KeyRange {
        let symbols = ["ES", "NQ", "RTY"].map(symbol).to_vec();
        KeyRange { symbols, from: slot(0).instant(), to: slot(1000).instant() }
    }

    fn other(row: FuturesSnapshot) -> FuturesSnapshot {
        FuturesSnapshot { last: Some(1.0), ..row }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_old_rows_come_back_and_the_neighbours_stay() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let batch = [futures_of(slot(1)), futures_of(slot(2)), futures_of(slot(3))].concat();
        lake.append_futures(&batch).await.expect("written");
        let new = [other(futures_row("NQ", slot(2))), other(futures_row("ES", slot(2))), futures_row("ES", slot(9))];
        let replaced = lake.replace_futures(&new).await.expect("replaced");
        assert_eq!(replaced.old, [futures_row("ES", slot(2)), futures_row("NQ", slot(2))]);
        assert_eq!(replaced.written, 3);
        let rows = lake.futures(&everything(), &AsOf::Latest).await.expect("rows");
        assert_eq!(rows.len(), 10);
        assert_eq!(rows.iter().filter(|row| row.last == Some(1.0)).count(), 2);
        assert!(rows.contains(&futures_row("RTY", slot(2))) && rows.contains(&futures_row("ES", slot(3))));
    }

    /// Keeps what it is given, and refuses where it is to.
    #[derive(Debug, Default)]
    struct Notes {
        is_refusing: bool,
        noted: std::sync::Mutex<Vec<Leaving>>,
    }

    #[async_trait]
    impl NotesReplaced for Notes {
        async fn note(&self, leaving: Leaving) -> Result<(), Box<dyn Error + Send + Sync>> {
            if self.is_refusing {
                return Err("the ledger is busy".into());
            }
            self.noted.lock().expect("no panic").push(leaving);
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rows_that_cannot_be_noted_stay() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        let refusing = lake.noting(Arc::new(Notes { is_refusing: true, ..Notes::default() }));
        let error = refusing.replace_futures(&[other(futures_row("ES", slot(1)))]).await.expect_err("refused");
        assert!(matches!(error, LakeError::NotKept { .. }), "{error:?}");
        let rows = lake.futures(&everything(), &AsOf::Latest).await.expect("rows");
        assert_eq!(rows, futures_of(slot(1)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_note_names_the_rows_that_change_and_the_version_before() {
        let folder = tempdir().expect("a folder");
        let (lake, notes) = (lake(folder.path()), Arc::new(Notes::default()));
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        let noting = lake.noting(notes.clone());
        let new = [other(futures_row("ES", slot(1))), futures_row("NQ", slot(1)), futures_row("ES", slot(9))];
        noting.replace_futures(&new).await.expect("replaced");
        noting.replace_futures(&new).await.expect("nothing to do");
        let written = notes.noted.lock().expect("no panic").clone();
        let [only] = written.as_slice() else { panic!("{written:?}") };
        assert_eq!((only.base_version, only.lost_version, only.rows.len()), (1, None, 1));
        assert!(only.rows[0].new_json.contains("\"last\":1.0") && !only.rows[0].old_json.contains("\"last\":1.0"));
        let standing = lake.rows(TableName::FuturesSnapshots, &crate::lake::RowQuery::default()).await.expect("rows");
        assert_eq!(standing.by_key(TableName::FuturesSnapshots).get(&only.rows[0].key), Some(&only.rows[0].new_json));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn replacing_twice_writes_once() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        let new = [other(futures_row("ES", slot(1)))];
        assert_eq!(lake.replace_futures(&new).await.expect("replaced").version, Some(2));
        let again = lake.replace_futures(&new).await.expect("nothing to do");
        assert_eq!((again.written, again.old.len(), again.version), (0, 0, None));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_replacement_decided_before_an_append_is_refused() {
        let folder = tempdir().expect("a folder");
        let (one, late) = (lake(folder.path()), lake(folder.path()));
        one.append_futures(&futures_of(slot(1))).await.expect("written");
        let view = late.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
        one.append_futures(&futures_of(slot(2))).await.expect("written");
        let row = other(futures_row("ES", slot(2)));
        let lost = write(&view, &[&row]).await.expect("encoded").expect_err("too late");
        assert!(commit::is_lost_race(&lost), "{lost:?}");
        let replaced = late.replace_futures(&[row]).await.expect("looks again");
        assert_eq!(replaced.old, [futures_row("ES", slot(2))]);
        assert_eq!(one.futures(&everything(), &AsOf::Latest).await.expect("rows").len(), 6);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn appends_and_replacements_race_without_a_double_row() {
        let folder = tempdir().expect("a folder");
        let (appender, replacer) = (lake(folder.path()), lake(folder.path()));
        appender.append_futures(&futures_of(slot(0))).await.expect("written");
        let appending = tokio::spawn(async move {
            for number in 0..10 {
                appender.append_futures(&futures_of(slot(number))).await.expect("written");
            }
        });
        let replacing = tokio::spawn(async move {
            for number in 0..10 {
                let rows: Vec<_> = futures_of(slot(number)).into_iter().map(other).collect();
                replacer.replace_futures(&rows).await.expect("replaced");
            }
        });
        appending.await.expect("no panic");
        replacing.await.expect("no panic");
        let rows = lake(folder.path()).futures(&everything(), &AsOf::Latest).await.expect("rows");
        assert_eq!(rows.len(), 30);
        assert!(rows.iter().all(|row| row.last == Some(1.0)), "a replacement is never undone by an append");
    }
}
