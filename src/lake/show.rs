//! Rows of any table as plain values, for a person to look at.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use datafusion::prelude::{Expr, lit};

use crate::market::{FuturesSnapshot, SpotSnapshot, Symbol};

use super::columns::date_of;
use super::file_index::Span;
use super::read::{AsOf, explained, view_as_of};
use super::row::{Row, encoded};
use super::schema;
use super::session::{Reach, from_instant, of_symbols, to_instant};
use super::short_read::{Question, Source};
use super::table::TableHandle;
use super::view::Scan;
use super::{DecisionRow, LakeError, SignalRow, TableName};

/// How far back the newest rows are looked for first.
const FIRST_LOOK_BACK: TimeDelta = TimeDelta::hours(6);

/// By how much the look back grows where it did not reach.
const LOOK_BACK_GROWTH: i32 = 8;

/// Which rows of a table to show; everything where a part is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowQuery {
    /// Of this symbol.
    pub symbol: Option<Symbol>,
    /// From this instant on.
    pub from: Option<DateTime<Utc>>,
    /// Up to this instant, included.
    pub to: Option<DateTime<Utc>>,
    /// Only so many, the newest.
    pub last: Option<usize>,
    /// As of when.
    pub as_of: AsOf,
}

/// Rows by instant, then symbol, with the columns of the table in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The columns.
    pub columns: Vec<Column>,
    /// A value for each column in each row.
    pub rows: Vec<Vec<Value>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// 64-bit floating point.
    Float,
    /// 64-bit whole number.
    Integer,
    /// Instant in microseconds of UTC.
    Timestamp,
    /// Calendar date.
    Date,
}

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Not known.
    Null,
    /// Of a text column.
    Text(String),
    /// Of a float column.
    Float(f64),
    /// Of an integer column.
    Integer(i64),
    /// Of a timestamp column.
    Timestamp(DateTime<Utc>),
    /// Of a date column.
    Date(NaiveDate),
}

impl Rows {
    /// Rows of futures as the table would show them.
    ///
    /// # Errors
    /// Where they do not fit the table's columns.
    pub fn of_futures(rows: &[FuturesSnapshot]) -> Result<Self, LakeError> {
        Self::of(rows)
    }

    /// Rows of ETFs as the table would show them.
    ///
    /// # Errors
    /// As [`Rows::of_futures`].
    pub fn of_spot(rows: &[SpotSnapshot]) -> Result<Self, LakeError> {
        Self::of(rows)
    }

    /// Signals as the table would show them.
    ///
    /// # Errors
    /// As [`Rows::of_futures`].
    pub fn of_signals(rows: &[SignalRow]) -> Result<Self, LakeError> {
        Self::of(rows)
    }

    /// Decisions as the table would show them.
    ///
    /// # Errors
    /// As [`Rows::of_futures`].
    pub fn of_decisions(rows: &[DecisionRow]) -> Result<Self, LakeError> {
        Self::of(rows)
    }

    /// The rows as JSON objects with the names of the columns; instants in RFC 3339, UTC.
    #[must_use]
    pub fn objects(&self) -> Vec<serde_json::Value> {
        let object = |row: &Vec<Value>| {
            let fields = self.columns.iter().zip(row).map(|(column, value)| (column.name.clone(), value.to_json()));
            serde_json::Value::Object(fields.collect())
        };
        self.rows.iter().map(object).collect()
    }

    fn of<R: Row>(rows: &[R]) -> Result<Self, LakeError> {
        Ok(Self::ordered(R::TABLE, &[encoded(&rows.iter().collect::<Vec<_>>())?]))
    }

    fn ordered(table: TableName, batches: &[RecordBatch]) -> Self {
        let own = || {
            let specs = schema::columns(table).iter();
            specs.map(|spec| Column { name: spec.name.to_owned(), kind: spec.kind }).collect()
        };
        let columns = batches.first().map_or_else(own, columns_of);
        let mut rows: Vec<Vec<Value>> = batches.iter().flat_map(values_of).collect();
        let place = |name: &str| columns.iter().position(|column| column.name == name);
        let (instant, symbol) = (place(schema::instant_column(table)), place(schema::PARTITION));
        rows.sort_by(|a, b| order_of(a, (instant, symbol)).cmp(&order_of(b, (instant, symbol))));
        Self { columns, rows }
    }
}

