//! Hits against what drift alone gives: the test of Pesaran and Timmermann, JBES 10 (1992), 461-465.

use serde::Serialize;

use super::number::{normal_below, real};
use crate::market::is_spread;

/// The test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timing {
    /// Share of days on which both went the same way.
    pub share: f64,
    /// What that share would be, were they independent.
    pub expected: f64,
    /// Variance of the share.
    pub variance: f64,
    /// Variance of what is expected.
    pub variance_expected: f64,
    /// Standard normal where they are independent.
    pub z: f64,
    /// One-sided.
    pub p: f64,
}

/// Tests whether ups of one series go with ups of the other, both in the order of days. It takes days for independent;
/// none where one of the series never changes.
#[must_use]
pub fn pesaran_timmermann(days: &[(bool, bool)]) -> Option<Timing> {
    let n = real(days.len());
    let share_of = |what: &dyn Fn(&(bool, bool)) -> bool| real(days.iter().filter(|day| what(day)).count()) / n;
    if days.is_empty() {
        return None;
    }
    let (x, y) = (share_of(&|day| day.0), share_of(&|day| day.1));
    let share = share_of(&|day| day.0 == day.1);
    let expected = y * x + (1.0 - y) * (1.0 - x);
    let variance = expected * (1.0 - expected) / n;
    let variance_expected = ((2.0 * y - 1.0).powi(2) * x * (1.0 - x) + (2.0 * x - 1.0).powi(2) * y * (1.0 - y)) / n
        + 4.0 * y * x * (1.0 - y) * (1.0 - x) / (n * n);
    let spread = variance - variance_expected;
    // Where a series never changes both variances are equal, but for rounding.
    if !is_spread(spread, &[variance, variance_expected]) {
        return None;
    }
    let z = (share - expected) / spread.sqrt();
    Some(Timing { share, expected, variance, variance_expected, z, p: 1.0 - normal_below(z) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(x: &str, y: &str) -> Vec<(bool, bool)> {
        x.chars().zip(y.chars()).map(|(x, y)| (x == '1', y == '1')).collect()
    }

    #[test]
    fn a_known_case_is_reproduced() {
        let test = pesaran_timmermann(&days("111001011011", "101011010011")).expect("both change");
        let got = [test.share, test.expected, test.variance, test.variance_expected, test.z];
        let expected = [0.75, 0.527_777_777_8, 0.020_769_032_9, 0.004_265_260_6, 1.729_799_928_4];
        for (got, expected) in got.into_iter().zip(expected) {
            assert!((got - expected).abs() < 1e-8, "{test:?}");
        }
    }

    #[test]
    fn a_series_that_never_changes_says_nothing() {
        assert_eq!(pesaran_timmermann(&days("1111", "1010")), None);
        assert_eq!(pesaran_timmermann(&[]), None);
    }
}
