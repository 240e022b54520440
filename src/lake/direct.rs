//! Appending without the query engine and without bringing a snapshot up to date: a fifth of the time.
//!
//! The engine is there to check what a table demands of its rows and to fit other schemas. A table of ours demands
//! nothing but its columns, which the batch has by its own schema; any other table takes the long way (`append.rs`). The
//! commit is the next version or none: where another writer has taken its number the append is decided anew, so nothing
//! can have changed between the look and the write.

use arrow::record_batch::RecordBatch;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add};
use deltalake::parquet::file::properties::WriterProperties;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::config::TablePropertiesExt;
use deltalake::{DeltaResult, DeltaTable};
use uuid::Uuid;

use super::TableName;
use super::commit::{file_properties, with_token};
use super::head::Head;
use super::schema::{PARTITION, arrow_schema, columns, instant_column};

/// The newest protocol for writers that knows no constraints, generated columns and mapped names.
const PLAIN_WRITER_VERSION: i32 = 2;

/// Whether a table demands nothing of its rows but exactly our columns.
pub(super) fn is_plain(name: TableName, table: &DeltaTable) -> DeltaResult<bool> {
    let snapshot = table.snapshot()?;
    let (schema, own) = (snapshot.schema(), columns(name));
    let fits = schema.fields().len() == own.len()
        && schema.fields().zip(own).all(|(field, spec)| {
            field.name() == spec.name && field.is_nullable() == spec.nullable && field.metadata().is_empty()
        });
    Ok(fits && snapshot.protocol().min_writer_version() <= PLAIN_WRITER_VERSION)
}

/// Appends a batch as the version after `head` and gives its files; any snapshot of the table serves to tell where it is
/// and how it is made.
pub(super) async fn append(
    table: &DeltaTable,
    head: &Head,
    (name, batch): (TableName, &RecordBatch),
) -> DeltaResult<Vec<Add>> {
    let mut writer = writer(name, table, file_properties())?;
    writer.write(batch).await?;
    let files = writer.close().await?;
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(vec![PARTITION.to_owned()]),
        predicate: None,
    };
    let actions = files.iter().cloned().map(Action::Add).collect();
    let commit = CommitBuilder::from(with_token(head.next_token())).with_actions(actions);
    commit_next((table, head.version()), commit, operation).await?;
    Ok(files)
}

/// A writer of data files of a plain table.
pub(super) fn writer(name: TableName, table: &DeltaTable, properties: WriterProperties) -> DeltaResult<DeltaWriter> {
    let config = WriterConfig::new(
        arrow_schema(name),
        vec![PARTITION.to_owned()],
        Some(properties),
        None,
        None,
        table.snapshot()?.table_config().num_indexed_cols(),
        Some(vec![instant_column(name).to_owned()]),
    );
    Ok(DeltaWriter::new(table.object_store(), config))
}

/// Commits as the version after the given one, or not at all, and gives its number. No work is done after the commit.
pub(super) async fn commit_next(
    (table, version): (&DeltaTable, u64),
    commit: CommitBuilder,
    operation: DeltaOperation,
) -> DeltaResult<u64> {
    let commit = commit.build(Some(table.snapshot()?), table.log_store(), operation);
    let entry = commit.into_prepared_commit_future().await?.commit_or_bytes().clone();
    table.log_store().write_commit_entry(version + 1, entry, Uuid::new_v4()).await?;
    Ok(version + 1)
}
