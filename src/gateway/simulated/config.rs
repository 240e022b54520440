//! What a simulated gateway is made of.

use crate::market::{EtfSpec, FutureSpec, MarketConfig, Symbol, SymbolError};

use super::clock::SimulatedClock;
use super::fault::Fault;
use super::tape::Tape;

/// How the account of a simulated gateway begins; it tells clients that the prices are fiction.
pub const ACCOUNT_PREFIX: &str = "SIM";

/// Newest server version announced: the highest both clients know.
const SERVER_VERSION: i32 = 226;

const FUTURES: [&str; 7] = ["ES", "NQ", "RTY", "YM", "MES", "MNQ", "M2K"];
const ETFS: [&str; 4] = ["SPY", "QQQ", "IWM", "DIA"];

/// The configuration of a simulated gateway.
#[derive(Debug, Clone)]
pub struct SimulatedConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Server version to announce, from 213 on.
    pub server_version: i32,
    /// The account, which must begin with `SIM`.
    pub account: String,
    /// The gateway's time.
    pub clock: SimulatedClock,
    /// The gateway's prices.
    pub tape: Tape,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// The futures it lists, as far as the tape has them.
    pub futures: Vec<(Symbol, FutureSpec)>,
    /// The ETFs it lists, as far as the tape has them.
    pub etfs: Vec<(Symbol, EtfSpec)>,
}

impl SimulatedConfig {
    /// A gateway without faults on a free port, which knows the built-in symbols.
    #[must_use]
    pub fn new(tape: Tape, clock: SimulatedClock) -> Self {
        let market = MarketConfig::default();
        let future = |name: &str| {
            let symbol: Symbol = name.parse().ok()?;
            let spec = market.future(&symbol).ok()?;
            Some((symbol, spec))
        };
        let etf = |name: &str| {
            let symbol: Symbol = name.parse().ok()?;
            let spec = market.etf(&symbol).ok()?;
            Some((symbol, spec))
        };
        Self {
            port: 0,
            server_version: SERVER_VERSION,
            account: format!("{ACCOUNT_PREFIX}0000001"),
            clock,
            tape,
            faults: Vec::new(),
            futures: FUTURES.into_iter().filter_map(future).collect(),
            etfs: ETFS.into_iter().filter_map(etf).collect(),
        }
    }

    /// With the symbols that a configuration captures, as it specifies them.
    ///
    /// # Errors
    /// Where a symbol is neither known nor specified.
    pub fn listing(mut self, market: &MarketConfig) -> Result<Self, SymbolError> {
        for symbol in &market.futures {
            let spec = market.future(symbol)?;
            self.futures.retain(|(known, _)| known != symbol);
            self.futures.push((symbol.clone(), spec));
        }
        for symbol in &market.spot {
            let spec = market.etf(symbol)?;
            self.etfs.retain(|(known, _)| known != symbol);
            self.etfs.push((symbol.clone(), spec));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tape::SyntheticTape;
    use super::*;

    #[test]
    fn all_built_in_symbols_are_known() {
        let clock = SimulatedClock::fixed(chrono::DateTime::UNIX_EPOCH);
        let config = SimulatedConfig::new(Tape::Synthetic(SyntheticTape::new(1)), clock);
        assert_eq!((config.futures.len(), config.etfs.len()), (7, 4));
    }
}
