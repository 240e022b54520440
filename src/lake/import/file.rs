//! One file of another program's table, read batch by batch as values that nothing has been made of yet.

use std::fs::File;

use arrow::array::{Array, AsArray, Float64Array, Int64Array, StringArray};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::calendar::Zone;
use crate::lake::error::Cause;

use super::foreign::ForeignFile;

/// Rows read at once.
const BATCH_ROWS: usize = 8192;

/// The numbers that are taken over; changes are computed anew, and the date is the calendar's.
pub(super) const NUMBERS: [&str; 6] = ["bid", "ask", "last", "volume", "open_interest", "implied_vol"];

/// A row as another program wrote it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ForeignRow {
    pub(super) symbol: Option<String>,
    pub(super) stamp: Option<DateTime<Utc>>,
    pub(super) bid: Option<f64>,
    pub(super) ask: Option<f64>,
    pub(super) last: Option<f64>,
    pub(super) volume: Option<f64>,
    pub(super) open_interest: Option<f64>,
    pub(super) implied_vol: Option<f64>,
}

impl ForeignFile {
    /// Gives the instant of each of its rows to a closure, none for a row without one.
    pub(super) fn stamps(&self, zone: Option<Zone>, mut take: impl FnMut(Option<DateTime<Utc>>)) -> Result<(), Cause> {
        for batch in self.batches(&["timestamp"])? {
            stamps(&batch?, zone)?.into_iter().for_each(&mut take);
        }
        Ok(())
    }

    /// Gives each of its rows to a closure, in their order.
    pub(super) fn rows(&self, zone: Option<Zone>, mut take: impl FnMut(ForeignRow)) -> Result<(), Cause> {
        for batch in self.batches(&[&["symbol", "timestamp"][..], &NUMBERS].concat())? {
            let batch = batch?;
            let symbols: Option<StringArray> = match batch.column_by_name("symbol") {
                Some(array) => Some(as_type(array, &DataType::Utf8, "symbol")?.as_string::<i32>().clone()),
                None => None,
            };
            let [bid, ask, last, volume, open_interest, implied_vol] = numbers(&batch)?;
            for (row, stamp) in stamps(&batch, zone)?.into_iter().enumerate() {
                let symbol = match &symbols {
                    Some(symbols) => symbols.is_valid(row).then(|| symbols.value(row).to_owned()),
                    None => self.symbol.clone(),
                };
                let number = |array: &Option<Float64Array>| {
                    array.as_ref().filter(|array| array.is_valid(row)).map(|array| array.value(row))
                };
                take(ForeignRow {
                    symbol,
                    stamp,
                    bid: number(&bid),
                    ask: number(&ask),
                    last: number(&last),
                    volume: number(&volume),
                    open_interest: number(&open_interest),
                    implied_vol: number(&implied_vol),
                });
            }
        }
        Ok(())
    }

    /// Its batches with those of the columns that it has.
    fn batches(&self, names: &[&str]) -> Result<impl Iterator<Item = Result<RecordBatch, Cause>> + use<>, Cause> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&self.path)?)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
        Ok(reader.map(|batch| batch.map_err(Cause::from)))
    }
}

/// The instants of a batch: the times in it as they are, or as a clock on a wall in a zone showed them. No exchange
/// trades in the hours in which a clock is changed, so it matters little what becomes of those.
fn stamps(batch: &RecordBatch, zone: Option<Zone>) -> Result<Vec<Option<DateTime<Utc>>>, Cause> {
    let array = batch.column_by_name("timestamp").ok_or("it has no column timestamp")?;
    let DataType::Timestamp(_, own) = array.data_type() else {
        return Err(format!("its timestamps are of type {}", array.data_type()).into());
    };
    let array = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, own.clone()))?;
    let array = cast(&array, &DataType::Int64)?;
    let micros: &Int64Array = array.as_primitive::<Int64Type>();
    let instant = |micros: Option<i64>| {
        let at = DateTime::from_timestamp_micros(micros?)?;
        Some(zone.map_or(at, |zone| zone.instant(at.naive_utc())))
    };
    Ok(micros.iter().map(instant).collect())
}

fn numbers(batch: &RecordBatch) -> Result<[Option<Float64Array>; 6], Cause> {
    let mut found = [const { None }; 6];
    for (name, place) in NUMBERS.into_iter().zip(&mut found) {
        let Some(array) = batch.column_by_name(name) else { continue };
        *place = Some(as_type(array, &DataType::Float64, name)?.as_primitive::<Float64Type>().clone());
    }
    Ok(found)
}

fn as_type(array: &arrow::array::ArrayRef, wanted: &DataType, name: &str) -> Result<arrow::array::ArrayRef, Cause> {
    if !can_cast_types(array.data_type(), wanted) {
        return Err(format!("its column {name} is of type {}, which is no {wanted}", array.data_type()).into());
    }
    Ok(cast(array, wanted)?)
}
