//! Symbols with multiplier, tick and currency: built in for the CME equity indices, the rest by configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::calendar::RollRule;

/// Longest symbol the gateway knows.
const MAX_SYMBOL_LENGTH: usize = 12;

/// A ticker such as `ES` or `SPY`: capital letters and digits, a letter first, at most 12 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(String);

impl Symbol {
    /// The ticker as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let well_formed = text.len() <= MAX_SYMBOL_LENGTH
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(SymbolError::Malformed(text.to_owned())) }
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, SymbolError> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a future is: one row of the contract specifications of its exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FutureSpec {
    /// US dollars (or `currency`) per index point.
    pub multiplier: f64,
    /// Smallest price step, in index points.
    pub tick: f64,
    /// Currency of the price.
    #[serde(default = "usd")]
    pub currency: String,
    /// Exchange as the gateway names it.
    #[serde(default = "cme")]
    pub exchange: String,
}

/// What an ETF is: where it is listed and its price step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EtfSpec {
    /// Primary listing, which tells same-named stocks apart.
    pub primary_exchange: String,
    /// Smallest price step, in US dollars.
    #[serde(default = "cent")]
    pub tick: f64,
    /// Currency of the price.
    #[serde(default = "usd")]
    pub currency: String,
}

fn usd() -> String {
    "USD".to_owned()
}

fn cme() -> String {
    "CME".to_owned()
}

fn cent() -> f64 {
    0.01
}

/// The configuration section `market`: what is captured, and what each symbol is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarketConfig {
    /// Futures to capture, in the order of their rows.
    pub futures: Vec<Symbol>,
    /// ETFs to capture while NYSE is open.
    pub spot: Vec<Symbol>,
    /// When the next quarterly contract becomes the lead.
    pub roll_rule: RollRule,
    /// Further futures, or other values for the built-in ones.
    pub future_specs: BTreeMap<Symbol, FutureSpec>,
    /// Further ETFs, or other values for the built-in ones.
    pub etf_specs: BTreeMap<Symbol, EtfSpec>,
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            futures: ["ES", "NQ", "RTY"].map(|s| Symbol(s.to_owned())).to_vec(),
            spot: ["SPY", "QQQ", "IWM"].map(|s| Symbol(s.to_owned())).to_vec(),
            roll_rule: RollRule::ByDate,
            future_specs: BTreeMap::new(),
            etf_specs: BTreeMap::new(),
        }
    }
}

impl MarketConfig {
    /// The specification of a future: the configured one, else the built-in one.
    ///
    /// # Errors
    /// [`SymbolError::Unknown`] where neither knows the symbol.
    pub fn future(&self, symbol: &Symbol) -> Result<FutureSpec, SymbolError> {
        let configured = self.future_specs.get(symbol).cloned();
        configured.or_else(|| built_in_future(symbol.as_str())).ok_or_else(|| SymbolError::Unknown {
            symbol: symbol.clone(),
            section: "future_specs",
            known: self.known_futures().join(", "),
        })
    }

    /// The specification of an ETF: the configured one, else the built-in one.
    ///
    /// # Errors
    /// [`SymbolError::Unknown`] where neither knows the symbol.
    pub fn etf(&self, symbol: &Symbol) -> Result<EtfSpec, SymbolError> {
        let configured = self.etf_specs.get(symbol).cloned();
        configured.or_else(|| built_in_etf(symbol.as_str())).ok_or_else(|| SymbolError::Unknown {
            symbol: symbol.clone(),
            section: "etf_specs",
            known: BUILT_IN_ETFS.map(|(name, _)| name).join(", "),
        })
    }

    /// Every fault of the section: unknown or doubled symbols, values that cannot be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let unknown_futures = self.futures.iter().filter_map(|s| self.future(s).err());
        let unknown_etfs = self.spot.iter().filter_map(|s| self.etf(s).err());
        let mut faults: Vec<String> = unknown_futures.chain(unknown_etfs).map(|e| e.to_string()).collect();
        if self.futures.is_empty() {
            faults.push("market.futures is empty: name at least one future, such as ES".to_owned());
        }
        for (name, list) in [("futures", &self.futures), ("spot", &self.spot)] {
            let doubled = list.iter().enumerate().filter(|(at, symbol)| list.iter().take(*at).any(|s| s == *symbol));
            faults.extend(doubled.map(|(_, symbol)| format!("market.{name} names {symbol} twice: remove one")));
        }
        for (symbol, spec) in &self.future_specs {
            if !(spec.multiplier > 0.0 && spec.tick > 0.0) {
                faults.push(format!("market.future_specs.{symbol}: multiplier and tick must be above 0"));
            }
        }
        for (symbol, spec) in self.etf_specs.iter().filter(|(_, spec)| spec.tick.is_nan() || spec.tick <= 0.0) {
            faults.push(format!("market.etf_specs.{symbol}: tick must be above 0, not {}", spec.tick));
        }
        faults
    }

    fn known_futures(&self) -> Vec<String> {
        let built_in = BUILT_IN_FUTURES.iter().map(|(name, ..)| (*name).to_owned());
        built_in.chain(self.future_specs.keys().map(ToString::to_string)).collect()
    }
}

