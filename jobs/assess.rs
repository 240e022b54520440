//! What signals have been worth, from the tables: the mornings of past sessions, with what the futures said and what the
//! session then did.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::calendar::{Calendar, Session, Slot};
use crate::config::Config;
use crate::evaluation::{
    BaseSignal, Confirmation, Day, EvaluationConfig, Hits, LookAhead, MeanTest, Skill, Verdict, VerdictInputs, confirm,
    default_lag, hits, holm, judge, least_sessions, look_ahead_alarms, mean_test, signed_returns, skill,
};
use crate::job::{Calendars, JobError};
use crate::lake::{AsOf, KeyRange, Lake};
use crate::market::{DailyBar, DailyClose, FuturesSnapshot, Symbol};
use crate::signals::{Pair, Side, spot_outlook};

use super::mornings::BEFORE_OPEN;
use super::signal_rows::signal_of;

const BASIS_POINTS: f64 = 1e4;

/// Days before the range whose closes the outlook of its first morning needs.
const OUTLOOK_DAYS: TimeDelta = TimeDelta::days(120);

/// Longest stretch without a session of NYSE, and room.
const LONGEST_CLOSURE: TimeDelta = TimeDelta::days(10);

/// Skill is measured on so long a time.
const TRACKED: TimeDelta = TimeDelta::days(3 * 366);

/// What is asked: the ETFs, and the sessions from one day to another.
#[derive(Debug, Clone)]
pub struct Span {
    /// The ETFs; empty: all that have a future.
    pub symbols: Vec<Symbol>,
    /// First session.
    pub from: NaiveDate,
    /// Last session.
    pub to: NaiveDate,
}

/// What the signals of an ETF have been worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// The ETF.
    pub symbol: Symbol,
    /// Its future.
    pub future: Symbol,
    /// Sessions of the range that are over.
    pub num_sessions: usize,
    /// Those of which price of the future and both daily bars are known.
    pub num_days: usize,
    /// How often the future's change before the open had the side of the session.
    pub hits: Hits,
    /// The same from close to close: not tradable, since the gap has happened by then.
    pub hits_close_to_close: Hits,
    /// Following the future each session, bp gross.
    pub following: Option<MeanTest>,
    /// Skill out of sample.
    pub skill: Option<Skill>,
    /// Signs of looking ahead.
    pub look_ahead: LookAhead,
    /// Mornings with a signal on which the ETF's own outlook had a side: those are confirmed or not.
    pub confirmation: Confirmation,
    /// Those mornings one by one, oldest first.
    #[serde(skip)]
    pub base: Vec<BaseSignal>,
    /// How many of those signals were made after the open, from the rows known before it.
    pub num_made_afterwards: usize,
    /// How often the base signals were right.
    pub hits_base: Hits,
    /// How often those were that the futures confirmed.
    pub hits_confirmed: Hits,
    /// The p-value of the shifted signal, corrected for all ETFs looked at.
    pub corrected_p: Option<f64>,
    /// What may be said.
    pub verdict: Verdict,
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
    for pair in config.signals.pairs.iter().filter(|pair| span.symbols.is_empty() || span.symbols.contains(&pair.etf)) {
        let history = History::read(lake, pair, (&sessions, &calendars.nyse)).await?;
        found.push(history.assessed((pair, &sessions), (&calendars.nyse, config))?);
    }
    let p_values: Vec<f64> =
        found.iter().map(|one| one.confirmation.signal_shift.map_or(1.0, |shift| shift.p)).collect();
    for (one, p) in found.iter_mut().zip(holm(&p_values)) {
        one.corrected_p = one.confirmation.signal_shift.map(|_| p);
        one.verdict = judged(one, &config.evaluation);
    }
    Ok(found)
}

fn judged(one: &Assessment, config: &EvaluationConfig) -> Verdict {
    judge(&VerdictInputs { confirmation: &one.confirmation, corrected_p: one.corrected_p }, config)
}

/// Sessions of a pair that are over, for the skill that was measured before each of some mornings.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Track {
    days: Vec<Day>,
}

