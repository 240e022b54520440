//! Small sums.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::market::is_spread;

/// A count as a number.
pub(super) fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The mean; none of nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / real(values.len()))
}

/// The standard deviation with n - 1; none below two values.
pub(super) fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / real(values.len() - 1)).sqrt())
}

/// The same where the values differ by more than rounding; none where they are all alike.
pub(super) fn spread(values: &[f64]) -> Option<f64> {
    deviation(values).filter(|deviation| is_spread(*deviation, values))
}

/// -1, 0 or 1.
pub(super) fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// The share of a standard normal below a number.
pub(super) fn normal_below(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The number below which so large a share of a standard normal lies.
pub(super) fn normal_quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}
