//! The folder of a table or a lake before anything is opened: what is in it, and to which gateway it is bound.

use std::io;
use std::path::Path;
use std::sync::Arc;

use deltalake::logstore::ObjectStoreRef;
use deltalake::{DeltaTable, DeltaTableBuilder};
use url::Url;

use crate::market::GatewayKind;

use super::damage;
use super::mark::{Mark, log_version};
use super::schema::{GATEWAY_PROPERTY, Growth, growth};
use super::{LakeError, TableName};

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Nothing, or it does not exist.
    Absent,
    /// A Delta table with at least one commit.
    Table,
    /// Files of another sort.
    Other,
}

/// Looks into a folder. A log without a commit, as a crash before the first one leaves it, counts as nothing.
pub(super) fn presence(path: &Path) -> io::Result<Presence> {
    let is_commit =
        |name: &Path| name.extension().is_some_and(|extension| extension == "json" || extension == "parquet");
    if let Some(log) = entries(&path.join("_delta_log"))? {
        for entry in log {
            if is_commit(&entry?.path()) {
                return Ok(Presence::Table);
            }
        }
        return Ok(Presence::Absent);
    }
    // Another process that makes the table may have begun its log since the look above.
    let is_own = |entry: io::Result<std::fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() == "_delta_log");
    let is_empty = entries(path)?.is_none_or(|mut found| found.all(is_own));
    Ok(if is_empty { Presence::Absent } else { Presence::Other })
}

