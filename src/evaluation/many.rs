//! Many tests at once: of twenty true nulls one is significant at 5 %.

use super::number::real;

/// P-values for claims: the chance that any true null among them is rejected stays below the level. Holm, Scandinavian
/// Journal of Statistics 6 (1979), 65-70. In the order given.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut largest = 0.0_f64;
    let mut adjusted = vec![1.0; n];
    for (rank, (place, p)) in ranked(p_values).into_iter().enumerate() {
        largest = largest.max((p * real(n - rank)).min(1.0));
        set(&mut adjusted, place, largest);
    }
    adjusted
}

/// P-values for screening: the share of true nulls among those rejected stays below the level. Benjamini and Hochberg, JRSS B
/// 57 (1995), 289-300. In the order given.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut least = 1.0_f64;
    let mut adjusted = vec![1.0; n];
    for (rank, (place, p)) in ranked(p_values).into_iter().enumerate().rev() {
        least = least.min(p * real(n) / real(rank + 1));
        set(&mut adjusted, place, least);
    }
    adjusted
}

fn set(values: &mut [f64], place: usize, value: f64) {
    if let Some(own) = values.get_mut(place) {
        *own = value;
    }
}

/// Places and values, the smallest value first.
fn ranked(values: &[f64]) -> Vec<(usize, f64)> {
    let mut places: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    places.sort_by(|one, other| one.1.total_cmp(&other.1));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f64; 8] = [0.001, 0.008, 0.012, 0.03, 0.04, 0.06, 0.2, 0.5];

    fn close(got: &[f64], expected: &[f64]) -> bool {
        got.len() == expected.len() && got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-6)
    }

    #[test]
    fn known_cases_are_reproduced() {
        assert!(close(&holm(&P), &[0.008, 0.056, 0.072, 0.15, 0.16, 0.18, 0.4, 0.5]), "{:?}", holm(&P));
        let screened = benjamini_hochberg(&P);
        assert!(close(&screened, &[0.008, 0.032, 0.032, 0.06, 0.064, 0.08, 0.228_571, 0.5]), "{screened:?}");
    }

    #[test]
    fn the_order_given_is_kept() {
        assert!(close(&holm(&[0.5, 0.001]), &[0.5, 0.002]));
        assert!(close(&benjamini_hochberg(&[0.5, 0.001]), &[0.5, 0.002]));
        assert!(holm(&[]).is_empty());
    }
}
