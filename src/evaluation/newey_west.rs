//! Means and slopes of series whose values depend on those before. Newey and West, Econometrica 55 (1987), 703-708; no
//! small-sample factor.

use serde::Serialize;

use super::number::{mean, real, spread};
use crate::market::is_spread;

/// A pivot below this share of its column's sum of squares is rounding.
const LEAST_PIVOT: f64 = 1e-13;

/// A mean and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanTest {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Mean over standard error; none where the values do not differ, or that is 0 but for rounding.
    pub t: Option<f64>,
}

/// Lags to look back: of overlapping horizons at least horizon - 1, else floor(4 (n/100)^(2/9)).
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number, not below 0")]
pub fn default_lag(n: usize, horizon_sessions: u32) -> usize {
    let by_length = (4.0 * (real(n) / 100.0).powf(2.0 / 9.0)).floor() as usize;
    by_length.max(usize::try_from(horizon_sessions.saturating_sub(1)).unwrap_or(usize::MAX))
}

/// The mean of a series against 0; none of nothing.
#[must_use]
pub fn mean_test(values: &[f64], lag: usize) -> Option<MeanTest> {
    let mean = mean(values)?;
    let from_mean: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let variance = long_run(&[&from_mean], lag).first().and_then(|row| row.first()).copied()?;
    let standard_error = variance.max(0.0).sqrt() / real(values.len());
    let is_known = spread(values).is_some() && is_spread(standard_error, values);
    Some(MeanTest { mean, standard_error, t: is_known.then(|| mean / standard_error) })
}

/// A least-squares fit: y on a constant and some series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regression {
    /// Of the constant and of each series.
    pub coefficients: Vec<f64>,
    /// The t of each.
    pub t: Vec<f64>,
    /// The share of the variance that is explained.
    pub r_squared: f64,
}

/// Fits y on a constant and the series; none where they do not determine it, y never changes, or nothing but rounding is left
/// over: then no t says anything.
#[must_use]
pub fn regression(series: &[&[f64]], y: &[f64], lag: usize) -> Option<Regression> {
    let constant = vec![1.0; y.len()];
    let columns: Vec<&[f64]> = std::iter::once(constant.as_slice()).chain(series.iter().copied()).collect();
    if columns.iter().any(|column| column.len() != y.len()) || y.len() <= columns.len() {
        return None;
    }
    let products: Vec<Vec<f64>> =
        columns.iter().map(|one| columns.iter().map(|other| dot(one, other)).collect()).collect();
    let inverse = inverse(products)?;
    let targets: Vec<f64> = columns.iter().map(|column| dot(column, y)).collect();
    let coefficients: Vec<f64> = inverse.iter().map(|row| dot(row, &targets)).collect();
    let fitted = |day: usize| columns.iter().zip(&coefficients).filter_map(|(x, b)| Some(x.get(day)? * b)).sum::<f64>();
    let residuals: Vec<f64> = y.iter().enumerate().map(|(day, y)| y - fitted(day)).collect();
    spread(y)?;
    if !is_spread((dot(&residuals, &residuals) / real(y.len())).sqrt(), y) {
        return None;
    }
    let scores: Vec<Vec<f64>> =
        columns.iter().map(|column| column.iter().zip(&residuals).map(|(x, e)| x * e).collect()).collect();
    let score_columns: Vec<&[f64]> = scores.iter().map(Vec::as_slice).collect();
    let middle = long_run(&score_columns, lag);
    let variance = |row: &Vec<f64>| {
        let through: Vec<f64> = middle.iter().map(|of| dot(of, row)).collect();
        dot(row, &through)
    };
    let t = coefficients.iter().zip(&inverse).map(|(b, row)| b / variance(row).sqrt()).collect();
    let centre = mean(y)?;
    let total: f64 = y.iter().map(|y| (y - centre).powi(2)).sum();
    let r_squared = 1.0 - dot(&residuals, &residuals) / total;
    Some(Regression { coefficients, t, r_squared })
}

