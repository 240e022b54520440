//! The lake: the tables of snapshots, written once per key whoever writes, and read back.
//!
//! Delta tables in one folder, one folder each, readable by any Delta reader as they are. A lake is bound to one kind of
//! gateway, so that simulated rows never stand beside real ones. Writers, in this process or another, follow one
//! protocol: look on one snapshot which keys are absent, append just those on that snapshot under a token all writers
//! share, and begin again where another was first (`append.rs`). What a call reported as written survives a power cut
//! (`store.rs`). Delta, `DataFusion` and arrow are used here and nowhere else, and none of their types leave.
//!
//! The library blocks its thread while it writes a checkpoint, so a lake needs a runtime of several threads.

mod anchored_store;
mod append;
mod backup;
mod columns;
mod commit;
mod compact;
#[cfg(test)]
mod compaction_cases;
mod compaction_plan;
mod config;
mod damage;
mod data_file;
mod decision_row;
mod derived;
mod derived_columns;
mod direct;
mod disk;
mod encode;
mod error;
mod facts;
mod file_index;
mod files;
mod finding_row;
#[cfg(test)]
mod fixtures;
mod folder;
mod footers;
mod futures;
mod grow;
mod head;
mod history;
mod import;
mod mark;
mod outcome_row;
mod page_choice;
#[cfg(test)]
mod power_cut;
mod protocol;
mod quarantined_row;
mod query;
mod read;
mod recent_prices;
#[cfg(test)]
mod recording;
mod replace;
#[cfg(test)]
mod replaced_cases;
mod restore;
mod row;
mod schema;
mod session;
mod short_read;
#[cfg(test)]
mod short_read_cases;
mod show;
mod signal_row;
mod spot;
mod spot_daily;
mod statistics;
mod store;
mod sweep;
mod table;
mod table_columns;
mod table_name;
mod table_stats;
mod tidy;
mod vacuum;
mod verify;
mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deltalake::logstore::ObjectStoreRef;
use tokio::sync::{Mutex, OnceCell};

use crate::calendar::{Session, Slot};
use crate::market::{FuturesSnapshot, GatewayKind, SpotSnapshot, Symbol};

pub use backup::{BackedUp, BackupFault};
pub use compact::Compacted;
pub use compaction_plan::CompactionPlan;
pub use config::LakeConfig;
pub use decision_row::DecisionRow;
pub use error::{LakeError, LakeErrorClass};
pub use facts::TableFacts;
pub use finding_row::FindingRow;
pub use history::CommitEntry;
pub use import::{ImportAccount, ImportError, ImportMode, ImportRequest, ImportRules, Refusal, RefusedRows};
pub use outcome_row::OutcomeRow;
pub use quarantined_row::QuarantinedRow;
pub use query::{Answer, AnswerFormat, AnswerWriter, Chunk, Query, QueryAsOf, QueryError};
pub use read::{AsOf, ContractPrice, KeyCount, KeyRange};
pub use restore::{RestorePlan, RowRange};
pub use show::{Column, ColumnKind, RowQuery, Rows, Value};
pub use signal_row::SignalRow;
pub use store::Durability;
pub use table_columns::TableColumns;
pub use table_name::TableName;
pub use table_stats::{PartitionStats, PropertyStats, TableStats};
pub use tidy::Tidied;
pub use verify::{Fault, FaultKind, Hole, Stray, StrayKind, Verified};

use row::{Row, first_of_each_key};
use schema::Retention;
use session::Sessions;
use table::TableHandle;

/// The tables of one folder. A clone is cheap and shares the warm handles.
#[derive(Clone)]
pub struct Lake {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    /// The gateway this process writes from; none for readers.
    kind: Option<GatewayKind>,
    store: ObjectStoreRef,
    futures: Mutex<TableHandle>,
    spot: Mutex<TableHandle>,
    spot_daily: Mutex<TableHandle>,
    signals: Mutex<TableHandle>,
    decisions: Mutex<TableHandle>,
    outcomes: Mutex<TableHandle>,
    findings: Mutex<TableHandle>,
    quarantine: Mutex<TableHandle>,
    /// Done once it is known that every table of the lake is bound to `kind`.
    checked: OnceCell<()>,
}

/// What became of rows that were to be added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows added.
    pub added: usize,
    /// Rows left out because their key was there.
    pub present: usize,
    /// The version the rows are in; none where nothing was written.
    pub version: Option<u64>,
    /// Keys of the rows added, in order.
    pub added_keys: Vec<(Symbol, Slot)>,
}

