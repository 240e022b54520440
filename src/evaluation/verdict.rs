//! The verdict: what may be said of confirmation, and nothing more.

use std::fmt;

use serde::Serialize;

use super::{Confirmation, EvaluationConfig};

/// What may be said; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Too few signals for anything but counts.
    Insufficient,
    /// The confirmed ones were worse, and surely so.
    Harms,
    /// They were better by a useful amount, surely so, and the ETF's own gap does not say the same.
    Adds,
    /// They were better, and the ETF's own gap would have told.
    SpotExplains,
    /// Whatever they are better by is too little to be of use.
    NoUsefulGain,
    /// Nothing of that can be told yet.
    Inconclusive,
}

impl Verdict {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insufficient => "insufficient",
            Self::Harms => "harms",
            Self::Adds => "adds",
            Self::SpotExplains => "spot_explains",
            Self::NoUsefulGain => "no_useful_gain",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// In words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Insufficient => "too few signals: only counts are shown",
            Self::Harms => "signals that the futures confirmed did worse than those they did not",
            Self::Adds => "signals that the futures confirmed did better, beyond what the ETF's own gap tells",
            Self::SpotExplains => "confirmed signals did better, but the ETF's own gap tells the same",
            Self::NoUsefulGain => "whatever confirmation adds is too little to be of use",
            Self::Inconclusive => "the sample cannot tell whether confirmation adds anything",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a verdict is made of.
#[derive(Debug, Clone, Copy)]
pub struct VerdictInputs<'a> {
    /// What was measured.
    pub confirmation: &'a Confirmation,
    /// The p-value of the signal shift, corrected for everything that was tried.
    pub corrected_p: Option<f64>,
}

/// Judges, by the smallest useful gain that is configured, net of costs: those are the same in both arms.
#[must_use]
pub fn judge(inputs: &VerdictInputs<'_>, config: &EvaluationConfig) -> Verdict {
    let measured = inputs.confirmation;
    let least = measured.arms.num_confirmed.min(measured.arms.num_rejected);
    let (Some(difference), Some(interval)) = (measured.difference, measured.interval) else {
        return Verdict::Insufficient;
    };
    if least < config.min_signals_per_arm {
        return Verdict::Insufficient;
    }
    if interval.hi < 0.0 {
        return Verdict::Harms;
    }
    let is_claim = inputs.corrected_p.is_some_and(|p| p <= config.claim_level);
    if interval.lo > 0.0 && is_claim && difference >= config.smallest_useful_gain_bp {
        let beyond_gap = measured.against_gap.is_some_and(|apart| apart.lo > 0.0);
        return if beyond_gap { Verdict::Adds } else { Verdict::SpotExplains };
    }
    if interval.hi < config.smallest_useful_gain_bp { Verdict::NoUsefulGain } else { Verdict::Inconclusive }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Arms, Interval};

    fn measured(difference: f64, (lo, hi): (f64, f64), (confirmed, gap_lo): (usize, f64)) -> Confirmation {
        Confirmation {
            n: 1_000,
            arms: Arms {
                num_confirmed: confirmed,
                num_rejected: 500,
                mean_confirmed: Some(difference),
                mean_rejected: Some(0.0),
            },
            confirmed: None,
            difference: Some(difference),
            interval: Some(Interval { lo, hi }),
            signal_shift: None,
            flag_shift: None,
            gap_difference: None,
            against_gap: Some(Interval { lo: gap_lo, hi: 99.0 }),
            num_disagreeing: 0,
            total_bp: 0.0,
            given_up_bp: 0.0,
            gain_over_all: None,
            smallest_visible: None,
        }
    }

    fn verdict(measured: &Confirmation, p: f64) -> Verdict {
        judge(&VerdictInputs { confirmation: measured, corrected_p: Some(p) }, &EvaluationConfig::default())
    }

    #[test]
    fn each_verdict_has_its_case_and_each_gate_binds() {
        let of = |difference, interval, arm| verdict(&measured(difference, interval, arm), 0.01);
        assert_eq!(of(20.0, (10.0, 30.0), (99, 1.0)), Verdict::Insufficient);
        assert_eq!(of(-20.0, (-30.0, -1.0), (100, 1.0)), Verdict::Harms);
        assert_eq!(of(20.0, (10.0, 30.0), (100, 1.0)), Verdict::Adds);
        assert_eq!(of(20.0, (10.0, 30.0), (100, -1.0)), Verdict::SpotExplains);
        assert_eq!(of(4.9, (1.0, 30.0), (100, 1.0)), Verdict::Inconclusive, "too little, though sure");
        assert_eq!(
            verdict(&measured(20.0, (10.0, 30.0), (100, 1.0)), 0.06),
            Verdict::Inconclusive,
            "one of many tests"
        );
        assert_eq!(of(1.0, (-5.0, 4.9), (100, 1.0)), Verdict::NoUsefulGain);
        assert_eq!(of(1.0, (-5.0, 5.1), (100, 1.0)), Verdict::Inconclusive);
    }
}