impl Value {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Text(text) => text.as_str().into(),
            Self::Float(number) => (*number).into(),
            Self::Integer(number) => (*number).into(),
            Self::Timestamp(at) => at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
            Self::Date(date) => date.to_string().into(),
        }
    }
}

impl RowQuery {
    fn filter(&self, table: TableName) -> Expr {
        let symbol = self.symbol.as_ref().map(|symbol| of_symbols([symbol]));
        let parts = [symbol, self.from.map(|from| from_instant(table, from)), self.to.map(|to| to_instant(table, to))];
        parts.into_iter().flatten().reduce(Expr::and).unwrap_or_else(|| lit(true))
    }
}

/// The rows that answer a query; the columns alone where the table does not exist.
pub(super) async fn rows(
    handle: &tokio::sync::Mutex<TableHandle>,
    table: TableName,
    query: &RowQuery,
) -> Result<Rows, LakeError> {
    if query.as_of == AsOf::Latest
        && let Some(source) = plain_source(handle).await?
        && let Some(rows) = short_rows(&source, query).await
    {
        return Ok(rows);
    }
    scan_rows(handle, table, query).await
}

/// The files of the newest version, where they hold exactly our columns.
async fn plain_source(handle: &tokio::sync::Mutex<TableHandle>) -> Result<Option<Source>, LakeError> {
    let mut handle = handle.lock().await;
    let is_plain = handle.head().await?.is_some_and(|head| head.is_plain());
    if is_plain { handle.source().await } else { Ok(None) }
}

/// The rows without the query engine. Of a few newest ones as much of the end is read as holds so many.
async fn short_rows(source: &Source, query: &RowQuery) -> Option<Rows> {
    let symbols = query.symbol.as_ref().map(|symbol| vec![symbol.clone()]);
    let asked =
        Span { from: query.from.unwrap_or(DateTime::<Utc>::MIN_UTC), to: query.to.unwrap_or(DateTime::<Utc>::MAX_UTC) };
    let reach = query.last.and_then(|last| Some((last, source.files.reach(symbols.as_deref())?)));
    let (newest, there) = reach.unwrap_or((usize::MAX, asked));
    let (first, to) = (asked.from.max(there.from), asked.to.min(there.to));
    let mut from = if newest == usize::MAX { first } else { first.max(to - FIRST_LOOK_BACK) };
    loop {
        let question = Question { symbols: symbols.clone(), spans: vec![Span { from, to }], columns: None };
        let batches = source.batches(question).await?;
        let num_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if num_rows >= newest || from <= first {
            let mut rows = Rows::ordered(source.name, &batches);
            let num_older = rows.rows.len().saturating_sub(query.last.unwrap_or(usize::MAX));
            rows.rows.drain(..num_older);
            return Some(rows);
        }
        from = first.max(to - (to - from) * LOOK_BACK_GROWTH);
    }
}

/// As [`rows`], by way of the query engine.
pub(super) async fn scan_rows(
    handle: &tokio::sync::Mutex<TableHandle>,
    table: TableName,
    query: &RowQuery,
) -> Result<Rows, LakeError> {
    let Some((view, captured)) = view_as_of(handle, &query.as_of).await? else { return Ok(Rows::ordered(table, &[])) };
    let filter = captured.into_iter().fold(query.filter(table), Expr::and);
    let scan = Scan { newest: query.last, ..Scan::of(Reach::Wide, filter) };
    let batches = view.scan(scan).await.map_err(|error| explained(error, table, &query.as_of))?;
    Ok(Rows::ordered(table, &batches))
}

/// By instant, then symbol, by the places of their columns.
fn order_of(row: &[Value], (instant, symbol): (Option<usize>, Option<usize>)) -> (Option<DateTime<Utc>>, Option<&str>) {
    let value = |place: Option<usize>| place.and_then(|place| row.get(place));
    let at = value(instant).and_then(|value| if let Value::Timestamp(at) = value { Some(*at) } else { None });
    let text = value(symbol).and_then(|value| if let Value::Text(text) = value { Some(text.as_str()) } else { None });
    (at, text)
}

