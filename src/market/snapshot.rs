//! Snapshots: the quote of one symbol filed under its slot, as the tables keep it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::calendar::{Slot, TradingDay};

use super::{Changes, Symbol};

/// Where a row's prices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A live quote within a minute of the slot.
    Live,
    /// A delayed quote, where the configuration permits one.
    Delayed,
    /// A historical bar that ended at the slot.
    Backfill,
    /// A row of another program's table.
    Import,
}

impl Source {
    /// Whether this program took the row from a quote at its slot, so that `captured_at` is the instant of the quote.
    #[must_use]
    pub const fn is_captured(self) -> bool {
        matches!(self, Self::Live | Self::Delayed)
    }
}

/// Which kind of gateway a row comes from; a lake holds rows of one kind only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayKind {
    /// Interactive Brokers' TWS or IB Gateway.
    Ib,
    /// The simulated gateway.
    Simulated,
}

macro_rules! text_enum {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// The word as columns and keys carry it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(format!("'{other}' is none of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

text_enum!(Source { Live = "live", Delayed = "delayed", Backfill = "backfill", Import = "import" });
text_enum!(GatewayKind { Ib = "ib", Simulated = "simulated" });

/// One row of `futures_snapshots`. Prices and changes in index points, volumes in contracts.
#[derive(Debug, Clone, PartialEq)]
pub struct FuturesSnapshot {
    /// Root of the future.
    pub symbol: Symbol,
    /// The slot: what was known at this instant.
    pub timestamp: Slot,
    /// Best bid; none in a backfilled row.
    pub bid: Option<f64>,
    /// Best ask; none in a backfilled row.
    pub ask: Option<f64>,
    /// Last trade.
    pub last: Option<f64>,
    /// Cumulative volume of the session.
    pub volume: Option<i64>,
    /// Open interest; none in a backfilled row.
    pub open_interest: Option<i64>,
    /// Implied volatility, a fraction per year.
    pub implied_vol: Option<f64>,
    /// Differences to prices of the same contract that stood before.
    pub changes: Changes,
    /// The session's date.
    pub date: TradingDay,
    /// Local symbol of the contract, such as `ESZ6`.
    pub contract: String,
    /// Last trade date of the contract.
    pub expiry: NaiveDate,
    /// The gateway's identifier of the contract; none where no gateway named it, as in rows taken in from another program.
    pub con_id: Option<i32>,
    /// Live, delayed or backfilled.
    pub source: Source,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When the row was made.
    pub captured_at: DateTime<Utc>,
}

/// One row of `spot_snapshots`. Prices in US dollars, volume in shares.
#[derive(Debug, Clone, PartialEq)]
pub struct SpotSnapshot {
    /// Ticker of the ETF.
    pub symbol: Symbol,
    /// The slot: what was known at this instant.
    pub timestamp: Slot,
    /// Best bid; none in a backfilled row.
    pub bid: Option<f64>,
    /// Best ask; none in a backfilled row.
    pub ask: Option<f64>,
    /// Last trade.
    pub last: Option<f64>,
    /// Cumulative volume of the session.
    pub volume: Option<i64>,
    /// The session's date.
    pub date: TradingDay,
    /// Live, delayed or backfilled.
    pub source: Source,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When the row was made.
    pub captured_at: DateTime<Utc>,
}
