//! What the skill of a future had been measured to be before a morning.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::config::Config;
use crate::evaluation::{Day, EvaluationConfig, least_sessions, predictive_value};
use crate::job::{Calendars, JobError};
use crate::lake::{AsOf, KeyRange, Lake};
use crate::rules::Horizon;
use crate::signals::Pair;

use super::past::Past;

/// Skill is measured on so long a time.
const TRACKED: TimeDelta = TimeDelta::days(3 * 366);

/// Sessions of a pair that are over, for the skill that was measured before each of some mornings.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Track {
    days: Vec<Day>,
}

impl Track {
    /// Those that were over at the last of some mornings, from three years before the first of them. Where the ETF has too
    /// few daily bars for any skill to be told, the future's prices are not read at all.
    pub(super) async fn read(
        lake: &Lake,
        (pair, (first, until), rows): (&Pair, (DateTime<Utc>, DateTime<Utc>), AsOf),
        (calendars, config): (&Calendars, &Config),
    ) -> Result<Self, JobError> {
        let nyse = &calendars.nyse;
        let from = (first - TRACKED).date_naive().max(*nyse.coverage().start());
        let mut sessions = nyse.sessions(from, until.date_naive())?;
        sessions.retain(|session| session.close() <= until);
        let Some((first, last)) = sessions.first().zip(sessions.last()) else { return Ok(Self::default()) };
        let range = KeyRange { symbols: vec![pair.etf.clone()], from: first.open(), to: last.close() };
        if lake.daily(&range, &rows).await?.len() < least_sessions(&config.evaluation) {
            return Ok(Self::default());
        }
        let past = Past::read(lake, (pair, rows), (&sessions, calendars)).await?;
        let days = past.days(&sessions, Horizon::sessions(1), calendars)?;
        Ok(Self { days: days.into_iter().map(|(_, day)| day).collect() })
    }

    /// What the future's skill was measured to be in the three years before a day, whatever else was read; none where too few
    /// sessions came before it.
    pub(super) fn predictive_value(&self, before: NaiveDate, config: &EvaluationConfig) -> Option<f64> {
        let first = self.days.partition_point(|day| day.date < before - TRACKED);
        let days = self.days.get(first..self.days.partition_point(|day| day.date < before))?;
        let is_enough = days.len() >= least_sessions(config);
        if is_enough { predictive_value(days, config) } else { None }
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
        let mut longer = track.clone();
        longer.days.insert(0, Day { date: morning - TRACKED - TimeDelta::days(1), ..track.days[0] });
        assert_eq!(longer.predictive_value(morning, &config), value, "nor does what came three years before");
        assert_eq!(track.predictive_value(first + TimeDelta::days(least - 1), &config), None, "too few sessions");
        assert_eq!(Track::default().predictive_value(morning, &config), None);
    }
}
