//! Predictive value: skill out of sample, with its own uncertainty, or none.

use serde::Serialize;

use super::number::real;
use super::{Bootstrap, Day, EvaluationConfig, quantile};

/// Sessions that are only learnt from.
const FIRST_SCORED: usize = 100;

/// A prediction and what came.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scored {
    squared: f64,
    squared_of_climate: f64,
}

/// The skill of the futures in telling whether a session goes up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Skill {
    /// Sessions predicted.
    pub num_scored: usize,
    /// Brier skill score over all of them: 1 - squared errors over those of the share of ups so far. Brier, Monthly Weather
    /// Review 78 (1950).
    pub all: f64,
    /// Its 5 % quantile.
    pub all_q05: f64,
    /// The same over the last sessions; none where there are too few.
    pub recent: Option<f64>,
    /// Its 5 % quantile.
    pub recent_q05: Option<f64>,
    /// From 0 to 1: that quantile over a very good skill. None where there are too few sessions.
    pub predictive_value: Option<f64>,
}

/// Predicts each session from those before it, from the 101st on; none where there is none to predict.
#[must_use]
pub fn skill(days: &[Day], config: &EvaluationConfig) -> Option<Skill> {
    let scored = predict(days);
    let window = scored.len().saturating_sub(config.skill_sessions);
    let recent = scored.get(window..).unwrap_or_default();
    let bootstrap = config.bootstrap();
    let is_enough = recent.len() >= config.min_scored_sessions;
    let all = brier_skill(&scored)?;
    let recent_q05 = is_enough.then(|| fifth_percent(recent, &bootstrap)).flatten();
    Some(Skill {
        num_scored: scored.len(),
        all,
        all_q05: fifth_percent(&scored, &bootstrap)?,
        recent: is_enough.then(|| brier_skill(recent)).flatten(),
        recent_q05,
        predictive_value: recent_q05.map(|bound| (bound / config.full_skill).clamp(0.0, 1.0)),
    })
}

/// So many sessions there must be for a predictive value.
#[must_use]
pub fn least_sessions(config: &EvaluationConfig) -> usize {
    FIRST_SCORED + config.min_scored_sessions
}

fn brier_skill(scored: &[Scored]) -> Option<f64> {
    skill_of(scored.iter())
}

fn skill_of<'a>(scored: impl Iterator<Item = &'a Scored>) -> Option<f64> {
    let (own, climate) =
        scored.fold((0.0, 0.0), |(own, climate), day| (own + day.squared, climate + day.squared_of_climate));
    (climate > 0.0).then(|| 1.0 - own / climate)
}

fn fifth_percent(scored: &[Scored], bootstrap: &Bootstrap) -> Option<f64> {
    let mut draws = bootstrap.resample(scored.len(), |days| skill_of(days.iter().filter_map(|day| scored.get(*day))));
    draws.sort_by(f64::total_cmp);
    quantile(&draws, 0.05)
}

/// The predictive value alone, as [`skill`] has it: only the last sessions are predicted and drawn.
#[must_use]
pub fn predictive_value(days: &[Day], config: &EvaluationConfig) -> Option<f64> {
    let first = days.len().saturating_sub(config.skill_sessions).max(FIRST_SCORED);
    let recent = predict_from(days, first);
    let is_enough = recent.len() >= config.min_scored_sessions;
    let bound = is_enough.then(|| fifth_percent(&recent, &config.bootstrap())).flatten()?;
    Some((bound / config.full_skill).clamp(0.0, 1.0))
}

/// One step ahead: each fit sees earlier sessions only.
fn predict(days: &[Day]) -> Vec<Scored> {
    predict_from(days, FIRST_SCORED)
}

/// The same from one session on.
fn predict_from(days: &[Day], first: usize) -> Vec<Scored> {
    let seen: Vec<(f64, f64)> = days.iter().map(|day| (day.futures, f64::from(u8::from(day.session > 0.0)))).collect();
    let mut fit = Logistic::default();
    let score = |(number, (x, y)): (usize, &(f64, f64))| {
        let earlier = seen.get(..number)?;
        fit = fit.refitted(earlier);
        let climate = earlier.iter().map(|(_, up)| up).sum::<f64>() / real(number);
        Some(Scored { squared: (fit.at(*x) - y).powi(2), squared_of_climate: (climate - y).powi(2) })
    };
    seen.iter().enumerate().skip(first).filter_map(score).collect()
}

/// P(up) = 1/(1 + exp(-(a + b x))), x in percent so that both are of one size.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Logistic {
    a: f64,
    b: f64,
}

const PERCENT: f64 = 100.0;

impl Logistic {
    fn at(self, x: f64) -> f64 {
        1.0 / (1.0 + (-(self.a + self.b * PERCENT * x)).exp())
    }

    /// Maximum likelihood by Newton's steps from the last fit, halved while they make it worse.
    fn refitted(self, seen: &[(f64, f64)]) -> Self {
        let mut fit = self;
        let mut likelihood = fit.log_likelihood(seen);
        for _ in 0..50 {
            let Some((step_a, step_b)) = fit.newton_step(seen) else { break };
            let mut size = 1.0;
            let next = loop {
                let next = Self { a: fit.a + size * step_a, b: fit.b + size * step_b };
                let better = next.log_likelihood(seen);
                if better >= likelihood - 1e-12 || size < 1e-6 {
                    likelihood = better;
                    break next;
                }
                size /= 2.0;
            };
            let is_there = (next.a - fit.a).abs().max((next.b - fit.b).abs()) < 1e-10;
            fit = next;
            if is_there {
                break;
            }
        }
        fit
    }

