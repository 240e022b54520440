//! The files of a table as the log describes them, without opening one.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use deltalake::DeltaTable;

use super::error::Cause;
use super::schema::{arrow_type, instant_in};
use super::show::ColumnKind;

/// A file of a table. Instants are kept in milliseconds, exact for slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileEntry<'a> {
    /// Its path below the table.
    pub(super) path: &'a str,
    /// The symbol of all its rows.
    pub(super) symbol: &'a str,
    pub(super) num_bytes: u64,
    /// Its rows; none where the log does not tell.
    pub(super) num_rows: Option<u64>,
    /// The instant of its oldest row; none where the log does not tell.
    pub(super) oldest: Option<DateTime<Utc>>,
    /// As `oldest`, of the newest row.
    pub(super) newest: Option<DateTime<Utc>>,
}

/// The files of a snapshot.
pub(super) struct Files {
    paths: ArrayRef,
    symbols: ArrayRef,
    bytes: ArrayRef,
    rows: Option<ArrayRef>,
    oldest: Option<ArrayRef>,
    newest: Option<ArrayRef>,
}

impl Files {
    /// Reads them from the log of a snapshot, which is in memory.
    pub(super) fn of(table: &DeltaTable) -> Result<Self, Cause> {
        let files = table.snapshot()?.add_actions_table(true)?;
        let required = |name: &str, kind: DataType| {
            column(&files, name, &kind)?.ok_or_else(|| Cause::from(format!("the log tells no {name}")))
        };
        let symbols = match column(&files, "partition.symbol", &DataType::Utf8)? {
            Some(symbols) => symbols,
            None => arrow::array::new_null_array(&DataType::Utf8, files.num_rows()),
        };
        Ok(Self {
            paths: required("path", DataType::Utf8)?,
            symbols,
            bytes: required("size_bytes", DataType::Int64)?,
            rows: column(&files, "num_records", &DataType::Int64)?,
            oldest: instants(&files, "min")?,
            newest: instants(&files, "max")?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = FileEntry<'_>> {
        let (paths, symbols) = (self.paths.as_string::<i32>(), self.symbols.as_string::<i32>());
        (0..self.len()).map(move |at| FileEntry {
            path: paths.value(at),
            symbol: if symbols.is_null(at) { "" } else { symbols.value(at) },
            num_bytes: number(Some(&self.bytes), at).and_then(|bytes| bytes.try_into().ok()).unwrap_or(0),
            num_rows: number(self.rows.as_ref(), at).and_then(|rows| rows.try_into().ok()),
            oldest: number(self.oldest.as_ref(), at).and_then(DateTime::from_timestamp_micros),
            newest: number(self.newest.as_ref(), at).and_then(DateTime::from_timestamp_micros),
        })
    }
}

fn column(files: &RecordBatch, name: &str, kind: &DataType) -> Result<Option<ArrayRef>, Cause> {
    Ok(files.column_by_name(name).map(|array| cast(array, kind)).transpose()?)
}

/// Microseconds, whatever the log keeps.
fn instants(files: &RecordBatch, bound: &str) -> Result<Option<ArrayRef>, Cause> {
    let name = instant_in(|name| Some(format!("{bound}.{name}")).filter(|name| files.column_by_name(name).is_some()));
    let Some(name) = name else { return Ok(None) };
    let instants = column(files, &name, &arrow_type(ColumnKind::Timestamp))?;
    Ok(instants.map(|array| cast(&array, &DataType::Int64)).transpose()?)
}

fn number(array: Option<&ArrayRef>, at: usize) -> Option<i64> {
    let array = array?.as_primitive_opt::<Int64Type>()?;
    (!array.is_null(at)).then(|| array.value(at))
}
