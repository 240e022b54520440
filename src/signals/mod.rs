//! Signals: what the futures say of an ETF at an instant, from the rows known then and from nothing else.
//!
//! Pure: rows in, a signal out, or the reason why there is none. An input from after the instant is an error, not a thing to
//! filter away: it would mean that a caller looked ahead.

mod against;
mod basis;
mod confidence;
mod config;
mod derive;
mod error;
#[cfg(test)]
pub(crate) mod fixtures;
mod inputs;
#[cfg(test)]
mod look_ahead;
mod outlook;
mod signal;
mod spread;
mod window;

pub use basis::{Dividend, EtfMove, FairBasis, FutureMove, etf_only_basis_change_bp, index_basis};
pub use config::{Pair, SignalsConfig};
pub use derive::{Derived, derive};
pub use error::{SignalError, SkipReason};
pub use inputs::{EtfInputs, KnownBy, SignalInputs};
pub use outlook::{Averages, NoOutlook, SpotOutlook, spot_outlook};
pub use signal::{FuturesSignal, Sentiment, Side, SignalKind};
