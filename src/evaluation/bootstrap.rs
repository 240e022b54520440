//! The stationary bootstrap over days: whole days are drawn, in blocks of random length, so that what follows each other
//! stays together. Politis and Romano, JASA 89 (1994), 1303-1313.

use serde::Serialize;

use super::number::{mean, real};

/// From and to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Interval {
    /// The middle 95 % of values; none of nothing.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self { lo: quantile(&values, 0.025)?, hi: quantile(&values, 0.975)? })
    }
}

/// A quantile of sorted values, linear between neighbours: h = (n - 1) q. None of nothing.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = real(sorted.len().checked_sub(1)?) * share.clamp(0.0, 1.0);
    let below = floor(place);
    let (low, high) = (sorted.get(below)?, sorted.get(below + 1).or(sorted.last())?);
    Some(low + (place - place.floor()) * (high - low))
}

/// Numbers that are the same on every machine. Steele, Lea and Flood, OOPSLA 2014.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// The next number from 0 up to 1, of 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next index below n.
    pub fn index(&mut self, n: usize) -> usize {
        floor(self.unit() * real(n)).min(n.saturating_sub(1))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index: small, and not below 0")]
fn floor(value: f64) -> usize {
    value.max(0.0).floor() as usize
}

/// How days are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bootstrap {
    /// Start of the random numbers.
    pub seed: u64,
    /// Mean length of a block, sessions.
    pub mean_block: f64,
    /// How many draws.
    pub draws: usize,
}

impl Bootstrap {
    /// A statistic of each draw of n days; it is given the indices of the days. Draws of which it says nothing are left out.
    pub fn resample<T>(&self, n: usize, mut statistic: impl FnMut(&[usize]) -> Option<T>) -> Vec<T> {
        let mut numbers = SplitMix64::new(self.seed);
        let mut days = vec![0; n];
        let mut values = Vec::with_capacity(self.draws);
        for _ in 0..self.draws {
            self.draw(&mut numbers, &mut days);
            values.extend(statistic(&days));
        }
        values
    }

    /// One draw: the first day is any, each next one is any with probability 1/L, else the day after.
    fn draw(&self, numbers: &mut SplitMix64, days: &mut [usize]) {
        let (n, restart) = (days.len(), 1.0 / self.mean_block.max(1.0));
        let mut last = None;
        for day in days {
            let next = match last {
                Some(last) if numbers.unit() >= restart => (last + 1) % n,
                _ => numbers.index(n),
            };
            *day = next;
            last = Some(next);
        }
    }

    /// The 95 % interval of the mean of a series.
    #[must_use]
    pub fn interval_of_mean(&self, values: &[f64]) -> Option<Interval> {
        let of = |days: &[usize]| {
            let sum: f64 = days.iter().filter_map(|day| values.get(*day)).sum();
            (!days.is_empty()).then(|| sum / real(days.len()))
        };
        Interval::of(self.resample(values.len(), of))
    }
}

/// The standard deviation of the resampled mean, exactly: what infinitely many draws would give.
#[must_use]
pub fn exact_sd(values: &[f64], mean_block: f64) -> Option<f64> {
    let centre = mean(values)?;
    let (n, p) = (real(values.len()), 1.0 / mean_block);
    let from_mean: Vec<f64> = values.iter().map(|value| value - centre).collect();
    let covariance = |lag: usize| {
        let later = from_mean.iter().skip(lag);
        from_mean.iter().zip(later).map(|(one, other)| one * other).sum::<f64>() / n
    };
    let weight = |lag: f64| (1.0 - lag / n) * (1.0 - p).powf(lag) + (lag / n) * (1.0 - p).powf(n - lag);
    let lagged: f64 = (1..values.len()).map(|lag| weight(real(lag)) * covariance(lag)).sum();
    Some(((covariance(0) + 2.0 * lagged) / n).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_the_published_one() {
        assert_eq!(SplitMix64::new(0).bits(), 0xe220_a839_7b1d_cdaf);
        let mut seven = SplitMix64::new(7);
        let expected = [0x63cb_e1e4_5932_0dd7, 0x044c_3cd7_f43c_661c, 0xe698_4080_bab1_2a02_u64];
        assert_eq!([seven.bits(), seven.bits(), seven.bits()], expected);
    }

    #[test]
    fn days_are_drawn_in_blocks() {
        let mut drawn = Vec::new();
        let bootstrap = Bootstrap { seed: 7, mean_block: 3.0, draws: 1 };
        bootstrap.resample(10, |days| {
            drawn = days.to_vec();
            Some(())
        });
        assert_eq!(drawn, [3, 9, 0, 1, 4, 1, 2, 9, 0, 1]);
    }

    #[test]
    fn draws_scatter_as_theory_says() {
        let x = [1.0, 2.0, -1.0, 3.0, 0.0, 2.0, -2.0, 1.0];
        let exact = |mean_block| exact_sd(&x, mean_block).expect("values");
        assert!((exact(2.0) - 0.402_912_219_8).abs() < 1e-9, "{}", exact(2.0));
        assert!((exact(3.0) - 0.344_057_075_9).abs() < 1e-9, "{}", exact(3.0));
        let bootstrap = Bootstrap { seed: 1, mean_block: 2.0, draws: 20_000 };
        let means = bootstrap.resample(8, |days| Some(days.iter().filter_map(|day| x.get(*day)).sum::<f64>() / 8.0));
        let sd = super::super::number::deviation(&means).expect("draws");
        assert!((sd / exact(2.0) - 1.0).abs() < 0.03, "{sd}");
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [1.0, 2.0, 4.0];
        let of = |share| quantile(&sorted, share).expect("values");
        assert!((of(0.25) - 1.5).abs() < 1e-12 && (of(0.75) - 3.0).abs() < 1e-12 && (of(1.0) - 4.0).abs() < 1e-12);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
