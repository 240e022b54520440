//! Columns of a batch as values of the program, and back.

use std::str::FromStr;

use arrow::array::{
    Array, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::Slot;
use crate::market::{GatewayKind, Source, Symbol};

use super::row::Key;
use super::schema::{PARTITION, columns, instant_column, part_column};
use super::{LakeError, TableName};

/// 1970-01-01 counted in days from the start of the common era, the origin of stored dates.
const EPOCH_DAYS: i32 = 719_163;

/// The columns of one batch of a table.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    table: TableName,
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    pub(super) fn new(table: TableName, batch: &'a RecordBatch) -> Self {
        Self { table, batch }
    }

    pub(super) fn texts(self, name: &'static str) -> Result<Column<'a, StringArray>, LakeError> {
        self.column(name, |array| array.as_string_opt())
    }

    pub(super) fn floats(self, name: &'static str) -> Result<Column<'a, Float64Array>, LakeError> {
        self.column(name, |array| array.as_primitive_opt::<Float64Type>())
    }

    pub(super) fn integers(self, name: &'static str) -> Result<Column<'a, Int64Array>, LakeError> {
        self.column(name, |array| array.as_primitive_opt::<Int64Type>())
    }

    pub(super) fn instants(self, name: &'static str) -> Result<Column<'a, TimestampMicrosecondArray>, LakeError> {
        self.column(name, |array| array.as_primitive_opt::<TimestampMicrosecondType>())
    }

    pub(super) fn dates(self, name: &'static str) -> Result<Column<'a, Date32Array>, LakeError> {
        self.column(name, |array| array.as_primitive_opt::<Date32Type>())
    }

    fn column<A>(
        self,
        name: &'static str,
        typed: impl FnOnce(&'a dyn Array) -> Option<&'a A>,
    ) -> Result<Column<'a, A>, LakeError> {
        let found = self.batch.column_by_name(name).and_then(|array| typed(array.as_ref()));
        let array = found.ok_or_else(|| LakeError::Corrupt {
            table: self.table,
            column: name,
            reason: "it is absent or of another type".to_owned(),
        })?;
        Ok(Column { table: self.table, name, array })
    }
}

/// One typed column, which can say where a bad value stands.
#[derive(Clone, Copy)]
pub(super) struct Column<'a, A> {
    table: TableName,
    name: &'static str,
    array: &'a A,
}

impl<A> Column<'_, A> {
    fn corrupt(&self, reason: &impl ToString) -> LakeError {
        LakeError::Corrupt { table: self.table, column: self.name, reason: reason.to_string() }
    }

    fn required<V>(&self, value: Option<V>) -> Result<V, LakeError> {
        value.ok_or_else(|| self.corrupt(&"it is null"))
    }
}

impl<'a> Column<'a, StringArray> {
    pub(super) fn text(&self, row: usize) -> Result<&'a str, LakeError> {
        self.required(self.array.is_valid(row).then(|| self.array.value(row)))
    }

    pub(super) fn optional(&self, row: usize) -> Option<&'a str> {
        self.array.is_valid(row).then(|| self.array.value(row))
    }

    /// The text as a value of the program.
    pub(super) fn parsed<V: FromStr<Err: ToString>>(&self, row: usize) -> Result<V, LakeError> {
        self.text(row)?.parse().map_err(|error: V::Err| self.corrupt(&error))
    }

    pub(super) fn symbol(&self, row: usize) -> Result<Symbol, LakeError> {
        self.parsed(row)
    }

    pub(super) fn source(&self, row: usize) -> Result<Source, LakeError> {
        self.parsed(row)
    }

    pub(super) fn gateway(&self, row: usize) -> Result<GatewayKind, LakeError> {
        self.parsed(row)
    }
}

impl Column<'_, Float64Array> {
    pub(super) fn number(&self, row: usize) -> Result<f64, LakeError> {
        self.required(self.float(row))
    }

    pub(super) fn float(&self, row: usize) -> Option<f64> {
        self.array.is_valid(row).then(|| self.array.value(row))
    }
}