fn entries(path: &Path) -> io::Result<Option<std::fs::ReadDir>> {
    match std::fs::read_dir(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Loads the table in a folder, at its newest version or at an older one.
pub(super) async fn load(path: &Path, store: ObjectStoreRef, version: Option<u64>) -> Result<DeltaTable, LakeError> {
    let failed = |source| LakeError::storage("open", path, source);
    let builder = builder(path, store).map_err(failed)?;
    let builder = match version {
        Some(version) => builder.with_version(version),
        None => builder,
    };
    match (builder.load().await, version) {
        (Ok(table), None) => damage::check_opened(path, &table).map(|()| table),
        (Err(error), None) => Err(damage::explained(path, failed(error.into()))),
        (loaded, Some(_)) => loaded.map_err(|error| failed(error.into())),
    }
}

/// The mark of the newest entry in a table's log; none where there is no entry.
pub(super) fn newest_mark(path: &Path) -> io::Result<Option<Mark>> {
    let Some(log) = entries(&path.join("_delta_log"))? else { return Ok(None) };
    let versions = log.filter_map(Result::ok).filter_map(|entry| log_version(entry.file_name().to_str()?));
    Ok(versions.max().and_then(|version| Mark::of(path, version)))
}

/// A table in a folder, not loaded yet.
pub(super) fn unloaded(path: &Path, store: ObjectStoreRef) -> Result<DeltaTable, LakeError> {
    let failed = |source| LakeError::storage("open", path, source);
    builder(path, store).map_err(failed)?.build().map_err(|error| failed(error.into()))
}

fn builder(path: &Path, store: ObjectStoreRef) -> Result<DeltaTableBuilder, super::error::Cause> {
    let url = Url::from_directory_path(path).map_err(|()| "it has no absolute path")?;
    Ok(DeltaTableBuilder::from_url(url.clone())?.with_storage_backend(store, url))
}

/// The kind of gateway a table is bound to.
pub(super) fn bound_to(path: &Path, table: &DeltaTable) -> Result<GatewayKind, LakeError> {
    let snapshot = table.snapshot().map_err(|error| LakeError::storage("open", path, error))?;
    let value = snapshot.metadata().configuration().get(GATEWAY_PROPERTY).and_then(|kind| kind.parse().ok());
    value.ok_or_else(|| {
        let property = format!("it has no property {GATEWAY_PROPERTY}");
        let name = path.file_name().and_then(|name| name.to_str()?.parse::<TableName>().ok());
        let difference = match name.map(|name| growth(name, &snapshot.schema())) {
            Some(Growth::Foreign(columns)) => format!("{property}; {columns}"),
            _ => property,
        };
        LakeError::Unbound { path: path.to_path_buf(), difference }
    })
}

/// Refuses a table that is bound to another kind.
pub(super) fn check_kind(path: &Path, table: &DeltaTable, wanted: GatewayKind) -> Result<(), LakeError> {
    let holds = bound_to(path, table)?;
    if holds == wanted { Ok(()) } else { Err(LakeError::KindMismatch { path: path.to_path_buf(), holds, wanted }) }
}

/// Refuses a lake in which any table, this program's or a later one's, is bound to another kind.
pub(super) async fn check_lake(root: &Path, store: &ObjectStoreRef, wanted: GatewayKind) -> Result<(), LakeError> {
    let failed = |error: io::Error| LakeError::storage("open", root, error);
    for entry in entries(root).map_err(failed)?.into_iter().flatten() {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() && presence(&path).map_err(failed)? == Presence::Table {
            check_kind(&path, &load(&path, Arc::clone(store), None).await?, wanted)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{config, futures_of, futures_row, lake, slot, spot_row};
    use crate::lake::{Lake, LakeErrorClass};
    use crate::market::{FuturesSnapshot, SpotSnapshot};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lake_of_one_kind_refuses_every_row_of_the_other() {
        let folder = tempdir().expect("a folder");
        lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect("written");
        let real = Lake::open(&config(folder.path()), GatewayKind::Ib).expect("a local folder");
        let future = FuturesSnapshot { gateway: GatewayKind::Ib, ..futures_row("ES", slot(2)) };
        let etf = SpotSnapshot { gateway: GatewayKind::Ib, ..spot_row("SPY", slot(2)) };
        let error = real.append_futures(&[future]).await.expect_err("bound");
        assert!(matches!(error, LakeError::KindMismatch { holds: GatewayKind::Simulated, .. }), "{error:?}");
        assert_eq!(error.class(), LakeErrorClass::Configuration);
        assert!(error.to_string().contains("holds simulated rows"), "{error}");
        let error = real.append_spot(&[etf]).await.expect_err("bound through the other table");
        assert!(matches!(error, LakeError::KindMismatch { .. }), "{error:?}");
        assert!(!real.root().join("spot_snapshots").exists(), "nothing was made");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_row_of_another_gateway_than_the_lakes_is_refused() {
        let folder = tempdir().expect("a folder");
        let row = FuturesSnapshot { gateway: GatewayKind::Ib, ..futures_row("ES", slot(1)) };
        let error = lake(folder.path()).append_futures(&[row]).await.expect_err("foreign");
        assert!(matches!(error, LakeError::ForeignRow { row: GatewayKind::Ib, .. }), "{error:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_with_other_files_is_no_table() {
        let folder = tempdir().expect("a folder");
        let table = folder.path().join("lake/futures_snapshots");
        std::fs::create_dir_all(&table).expect("made");
        std::fs::write(table.join("notes.txt"), "mine").expect("written");
        let error = lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect_err("no table");
        assert!(error.to_string().contains("is no Delta table"), "{error}");
        assert_eq!(error.class(), LakeErrorClass::Configuration);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_without_a_commit_counts_as_nothing() {
        let folder = tempdir().expect("a folder");
        let log = folder.path().join("lake/futures_snapshots/_delta_log");
        std::fs::create_dir_all(&log).expect("made");
        std::fs::write(log.join("00000000000000000000.json.1.tmp"), "").expect("written");
        let written = lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect("made anew");
        assert_eq!(written.added, 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_in_place_of_the_lake_is_told() {
        let folder = tempdir().expect("a folder");
        std::fs::write(folder.path().join("lake"), "a file").expect("written");
        let error = lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect_err("a file");
        assert!(matches!(error, LakeError::NotAFolder { .. }), "{error:?}");
        let error = lake(folder.path()).prices(slot(0).instant(), slot(1).instant()).await.expect_err("a file");
        assert!(matches!(error, LakeError::NotAFolder { .. }), "{error:?}");
    }
}
