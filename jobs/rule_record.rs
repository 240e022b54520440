//! What each rule has earned on paper, by ETF, from the table of outcomes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::calendar::{Session, Slot};
use crate::config::Config;
use crate::evaluation::{Deflated, Hits, MeanTest, SharpeTrial, deflated_sharpe, hits, moments};
use crate::job::{Failure, JobError};
use crate::lake::{AsOf, KeyRange, Lake};
use crate::rules::{Engine, Horizon};
use crate::signals::Pair;

use super::assess::{rated, tested};

/// Fewer outcomes than this have no Sharpe ratio to compare.
const LEAST_OUTCOMES: usize = 20;

/// When something was made: before the open that it is for, or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// Before it.
    Live,
    /// After it, from the rows stamped before.
    Afterwards,
}

impl Made {
    /// What was made at an instant for an open.
    #[must_use]
    pub fn of(made_at: DateTime<Utc>, open: DateTime<Utc>) -> Self {
        if made_at < open { Self::Live } else { Self::Afterwards }
    }

    /// The word in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Afterwards => "afterwards",
        }
    }
}

/// What a rule has earned on paper with one ETF.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleRecord {
    /// The rule.
    pub rule: String,
    /// When its decisions were made.
    pub made: Made,
    /// Positions whose horizon is over.
    pub num_outcomes: usize,
    /// How often they earned something, net of costs.
    pub won: Hits,
    /// What they earned, bp net, times the size.
    pub net: Option<MeanTest>,
    /// All of it, bp net.
    pub total_net_bp: f64,
    /// Mean over standard deviation of a position, never annualised; none of few, and where all are alike.
    pub sharpe: Option<f64>,
    /// Why there is no Sharpe ratio.
    pub without_sharpe: Option<&'static str>,
    /// The probability that it is above what the best of all rules and ETFs without skill would have; none where fewer than two
    /// can be compared.
    pub deflated: Option<Deflated>,
    /// How many of them do not overlap.
    #[serde(skip)]
    pub num_apart: usize,
    /// Skewness and kurtosis (3 for the normal) of its outcomes.
    #[serde(skip)]
    pub shape: Option<(f64, f64)>,
}

/// The records of an ETF, those made in time first.
pub(super) async fn of_rules(
    lake: &Lake,
    (pair, sessions, horizon): (&Pair, &[Session], Horizon),
    config: &Config,
) -> Result<Vec<RuleRecord>, JobError> {
    let Some((first, last)) = sessions.first().zip(sessions.last()) else { return Ok(Vec::new()) };
    // A decision is made in the morning of the session it enters.
    let from = first.open() - chrono::TimeDelta::days(1);
    let range = KeyRange { symbols: vec![pair.etf.clone()], from, to: last.open() };
    let decisions = lake.decisions(&range, &AsOf::Latest).await?;
    let decided = decisions.into_iter().filter(|row| row.verdict == "decided");
    let in_time: BTreeMap<Slot, bool> = decided.map(|row| (row.as_of, row.timing != "late")).collect();
    let mut found: BTreeMap<(Made, String), Vec<f64>> = BTreeMap::new();
    for row in lake.outcomes(&range, &AsOf::Latest).await? {
        // One whose decision is gone counts as made afterwards: nothing says that it was in time.
        let made = if in_time.get(&row.as_of) == Some(&true) { Made::Live } else { Made::Afterwards };
        if row.horizon == horizon.to_string() {
            found.entry((made, row.rule)).or_default().push(row.net_bp);
        }
    }
    let engine = Engine::standard(&config.rules);
    let engine = engine.map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    let place = |rule: &str| engine.names().position(|name| name == rule).unwrap_or(usize::MAX);
    let mut records: Vec<RuleRecord> =
        found.into_iter().map(|((made, rule), net_bp)| record((made, rule), &net_bp, horizon)).collect();
    records.sort_by_key(|one| (one.made, place(&one.rule)));
    Ok(records)
}

