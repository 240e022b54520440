//! The engine: every rule in the order of priority, the first that fires decides.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use thiserror::Error;

use crate::signals::{FuturesSignal, Side, SpotOutlook};

use super::bearish::BearishEntry;
use super::bullish::BullishEntry;
use super::contrarian::ContrarianEntry;
use super::momentum::MomentumEntry;
use super::{Action, Conditions, Decision, Entry, NO_RULE, RulesConfig, StrategyType, Urgency};

/// What the rules judge.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What the futures say.
    pub signal: &'a FuturesSignal,
    /// What the ETF itself says.
    pub outlook: SpotOutlook,
    /// Where implied volatility stands in its own year, 0 to 100; kept with the decision.
    pub iv_rank: Option<f64>,
}

/// A rule. It is asked for every situation and never remembers one.
pub trait Rule: Send + Sync {
    /// Its name, in columns and mails.
    fn name(&self) -> &'static str;

    /// Its place in the order; the smallest comes first.
    fn priority(&self) -> u32;

    /// Whether it fires, or what keeps it from doing so.
    fn judge(&self, situation: &Situation<'_>) -> Verdict;
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It fires.
    Fires(Box<Entry>),
    /// These conditions fail, each with what it would need.
    Misses(Vec<String>),
}

impl Verdict {
    /// The entry where no condition fails, else what failed.
    #[must_use]
    pub fn of(conditions: Conditions, entry: impl FnOnce() -> Entry) -> Self {
        let misses = conditions.misses();
        if misses.is_empty() { Self::Fires(Box::new(entry())) } else { Self::Misses(misses) }
    }
}

/// What one rule said of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictOf {
    /// The rule.
    pub rule: String,
    /// Its place in the order.
    pub priority: u32,
    /// Whether it fired.
    pub fired: bool,
    /// Whether it decided.
    pub won: bool,
    /// Why it fired, or every condition that failed.
    pub reason: String,
}

/// Two rules that cannot stand beside each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the rules {first} and {second} share a name or priority {priority}: give each its own")]
pub struct RuleClash {
    /// The one that was there.
    first: &'static str,
    /// The one that was to be added.
    second: &'static str,
    /// The priority of the second.
    priority: u32,
}

/// The rules in order of priority.
#[derive(Default)]
pub struct Engine {
    rules: Vec<Box<dyn Rule>>,
}

impl Engine {
    /// An engine without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The engine with every rule of this program.
    ///
    /// # Errors
    /// [`RuleClash`] where two of them share a name or a priority.
    pub fn standard(config: &RulesConfig) -> Result<Self, RuleClash> {
        let config = || config.clone();
        Self::new()
            .with(BullishEntry { config: config() })?
            .with(BearishEntry { config: config() })?
            .with(ContrarianEntry { config: config() })?
            .with(MomentumEntry { config: config() })
    }

    /// Registers a rule at its place.
    ///
    /// # Errors
    /// [`RuleClash`] where its name or its priority is taken.
    pub fn with(mut self, rule: impl Rule + 'static) -> Result<Self, RuleClash> {
        let clashes = |other: &dyn Rule| other.name() == rule.name() || other.priority() == rule.priority();
        if let Some(other) = self.rules.iter().map(AsRef::as_ref).find(|other| clashes(*other)) {
            return Err(RuleClash { first: other.name(), second: rule.name(), priority: rule.priority() });
        }
        let place = self.rules.partition_point(|other| other.priority() < rule.priority());
        self.rules.insert(place, Box::new(rule));
        Ok(self)
    }

    /// The names of the rules, in order of priority.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rules.iter().map(|rule| rule.name())
    }

    /// Asks every rule; the first that fires decides. Where none does, the decision is to hold.
    #[must_use]
    pub fn decide(&self, situation: &Situation<'_>) -> Decision {
        let mut winner: Option<(&'static str, Entry)> = None;
        let mut verdicts = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let (fired, reason) = match rule.judge(situation) {
                Verdict::Fires(entry) => (Some(entry.clone()), entry.reason),
                Verdict::Misses(misses) => (None, misses.join("; ")),
            };
            let won = fired.is_some() && winner.is_none();
            let (rule, priority) = (rule.name(), rule.priority());
            verdicts.push(VerdictOf { rule: rule.to_owned(), priority, fired: fired.is_some(), won, reason });
            if let Some(entry) = fired.filter(|_| won) {
                winner = Some((rule, *entry));
            }
        }
        decision(situation, winner, verdicts)
    }
}

