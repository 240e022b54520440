//! What was known of an ETF and its future at an instant, as signals and rules ask for it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{TradingDay, to_new_york};
use crate::config::Config;
use crate::job::{Calendars, JobError};
use crate::lake::{AsOf, KeyRange, Lake};
use crate::market::{DailyBar, DailyClose, FuturesSnapshot, PricePoint, Symbol};
use crate::signals::{Derived, EtfInputs, KnownBy, SignalInputs, derive};

use super::assess::Track;

/// A row this old at the close still tells the close: the last slots of a session can be missing.
const CLOSE_ROOM: TimeDelta = TimeDelta::minutes(10);

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
}

impl Known {
    /// The signal, or why there is none.
    ///
    /// # Errors
    /// Where the calendar does not reach there.
    pub fn signal(&self, calendars: &Calendars, config: &Config) -> Result<Derived, JobError> {
        let inputs = SignalInputs {
            symbol: &self.etf,
            as_of: self.as_of,
            known_by: KnownBy::Slot,
            rows: &self.rows,
            etf: self.prices,
            calendar: &calendars.futures,
            config: &config.signals,
            predictive_value: self.predictive_value,
        };
        Ok(derive(&inputs)?)
    }
}

/// Reads what was known of an ETF at an instant.
///
/// # Errors
/// Where the tables cannot be read, or the calendar does not reach there.
pub async fn known(
    lake: &Lake,
    (etf, as_of): (&Symbol, DateTime<Utc>),
    (calendars, config): (&Calendars, &Config),
) -> Result<Known, JobError> {
    let track = match config.signals.pair(etf) {
        Some(pair) => Track::read(lake, (pair, as_of), (calendars, config)).await?,
        None => Track::default(),
    };
    known_after(lake, (etf, as_of, &track), (calendars, config)).await
}

/// The same, where the sessions before are known already.
pub(super) async fn known_after(
    lake: &Lake,
    (etf, as_of, track): (&Symbol, DateTime<Utc>, &Track),
    (calendars, config): (&Calendars, &Config),
) -> Result<Known, JobError> {
    let signals = &config.signals;
    let rows = match signals.pair(etf) {
        Some(pair) => {
            let from = as_of - days_of(signals.deviation_sessions);
            lake.futures(&KeyRange { symbols: vec![pair.future.clone()], from, to: as_of }, &AsOf::Latest).await?
        }
        None => Vec::new(),
    };
    let EtfKnown { prices, closes } = etf_known(lake, (etf, as_of), (calendars, config)).await?;
    let predictive_value = track.predictive_value(to_new_york(as_of).date_naive(), &config.evaluation);
    Ok(Known { etf: etf.clone(), as_of, rows, prices, closes, predictive_value })
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
    (etf, as_of): (&Symbol, DateTime<Utc>),
    (calendars, config): (&Calendars, &Config),
) -> Result<EtfKnown, JobError> {
    let from = as_of - days_of(config.signals.outlook_long_sessions);
    let spot = lake.spot(&KeyRange { symbols: vec![etf.clone()], from, to: as_of }, &AsOf::Latest).await?;
    let points: Vec<PricePoint> =
        spot.iter().filter_map(|row| Some(PricePoint { at: row.timestamp.instant(), price: row.last? })).collect();
    let (mut closes, mut close) = (Vec::new(), None);
    for session in calendars.nyse.sessions(from.date_naive(), as_of.date_naive())? {
        let end = session.close();
        let Some(point) = standing(&points, end).filter(|point| end <= as_of && end - point.at <= CLOSE_ROOM) else {
            continue;
        };
        closes.push(DailyClose { symbol: etf.clone(), date: session.day, close: point.price });
        close = Some(PricePoint { at: end, price: point.price });
    }
    let daily = lake.daily(&KeyRange { symbols: vec![etf.clone()], from, to: as_of }, &AsOf::Latest).await?;
    let closes = merged(closes, &daily);
    let prices = EtfInputs { close, spot: points.last().copied(), dividend: 0.0 };
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
