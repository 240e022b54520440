//! The outlook of the ETF itself: its close against the averages of its closes.

use chrono::{DateTime, Utc};

use crate::calendar::Calendar;
use crate::market::DailyClose;

use super::{Side, SignalError, SignalsConfig};

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

/// Bullish where the close is above the shorter average and that above the longer, bearish where both are in the other
/// order, else neutral. None where there are too few sessions.
///
/// # Errors
/// [`SignalError::UnfinishedSession`] where a session's close lies after the instant; where the calendar does not reach.
pub fn spot_outlook(
    closes: &[DailyClose],
    (as_of, nyse): (DateTime<Utc>, &Calendar),
    config: &SignalsConfig,
) -> Result<Option<SpotOutlook>, SignalError> {
    for daily in closes {
        let is_over = nyse.session(daily.date.date())?.is_some_and(|session| session.close() <= as_of);
        if !is_over {
            let (symbol, date) = (daily.symbol.clone(), daily.date.date());
            return Err(SignalError::UnfinishedSession { symbol, date, as_of });
        }
    }
    let closes: Vec<f64> = closes.iter().map(|daily| daily.close).collect();
    let means = mean(&closes, config.outlook_short_sessions).zip(mean(&closes, config.outlook_long_sessions));
    let (Some(close), Some((short, long))) = (closes.last().copied(), means) else { return Ok(None) };
    let side = if close > short && short > long {
        Side::Bullish
    } else if close < short && short < long {
        Side::Bearish
    } else {
        Side::Neutral
    };
    Ok(Some(SpotOutlook { side, averages: Some(Averages { close, short, long }) }))
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
        found.map(|outlook| outlook.side)
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
