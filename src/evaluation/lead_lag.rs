//! Lead and lag of a future and its ETF: a check of clocks and labels, not a signal.

use serde::Serialize;

use super::correlation;

/// Lags looked at on each side, intervals.
const MAX_LAG: usize = 10;

/// How lopsided the correlations one interval apart may be.
const MAX_LOPSIDED: f64 = 0.05;

/// Correlations of a future with its ETF at lags.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeadLag {
    /// Over the same interval.
    pub same: f64,
    /// Where the future leads by 1, 2 ... intervals.
    pub future_leads: Vec<f64>,
    /// Where the ETF leads.
    pub etf_leads: Vec<f64>,
    /// Squares of the ones over squares of the others.
    pub ratio: f64,
    /// Whether clocks and labels are sound: strongest at lag 0, and even on both sides.
    pub is_sound: bool,
}

/// What of an interval and of a later one is laid side by side.
type Pairing = fn(&(f64, f64), &(f64, f64)) -> (f64, f64);

/// Measures lead and lag within days; each day is the changes of both over the same intervals, in order. None where nothing
/// changes.
#[must_use]
pub fn lead_lag(days: &[Vec<(f64, f64)>]) -> Option<LeadLag> {
    let same = correlation(&days.concat())?;
    let lagged = |lag: usize, of: Pairing| {
        let pairs: Vec<(f64, f64)> = days
            .iter()
            .flat_map(|day| day.iter().zip(day.iter().skip(lag)).map(|(before, after)| of(before, after)))
            .collect();
        correlation(&pairs)
    };
    let future_leads: Vec<f64> =
        (1..=MAX_LAG).map_while(|lag| lagged(lag, |before, after| (before.0, after.1))).collect();
    let etf_leads: Vec<f64> = (1..=MAX_LAG).map_while(|lag| lagged(lag, |before, after| (after.0, before.1))).collect();
    let squares = |lags: &[f64]| lags.iter().map(|value| value * value).sum::<f64>();
    let (ahead, behind) = (future_leads.first()?, etf_leads.first()?);
    let is_strongest = future_leads.iter().chain(&etf_leads).all(|value| value.abs() < same.abs());
    Some(LeadLag {
        same,
        ratio: squares(&future_leads) / squares(&etf_leads),
        is_sound: is_strongest && (ahead - behind).abs() <= MAX_LOPSIDED,
        future_leads,
        etf_leads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::SplitMix64;

    #[test]
    fn a_label_that_is_late_by_one_is_found() {
        let mut numbers = SplitMix64::new(2);
        let day: Vec<(f64, f64)> = (0..2_000)
            .map(|_| {
                let change = numbers.unit() - 0.5;
                (change, change + 0.3 * (numbers.unit() - 0.5))
            })
            .collect();
        let sound = lead_lag(std::slice::from_ref(&day)).expect("changes");
        assert!(sound.is_sound && sound.same > 0.9, "{sound:?}");
        let late: Vec<(f64, f64)> = day.iter().zip(day.iter().skip(1)).map(|(before, now)| (now.0, before.1)).collect();
        let found = lead_lag(&[late]).expect("changes");
        assert!(!found.is_sound && found.same.abs() < 0.1 && found.etf_leads[0].abs() < 0.1, "{found:?}");
        assert!(found.future_leads[0].abs() > 0.9 || found.etf_leads[0].abs() > 0.9, "{found:?}");
    }
}