fn columns_of(batch: &RecordBatch) -> Vec<Column> {
    let schema = batch.schema();
    let column =
        |field: &arrow::datatypes::FieldRef| Column { name: field.name().clone(), kind: kind_of(field.data_type()) };
    schema.fields().iter().map(column).collect()
}

/// The kind of an arrow type; a column another program added in a type of its own shows as text.
fn kind_of(data_type: &DataType) -> ColumnKind {
    match data_type {
        DataType::Float64 => ColumnKind::Float,
        DataType::Int64 => ColumnKind::Integer,
        DataType::Timestamp(TimeUnit::Microsecond, _) => ColumnKind::Timestamp,
        DataType::Date32 => ColumnKind::Date,
        _ => ColumnKind::Text,
    }
}

fn values_of(batch: &RecordBatch) -> Vec<Vec<Value>> {
    let columns: Vec<Vec<Value>> = batch.columns().iter().map(|array| values(array.as_ref())).collect();
    let row = |row: usize| columns.iter().map(|column| column.get(row).cloned().unwrap_or(Value::Null)).collect();
    (0..batch.num_rows()).map(row).collect()
}

/// The values of a column of one of the kinds; one of another type shows as text.
pub(super) fn values(array: &dyn Array) -> Vec<Value> {
    let or_null = |value: Option<Value>| value.unwrap_or(Value::Null);
    match kind_of(array.data_type()) {
        ColumnKind::Float => array.as_primitive::<Float64Type>().iter().map(|v| or_null(v.map(Value::Float))).collect(),
        ColumnKind::Integer => {
            array.as_primitive::<Int64Type>().iter().map(|v| or_null(v.map(Value::Integer))).collect()
        }
        ColumnKind::Timestamp => {
            let instants = array.as_primitive::<TimestampMicrosecondType>().iter();
            instants.map(|v| or_null(v.and_then(DateTime::from_timestamp_micros).map(Value::Timestamp))).collect()
        }
        ColumnKind::Date => {
            array.as_primitive::<Date32Type>().iter().map(|v| or_null(v.and_then(date_of).map(Value::Date))).collect()
        }
        ColumnKind::Text => {
            let texts = arrow::compute::cast(array, &DataType::Utf8);
            let texts = texts.unwrap_or_else(|_| arrow::array::new_null_array(&DataType::Utf8, array.len()));
            texts.as_string::<i32>().iter().map(|v| or_null(v.map(|text| Value::Text(text.to_owned())))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{futures_of, lake, slot, spot_row, symbol};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_newest_rows_come_in_order_with_every_column() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        for number in 1..5 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        let query = RowQuery { last: Some(4), to: Some(slot(3).instant()), ..RowQuery::default() };
        let shown = lake.rows(TableName::FuturesSnapshots, &query).await.expect("rows");
        assert_eq!(Rows::of_futures(&futures_of(slot(3))).expect("rows").rows, shown.rows[1..]);
        let keys: Vec<_> = shown.rows.iter().map(|row| (row[1].clone(), row[0].clone())).collect();
        let key = |number, name: &str| (Value::Timestamp(slot(number).instant()), Value::Text(name.to_owned()));
        assert_eq!(keys, [key(2, "RTY"), key(3, "ES"), key(3, "NQ"), key(3, "RTY")]);
        let names: Vec<&str> = shown.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names[..3], ["symbol", "timestamp", "bid"]);
        assert_eq!((names.len(), names[19], shown.columns[5].kind), (20, "captured_at", ColumnKind::Integer));
        assert_eq!((&shown.rows[0][6], &shown.rows[0][16]), (&Value::Null, &Value::Integer(495_512_563)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_takes_a_symbol_and_an_instant() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_spot(&[spot_row("SPY", slot(1)), spot_row("SPY", slot(2)), spot_row("QQQ", slot(2))])
            .await
            .expect("written");
        let query = RowQuery {
            symbol: Some(symbol("SPY")),
            from: Some(slot(1).instant()),
            as_of: AsOf::Instant(slot(2).instant()),
            ..RowQuery::default()
        };
        let shown = lake.rows(TableName::SpotSnapshots, &query).await.expect("rows");
        assert_eq!((shown.rows.len(), shown.columns.len()), (1, 10));
        let missing = lake.rows(TableName::FuturesSnapshots, &query).await.expect("no table");
        assert_eq!((missing.rows.len(), missing.columns.len()), (0, 20));
    }
}
