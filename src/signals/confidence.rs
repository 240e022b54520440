//! How far the numbers of a signal can be relied on: nothing of past accuracy is in it.

use chrono::TimeDelta;

use super::SignalsConfig;

/// Rows of a contract from which its coverage counts in full.
const FULL_ROWS: usize = 30;

/// What is left where the horizons disagree and the day is small.
const BASE: f64 = 0.2;

/// The share of the agreement of the horizons, and of the size of the day.
const SHARE: f64 = 0.4;

/// What a confidence is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Confidence {
    /// 1 while the newest row is fresh, 0 once it is stale.
    pub(super) freshness: f64,
    /// Share of the expected rows that are there, 0 to 1.
    pub(super) coverage: f64,
    /// Size of the sum of the three votes' signs, over three.
    pub(super) agreement: f64,
    /// The daily change on the signal's side, in standard deviations; 0 where it is not known.
    pub(super) side_deviations: f64,
}

impl Confidence {
    pub(super) fn value(self) -> f64 {
        let size = 1.0 - (-self.side_deviations.max(0.0)).exp();
        self.freshness * self.coverage * (BASE + SHARE * self.agreement + SHARE * size)
    }
}

/// 1 up to `fresh_minutes`, then falling on a straight line to 0 at `stale_minutes`.
pub(super) fn freshness(age: TimeDelta, config: &SignalsConfig) -> f64 {
    let (fresh, stale) = (f64::from(config.fresh_minutes), f64::from(config.stale_minutes));
    let minutes = age.as_seconds_f64() / 60.0;
    ((stale - minutes) / (stale - fresh)).clamp(0.0, 1.0)
}

/// Seen over expected rows of the lookback, times what is known of the contract at all.
pub(super) fn coverage((seen, expected): (usize, usize), rows_of_contract: usize) -> f64 {
    let share = if expected == 0 { 0.0 } else { ratio(seen, expected).min(1.0) };
    share * ratio(rows_of_contract, FULL_ROWS).min(1.0)
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |count: usize| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    number(part) / number(whole)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    fn fresh_after(minutes: i64) -> f64 {
        freshness(TimeDelta::minutes(minutes), &SignalsConfig::default())
    }

    #[test]
    fn freshness_is_whole_for_five_minutes_and_gone_after_thirty() {
        assert_eq!([0, 5, 30, 31].map(fresh_after), [1.0, 1.0, 0.0, 0.0]);
        assert!((fresh_after(15) - 0.6).abs() < 1e-12);
    }

    #[test]
    fn coverage_is_the_share_of_the_lookback_and_of_thirty_rows() {
        assert_eq!(coverage((13, 13), 30), 1.0);
        assert_eq!(coverage((13, 13), 15), 0.5);
        assert_eq!(coverage((0, 0), 300), 0.0);
        assert!((coverage((6, 12), 300) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_day_against_the_side_counts_as_none() {
        let whole = Confidence { freshness: 1.0, coverage: 1.0, agreement: 1.0, side_deviations: 0.0 };
        assert!((whole.value() - 0.6).abs() < 1e-12);
        assert_eq!(Confidence { side_deviations: -3.0, ..whole }.value(), whole.value());
        let large = Confidence { side_deviations: 2.0, ..whole }.value();
        assert!((large - (0.6 + 0.4 * (1.0 - (-2.0_f64).exp()))).abs() < 1e-12);
        assert!(Confidence { side_deviations: 1e9, ..whole }.value() <= 1.0);
    }
}
