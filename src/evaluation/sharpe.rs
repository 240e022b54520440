//! The best of many looks good by chance: the deflated Sharpe ratio. Bailey and Lopez de Prado, Journal of Portfolio
//! Management 40 (2014), 94-107.

use serde::Serialize;
use std::f64::consts::E;

use super::number::{mean, normal_below, normal_quantile, real, spread};

const EULER_MASCHERONI: f64 = 0.577_215_664_9;

/// A strategy that was chosen among others. Everything is per period, never annualised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SharpeTrial {
    /// Its Sharpe ratio.
    pub sharpe: f64,
    /// Variance of the Sharpe ratios over all that were tried.
    pub variance_over_trials: f64,
    /// How many were tried, the abandoned too.
    pub num_trials: usize,
    /// Periods.
    pub num_periods: usize,
    /// Skewness of its returns.
    pub skewness: f64,
    /// Kurtosis of its returns, 3 for the normal: not the excess.
    pub kurtosis: f64,
}

/// What is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Deflated {
    /// The Sharpe ratio that the best of so many without skill is expected to have.
    pub benchmark: f64,
    /// The probability that the true one is above that.
    pub probability: f64,
}

/// Deflates a Sharpe ratio; none where the moments cannot be.
#[must_use]
pub fn deflated_sharpe(trial: &SharpeTrial) -> Option<Deflated> {
    let benchmark = trial.variance_over_trials.sqrt() * best_of(trial.num_trials);
    let sharpe = trial.sharpe;
    let variance = 1.0 - trial.skewness * sharpe + (trial.kurtosis - 1.0) / 4.0 * sharpe * sharpe;
    if variance <= 0.0 || trial.num_periods < 2 {
        return None;
    }
    let z = (sharpe - benchmark) * real(trial.num_periods - 1).sqrt() / variance.sqrt();
    Some(Deflated { benchmark, probability: normal_below(z) })
}

/// The shape of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// The mean.
    pub mean: f64,
    /// The standard deviation with n - 1.
    pub deviation: f64,
    /// 0 for the normal.
    pub skewness: f64,
    /// 3 for the normal: not the excess.
    pub kurtosis: f64,
}

/// The moments of a sample; none below two values, or where all are alike but for rounding.
#[must_use]
pub fn moments(values: &[f64]) -> Option<Moments> {
    let (mean, deviation) = (mean(values)?, spread(values)?);
    let central = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / real(values.len());
    let variance = central(2);
    Some(Moments {
        mean,
        deviation,
        skewness: central(3) / variance.powf(1.5),
        kurtosis: central(4) / variance.powi(2),
    })
}

/// The largest of so many standard normals, about; 0 of one.
fn best_of(n: usize) -> f64 {
    if n < 2 {
        return 0.0;
    }
    let (g, n) = (EULER_MASCHERONI, real(n));
    (1.0 - g) * normal_quantile(1.0 - 1.0 / n) + g * normal_quantile(1.0 - 1.0 / (n * E))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_small_sample_are_those_by_hand() {
        let of = moments(&[0.0, 0.0, 0.0, 4.0]).expect("values");
        assert!((of.mean - 1.0).abs() < 1e-12 && (of.deviation - 2.0).abs() < 1e-12, "{of:?}");
        assert!((of.skewness - 6.0 / 3.0_f64.powf(1.5)).abs() < 1e-12 && (of.kurtosis - 21.0 / 9.0).abs() < 1e-12);
        assert_eq!((moments(&[1.0]), moments(&[1.0, 1.0])), (None, None));
    }

    #[test]
    fn returns_that_are_all_alike_have_no_sharpe_ratio() {
        let alike = [-0.1; 60];
        assert!(super::super::number::deviation(&alike).is_some_and(|deviation| deviation > 0.0), "but for rounding");
        assert_eq!(moments(&alike), None);
    }

    #[test]
    fn known_cases_are_reproduced() {
        let of = |num_trials, kurtosis| {
            let trial = SharpeTrial {
                sharpe: 2.5 / 250_f64.sqrt(),
                variance_over_trials: 0.5 / 250.0,
                num_trials,
                num_periods: 1_250,
                skewness: -3.0,
                kurtosis,
            };
            deflated_sharpe(&trial).expect("possible moments")
        };
        let known = [
            (10, 0.070_418, 0.993_880),
            (46, 0.100_362, 0.950_502),
            (100, 0.113_172, 0.900_397),
            (1_000, 0.145_573, 0.639_915),
        ];
        for (num_trials, benchmark, probability) in known {
            let got = of(num_trials, 10.0);
            assert!((got.benchmark - benchmark).abs() < 1e-6, "{num_trials}: {got:?}");
            assert!((got.probability - probability).abs() < 1e-6, "{num_trials}: {got:?}");
        }
        assert!((of(100, 7.0).probability - 0.901_778).abs() < 1e-6, "the excess instead is another number");
        assert!(of(1, 10.0).benchmark.abs() < 1e-12);
    }

    #[test]
    fn the_best_of_more_is_expected_to_be_better() {
        for (n, expected) in [(12, 1.664_8), (24, 1.979_8), (48, 2.260_6), (96, 2.516_2)] {
            assert!((best_of(n) - expected).abs() < 5e-5, "{n}: {}", best_of(n));
        }
    }
}
