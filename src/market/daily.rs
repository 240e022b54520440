//! Daily bars of ETFs: the regular session, unadjusted.

use chrono::{DateTime, Utc};

use crate::calendar::{Slot, TradingDay};

use super::{GatewayKind, Symbol};

/// One row of `spot_daily`. Prices in US dollars as they were paid, volume in shares.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyBar {
    /// Ticker of the ETF.
    pub symbol: Symbol,
    /// The session.
    pub date: TradingDay,
    /// Its close: the first instant at which the bar is known.
    pub timestamp: Slot,
    /// First trade of the regular hours.
    pub open: f64,
    /// Highest trade.
    pub high: f64,
    /// Lowest trade.
    pub low: f64,
    /// Last trade.
    pub close: f64,
    /// Shares traded.
    pub volume: Option<i64>,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When the row was made.
    pub captured_at: DateTime<Utc>,
}

/// The close of an ETF's session, US dollars.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyClose {
    /// Ticker of the ETF.
    pub symbol: Symbol,
    /// The session.
    pub date: TradingDay,
    /// Its last price, as it was paid.
    pub close: f64,
}

impl From<&DailyBar> for DailyClose {
    fn from(bar: &DailyBar) -> Self {
        Self { symbol: bar.symbol.clone(), date: bar.date, close: bar.close }
    }
}
