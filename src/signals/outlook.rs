//! The outlook of the ETF itself: its close against the averages of its closes.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Calendar, to_new_york};
use crate::market::DailyClose;

use super::{Side, SignalError, SignalsConfig};

/// So long after its close a session's close is due: by then its daily bar is final and backfill has asked for it.
const DUE_AFTER: TimeDelta = TimeDelta::minutes(30);

/// Where the ETF stands, and by what numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpotOutlook {
    /// Bullish, neutral or bearish.
    pub side: Side,
    /// What it was judged by; none where a person gave it.
    pub averages: Option<Averages>,
}

/// The last close and the averages of closes, US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averages {
    /// The newest close.
    pub close: f64,
    /// The session that it is of.
    pub close_date: NaiveDate,
    /// The mean of the shorter stretch.
    pub short: f64,
    /// The mean of the longer one.
    pub long: f64,
}

impl SpotOutlook {
    /// An outlook that a person gives.
    #[must_use]
    pub fn given(side: Side) -> Self {
        Self { side, averages: None }
    }
}

/// Why the outlook is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoOutlook {
    /// The averages need more sessions.
    TooFew {
        /// Closes that there are.
        known: usize,
        /// Closes that the longer average needs.
        needed: u32,
    },
    /// The newest close is not of the last session that is due.
    Old {
        /// The session of the newest close.
        newest: NaiveDate,
        /// The last session whose close is due.
        due: NaiveDate,
    },
}

impl fmt::Display for NoOutlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { known, needed } => {
                write!(f, "the outlook needs the closes of {needed} sessions, of which {known} are known")
            }
            Self::Old { newest, due } => {
                write!(f, "the outlook needs the close of {due}, and the newest one is of {newest}")
            }
        }
    }
}

/// Bullish where the close is above the shorter average and that above the longer, bearish where both are in the other
/// order, else neutral. Not known where there are too few sessions, or where the newest close is not of the last session that
/// closed half an hour or more before the instant.
///
/// # Errors
/// [`SignalError::UnfinishedSession`] where a session's close lies after the instant; where the calendar does not reach.
pub fn spot_outlook(
    closes: &[DailyClose],
    (as_of, nyse): (DateTime<Utc>, &Calendar),
    config: &SignalsConfig,
) -> Result<Result<SpotOutlook, NoOutlook>, SignalError> {
    for daily in closes {
        let is_over = nyse.session(daily.date.date())?.is_some_and(|session| session.close() <= as_of);
        if !is_over {
            let (symbol, date) = (daily.symbol.clone(), daily.date.date());
            return Err(SignalError::UnfinishedSession { symbol, date, as_of });
        }
    }
    let due = to_new_york(nyse.last_regular_close(as_of - DUE_AFTER)?).date_naive();
    let newest = closes.last().map(|daily| daily.date.date());
    let closes: Vec<f64> = closes.iter().map(|daily| daily.close).collect();
    let (known, needed) = (closes.len(), config.outlook_long_sessions);
    let means = mean(&closes, config.outlook_short_sessions).zip(mean(&closes, config.outlook_long_sessions));
    let (Some(close), Some(close_date), Some((short, long))) = (closes.last().copied(), newest, means) else {
        return Ok(Err(NoOutlook::TooFew { known, needed }));
    };
    if close_date < due {
        return Ok(Err(NoOutlook::Old { newest: close_date, due }));
    }
    let side = if close > short && short > long {
        Side::Bullish
    } else if close < short && short < long {
        Side::Bearish
    } else {
        Side::Neutral
    };
    Ok(Ok(SpotOutlook { side, averages: Some(Averages { close, close_date, short, long }) }))
}

/// The mean of the newest so many; none where there are fewer.
fn mean(closes: &[f64], sessions: u32) -> Option<f64> {
    let first = closes.len().checked_sub(usize::try_from(sessions).ok()?)?;
    let newest = closes.get(first..).filter(|newest| !newest.is_empty())?;
    Some(newest.iter().sum::<f64>() / f64::from(sessions))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::calendar::CalendarId;
    use crate::signals::fixtures::{daily_bar, instant};

    fn bars(close: impl Fn(u32) -> f64) -> Vec<DailyClose> {
        let nyse = Calendar::embedded(CalendarId::Nyse);
        let day = |month, day| NaiveDate::from_ymd_opt(2026, month, day).expect("a date");
        let sessions = nyse.sessions(day(9, 1), day(11, 17)).expect("covered");
        (0..)
            .zip(sessions)
            .map(|(number, session)| DailyClose::from(&daily_bar("SPY", &session, close(number))))
            .collect()
    }

    fn outlook(bars: &[DailyClose]) -> Option<Side> {
        let nyse = Calendar::embedded(CalendarId::Nyse);
        let as_of = instant("2026-11-18T14:00:00Z");
        let found = spot_outlook(bars, (as_of, &nyse), &SignalsConfig::default()).expect("known");
        found.ok().map(|outlook| outlook.side)
    }

    #[test]
    fn closes_that_end_three_sessions_ago_give_no_outlook() {
        let nyse = Calendar::embedded(CalendarId::Nyse);
        let all = bars(|day| 500.0 + f64::from(day));
        let at = |closes: &[DailyClose], as_of: &str| {
            spot_outlook(closes, (instant(as_of), &nyse), &SignalsConfig::default()).expect("known")
        };
        let date = |day| NaiveDate::from_ymd_opt(2026, 11, day).expect("a date");
        let fresh = at(&all, "2026-11-18T14:00:00Z").expect("of the day before");
        assert_eq!(fresh.averages.map(|averages| averages.close_date), Some(date(17)));
        let old = at(&all[..all.len() - 3], "2026-11-18T14:00:00Z").expect_err("three sessions old");
        assert_eq!(old, NoOutlook::Old { newest: date(12), due: date(17) });
        assert_eq!(old.to_string(), "the outlook needs the close of 2026-11-17, and the newest one is of 2026-11-12");
        let before = &all[..all.len() - 1];
        assert!(at(before, "2026-11-17T21:29:00Z").is_ok(), "the close of 16:00 is not due yet");
        assert!(at(before, "2026-11-17T21:30:00Z").is_err());
    }

    #[test]
    fn rising_closes_are_bullish_falling_ones_bearish_and_level_ones_neither() {
        assert_eq!(outlook(&bars(|day| 500.0 + f64::from(day))), Some(Side::Bullish));
        assert_eq!(outlook(&bars(|day| 500.0 - f64::from(day))), Some(Side::Bearish));
        assert_eq!(outlook(&bars(|_| 500.0)), Some(Side::Neutral));
    }

    #[test]
    fn fewer_than_fifty_sessions_tell_nothing() {
        let all = bars(|day| 500.0 + f64::from(day));
        assert_eq!(outlook(&all[all.len() - 49..]), None);
        assert_eq!(outlook(&all[all.len() - 50..]), Some(Side::Bullish));
    }

    #[test]
    fn a_session_that_is_not_over_is_refused() {
        let nyse = Calendar::embedded(CalendarId::Nyse);
        let error = spot_outlook(&bars(f64::from), (instant("2026-11-17T20:59:00Z"), &nyse), &SignalsConfig::default());
        assert!(error.expect_err("too early").to_string().contains("2026-11-17 is not over"));
    }
}
