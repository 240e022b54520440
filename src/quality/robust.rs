//! Medians, which a few wrong values cannot move.

/// The standard deviation of a normal distribution in units of its median absolute deviation.
const NORMAL: f64 = 1.4826;

/// The middle value; none of an empty list. Of an even number it is the upper of the two in the middle.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The standard deviation as the median absolute deviation gives it.
pub(super) fn scale(values: &[f64]) -> Option<f64> {
    let middle = median(values.iter().copied())?;
    Some(NORMAL * median(values.iter().map(|value| (value - middle).abs()))?)
}

/// The value that a share of the values does not exceed.
pub(super) fn percentile(mut values: Vec<f64>, percent: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_value_moves_neither_median_nor_scale() {
        let calm: Vec<f64> = (0..100).map(f64::from).collect();
        let wild: Vec<f64> = calm.iter().copied().chain([1e9]).collect();
        assert_eq!(median(calm.iter().copied()), median(wild.iter().copied()));
        assert_eq!((scale(&calm), scale(&wild)), (Some(NORMAL * 25.0), Some(NORMAL * 25.0)));
        assert_eq!((median([]), scale(&[])), (None, None));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        assert_eq!(percentile((1..=100).map(f64::from).collect(), 95), Some(95.0));
        assert_eq!((percentile(vec![7.0], 95), percentile(vec![], 95)), (Some(7.0), None));
    }
}
