//! `futures_contrarian_entry`: strong futures against an outlook that does not see it.

use crate::signals::SignalKind;

use super::{Conditions, Entry, Rule, RulesConfig, Situation, Urgency, Verdict};

/// The rule.
pub(super) struct ContrarianEntry {
    pub(super) config: RulesConfig,
}

impl Rule for ContrarianEntry {
    fn name(&self) -> &'static str {
        "futures_contrarian_entry"
    }

    fn priority(&self) -> u32 {
        30
    }

    fn judge(&self, situation: &Situation<'_>) -> Verdict {
        let (signal, config) = (situation.signal, &self.config);
        let side = signal.signal.side();
        let conditions = Conditions::new()
            .one_of("signal", (signal.signal, &[SignalKind::StrongBuy, SignalKind::StrongSell]))
            .above("confidence", (signal.confidence, config.contrarian_min_confidence))
            .above("size of momentum", (signal.momentum.abs(), config.contrarian_min_momentum))
            .one_of("outlook", (situation.outlook.side, &[side.opposite(), crate::signals::Side::Neutral]));
        Verdict::of(conditions, || Entry { urgency: Urgency::High, ..Entry::new(side, 1.0, situation) })
    }
}
