//! What a signal is made from, and the refusal of what was not known yet.

use chrono::{DateTime, Utc};

use crate::calendar::Calendar;
use crate::market::{FuturesSnapshot, PricePoint, Symbol};

use super::{SignalError, SignalsConfig};

/// By what a row counts as known at the instant of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// By its slot: what was known at that instant in the market, whenever this program learned it.
    Slot,
    /// By its capture too: what the table held at this instant.
    Capture(DateTime<Utc>),
}

/// The ETF's side of a signal; US dollars, but for the index.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EtfInputs {
    /// The last regular close.
    pub close: Option<PricePoint>,
    /// The price while it trades.
    pub spot: Option<PricePoint>,
    /// What has gone ex since that close, 0 where nothing has; none where it is not known.
    pub dividend: Option<f64>,
    /// The level of its index, points, where one is fed.
    pub index: Option<PricePoint>,
}

/// Everything a signal is made from.
#[derive(Debug, Clone, Copy)]
pub struct SignalInputs<'a> {
    /// The ETF.
    pub symbol: &'a Symbol,
    /// The instant it is about.
    pub as_of: DateTime<Utc>,
    /// By what a row counts as known then.
    pub known_by: KnownBy,
    /// Rows of its future, in order of time.
    pub rows: &'a [FuturesSnapshot],
    /// Prices of the ETF.
    pub etf: EtfInputs,
    /// The futures' calendar.
    pub calendar: &'a Calendar,
    /// Thresholds.
    pub config: &'a SignalsConfig,
    /// Smallest price step of its future, to which changes and prices are rounded; none where it is not known.
    pub tick: Option<f64>,
    /// Skill as it was measured by then.
    pub predictive_value: Option<f64>,
}

impl SignalInputs<'_> {
    /// Refuses any input that was not known at the instant.
    pub(super) fn check(&self) -> Result<(), SignalError> {
        let etf = [("the close", self.etf.close), ("the price", self.etf.spot), ("the index", self.etf.index)];
        let etf = etf.into_iter().filter_map(|(what, point)| Some((what, self.symbol, point?.at)));
        let rows = self.rows.iter().map(|row| ("the row", &row.symbol, row.timestamp.instant()));
        if let Some((what, symbol, at)) = etf.chain(rows).find(|(.., at)| *at > self.as_of) {
            return Err(SignalError::AfterAsOf { what, symbol: symbol.clone(), at, as_of: self.as_of });
        }
        let KnownBy::Capture(known_by) = self.known_by else { return Ok(()) };
        match self.rows.iter().find(|row| row.captured_at > known_by) {
            None => Ok(()),
            Some(row) => Err(SignalError::CapturedLater {
                symbol: row.symbol.clone(),
                timestamp: row.timestamp.instant(),
                captured_at: row.captured_at,
                known_by,
            }),
        }
    }
}
