//! Prices that jump away from their own series, and whether another symbol or the next slot confirms them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use crate::market::Symbol;

use super::super::robust::scale;
use super::super::{Batch, Finding, Measured, Rule, Seen};
use super::steps::{Step, steps, takes_back};

/// Fewer steps than this say nothing about what is usual.
const FEWEST: usize = 50;

/// An hour of the day with fewer steps goes by the whole day's scale.
const FEWEST_AN_HOUR: usize = 24;

/// The least scale, as a change of the logarithm: a dead market is no measure.
const LEAST_SCALE: f64 = 1e-4;

/// Another symbol confirms a jump that is this many of its own standard deviations the same way.
const CONFIRMS: f64 = 4.0;

/// A step in units of what is usual at that hour.
pub(super) struct Scored<'a> {
    pub(super) step: Step<'a>,
    pub(super) score: f64,
}

pub(super) fn outlier(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let series = batch.series().into_iter();
    let all: Vec<(&Symbol, Vec<Scored<'_>>)> =
        series.map(|(symbol, rows)| (symbol, scored(steps(&rows, TimeDelta::minutes(5))))).collect();
    let mut scores: BTreeMap<DateTime<Utc>, Vec<(&Symbol, f64)>> = BTreeMap::new();
    for (symbol, steps) in &all {
        for scored in steps {
            scores.entry(scored.step.at()).or_default().push((symbol, scored.score));
        }
    }
    let mut seen = Seen::default();
    for (symbol, steps) in &all {
        seen.looked_at += steps.len();
        let confirmed = |scored: &Scored<'_>| {
            let others = scores.get(&scored.step.at()).into_iter().flatten().filter(|(other, _)| other != symbol);
            others.into_iter().any(|(_, score)| score * scored.score > 0.0 && score.abs() >= CONFIRMS)
        };
        seen.findings.extend(alone(steps, confirmed, rule));
    }
    seen
}

/// The jumps of one symbol that no other confirms; the way back of a spike belongs to it.
fn alone(steps: &[Scored<'_>], confirmed: impl Fn(&Scored<'_>) -> bool, rule: &Rule<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut way_back = None;
    for (number, scored) in steps.iter().enumerate() {
        let at = scored.step.at();
        if way_back == Some(at) || confirmed(scored) {
            continue;
        }
        let next = steps.get(number + 1).filter(|next| next.step.from.at == at);
        let back = next.filter(|next| takes_back(scored.step.change, next.step.change));
        let told = Measured::new(scored.score.abs(), format!("{:+.1} bp in one slot", scored.step.basis_points()));
        let told = match back {
            Some(_) => told.with_detail("back in the next slot, and no other symbol went along"),
            None => told.only_a_warning().with_detail("no other symbol went along"),
        };
        let finding = rule.judge(&scored.step.to.place(), told);
        way_back = back.filter(|_| finding.is_some()).map(|back| back.step.at());
        findings.extend(finding);
    }
    findings
}

/// The steps in units of the scale of their hour; none where there are too few to know it.
pub(super) fn scored(steps: Vec<Step<'_>>) -> Vec<Scored<'_>> {
    if steps.len() < FEWEST {
        return Vec::new();
    }
    let mut hours: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for step in &steps {
        hours.entry(step.at().hour()).or_default().push(step.change);
    }
    let whole: Vec<f64> = steps.iter().map(|step| step.change).collect();
    let usual = scale(&whole).unwrap_or(LEAST_SCALE);
    let of_hour = |changes: &Vec<f64>| if changes.len() < FEWEST_AN_HOUR { Some(usual) } else { scale(changes) };
    let scales: BTreeMap<u32, f64> =
        hours.iter().map(|(hour, changes)| (*hour, of_hour(changes).unwrap_or(usual).max(LEAST_SCALE))).collect();
    let score = |step: Step<'_>| step.change / scales.get(&step.at().hour()).copied().unwrap_or(usual);
    steps.into_iter().map(|step| Scored { score: score(step), step }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{at, batch, rows, run};
    use super::super::super::{CheckRun, Row, Status};
    use super::super::series_checks;

    const DAYS: (&str, &str) = ("2026-11-17", "2026-11-18");

    /// ES and NQ, with ES raised by a share from one instant to another.
    fn checked(share: f64, (from, to): (&str, &str), symbols: &[&str]) -> CheckRun {
        let mut rows = [rows("ES", DAYS, 6_000.0), rows("NQ", DAYS, 21_000.0)].concat();
        let bounds = at(from)..=at(to);
        for row in rows.iter_mut().filter(|row| symbols.contains(&row.symbol.as_str()) && bounds.contains(&row.at)) {
            row.last = row.last.map(|last| last * (1.0 + share));
        }
        run(&series_checks(&batch(&rows, DAYS)), "price.outlier")
    }

    const ONE_SLOT: (&str, &str) = ("2026-11-18 12:00", "2026-11-18 12:00");

    #[test]
    fn a_calm_series_passes() {
        assert_eq!(checked(0.0, ONE_SLOT, &[]).status, Status::Pass);
    }

    #[test]
    fn a_spike_that_comes_back_is_an_error_of_its_own_slot_only() {
        let spike = checked(0.01, ONE_SLOT, &["ES"]);
        assert_eq!((spike.status, spike.findings.len()), (Status::Fail, 1));
        assert_eq!(spike.findings[0].timestamp.instant(), at(ONE_SLOT.0));
    }

    #[test]
    fn a_jump_that_stays_is_a_warning() {
        let jump = checked(0.01, ("2026-11-18 12:00", "2026-11-18 18:00"), &["ES"]);
        assert_eq!((jump.status, jump.findings.len()), (Status::Warn, 1));
    }

    #[test]
    fn a_jump_of_both_symbols_is_the_market() {
        assert_eq!(checked(0.01, ONE_SLOT, &["ES", "NQ"]).status, Status::Pass);
    }

    #[test]
    fn too_few_rows_are_not_judged() {
        let few: Vec<Row> = rows("ES", DAYS, 6_000.0).into_iter().take(20).collect();
        assert_eq!(run(&series_checks(&batch(&few, DAYS)), "price.outlier").status, Status::Skipped);
    }
}