impl Column<'_, Int64Array> {
    pub(super) fn integer(&self, row: usize) -> Option<i64> {
        self.array.is_valid(row).then(|| self.array.value(row))
    }

    /// The number as a narrower type.
    pub(super) fn narrow<V: TryFrom<i64, Error: ToString>>(&self, row: usize) -> Result<Option<V>, LakeError> {
        let narrowed = self.integer(row).map(V::try_from).transpose();
        narrowed.map_err(|error| self.corrupt(&error))
    }
}

impl Column<'_, TimestampMicrosecondArray> {
    pub(super) fn instant(&self, row: usize) -> Result<DateTime<Utc>, LakeError> {
        let micros = self.required(self.array.is_valid(row).then(|| self.array.value(row)))?;
        DateTime::from_timestamp_micros(micros).ok_or_else(|| self.corrupt(&"it is no instant"))
    }

    pub(super) fn slot(&self, row: usize) -> Result<Slot, LakeError> {
        Slot::at(self.instant(row)?).map_err(|error| self.corrupt(&error))
    }
}

impl Column<'_, Date32Array> {
    pub(super) fn date(&self, row: usize) -> Result<NaiveDate, LakeError> {
        let days = self.required(self.array.is_valid(row).then(|| self.array.value(row)))?;
        date_of(days).ok_or_else(|| self.corrupt(&"it is no date"))
    }
}

/// The date a number of days after 1970-01-01.
pub(super) fn date_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH_DAYS)?)
}

/// Days of a date after 1970-01-01.
pub(super) fn days_of(date: NaiveDate) -> i32 {
    use chrono::Datelike;
    date.num_days_from_ce() - EPOCH_DAYS
}

/// A column of instants, in microseconds of UTC.
pub(super) fn instant_array(instants: impl Iterator<Item = DateTime<Utc>>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::from_iter_values(instants.map(|at| at.timestamp_micros())).with_timezone("UTC")
}

/// The columns that make the keys of a batch.
pub(super) struct KeyColumns<'a> {
    symbols: Column<'a, StringArray>,
    instants: Column<'a, TimestampMicrosecondArray>,
    parts: Option<Column<'a, StringArray>>,
}

impl<'a> KeyColumns<'a> {
    pub(super) fn of(table: TableName, batch: &'a RecordBatch) -> Result<Self, LakeError> {
        let columns = Columns::new(table, batch);
        Ok(Self {
            symbols: columns.texts(PARTITION)?,
            instants: columns.instants(instant_column(table))?,
            parts: part_column(table).map(|part| columns.texts(part)).transpose()?,
        })
    }

    pub(super) fn key(&self, row: usize) -> Result<Key, LakeError> {
        let part = self.parts.as_ref().map(|parts| parts.text(row).map(str::to_owned)).transpose()?;
        Ok(Key { symbol: self.symbols.symbol(row)?, slot: self.instants.slot(row)?, part })
    }

    /// The key as it is stored, whether or not it can be one of ours.
    pub(super) fn texts(&self, row: usize) -> Result<(&'a str, DateTime<Utc>, &'a str), LakeError> {
        let part = self.parts.as_ref().map_or(Ok(""), |parts| parts.text(row))?;
        Ok((self.symbols.text(row)?, self.instants.instant(row)?, part))
    }
}

/// The batch in the types the table declares: scans hand strings out as views and partitions as dictionaries.
pub(super) fn plain(table: TableName, batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = batch.schema();
    let named = schema.fields().iter().zip(batch.columns());
    let cast = named.map(|(field, array)| {
        let spec = columns(table).iter().find(|spec| spec.name == field.name());
        let wanted = spec.map_or_else(|| unviewed(field.data_type()), |spec| super::schema::arrow_type(spec.kind));
        Ok((field.name().clone(), arrow::compute::cast(array, &wanted)?))
    });
    RecordBatch::try_from_iter(cast.collect::<Result<Vec<_>, arrow::error::ArrowError>>()?)
}

/// The type of a column of another program, as its table declares it.
fn unviewed(scanned: &DataType) -> DataType {
    match scanned {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back_as_they_went() {
        for date in [(1970, 1, 1), (2026, 11, 20), (1969, 12, 31)] {
            let date = NaiveDate::from_ymd_opt(date.0, date.1, date.2).expect("a date");
            assert_eq!(date_of(days_of(date)), Some(date));
        }
        assert_eq!(days_of(NaiveDate::from_ymd_opt(1970, 1, 2).expect("a date")), 1);
    }
}