impl Track {
    /// Those that were over at an instant, of three years. Where the ETF has too few daily bars for any skill to be told, the
    /// future's prices are not read at all.
    pub(super) async fn read(
        lake: &Lake,
        (pair, until): (&Pair, DateTime<Utc>),
        (calendars, config): (&Calendars, &Config),
    ) -> Result<Self, JobError> {
        let nyse = &calendars.nyse;
        let from = (until - TRACKED).date_naive().max(*nyse.coverage().start());
        let mut sessions = nyse.sessions(from, until.date_naive())?;
        sessions.retain(|session| session.close() <= until);
        let Some((first, last)) = sessions.first().zip(sessions.last()) else { return Ok(Self::default()) };
        let range = KeyRange { symbols: vec![pair.etf.clone()], from: first.open(), to: last.close() };
        if lake.daily(&range, &AsOf::Latest).await?.len() < least_sessions(&config.evaluation) {
            return Ok(Self::default());
        }
        let history = History::read(lake, pair, (&sessions, nyse)).await?;
        Ok(Self { days: history.days(&sessions, nyse)?.into_iter().map(|(_, day)| day).collect() })
    }

    /// What the future's skill was measured to be before a day; none where too few sessions came before it.
    pub(super) fn predictive_value(&self, before: NaiveDate, config: &EvaluationConfig) -> Option<f64> {
        let days = self.days.get(..self.days.partition_point(|day| day.date < before))?;
        let is_enough = days.len() >= least_sessions(config);
        skill(days, config).filter(|_| is_enough).and_then(|skill| skill.predictive_value)
    }
}

/// What the tables have of a pair.
struct History {
    /// The future's row of each morning.
    mornings: BTreeMap<Slot, FuturesSnapshot>,
    /// The side of the signal of each morning, and when the signal was made.
    sides: BTreeMap<Slot, (Side, DateTime<Utc>)>,
    daily: BTreeMap<NaiveDate, DailyBar>,
}

/// The day of the session before the first one; none where the calendar begins there.
fn session_before(sessions: &[Session], nyse: &Calendar) -> Result<Option<NaiveDate>, JobError> {
    let Some(first) = sessions.first().map(|session| session.day.date()) else { return Ok(None) };
    let from = (first - LONGEST_CLOSURE).max(*nyse.coverage().start());
    let before = nyse.sessions(from, first)?.into_iter().map(|session| session.day.date());
    Ok(before.rev().find(|day| *day < first))
}

/// The slot of a session's signal.
fn morning(session: &Session) -> Slot {
    Slot::at_or_before(session.open() - BEFORE_OPEN)
}

impl History {
    async fn read(lake: &Lake, pair: &Pair, (sessions, nyse): (&[Session], &Calendar)) -> Result<Self, JobError> {
        let mut history = Self { mornings: BTreeMap::new(), sides: BTreeMap::new(), daily: BTreeMap::new() };
        let Some((first, last)) = sessions.first().zip(sessions.last()) else { return Ok(history) };
        let covered = nyse.coverage().start().and_time(chrono::NaiveTime::MIN).and_utc();
        let from = (first.open() - OUTLOOK_DAYS).max(covered);
        let of = |symbol: &Symbol, from| KeyRange { symbols: vec![symbol.clone()], from, to: last.close() };
        let daily = lake.daily(&of(&pair.etf, from), &AsOf::Latest).await?;
        history.daily = daily.into_iter().map(|bar| (bar.date.date(), bar)).collect();
        let start = first.open() - TimeDelta::days(1);
        for row in lake.signals(&of(&pair.etf, start), &AsOf::Latest).await? {
            history.sides.insert(row.as_of, (signal_of(&row)?.signal.side(), row.generated_at));
        }
        // Month by month, so that no more than a month of five-minute rows is held.
        for month in sessions.chunk_by(|one, other| {
            one.day.date().format("%Y%m").to_string() == other.day.date().format("%Y%m").to_string()
        }) {
            let Some((first, last)) = month.first().zip(month.last()) else { continue };
            let wanted: Vec<Slot> = month.iter().map(morning).collect();
            let range = KeyRange {
                symbols: vec![pair.future.clone()],
                from: morning(first).instant(),
                to: morning(last).instant(),
            };
            let rows = lake.futures(&range, &AsOf::Latest).await?.into_iter();
            let of_mornings = rows.filter(|row| wanted.contains(&row.timestamp));
            history.mornings.extend(of_mornings.map(|row| (row.timestamp, row)));
        }
        Ok(history)
    }

    /// What is known of a session; none where a number is missing.
    fn day(&self, session: &Session) -> Option<Day> {
        let row = self.mornings.get(&morning(session))?;
        let last = row.last?;
        let reference = last - row.changes.since_close?;
        let date = session.day.date();
        let bar = self.daily.get(&date)?;
        let (_, before) = self.daily.range(..date).next_back()?;
        let is_sound = [last, reference, bar.open, bar.close, before.close].iter().all(|price| *price > 0.0);
        is_sound.then(|| Day {
            date,
            futures: (last / reference).ln(),
            gap: (bar.open / before.close).ln(),
            session: (bar.close / bar.open).ln(),
        })
    }

