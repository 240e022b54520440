//! An answer as a file: CSV, JSON, JSON lines or Parquet, written as the rows come.

use std::io::Write;

use arrow::compute::cast;
use arrow::csv::{Writer as CsvWriter, WriterBuilder as CsvWriterBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json;
use arrow::json::writer::{JsonArray, LineDelimited};
use arrow::record_batch::RecordBatch;
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::basic::{Compression, ZstdLevel};
use deltalake::parquet::file::properties::WriterProperties;

use super::answer::{Answer, Chunk};
use super::error::QueryError;

/// Rows of a row group: the last one is held in memory.
const ROW_GROUP_ROWS: usize = 64 * 1024;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    /// A line of names, then comma separated values; what is not known is empty.
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// Writes an answer.
pub struct AnswerWriter<W: Write + Send> {
    schema: SchemaRef,
    sink: Sink<W>,
}

enum Sink<W: Write + Send> {
    Csv(Box<CsvWriter<W>>),
    Json(json::Writer<W, JsonArray>),
    Jsonl(json::Writer<W, LineDelimited>),
    Parquet(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> AnswerWriter<W> {
    /// Begins to write an answer.
    ///
    /// # Errors
    /// Where two of its columns have one name and the form needs them apart, or the file cannot be written.
    pub fn new(format: AnswerFormat, answer: &Answer, out: W) -> Result<Self, QueryError> {
        let schema = answer.schema();
        if format != AnswerFormat::Csv {
            check_names(&schema)?;
        }
        let nulls = || json::WriterBuilder::new().with_explicit_nulls(true);
        let mut writer = match format {
            AnswerFormat::Csv => Sink::Csv(Box::new(CsvWriterBuilder::new().with_header(true).build(out))),
            AnswerFormat::Json => Sink::Json(nulls().build(out)),
            AnswerFormat::Jsonl => Sink::Jsonl(nulls().build(out)),
            AnswerFormat::Parquet => {
                let writer = ArrowWriter::try_new(out, SchemaRef::clone(&schema), Some(properties()));
                Sink::Parquet(Box::new(writer.map_err(|error| failed(&error))?))
            }
        };
        if let Sink::Csv(csv) = &mut writer {
            // The names stand there though no row may come.
            csv.write(&RecordBatch::new_empty(SchemaRef::clone(&schema))).map_err(|error| failed(&error))?;
        }
        Ok(Self { schema, sink: writer })
    }

    /// Writes some rows.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&mut self, chunk: &Chunk) -> Result<(), QueryError> {
        let batch = self.stored(&chunk.0).map_err(|error| QueryError::Failed { reason: error.to_string() })?;
        match &mut self.sink {
            Sink::Csv(writer) => writer.write(&batch).map_err(|error| failed(&error)),
            Sink::Json(writer) => writer.write(&batch).map_err(|error| failed(&error)),
            Sink::Jsonl(writer) => writer.write(&batch).map_err(|error| failed(&error)),
            Sink::Parquet(writer) => writer.write(&batch).map_err(|error| failed(&error)),
        }
    }

    /// Ends the file and hands it back.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(self) -> Result<W, QueryError> {
        match self.sink {
            Sink::Csv(writer) => Ok(writer.into_inner()),
            Sink::Json(mut writer) => {
                writer.finish().map_err(|error| failed(&error))?;
                let mut out = writer.into_inner();
                out.write_all(b"\n").map_err(|error| failed(&error))?;
                Ok(out)
            }
            Sink::Jsonl(mut writer) => {
                writer.finish().map_err(|error| failed(&error))?;
                Ok(writer.into_inner())
            }
            Sink::Parquet(writer) => writer.into_inner().map_err(|error| failed(&error)),
        }
    }

    fn stored(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(array, field)| cast(array, field.data_type())).collect::<Result<_, _>>()?;
        RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)
    }
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}

fn check_names(schema: &SchemaRef) -> Result<(), QueryError> {
    let mut names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.sort_unstable();
    let twice = names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    });
    let told =
        |name| QueryError::Statement { reason: format!("two columns are named {name}: name one of them with AS") };
    twice.map_or(Ok(()), |name| Err(told(name)))
}

fn failed(error: &dyn std::error::Error) -> QueryError {
    QueryError::Output { reason: error.to_string() }
}
