//! What can go wrong at the gateway, and what is to be done about it.

use std::time::Duration;

use thiserror::Error;

/// Who has to do what about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// A new attempt may well succeed.
    Retry,
    /// A new attempt can succeed later, not at once: pacing, the nightly reset, a competing session.
    Wait,
    /// No attempt of this request will succeed.
    GiveUp,
    /// A person has to change something first.
    OperatorMustAct,
    /// The configuration names another kind of gateway than answered.
    Misconfigured,
}

/// A failed operation of the gateway.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// No connection could be made.
    #[error("cannot connect to the gateway at {address}: start TWS or IB Gateway there, or correct gateway.address")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the connection said.
        #[source]
        source: ibapi::Error,
    },
    /// The peer accepted and then said nothing.
    #[error("the gateway at {address} accepted the connection and stayed silent for {} s: log in to it, or restart it", waited.as_secs())]
    Silent {
        /// Host and port.
        address: String,
        /// How long it was given.
        waited: Duration,
    },
    /// Every client id of the range is taken.
    #[error(
        "every client id from {first} to {last} is in use at the gateway: stop the other client, or give gateway.client_id_first another value"
    )]
    NoClientId {
        /// First of the range.
        first: i32,
        /// Last of the range.
        last: i32,
    },
    /// A real gateway where a simulated one was meant, or the reverse.
    #[error("the gateway at {address} is {found}, but gateway.kind is {wanted}: {remedy}")]
    WrongKind {
        /// Host and port.
        address: String,
        /// What answered.
        found: &'static str,
        /// What the configuration says.
        wanted: &'static str,
        /// What to change.
        remedy: &'static str,
    },
    /// The gateway's clock and ours disagree.
    #[error("the gateway's clock is {skew_seconds} s off this machine's: {remedy}")]
    ClockSkew {
        /// Gateway less machine, in seconds.
        skew_seconds: i64,
        /// What to do.
        remedy: &'static str,
    },
    /// The gateway answered with an error code.
    #[error("{operation} failed with gateway error {code}: {remedy}")]
    Refused {
        /// What was asked.
        operation: String,
        /// TWS error code.
        code: i32,
        /// Who has to act.
        class: ErrorClass,
        /// What it means and what to do.
        remedy: &'static str,
        /// The gateway's own words.
        #[source]
        source: ibapi::Error,
    },
    /// Only delayed data came, and delayed data was not asked for.
    #[error(
        "the gateway sends only delayed data for {instrument}: subscribe to live data at IBKR, or set gateway.market_data: delayed"
    )]
    OnlyDelayed {
        /// What was quoted.
        instrument: String,
    },
    /// The gateway told that there is no price, or sent none that can be one.
    #[error("the gateway has no price for {instrument}: check that it trades and that the market data is subscribed")]
    NoPrice {
        /// What was quoted.
        instrument: String,
    },
    /// No answer in time.
    #[error("{operation} got no answer within {} s{hint}", waited.as_secs())]
    TimedOut {
        /// What was asked.
        operation: String,
        /// How long it was given.
        waited: Duration,
        /// What is known about why, with a leading colon, or empty.
        hint: String,
    },
    /// The connection was lost on the way.
    #[error("{operation} failed: the connection to the gateway was lost")]
    ConnectionLost {
        /// What was asked.
        operation: String,
        /// What the client said.
        #[source]
        source: ibapi::Error,
    },
    /// An answer that makes no sense.
    #[error("{operation} failed: the gateway's answer cannot be read")]
    Unreadable {
        /// What was asked.
        operation: String,
        /// What the client said.
        #[source]
        source: ibapi::Error,
    },
    /// The pacing rules leave no room before the deadline.
    #[error("{operation} would have to wait {} s for the gateway's pacing rules: run it again then", wait.as_secs())]
    Paced {
        /// What was asked.
        operation: String,
        /// How long.
        wait: Duration,
    },
    /// A symbol that nobody described.
    #[error(transparent)]
    Symbol(#[from] crate::market::SymbolError),
    /// The lock folder cannot be used.
    #[error("cannot use the lock folder {path}: make it writable, or give paths.state another value")]
    Locks {
        /// The folder.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl GatewayError {
    /// Who has to do what.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::TimedOut { .. } | Self::NoPrice { .. } => {
                ErrorClass::Retry
            }
            Self::ConnectionLost { .. } | Self::Unreadable { .. } => ErrorClass::Retry,
            Self::NoClientId { .. } | Self::Paced { .. } => ErrorClass::Wait,
            Self::ClockSkew { .. } | Self::OnlyDelayed { .. } => ErrorClass::OperatorMustAct,
            Self::WrongKind { .. } | Self::Symbol(_) | Self::Locks { .. } => ErrorClass::Misconfigured,
            Self::Refused { class, .. } => *class,
        }
    }

    /// Whether it only says that there is no such data.
    #[must_use]
    pub fn is_no_data(&self) -> bool {
        matches!(self, Self::Refused { code, source, .. } if *code == 162 && super::notices::says_no_data(source))
    }
}
