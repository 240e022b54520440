//! The configuration section `evaluation`.

use serde::{Deserialize, Serialize};

use super::Bootstrap;

/// How signals are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// The smallest gain that is of use, bp a signal, net of costs.
    pub smallest_useful_gain_bp: f64,
    /// Fewer confirmed or rejected signals than this are not judged.
    pub min_signals_per_arm: usize,
    /// The corrected p-value up to which something is claimed.
    pub claim_level: f64,
    /// Mean length of the blocks of days that are drawn, sessions.
    pub mean_block_sessions: u32,
    /// Draws.
    pub draws: usize,
    /// Start of the random numbers.
    pub seed: u64,
    /// Sessions over which skill is measured.
    pub skill_sessions: usize,
    /// Fewer scored sessions than this have no skill to be told.
    pub min_scored_sessions: usize,
    /// A very good daily skill, which counts as 1.
    pub full_skill: f64,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            smallest_useful_gain_bp: 5.0,
            min_signals_per_arm: 100,
            claim_level: 0.05,
            mean_block_sessions: 10,
            draws: 2_000,
            seed: 7,
            skill_sessions: 250,
            min_scored_sessions: 100,
            full_skill: 0.02,
        }
    }
}

impl EvaluationConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |is_sound: bool, told: String| {
            if !is_sound {
                faults.push(told);
            }
        };
        let gain = self.smallest_useful_gain_bp;
        check(gain.is_finite() && gain >= 0.0, format!("evaluation.smallest_useful_gain_bp is {gain}: give 0 or more"));
        check(
            self.min_signals_per_arm >= 10,
            format!("evaluation.min_signals_per_arm is {}: give 10 or more", self.min_signals_per_arm),
        );
        let level = self.claim_level;
        check(level > 0.0 && level <= 0.2, format!("evaluation.claim_level is {level}: give above 0 and at most 0.2"));
        check(
            (1..=250).contains(&self.mean_block_sessions),
            format!("evaluation.mean_block_sessions is {}: give 1 to 250", self.mean_block_sessions),
        );
        check((200..=100_000).contains(&self.draws), format!("evaluation.draws is {}: give 200 to 100000", self.draws));
        check(
            self.min_scored_sessions >= 20 && self.min_scored_sessions <= self.skill_sessions,
            format!(
                "evaluation.min_scored_sessions is {} and evaluation.skill_sessions {}: give at least 20, and the first no more than the second",
                self.min_scored_sessions, self.skill_sessions
            ),
        );
        check(self.full_skill > 0.0, format!("evaluation.full_skill is {}: give above 0", self.full_skill));
        faults
    }

    /// How days are drawn.
    #[must_use]
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap { seed: self.seed, mean_block: f64::from(self.mean_block_sessions), draws: self.draws }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_once() {
        assert_eq!(EvaluationConfig::default().faults(), Vec::<String>::new());
        let bad = EvaluationConfig { draws: 3, claim_level: 0.0, full_skill: f64::NAN, ..EvaluationConfig::default() };
        assert_eq!(bad.faults().len(), 3);
    }
}
