//! The conditions of a rule: each that fails says by how much.

use std::fmt::Display;

use crate::signals::Side;

/// Collects the conditions that fail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    misses: Vec<String>,
}

impl Conditions {
    /// None failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands a number above a bound; at the bound it fails.
    #[must_use]
    pub fn above(mut self, name: &str, (value, bound): (f64, f64)) -> Self {
        // A number that is none is above nothing.
        if value.partial_cmp(&bound) != Some(std::cmp::Ordering::Greater) {
            let decimals = decimals_that_differ(value, bound);
            self.misses.push(format!("{name} {value:.decimals$}, needs > {bound:.decimals$}"));
        }
        self
    }

    /// Demands one of some values.
    #[must_use]
    pub fn one_of<V: PartialEq + Display>(mut self, name: &str, (value, wanted): (V, &[V])) -> Self {
        if !wanted.contains(&value) {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            self.misses.push(format!("{name} {value}, needs {}", wanted.join(" or ")));
        }
        self
    }

    /// Demands a side that is up or down.
    #[must_use]
    pub fn decided(self, name: &str, side: Side) -> Self {
        self.one_of(name, (side, &[Side::Bullish, Side::Bearish]))
    }

    /// What failed, in the order of the conditions; nothing where all hold.
    #[must_use]
    pub fn misses(self) -> Vec<String> {
        self.misses
    }
}

/// Two decimals, or as many as it takes to tell the two apart, at most six; a bound of 0.003 needs four at once.
fn decimals_that_differ(value: f64, bound: f64) -> usize {
    let least = if bound.abs() < 0.01 && bound != 0.0 { 4 } else { 2 };
    let is_equal = value.partial_cmp(&bound) == Some(std::cmp::Ordering::Equal);
    (least..6).find(|&decimals| is_equal || format!("{value:.decimals$}") != format!("{bound:.decimals$}")).unwrap_or(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_names_the_value_and_the_bound() {
        let misses = Conditions::new().above("confidence", (0.43, 0.5)).above("size", (0.0021, 0.003)).misses();
        assert_eq!(misses, ["confidence 0.43, needs > 0.50", "size 0.0021, needs > 0.0030"]);
    }

    #[test]
    fn the_bound_itself_misses_and_close_numbers_are_told_apart() {
        assert_eq!(Conditions::new().above("confidence", (0.5, 0.5)).misses(), ["confidence 0.50, needs > 0.50"]);
        let close = Conditions::new().above("confidence", (0.4999, 0.5)).misses();
        assert_eq!(close, ["confidence 0.4999, needs > 0.5000"]);
        assert_eq!(Conditions::new().above("confidence", (f64::NAN, 0.5)).misses().len(), 1);
        assert!(Conditions::new().above("confidence", (0.500_001, 0.5)).misses().is_empty());
    }

    #[test]
    fn a_wrong_side_names_the_right_ones() {
        let misses = Conditions::new().decided("signal side", Side::Neutral).misses();
        assert_eq!(misses, ["signal side neutral, needs bullish or bearish"]);
    }
}
