//! Randomness as a pure function: the same key gives the same number, in any order and without a state.

/// A key of the noise; mixing in a part gives the key of that part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

impl Key {
    /// The key of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(scramble(seed ^ 0x6A09_E667_F3BC_C909))
    }

    /// The key of a numbered part.
    pub(super) fn part(self, number: i64) -> Self {
        Self(scramble(self.0 ^ number.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// The key of a named part.
    pub(super) fn named(self, name: &str) -> Self {
        // FNV-1a: short names, and stable for good, which the hasher of the standard library does not promise.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        self.part(hash.cast_signed())
    }

    /// A number in [0, 1).
    pub(super) fn uniform(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
        let bits = (self.0 >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// A nearly normal number of mean 0 and deviation 1, never beyond 3.5: the sum of four uniform ones.
    pub(super) fn normal(self) -> f64 {
        let lane = |shift: u32| f64::from(u16::try_from((self.0 >> shift) & 0xFFFF).unwrap_or(0)) + 0.5;
        (lane(0) + lane(16) + lane(32) + lane(48) - 2.0 * 65_536.0) / 65_536.0 * 3.0_f64.sqrt()
    }
}

/// The finalizer of splitmix64.
fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A walk between two known values, made by halving: each midpoint is the mean of its ends, weighted by the variance on
/// either side, plus noise of the variance that is left. The steps are then those of a Brownian bridge.
///
/// `clock` holds the variance passed at each node (not decreasing), `walk` the values at the first and last node, and
/// gets all others; `shock` gives the noise of a node, of deviation 1.
pub(super) fn bridge(clock: &[f64], walk: &mut [f64], shock: &impl Fn(usize) -> f64) {
    let last = clock.len().min(walk.len()).saturating_sub(1);
    let mut open = vec![(0, last)];
    while let Some((low, high)) = open.pop() {
        if high - low < 2 {
            continue;
        }
        let middle = usize::midpoint(low, high);
        if let (Some(a), Some(b), Some(start), Some(now), Some(end)) =
            (walk.get(low).copied(), walk.get(high).copied(), clock.get(low), clock.get(middle), clock.get(high))
        {
            let (before, whole) = (now - start, end - start);
            let share = if whole > 0.0 { before / whole } else { 0.5 };
            let deviation = (before * (1.0 - share)).max(0.0).sqrt();
            if let Some(value) = walk.get_mut(middle) {
                *value = a + (b - a) * share + deviation * shock(middle);
            }
        }
        open.push((low, middle));
        open.push((middle, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_numbers_have_mean_zero_and_deviation_one() {
        let numbers: Vec<f64> = (0..20_000).map(|i| Key::new(7).part(i).normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        assert!(numbers.iter().all(|z| z.abs() <= 3.5));
    }

    #[test]
    fn keys_differ_by_name_number_and_seed() {
        let key = Key::new(1);
        assert_ne!(key.named("ES"), key.named("NQ"));
        assert_ne!(key.part(1), key.part(2));
        assert_ne!(Key::new(1), Key::new(2));
    }

    #[test]
    fn a_bridge_keeps_its_ends_and_its_variance() {
        let clock: Vec<f64> = (0..=256).map(f64::from).collect();
        let mut total = 0.0;
        for walk_number in 0..200 {
            let mut walk = vec![0.0; 257];
            walk[256] = 8.0;
            bridge(&clock, &mut walk, &|node| Key::new(walk_number).part(i64::try_from(node).unwrap()).normal());
            assert_eq!((walk[0], walk[256]), (0.0, 8.0));
            total += walk.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f64>() / 256.0;
        }
        assert!((total / 200.0 - 1.0).abs() < 0.05, "{}", total / 200.0);
    }
}
