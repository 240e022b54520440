//! A decision: what to do on paper, by which rule, and what every other rule said.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::market::Symbol;
use crate::signals::Side;

use super::VerdictOf;

/// The name of the rule where none fires.
pub const NO_RULE: &str = "none";

/// Enter or hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Open a position on paper.
    Enter,
    /// Do nothing.
    Hold,
}

/// How soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// As usual.
    Normal,
    /// A strong signal.
    High,
}

/// A vertical spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Calls, for a rise.
    BullCall,
    /// Puts, for a fall.
    BearPut,
}

/// By what a direction is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyType {
    /// A spread of two strikes of one expiry.
    VerticalSpread(Spread),
}

impl StrategyType {
    /// The strategy of a direction; none for neither.
    #[must_use]
    pub fn of(direction: Side) -> Option<Self> {
        match direction {
            Side::Bullish => Some(Self::VerticalSpread(Spread::BullCall)),
            Side::Bearish => Some(Self::VerticalSpread(Spread::BearPut)),
            Side::Neutral => None,
        }
    }

    /// `vertical_spread`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerticalSpread(_) => "vertical_spread",
        }
    }

    /// `bull_call` or `bear_put`.
    #[must_use]
    pub fn spread(self) -> &'static str {
        match self {
            Self::VerticalSpread(Spread::BullCall) => "bull_call",
            Self::VerticalSpread(Spread::BearPut) => "bear_put",
        }
    }
}

impl Action {
    /// The word as columns carry it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Hold => "hold",
        }
    }
}

impl Urgency {
    /// The word as columns carry it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is decided of an ETF at an instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The ETF.
    pub symbol: Symbol,
    /// The instant of its signal.
    pub as_of: DateTime<Utc>,
    /// Enter or hold.
    pub action: Action,
    /// Up or down; neutral where nothing is to be done.
    pub direction: Side,
    /// By what; none where nothing is to be done.
    pub strategy_type: Option<StrategyType>,
    /// How soon.
    pub urgency: Urgency,
    /// Why.
    pub reason: String,
    /// The rule that decided, or [`NO_RULE`].
    pub rule: String,
    /// Size relative to the usual one; 0 where nothing is to be done.
    pub position_multiplier: f64,
    /// The inputs, and further numbers of the rule.
    pub metadata: BTreeMap<String, serde_json::Value>,
    /// What every rule said, in order of priority.
    pub verdicts: Vec<VerdictOf>,
}
