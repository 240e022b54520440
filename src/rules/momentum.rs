//! `futures_momentum_entry`: the futures move fast, whatever else is said.

use crate::signals::Side;

use super::{Conditions, Entry, Rule, RulesConfig, Situation, Verdict};

/// The rule.
pub(super) struct MomentumEntry {
    pub(super) config: RulesConfig,
}

impl Rule for MomentumEntry {
    fn name(&self) -> &'static str {
        "futures_momentum_entry"
    }

    fn priority(&self) -> u32 {
        40
    }

    fn judge(&self, situation: &Situation<'_>) -> Verdict {
        let (signal, config) = (situation.signal, &self.config);
        let size = signal.momentum.abs();
        let conditions = Conditions::new()
            .above("size of momentum", (size, config.momentum_min_momentum))
            .above("confidence", (signal.confidence, config.momentum_min_confidence))
            .decided("direction of momentum", Side::of(signal.momentum));
        let multiplier = config.momentum_max_multiplier.min(1.0 + config.momentum_multiplier_slope * size);
        Verdict::of(conditions, || Entry::new(Side::of(signal.momentum), multiplier, situation))
    }
}
