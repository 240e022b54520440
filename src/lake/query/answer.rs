//! The answer to a statement: rows as they come, however many.

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;

use crate::lake::schema::arrow_type;
use crate::lake::show::{Column, ColumnKind, Value, values};

use super::QueryError;
use super::error::Asked;

/// Rows on their way.
pub struct Answer {
    stream: SendableRecordBatchStream,
    asked: Asked,
}

/// Some thousands of rows of an answer.
#[derive(Debug, Clone)]
pub struct Chunk(pub(super) RecordBatch);

impl Answer {
    pub(super) fn new(stream: SendableRecordBatchStream, asked: Asked) -> Self {
        Self { stream, asked }
    }

    /// The columns, named as the statement names them. What is neither number, instant nor date counts as text.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        let schema = self.stream.schema();
        let column = |field: &arrow::datatypes::FieldRef| Column {
            name: field.name().clone(),
            kind: kind_of(field.data_type()),
        };
        schema.fields().iter().map(column).collect()
    }

    /// The next rows; none at the end.
    ///
    /// # Errors
    /// Where a value cannot be computed, the memory does not suffice, or a file cannot be read.
    pub async fn next(&mut self) -> Result<Option<Chunk>, QueryError> {
        let next = self.stream.next().await.transpose();
        Ok(next.map_err(|error| QueryError::of(&self.asked, error))?.map(Chunk))
    }

    /// The columns as files hold them.
    pub(super) fn schema(&self) -> SchemaRef {
        let schema = self.stream.schema();
        let field = |field: &arrow::datatypes::FieldRef| {
            Field::new(field.name(), stored_type(field.data_type()), field.is_nullable())
        };
        SchemaRef::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
    }
}

impl Chunk {
    /// A value for each column in each row.
    ///
    /// # Errors
    /// Where a value has no text.
    pub fn rows(&self) -> Result<Vec<Vec<Value>>, QueryError> {
        let columns = self.0.columns().iter().map(column_values).collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(|error| QueryError::Failed { reason: error.to_string() })?;
        let mut rows: Vec<Vec<Value>> = (0..self.0.num_rows()).map(|_| Vec::with_capacity(columns.len())).collect();
        for column in columns {
            rows.iter_mut().zip(column).for_each(|(row, value)| row.push(value));
        }
        Ok(rows)
    }
}

/// Texts and partitions come in forms that only serve speed; instants are told in UTC, whatever zone they went through.
pub(super) fn stored_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Dictionary(_, values) => stored_type(values),
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        other => other.clone(),
    }
}

/// How a value is shown to a person.
fn kind_of(data_type: &DataType) -> ColumnKind {
    match stored_type(data_type) {
        number if number.is_integer() => ColumnKind::Integer,
        number if number.is_numeric() => ColumnKind::Float,
        DataType::Timestamp(_, Some(_)) => ColumnKind::Timestamp,
        DataType::Date32 => ColumnKind::Date,
        _ => ColumnKind::Text,
    }
}

fn column_values(array: &ArrayRef) -> Result<Vec<Value>, arrow::error::ArrowError> {
    let as_kind = match stored_type(array.data_type()) {
        DataType::Float64 => Some(ColumnKind::Float),
        DataType::Utf8 => Some(ColumnKind::Text),
        DataType::Date32 => Some(ColumnKind::Date),
        DataType::Timestamp(unit, Some(_)) if unit != TimeUnit::Nanosecond => Some(ColumnKind::Timestamp),
        number if number.is_integer() && number != DataType::UInt64 => Some(ColumnKind::Integer),
        _ => None,
    };
    match as_kind {
        Some(kind) => Ok(values(cast(array, &arrow_type(kind))?.as_ref())),
        None => texts(array),
    }
}

/// The values as the engine writes them: wide numbers, lists, and whatever else a statement can make.
fn texts(array: &ArrayRef) -> Result<Vec<Value>, arrow::error::ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let text = |row| formatter.value(row).try_to_string().map(Value::Text);
    (0..array.len()).map(|row| if array.is_null(row) { Ok(Value::Null) } else { text(row) }).collect()
}
