//! Reading rows back: keys, the latest row, ranges, the last rows of sessions, and prices.
//!
//! Each read goes the short way (`short_read.rs`) where there is one, else through the query engine, to the same rows.

use std::collections::BTreeSet;
use std::io;

use arrow::record_batch::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::prelude::{Expr, col};

use crate::calendar::{Session, Slot};
use crate::market::{PricePoint, Source, Symbol};

use super::columns::Columns;
use super::error::io_kind;
use super::file_index::Span;
use super::recent_prices::RecentPrices;
use super::row::{Row, sorted};
use super::schema::key_columns;
use super::session::{Reach, at_instant, between, captured_by, of_symbols};
use super::short_read::Question;
use super::statistics::NewestRow;
use super::table::TableHandle;
use super::view::{Scan, TableView, keys_of};
use super::{LakeError, TableName};

/// Rows of some symbols between two instants, both included. No symbols, no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The symbols.
    pub symbols: Vec<Symbol>,
    /// The oldest slot wanted.
    pub from: DateTime<Utc>,
    /// The newest slot wanted.
    pub to: DateTime<Utc>,
}

/// What of a table is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AsOf {
    /// All there is.
    #[default]
    Latest,
    /// The table as that version had it, while its files are kept.
    Version(u64),
    /// The rows that had been captured by then, for any time and for good.
    Instant(DateTime<Utc>),
}

/// A price of one contract in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractPrice {
    /// Root of the future.
    pub symbol: Symbol,
    /// Local symbol of the contract.
    pub contract: String,
    /// Live, delayed or backfilled.
    pub source: Source,
    /// The last price and its slot.
    pub point: PricePoint,
}

/// The columns a price is made of.
const PRICE_COLUMNS: &[&str] = &["symbol", "timestamp", "last", "contract", "source"];

impl KeyRange {
    fn filter(&self, table: TableName) -> Option<Expr> {
        let some = !self.symbols.is_empty() && self.from <= self.to;
        some.then(|| of_symbols(&self.symbols).and(between(table, (self.from, self.to))))
    }

    fn question(&self) -> Question {
        Question::of(&self.symbols, Span { from: self.from, to: self.to })
    }
}

/// The snapshot of a table that shows what is asked for, and the rest of the filter; none where there is no table.
pub(super) async fn view_as_of(
    handle: &tokio::sync::Mutex<TableHandle>,
    as_of: &AsOf,
) -> Result<Option<(TableView, Option<Expr>)>, LakeError> {
    // The lock is held for the refresh only: scans run on their own snapshot, beside each other and beside writes.
    let mut handle = handle.lock().await;
    let (view, captured) = match *as_of {
        AsOf::Latest => (handle.newest().await?, None),
        AsOf::Version(version) => (handle.at_version(version).await?, None),
        AsOf::Instant(at) => (handle.newest().await?, Some(at)),
    };
    Ok(view.map(|view| {
        let filter = captured.map(|at| captured_by(view.name(), at));
        (view, filter)
    }))
}

/// An error of reading an old version whose files are gone says so.
pub(super) fn explained(error: LakeError, table: TableName, as_of: &AsOf) -> LakeError {
    match (error, as_of) {
        (LakeError::Storage { source, .. }, AsOf::Version(version))
            if io_kind(source.as_ref()) == Some(io::ErrorKind::NotFound) =>
        {
            LakeError::VersionGone { table, version: *version, source }
        }
        (error, _) => error,
    }
}

/// The keys in a range.
pub(super) async fn keys(
    handle: &tokio::sync::Mutex<TableHandle>,
    range: &KeyRange,
) -> Result<BTreeSet<(Symbol, Slot)>, LakeError> {
    let source = {
        let mut handle = handle.lock().await;
        let Some(head) = handle.head().await? else { return Ok(BTreeSet::new()) };
        if range.symbols.iter().all(|symbol| head.newest().is_newer(symbol, range.from)) {
            return Ok(BTreeSet::new());
        }
        handle.source().await?
    };
    let keys = 'found: {
        if let Some(source) = source {
            let question = Question { columns: Some(key_columns(source.name)), ..range.question() };
            if let Some(keys) = source.decoded(question, |batches| keys_of(source.name, &batches)).await {
                break 'found keys;
            }
        }
        let Some(view) = handle.lock().await.newest().await? else { return Ok(BTreeSet::new()) };
        let Some(filter) = range.filter(view.name()) else { return Ok(BTreeSet::new()) };
        view.keys(Reach::Wide, filter).await?
    };
    Ok(keys.into_iter().map(|key| (key.symbol, key.slot)).collect())
}

