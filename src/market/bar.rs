//! Historical bars. A bar is knowable when it is over, so it is filed under its end.

use chrono::{DateTime, TimeDelta, Utc};

/// Length of a historical bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarSize {
    /// Five minutes: the slot grid.
    FiveMinutes,
    /// One hour.
    Hour,
    /// One session.
    Day,
}

impl BarSize {
    /// Length of an intraday bar; a day's length is its session's and has none.
    #[must_use]
    pub fn duration(self) -> Option<TimeDelta> {
        match self {
            Self::FiveMinutes => Some(TimeDelta::minutes(5)),
            Self::Hour => Some(TimeDelta::hours(1)),
            Self::Day => None,
        }
    }
}

/// One bar of trades of one contract; prices in points (ETF: US dollars).
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// First instant of the bar.
    pub start: DateTime<Utc>,
    /// End of the bar: the first instant at which its close is knowable.
    pub end: DateTime<Utc>,
    /// First trade.
    pub open: f64,
    /// Highest trade.
    pub high: f64,
    /// Lowest trade.
    pub low: f64,
    /// Last trade.
    pub close: f64,
    /// Contracts (ETF: shares) traded in the bar.
    pub volume: Option<i64>,
}
