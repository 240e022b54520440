//! What a row must be able to do to live in a table: the one seam between the generic code and the row types.

use std::collections::BTreeSet;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::market::{GatewayKind, Symbol};

use super::{ContractPrice, LakeError, TableName};

/// What makes a row unique: its symbol, its instant, and in a table that has several rows of these a word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) symbol: Symbol,
    pub(super) slot: Slot,
    /// In the table's column of it (`schema::part_column`).
    pub(super) part: Option<String>,
}

impl Key {
    /// The key of a table with one row a symbol and slot.
    pub(super) fn new(symbol: &Symbol, slot: Slot) -> Self {
        Self { symbol: symbol.clone(), slot, part: None }
    }
}

/// A row of one of the tables.
pub(super) trait Row: Clone + Send + Sync + Sized + 'static {
    /// The table it lives in.
    const TABLE: TableName;

    /// Its key.
    fn key(&self) -> Key;

    /// The gateway it says it comes from.
    fn gateway(&self) -> GatewayKind;

    /// When it was captured.
    fn captured_at(&self) -> DateTime<Utc>;

    /// The price it carries, where its table is asked for prices.
    fn price(&self) -> Option<ContractPrice> {
        None
    }

    /// Rows as one batch of the table's schema.
    fn encode(rows: &[&Self]) -> Result<RecordBatch, ArrowError>;

    /// The rows of a batch with all columns of the table.
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError>;
}

/// Rows as one batch of their table.
pub(super) fn encoded<R: Row>(rows: &[&R]) -> Result<RecordBatch, LakeError> {
    R::encode(rows).map_err(|error| LakeError::Unfit { table: R::TABLE, source: error.into() })
}

/// The rows in order of their keys, the first of each key only: within a batch, as between batches, the first wins.
pub(super) fn first_of_each_key<R: Row>(rows: &[R]) -> Vec<&R> {
    let mut seen = BTreeSet::new();
    let mut first: Vec<&R> = rows.iter().filter(|row| seen.insert(row.key())).collect();
    first.sort_by_key(|row| row.key());
    first
}

/// Rows in order of their keys.
pub(super) fn sorted<R: Row>(mut rows: Vec<R>) -> Vec<R> {
    rows.sort_by_key(Row::key);
    rows
}
