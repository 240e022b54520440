//! What became of every row of another program's table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::calendar::{RollRule, Slot};
use crate::lake::{RowRange, TableName};
use crate::market::{GatewayKind, Source, Symbol};

use super::judge::Refusal;

/// The closing account of an import: the rows read are those imported, present, doubled and refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportAccount {
    /// Where the rows come from.
    pub from: PathBuf,
    /// Where they go.
    pub table: TableName,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// What the rows say they come from.
    pub gateway: GatewayKind,
    /// What the rows say they are.
    pub source: Source,
    /// By which their contracts were inferred.
    pub roll_rule: RollRule,
    /// Files read.
    pub files: usize,
    /// Rows read.
    pub rows_read: u64,
    /// Rows taken in, or to be taken in.
    pub imported: u64,
    /// Rows whose key is in the table already.
    pub present: u64,
    /// Rows whose key an earlier row has.
    pub doubled: u64,
    /// Rows that are not taken in.
    pub refused: Vec<RefusedRows>,
    /// Rows whose time was moved to the slot before it, doubled and present ones among them.
    pub moved_to_slot: u64,
    /// Numbers that stand for none and became null, in the same rows.
    pub nulled: u64,
    /// Rows imported whose contract is in doubt, because a roll was near.
    pub near_roll: u64,
    /// Rows imported for which at least one change could be computed.
    pub with_changes: u64,
    /// The rows imported, by symbol.
    pub symbols: Vec<RowRange>,
    /// Columns that were not taken in.
    pub columns_left_out: Vec<String>,
    /// Columns that are not there.
    pub columns_absent: Vec<&'static str>,
    /// The version of the table with all of them; none where nothing was written.
    pub version: Option<u64>,
}

/// Rows refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRows {
    /// Why.
    pub reason: Refusal,
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub first: String,
}

impl ImportAccount {
    /// Rows refused, for whatever reason.
    #[must_use]
    pub fn num_refused(&self) -> u64 {
        self.refused.iter().map(|refused| refused.rows).sum()
    }

    pub(super) fn refuse(&mut self, reason: Refusal, first: impl FnOnce() -> String) {
        match self.refused.iter_mut().find(|refused| refused.reason == reason) {
            Some(refused) => refused.rows += 1,
            None => self.refused.push(RefusedRows { reason, rows: 1, first: first() }),
        }
    }

    /// Counts rows that were imported. They come window after window, so in each symbol the later ones later.
    pub(super) fn import(&mut self, keys: &[(Symbol, Slot)]) {
        self.imported += keys.len() as u64;
        let mut of_symbol: BTreeMap<&Symbol, Vec<Slot>> = BTreeMap::new();
        for (symbol, slot) in keys {
            of_symbol.entry(symbol).or_default().push(*slot);
        }
        for (symbol, slots) in of_symbol {
            let (Some(first), Some(last)) = (slots.iter().min(), slots.iter().max()) else { continue };
            let (first, last, rows) = (first.instant(), last.instant(), slots.len());
            match self.symbols.iter_mut().find(|range| range.symbol == symbol.as_str()) {
                Some(range) => {
                    range.rows += rows;
                    range.last = last;
                }
                None => self.symbols.push(RowRange { symbol: symbol.to_string(), rows, first, last }),
            }
        }
    }
}