/// What became of rows that were to replace others.
#[derive(Debug, Clone, PartialEq)]
pub struct Replaced<R> {
    /// Rows written; 0 where they were all there just so.
    pub written: usize,
    /// The rows that gave way, by symbol and instant.
    pub old: Vec<R>,
    /// The version the rows are in; none where nothing was written.
    pub version: Option<u64>,
}

impl Lake {
    /// A lake to write to from one kind of gateway. Nothing is opened or made before it is needed.
    ///
    /// # Errors
    /// [`LakeError::UnsupportedScheme`] and [`LakeError::MalformedUri`].
    pub fn open(config: &LakeConfig, kind: GatewayKind) -> Result<Self, LakeError> {
        Self::with_durability(config, kind, Durability::Flushed)
    }

    /// As [`Lake::open`], with the choice to leave out flushing.
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub fn with_durability(config: &LakeConfig, kind: GatewayKind, durability: Durability) -> Result<Self, LakeError> {
        Ok(Self::new(config.root()?, Some(kind), (store::store(durability), Retention::of(durability))))
    }

    /// A lake to read only: it makes nothing, and a missing table reads as empty.
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub fn reader(config: &LakeConfig) -> Result<Self, LakeError> {
        let durability = Durability::Unflushed;
        Ok(Self::new(config.root()?, None, (store::store(durability), Retention::of(durability))))
    }

    fn new(root: PathBuf, kind: Option<GatewayKind>, (store, retention): (ObjectStoreRef, Retention)) -> Self {
        let sessions = Arc::new(Sessions::new());
        let handle =
            |table| Mutex::new(TableHandle::new(table, &root, (Arc::clone(&store), retention), Arc::clone(&sessions)));
        let [futures, spot, spot_daily, signals, decisions, outcomes, findings, quarantine] =
            TableName::ALL.map(handle);
        let checked = OnceCell::new();
        Self {
            shared: Arc::new(Shared {
                root,
                kind,
                store,
                futures,
                spot,
                spot_daily,
                signals,
                decisions,
                outcomes,
                findings,
                quarantine,
                checked,
            }),
        }
    }

    /// The folder of the tables.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// Bytes that are free for this program, and all there are, of the disk that the tables lie on; none where it does not
    /// tell.
    #[must_use]
    pub fn disk_bytes(&self) -> Option<(u64, u64)> {
        let found = rustix::fs::statvfs(self.root()).ok()?;
        Some((found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize))
    }

    /// Adds the rows whose keys are absent, all in one commit; of rows with one key in the batch the first counts.
    ///
    /// # Errors
    /// Where the lake is bound to another kind, the table is not one of ours, or the disk fails; nothing was written then.
    pub async fn append_futures(&self, rows: &[FuturesSnapshot]) -> Result<Written, LakeError> {
        self.append(rows).await
    }

