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
    /// There is no such data: nobody has failed.
    NoData,
    /// An answer came and cannot be read: asked again it would come again.
    Unreadable,
    /// The configuration names another kind of gateway than answered.
    Misconfigured,
}

/// A failed operation of the gateway.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// No connection could be made.
    #[error("cannot connect to the gateway at {address}: {remedy}{reported}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What to do.
        remedy: &'static str,
        /// What the gateway reported before, with a leading semicolon, or empty.
        reported: String,
        /// What the connection said.
        #[source]
        source: Box<ibapi::Error>,
    },
    /// The peer accepted and then said nothing.
    #[error(
        "the gateway at {address} accepted the connection and stayed silent for {} s: log in to it, or restart it{reported}",
        waited.as_secs()
    )]
    Silent {
        /// Host and port.
        address: String,
        /// How long it was given.
        waited: Duration,
        /// What the gateway reported before, with a leading semicolon, or empty.
        reported: String,
    },
    /// A notice of the handshake turns the session away.
    #[error("the gateway at {address} does not let this program in ({code}): {remedy}; its words: {words}")]
    TurnedAway {
        /// Host and port.
        address: String,
        /// TWS error code.
        code: i32,
        /// Who has to act.
        class: ErrorClass,
        /// What it means and what to do.
        remedy: &'static str,
        /// The gateway's own words.
        words: String,
    },
    /// Its protocol is of a time before the oldest that this program can use.
    #[error(
        "the gateway at {address} is too old (server version {found}, at least {needed} is needed): update TWS or IB Gateway"
    )]
    TooOld {
        /// Host and port.
        address: String,
        /// What it announced.
        found: i32,
        /// What is needed.
        needed: i32,
    },
    /// It named no account, so nobody can know whether its prices are real.
    #[error(
        "the gateway at {address} named no account, so real data cannot be told from simulated data: run it again, or log in to it anew"
    )]
    NoAccount {
        /// Host and port.
        address: String,
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
    /// An answer that means nothing because the gateway is cut off from IBKR.
    #[error("{operation} failed with gateway error {code}, but {trouble}: run it again when it is restored")]
    CutOff {
        /// What was asked.
        operation: String,
        /// TWS error code.
        code: i32,
        /// What is broken.
        trouble: String,
        /// The gateway's own words.
        #[source]
        source: Box<ibapi::Error>,
    },
    /// None of the contracts that came is the one that was asked for.
    #[error("the gateway lists no contract of {wanted} ({found}): correct market.future_specs, or market.futures")]
    OtherContracts {
        /// What was asked for.
        wanted: String,
        /// What is wrong with those that came.
        found: String,
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
    #[error("{operation} failed: the gateway's answer cannot be read ({what})")]
    Unreadable {
        /// What was asked.
        operation: String,
        /// What is unreadable about it.
        what: String,
        /// What the client said.
        #[source]
        source: Box<ibapi::Error>,
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
            Self::ConnectionLost { .. } | Self::NoAccount { .. } | Self::CutOff { .. } => ErrorClass::Retry,
            Self::Unreadable { .. } => ErrorClass::Unreadable,
            Self::NoClientId { .. } | Self::Paced { .. } => ErrorClass::Wait,
            Self::ClockSkew { .. } | Self::OnlyDelayed { .. } | Self::TooOld { .. } | Self::OtherContracts { .. } => {
                ErrorClass::OperatorMustAct
            }
            Self::WrongKind { .. } | Self::Symbol(_) | Self::Locks { .. } => ErrorClass::Misconfigured,
            Self::Refused { class, .. } | Self::TurnedAway { class, .. } => *class,
        }
    }

    /// The same silence with what the gateway reported before; other errors stay as they are.
    pub(super) fn with_reported(self, words: String) -> Self {
        match self {
            Self::Silent { address, waited, .. } => Self::Silent { address, waited, reported: words },
            other => other,
        }
    }

    /// Whether it only says that there is no such data.
    #[must_use]
    pub fn is_no_data(&self) -> bool {
        self.class() == ErrorClass::NoData
    }

    /// Whether the gateway answered, and only this one request is refused: others may be granted.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { class, .. } => *class != ErrorClass::Wait,
            Self::Unreadable { .. } | Self::OtherContracts { .. } | Self::OnlyDelayed { .. } | Self::NoPrice { .. } => {
                true
            }
            _ => false,
        }
    }
}
