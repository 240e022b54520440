//! Why there is no signal.

use chrono::{DateTime, NaiveDate, Utc};
use thiserror::Error;

use crate::calendar::CalendarError;
use crate::market::Symbol;

/// An input that must not be there: the caller looked ahead, or the calendar does not reach.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SignalError {
    /// An input is stamped after the instant of the signal.
    #[error("{what} of {symbol} is stamped {at}, after {as_of}: give only what was known then")]
    AfterAsOf {
        /// Which input.
        what: &'static str,
        /// Whose.
        symbol: Symbol,
        /// When it became known.
        at: DateTime<Utc>,
        /// The instant of the signal.
        as_of: DateTime<Utc>,
    },
    /// A row was captured after the instant at which the rows were to be known.
    #[error(
        "the row of {symbol} at {timestamp} was captured {captured_at}, after {known_by}: give only rows known then"
    )]
    CapturedLater {
        /// Whose.
        symbol: Symbol,
        /// Its slot.
        timestamp: DateTime<Utc>,
        /// When it was captured.
        captured_at: DateTime<Utc>,
        /// When it was to be known.
        known_by: DateTime<Utc>,
    },
    /// A daily bar's session is not over at the instant.
    #[error("the daily bar of {symbol} of {date} is not over at {as_of}: give only sessions that have closed")]
    UnfinishedSession {
        /// Whose.
        symbol: Symbol,
        /// The session.
        date: NaiveDate,
        /// The instant.
        as_of: DateTime<Utc>,
    },
    /// The calendar does not reach there.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

/// Why the rows known at an instant give no signal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SkipReason {
    /// The ETF has no future.
    #[error("{0} has no future: name one under signals.pairs")]
    UnknownEtf(Symbol),
    /// There is no row with a price.
    #[error("there is no price of {0} yet: run jobs run backfill")]
    NoRows(Symbol),
    /// The newest row is too old.
    #[error("the newest price of {symbol} is {age_minutes} minutes old, needs less than {bound_minutes}")]
    Stale {
        /// Whose.
        symbol: Symbol,
        /// Its age.
        age_minutes: i64,
        /// The age from which there is no signal.
        bound_minutes: u32,
    },
    /// A price at or below zero.
    #[error("the newest price of {symbol} is {price}, which is not above 0")]
    NegativePrice {
        /// Whose.
        symbol: Symbol,
        /// The price as it came.
        price: String,
    },
    /// The contract has no price at the last close: it is new.
    #[error("roll_unmatched: {contract} has no price at the last close")]
    RollUnmatched {
        /// The contract.
        contract: String,
    },
    /// No price of the contract stood at the last close, though it is not new.
    #[error("no price of {contract} stood at the last close: run jobs run backfill")]
    NoCloseReference {
        /// The contract.
        contract: String,
    },
    /// One price tells no momentum.
    #[error("{contract} has one price in the last {lookback_minutes} minutes, needs two")]
    OnePrice {
        /// The contract.
        contract: String,
        /// The lookback.
        lookback_minutes: u32,
    },
}