    /// As [`Lake::append_futures`], for ETFs.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn append_spot(&self, rows: &[SpotSnapshot]) -> Result<Written, LakeError> {
        self.append(rows).await
    }

    /// Writes the rows in place of those with their keys and hands those back, all in one commit.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn replace_futures(&self, rows: &[FuturesSnapshot]) -> Result<Replaced<FuturesSnapshot>, LakeError> {
        self.replace(rows).await
    }

    /// As [`Lake::replace_futures`], for ETFs.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn replace_spot(&self, rows: &[SpotSnapshot]) -> Result<Replaced<SpotSnapshot>, LakeError> {
        self.replace(rows).await
    }

    /// The keys of the futures table in a range.
    ///
    /// # Errors
    /// Where the table is not one of ours or cannot be read.
    pub async fn futures_keys(&self, range: &KeyRange) -> Result<BTreeSet<(Symbol, Slot)>, LakeError> {
        read::keys(&self.shared.futures, range).await
    }

    /// The keys of the ETF table in a range.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn spot_keys(&self, range: &KeyRange) -> Result<BTreeSet<(Symbol, Slot)>, LakeError> {
        read::keys(&self.shared.spot, range).await
    }

    /// The newest row of a future.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn latest_futures(&self, symbol: &Symbol) -> Result<Option<FuturesSnapshot>, LakeError> {
        read::latest(&self.shared.futures, symbol).await
    }

    /// The last row of a future in each of some sessions; none for a session without rows.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn last_futures_of_each(
        &self,
        symbol: &Symbol,
        sessions: &[Session],
    ) -> Result<Vec<Option<FuturesSnapshot>>, LakeError> {
        read::last_of_each(&self.shared.futures, symbol, sessions).await
    }

    /// The newest row of an ETF.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn latest_spot(&self, symbol: &Symbol) -> Result<Option<SpotSnapshot>, LakeError> {
        read::latest(&self.shared.spot, symbol).await
    }

    /// The rows of futures in a range, by symbol and instant.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`]; [`LakeError::NoSuchVersion`] and [`LakeError::VersionGone`] for a version.
    pub async fn futures(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<FuturesSnapshot>, LakeError> {
        read::rows(&self.shared.futures, range, as_of).await
    }

    /// The rows of ETFs in a range, by symbol and instant.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn spot(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<SpotSnapshot>, LakeError> {
        read::rows(&self.shared.spot, range, as_of).await
    }

    /// The last prices of all futures between two instants, both included, by symbol and instant; one scan.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn prices(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<ContractPrice>, LakeError> {
        read::prices(&self.shared.futures, from, to).await
    }

    /// Numbers of rows and of different keys of a table in a range.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn count(&self, table: TableName, range: &KeyRange) -> Result<KeyCount, LakeError> {
        read::count(self.handle(table), range).await
    }

    /// Rows of any table as plain values.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn rows(&self, table: TableName, query: &RowQuery) -> Result<Rows, LakeError> {
        show::rows(self.handle(table), table, query).await
    }

    /// What a compaction of a table would do now.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn compaction_plan(&self, table: TableName) -> Result<CompactionPlan, LakeError> {
        compact::plan(table, self.handle(table)).await
    }

    /// Puts few files in the place of many small ones. The rows stay as they are, and so does a table that is compact.
    ///
    /// # Errors
    /// As [`Lake::append_futures`]; [`LakeError::Miscounted`] where rows are doubled or missing. Nothing changed then.
    pub async fn compact(&self, table: TableName) -> Result<Compacted, LakeError> {
        self.bound(table).await?;
        let compacted = compact::compact(self.handle(table)).await;
        compacted.map_err(|error| damage::explained_read((&self.root().join(table.as_str()), None), error))
    }

    /// Deletes what the table's retention no longer keeps and staging files of killed writers, and sees to a checkpoint.
    ///
    /// Files carry the machine's times, so `now` is the machine's instant, whatever clock the rows go by: were it later,
    /// the files of a writer at work could be taken for old ones.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn tidy(&self, table: TableName, now: DateTime<Utc>) -> Result<Tidied, LakeError> {
        self.bound(table).await?;
        tidy::tidy(self.handle(table), now).await
    }

    async fn append<R: Row>(&self, rows: &[R]) -> Result<Written, LakeError> {
        let kind = self.writable(rows).await?;
        if rows.is_empty() {
            return Ok(Written::default());
        }
        let mut handle = self.handle(R::TABLE).lock().await;
        let first = first_of_each_key(rows);
        let written = append::append(&mut handle, kind, &first).await?;
        Ok(Written { present: rows.len() - written.added, ..written })
    }

    async fn replace<R: Row>(&self, rows: &[R]) -> Result<Replaced<R>, LakeError> {
        let kind = self.writable(rows).await?;
        if rows.is_empty() {
            return Ok(Replaced { written: 0, old: Vec::new(), version: None });
        }
        let mut handle = self.handle(R::TABLE).lock().await;
        replace::replace(&mut handle, kind, &first_of_each_key(rows)).await
    }

    /// The kind of gateway to write from, once it is known that the rows and every table of the lake agree on it.
    async fn writable<R: Row>(&self, rows: &[R]) -> Result<GatewayKind, LakeError> {
        let kind = self.shared.kind.ok_or(LakeError::ReadOnly { table: R::TABLE })?;
        if let Some(row) = rows.iter().map(Row::gateway).find(|row| *row != kind) {
            return Err(LakeError::ForeignRow { table: R::TABLE, row, opened: kind });
        }
        self.bound(R::TABLE).await
    }

    /// The kind of gateway to write from, once it is known that every table of the lake is bound to it.
    async fn bound(&self, table: TableName) -> Result<GatewayKind, LakeError> {
        let Shared { root, kind, store, checked, .. } = self.shared.as_ref();
        let kind = kind.ok_or(LakeError::ReadOnly { table })?;
        checked.get_or_try_init(|| folder::check_lake(root, store, kind)).await?;
        Ok(kind)
    }

    fn handle(&self, table: TableName) -> &Mutex<TableHandle> {
        match table {
            TableName::FuturesSnapshots => &self.shared.futures,
            TableName::SpotSnapshots => &self.shared.spot,
            TableName::SpotDaily => &self.shared.spot_daily,
            TableName::FuturesSignals => &self.shared.signals,
            TableName::Decisions => &self.shared.decisions,
            TableName::Outcomes => &self.shared.outcomes,
            TableName::QualityFindings => &self.shared.findings,
            TableName::Quarantine => &self.shared.quarantine,
        }
    }
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake").field("root", &self.shared.root).field("kind", &self.shared.kind).finish_non_exhaustive()
    }
}
