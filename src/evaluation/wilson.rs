//! Wilson's interval of a share.

use super::Interval;
use super::number::{normal_quantile, real};

/// The 95 % interval of a share of `hits` among `n`; none of nothing. Wilson, JASA 22 (1927), 209-212.
#[must_use]
pub fn wilson(hits: usize, n: usize) -> Option<Interval> {
    if n == 0 || hits > n {
        return None;
    }
    let (share, n, z) = (real(hits) / real(n), real(n), normal_quantile(0.975));
    let centre = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    Some(Interval { lo: ((centre - half) / scale).max(0.0), hi: ((centre + half) / scale).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_intervals_are_reproduced() {
        let known = [
            (747, 1_496, 0.474_029, 0.524_638),
            (234, 474, 0.448_895, 0.538_549),
            (87, 172, 0.431_790, 0.579_584),
            (0, 10, 0.0, 0.277_533),
            (10, 10, 0.722_467, 1.0),
            (8, 10, 0.490_162, 0.943_318),
            (55, 100, 0.452_446, 0.643_855),
            (1, 1, 0.206_549, 1.0),
        ];
        for (hits, n, lo, hi) in known {
            let got = wilson(hits, n).expect("there is one");
            assert!((got.lo - lo).abs() < 1e-6 && (got.hi - hi).abs() < 1e-6, "{hits}/{n}: {got:?}");
        }
        assert_eq!((wilson(0, 0), wilson(2, 1)), (None, None));
    }
}
