//! Data files read as they stand, without the query engine: whole files of known names need no plan.
//!
//! Right for a table that demands nothing but its columns (`direct::is_plain`): its files hide no rows and name their
//! columns as the table does. The partition column stands in the log, not in the file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::Cause;
use super::schema::PARTITION;

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
        // Whole: by a file handle the reader would look for each column chunk on the disk by itself.
        let file = Bytes::from(fs::read(&path).map_err(|error| told(&error))?);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
        for batch in reader.map_err(|error| told(&error))? {
            batches.push(fitted(&batch.map_err(|error| told(&error))?, partition, schema)?);
        }
    }
    let all = concat_batches(schema, &batches)?;
    let order = sort_to_indices(all.column(schema.index_of("timestamp")?), None, None)?;
    Ok(take_record_batch(&all, &order)?)
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
