//! What a sample of a size can see at all: two-sided 5 %, power 80 %.

use super::number::{normal_quantile, real};

fn z_level() -> f64 {
    normal_quantile(0.975)
}

fn z_power() -> f64 {
    normal_quantile(0.8)
}

/// Sessions needed to tell a true hit rate from another one; none where they are the same or no rates.
#[must_use]
pub fn sessions_needed(against: f64, rate: f64) -> Option<usize> {
    let spread = |share: f64| (share * (1.0 - share)).sqrt();
    whole(against, rate, z_level() * spread(against) + z_power() * spread(rate))
}

/// Sessions needed in each of two arms to tell their hit rates apart.
#[must_use]
pub fn sessions_per_arm(one: f64, other: f64) -> Option<usize> {
    let (middle, of) = (f64::midpoint(one, other), |share: f64| share * (1.0 - share));
    whole(one, other, z_level() * (2.0 * of(middle)).sqrt() + z_power() * (of(one) + of(other)).sqrt())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, not below 0")]
fn whole(one: f64, other: f64, spread: f64) -> Option<usize> {
    let are_rates = [one, other].iter().all(|rate| (0.0..=1.0).contains(rate));
    let sessions = (spread / (one - other)).powi(2).ceil();
    (are_rates && sessions.is_finite()).then_some(sessions as usize)
}

/// The smallest hit rate above one half that so many sessions can tell from it.
#[must_use]
pub fn smallest_rate(n: usize) -> Option<f64> {
    let (mut low, mut high) = (0.5, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if sessions_needed(0.5, middle).is_some_and(|needed| needed <= n) {
            high = middle;
        } else {
            low = middle;
        }
    }
    (high < 1.0).then_some(high)
}

/// The smallest difference of two means that arms of these sizes can see, in the unit of the deviation; none without arms.
#[must_use]
pub fn smallest_gain(deviation: f64, (confirmed, rejected): (usize, usize)) -> Option<f64> {
    let both = confirmed > 0 && rejected > 0;
    both.then(|| (z_level() + z_power()) * deviation * (1.0 / real(confirmed) + 1.0 / real(rejected)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sizes_are_reproduced() {
        let needed = [0.52, 0.53, 0.54, 0.55, 0.60].map(|rate| sessions_needed(0.5, rate).expect("apart"));
        assert_eq!(needed, [4_904, 2_178, 1_225, 783, 194]);
        assert_eq!(sessions_needed(0.52, 0.55), Some(2_172));
        assert_eq!(sessions_per_arm(0.5, 0.55), Some(1_565));
        assert_eq!((sessions_needed(0.5, 0.5), sessions_needed(0.5, 1.5)), (None, None));
    }

    #[test]
    fn known_smallest_rates_are_reproduced() {
        let known = [(100, 0.638), (250, 0.588), (477, 0.564), (1_000, 0.544), (1_500, 0.536)];
        for (n, expected) in known {
            let got = smallest_rate(n).expect("one");
            assert!((got - expected).abs() < 6e-4, "{n}: {got}");
        }
        assert_eq!(smallest_rate(1), None);
    }

    #[test]
    fn known_smallest_gains_are_reproduced() {
        for (n, deviation, expected) in [(1_512, 104.4, 15.0), (477, 117.5, 30.1), (177, 121.4, 51.1)] {
            let got = smallest_gain(deviation, (n / 2, n - n / 2)).expect("arms");
            assert!((got - expected).abs() < 0.06, "{n}: {got}");
        }
        assert_eq!(smallest_gain(100.0, (0, 5)), None);
    }
}
