//! Alarms of looking ahead: results too good for futures at five minutes are errors of a stamp until shown otherwise.

use serde::Serialize;

use super::number::{mean, real};
use super::{Hits, hits};
use crate::market::is_spread;

/// A signal cannot go along with the next interval more than this.
const MAX_NEXT_CORRELATION: f64 = 0.3;

/// A hit rate above this is not to be had.
const MAX_HIT_RATE: f64 = 0.6;

/// So few pairs reach any of these bounds by chance: they ring nothing.
const MIN_JUDGED: usize = 200;

/// A future and its ETF go together at least so much over the same interval.
const MIN_SAME_TIME_CORRELATION: f64 = 0.9;

/// What makes a result suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// It goes along with the next interval too well.
    NextInterval,
    /// It is right too often.
    HitRate,
    /// The future does not go along with its ETF over the same interval: the stamps are of different times.
    SameTime,
}

impl Alarm {
    /// In words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NextInterval => "the signal goes along with the next interval better than any future does",
            Self::HitRate => "the signal is right more often than any future is",
            Self::SameTime => "future and ETF do not move together over the same interval: a stamp is wrong",
        }
    }
}

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LookAhead {
    /// Correlation of the signal with the next interval.
    pub next: Option<f64>,
    /// How often their signs agree.
    pub hits: Hits,
    /// Correlation of future and ETF over the same interval.
    pub same_time: Option<f64>,
    /// The alarms that rang.
    pub alarms: Vec<Alarm>,
}

/// Looks for looking ahead: pairs of the signal and the next interval of the ETF, and of both over the same interval.
#[must_use]
pub fn look_ahead_alarms(next: &[(f64, f64)], same_time: &[(f64, f64)]) -> LookAhead {
    let (of_next, of_same) = (correlation(next), correlation(same_time));
    let counted = hits(next.iter().copied());
    let mut alarms = Vec::new();
    if next.len() > MIN_JUDGED && of_next.is_some_and(|value| value.abs() > MAX_NEXT_CORRELATION) {
        alarms.push(Alarm::NextInterval);
    }
    if counted.n > MIN_JUDGED && counted.rate().is_some_and(|rate| rate > MAX_HIT_RATE) {
        alarms.push(Alarm::HitRate);
    }
    if same_time.len() > MIN_JUDGED && of_same.is_some_and(|value| value < MIN_SAME_TIME_CORRELATION) {
        alarms.push(Alarm::SameTime);
    }
    LookAhead { next: of_next, hits: counted, same_time: of_same, alarms }
}

/// Pearson's correlation; none where one of both never changes but for rounding.
#[must_use]
pub fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let mean_of = |of: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(of).collect::<Vec<_>>());
    let (mean_x, mean_y) = (mean_of(|pair| pair.0)?, mean_of(|pair| pair.1)?);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (x, y) = (x - mean_x, y - mean_y);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    let n = real(pairs.len());
    let changes = is_spread((xx / n).sqrt(), pairs.iter().map(|(x, _)| x))
        && is_spread((yy / n).sqrt(), pairs.iter().map(|(_, y)| y));
    changes.then(|| xy / (xx.sqrt() * yy.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::SplitMix64;

    #[test]
    fn a_stamp_that_is_one_interval_early_rings_all_three() {
        let mut numbers = SplitMix64::new(11);
        let moves: Vec<f64> = (0..400).map(|_| numbers.unit() - 0.5).collect();
        let etf: Vec<f64> = moves.iter().map(|change| change + 0.02 * (numbers.unit() - 0.5)).collect();
        // With the right stamps the future moves with its ETF; the next interval is another one.
        let next: Vec<(f64, f64)> = moves.iter().copied().zip(etf.iter().skip(1).copied()).collect();
        let same: Vec<(f64, f64)> = moves.iter().copied().zip(etf.iter().copied()).collect();
        let honest = look_ahead_alarms(&next, &same);
        assert_eq!(honest.alarms, [], "{honest:?}");
        let early = look_ahead_alarms(&same, &next);
        assert_eq!(early.alarms, [Alarm::NextInterval, Alarm::HitRate, Alarm::SameTime], "{early:?}");
        let few = look_ahead_alarms(&same[..200], &next[..200]);
        assert_eq!(few.alarms, [], "so few say nothing: {few:?}");
    }

    #[test]
    fn what_never_changes_goes_along_with_nothing() {
        assert_eq!(correlation(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(correlation(&[]), None);
    }
}
