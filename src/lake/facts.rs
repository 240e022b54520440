//! What the log tells of a table without a look into its files: for those who judge the lake.

use chrono::{DateTime, Utc};
use deltalake::DeltaTable;

use crate::market::GatewayKind;

use super::error::Cause;
use super::files::Files;
use super::folder;
use super::{Lake, LakeError, TableName};

/// What the log tells of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableFacts {
    /// The kind of gateway it is bound to.
    pub kind: GatewayKind,
    /// Its newest version.
    pub version: u64,
    /// Its files.
    pub num_files: usize,
    /// Bytes of its files.
    pub num_bytes: u64,
    /// Its rows; none where a file does not tell.
    pub num_rows: Option<u64>,
    /// Its partitions.
    pub num_partitions: usize,
    /// The newest instant in it; none where it is empty or a file does not tell.
    pub newest: Option<DateTime<Utc>>,
}

impl Lake {
    /// What the log tells of a table; none where there is no such table yet. Nothing is made.
    ///
    /// # Errors
    /// Where the table is not one of ours or cannot be read.
    pub async fn facts(&self, name: TableName) -> Result<Option<TableFacts>, LakeError> {
        let Some(view) = self.handle(name).lock().await.newest().await? else { return Ok(None) };
        let path = self.root().join(name.as_str());
        let kind = folder::bound_to(&path, view.table())?;
        let newest = view.newest()?;
        let (num_files, num_bytes, num_rows) =
            counts(view.table()).map_err(|source| LakeError::storage("read", &path, source))?;
        let (num_partitions, newest) = (newest.num_symbols(), newest.of_all());
        Ok(Some(TableFacts { kind, version: view.version(), num_files, num_bytes, num_rows, num_partitions, newest }))
    }
}

/// Files, their bytes, and rows by their statistics.
fn counts(table: &DeltaTable) -> Result<(usize, u64, Option<u64>), Cause> {
    let files = Files::of(table)?;
    let (num_bytes, num_rows) =
        (files.iter().map(|file| file.num_bytes).sum(), files.iter().map(|file| file.num_rows).sum());
    Ok((files.len(), num_bytes, num_rows))
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{config, futures_of, lake, slot};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_tells_its_kind_and_its_rows_and_a_missing_one_is_not_made() {
        let folder = tempdir().expect("a folder");
        lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect("written");
        let reader = Lake::reader(&config(folder.path())).expect("a local folder");
        let facts = reader.facts(TableName::FuturesSnapshots).await.expect("readable").expect("there");
        assert_eq!((facts.kind, facts.num_rows), (GatewayKind::Simulated, Some(3)));
        assert!(facts.version > 0 && facts.num_bytes > 3_000, "{facts:?}");
        assert_eq!((facts.num_files, facts.num_partitions, facts.newest), (3, 3, Some(slot(1).instant())));
        assert_eq!(reader.facts(TableName::SpotSnapshots).await.expect("readable"), None);
        assert!(!reader.root().join("spot_snapshots").exists());
    }
}
