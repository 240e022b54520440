//! One snapshot of one table, and the ways to look at it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::prelude::{Expr, col};
use deltalake::DeltaTable;

use crate::market::Symbol;

use super::columns::{KeyColumns, plain};
use super::damage;
use super::error::Cause;
use super::file_index::{FileIndex, Span};
use super::files::Files;
use super::grow;
use super::mark::Mark;
use super::row::{Key, Row};
use super::schema::{PARTITION, instant_column, key_columns};
use super::session::{Reach, Sessions, between, of_symbols};
use super::short_read::{Question, Source};
use super::statistics::Newest;
use super::{KeyCount, LakeError, TableName};

/// A fixed snapshot: what others commit meanwhile does not change it.
#[derive(Clone)]
pub(super) struct TableView {
    name: TableName,
    path: PathBuf,
    sessions: Arc<Sessions>,
    table: DeltaTable,
    mark: Option<Mark>,
}

/// What a scan asks for.
pub(super) struct Scan {
    /// A few rows of few files, or many.
    pub(super) reach: Reach,
    /// Rows to take.
    pub(super) filter: Expr,
    /// Columns to take, in this order; all of the table where absent.
    pub(super) columns: Option<&'static [&'static str]>,
    /// Only so many rows, the newest by their instant, then by `symbol`.
    pub(super) newest: Option<usize>,
}

impl Scan {
    /// All columns of the rows that pass a filter.
    pub(super) fn of(reach: Reach, filter: Expr) -> Self {
        Self { reach, filter, columns: None, newest: None }
    }
}

impl TableView {
    pub(super) fn new(
        name: TableName,
        path: PathBuf,
        sessions: Arc<Sessions>,
        table: DeltaTable,
        mark: Option<Mark>,
    ) -> Self {
        Self { name, path, sessions, table, mark }
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

    /// What the table is recognised by; none of an older version, or where the log has no entry of the newest.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
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
            let newest_first =
                vec![col(instant_column(self.name)).sort(false, false), col(PARTITION).sort(false, false)];
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
        let scan = Scan { columns: Some(key_columns(self.name)), ..Scan::of(reach, filter) };
        keys_of(self.name, &self.scan(scan).await?)
    }

    /// Counts the rows that pass a filter, and their different keys.
    pub(super) async fn count(&self, filter: Expr) -> Result<KeyCount, LakeError> {
        let scan = Scan { columns: Some(key_columns(self.name)), ..Scan::of(Reach::Wide, filter) };
        let batches = self.scan(scan).await?;
        let (mut rows, mut keys) = (0, BTreeSet::new());
        for batch in &batches {
            let columns = KeyColumns::of(self.name, batch)?;
            for row in 0..batch.num_rows() {
                rows += 1;
                keys.insert(columns.texts(row)?);
            }
        }
        Ok(KeyCount { rows, keys: keys.len() })
    }

    /// What the statistics of the files tell of the newest rows.
    pub(super) fn newest(&self) -> Result<Newest, LakeError> {
        Ok(Newest::of(&self.files()?))
    }

    fn files(&self) -> Result<Files, LakeError> {
        Files::of(&self.table).map_err(|source| LakeError::storage("read", &self.path, source))
    }

    /// The files, to be read as they stand; none where that cannot be.
    fn source(&self, files: &Files) -> Option<Source> {
        let files = Arc::new(FileIndex::of(&self.table, files).ok()??);
        let footers = Arc::clone(self.sessions.footers());
        Some(Source { name: self.name, folder: self.path.clone(), mark: self.mark, files, footers })
    }

    async fn keys_within(&self, bounds: &Bounds, files: &Files) -> Result<BTreeSet<Key>, LakeError> {
        if let Some(source) = self.source(files) {
            let question = Question { columns: Some(key_columns(self.name)), ..bounds.question() };
            if let Some(keys) = source.decoded(question, |batches| keys_of(self.name, &batches)).await {
                return Ok(keys);
            }
        }
        self.keys(bounds.reach(), bounds.filter()).await
    }

    /// The rows whose keys this snapshot lacks. The data itself is the truth: it works in any order and never expires,
    /// unlike a record of what was written.
    ///
    /// A row newer than all of its symbol needs no look into the files; the others take one scan over their range.
    pub(super) async fn absent<'a, R: Row>(&self, rows: &[&'a R]) -> Result<Vec<&'a R>, LakeError> {
        let files = self.files()?;
        let newest = Newest::of(&files);
        let in_doubt = |row: &&&R| {
            let key = row.key();
            !newest.is_newer(&key.symbol, key.slot.instant())
        };
        let in_doubt: Vec<&R> = rows.iter().filter(in_doubt).copied().collect();
        let present = match Bounds::of(&in_doubt) {
            Some(bounds) => self.keys_within(&bounds, &files).await?,
            None => BTreeSet::new(),
        };
        Ok(rows.iter().copied().filter(|row| !present.contains(&row.key())).collect())
    }

    /// The rows this snapshot has under the keys of the given ones.
    pub(super) async fn present<R: Row>(&self, rows: &[&R]) -> Result<Vec<R>, LakeError> {
        let Some(bounds) = Bounds::of(rows) else {
            return Ok(Vec::new());
        };
        let keys: BTreeSet<Key> = rows.iter().map(|row| row.key()).collect();
        let short = match self.source(&self.files()?) {
            Some(source) => source.rows::<R>(bounds.question()).await,
            None => None,
        };
        let mut found = match short {
            Some(found) => found,
            None => self.rows::<R>(bounds.reach(), bounds.filter()).await?,
        };
        found.retain(|row| keys.contains(&row.key()));
        Ok(found)
    }
}

/// The keys of the rows of some batches.
pub(super) fn keys_of(table: TableName, batches: &[RecordBatch]) -> Result<BTreeSet<Key>, LakeError> {
    let mut keys = BTreeSet::new();
    for batch in batches {
        let columns = KeyColumns::of(table, batch)?;
        for row in 0..batch.num_rows() {
            keys.insert(columns.key(row)?);
        }
    }
    Ok(keys)
}

/// The symbols and the instants that some rows lie within; others may lie there too.
struct Bounds {
    table: TableName,
    symbols: BTreeSet<Symbol>,
    span: Span,
}

impl Bounds {
    /// None for no rows.
    fn of<R: Row>(rows: &[&R]) -> Option<Self> {
        let keys: Vec<Key> = rows.iter().map(|row| row.key()).collect();
        let from = keys.iter().map(|key| key.slot.instant()).min()?;
        let to = keys.iter().map(|key| key.slot.instant()).max()?;
        let symbols = keys.into_iter().map(|key| key.symbol).collect();
        Some(Self { table: R::TABLE, symbols, span: Span { from, to } })
    }

    fn question(&self) -> Question {
        Question::of(&self.symbols.iter().cloned().collect::<Vec<_>>(), self.span)
    }

    fn reach(&self) -> Reach {
        if self.span.from == self.span.to { Reach::Tight } else { Reach::Wide }
    }

    fn filter(&self) -> Expr {
        of_symbols(&self.symbols).and(between(self.table, (self.span.from, self.span.to)))
    }
}