/// Numbers of rows and of different keys in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyCount {
    /// Rows.
    pub rows: usize,
    /// Different keys; as many, or a key is there twice.
    pub keys: usize,
}

/// Counts what is in a range.
pub(super) async fn count(handle: &tokio::sync::Mutex<TableHandle>, range: &KeyRange) -> Result<KeyCount, LakeError> {
    let Some((view, _)) = view_as_of(handle, &AsOf::Latest).await? else { return Ok(KeyCount::default()) };
    let Some(filter) = range.filter(view.name()) else { return Ok(KeyCount::default()) };
    view.count(filter).await
}

/// The rows in a range, by symbol and instant.
pub(super) async fn rows<R: Row>(
    handle: &tokio::sync::Mutex<TableHandle>,
    range: &KeyRange,
    as_of: &AsOf,
) -> Result<Vec<R>, LakeError> {
    if !matches!(as_of, AsOf::Version(_)) {
        let source = handle.lock().await.source().await?;
        if let Some(source) = source
            && let Some(mut rows) = source.rows::<R>(range.question()).await
        {
            if let AsOf::Instant(at) = as_of {
                rows.retain(|row| row.captured_at().timestamp_micros() <= at.timestamp_micros());
            }
            return Ok(sorted(rows));
        }
    }
    scan_rows(handle, range, as_of).await
}

/// As [`rows`], by way of the query engine.
pub(super) async fn scan_rows<R: Row>(
    handle: &tokio::sync::Mutex<TableHandle>,
    range: &KeyRange,
    as_of: &AsOf,
) -> Result<Vec<R>, LakeError> {
    let Some((view, captured)) = view_as_of(handle, as_of).await? else { return Ok(Vec::new()) };
    let Some(filter) = range.filter(R::TABLE) else { return Ok(Vec::new()) };
    let filter = captured.into_iter().fold(filter, Expr::and);
    let rows = view.rows(Reach::Wide, filter).await.map_err(|error| explained(error, R::TABLE, as_of))?;
    Ok(sorted(rows))
}

/// The newest row of a symbol: its instant from the statistics of the files, then that one row.
pub(super) async fn latest<R: Row>(
    handle: &tokio::sync::Mutex<TableHandle>,
    symbol: &Symbol,
) -> Result<Option<R>, LakeError> {
    let source = handle.lock().await.source().await?;
    if let Some(source) = source {
        let Some(from) = source.files.newest_from(symbol) else { return Ok(None) };
        let question = Question::of(std::slice::from_ref(symbol), Span::since(from));
        if let Some(rows) = source.rows::<R>(question).await {
            return Ok(rows.into_iter().max_by_key(Row::key));
        }
    }
    scan_latest(handle, symbol).await
}

/// As [`latest`], by way of the query engine.
pub(super) async fn scan_latest<R: Row>(
    handle: &tokio::sync::Mutex<TableHandle>,
    symbol: &Symbol,
) -> Result<Option<R>, LakeError> {
    let Some((view, _)) = view_as_of(handle, &AsOf::Latest).await? else { return Ok(None) };
    let of_symbol = of_symbols([symbol]);
    let (reach, filter) = match view.newest()?.row(symbol) {
        NewestRow::Absent => return Ok(None),
        NewestRow::At(at) => (Reach::Tight, of_symbol.and(at_instant(R::TABLE, at))),
        NewestRow::Unknown => (Reach::Wide, of_symbol),
    };
    Ok(view.rows::<R>(reach, filter).await?.into_iter().max_by_key(Row::key))
}

