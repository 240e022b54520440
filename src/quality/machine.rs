//! Checks of the machine: its clock, and how long captures take.

use chrono::TimeDelta;

use crate::calendar::Slot;

use super::robust::percentile;
use super::{CheckSpec, FUTURES_TABLE, LooksAt, Measure, Measured, Place, Row, Rule, Seen};

/// The checks of the machine.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("clock.skew", LooksAt::Machine, "the machine's clock agrees with the gateway's")
        .steps(Some(1.0), Some(5.0), "s apart")
        .because("a synchronised clock is within a second; at five a quote comes near to another slot's window"),
    CheckSpec::new("capture.latency", LooksAt::Machine, "captures end soon after their slot")
        .steps(Some(30.0), Some(55.0), "s, the 95th percentile")
        .because("after 60 s a quote is another instant's: at 55 every twentieth slot is about to be lost"),
];

/// What is known of the machine.
#[derive(Debug, Clone, Copy)]
pub struct MachineFacts<'a> {
    /// The gateway's clock less the machine's, of each time it was asked.
    pub skews: &'a [TimeDelta],
    /// The rows captured of late.
    pub rows: &'a [Row],
    /// The slot of the run.
    pub slot: Slot,
}

/// The checks of the machine.
#[must_use]
pub fn machine_checks(facts: MachineFacts<'_>) -> Vec<Measure<'_>> {
    vec![
        Measure::new("clock.skew", move |rule| Ok(skew(facts, rule))),
        Measure::new("capture.latency", move |rule| Ok(latency(facts, rule))),
    ]
}

fn seconds(delta: TimeDelta) -> f64 {
    delta.as_seconds_f64()
}

fn place(facts: MachineFacts<'_>) -> Place {
    Place { table: FUTURES_TABLE, symbol: None, timestamp: facts.slot }
}

/// The worst of them counts: a clock that jumps is as bad as one that is late.
fn skew(facts: MachineFacts<'_>, rule: &Rule<'_>) -> Seen {
    let worst = facts.skews.iter().map(|skew| seconds(skew.abs())).max_by(f64::total_cmp);
    let findings =
        worst.and_then(|worst| rule.judge(&place(facts), Measured::new(worst, format!("{worst:.1} s apart"))));
    Seen { looked_at: facts.skews.len(), findings: findings.into_iter().collect() }
}

fn latency(facts: MachineFacts<'_>, rule: &Rule<'_>) -> Seen {
    let live = facts.rows.iter().filter(|row| row.source.is_captured());
    let delays: Vec<f64> = live.map(|row| seconds(row.captured_at - row.at)).collect();
    let looked_at = delays.len();
    let told = |slow: f64| Measured::new(slow, format!("{slow:.1} s for 95 of 100 rows"));
    let findings = percentile(delays, 95).and_then(|slow| rule.judge(&place(facts), told(slow)));
    Seen { looked_at, findings: findings.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::fixtures::{at, row, run};
    use super::*;

    fn status(check: &str, skews: &[i64], delays: &[i64]) -> Status {
        let skews: Vec<TimeDelta> = skews.iter().copied().map(TimeDelta::milliseconds).collect();
        let sound = row("ES", at("2026-11-18 12:00"), 6_000.0);
        let made = |delay: &i64| Row { captured_at: sound.at + TimeDelta::seconds(*delay), ..sound.clone() };
        let rows: Vec<Row> = delays.iter().map(made).collect();
        let slot = Slot::at_or_before(sound.at);
        run(&machine_checks(MachineFacts { skews: &skews, rows: &rows, slot }), check).status
    }

    #[test]
    fn a_clock_that_was_once_wrong_is_told() {
        assert_eq!(status("clock.skew", &[900, -200], &[]), Status::Pass);
        assert_eq!(status("clock.skew", &[900, -1_000], &[]), Status::Warn);
        assert_eq!(status("clock.skew", &[5_000, 0], &[]), Status::Fail);
        assert_eq!(status("clock.skew", &[], &[]), Status::Skipped);
    }

    #[test]
    fn one_slow_capture_of_forty_is_no_slow_machine() {
        let calm: Vec<i64> = std::iter::repeat_n(4, 39).chain([58]).collect();
        assert_eq!(status("capture.latency", &[], &calm), Status::Pass);
        assert_eq!(status("capture.latency", &[], &[4, 31]), Status::Warn);
        assert_eq!(status("capture.latency", &[], &[4, 58]), Status::Fail);
    }
}
