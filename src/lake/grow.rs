//! Columns that are new to a table: a later program than the one that made it adds them at its first write. Properties
//! that are new to it are set by maintenance.
//!
//! The commit is made on exactly the snapshot that was looked at and carries the token of all writers. So an append that
//! was decided before it is refused and decided anew, and of two programs that add the same column the second finds it
//! there. A program that does not know a column leaves it null in the rows it adds, and keeps it in those it rewrites.

use std::collections::HashMap;

use arrow::array::new_null_array;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake::{DeltaTable, DeltaTableError};

use super::error::Cause;
use super::schema::{ColumnSpec, Growth, arrow_type, columns, delta_column, growth};
use super::view::TableView;
use super::{LakeError, TableName, commit};

/// The columns that a snapshot's table lacks and may be given.
pub(super) fn lacking(view: &TableView) -> Result<Vec<&'static ColumnSpec>, LakeError> {
    let snapshot = view.table().snapshot().map_err(|error| LakeError::storage("read", view.path(), error))?;
    Ok(match growth(view.name(), &snapshot.schema()) {
        Growth::Lacks(lacking) => lacking,
        Growth::None | Growth::Foreign(_) => Vec::new(),
    })
}

/// One commit that adds the columns; the inner error is the commit's.
pub(super) async fn add(
    view: &TableView,
    lacking: &[&'static ColumnSpec],
) -> Result<Result<DeltaTable, DeltaTableError>, LakeError> {
    let properties = commit::properties(view).await?.with_max_retries(0);
    let fields = lacking.iter().map(|spec| delta_column(spec));
    Ok(view.table().clone().add_columns().with_fields(fields).with_commit_properties(properties).await)
}

/// The properties that a snapshot's table has not, or with another value.
pub(super) fn lacking_properties(
    view: &TableView,
    wanted: &HashMap<String, String>,
) -> Result<HashMap<String, String>, LakeError> {
    let snapshot = view.table().snapshot().map_err(|error| LakeError::storage("read", view.path(), error))?;
    let there = snapshot.metadata().configuration();
    let lacking = wanted.iter().filter(|(key, value)| there.get(*key) != Some(value));
    Ok(lacking.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// One commit that sets them, made as that of new columns is; the inner error is the commit's.
pub(super) async fn set_properties(
    view: &TableView,
    properties: HashMap<String, String>,
) -> Result<Result<DeltaTable, DeltaTableError>, LakeError> {
    let committing = commit::properties(view).await?.with_max_retries(0);
    let set = view.table().clone().set_tbl_properties().with_properties(properties);
    Ok(set.with_raise_if_not_exists(false).with_commit_properties(committing).await)
}

/// The columns of which a snapshot's table demands a value, and this program may have none.
pub(super) fn demanded(view: &TableView) -> Result<Vec<&'static str>, LakeError> {
    let snapshot = view.table().snapshot().map_err(|error| LakeError::storage("read", view.path(), error))?;
    let schema = snapshot.schema();
    let is_demanded = |spec: &&ColumnSpec| spec.nullable && schema.field(spec.name).is_some_and(|f| !f.is_nullable());
    Ok(columns(view.name()).iter().filter(is_demanded).map(|spec| spec.name).collect())
}

/// One commit after which a column may be without a value; the inner error is the commit's.
pub(super) async fn relax(
    view: &TableView,
    column: &'static str,
) -> Result<Result<DeltaTable, DeltaTableError>, LakeError> {
    let properties = commit::properties(view).await?.with_max_retries(0);
    let relax = view.table().clone().drop_column_not_null().with_column(column);
    Ok(relax.with_commit_properties(properties).await)
}

/// A batch of ours with null in the columns of the table that this program does not know.
pub(super) fn fitted(view: &TableView, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let unfit = |source: Cause| LakeError::Unfit { table: view.name(), source };
    let snapshot = view.table().snapshot().map_err(|error| unfit(error.into()))?;
    let schema: Schema =
        snapshot.schema().as_ref().try_into_arrow().map_err(|error: ArrowError| unfit(error.into()))?;
    let column = |field: &arrow::datatypes::FieldRef| {
        let own = batch.column_by_name(field.name()).cloned();
        own.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema.into(), columns).map_err(|error| unfit(error.into()))
}

/// A batch of a table that lacks columns of ours, with null in them.
pub(super) fn completed(name: TableName, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let missing: Vec<&ColumnSpec> =
        columns(name).iter().filter(|spec| spec.nullable && batch.column_by_name(spec.name).is_none()).collect();
    if missing.is_empty() {
        return Ok(batch);
    }
    let schema = batch.schema();
    let there = schema.fields().iter().map(|field| field.name().clone()).zip(batch.columns().iter().cloned());
    let added =
        missing.iter().map(|spec| (spec.name.to_owned(), new_null_array(&arrow_type(spec.kind), batch.num_rows())));
    RecordBatch::try_from_iter(there.chain(added))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use deltalake::kernel::{DataType, StructField};
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{config, futures_of, futures_row, lake, slot, symbol};
    use crate::lake::schema::{PARTITION, Retention, delta_columns, properties};
    use crate::lake::{AsOf, Durability, KeyRange, Lake, RowQuery, Value, folder, store};
    use crate::market::{Changes, FuturesSnapshot, GatewayKind};

    const FUTURES: TableName = TableName::FuturesSnapshots;

    /// A table of a program that knows no such column.
    async fn older(folder: &Path, without: &str) {
        made_of(folder, delta_columns(FUTURES).filter(|field| field.name() != without)).await;
    }

    async fn made_of(folder: &Path, fields: impl Iterator<Item = StructField>) {
        let root = config(folder).root().expect("a path");
        let path = root.join(FUTURES.as_str());
        let table = folder::unloaded(&path, store::store(Durability::Unflushed)).expect("a path");
        let create = table.create().with_columns(fields).with_partition_columns([PARTITION]);
        let create = create
            .with_configuration(properties((FUTURES, GatewayKind::Simulated), Retention::of(Durability::Flushed)));
        create.with_raise_if_key_not_exists(false).await.expect("made");
    }

    /// Adds a column as a later program would.
    async fn grow_by(folder: &Path, name: &str) {
        let path = config(folder).root().expect("a path").join(FUTURES.as_str());
        let table = folder::load(&path, store::store(Durability::Unflushed), None).await.expect("opens");
        table.add_columns().with_fields([StructField::new(name, DataType::STRING, true)]).await.expect("added");
    }

    fn everything() -> KeyRange {
        let symbols = ["ES", "NQ", "RTY"].map(symbol).to_vec();
        KeyRange { symbols, from: slot(0).instant(), to: slot(1000).instant() }
    }

    fn changed(row: FuturesSnapshot) -> FuturesSnapshot {
        FuturesSnapshot { changes: Changes { since_close: Some(1.5), ..Changes::default() }, ..row }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_column_that_a_table_lacks_is_added_by_the_first_write_and_reads_as_null_before() {
        let folder = tempdir().expect("a folder");
        older(folder.path(), "change_since_close").await;
        let reader = Lake::reader(&config(folder.path())).expect("a local folder");
        assert!(reader.futures(&everything(), &AsOf::Latest).await.expect("readable").is_empty());
        let lake = lake(folder.path());
        let row = changed(futures_row("ES", slot(1)));
        assert_eq!(lake.append_futures(std::slice::from_ref(&row)).await.expect("written").version, Some(2));
        assert_eq!(reader.futures(&everything(), &AsOf::Latest).await.expect("readable"), [row]);
        let again = lake.append_futures(&[changed(futures_row("ES", slot(2)))]).await.expect("written");
        assert_eq!(again.version, Some(3), "the column is added once");
        lake.append_futures(&[futures_row("ES", slot(0))]).await.expect("backfilled");
        assert_eq!(reader.futures(&everything(), &AsOf::Latest).await.expect("readable").len(), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn maintenance_gives_a_table_the_properties_of_this_program_once_and_a_warm_writer_goes_on() {
        let folder = tempdir().expect("a folder");
        made_of(folder.path(), delta_columns(FUTURES)).await;
        let (warm, lake) = (lake(folder.path()), lake(folder.path()));
        warm.append_futures(&futures_of(slot(0))).await.expect("written");
        let path = config(folder.path()).root().expect("a path").join(FUTURES.as_str());
        let retention = || async {
            let table = folder::load(&path, store::store(Durability::Unflushed), None).await.expect("opens");
            let state = table.snapshot().expect("loaded");
            assert_eq!((state.protocol().min_reader_version(), state.protocol().min_writer_version()), (1, 2));
            let all = state.metadata().configuration().clone();
            (all.len(), all.get("delta.logRetentionDuration").cloned())
        };
        assert_eq!(retention().await, (8, Some("interval 7 days".to_owned())));
        let now = crate::clock::Clock::now(&crate::clock::SystemClock);
        assert_eq!(lake.tidy(FUTURES, now).await.expect("tidied").properties_set, 2);
        assert_eq!(retention().await, (8, Some("interval 5 seconds".to_owned())), "the gateway's stays too");
        assert_eq!(lake.tidy(FUTURES, now).await.expect("tidied").properties_set, 0);
        assert_eq!(warm.append_futures(&futures_of(slot(1))).await.expect("written").added, 3);
        assert_eq!(lake.count(FUTURES, &everything()).await.expect("counted").keys, 6);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_column_that_was_demanded_of_every_row_may_be_without_a_value_from_the_first_write_on() {
        let folder = tempdir().expect("a folder");
        let demanded = |field: StructField| match field.name().as_str() {
            "con_id" => StructField::new("con_id", DataType::LONG, false),
            _ => field,
        };
        made_of(folder.path(), delta_columns(FUTURES).map(demanded)).await;
        let lake = lake(folder.path());
        let without = FuturesSnapshot { con_id: None, ..futures_row("ES", slot(1)) };
        assert_eq!(lake.append_futures(std::slice::from_ref(&without)).await.expect("written").version, Some(2));
        assert_eq!(lake.append_futures(&futures_of(slot(2))).await.expect("written").version, Some(3), "once");
        let rows = lake.futures(&everything(), &AsOf::Latest).await.expect("readable");
        assert_eq!((rows.len(), rows.first()), (4, Some(&without)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn programs_that_race_to_add_a_column_and_to_append_lose_nothing() {
        let folder = tempdir().expect("a folder");
        older(folder.path(), "implied_vol").await;
        let writers = (0..4).map(|writer| {
            let lake = lake(folder.path());
            async move {
                for number in 0..6 {
                    lake.append_futures(&futures_of(slot(number * 4 + writer))).await.expect("written");
                }
            }
        });
        futures::future::join_all(writers).await;
        let count = lake(folder.path()).count(FUTURES, &everything()).await.expect("counted");
        assert_eq!((count.rows, count.keys), (72, 72));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_older_program_writes_beside_a_newer_one_and_keeps_its_column() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(0))).await.expect("written");
        grow_by(folder.path(), "note").await;
        fill_note(&lake).await;
        for number in 2..8 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written by the older one");
        }
        let notes = || async {
            let rows = lake.rows(FUTURES, &RowQuery::default()).await.expect("rows");
            assert_eq!(rows.columns.last().map(|column| column.name.clone()).as_deref(), Some("note"));
            let last = rows.rows.iter().filter_map(|row| row.last().cloned());
            (rows.rows.len(), last.filter(|value| *value == Value::Text("kept".to_owned())).count())
        };
        assert_eq!(notes().await, (22, 1));
        let compacted = lake.compact(FUTURES).await.expect("compacted");
        assert!(compacted.files_removed > 6, "{compacted:?}");
        assert_eq!(notes().await, (22, 1), "a compaction keeps it");
        let forced = changed(futures_row("ES", slot(5)));
        lake.replace_futures(&[forced]).await.expect("replaced");
        assert_eq!(notes().await, (22, 1), "and so does a replacement of a neighbour in the same file");
    }

    /// A row of the newer program, with its column filled.
    async fn fill_note(lake: &Lake) {
        let view = lake.shared.futures.lock().await.newest().await.expect("readable").expect("a table");
        let batch = super::super::row::encoded(&[&futures_row("ES", slot(1))]).expect("a batch");
        let batch = fitted(&view, &batch).expect("fits");
        let mut columns = batch.columns().to_vec();
        *columns.last_mut().expect("a column") = Arc::new(arrow::array::StringArray::from(vec!["kept"]));
        let batch = RecordBatch::try_new(batch.schema(), columns).expect("a batch");
        view.table().clone().write([batch]).await.expect("written by the newer one");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_demands_a_newer_program_is_refused() {
        let folder = tempdir().expect("a folder");
        lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect("written");
        let log = config(folder.path()).root().expect("a path").join("futures_snapshots/_delta_log");
        let demands = [
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":8}}"#,
            r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["tomorrow"],"writerFeatures":["tomorrow"]}}"#,
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking"]}}"#,
        ];
        for demand in demands {
            std::fs::write(log.join("00000000000000000002.json"), demand).expect("written");
            let error = lake(folder.path()).append_futures(&futures_of(slot(2))).await.expect_err("too new");
            assert!(matches!(error, LakeError::NewerProtocol { .. }), "{demand}: {error:?}");
            assert_eq!(error.class(), crate::lake::LakeErrorClass::Configuration);
        }
    }
}