/// The last row of each session, none for a session without rows. Most sessions end with a row, so the last hour of each
/// is looked at first, and the whole of those only that have none there.
pub(super) async fn last_of_each<R: Row>(
    handle: &tokio::sync::Mutex<TableHandle>,
    symbol: &Symbol,
    sessions: &[Session],
) -> Result<Vec<Option<R>>, LakeError> {
    let whole: Vec<Option<Span>> = sessions.iter().map(span_of).collect();
    let ends = whole.iter().map(|span| span.map(|span| Span { from: span.from.max(span.to - LAST_HOUR), ..span }));
    let mut last = last_in_each::<R>(handle, symbol, &ends.collect::<Vec<_>>()).await?;
    if last.iter().any(Option::is_none) {
        let open = whole.iter().zip(&last).map(|(span, row)| span.filter(|_| row.is_none())).collect::<Vec<_>>();
        let found = last_in_each(handle, symbol, &open).await?;
        last = last.into_iter().zip(found).map(|(row, found)| row.or(found)).collect();
    }
    Ok(last)
}

/// The end of a session in which its last row is looked for first.
const LAST_HOUR: TimeDelta = TimeDelta::hours(1);

/// The instants of a session's slots: after its open, its close included.
fn span_of(session: &Session) -> Option<Span> {
    let from = session.slots().next()?.instant();
    Some(Span { from, to: session.slots().last()?.instant() })
}

/// The last row in each span, all of them read at once; none where there is no span or no row in it.
async fn last_in_each<R: Row>(
    handle: &tokio::sync::Mutex<TableHandle>,
    symbol: &Symbol,
    spans: &[Option<Span>],
) -> Result<Vec<Option<R>>, LakeError> {
    let asked: Vec<Span> = spans.iter().flatten().copied().collect();
    let bounds = asked.iter().map(|span| span.from).min().zip(asked.iter().map(|span| span.to).max());
    let Some((from, to)) = bounds else { return Ok(spans.iter().map(|_| None).collect()) };
    let question = Question { spans: asked, ..Question::of(std::slice::from_ref(symbol), Span { from, to }) };
    let source = handle.lock().await.source().await?;
    let short = match source {
        Some(source) => source.rows::<R>(question).await.map(sorted),
        None => None,
    };
    let rows = match short {
        Some(rows) => rows,
        None => scan_rows(handle, &KeyRange { symbols: vec![symbol.clone()], from, to }, &AsOf::Latest).await?,
    };
    let last_in = |span: &Option<Span>| {
        let span = (*span)?;
        let in_span = |row: &&R| (span.from..=span.to).contains(&row.key().slot.instant());
        rows.iter().rfind(in_span).cloned()
    };
    Ok(spans.iter().map(last_in).collect())
}

