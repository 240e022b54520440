//! What signals have been worth, from the tables: the mornings of past sessions, with what the futures said and what the
//! session then did. Signals that were made in time and those that were made afterwards are judged apart.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::Serialize;

use crate::calendar::Session;
use crate::config::Config;
use crate::evaluation::{
    BaseSignal, Bootstrap, Confirmation, Day, EvaluationConfig, Hits, LeadLag, LookAhead, MeanTest, Regression, Skill,
    Timing, Verdict, VerdictInputs, benjamini_hochberg, confirm, default_lag, hits, holm, judge, lead_lag,
    look_ahead_alarms, mean_test, pesaran_timmermann, pooled_by_day, regression, signed_returns, skill,
};
use crate::job::{Calendars, JobError};
use crate::lake::{AsOf, Lake};
use crate::market::Symbol;
use crate::rules::Horizon;
use crate::signals::Pair;

use super::past::{Past, side_by_side};
use super::rule_record::{Made, RuleRecord, deflated, of_rules};

const BASIS_POINTS: f64 = 1e4;

/// What is asked: the ETFs, the sessions from one day to another, and for how long a position is held.
#[derive(Debug, Clone)]
pub struct Span {
    /// The ETFs; empty: all that have a future.
    pub symbols: Vec<Symbol>,
    /// First session.
    pub from: NaiveDate,
    /// Last session.
    pub to: NaiveDate,
    /// From the open of a session to the close of so many.
    pub horizon: Horizon,
}

/// What the signals of an ETF have been worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// The ETF.
    pub symbol: Symbol,
    /// Its future.
    pub future: Symbol,
    /// For how long a position is held, such as `1d`.
    pub horizon: String,
    /// Sessions of the range that are over.
    pub num_sessions: usize,
    /// Those of which price of the future and the daily bars are known.
    pub num_days: usize,
    /// How often the future's change before the open had the side of what could then be had.
    pub hits: Hits,
    /// The same from close to close: not tradable, since the gap has happened by then.
    pub hits_close_to_close: Hits,
    /// The hits against what drift alone gives; none of overlapping horizons, which it does not allow.
    pub timing: Option<Timing>,
    /// Following the future each session, bp gross.
    pub following: Option<MeanTest>,
    /// The same by calendar year.
    pub by_year: Vec<Year>,
    /// The same day by day.
    #[serde(skip)]
    pub returns: Vec<(NaiveDate, f64)>,
    /// What came, on the ETF's own gap and the future's change together: coefficients and t of the constant, the gap and the
    /// future. The gap and what comes share the opening print, so noise in it alone makes the first negative.
    pub with_gap: Option<Regression>,
    /// Skill out of sample, of the session alone; none of longer horizons.
    pub skill: Option<Skill>,
    /// Signs of looking ahead.
    pub look_ahead: LookAhead,
    /// Lead and lag of future and ETF in the newest sessions; none where nothing is known of both side by side.
    pub clocks: Option<LeadLag>,
    /// Signals that were made before the open they were meant for.
    pub live: Judgement,
    /// Signals that were made after it, from the rows stamped before.
    pub afterwards: Judgement,
    /// What each rule has earned on paper.
    pub rules: Vec<RuleRecord>,
}

/// Following the future before the open, in one year.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Year {
    /// Which.
    pub year: i32,
    /// How often it had the side of the session.
    pub hits: Hits,
    /// The mean, bp gross.
    pub following: Option<MeanTest>,
}

/// What may be said of signals that were made alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Mornings with a signal on which the ETF's own outlook had a side: those are confirmed or not.
    pub confirmation: Confirmation,
    /// Those mornings one by one, oldest first.
    #[serde(skip)]
    pub base: Vec<BaseSignal>,
    /// How often the base signals were right.
    pub hits_base: Hits,
    /// How often those were that the futures confirmed.
    pub hits_confirmed: Hits,
    /// The p-value of the shifted signal, corrected for everything looked at: for claims, by Holm.
    pub corrected_p: Option<f64>,
    /// The same for screening, by Benjamini and Hochberg.
    pub screened_p: Option<f64>,
    /// What may be said.
    pub verdict: Verdict,
}

