//! Steps: how far a price goes from one slot to the next of the same contract.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::Row;

/// From one row to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    /// Where it starts.
    pub(super) from: &'a Row,
    /// Where it ends.
    pub(super) to: &'a Row,
    /// The change of the logarithm.
    pub(super) change: f64,
}

impl Step<'_> {
    pub(super) fn at(&self) -> DateTime<Utc> {
        self.to.at
    }

    /// In hundredths of a per cent.
    pub(super) fn basis_points(&self) -> f64 {
        1e4 * self.change
    }
}

/// The steps of a series that are no longer than `longest`; a change of contract and a hole are no step.
pub(super) fn steps<'a>(rows: &[&'a Row], longest: TimeDelta) -> Vec<Step<'a>> {
    let pairs = rows.iter().zip(rows.iter().skip(1));
    let steps = pairs.filter_map(|(from, to)| {
        let is_near = (TimeDelta::zero()..=longest).contains(&(to.at - from.at)) && to.at > from.at;
        if !is_near || from.contract != to.contract {
            return None;
        }
        Some(Step { from, to, change: (to.price()? / from.price()?).ln() })
    });
    steps.collect()
}

/// Whether the second change takes back what the first did, but for two fifths.
pub(super) fn takes_back(first: f64, second: f64) -> bool {
    first * second < 0.0 && (first + second).abs() <= 0.4 * first.abs()
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{at, row};
    use super::*;

    #[test]
    fn neither_a_hole_nor_a_roll_is_a_step() {
        let first = row("ES", at("2026-11-18 12:00"), 6_000.0);
        let second = row("ES", at("2026-11-18 12:05"), 6_006.0);
        let late = row("ES", at("2026-11-18 12:15"), 6_006.0);
        let other = Row { contract: Some("ESH7".to_owned()), ..second.clone() };
        let of = |rows: &[&Row]| steps(rows, TimeDelta::minutes(5)).len();
        assert_eq!((of(&[&first, &second]), of(&[&first, &late]), of(&[&first, &other])), (1, 0, 0));
    }

    #[test]
    fn a_spike_comes_back_and_a_move_does_not() {
        assert!(takes_back(10.0, -10.0) && takes_back(-10.0, 7.0));
        assert!(!takes_back(10.0, -5.0) && !takes_back(10.0, 10.0) && !takes_back(10.0, -15.0));
    }
}