/// The prices of all contracts between two instants, both included, by symbol and instant; one scan.
pub(super) async fn prices(
    handle: &tokio::sync::Mutex<TableHandle>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<ContractPrice>, LakeError> {
    let source = {
        let mut handle = handle.lock().await;
        let Some(head) = handle.head().await? else { return Ok(Vec::new()) };
        if let Some(known) = head.prices(from, to) {
            return Ok(known);
        }
        handle.source().await?
    };
    let question = Question { symbols: None, spans: vec![Span { from, to }], columns: Some(PRICE_COLUMNS) };
    let short = match &source {
        Some(source) => source.decoded(question, |batches| prices_of(source.name, &batches)).await,
        None => None,
    };
    let (mark, prices) = if let (Some(source), Some(prices)) = (source, short) {
        (source.mark, prices)
    } else {
        let Some(view) = handle.lock().await.newest().await? else { return Ok(Vec::new()) };
        (view.mark(), scan_prices(&view, (from, to)).await?)
    };
    if let Some(head) = handle.lock().await.head().await?
        && head.newest().is_none_after(to)
    {
        head.keep_prices(mark, RecentPrices::new(from, prices.clone()));
    }
    Ok(prices)
}

/// As [`prices`], by way of the query engine.
pub(super) async fn scan_prices(
    view: &TableView,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<ContractPrice>, LakeError> {
    let filter = between(view.name(), (from, to)).and(col("last").is_not_null());
    let scan = Scan { columns: Some(PRICE_COLUMNS), ..Scan::of(Reach::Wide, filter) };
    prices_of(view.name(), &view.scan(scan).await?)
}

/// The prices in some batches, by symbol and instant.
fn prices_of(table: TableName, batches: &[RecordBatch]) -> Result<Vec<ContractPrice>, LakeError> {
    let mut prices = Vec::new();
    for batch in batches {
        let columns = Columns::new(table, batch);
        let (symbol, at, last) = (columns.texts("symbol")?, columns.instants("timestamp")?, columns.floats("last")?);
        let (contract, source) = (columns.texts("contract")?, columns.texts("source")?);
        for row in 0..batch.num_rows() {
            let Some(price) = last.float(row) else { continue };
            prices.push(ContractPrice {
                symbol: symbol.symbol(row)?,
                contract: contract.text(row)?.to_owned(),
                source: source.source(row)?,
                point: PricePoint { at: at.instant(row)?, price },
            });
        }
    }
    prices.sort_by(|a, b| (&a.symbol, a.point.at).cmp(&(&b.symbol, b.point.at)));
    Ok(prices)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{config, futures_of, futures_row, lake, slot, spot_row, symbol};
    use crate::lake::{Lake, LakeErrorClass};
    use crate::market::{FuturesSnapshot, SpotSnapshot};

    fn range(names: &[&str], from: i64, to: i64) -> KeyRange {
        let symbols = names.iter().map(|name| symbol(name)).collect();
        KeyRange { symbols, from: slot(from).instant(), to: slot(to).instant() }
    }

    async fn filled(folder: &std::path::Path) -> Lake {
        let lake = lake(folder);
        for number in [1, 2, 4, 3] {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        lake
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_missing_lake_reads_as_empty_and_stays_missing() {
        let folder = tempdir().expect("a folder");
        let lake = Lake::reader(&config(folder.path())).expect("a local folder");
        assert_eq!(lake.latest_futures(&symbol("ES")).await.expect("empty"), None);
        assert!(lake.spot(&range(&["SPY"], 0, 9), &AsOf::Version(3)).await.expect("empty").is_empty());
        assert!(lake.futures_keys(&range(&["ES"], 0, 9)).await.expect("empty").is_empty());
        assert!(lake.prices(slot(0).instant(), slot(9).instant()).await.expect("empty").is_empty());
        assert!(!lake.root().exists());
        let error = lake.append_futures(&futures_of(slot(1))).await.expect_err("a reader");
        assert!(matches!(error, LakeError::ReadOnly { .. }), "{error:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_latest_row_is_that_of_a_scan_in_whatever_order_slots_came() {
        let folder = tempdir().expect("a folder");
        let lake = filled(folder.path()).await;
        for name in ["ES", "RTY"] {
            let scanned = lake.futures(&range(&[name], 0, 9), &AsOf::Latest).await.expect("rows").pop();
            assert_eq!(lake.latest_futures(&symbol(name)).await.expect("readable"), scanned);
            assert_eq!(scanned, Some(futures_row(name, slot(4))));
        }
        assert_eq!(lake.latest_futures(&symbol("YM")).await.expect("readable"), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_range_holds_both_ends_and_comes_in_order() {
        let folder = tempdir().expect("a folder");
        let lake = filled(folder.path()).await;
        let rows = lake.futures(&range(&["NQ", "ES"], 2, 3), &AsOf::Latest).await.expect("rows");
        let expected =
            [("ES", 2), ("ES", 3), ("NQ", 2), ("NQ", 3)].map(|(name, number)| futures_row(name, slot(number)));
        assert_eq!(rows, expected);
        let keys = lake.futures_keys(&range(&["RTY"], 3, 9)).await.expect("keys");
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), [(symbol("RTY"), slot(3)), (symbol("RTY"), slot(4))]);
        assert!(lake.futures(&range(&[], 0, 9), &AsOf::Latest).await.expect("rows").is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn as_of_an_instant_shows_what_had_been_captured() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let backfilled = FuturesSnapshot { captured_at: slot(20).instant(), ..futures_row("ES", slot(1)) };
        lake.append_futures(&[backfilled, futures_row("ES", slot(2))]).await.expect("written");
        let seen = lake.futures(&range(&["ES"], 0, 9), &AsOf::Instant(slot(3).instant())).await.expect("rows");
        assert_eq!(seen, [futures_row("ES", slot(2))]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn as_of_a_version_shows_the_table_then() {
        let folder = tempdir().expect("a folder");
        let lake = filled(folder.path()).await;
        let seen = |version| {
            let lake = lake.clone();
            async move { lake.futures(&range(&["ES"], 0, 9), &AsOf::Version(version)).await }
        };
        assert_eq!(seen(1).await.expect("kept").len(), 1);
        assert_eq!(seen(4).await.expect("kept").len(), 4);
        assert!(matches!(seen(5).await, Err(LakeError::NoSuchVersion { newest: 4, .. })));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_version_whose_files_are_gone_says_so() {
        let folder = tempdir().expect("a folder");
        let lake = filled(folder.path()).await;
        let new = FuturesSnapshot { last: Some(1.0), ..futures_row("ES", slot(1)) };
        let partition = lake.root().join("futures_snapshots/symbol=ES");
        let files = |folder: &std::path::Path| -> Vec<_> {
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
        };
        let before = files(&partition);
        lake.replace_futures(&[new]).await.expect("replaced");
        for path in before {
            std::fs::remove_file(path).expect("as vacuum does");
        }
        let error = lake.futures(&range(&["ES"], 1, 1), &AsOf::Version(1)).await.expect_err("gone");
        assert!(matches!(error, LakeError::VersionGone { version: 1, .. }), "{error:?}");
        assert_eq!(error.class(), LakeErrorClass::Missing);
        let log = lake.root().join("futures_snapshots/_delta_log/00000000000000000000.json");
        std::fs::remove_file(log).expect("as log cleanup does");
        let error = lake.futures(&range(&["NQ"], 1, 1), &AsOf::Version(1)).await.expect_err("gone");
        assert!(matches!(error, LakeError::VersionGone { version: 1, .. }), "{error:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn prices_are_those_rows_that_have_a_last() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let without = FuturesSnapshot { last: None, ..futures_row("ES", slot(2)) };
        lake.append_futures(&[futures_row("NQ", slot(1)), without, futures_row("ES", slot(3))]).await.expect("written");
        let prices = lake.prices(slot(0).instant(), slot(3).instant()).await.expect("prices");
        let told: Vec<_> = prices.iter().map(|p| (p.contract.as_str(), p.point.price, p.source)).collect();
        assert_eq!(told, [("ESZ6", 6003.0, Source::Live), ("NQZ6", 6001.0, Source::Live)]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn prices_kept_from_slot_to_slot_are_those_of_a_scan_whoever_writes() {
        let folder = tempdir().expect("a folder");
        let (one, other) = (lake(folder.path()), lake(folder.path()));
        for number in 1..8 {
            let writer = if number % 3 == 0 { &other } else { &one };
            writer.append_futures(&futures_of(slot(number))).await.expect("written");
            let (from, to) = (slot(number - 4).instant(), slot(number).instant());
            let fresh = lake(folder.path()).prices(from, to).await.expect("read");
            assert_eq!(one.prices(from, to).await.expect("read"), fresh, "slot {number}");
        }
        let changed = FuturesSnapshot { last: Some(1.0), ..futures_row("ES", slot(6)) };
        other.replace_futures(&[changed]).await.expect("replaced");
        let prices = one.prices(slot(6).instant(), slot(6).instant()).await.expect("read");
        assert!(prices.iter().any(|price| price.symbol == symbol("ES") && price.point.price < 2.0), "{prices:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn etfs_have_a_table_of_their_own() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_spot(&[spot_row("SPY", slot(1)), spot_row("QQQ", slot(1))]).await.expect("written");
        let new = SpotSnapshot { last: Some(1.0), ..spot_row("SPY", slot(1)) };
        assert_eq!(
            lake.replace_spot(std::slice::from_ref(&new)).await.expect("replaced").old,
            [spot_row("SPY", slot(1))]
        );
        assert_eq!(lake.latest_spot(&symbol("SPY")).await.expect("readable"), Some(new));
        assert_eq!(lake.spot_keys(&range(&["SPY", "QQQ"], 0, 9)).await.expect("keys").len(), 2);
        assert!(lake.futures_keys(&range(&["SPY"], 0, 9)).await.expect("keys").is_empty());
    }
}
