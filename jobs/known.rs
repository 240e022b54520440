//! What was known of an ETF and its future at an instant, as signals and rules ask for it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Session, TradingDay, to_new_york};
use crate::config::Config;
use crate::job::{Calendars, JobError};
use crate::lake::{AsOf, KeyRange, Lake};
use crate::market::{DailyBar, DailyClose, FuturesSnapshot, PricePoint, Symbol, WentEx};
use crate::signals::{Derived, EtfInputs, KnownBy, SignalInputs, derive};

use super::index_feed::level_at;
use super::track::Track;

/// A row this old at the close still tells the close: the last slots of a session can be missing.
const CLOSE_ROOM: TimeDelta = TimeDelta::minutes(10);

/// So far back a close is taken from the snapshots where its daily bar is not there: over the longest closure, and some.
const RECENT: TimeDelta = TimeDelta::days(14);

/// What was known at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The ETF.
    pub etf: Symbol,
    /// The instant.
    pub as_of: DateTime<Utc>,
    /// Rows of its future, in order of time, for as many sessions as a signal looks back.
    pub rows: Vec<FuturesSnapshot>,
    /// Prices of the ETF.
    pub prices: EtfInputs,
    /// Closes of its sessions, oldest first, for as many sessions as the outlook looks back; those that the table has.
    pub closes: Vec<DailyClose>,
    /// What the skill of its future had been measured to be; none where too few sessions were over.
    pub predictive_value: Option<f64>,
    /// By what its rows count as known.
    pub known_by: KnownBy,
}

impl Known {
    /// The signal, or why there is none.
    ///
    /// # Errors
    /// Where the calendar does not reach there.
    pub fn signal(&self, calendars: &Calendars, config: &Config) -> Result<Derived, JobError> {
        let future = config.signals.pair(&self.etf).map(|pair| &pair.future);
        let inputs = SignalInputs {
            symbol: &self.etf,
            as_of: self.as_of,
            known_by: self.known_by,
            rows: &self.rows,
            etf: self.prices,
            calendar: &calendars.futures,
            config: &config.signals,
            tick: future.and_then(|future| config.market.future(future).ok()).map(|spec| spec.tick),
            predictive_value: self.predictive_value,
        };
        Ok(derive(&inputs)?)
    }
}

/// What is asked: an ETF as of an instant, from the rows of the tables as they are to be seen.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The ETF.
    pub etf: &'a Symbol,
    /// The instant: nothing stamped later counts.
    pub as_of: DateTime<Utc>,
    /// All rows, or those that had been captured by some instant.
    pub rows: AsOf,
}

/// Reads what was known of an ETF at an instant.
///
/// # Errors
/// Where the tables cannot be read, or the calendar does not reach there.
pub async fn known(
    lake: &Lake,
    question: Question<'_>,
    (calendars, config): (&Calendars, &Config),
) -> Result<Known, JobError> {
    let track = match config.signals.pair(question.etf) {
        Some(pair) => {
            let mornings = (question.as_of, question.as_of);
            Track::read(lake, (pair, mornings, question.rows), (calendars, config)).await?
        }
        None => Track::default(),
    };
    known_after(lake, (question, &track), (calendars, config)).await
}

/// The same, where the sessions before are known already.
pub(super) async fn known_after(
    lake: &Lake,
    (question, track): (Question<'_>, &Track),
    (calendars, config): (&Calendars, &Config),
) -> Result<Known, JobError> {
    let (signals, Question { etf, as_of, rows: seen }) = (&config.signals, question);
    let rows = match signals.pair(etf) {
        Some(pair) => {
            let from = as_of - days_of(signals.deviation_sessions);
            lake.futures(&KeyRange { symbols: vec![pair.future.clone()], from, to: as_of }, &seen).await?
        }
        None => Vec::new(),
    };
    let EtfKnown { mut prices, closes } = etf_known(lake, question, (calendars, config)).await?;
    let feed = signals.pair(etf).and_then(|pair| pair.index.as_ref()).zip(signals.index_file.as_ref());
    if let Some((index, path)) = feed {
        prices.index = level_at(path, (index, as_of));
    }
    let predictive_value = track.predictive_value(to_new_york(as_of).date_naive(), &config.evaluation);
    let known_by = match seen {
        AsOf::Latest | AsOf::Version(_) => KnownBy::Slot,
        AsOf::Instant(at) => KnownBy::Capture(at),
    };
    Ok(Known { etf: etf.clone(), as_of, rows, prices, closes, predictive_value, known_by })
}

/// What was known of an ETF alone.
pub(super) struct EtfKnown {
    /// Its prices.
    prices: EtfInputs,
    /// Closes of its sessions, oldest first.
    pub(super) closes: Vec<DailyClose>,
}

/// Reads what was known of an ETF alone.
pub(super) async fn etf_known(
    lake: &Lake,
    Question { etf, as_of, rows }: Question<'_>,
    (calendars, config): (&Calendars, &Config),
) -> Result<EtfKnown, JobError> {
    let range = |from| KeyRange { symbols: vec![etf.clone()], from, to: as_of };
    // Only the newest sessions may lack their daily bar.
    let from = as_of - RECENT;
    let spot = lake.spot(&range(from), &rows).await?;
    let points: Vec<PricePoint> =
        spot.iter().filter_map(|row| Some(PricePoint { at: row.timestamp.instant(), price: row.last? })).collect();
    let mut sessions = calendars.nyse.sessions(from.date_naive(), as_of.date_naive())?;
    sessions.retain(|session| session.close() <= as_of);
    let at_close = |session: &Session| {
        let point = standing(&points, session.close())?;
        (session.close() - point.at <= CLOSE_ROOM).then_some(point.price)
    };
    let close_of = |session: &Session| {
        let close = at_close(session)?;
        Some(DailyClose { symbol: etf.clone(), date: session.day, close })
    };
    let closes = sessions.iter().filter_map(close_of).collect();
    let daily = lake.daily(&range(as_of - days_of(config.signals.outlook_long_sessions)), &rows).await?;
    let closes = merged(closes, &daily);
    // The last close, and none before it: the future's is of the same instant.
    let close = sessions.last().and_then(|session| {
        let of_day = || closes.iter().rfind(|close| close.date == session.day).map(|close| close.close);
        let price = at_close(session).or_else(of_day)?;
        Some((session.day.date(), PricePoint { at: session.close(), price }))
    });
    let went_ex = close.map(|(day, _)| calendars.dividends.between(etf, (day, to_new_york(as_of).date_naive())));
    let prices = EtfInputs {
        close: close.map(|(_, point)| point),
        spot: points.last().copied(),
        dividend: went_ex.and_then(WentEx::usd),
        index: None,
    };
    Ok(EtfKnown { prices, closes })
}

/// The closes of the daily bars, and those of the snapshots where a session has none.
fn merged(of_snapshots: Vec<DailyClose>, daily: &[DailyBar]) -> Vec<DailyClose> {
    let of_snapshots = of_snapshots.into_iter().map(|close| (close.date, close));
    let days: BTreeMap<TradingDay, DailyClose> =
        of_snapshots.chain(daily.iter().map(|bar| (bar.date, DailyClose::from(bar)))).collect();
    days.into_values().collect()
}

/// The newest price at or before an instant.
fn standing(points: &[PricePoint], at: DateTime<Utc>) -> Option<PricePoint> {
    points.get(points.partition_point(|point| point.at <= at).checked_sub(1)?).copied()
}

/// Days in which there are so many sessions, whatever the holidays.
fn days_of(sessions: u32) -> TimeDelta {
    TimeDelta::days(i64::from(sessions) * 7 / 5 + 7)
}
