//! Checks of signals and decisions: nothing of the future in them, no decision without its signal.

use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::market::Symbol;

use super::{Action, CheckFault, CheckSpec, Finding, LooksAt, Measure, Measured, Place, Rule, Seen};

/// The checks of derived tables.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("signal.sound", LooksAt::Derived, "a signal knows nothing later than its instant")
        .steps(None, Some(1.0), "faults")
        .acts(Action::Block)
        .critical()
        .because("one row of the future makes every evaluation of it worthless"),
    CheckSpec::new(
        "signal.reproduced",
        LooksAt::Derived,
        "the newest signal comes out again from the rows known when it was made",
    )
    .steps(Some(1.0), None, "fields that differ")
    .because("rows are never rewritten, so what differs was made by other thresholds, or by rows of the future"),
    CheckSpec::new("decision.signal", LooksAt::Derived, "every decision has its signal")
        .steps(None, Some(1.0), "decisions without a signal")
        .acts(Action::Block)
        .because("a decision comes of a signal of the same symbol and instant, and of nothing else"),
    CheckSpec::new("report.sent", LooksAt::Derived, "the report of the session has left")
        .steps(None, Some(60.0), "minutes after the open")
        .because("it is for before the open; an hour later whoever waits for it has long looked elsewhere"),
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
    /// The fields that came out otherwise when it was derived again from the rows known when it was made, or why that did not
    /// work; none where it was not done.
    pub differing: Option<Result<Vec<String>, String>>,
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
    /// The report of the newest session that has opened; none where none is ever made.
    pub report: Option<&'a ReportFacts>,
}

/// What is checked of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFacts {
    /// When its session opened.
    pub opened_at: DateTime<Utc>,
    /// Where its mail stands: `queued`, `sent` or `refused`; none where there is none.
    pub mail: Option<String>,
}

/// The checks of derived tables.
#[must_use]
pub fn derived_checks(facts: DerivedFacts<'_>) -> Vec<Measure<'_>> {
    vec![
        Measure::new("signal.sound", move |rule| Ok(Seen::each(facts.signals, |signal| sound(signal, rule)))),
        Measure::new("signal.reproduced", move |rule| {
            let again = facts.signals.iter().filter_map(|signal| Some((signal, signal.differing.as_ref()?)));
            let mut seen = Seen::default();
            for (signal, differing) in again {
                let differing = differing.as_ref().map_err(|why| CheckFault::Derivation(why.clone()))?;
                seen.looked_at += 1;
                seen.findings.extend(reproduced((signal, differing), rule));
            }
            Ok(seen)
        }),
        Measure::new("decision.signal", move |rule| {
            Ok(Seen::each(facts.decisions, |decision| signalled(facts.signals, decision, rule)))
        }),
        Measure::new("report.sent", move |rule| Ok(Seen::each(facts.report, |report| sent(report, rule)))),
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

fn reproduced((signal, differing): (&SignalFacts, &[String]), rule: &Rule<'_>) -> Option<Finding> {
    let place = place("futures_signals", &signal.symbol, signal.as_of);
    let told = format!("derived again, it differs in {}", differing.join(", "));
    rule.judge(&place, Measured::count(differing.len(), told))
}

fn signalled(signals: &[SignalFacts], decision: &DecisionFacts, rule: &Rule<'_>) -> Option<Finding> {
    let is_there = signals.iter().any(|s| s.symbol == decision.symbol && s.as_of == decision.as_of);
    let place = place("decisions", &decision.symbol, decision.as_of);
    rule.judge(&place, Measured::count(usize::from(!is_there), format!("no signal as of {}", decision.as_of)))
}

fn sent(report: &ReportFacts, rule: &Rule<'_>) -> Option<Finding> {
    let told = match report.mail.as_deref() {
        Some("sent") => return None,
        Some(state) => format!("its mail is {state}"),
        None => "there is no report".to_owned(),
    };
    let minutes = (rule.now - report.opened_at).num_minutes();
    let place = Place { table: "decisions", symbol: None, timestamp: Slot::at_or_before(report.opened_at) };
    rule.judge(&place, Measured::new(f64::from(i32::try_from(minutes).unwrap_or(i32::MAX)), told))
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
        SignalFacts {
            symbol: symbol("SPY"),
            as_of,
            newest_input: as_of,
            confidence: 0.6,
            strength: -1.0,
            differing: None,
        }
    }

    fn status(check: &str, signal: SignalFacts, decided_at: &str) -> Status {
        let decisions = [DecisionFacts { symbol: symbol("SPY"), as_of: at(decided_at) }];
        run(&derived_checks(DerivedFacts { signals: &[signal], decisions: &decisions, report: None }), check).status
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
    fn a_signal_that_comes_out_otherwise_is_told_and_one_that_was_not_derived_again_is_not_asked() {
        let again = |differing: Option<Result<Vec<&str>, String>>| {
            let differing = differing.map(|of| of.map(|fields| fields.into_iter().map(str::to_owned).collect()));
            status("signal.reproduced", SignalFacts { differing, ..signal() }, "2026-11-18 09:00")
        };
        assert_eq!(again(Some(Ok(Vec::new()))), Status::Pass);
        assert_eq!(again(Some(Ok(vec!["confidence"]))), Status::Warn);
        assert_eq!(again(Some(Err("no table".to_owned()))), Status::Error, "what did not work is no difference");
        assert_eq!(again(None), Status::Skipped);
    }

    #[test]
    fn a_report_that_has_not_left_an_hour_after_the_open_is_told() {
        // The run is at noon.
        let status = |opened_at, mail: Option<&str>| {
            let report = ReportFacts { opened_at: at(opened_at), mail: mail.map(str::to_owned) };
            let facts = DerivedFacts { signals: &[], decisions: &[], report: Some(&report) };
            run(&derived_checks(facts), "report.sent").status
        };
        assert_eq!(status("2026-11-18 09:30", Some("sent")), Status::Pass);
        assert_eq!(status("2026-11-18 09:30", Some("queued")), Status::Fail);
        assert_eq!(status("2026-11-18 09:30", None), Status::Fail);
        assert_eq!(status("2026-11-18 11:30", None), Status::Pass, "half an hour is no fault yet");
    }

    #[test]
    fn a_decision_without_its_signal_is_told() {
        assert_eq!(status("decision.signal", signal(), "2026-11-18 09:00"), Status::Pass);
        assert_eq!(status("decision.signal", signal(), "2026-11-18 09:05"), Status::Fail);
    }
}