impl Assessment {
    /// Both judgements with the word for how their signals were made.
    pub fn judgements(&self) -> impl Iterator<Item = (Made, &Judgement)> {
        [(Made::Live, &self.live), (Made::Afterwards, &self.afterwards)].into_iter()
    }

    /// Those judgements that are about any signal; that of live ones where there is none at all.
    pub fn shown(&self) -> impl Iterator<Item = (Made, &Judgement)> {
        let is_empty = self.judgements().all(|(_, of)| of.confirmation.n == 0);
        self.judgements().filter(move |(made, of)| of.confirmation.n > 0 || (is_empty && *made == Made::Live))
    }

    fn judgements_mut(&mut self) -> [&mut Judgement; 2] {
        [&mut self.live, &mut self.afterwards]
    }
}

/// Assesses the signals of a span.
///
/// # Errors
/// Where the tables cannot be read, or the calendar does not reach there.
pub async fn assess(
    lake: &Lake,
    span: &Span,
    (calendars, config, now): (&Calendars, &Config, DateTime<Utc>),
) -> Result<Vec<Assessment>, JobError> {
    let mut sessions = calendars.nyse.sessions(span.from, span.to)?;
    sessions.retain(|session| session.close() <= now);
    let mut found = Vec::new();
    // All pairs are looked at, whichever are asked for: a correction for less would flatter those.
    for pair in &config.signals.pairs {
        let past = Past::read(lake, (pair, AsOf::Latest), (&sessions, calendars)).await?;
        let moves = side_by_side(lake, pair, &sessions).await?;
        let mut one = assessed((&past, &moves), (pair, &sessions, span.horizon), (calendars, config))?;
        one.rules = of_rules(lake, (pair, &sessions, span.horizon), config).await?;
        found.push(one);
    }
    deflated(found.iter_mut().map(|one| &mut one.rules), config);
    correct(&mut found, &config.evaluation);
    found.retain(|one| span.symbols.is_empty() || span.symbols.contains(&one.symbol));
    Ok(found)
}

/// Corrects the p-values for all that was looked at, and judges.
fn correct(found: &mut [Assessment], config: &EvaluationConfig) {
    let mut all: Vec<&mut Judgement> = found.iter_mut().flat_map(Assessment::judgements_mut).collect();
    let shifted = |one: &Judgement| one.confirmation.signal_shift.map(|shift| shift.p);
    let p_values: Vec<f64> = all.iter().filter_map(|one| shifted(one)).collect();
    let mut corrected = holm(&p_values).into_iter().zip(benjamini_hochberg(&p_values));
    for one in &mut all {
        (one.corrected_p, one.screened_p) = shifted(one).and_then(|_| corrected.next()).unzip();
        let inputs = VerdictInputs { confirmation: &one.confirmation, corrected_p: one.corrected_p };
        one.verdict = judge(&inputs, config);
    }
}

