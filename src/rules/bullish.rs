//! `futures_bullish_entry`: the ETF's outlook is up, and the futures agree.

use crate::signals::{Side, SignalKind};

use super::{Conditions, Entry, Rule, RulesConfig, Situation, Verdict};

/// The rule.
pub(super) struct BullishEntry {
    pub(super) config: RulesConfig,
}

impl Rule for BullishEntry {
    fn name(&self) -> &'static str {
        "futures_bullish_entry"
    }

    fn priority(&self) -> u32 {
        10
    }

    fn judge(&self, situation: &Situation<'_>) -> Verdict {
        let (signal, config) = (situation.signal, &self.config);
        let conditions = Conditions::new()
            .one_of("outlook", (situation.outlook.side, &[Side::Bullish]))
            .one_of("sentiment", (signal.sentiment, &[Side::Bullish, Side::Neutral]))
            .one_of("signal", (signal.signal, &[SignalKind::Buy, SignalKind::StrongBuy]))
            .above("confidence", (signal.confidence, config.entry_min_confidence));
        let multiplier = config.entry_base_multiplier + config.entry_confidence_multiplier * signal.confidence;
        Verdict::of(conditions, || Entry::new(Side::Bullish, multiplier, situation))
    }
}
