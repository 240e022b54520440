//! Whether values differ from each other by more than the rounding of their computation.

/// A standard deviation below this share of the largest absolute value is rounding.
const ROUNDING: f64 = 1e-12;

/// Whether a measure of spread (a standard deviation or error) is one, relative to the values that it is of. Of returns that are all
/// alike it comes out as some 1e-17 instead of 0, and a mean divided by it as -1.96e15.
#[must_use]
pub fn is_spread<'a>(deviation: f64, values: impl IntoIterator<Item = &'a f64>) -> bool {
    let largest = values.into_iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    deviation.is_finite() && deviation > ROUNDING * largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_no_spread_and_the_least_real_difference_is_one() {
        assert!(!is_spread(1e-17, &[-0.1, -0.1, -0.1]));
        assert!(!is_spread(0.0, &[0.0, 0.0]));
        assert!(!is_spread(f64::NAN, &[1.0]));
        assert!(is_spread(1e-9, &[1.0, 1.0 + 2e-9]));
        assert!(is_spread(1e-300, &[1e-299, 0.0]), "small values may spread too");
    }
}
