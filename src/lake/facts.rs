//! What the log tells of a table without a look into its files: for those who judge the lake.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use deltalake::DeltaTable;

use crate::market::GatewayKind;

use super::error::Cause;
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
    /// Its rows; none where a file does not tell.
    pub num_rows: Option<u64>,
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
        let (num_files, num_rows) = counts(view.table()).map_err(|source| LakeError::storage("read", &path, source))?;
        Ok(Some(TableFacts { kind, version: view.version(), num_files, num_rows }))
    }
}

/// Files, and rows by their statistics.
fn counts(table: &DeltaTable) -> Result<(usize, Option<u64>), Cause> {
    let files = table.snapshot()?.add_actions_table(true)?;
    let Some(rows) = files.column_by_name("num_records") else { return Ok((files.num_rows(), None)) };
    let rows = cast(rows, &DataType::Int64)?;
    let sum = rows.as_primitive::<Int64Type>().iter().map(|count| count.and_then(|n| u64::try_from(n).ok())).sum();
    Ok((files.num_rows(), sum))
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
        assert!(facts.version > 0 && facts.num_files > 0, "{facts:?}");
        assert_eq!(reader.facts(TableName::SpotSnapshots).await.expect("readable"), None);
        assert!(!reader.root().join("spot_snapshots").exists());
    }
}
