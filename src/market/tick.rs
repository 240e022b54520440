//! The tick: the smallest step of a price, and numbers on its grid.

/// Decimal places of the finest tick: 1/512 of a point has nine.
const MAX_DECIMALS: i32 = 9;

/// How near a number must be to a whole one to count as one.
const WHOLE: f64 = 1e-6;

/// The multiple of a tick nearest to a number, as the `f64` nearest to that decimal: 2.7, not 2.699999999999818. A difference of
/// two prices carries the errors of both; a whole number of steps divided by a power of ten carries none.
///
/// A number or a tick that is not finite, and a tick that is not above 0, leave the number as it is.
#[must_use]
pub fn round_to_tick(value: f64, tick: f64) -> f64 {
    if !value.is_finite() || !tick.is_finite() || tick <= 0.0 {
        return value;
    }
    // Adding 0 makes -0 a 0.
    let ticks = (value / tick).round() + 0.0;
    let scales = (0..=MAX_DECIMALS).map(|decimals| 10_f64.powi(decimals));
    let is_whole = |scaled: f64| scaled >= 1.0 - WHOLE && (scaled - scaled.round()).abs() <= WHOLE;
    match scales.into_iter().find(|scale| is_whole(tick * scale)) {
        Some(scale) => ticks * (tick * scale).round() / scale,
        None => ticks * tick,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_difference_of_two_prices_is_the_decimal_that_a_person_would_write() {
        let noisy: f64 = 2_349.4 - 2_346.7;
        assert_ne!(noisy.to_bits(), 2.7_f64.to_bits(), "what is stored without rounding");
        assert_eq!(round_to_tick(noisy, 0.1).to_bits(), 2.7_f64.to_bits());
        assert_eq!(round_to_tick(2_346.7 - 2_349.4, 0.1).to_bits(), (-2.7_f64).to_bits());
        assert_eq!(round_to_tick(590.13 - 588.02, 0.01).to_bits(), 2.11_f64.to_bits());
        assert_eq!(round_to_tick(6_000.25 - 5_998.5, 0.25).to_bits(), 1.75_f64.to_bits());
        assert_eq!(round_to_tick(12.375, 0.005).to_bits(), 12.375_f64.to_bits());
        assert_eq!(round_to_tick(40_010.0 - 39_990.0, 1.0).to_bits(), 20.0_f64.to_bits());
        assert_eq!(round_to_tick(7.03, 2.5).to_bits(), 7.5_f64.to_bits());
        assert_eq!(round_to_tick(0.046_875, 0.015_625).to_bits(), 0.046_875_f64.to_bits());
    }

    #[test]
    fn nothing_is_zero_and_never_minus_zero_and_no_number_stays_none() {
        assert_eq!(round_to_tick(-0.01, 0.1).to_bits(), 0.0_f64.to_bits());
        assert!(round_to_tick(f64::NAN, 0.1).is_nan());
        assert_eq!(round_to_tick(2.7, 0.0).to_bits(), 2.7_f64.to_bits());
        assert_eq!(round_to_tick(2.7, f64::NAN).to_bits(), 2.7_f64.to_bits());
    }

    proptest! {
        #[test]
        fn every_change_in_tenths_reads_as_its_decimal(one in 1_i32..1_000_000, other in 1_i32..1_000_000) {
            let price = |tenths: i32| format!("{}.{}", tenths / 10, tenths % 10).parse::<f64>().expect("a number");
            let steps = one - other;
            let sign = if steps < 0 { "-" } else { "" };
            let decimal = format!("{sign}{}.{}", steps.abs() / 10, steps.abs() % 10).parse::<f64>().expect("a number");
            prop_assert_eq!(round_to_tick(price(one) - price(other), 0.1).to_bits(), decimal.to_bits());
        }
    }
}
