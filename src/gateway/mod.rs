//! The gateway: quotes, contracts and history from Interactive Brokers' TWS or IB Gateway.
//!
//! The one client speaks the real wire protocol over TCP; [`simulated`] is a server for it to talk to. Market data only:
//! nothing here can place an order.

mod client_id;
mod config;
mod connect;
mod contracts;
mod error;
mod history;
mod ib;
mod notices;
mod pacing;
mod quotes;
mod reset_window;
pub mod simulated;
mod upstream;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::market::{Bar, BarSize, EtfContract, FutureContract, GatewayKind, Instrument, Quote, Symbol};

pub use config::{ClockSource, GatewayConfig, MarketDataMode, TimeOfDay};
pub use connect::{Endpoint, probe};
pub use error::{ErrorClass, GatewayError};
pub use ib::IbGateway;
pub use pacing::{HistoryPacer, PacingLimits};
pub use reset_window::ResetWindow;

/// Which contracts of a chain are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainScope {
    /// Those that still trade.
    Listed,
    /// Those, and the ones expired within two years, for history.
    WithExpired,
}

/// A request for historical bars of one instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct BarRequest {
    /// Of what.
    pub instrument: Instrument,
    /// Bars that end after this instant.
    pub after: DateTime<Utc>,
    /// Bars that end at or before this instant.
    pub until: DateTime<Utc>,
    /// Their length.
    pub size: BarSize,
}

/// Where market data comes from. One connection serves one run.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Real or simulated, as the account announced itself.
    fn kind(&self) -> GatewayKind;

    /// The instant that counts for this run: the machine's, or with `clock: gateway` the gateway's.
    ///
    /// # Errors
    /// Where the gateway does not tell the time.
    async fn now(&self) -> Result<DateTime<Utc>, GatewayError>;

    /// The quarterly contracts of a future, oldest first.
    ///
    /// # Errors
    /// Where the gateway does not answer in time, or lists none.
    async fn futures_chain(&self, symbol: &Symbol, scope: ChainScope) -> Result<Vec<FutureContract>, GatewayError>;

    /// The ETF as it can be asked for.
    ///
    /// # Errors
    /// Where the symbol is no known ETF.
    fn etf(&self, symbol: &Symbol) -> Result<EtfContract, GatewayError>;

    /// One quote, by one bounded streaming subscription.
    ///
    /// # Errors
    /// Where the gateway refuses the data, or sends no price in time.
    async fn quote(&self, instrument: &Instrument) -> Result<Quote, GatewayError>;

    /// Historical bars that are over, in order of time; none where the gateway has none. Days are told from the date of
    /// `after` to before that of `until`, the one that goes on too: its session's close tells when it is over.
    ///
    /// # Errors
    /// Where the gateway refuses, or does not answer in time.
    async fn bars(&self, request: &BarRequest) -> Result<Vec<Bar>, GatewayError>;

    /// Closes the connection.
    async fn close(&self);
}
