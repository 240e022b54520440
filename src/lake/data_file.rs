//! Data files read as they stand, without the query engine: rows of known files need no plan.
//!
//! Right for a table that hides no rows in its files and names their columns as it does itself (`direct::is_plain`,
//! `file_index.rs`). The partition column stands in the log, not in the file.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, concat_batches, filter_record_batch, sort_to_indices, take_record_batch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use deltalake::parquet::file::reader::ChunkReader;

use super::error::Cause;
use super::file_index::{ChosenFile, Span};
use super::footers::Footers;
use super::page_choice;
use super::schema::{PARTITION, instant_in};

/// A file up to this size is read in one go; most of it is footer.
const WHOLE_BYTES: u64 = 32 * 1024;

/// Rows decoded at once: most reads then come as one batch.
const BATCH_ROWS: usize = 8 * 1024;

/// What is wanted of a file.
pub(super) struct Wanted<'a> {
    /// The columns, as the table declares them; the instant is among them.
    pub(super) schema: &'a SchemaRef,
    /// The instants.
    pub(super) spans: &'a [Span],
}

/// All rows of the files at these paths below a table's folder, which are of one partition, in the order of their
/// instants.
pub(super) fn read_sorted(
    folder: &Path,
    (paths, partition): (&[String], &str),
    schema: &SchemaRef,
) -> Result<RecordBatch, Cause> {
    let mut batches = Vec::new();
    for path in paths {
        let path = folder.join(path);
        let told = |error: &dyn std::fmt::Display| Cause::from(format!("{}: {error}", path.display()));
        let file = File::open(&path).map_err(|error| told(&error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
        for batch in reader.map_err(|error| told(&error))? {
            batches.push(fitted(&batch.map_err(|error| told(&error))?, partition, schema)?);
        }
    }
    let all = concat_batches(schema, &batches)?;
    let instant = instant_in(|name| schema.index_of(name).ok()).ok_or("it has no column of instants")?;
    let order = sort_to_indices(all.column(instant), None, None)?;
    Ok(take_record_batch(&all, &order)?)
}

/// The rows of a file that are wanted, in its order; row groups and pages that cannot hold any are left out.
pub(super) fn read_wanted(
    folder: &Path,
    file: &ChosenFile,
    (wanted, footers): (&Wanted<'_>, &Footers),
) -> Result<Vec<RecordBatch>, Cause> {
    let path = folder.join(&*file.path);
    let mut opened = File::open(&path)?;
    if opened.metadata()?.len() > WHOLE_BYTES {
        let footer = footers.of(&path, &opened)?;
        return read(ParquetRecordBatchReaderBuilder::new_with_metadata(opened, footer), &file.symbol, wanted);
    }
    let mut whole = Vec::new();
    opened.read_to_end(&mut whole)?;
    read(ParquetRecordBatchReaderBuilder::try_new(Bytes::from(whole))?, &file.symbol, wanted)
}

fn read<T: ChunkReader + 'static>(
    builder: ParquetRecordBatchReaderBuilder<T>,
    symbol: &str,
    wanted: &Wanted<'_>,
) -> Result<Vec<RecordBatch>, Cause> {
    let names = wanted.schema.fields().iter().map(|field| field.name().as_str());
    let columns = ProjectionMask::columns(builder.parquet_schema(), names);
    let choice = page_choice::choose(builder.metadata(), wanted.spans);
    let mut builder = builder.with_projection(columns).with_batch_size(BATCH_ROWS);
    if let Some(choice) = choice {
        builder = builder.with_row_groups(choice.groups).with_row_selection(choice.rows);
    }
    let mut batches = Vec::new();
    for batch in builder.build()? {
        let batch = within(fitted(&batch?, symbol, wanted.schema)?, wanted.spans)?;
        if batch.num_rows() > 0 {
            batches.push(batch);
        }
    }
    Ok(batches)
}

/// The rows whose instants are in any of the spans.
fn within(batch: RecordBatch, spans: &[Span]) -> Result<RecordBatch, Cause> {
    let instants = instant_in(|name| batch.column_by_name(name));
    let instants = instants.and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
    let instants = instants.ok_or("the file has no instants")?;
    let bounds: Vec<(i64, i64)> = spans.iter().map(|span| span.micros()).collect();
    let is_wanted = |at: &i64| bounds.iter().any(|(from, to)| from <= at && at <= to);
    let mask: BooleanArray = instants.values().iter().map(|at| Some(is_wanted(at))).collect();
    if mask.true_count() == batch.num_rows() { Ok(batch) } else { Ok(filter_record_batch(&batch, &mask)?) }
}

/// The batch of a file with the columns of the table: one the file has not yet is null.
fn fitted(batch: &RecordBatch, partition: &str, schema: &SchemaRef) -> Result<RecordBatch, Cause> {
    let column = |field: &Arc<arrow::datatypes::Field>| -> Result<ArrayRef, Cause> {
        if field.name() == PARTITION {
            return Ok(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(partition, batch.num_rows()))));
        }
        match batch.column_by_name(field.name()) {
            Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
            Some(array) => Ok(cast(array, field.data_type())?),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

#[cfg(test)]
mod tests {
    use deltalake::parquet::arrow::ArrowWriter;
    use tempfile::tempdir;

    use super::*;
    use crate::lake::TableName;
    use crate::lake::columns::Columns;
    use crate::lake::fixtures::{futures_row, slot};
    use crate::lake::row::encoded;
    use crate::lake::schema::arrow_schema;

    /// A file of a partition as an older program wrote it, without a column and without the partition's.
    fn older(folder: &Path, name: &str, numbers: &[i64]) -> String {
        let rows: Vec<_> = numbers.iter().map(|number| futures_row("ES", slot(*number))).collect();
        let whole = encoded(&rows.iter().collect::<Vec<_>>()).expect("a batch");
        let lacking = [PARTITION, "implied_vol"];
        let kept = |at: &usize| !lacking.contains(&whole.schema().field(*at).name().as_str());
        let columns: Vec<usize> = (0..whole.num_columns()).filter(kept).collect();
        let batch = whole.project(&columns).expect("fewer columns");
        let file = File::create(folder.join(name)).expect("made");
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        name.to_owned()
    }

    #[test]
    fn a_column_that_a_file_lacks_is_null_and_the_partition_is_the_logs() {
        let folder = tempdir().expect("a folder");
        let paths = [older(folder.path(), "a.parquet", &[3, 1]), older(folder.path(), "b.parquet", &[2])];
        let schema = arrow_schema(TableName::FuturesSnapshots);
        let batch = read_sorted(folder.path(), (&paths, "ES"), &schema).expect("read");
        assert_eq!(batch.schema(), schema);
        let columns = Columns::new(TableName::FuturesSnapshots, &batch);
        let (symbol, at) = (columns.texts("symbol").expect("there"), columns.instants("timestamp").expect("there"));
        let volatility = columns.floats("implied_vol").expect("there");
        for (row, number) in [1, 2, 3].into_iter().enumerate() {
            assert_eq!(symbol.text(row).expect("a symbol"), "ES");
            assert_eq!(at.slot(row).expect("a slot"), slot(number), "in the order of their instants");
            assert_eq!(volatility.float(row), None);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.parquet"), "no rows").expect("written");
        let schema = arrow_schema(TableName::FuturesSnapshots);
        let error =
            read_sorted(folder.path(), (&["a.parquet".to_owned()], "ES"), &schema).expect_err("no file of rows");
        assert!(error.to_string().contains("a.parquet: "), "{error}");
    }
}