/// Sums of products at all lags up to `lag`, Bartlett's weights: n times the long-run covariance of series with mean 0.
fn long_run(series: &[&[f64]], lag: usize) -> Vec<Vec<f64>> {
    let lagged = |one: &[f64], other: &[f64], lag: usize| -> f64 {
        one.iter().skip(lag).zip(other).map(|(now, before)| now * before).sum()
    };
    let entry = |one: &[f64], other: &[f64]| {
        let weighted = |at: usize| {
            let weight = 1.0 - real(at) / real(lag + 1);
            weight * (lagged(one, other, at) + lagged(other, one, at))
        };
        dot(one, other) + (1..=lag).map(weighted).sum::<f64>()
    };
    series.iter().map(|one| series.iter().map(|other| entry(one, other)).collect()).collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// The inverse of a small matrix by Gauss and Jordan, largest pivot first; none where it has none.
fn inverse(matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let size = matrix.len();
    let diagonal: Vec<f64> = matrix.iter().enumerate().filter_map(|(at, row)| row.get(at).copied()).collect();
    let unit = |row: usize| (0..size).map(move |column| f64::from(u8::from(row == column)));
    let mut rows: Vec<Vec<f64>> =
        matrix.into_iter().enumerate().map(|(number, row)| row.into_iter().chain(unit(number)).collect()).collect();
    for column in 0..size {
        let size_of = |row: &Vec<f64>| row.get(column).map_or(0.0, |value| value.abs());
        let (below, _) = rows
            .iter()
            .skip(column)
            .enumerate()
            .max_by(|(_, one), (_, other)| size_of(one).total_cmp(&size_of(other)))?;
        rows.swap(column, column + below);
        let pivot = *rows.get(column)?.get(column)?;
        // What is left of a sum of squares after the columns before: less than rounding where they make this one up.
        if !pivot.is_normal() || pivot.abs() <= LEAST_PIVOT * diagonal.get(column)?.abs() {
            return None;
        }
        let scaled: Vec<f64> = rows.get(column)?.iter().map(|value| value / pivot).collect();
        for (number, row) in rows.iter_mut().enumerate() {
            if number == column {
                row.clone_from(&scaled);
            } else {
                let times = *row.get(column)?;
                row.iter_mut().zip(&scaled).for_each(|(value, of)| *value -= times * of);
            }
        }
    }
    Some(rows.into_iter().map(|row| row.into_iter().skip(size).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 8] = [1.0, 2.0, -1.0, 3.0, 0.0, 2.0, -2.0, 1.0];

    #[test]
    fn known_standard_errors_are_reproduced() {
        for (lag, expected) in [(0, 0.551_985_054_1), (1, 0.329_239_179_8), (2, 0.367_990_036_1), (3, 0.281_25)] {
            let test = mean_test(&X, lag).expect("values");
            assert!((test.standard_error - expected).abs() < 1e-9, "lag {lag}: {test:?}");
        }
        let test = mean_test(&X, 2).expect("values");
        assert!((test.t.expect("a t") - 2.038_098_661_5).abs() < 1e-8 && (test.mean - 0.75).abs() < 1e-12);
        assert_eq!(mean_test(&[1.0, 1.0], 0).expect("values").t, None);
        assert_eq!(mean_test(&[-0.1; 60], 3).expect("values").t, None, "its standard error is rounding");
    }

    #[test]
    fn lags_grow_with_the_series_and_cover_the_overlap() {
        assert_eq!([default_lag(1_512, 1), default_lag(477, 1), default_lag(177, 1)], [7, 5, 4]);
        assert_eq!(default_lag(177, 20), 19);
    }

    #[test]
    fn a_line_is_found_and_what_is_not_determined_is_none() {
        let y: Vec<f64> = X.iter().map(|x| 2.0 + 3.0 * x).collect();
        let noisy: Vec<f64> = y.iter().zip([0.1, -0.1, 0.2, -0.2, 0.1, 0.0, -0.1, 0.0]).map(|(y, e)| y + e).collect();
        let fit = regression(&[&X], &noisy, 1).expect("a fit");
        assert!((fit.coefficients[1] - 3.0).abs() < 0.1 && fit.r_squared > 0.99 && fit.t[1] > 10.0, "{fit:?}");
        assert_eq!(regression(&[&X, &X], &noisy, 1), None);
        let tripled: Vec<f64> = X.iter().map(|x| 0.1 + 0.3 * x).collect();
        assert_eq!(regression(&[&X, &tripled], &noisy, 1), None, "one is made of the other, but for rounding");
        assert_eq!(regression(&[&X], &y, 1), None, "nothing is left over");
        assert_eq!(regression(&[&X], &[0.1; 8], 1), None, "nothing changes");
        assert_eq!(regression(&[&X[..3]], &noisy, 1), None);
    }
}