    /// The sessions of which all is known, each with what it was like.
    fn days<'a>(&self, sessions: &'a [Session], nyse: &Calendar) -> Result<Vec<(&'a Session, Day)>, JobError> {
        let (mut days, mut adjacent) = (Vec::new(), session_before(sessions, nyse)?);
        for session in sessions {
            let before = adjacent.replace(session.day.date());
            // Over a session without a bar there is no gap of one night.
            let has_before = before.is_none_or(|before| self.daily.contains_key(&before));
            days.extend(self.day(session).filter(|_| has_before).map(|day| (session, day)));
        }
        Ok(days)
    }

    /// The side that the closes before a session had of their own.
    fn outlook(
        &self,
        (symbol, session): (&Symbol, &Session),
        (nyse, config): (&Calendar, &Config),
    ) -> Result<Side, JobError> {
        let before = self.daily.range(..session.day.date()).map(|(_, bar)| DailyClose::from(bar));
        let closes: Vec<DailyClose> = before.filter(|close| close.symbol == *symbol).collect();
        let outlook = spot_outlook(&closes, (morning(session).instant(), nyse), &config.signals)?;
        Ok(outlook.map_or(Side::Neutral, |outlook| outlook.side))
    }

    fn assessed(
        &self,
        (pair, sessions): (&Pair, &[Session]),
        (nyse, config): (&Calendar, &Config),
    ) -> Result<Assessment, JobError> {
        let (mut base, mut num_made_afterwards) = (Vec::new(), 0);
        let known = self.days(sessions, nyse)?;
        for (session, day) in &known {
            let Some((side, made_at)) = self.sides.get(&morning(session)) else { continue };
            let own = self.outlook((&pair.etf, session), (nyse, config))?.sign();
            if own != 0.0 {
                num_made_afterwards += usize::from(*made_at >= session.open());
                base.push(BaseSignal {
                    date: day.date,
                    side: own,
                    futures: side.sign(),
                    gap: day.gap,
                    gross_bp: BASIS_POINTS * own * day.session,
                });
            }
        }
        let days: Vec<Day> = known.into_iter().map(|(_, day)| day).collect();
        let returns = signed_returns(&days);
        let right = |signals: &mut dyn Iterator<Item = &BaseSignal>| hits(signals.map(|one| (1.0, one.gross_bp)));
        let pairs = |of: fn(&Day) -> f64| days.iter().map(move |day| (day.futures, of(day)));
        let following: Vec<(f64, f64)> = pairs(|day| day.session).collect();
        let confirmation = confirm(&base, &config.evaluation.bootstrap());
        Ok(Assessment {
            symbol: pair.etf.clone(),
            future: pair.future.clone(),
            num_sessions: sessions.len(),
            num_days: days.len(),
            hits: hits(pairs(|day| day.session)),
            hits_close_to_close: hits(pairs(Day::close_to_close)),
            following: mean_test(&returns, default_lag(returns.len(), 1)),
            skill: skill(&days, &config.evaluation),
            // The gap is of another interval, so nothing is told here of moves at the same time.
            look_ahead: look_ahead_alarms(&following, &[]),
            hits_base: right(&mut base.iter()),
            hits_confirmed: right(&mut base.iter().filter(|one| one.is_confirmed())),
            confirmation,
            base,
            num_made_afterwards,
            corrected_p: None,
            verdict: Verdict::Insufficient,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_before_the_day_make_its_predictive_value() {
        let config = EvaluationConfig::default();
        let first: NaiveDate = "2024-01-01".parse().expect("a day");
        // A future that tells the session: the skill is there.
        let day = |number: i64| {
            let sign = if (number * 7 % 11) % 2 == 0 { 1.0 } else { -1.0 };
            Day { date: first + TimeDelta::days(number), futures: 0.01 * sign, gap: 0.0, session: 0.005 * sign }
        };
        let least = i64::try_from(least_sessions(&config)).expect("small");
        let mut track = Track { days: (0..least + 30).map(day).collect() };
        let morning = first + TimeDelta::days(least + 10);
        let value = track.predictive_value(morning, &config);
        assert!(value.is_some_and(|value| value > 0.9), "{value:?}");
        for day in track.days.iter_mut().filter(|day| day.date >= morning) {
            day.session = -day.session;
        }
        assert_eq!(track.predictive_value(morning, &config), value, "what came later changes nothing");
        assert_eq!(track.predictive_value(first + TimeDelta::days(least - 1), &config), None, "too few sessions");
        assert_eq!(Track::default().predictive_value(morning, &config), None);
    }
}
