//! The configuration section `rules`.

use serde::{Deserialize, Serialize};

/// Most sessions that a position on paper is held.
const MOST_SESSIONS: u32 = 60;

/// The configuration section `rules`: the thresholds of the rules. A value must lie above its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulesConfig {
    /// Least confidence of a bullish or bearish entry.
    pub entry_min_confidence: f64,
    /// Multiplier of such an entry at confidence 0.
    pub entry_base_multiplier: f64,
    /// What it gains at confidence 1.
    pub entry_confidence_multiplier: f64,
    /// Least confidence of a contrarian entry.
    pub contrarian_min_confidence: f64,
    /// Least size of its momentum, a fraction.
    pub contrarian_min_momentum: f64,
    /// Least confidence of a momentum entry.
    pub momentum_min_confidence: f64,
    /// Least size of its momentum, a fraction.
    pub momentum_min_momentum: f64,
    /// What its multiplier gains for each unit of momentum.
    pub momentum_multiplier_slope: f64,
    /// The largest it gets.
    pub momentum_max_multiplier: f64,
    /// How decisions are followed on paper.
    pub paper: PaperConfig,
}

/// How decisions are followed on paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaperConfig {
    /// Sessions a position is held, each a horizon of its own; 1 is from the open to the close of one session.
    pub horizons_sessions: Vec<u32>,
    /// Cost of getting in and out together, in basis points of the ETF's price.
    pub round_trip_cost_bp: f64,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self {
            entry_min_confidence: 0.5,
            entry_base_multiplier: 0.8,
            entry_confidence_multiplier: 0.4,
            contrarian_min_confidence: 0.7,
            contrarian_min_momentum: 0.003,
            momentum_min_confidence: 0.6,
            momentum_min_momentum: 0.003,
            momentum_multiplier_slope: 10.0,
            momentum_max_multiplier: 1.5,
            paper: PaperConfig::default(),
        }
    }
}

impl Default for PaperConfig {
    fn default() -> Self {
        Self { horizons_sessions: vec![1, 5], round_trip_cost_bp: 1.0 }
    }
}

impl RulesConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let bounds = [
            ("entry_min_confidence", self.entry_min_confidence, 1.0),
            ("entry_base_multiplier", self.entry_base_multiplier, 10.0),
            ("entry_confidence_multiplier", self.entry_confidence_multiplier, 10.0),
            ("contrarian_min_confidence", self.contrarian_min_confidence, 1.0),
            ("contrarian_min_momentum", self.contrarian_min_momentum, 1.0),
            ("momentum_min_confidence", self.momentum_min_confidence, 1.0),
            ("momentum_min_momentum", self.momentum_min_momentum, 1.0),
            ("momentum_multiplier_slope", self.momentum_multiplier_slope, 1_000.0),
            ("momentum_max_multiplier", self.momentum_max_multiplier, 10.0),
            ("paper.round_trip_cost_bp", self.paper.round_trip_cost_bp, 1_000.0),
        ];
        let outside = bounds.into_iter().filter(|(_, value, most)| !(0.0..=*most).contains(value));
        let mut faults: Vec<String> =
            outside.map(|(key, value, most)| format!("rules.{key} is {value}: give 0 to {most}")).collect();
        let horizons = &self.paper.horizons_sessions;
        if horizons.is_empty() || horizons.iter().any(|sessions| !(1..=MOST_SESSIONS).contains(sessions)) {
            faults.push(format!(
                "rules.paper.horizons_sessions is {horizons:?}: give one or more from 1 to {MOST_SESSIONS}, such as [1, 5]"
            ));
        }
        if horizons.iter().enumerate().any(|(at, sessions)| horizons.iter().take(at).any(|other| other == sessions)) {
            faults.push(format!("rules.paper.horizons_sessions is {horizons:?}: name each once"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_without_fault() {
        assert_eq!(RulesConfig::default().faults(), Vec::<String>::new());
    }

    #[test]
    fn every_fault_comes_at_once() {
        let paper = PaperConfig { horizons_sessions: vec![0, 0], round_trip_cost_bp: -1.0 };
        let config = RulesConfig {
            entry_min_confidence: 1.5,
            momentum_max_multiplier: f64::NAN,
            paper,
            ..RulesConfig::default()
        };
        let faults = config.faults();
        assert_eq!(faults.len(), 5, "{faults:#?}");
        assert_eq!(faults[0], "rules.entry_min_confidence is 1.5: give 0 to 1");
    }
}
