//! Values of the market: symbols, contracts, quotes, bars, snapshots and price changes.
//!
//! Nothing here does I/O or reads a clock. Prices are in index points for futures and US dollars for ETFs.

mod bar;
mod change;
mod contract;
mod daily;
mod dividend;
mod quote;
mod snapshot;
mod spread;
mod symbol;
mod tick;

pub use bar::{Bar, BarSize};
pub use change::{ChangeReferences, Changes, MAX_PRICE_AGE_MINUTES, PriceHistory, PricePoint};
pub use contract::{EtfContract, FutureContract, Instrument, Lead, LeadError, lead_contract};
pub use daily::{DailyBar, DailyClose};
pub use dividend::{DividendProblem, Dividends, ExDate, WentEx};
pub use quote::{MarketData, Quote};
pub use snapshot::{FuturesSnapshot, GatewayKind, Source, SpotSnapshot};
pub use spread::is_spread;
pub use symbol::{EtfSpec, FutureSpec, MarketConfig, Symbol, SymbolError};
pub use tick::round_to_tick;
