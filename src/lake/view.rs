//! One snapshot of one table, and the ways to look at it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::prelude::{Expr, col};
use deltalake::DeltaTable;

use crate::market::Symbol;

use super::columns::{Columns, plain};
use super::damage;
use super::error::Cause;
use super::grow;
use super::row::{Key, Row};
use super::schema::PARTITION;
use super::session::{Reach, Sessions, between, of_symbols};
use super::statistics::Newest;
use super::{KeyCount, LakeError, TableName};

/// The columns that make a key.
const KEY_COLUMNS: &[&str] = &["symbol", "timestamp"];

/// A fixed snapshot: what others commit meanwhile does not change it.
#[derive(Clone)]
pub(super) struct TableView {
    name: TableName,
    path: PathBuf,
    sessions: Arc<Sessions>,
    table: DeltaTable,
}

/// What a scan asks for.
pub(super) struct Scan {
    /// A few rows of few files, or many.
    pub(super) reach: Reach,
    /// Rows to take.
    pub(super) filter: Expr,
    /// Columns to take, in this order; all of the table where absent.
    pub(super) columns: Option<&'static [&'static str]>,
    /// Only so many rows, the newest by `timestamp`, then by `symbol`.
    pub(super) newest: Option<usize>,
}

impl Scan {
    /// All columns of the rows that pass a filter.
    pub(super) fn of(reach: Reach, filter: Expr) -> Self {
        Self { reach, filter, columns: None, newest: None }
    }
}

impl TableView {
    pub(super) fn new(name: TableName, path: PathBuf, sessions: Arc<Sessions>, table: DeltaTable) -> Self {
        Self { name, path, sessions, table }
    }

    pub(super) fn name(&self) -> TableName {
        self.name
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(super) fn table(&self) -> &DeltaTable {
        &self.table
    }

    /// The version it shows.
    pub(super) fn version(&self) -> u64 {
        self.table.version().unwrap_or(0)
    }

    /// The batches of a scan, in the types the table declares.
    pub(super) async fn scan(&self, scan: Scan) -> Result<Vec<RecordBatch>, LakeError> {
        let found = self.collect(scan).await;
        let failed = |source| LakeError::storage("read", &self.path, source);
        found.map_err(|source| damage::explained_read((&self.path, self.table.version()), failed(source)))
    }

    async fn collect(&self, scan: Scan) -> Result<Vec<RecordBatch>, Cause> {
        let session = self.sessions.of(scan.reach);
        let state = Arc::new(session.state());
        self.table.update_datafusion_session(state.as_ref())?;
        let provider = self.table.table_provider().with_session(state).await?;
        let mut frame = session.read_table(provider)?.filter(scan.filter)?;
        if let Some(columns) = scan.columns {
            frame = frame.select_columns(columns)?;
        }
        if let Some(newest) = scan.newest {
            let newest_first = vec![col("timestamp").sort(false, false), col(PARTITION).sort(false, false)];
            frame = frame.sort(newest_first)?.limit(0, Some(newest))?;
        }
        let batches = frame.collect().await?;
        let plain = batches.iter().map(|batch| plain(self.name, batch));
        if scan.columns.is_some() {
            return Ok(plain.collect::<Result<_, _>>()?);
        }
        Ok(plain.map(|batch| grow::completed(self.name, batch?)).collect::<Result<_, _>>()?)
    }

    /// The rows that pass a filter, in no order.
    pub(super) async fn rows<R: Row>(&self, reach: Reach, filter: Expr) -> Result<Vec<R>, LakeError> {
        let batches = self.scan(Scan::of(reach, filter)).await?;
        let rows = batches.iter().map(R::decode).collect::<Result<Vec<_>, _>>()?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// The keys of the rows that pass a filter.
    pub(super) async fn keys(&self, reach: Reach, filter: Expr) -> Result<BTreeSet<Key>, LakeError> {
        let scan = Scan { columns: Some(KEY_COLUMNS), ..Scan::of(reach, filter) };
        let mut keys = BTreeSet::new();
        for batch in self.scan(scan).await? {
            let columns = Columns::new(self.name, &batch);
            let (symbols, slots) = (columns.texts("symbol")?, columns.instants("timestamp")?);
            for row in 0..batch.num_rows() {
                keys.insert((symbols.symbol(row)?, slots.slot(row)?));
            }
        }
        Ok(keys)
    }

    /// Counts the rows that pass a filter, and their different keys.
    pub(super) async fn count(&self, filter: Expr) -> Result<KeyCount, LakeError> {
        let batches = self.scan(Scan { columns: Some(KEY_COLUMNS), ..Scan::of(Reach::Wide, filter) }).await?;
        let (mut rows, mut keys) = (0, BTreeSet::new());
        for batch in &batches {
            let columns = Columns::new(self.name, batch);
            let (symbols, instants) = (columns.texts("symbol")?, columns.instants("timestamp")?);
            for row in 0..batch.num_rows() {
                rows += 1;
                keys.insert((symbols.text(row)?, instants.instant(row)?));
            }
        }
        Ok(KeyCount { rows, keys: keys.len() })
    }

    /// What the statistics of the files tell of the newest rows.
    pub(super) fn newest(&self) -> Result<Newest, LakeError> {
        Newest::of(&self.table).map_err(|source| LakeError::storage("read", &self.path, source))
    }

    /// The rows whose keys this snapshot lacks. The data itself is the truth: it works in any order and never expires,
    /// unlike a record of what was written.
    ///
    /// A row newer than all of its symbol needs no look into the files; the others take one scan over their range.
    pub(super) async fn absent<'a, R: Row>(&self, rows: &[&'a R]) -> Result<Vec<&'a R>, LakeError> {
        let newest = self.newest()?;
        let in_doubt = |row: &&&R| {
            let (symbol, slot) = row.key();
            !newest.is_newer(&symbol, slot.instant())
        };
        let in_doubt: Vec<&R> = rows.iter().filter(in_doubt).copied().collect();
        let present = match key_filter(&in_doubt) {
            Some((reach, filter)) => self.keys(reach, filter).await?,
            None => BTreeSet::new(),
        };
        Ok(rows.iter().copied().filter(|row| !present.contains(&row.key())).collect())
    }

    /// The rows this snapshot has under the keys of the given ones.
    pub(super) async fn present<R: Row>(&self, rows: &[&R]) -> Result<Vec<R>, LakeError> {
        let Some((reach, filter)) = key_filter(rows) else {
            return Ok(Vec::new());
        };
        let keys: BTreeSet<Key> = rows.iter().map(|row| row.key()).collect();
        let mut found = self.rows::<R>(reach, filter).await?;
        found.retain(|row| keys.contains(&row.key()));
        Ok(found)
    }
}

/// A filter that lets the keys of all these rows pass, and maybe others between them; none for no rows.
fn key_filter<R: Row>(rows: &[&R]) -> Option<(Reach, Expr)> {
    let keys: Vec<Key> = rows.iter().map(|row| row.key()).collect();
    let from = keys.iter().map(|(_, slot)| slot.instant()).min()?;
    let to = keys.iter().map(|(_, slot)| slot.instant()).max()?;
    let symbols: BTreeSet<&Symbol> = keys.iter().map(|(symbol, _)| symbol).collect();
    let reach = if from == to { Reach::Tight } else { Reach::Wide };
    Some((reach, of_symbols(symbols).and(between(from, to))))
}
