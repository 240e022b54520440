//! The lookback of a signal: the newest row, the rows of its contract before it, and what they tell.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, CalendarError};
use crate::market::FuturesSnapshot;

/// A row with a price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Priced<'a> {
    pub(super) row: &'a FuturesSnapshot,
    pub(super) last: f64,
}

/// The prices of one contract up to an instant.
#[derive(Debug)]
pub(super) struct Window<'a> {
    /// The newest.
    pub(super) newest: Priced<'a>,
    /// Those of its contract within the lookback, oldest first, the newest included.
    pub(super) recent: Vec<Priced<'a>>,
    /// How many rows of its contract are known at all.
    pub(super) rows_of_contract: usize,
}

impl<'a> Window<'a> {
    /// Looks back from an instant over rows in order of time; none without a price.
    pub(super) fn of(rows: &'a [FuturesSnapshot], as_of: DateTime<Utc>, lookback: TimeDelta) -> Option<Self> {
        let priced = |row: &'a FuturesSnapshot| Some(Priced { row, last: row.last? });
        let newest = rows.iter().rev().find_map(priced)?;
        let of_contract = || rows.iter().filter(|row| row.contract == newest.row.contract).filter_map(priced);
        let recent = of_contract().filter(|point| as_of - point.row.timestamp.instant() <= lookback).collect();
        Some(Self { newest, recent, rows_of_contract: of_contract().count() })
    }

    /// (last - first)/first, a fraction; none from a single price.
    pub(super) fn momentum(&self) -> Option<f64> {
        let [first, .., last] = self.recent.as_slice() else { return None };
        Some((last.last - first.last) / first.last)
    }

    /// Rows seen in the lookback, and those the calendar expects.
    pub(super) fn seen_and_expected(
        &self,
        as_of: DateTime<Utc>,
        (lookback, calendar): (TimeDelta, &Calendar),
    ) -> Result<(usize, usize), CalendarError> {
        Ok((self.recent.len(), calendar.slots(as_of - lookback, as_of)?.len()))
    }
}