fn assessed(
    (past, moves): (&Past, &[Vec<(f64, f64)>]),
    (pair, sessions, horizon): (&Pair, &[Session], Horizon),
    (calendars, config): (&Calendars, &Config),
) -> Result<Assessment, JobError> {
    let known = past.days(sessions, horizon, calendars)?;
    let mut base: BTreeMap<Made, Vec<BaseSignal>> = BTreeMap::new();
    for (session, day) in &known {
        let Some(said) = past.said(session) else { continue };
        let own = past.outlook(session, (&calendars.nyse, &config.signals))?.sign();
        if own != 0.0 {
            let made = Made::of(said.made_at, session.open());
            let (side, futures, gross_bp) = (own, said.side.sign(), BASIS_POINTS * own * day.session);
            let signal = BaseSignal { date: day.date, side, futures, gap: day.gap, gross_bp };
            base.entry(made).or_default().push(signal);
        }
    }
    let days: Vec<Day> = known.into_iter().map(|(_, day)| day).collect();
    let pairs = |of: fn(&Day) -> f64| days.iter().map(move |day| (day.futures, of(day)));
    let following: Vec<(f64, f64)> = pairs(|day| day.session).collect();
    let ups: Vec<(bool, bool)> = following.iter().map(|(one, other)| (*one > 0.0, *other > 0.0)).collect();
    let overlaps = horizon.num_sessions() > 1;
    let mut judged = |made| judgement(base.remove(&made).unwrap_or_default(), (&config.evaluation, horizon));
    Ok(Assessment {
        symbol: pair.etf.clone(),
        future: pair.future.clone(),
        horizon: horizon.to_string(),
        num_sessions: sessions.len(),
        num_days: days.len(),
        hits: rated(hits(following.iter().copied()), horizon),
        hits_close_to_close: rated(hits(pairs(Day::close_to_close)), horizon),
        timing: if overlaps { None } else { pesaran_timmermann(&ups) },
        following: mean_of(&days, horizon),
        by_year: by_year(&days, horizon),
        with_gap: with_gap(&days, horizon),
        returns: days.iter().map(|day| day.date).zip(signed_returns(&days)).collect(),
        skill: if overlaps { None } else { skill(&days, &config.evaluation) },
        look_ahead: look_ahead_alarms(&following, &moves.concat()),
        clocks: lead_lag(moves),
        live: judged(Made::Live),
        afterwards: judged(Made::Afterwards),
        rules: Vec::new(),
    })
}

fn with_gap(days: &[Day], horizon: Horizon) -> Option<Regression> {
    let of = |value: fn(&Day) -> f64| days.iter().map(value).collect::<Vec<f64>>();
    let (gaps, futures, came) = (of(|day| day.gap), of(|day| day.futures), of(|day| day.session));
    regression(&[&gaps, &futures], &came, default_lag(days.len(), horizon.num_sessions()))
}

/// Hits with an interval only where the days of one are no days of another.
pub(super) fn rated(of: Hits, horizon: Horizon) -> Hits {
    if horizon.num_sessions() > 1 { of.without_interval() } else { of }
}

/// Blocks of days are no shorter than the horizon, so that what overlaps stays together.
fn drawn(config: &EvaluationConfig, horizon: Horizon) -> Bootstrap {
    let bootstrap = config.bootstrap();
    Bootstrap { mean_block: bootstrap.mean_block.max(f64::from(horizon.num_sessions())), ..bootstrap }
}

/// Fewer days than this for each lag tell a mean, and no t.
const LEAST_DAYS_A_LAG: usize = 10;

fn mean_of(days: &[Day], horizon: Horizon) -> Option<MeanTest> {
    tested(&signed_returns(days), horizon)
}

/// A mean, with its t where there are days enough for the lags that it looks back.
pub(super) fn tested(returns: &[f64], horizon: Horizon) -> Option<MeanTest> {
    let lag = default_lag(returns.len(), horizon.num_sessions());
    let test = mean_test(returns, lag)?;
    let is_enough = returns.len() >= LEAST_DAYS_A_LAG * lag.max(1);
    Some(MeanTest { t: test.t.filter(|_| is_enough), ..test })
}

/// Following the futures of all ETFs: those of one day are one observation, since they share it. How many days there are, too.
#[must_use]
pub fn pooled(found: &[Assessment], horizon: Horizon) -> Option<(usize, MeanTest)> {
    let all: Vec<(NaiveDate, f64)> = found.iter().flat_map(|one| one.returns.iter().copied()).collect();
    let days = pooled_by_day(&all);
    Some((days.len(), tested(&days, horizon)?))
}

fn by_year(days: &[Day], horizon: Horizon) -> Vec<Year> {
    let of_year = |days: &[Day]| {
        let year = days.first()?.date.year();
        let hits = rated(hits(days.iter().map(|day| (day.futures, day.session))), horizon);
        Some(Year { year, hits, following: mean_of(days, horizon) })
    };
    days.chunk_by(|one, other| one.date.year() == other.date.year()).filter_map(of_year).collect()
}