    fn log_likelihood(self, seen: &[(f64, f64)]) -> f64 {
        let of = |(x, y): &(f64, f64)| {
            let logit = self.a + self.b * PERCENT * x;
            y * logit - logit.max(0.0) - (-logit.abs()).exp().ln_1p()
        };
        seen.iter().map(of).sum()
    }

    /// None where the sessions do not determine a line.
    fn newton_step(self, seen: &[(f64, f64)]) -> Option<(f64, f64)> {
        let (mut ga, mut gb, mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (x, y) in seen {
            let (p, x) = (self.at(*x), PERCENT * x);
            let (error, weight) = (y - p, p * (1.0 - p));
            (ga, gb) = (ga + error, gb + error * x);
            (aa, ab, bb) = (aa + weight, ab + weight * x, bb + weight * x * x);
        }
        let determinant = aa * bb - ab * ab;
        (determinant > 1e-12).then(|| ((bb * ga - ab * gb) / determinant, (aa * gb - ab * ga) / determinant))
    }
}

/// The chance that a session that went up had the higher number than one that did not; ties count one half. None where all
/// went one way.
#[must_use]
pub fn auc(days: impl IntoIterator<Item = (f64, bool)>) -> Option<f64> {
    let mut days: Vec<(f64, bool)> = days.into_iter().collect();
    days.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut wins, mut downs_below, mut ups) = (0.0, 0.0, 0.0);
    for tied in days.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
        let up = real(tied.iter().filter(|day| day.1).count());
        let down = real(tied.len()) - up;
        wins += up * (downs_below + down / 2.0);
        (downs_below, ups) = (downs_below + down, ups + up);
    }
    (ups > 0.0 && downs_below > 0.0).then(|| wins / (ups * downs_below))
}

/// [`auc`] of the futures, and its 5 % quantile by days drawn.
#[must_use]
pub fn auc_bound(days: &[Day], bootstrap: &Bootstrap) -> Option<(f64, f64)> {
    let pair = |day: &Day| (day.futures, day.session > 0.0);
    let own = auc(days.iter().map(pair))?;
    let mut draws =
        bootstrap.resample(days.len(), |drawn| auc(drawn.iter().filter_map(|day| days.get(*day)).map(pair)));
    draws.sort_by(f64::total_cmp);
    Some((own, quantile(&draws, 0.05)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::SplitMix64;
    use chrono::NaiveDate;

    fn days(n: usize, edge: f64) -> Vec<Day> {
        let mut numbers = SplitMix64::new(5);
        let day = |_| {
            let futures = 0.02 * (numbers.unit() - 0.5);
            let session = 0.02 * (numbers.unit() - 0.5) + edge * futures;
            Day { date: NaiveDate::default(), futures, gap: 0.0, session }
        };
        (0..n).map(day).collect()
    }

    #[test]
    fn a_line_is_found_by_maximum_likelihood() {
        let seen: Vec<(f64, f64)> =
            [(-0.02, 0.0), (-0.01, 0.0), (0.0, 1.0), (0.01, 0.0), (0.02, 1.0), (0.03, 1.0)].to_vec();
        let fit = Logistic::default().refitted(&seen);
        let gradient: (f64, f64) = seen.iter().fold((0.0, 0.0), |(a, b), (x, y)| {
            let error = y - fit.at(*x);
            (a + error, b + error * x)
        });
        assert!(gradient.0.abs() < 1e-9 && gradient.1.abs() < 1e-9 && fit.b > 0.0, "{fit:?} {gradient:?}");
    }

    #[test]
    fn skill_is_found_where_there_is_some_and_is_null_where_there_is_little_to_see() {
        let config = EvaluationConfig::default();
        let skilled = skill(&days(400, 2.0), &config).expect("scored");
        assert!(skilled.all > 0.2 && (skilled.predictive_value.expect("enough") - 1.0).abs() < 1e-12, "{skilled:?}");
        let none = skill(&days(400, 0.0), &config).expect("scored");
        assert!(none.predictive_value.expect("enough").abs() < 1e-12, "{none:?}");
        assert_eq!(skill(&days(150, 2.0), &config).expect("scored").predictive_value, None);
        let (middling, scaled) = (days(500, 1.0), EvaluationConfig { full_skill: 1.0, ..config.clone() });
        let whole = skill(&middling, &scaled).and_then(|skill| skill.predictive_value).expect("enough");
        let alone = predictive_value(&middling, &scaled).expect("enough");
        assert!(whole > 0.0 && whole < 1.0 && (whole - alone).abs() < 1e-6, "{whole} {alone}");
        assert_eq!(predictive_value(&days(150, 2.0), &config), None);
        assert_eq!(skill(&days(100, 2.0), &config), None);
    }

    #[test]
    fn the_curve_counts_pairs_and_ties_one_half() {
        let of = |days: &[(f64, bool)]| auc(days.iter().copied());
        assert_eq!(of(&[(1.0, false), (2.0, true)]).map(|auc| auc * 2.0), Some(2.0));
        assert_eq!(of(&[(1.0, true), (1.0, false)]).map(|auc| auc * 2.0), Some(1.0));
        assert_eq!(of(&[(1.0, true)]), None);
    }
}
