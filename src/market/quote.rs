//! A quote: what the gateway says of one instrument at one moment. What it does not say is `None`, never 0 or -1.

use chrono::{DateTime, Utc};

/// What kind of market data a quote is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketData {
    /// Streamed as it happens.
    Live,
    /// Late by the exchange's delay (15 minutes at CME).
    Delayed,
}

/// Bid, ask and last of one instrument with what comes beside them. Prices are above 0, sizes at least 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// Best bid, points (ETF: US dollars).
    pub bid: Option<f64>,
    /// Best ask.
    pub ask: Option<f64>,
    /// Last trade.
    pub last: Option<f64>,
    /// Cumulative volume of the session, contracts (ETF: shares). A 0 may also mean that the gateway does not know it.
    pub volume: Option<i64>,
    /// Open interest, contracts.
    pub open_interest: Option<i64>,
    /// Implied volatility, a fraction per year.
    pub implied_vol: Option<f64>,
    /// Instant of the last trade.
    pub last_trade_at: Option<DateTime<Utc>>,
    /// Whether the exchange has halted trading: then the last trade stands, however old it is.
    pub is_halted: bool,
    /// Gateway time at which the quote was complete.
    pub quoted_at: DateTime<Utc>,
    /// Live or delayed.
    pub market_data: MarketData,
}

impl Quote {
    /// A quote that says nothing yet.
    #[must_use]
    pub fn empty(quoted_at: DateTime<Utc>) -> Self {
        Self {
            bid: None,
            ask: None,
            last: None,
            volume: None,
            open_interest: None,
            implied_vol: None,
            last_trade_at: None,
            is_halted: false,
            quoted_at,
            market_data: MarketData::Live,
        }
    }

    /// Whether it carries no price at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bid.is_none() && self.ask.is_none() && self.last.is_none()
    }
}