fn judgement(base: Vec<BaseSignal>, (config, horizon): (&EvaluationConfig, Horizon)) -> Judgement {
    let right =
        |signals: &mut dyn Iterator<Item = &BaseSignal>| rated(hits(signals.map(|one| (1.0, one.gross_bp))), horizon);
    Judgement {
        confirmation: confirm(&base, &drawn(config, horizon)),
        hits_base: right(&mut base.iter()),
        hits_confirmed: right(&mut base.iter().filter(|one| one.is_confirmed())),
        base,
        corrected_p: None,
        screened_p: None,
        verdict: Verdict::Insufficient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, futures: f64, session: f64) -> Day {
        Day { date: date.parse().expect("a day"), futures, gap: 0.0, session }
    }

    #[test]
    fn years_are_told_apart() {
        let days = [day("2025-12-30", 0.01, 0.002), day("2025-12-31", 0.01, -0.001), day("2026-01-02", -0.01, -0.003)];
        let years = by_year(&days, Horizon::sessions(1));
        let told: Vec<_> = years.iter().map(|of| (of.year, of.hits.hits, of.hits.n)).collect();
        assert_eq!(told, [(2025, 1, 2), (2026, 1, 1)]);
        let first = years[0].following.expect("days");
        assert!((first.mean - 5.0).abs() < 1e-9 && first.t.is_none(), "two days are no test: {first:?}");
        assert_eq!(
            by_year(&days, Horizon::sessions(5))[0].hits.interval,
            None,
            "days that overlap have no such interval"
        );
    }

    #[test]
    fn blocks_of_days_hold_what_overlaps() {
        let config = EvaluationConfig::default();
        let block = |sessions| drawn(&config, Horizon::sessions(sessions)).mean_block;
        assert!((block(1) - 10.0).abs() < 1e-9 && (block(20) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn p_values_are_corrected_for_everything_that_was_looked_at() {
        let signal = |number: i64, futures: f64| BaseSignal {
            date: NaiveDate::default() + chrono::TimeDelta::days(number),
            side: 1.0,
            futures,
            gap: 0.0,
            gross_bp: if number % 7 == 0 { 20.0 } else { -3.0 },
        };
        let config = EvaluationConfig { draws: 200, ..EvaluationConfig::default() };
        let single = Horizon::sessions(1);
        let base: Vec<BaseSignal> = (0..240).map(|n| signal(n, if n % 7 == 0 { 1.0 } else { -1.0 })).collect();
        let found = |live: Vec<BaseSignal>| Assessment {
            symbol: "SPY".parse().expect("a symbol"),
            future: "ES".parse().expect("a symbol"),
            horizon: "1d".to_owned(),
            num_sessions: 240,
            num_days: 240,
            hits: hits([]),
            hits_close_to_close: hits([]),
            timing: None,
            following: None,
            by_year: Vec::new(),
            with_gap: None,
            returns: vec![(NaiveDate::default(), 4.0)],
            skill: None,
            look_ahead: look_ahead_alarms(&[], &[]),
            clocks: None,
            live: judgement(live, (&config, single)),
            afterwards: judgement(Vec::new(), (&config, single)),
            rules: Vec::new(),
        };
        let mut one = [found(base.clone())];
        correct(&mut one, &config);
        let alone = one[0].live.corrected_p.expect("shifts");
        let mut two = [found(base.clone()), found(base)];
        correct(&mut two, &config);
        let both = two[1].live.corrected_p.expect("shifts");
        assert!((both - 2.0 * alone).abs() < 1e-12, "{alone} {both}");
        assert_eq!(two[1].live.screened_p, Some(alone), "both are as small: screening takes nothing off");
        assert_eq!(two[0].afterwards.corrected_p, None, "nothing was made afterwards");
        assert_eq!(two[0].afterwards.verdict, Verdict::Insufficient);
        two[1].returns = vec![(NaiveDate::default(), 8.0)];
        let (num_days, test) = pooled(&two, single).expect("a day");
        assert!(num_days == 1 && (test.mean - 6.0).abs() < 1e-12, "two ETFs of one day are one observation: {test:?}");
    }
}
