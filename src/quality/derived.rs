//! Checks of signals and decisions: nothing of the future in them, no decision without its signal.

use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::market::Symbol;

use super::{Action, CheckSpec, Finding, LooksAt, Measure, Measured, Place, Rule, Seen};

/// The checks of derived tables.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("signal.sound", LooksAt::Derived, "a signal knows nothing later than its instant")
        .steps(None, Some(1.0), "faults")
        .acts(Action::Block)
        .critical()
        .because("one row of the future makes every evaluation of it worthless"),
    CheckSpec::new("decision.signal", LooksAt::Derived, "every decision has its signal")
        .steps(None, Some(1.0), "decisions without a signal")
        .acts(Action::Block)
        .because("a decision comes of a signal of the same symbol and instant, and of nothing else"),
];

/// What is checked of a signal.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalFacts {
    /// The ETF.
    pub symbol: Symbol,
    /// The instant that it is of.
    pub as_of: DateTime<Utc>,
    /// The newest row that went into it.
    pub newest_input: DateTime<Utc>,
    /// From 0 to 1.
    pub confidence: f64,
    /// From -1 to 1.
    pub strength: f64,
}

/// What is checked of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionFacts {
    /// The ETF.
    pub symbol: Symbol,
    /// The instant that it is of.
    pub as_of: DateTime<Utc>,
}

/// Signals and decisions of the same days.
#[derive(Debug, Clone, Copy)]
pub struct DerivedFacts<'a> {
    /// The signals.
    pub signals: &'a [SignalFacts],
    /// The decisions.
    pub decisions: &'a [DecisionFacts],
}

/// The checks of derived tables.
#[must_use]
pub fn derived_checks(facts: DerivedFacts<'_>) -> Vec<Measure<'_>> {
    vec![
        Measure::new("signal.sound", move |rule| Ok(Seen::each(facts.signals, |signal| sound(signal, rule)))),
        Measure::new("decision.signal", move |rule| {
            Ok(Seen::each(facts.decisions, |decision| signalled(facts.signals, decision, rule)))
        }),
    ]
}

fn sound(signal: &SignalFacts, rule: &Rule<'_>) -> Option<Finding> {
    let faults = [
        (signal.newest_input > signal.as_of, format!("a row of {}", signal.newest_input)),
        (!(0.0..=1.0).contains(&signal.confidence), format!("a confidence of {}", signal.confidence)),
        (!(-1.0..=1.0).contains(&signal.strength), format!("a strength of {}", signal.strength)),
    ];
    let told: Vec<String> = faults.into_iter().filter(|(is_fault, _)| *is_fault).map(|(_, told)| told).collect();
    let place = place("futures_signals", &signal.symbol, signal.as_of);
    rule.judge(&place, Measured::count(told.len(), format!("{} as of {}", told.join(", "), signal.as_of)))
}

fn signalled(signals: &[SignalFacts], decision: &DecisionFacts, rule: &Rule<'_>) -> Option<Finding> {
    let is_there = signals.iter().any(|s| s.symbol == decision.symbol && s.as_of == decision.as_of);
    let place = place("decisions", &decision.symbol, decision.as_of);
    rule.judge(&place, Measured::count(usize::from(!is_there), format!("no signal as of {}", decision.as_of)))
}

fn place(table: &'static str, symbol: &Symbol, at: DateTime<Utc>) -> Place {
    Place { table, symbol: Some(symbol.clone()), timestamp: Slot::at_or_before(at) }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::Status;
    use super::super::fixtures::{at, run, symbol};
    use super::*;

    fn signal() -> SignalFacts {
        let as_of = at("2026-11-18 09:00");
        SignalFacts { symbol: symbol("SPY"), as_of, newest_input: as_of, confidence: 0.6, strength: -1.0 }
    }

    fn status(check: &str, signal: SignalFacts, decided_at: &str) -> Status {
        let decisions = [DecisionFacts { symbol: symbol("SPY"), as_of: at(decided_at) }];
        run(&derived_checks(DerivedFacts { signals: &[signal], decisions: &decisions }), check).status
    }

    #[test]
    fn a_signal_with_a_row_of_the_future_is_told() {
        let sound = |signal| status("signal.sound", signal, "2026-11-18 09:00");
        assert_eq!(sound(signal()), Status::Pass);
        let late = signal().as_of + TimeDelta::seconds(1);
        assert_eq!(sound(SignalFacts { newest_input: late, ..signal() }), Status::Fail);
        assert_eq!(sound(SignalFacts { confidence: f64::NAN, ..signal() }), Status::Fail);
        assert_eq!(sound(SignalFacts { strength: 1.5, ..signal() }), Status::Fail);
    }

    #[test]
    fn a_decision_without_its_signal_is_told() {
        assert_eq!(status("decision.signal", signal(), "2026-11-18 09:00"), Status::Pass);
        assert_eq!(status("decision.signal", signal(), "2026-11-18 09:05"), Status::Fail);
    }
}
