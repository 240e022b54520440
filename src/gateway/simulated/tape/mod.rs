//! Tapes: where the simulated gateway's prices come from.
//!
//! A tape answers two questions, from which the gateway makes all others: the bars of one session as far as they were
//! traded at an instant, and the quote that stood at an instant. Bars are stamped at their end; the close of the bar that
//! ends at an instant is the quote's last price at that instant, so that history and live data agree.

mod aggregate;
mod index;
mod noise;
mod profile;
mod recorded;
mod synthetic;
mod traded;

pub use recorded::{RecordedTape, TapeError};
pub use synthetic::SyntheticTape;

pub(super) use aggregate::{intraday, whole};

use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};

use crate::calendar::{ContractMonth, Session};
use crate::market::{Bar, FutureContract, FutureSpec, Instrument, Symbol};

use super::hours::Hours;
use super::instrument::con_id;

/// Quarterly contracts listed ahead.
const NUM_LISTED: usize = 5;

/// How long after its expiry a contract's history is served.
const EXPIRED_DAYS: u64 = 2 * 365;

/// A source of prices.
#[derive(Debug, Clone)]
pub enum Tape {
    /// Made up: any instant of any year, from a seed.
    Synthetic(SyntheticTape),
    /// Recorded bars.
    Recorded(RecordedTape),
}

/// What stands at an instant; what the tape cannot tell is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TapeQuote {
    /// Whether the market is open at the instant.
    pub(super) open_market: bool,
    /// Best bid and its size; on a closed market the last one.
    pub(super) bid: Option<(f64, i64)>,
    /// Best ask and its size.
    pub(super) ask: Option<(f64, i64)>,
    /// Last trade and its size.
    pub(super) last: Option<(f64, i64)>,
    /// Volume of the session so far.
    pub(super) volume: Option<i64>,
    /// Open interest of the contract.
    pub(super) open_interest: Option<i64>,
    /// Implied volatility, a fraction per year.
    pub(super) implied_vol: Option<f64>,
    /// First price of the session.
    pub(super) open: Option<f64>,
    /// Highest price of the session so far.
    pub(super) high: Option<f64>,
    /// Lowest price of the session so far.
    pub(super) low: Option<f64>,
    /// Last price of the session before.
    pub(super) prior_close: Option<f64>,
    /// Time of the last trade.
    pub(super) last_trade_at: Option<DateTime<Utc>>,
}

/// What makes up the prices: of two tapes that are told alike, the prices are the same.
impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synthetic(tape) => tape.fmt(f),
            Self::Recorded(tape) => tape.fmt(f),
        }
    }
}

impl Tape {
    /// All contracts of a root that may be listed on a day or expired in the two years before, by expiry.
    pub(super) fn chain(&self, symbol: &Symbol, spec: &FutureSpec, day: NaiveDate) -> Vec<FutureContract> {
        match self {
            Self::Synthetic(_) => quarterly_chain(symbol, spec, day),
            Self::Recorded(tape) => tape.chain(symbol, spec),
        }
    }

    /// How many contracts of a chain are listed at a time.
    pub(super) fn num_listed(&self) -> usize {
        match self {
            Self::Synthetic(_) => NUM_LISTED,
            Self::Recorded(_) => usize::MAX,
        }
    }

    /// Whether the tape has an ETF.
    pub(super) fn has_etf(&self, symbol: &Symbol) -> bool {
        match self {
            Self::Synthetic(_) => true,
            Self::Recorded(tape) => tape.has_etf(symbol),
        }
    }

    /// The bars of a session as of `now`, as fine as the tape has them; a synthetic one includes the forming bar.
    pub(super) fn session_bars(&self, hours: &Hours, of: &Instrument, part: (&Session, DateTime<Utc>)) -> Vec<Bar> {
        let (session, now) = part;
        match self {
            Self::Synthetic(tape) => tape.session_bars(hours, of, session, now),
            Self::Recorded(tape) => tape.session_bars(of, session, now),
        }
    }

    /// The quote that stands at an instant.
    pub(super) fn quote(&self, hours: &Hours, of: &Instrument, at: DateTime<Utc>) -> TapeQuote {
        match self {
            Self::Synthetic(tape) => tape.quote(hours, of, at),
            Self::Recorded(tape) => tape.quote(hours, of, at),
        }
    }

    /// Start of the first bar there is.
    pub(super) fn head(&self, hours: &Hours, of: &Instrument) -> Option<DateTime<Utc>> {
        match self {
            Self::Synthetic(_) => SyntheticTape::head(hours, of),
            Self::Recorded(tape) => tape.head(of),
        }
    }
}

/// The quarterly contracts of the two years before a day and of those after; one more than is listed, since one may
/// expire on the day.
fn quarterly_chain(symbol: &Symbol, spec: &FutureSpec, day: NaiveDate) -> Vec<FutureContract> {
    let earliest = day.checked_sub_days(Days::new(EXPIRED_DAYS)).unwrap_or(day);
    let mut chain = Vec::new();
    let mut num_ahead = 0;
    let mut next = first_quarter(earliest);
    while let (Some(month), true) = (next, num_ahead <= NUM_LISTED) {
        let expiry = month.last_trade_date();
        if expiry >= earliest {
            let contract = FutureContract {
                symbol: symbol.clone(),
                local_symbol: month.local_symbol(symbol.as_str()),
                con_id: con_id(symbol, Some(month)),
                month,
                expiry,
                spec: spec.clone(),
            };
            num_ahead += usize::from(expiry >= day);
            chain.push(contract);
        }
        next = Some(month.next());
    }
    chain
}

fn first_quarter(day: NaiveDate) -> Option<ContractMonth> {
    ContractMonth::new(day.year(), (day.month0() / 3 + 1) * 3).ok()
}

/// The price on the grid of ticks nearest to a value, without the dust of binary fractions.
pub(super) fn to_tick(price: f64, tick: f64) -> f64 {
    let num_ticks = (price / tick).round();
    let per_point = (1.0 / tick).round();
    // A tenth has no exact binary form: dividing by ten gives the nearest one, multiplying by a tenth does not.
    if (per_point * tick - 1.0).abs() < 1e-9 { num_ticks / per_point } else { num_ticks * tick }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::MarketConfig;

    #[test]
    fn a_chain_reaches_two_years_back_and_six_quarters_ahead() {
        let symbol: Symbol = "ES".parse().expect("a symbol");
        let spec = MarketConfig::default().future(&symbol).expect("built in");
        let day = "2026-11-23".parse().expect("a date");
        let chain = quarterly_chain(&symbol, &spec, day);
        let ahead: Vec<_> = chain.iter().filter(|c| c.expiry >= day).map(|c| c.local_symbol.as_str()).collect();
        assert_eq!(ahead, ["ESZ6", "ESH7", "ESM7", "ESU7", "ESZ7", "ESH8"]);
        assert_eq!(chain.first().map(|c| c.local_symbol.as_str()), Some("ESZ4"));
    }

    #[test]
    fn prices_lie_on_the_grid_without_dust() {
        assert_eq!(to_tick(2300.137, 0.1).to_string(), "2300.1");
        assert_eq!(to_tick(6000.13, 0.25).to_string(), "6000.25");
        assert_eq!(to_tick(601.238, 0.01).to_string(), "601.24");
        assert_eq!(to_tick(43_000.4, 1.0).to_string(), "43000");
    }
}