fn record((made, rule): (Made, String), net_bp: &[f64], horizon: Horizon) -> RuleRecord {
    let shape = moments(net_bp).filter(|_| net_bp.len() >= LEAST_OUTCOMES);
    RuleRecord {
        rule,
        made,
        num_outcomes: net_bp.len(),
        won: rated(hits(net_bp.iter().map(|net| (1.0, *net))), horizon),
        net: tested(net_bp, horizon),
        total_net_bp: net_bp.iter().sum(),
        sharpe: shape.map(|of| of.mean / of.deviation),
        without_sharpe: match shape {
            Some(_) => None,
            None if net_bp.len() < LEAST_OUTCOMES => Some("too few outcomes"),
            None => Some("the outcomes are all alike"),
        },
        deflated: None,
        num_apart: net_bp.len() / usize::try_from(horizon.num_sessions()).unwrap_or(usize::MAX),
        shape: shape.map(|of| (of.skewness, of.kurtosis)),
    }
}

/// Deflates every Sharpe ratio for all that were tried: each rule with each ETF.
pub(super) fn deflated<'a>(found: impl Iterator<Item = &'a mut Vec<RuleRecord>>, config: &Config) {
    let mut all: Vec<&mut RuleRecord> = found.flatten().collect();
    let num_rules = Engine::standard(&config.rules).map_or(1, |engine| engine.names().count());
    let num_trials = (num_rules * config.signals.pairs.len()).max(1);
    for made in [Made::Live, Made::Afterwards] {
        let ratios: Vec<f64> = all.iter().filter(|one| one.made == made).filter_map(|one| one.sharpe).collect();
        let Some(spread) = moments(&ratios) else { continue };
        for one in all.iter_mut().filter(|one| one.made == made) {
            let Some((sharpe, (skewness, kurtosis))) = one.sharpe.zip(one.shape) else { continue };
            one.deflated = deflated_sharpe(&SharpeTrial {
                sharpe,
                variance_over_trials: spread.deviation * spread.deviation,
                num_trials,
                num_periods: one.num_apart,
                skewness,
                kurtosis,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(means: &[f64]) -> Vec<RuleRecord> {
        let net = |mean: f64| (0..60).map(|n| mean + f64::from(n % 5) - 2.0).collect::<Vec<_>>();
        let of = |mean: &f64| record((Made::Live, "a".to_owned()), &net(*mean), Horizon::sessions(1));
        means.iter().map(of).collect()
    }

    #[test]
    fn a_good_rule_among_many_is_less_sure_than_alone() {
        let mut found = [records(&[0.4, -0.2, 0.1])];
        deflated(found.iter_mut(), &Config::default());
        let [best, worst, _] = [0, 1, 2].map(|at: usize| found[0][at].clone());
        let of = |one: &RuleRecord| one.deflated.expect("compared");
        assert!(of(&best).probability > of(&worst).probability && of(&best).benchmark > 0.0, "{best:?} {worst:?}");
        let undeflated = deflated_sharpe(&SharpeTrial {
            sharpe: best.sharpe.expect("known"),
            variance_over_trials: 0.0,
            num_trials: 1,
            num_periods: 60,
            skewness: 0.0,
            kurtosis: 3.0,
        });
        assert!(of(&best).probability < undeflated.expect("possible").probability);
    }

    #[test]
    fn a_rule_whose_outcomes_are_all_alike_leaves_the_others_as_they_are() {
        let mut without = [records(&[0.4, -0.2, 0.1])];
        let mut with = [records(&[0.4, -0.2, 0.1])];
        with[0].push(record((Made::Live, "b".to_owned()), &[-0.1; 60], Horizon::sessions(1)));
        deflated(without.iter_mut(), &Config::default());
        deflated(with.iter_mut(), &Config::default());
        let alike = with[0].pop().expect("the last");
        assert_eq!((alike.sharpe, alike.without_sharpe), (None, Some("the outcomes are all alike")));
        let of = |found: &[Vec<RuleRecord>; 1]| found[0].iter().map(|one| one.deflated).collect::<Vec<_>>();
        assert_eq!(of(&without), of(&with));
        assert!(of(&with).iter().all(|one| one.is_some_and(|one| one.probability > 0.0)));
    }

    #[test]
    fn one_alone_and_few_outcomes_are_not_compared() {
        let mut alone = [records(&[0.4])];
        deflated(alone.iter_mut(), &Config::default());
        assert_eq!(alone[0][0].deflated, None);
        let few = record((Made::Live, "a".to_owned()), &[1.0, 2.0], Horizon::sessions(1));
        assert_eq!((few.sharpe, few.num_outcomes, few.won.hits), (None, 2, 2));
        let overlapping = record((Made::Live, "a".to_owned()), &[1.0; 60], Horizon::sessions(5));
        assert_eq!((overlapping.num_apart, overlapping.won.interval), (12, None));
    }
}
