//! What a rule that fires asks for.

use std::collections::BTreeMap;

use crate::signals::Side;

use super::{Situation, Urgency};

/// What a rule that fires asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Up or down.
    pub direction: Side,
    /// How soon.
    pub urgency: Urgency,
    /// Size relative to the usual one.
    pub position_multiplier: f64,
    /// Why, in a few words.
    pub reason: String,
    /// Further numbers of the rule, by name.
    pub metadata: BTreeMap<String, serde_json::Value>,
}

impl Entry {
    /// An entry whose urgency is that of its signal: high for a strong one.
    #[must_use]
    pub fn new(direction: Side, position_multiplier: f64, situation: &Situation<'_>) -> Self {
        let signal = situation.signal;
        let urgency = if signal.signal.is_strong() { Urgency::High } else { Urgency::Normal };
        let reason = format!("{} with confidence {:.2}", signal.reasoning, signal.confidence);
        Self { direction, urgency, position_multiplier, reason, metadata: BTreeMap::new() }
    }
}
