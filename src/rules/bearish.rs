//! `futures_bearish_entry`: the ETF's outlook is down, and the futures agree.

use crate::signals::{Side, SignalKind};

use super::{Conditions, Entry, Rule, RulesConfig, Situation, Verdict};

/// The rule.
pub(super) struct BearishEntry {
    pub(super) config: RulesConfig,
}

impl Rule for BearishEntry {
    fn name(&self) -> &'static str {
        "futures_bearish_entry"
    }

    fn priority(&self) -> u32 {
        20
    }

    fn judge(&self, situation: &Situation<'_>) -> Verdict {
        let (signal, config) = (situation.signal, &self.config);
        let conditions = Conditions::new()
            .one_of("outlook", (situation.outlook.side, &[Side::Bearish]))
            .one_of("sentiment", (signal.sentiment, &[Side::Bearish, Side::Neutral]))
            .one_of("signal", (signal.signal, &[SignalKind::Sell, SignalKind::StrongSell]))
            .above("confidence", (signal.confidence, config.entry_min_confidence));
        let multiplier = config.entry_base_multiplier + config.entry_confidence_multiplier * signal.confidence;
        Verdict::of(conditions, || Entry::new(Side::Bearish, multiplier, situation))
    }
}