/// Symbol, US dollars per point, tick in points, exchange. Source: the contract specifications of CME Group.
const BUILT_IN_FUTURES: [(&str, f64, f64, &str); 7] = [
    ("ES", 50.0, 0.25, "CME"),
    ("NQ", 20.0, 0.25, "CME"),
    ("RTY", 50.0, 0.10, "CME"),
    ("YM", 5.0, 1.0, "CBOT"),
    ("MES", 5.0, 0.25, "CME"),
    ("MNQ", 2.0, 0.25, "CME"),
    ("M2K", 5.0, 0.10, "CME"),
];

/// Symbol and primary listing.
const BUILT_IN_ETFS: [(&str, &str); 4] = [("SPY", "ARCA"), ("QQQ", "NASDAQ"), ("IWM", "ARCA"), ("DIA", "ARCA")];

fn built_in_future(symbol: &str) -> Option<FutureSpec> {
    let (_, multiplier, tick, exchange) = *BUILT_IN_FUTURES.iter().find(|(name, ..)| *name == symbol)?;
    Some(FutureSpec { multiplier, tick, currency: usd(), exchange: exchange.to_owned() })
}

fn built_in_etf(symbol: &str) -> Option<EtfSpec> {
    let (_, primary_exchange) = *BUILT_IN_ETFS.iter().find(|(name, _)| *name == symbol)?;
    Some(EtfSpec { primary_exchange: primary_exchange.to_owned(), tick: cent(), currency: usd() })
}

/// A symbol that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SymbolError {
    /// The text is no ticker.
    #[error("'{0}' is no symbol: use capital letters and digits, such as ES or SPY")]
    Malformed(String),
    /// Nobody said what this symbol is.
    #[error("unknown symbol {symbol}: known are {known}; describe a new one under market.{section}")]
    Unknown {
        /// The symbol asked for.
        symbol: Symbol,
        /// Where a specification would go.
        section: &'static str,
        /// The known ones, comma separated.
        known: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> Symbol {
        text.parse().expect("a symbol")
    }

    #[test]
    fn rty_is_fifty_dollars_a_point_and_five_a_tick() {
        let rty = MarketConfig::default().future(&symbol("RTY")).expect("built in");
        assert_eq!((rty.multiplier, rty.multiplier * rty.tick), (50.0, 5.0));
        let m2k = MarketConfig::default().future(&symbol("M2K")).expect("built in");
        assert_eq!((m2k.multiplier, m2k.multiplier * m2k.tick), (5.0, 0.5));
    }

    #[test]
    fn an_unknown_symbol_names_the_known_ones() {
        let error = MarketConfig::default().future(&symbol("XX")).expect_err("unknown").to_string();
        assert!(error.contains("unknown symbol XX") && error.contains("M2K"), "{error}");
    }

    #[test]
    fn lower_case_and_paths_are_no_symbols() {
        for text in ["", "es", "../ES", "ES Z6", "1ES", "ABCDEFGHIJKLM"] {
            assert!(text.parse::<Symbol>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_configured_specification_wins_over_the_built_in_one() {
        let spec = FutureSpec { multiplier: 25.0, tick: 0.5, currency: usd(), exchange: cme() };
        let config = MarketConfig { future_specs: [(symbol("ES"), spec.clone())].into(), ..MarketConfig::default() };
        assert_eq!(config.future(&symbol("ES")), Ok(spec));
    }

    #[test]
    fn all_faults_of_the_section_come_at_once() {
        let config = MarketConfig {
            futures: vec![symbol("ES"), symbol("ES"), symbol("XX")],
            spot: vec![symbol("YY")],
            ..MarketConfig::default()
        };
        assert_eq!(config.faults().len(), 3, "{:?}", config.faults());
    }
}
