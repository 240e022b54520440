//! The configuration section `signals`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::market::{MarketConfig, Symbol};

/// An ETF and the future that speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The ETF.
    pub etf: Symbol,
    /// Its index future.
    pub future: Symbol,
    /// Its index, as the index feed names it; none where there is no feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Symbol>,
}

/// The configuration section `signals`: which ETFs get a signal, and by which thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignalsConfig {
    /// ETFs and their futures.
    pub pairs: Vec<Pair>,
    /// Stretch of the momentum and of the coverage.
    pub lookback_minutes: u32,
    /// Sessions whose daily changes the daily change is compared with.
    pub deviation_sessions: u32,
    /// Standard deviations from which a signal is strong.
    pub strong_deviations: f64,
    /// Change since the last close from which the sentiment is bullish or bearish.
    pub sentiment_bp: f64,
    /// Age of the newest row up to which it counts in full.
    pub fresh_minutes: u32,
    /// Age from which there is no signal.
    pub stale_minutes: u32,
    /// Sessions of the shorter average of the spot outlook.
    pub outlook_short_sessions: u32,
    /// Sessions of the longer one.
    pub outlook_long_sessions: u32,
    /// A YAML list of the days on which ETFs go ex; none: no dividend is known.
    pub dividends_file: Option<PathBuf>,
    /// A file of JSON lines to which another program adds levels of indices; none: the basis is that of the ETF.
    pub index_file: Option<PathBuf>,
    /// A basis by the ETF that has changed by more since its close is none: a dividend is missing, or a price is wrong.
    pub max_basis_change_bp: f64,
}

impl Default for SignalsConfig {
    fn default() -> Self {
        let pairs = [("SPY", "ES"), ("QQQ", "NQ"), ("IWM", "RTY")];
        let pair = |(etf, future): (&str, &str)| {
            Some(Pair { etf: etf.parse().ok()?, future: future.parse().ok()?, index: None })
        };
        Self {
            pairs: pairs.into_iter().filter_map(pair).collect(),
            lookback_minutes: 60,
            deviation_sessions: 20,
            strong_deviations: 1.0,
            sentiment_bp: 20.0,
            fresh_minutes: 5,
            stale_minutes: 30,
            outlook_short_sessions: 20,
            outlook_long_sessions: 50,
            dividends_file: None,
            index_file: None,
            max_basis_change_bp: 12.0,
        }
    }
}

impl SignalsConfig {
    /// The pair of an ETF.
    #[must_use]
    pub fn pair(&self, etf: &Symbol) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.etf == *etf)
    }

    /// Every fault of the section, also against what is captured.
    #[must_use]
    pub fn faults(&self, market: &MarketConfig) -> Vec<String> {
        let counts = [
            ("lookback_minutes", self.lookback_minutes, 10, 1_440),
            ("deviation_sessions", self.deviation_sessions, 10, 250),
            ("fresh_minutes", self.fresh_minutes, 1, 60),
            ("stale_minutes", self.stale_minutes, 2, 240),
            ("outlook_short_sessions", self.outlook_short_sessions, 2, 250),
            ("outlook_long_sessions", self.outlook_long_sessions, 3, 500),
        ];
        let outside = counts.into_iter().filter(|(_, value, least, most)| !(least..=most).contains(&value));
        let mut faults: Vec<String> = outside
            .map(|(key, value, least, most)| format!("signals.{key} is {value}: give {least} to {most}"))
            .collect();
        for (key, value) in [
            ("strong_deviations", self.strong_deviations),
            ("sentiment_bp", self.sentiment_bp),
            ("max_basis_change_bp", self.max_basis_change_bp),
        ] {
            if !(value > 0.0 && value <= 1_000.0) {
                faults.push(format!("signals.{key} is {value}: give a number above 0 and at most 1000"));
            }
        }
        faults.extend(self.disorder());
        faults.extend(self.unknown_pairs(market));
        faults.extend(self.unfed());
        faults
    }

    /// Values that do not go together.
    fn disorder(&self) -> Vec<String> {
        let pairs = [
            (("fresh_minutes", self.fresh_minutes), ("stale_minutes", self.stale_minutes)),
            (
                ("outlook_short_sessions", self.outlook_short_sessions),
                ("outlook_long_sessions", self.outlook_long_sessions),
            ),
        ];
        let reversed = pairs.into_iter().filter(|((_, less), (_, more))| less >= more);
        reversed
            .map(|((less, value), (more, bound))| {
                format!("signals.{less} is {value} and signals.{more} is {bound}: give {less} the smaller value")
            })
            .collect()
    }

    /// Indices that nothing feeds.
    fn unfed(&self) -> Option<String> {
        let pair = self.pairs.iter().find(|pair| pair.index.is_some() && self.index_file.is_none())?;
        Some(format!("signals.pairs names an index for {}: give signals.index_file, which feeds it", pair.etf))
    }

    fn unknown_pairs(&self, market: &MarketConfig) -> Vec<String> {
        let mut faults = Vec::new();
        for (at, pair) in self.pairs.iter().enumerate() {
            let of_pair = [market.future(&pair.future).err(), market.etf(&pair.etf).err()];
            faults.extend(of_pair.into_iter().flatten().map(|error| format!("signals.pairs: {error}")));
            if self.pairs.iter().take(at).any(|other| other.etf == pair.etf) {
                faults.push(format!("signals.pairs names {} twice: remove one", pair.etf));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_without_fault_and_pairs_each_etf_with_its_future() {
        let config = SignalsConfig::default();
        assert_eq!(config.faults(&MarketConfig::default()), Vec::<String>::new());
        let future = |etf: &str| config.pair(&etf.parse().expect("a symbol")).map(|pair| pair.future.as_str());
        assert_eq!(["SPY", "QQQ", "IWM", "DIA"].map(future), [Some("ES"), Some("NQ"), Some("RTY"), None]);
    }

    #[test]
    fn every_fault_comes_at_once_and_says_what_to_give() {
        let pair = |etf: &str, future: &str| Pair {
            etf: etf.parse().expect("a symbol"),
            future: future.parse().expect("a symbol"),
            index: Some("SPX".parse().expect("a symbol")),
        };
        let config = SignalsConfig {
            pairs: vec![pair("SPY", "ES"), pair("SPY", "XX")],
            lookback_minutes: 0,
            fresh_minutes: 40,
            sentiment_bp: f64::NAN,
            outlook_long_sessions: 20,
            ..SignalsConfig::default()
        };
        let faults = config.faults(&MarketConfig::default());
        assert_eq!(faults.len(), 7, "{faults:#?}");
        assert!(faults.contains(&"signals.lookback_minutes is 0: give 10 to 1440".to_owned()));
        assert!(faults.iter().any(|fault| fault.starts_with("signals.pairs: unknown symbol XX")));
    }
}