fn decision(situation: &Situation<'_>, winner: Option<(&'static str, Entry)>, verdicts: Vec<VerdictOf>) -> Decision {
    let (action, rule, entry) = match winner {
        Some((rule, entry)) => (Action::Enter, rule, entry),
        None => (Action::Hold, NO_RULE, hold()),
    };
    let mut metadata = inputs(situation);
    metadata.extend(entry.metadata);
    Decision {
        symbol: situation.signal.symbol.clone(),
        as_of: situation.signal.as_of,
        action,
        direction: entry.direction,
        strategy_type: StrategyType::of(entry.direction),
        urgency: entry.urgency,
        reason: entry.reason,
        rule: rule.to_owned(),
        position_multiplier: entry.position_multiplier,
        metadata,
        verdicts,
    }
}

fn hold() -> Entry {
    Entry {
        direction: Side::Neutral,
        urgency: Urgency::Normal,
        position_multiplier: 0.0,
        reason: "no rule fired".to_owned(),
        metadata: BTreeMap::new(),
    }
}

/// The inputs of a decision, so that it can be read and judged without the other tables.
fn inputs(situation: &Situation<'_>) -> BTreeMap<String, serde_json::Value> {
    let signal = situation.signal;
    let inputs = [
        ("outlook", json!(situation.outlook.side)),
        ("outlook_given", json!(situation.outlook.averages.is_none())),
        ("outlook_close_date", json!(situation.outlook.averages.map(|averages| averages.close_date))),
        ("sentiment", json!(signal.sentiment)),
        ("signal", json!(signal.signal)),
        ("confidence", json!(signal.confidence)),
        ("momentum", json!(signal.momentum)),
        ("iv_rank", json!(situation.iv_rank)),
    ];
    inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::fixtures::{Case, cases};
    use crate::signals::SignalKind;

    fn engine() -> Engine {
        Engine::standard(&RulesConfig::default()).expect("no clash")
    }

    /// The fifth rule: it fires always, first of all.
    struct Eager(u32, &'static str);

    impl Rule for Eager {
        fn name(&self) -> &'static str {
            self.1
        }

        fn priority(&self) -> u32 {
            self.0
        }

        fn judge(&self, situation: &Situation<'_>) -> Verdict {
            Verdict::of(Conditions::new(), || Entry::new(Side::Bullish, 1.0, situation))
        }
    }

    #[test]
    fn the_standard_rules_stand_in_order() {
        let names: Vec<_> = engine().names().collect();
        let expected =
            ["futures_bullish_entry", "futures_bearish_entry", "futures_contrarian_entry", "futures_momentum_entry"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_further_rule_is_one_registration() {
        let engine = engine().with(Eager(5, "eager")).expect("no clash");
        let case = Case::default();
        assert_eq!(engine.decide(&case.situation()).rule, "eager");
        let last = Engine::standard(&RulesConfig::default()).and_then(|engine| engine.with(Eager(50, "eager")));
        assert_eq!(last.expect("no clash").decide(&case.situation()).rule, "futures_bullish_entry");
    }

    #[test]
    fn a_name_or_a_priority_that_is_taken_is_refused() {
        let error = engine().with(Eager(10, "eager")).err().expect("priority 10 is taken").to_string();
        assert!(error.contains("futures_bullish_entry and eager"), "{error}");
        assert!(engine().with(Eager(5, "futures_momentum_entry")).is_err());
    }

    #[test]
    fn where_none_fires_the_decision_is_to_hold_and_every_miss_is_told() {
        let case = Case { confidence: 0.43, ..Case::default() };
        let decision = engine().decide(&case.situation());
        assert_eq!((decision.action, decision.rule.as_str(), decision.strategy_type), (Action::Hold, NO_RULE, None));
        assert_eq!((decision.direction, decision.position_multiplier), (Side::Neutral, 0.0));
        assert_eq!(decision.verdicts.len(), 4);
        assert_eq!(decision.verdicts[0].reason, "confidence 0.43, needs > 0.50");
        assert!(decision.verdicts.iter().all(|verdict| !verdict.fired && !verdict.reason.is_empty()));
    }

    #[test]
    fn a_bullish_entry_is_sized_by_its_confidence() {
        let case = Case { iv_rank: Some(35.0), ..Case::default() };
        let decision = engine().decide(&case.situation());
        assert_eq!((decision.action, decision.rule.as_str()), (Action::Enter, "futures_bullish_entry"));
        assert!((decision.position_multiplier - 1.12).abs() < 1e-12);
        assert_eq!(decision.strategy_type.map(StrategyType::spread), Some("bull_call"));
        assert_eq!((decision.urgency, &decision.metadata["iv_rank"]), (Urgency::Normal, &json!(35.0)));
    }

    #[test]
    fn each_gate_of_each_rule_binds_alone() {
        let judged = |case: &Case, rule: &str| {
            let verdicts = engine().decide(&case.situation()).verdicts;
            let verdict = verdicts.into_iter().find(|verdict| verdict.rule == rule).expect("known");
            (verdict.fired, verdict.reason)
        };
        for (rule, open, gates) in cases() {
            assert!(judged(&open, rule).0, "{rule} fires where all its gates are open: {}", judged(&open, rule).1);
            for (gate, shut) in gates {
                let (fired, reason) = judged(&shut, rule);
                assert!(!fired, "{rule} fires although {gate} is shut");
                assert!(reason.starts_with(gate) && !reason.contains(';'), "{rule}: {reason}");
            }
        }
    }

    fn any_case() -> impl Strategy<Value = Case> {
        let side = || prop::sample::select(vec![Side::Bearish, Side::Neutral, Side::Bullish]);
        let kinds =
            vec![SignalKind::StrongSell, SignalKind::Sell, SignalKind::Hold, SignalKind::Buy, SignalKind::StrongBuy];
        (side(), side(), prop::sample::select(kinds), 0.0..1.0_f64, -0.06..0.06_f64).prop_map(
            |(outlook, sentiment, signal, confidence, momentum)| Case {
                outlook,
                sentiment,
                signal,
                confidence,
                momentum,
                iv_rank: None,
            },
        )
    }

    proptest! {
        #[test]
        fn the_first_rule_that_fires_decides(case in any_case()) {
            let decision = engine().decide(&case.situation());
            let first = decision.verdicts.iter().find(|verdict| verdict.fired).map(|verdict| verdict.rule.as_str());
            prop_assert_eq!(decision.rule.as_str(), first.unwrap_or(NO_RULE));
            prop_assert!(decision.verdicts.is_sorted_by_key(|verdict| verdict.priority));
            prop_assert_eq!(decision.verdicts.iter().filter(|verdict| verdict.won).count(), usize::from(first.is_some()));
            prop_assert_eq!(decision.action == Action::Enter, decision.direction != Side::Neutral);
        }

        #[test]
        fn mirrored_inputs_give_mirrored_decisions(case in any_case()) {
            let (one, other) = (engine().decide(&case.situation()), engine().decide(&case.mirrored().situation()));
            prop_assert_eq!(one.direction, other.direction.opposite());
            prop_assert_eq!(one.position_multiplier.to_bits(), other.position_multiplier.to_bits());
            prop_assert_eq!((one.action, one.urgency), (other.action, other.urgency));
            let mirrored = one.rule.replace("bullish", "x").replace("bearish", "bullish").replace('x', "bearish");
            prop_assert_eq!(mirrored, other.rule);
        }

        #[test]
        fn a_multiplier_stays_within_its_bounds(case in any_case()) {
            let decision = engine().decide(&case.situation());
            prop_assert!((0.0..=1.5).contains(&decision.position_multiplier));
        }
    }
}
