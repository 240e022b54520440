//! What every commit of rows has in common: the shared token, and what to make of an error.

use std::time::Duration;

use deltalake::DeltaTableError;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::{CommitConflictError, CommitProperties, TransactionError};
use deltalake::logstore::object_store::path::Path;
use deltalake::logstore::object_store::{Error as ObjectStoreError, ObjectStoreExt};
use deltalake::parquet::basic::{Compression, ZstdLevel};
use deltalake::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use uuid::Uuid;

use super::LakeError;
use super::schema::INSTANT_COLUMNS;
use super::view::TableView;

/// Application id of the token that all writers of rows share: of two racers from one snapshot the second is refused.
pub(super) const TOKEN: &str = "capture";

/// Rounds before a writer gives up; each lost one means that another writer wrote. With the pauses between it is half a
/// minute at most.
pub(super) const MAX_ROUNDS: u32 = 60;

/// Longest pause after the first lost round, in milliseconds. It grows with each, so that the more writers there are, the
/// further apart they begin.
const FIRST_PAUSE_MS: u128 = 25;

/// Longest pause after any.
const MAX_PAUSE_MS: u128 = 1_000;

/// Level of compression of compacted files: the library's usual one.
const COMPACTED_LEVEL: i32 = 3;

/// Rows of a row group of compacted files, some sixty sessions of a symbol.
const COMPACTED_GROUP_ROWS: usize = 16 * 1024;

/// Rows of a page of compacted files, some four sessions: a read decodes whole pages.
const COMPACTED_PAGE_ROWS: usize = 1024;

/// The properties of a commit that is decided on this snapshot.
pub(super) async fn properties(view: &TableView) -> Result<CommitProperties, LakeError> {
    Ok(with_token(last_token(view).await?.saturating_add(1)))
}

/// The properties of a commit that carries this token.
pub(super) fn with_token(token: i64) -> CommitProperties {
    CommitProperties::default()
        // Never on top of a commit this process has not looked at: it may be of a vacuum that takes the new files for old
        // ones, where clocks differ or a process slept, and of two compactions the library lets both pass.
        .with_max_retries(0)
        .with_application_transaction(Transaction::new(TOKEN, token))
        // Else each commit lists the whole log to look for expired entries; maintenance cleans it.
        .with_cleanup_expired_logs(Some(false))
}

/// The token of the newest commit of rows in a snapshot.
pub(super) async fn last_token(view: &TableView) -> Result<i64, LakeError> {
    let table = view.table();
    let snapshot = table.snapshot().map_err(|error| LakeError::storage("read", view.path(), error))?;
    let last = snapshot.transaction_version(table.log_store().as_ref(), TOKEN).await;
    Ok(last.map_err(|error| LakeError::storage("read", view.path(), error))?.unwrap_or(0))
}

/// How a data file of an append is written. It holds a row or two until the next compaction, so dictionaries and
/// statistics of every column would be most of it; the instant alone skips files.
pub(super) fn file_properties() -> WriterProperties {
    let builder = WriterProperties::builder().set_compression(Compression::SNAPPY).set_dictionary_enabled(false);
    with_instants(builder, EnabledStatistics::Chunk).build()
}

/// How a data file of a compaction is written: it is read often and holds many rows, of which the instant picks some.
pub(super) fn compacted_file_properties() -> WriterProperties {
    let compression = ZstdLevel::try_new(COMPACTED_LEVEL).map_or(Compression::SNAPPY, Compression::ZSTD);
    let builder = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(COMPACTED_GROUP_ROWS))
        .set_data_page_row_count_limit(COMPACTED_PAGE_ROWS)
        .set_write_batch_size(COMPACTED_PAGE_ROWS);
    with_instants(builder, EnabledStatistics::Page).build()
}

/// Statistics of the instants alone; a file without one of these columns is none the worse.
fn with_instants(builder: WriterPropertiesBuilder, statistics: EnabledStatistics) -> WriterPropertiesBuilder {
    let none = builder.set_statistics_enabled(EnabledStatistics::None);
    INSTANT_COLUMNS
        .into_iter()
        .fold(none, |builder, name| builder.set_column_statistics_enabled(name.into(), statistics))
}

/// Whether the error only says that another writer was first.
pub(super) fn is_lost_race(error: &DeltaTableError) -> bool {
    use CommitConflictError::{
        ConcurrentAppend, ConcurrentDeleteDelete, ConcurrentDeleteRead, ConcurrentTransaction, MetadataChanged,
        ProtocolChanged,
    };
    match error {
        DeltaTableError::VersionAlreadyExists(_)
        | DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(_) } => true,
        DeltaTableError::Transaction { source: TransactionError::CommitConflict(conflict) } => matches!(
            conflict,
            ConcurrentAppend
                | ConcurrentDeleteDelete
                | ConcurrentDeleteRead
                | ConcurrentTransaction
                | MetadataChanged
                | ProtocolChanged(_)
        ),
        _ => false,
    }
}

/// Returns once the version that a view shows is on the disk. Others see a commit before its name is flushed, so what
/// stands there already may be called done only after this.
pub(super) async fn confirm(view: &TableView) -> Result<(), LakeError> {
    let entry = Path::from(format!("_delta_log/{:020}.json", view.version()));
    // A name given to itself again changes nothing, but the durable store flushes it.
    match view.table().log_store().object_store(None).rename(&entry, &entry).await {
        // Maintenance cleaned it away, and flushed a checkpoint before.
        Ok(()) | Err(ObjectStoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(LakeError::storage("flush", view.path(), error)),
    }
}

/// Waits a random time after a lost round, so that racers do not stay in step.
pub(super) async fn pause(round: u32) {
    let longest = FIRST_PAUSE_MS.saturating_mul(1 << round.min(10)).min(MAX_PAUSE_MS);
    let millis = Uuid::new_v4().as_u128() % longest;
    tokio::time::sleep(Duration::from_millis(u64::try_from(millis).unwrap_or(1))).await;
}
