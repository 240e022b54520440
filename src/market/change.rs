//! Price changes against prices standing earlier, always of one contract.
//!
//! The price standing at an instant is the last one seen at or before it. While the market was open at that instant it
//! may be at most ten minutes old, else it is unknown: a hole of ours is not a price. While the market was closed it is
//! the price standing at the close before.
//!
//! The age of a price counts from the slot of its row, live or backfilled, not from the trade in it. A row holds a trade of the five
//! minutes before its slot in either case: a bar is made of those, and a live quote with an older trade is stale.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, CalendarError, Slot};

use super::round_to_tick;

/// How old the price standing at an open instant may be, in minutes.
pub const MAX_PRICE_AGE_MINUTES: i64 = 10;

const MAX_PRICE_AGE: TimeDelta = TimeDelta::minutes(MAX_PRICE_AGE_MINUTES);

/// Price changes of a row in points; unknown where no price stood.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Changes {
    /// Over one hour.
    pub one_hour: Option<f64>,
    /// Over four hours.
    pub four_hours: Option<f64>,
    /// Over eight hours.
    pub overnight: Option<f64>,
    /// Over 24 hours.
    pub daily: Option<f64>,
    /// Since the newest regular close of NYSE at or before the slot (16:00 ET, 13:00 on half days).
    pub since_close: Option<f64>,
}

/// A price and the instant at which it was known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PricePoint {
    /// When it was known.
    pub at: DateTime<Utc>,
    /// Points.
    pub price: f64,
}

/// The instants at which the five changes of a slot look back, moved to the close before where the market was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeReferences {
    one_hour: DateTime<Utc>,
    four_hours: DateTime<Utc>,
    overnight: DateTime<Utc>,
    daily: DateTime<Utc>,
    since_close: DateTime<Utc>,
}

impl ChangeReferences {
    /// Finds the five instants of a slot.
    ///
    /// # Errors
    /// Where the calendars do not reach back far enough.
    pub fn of(slot: Slot, futures: &Calendar, nyse: &Calendar) -> Result<Self, CalendarError> {
        let back = |hours| standing_instant(slot.instant() - TimeDelta::hours(hours), futures);
        Ok(Self {
            one_hour: back(1)?,
            four_hours: back(4)?,
            overnight: back(8)?,
            daily: back(24)?,
            since_close: standing_instant(nyse.last_regular_close(slot.instant())?, futures)?,
        })
    }

    /// The oldest instant from which a price can still matter.
    #[must_use]
    pub fn oldest(&self) -> DateTime<Utc> {
        self.all().into_iter().min().unwrap_or(self.daily) - MAX_PRICE_AGE
    }

    /// The changes of a price against the history of its contract, rounded to the contract's tick.
    #[must_use]
    pub fn changes(&self, last: Option<f64>, history: &PriceHistory, tick: f64) -> Changes {
        let against = |instant| Some(round_to_tick(last? - history.standing_at(instant)?, tick));
        Changes {
            one_hour: against(self.one_hour),
            four_hours: against(self.four_hours),
            overnight: against(self.overnight),
            daily: against(self.daily),
            since_close: against(self.since_close),
        }
    }

    /// The instants at which a history knows no price.
    #[must_use]
    pub fn unknown_in(&self, history: &PriceHistory) -> Vec<DateTime<Utc>> {
        self.all().into_iter().filter(|instant| history.standing_at(*instant).is_none()).collect()
    }

    fn all(&self) -> [DateTime<Utc>; 5] {
        [self.one_hour, self.four_hours, self.overnight, self.daily, self.since_close]
    }
}

/// Where the price standing at an instant was last able to move: the instant itself, or the close before it.
fn standing_instant(instant: DateTime<Utc>, calendar: &Calendar) -> Result<DateTime<Utc>, CalendarError> {
    match calendar.segment_of(instant)? {
        Some(_) => Ok(instant),
        None => calendar.last_close(instant),
    }
}

/// Prices of one contract in order of time, one per instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceHistory(Vec<PricePoint>);

impl PriceHistory {
    /// Orders the points. Of two at one instant the earlier argument stands: give the table's rows before the gateway's
    /// bars.
    #[must_use]
    pub fn new(points: impl IntoIterator<Item = PricePoint>) -> Self {
        let mut points: Vec<PricePoint> = points.into_iter().collect();
        points.sort_by_key(|point| point.at);
        points.dedup_by_key(|point| point.at);
        Self(points)
    }

    /// The price standing at an open instant: at most ten minutes old.
    #[must_use]
    pub fn standing_at(&self, instant: DateTime<Utc>) -> Option<f64> {
        let later = self.0.partition_point(|point| point.at <= instant);
        let point = self.0.get(later.checked_sub(1)?)?;
        (instant - point.at <= MAX_PRICE_AGE).then_some(point.price)
    }

    /// Its points, in order of time.
    pub fn points(self) -> impl Iterator<Item = PricePoint> {
        self.0.into_iter()
    }

    /// This history with one price that stands above all others of its instant.
    #[must_use]
    pub fn with_price(self, point: PricePoint) -> Self {
        Self::new(std::iter::once(point).chain(self.0))
    }

    /// This history and further points; where both know an instant, this one's stands.
    #[must_use]
    pub fn extended(self, points: impl IntoIterator<Item = PricePoint>) -> Self {
        Self::new(self.0.into_iter().chain(points))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::{CalendarId, new_york, parse_instant};

    const TICK: f64 = 0.25;

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect("New York time")
    }

    fn references(text: &str) -> ChangeReferences {
        let slot = Slot::at(at(text)).expect("on the grid");
        let (futures, nyse) = (Calendar::embedded(CalendarId::CmeEquity), Calendar::embedded(CalendarId::Nyse));
        ChangeReferences::of(slot, &futures, &nyse).expect("covered")
    }

    fn history(points: &[(&str, f64)]) -> PriceHistory {
        PriceHistory::new(points.iter().map(|(text, price)| PricePoint { at: at(text), price: *price }))
    }

    #[test]
    fn a_price_may_be_ten_minutes_old_and_no_older_while_open() {
        let refs = references("2026-11-18 12:00");
        assert_eq!(refs.changes(Some(110.0), &history(&[("2026-11-18 10:50", 100.0)]), TICK).one_hour, Some(10.0));
        assert_eq!(refs.changes(Some(110.0), &history(&[("2026-11-18 10:45", 100.0)]), TICK).one_hour, None);
    }

    #[test]
    fn a_change_is_a_multiple_of_the_tick_without_noise() {
        let prices = history(&[("2026-11-18 11:00", 2_346.7)]);
        let change = references("2026-11-18 12:00").changes(Some(2_349.4), &prices, 0.1).one_hour;
        assert_eq!(change.map(f64::to_bits), Some(2.7_f64.to_bits()));
    }

    #[test]
    fn the_age_of_a_price_counts_from_its_slot_be_it_a_bar_or_a_live_row() {
        // A live row of 10:50, whose trade was at 10:46, and the bar that ended at 10:50 with the same trade.
        let live = PricePoint { at: at("2026-11-18 10:50"), price: 100.0 };
        let bar = crate::market::Bar {
            start: at("2026-11-18 10:45"),
            end: at("2026-11-18 10:50"),
            open: 100.0,
            high: 100.0,
            low: 100.0,
            close: 100.0,
            volume: Some(1),
        };
        let of = |point| references("2026-11-18 12:00").changes(Some(110.0), &PriceHistory::new([point]), TICK);
        assert_eq!(of(live), of(PricePoint { at: bar.end, price: bar.close }));
        assert_eq!(of(live).one_hour, Some(10.0));
    }

    #[test]
    fn a_closed_instant_takes_the_close_before() {
        let prices = history(&[("2026-11-18 17:00", 100.0)]);
        assert_eq!(references("2026-11-18 18:30").changes(Some(103.0), &prices, TICK).one_hour, Some(3.0));
        assert_eq!(references("2026-11-18 18:05").changes(Some(103.0), &prices, TICK).one_hour, Some(3.0));
    }

    #[test]
    fn monday_morning_looks_back_to_fridays_close() {
        let prices = history(&[("2026-11-20 17:00", 100.0), ("2026-11-20 16:00", 90.0)]);
        let changes = references("2026-11-23 09:00").changes(Some(101.0), &prices, TICK);
        assert_eq!((changes.daily, changes.since_close), (Some(1.0), Some(11.0)));
        assert_eq!(changes.overnight, None, "01:00 ET was open, and nothing was seen then");
    }

    #[test]
    fn a_half_day_closes_at_one() {
        let prices = history(&[("2026-11-27 13:00", 50.0), ("2026-11-27 13:15", 51.0)]);
        let changes = references("2026-11-30 08:00").changes(Some(52.0), &prices, TICK);
        assert_eq!((changes.since_close, changes.daily), (Some(2.0), Some(1.0)));
    }

    #[test]
    fn the_regular_close_stands_from_its_own_slot_on() {
        let prices = history(&[("2026-11-18 16:00", 100.0), ("2026-11-17 16:00", 90.0)]);
        assert_eq!(references("2026-11-18 16:00").changes(Some(100.0), &prices, TICK).since_close, Some(0.0));
        assert_eq!(references("2026-11-18 15:55").changes(Some(99.0), &prices, TICK).since_close, Some(9.0));
    }

    #[test]
    fn a_row_without_last_has_no_changes() {
        let prices = history(&[("2026-11-18 11:00", 100.0)]);
        assert_eq!(references("2026-11-18 12:00").changes(None, &prices, TICK), Changes::default());
    }

    #[test]
    fn of_two_prices_at_one_instant_the_first_given_stands() {
        let table = history(&[("2026-11-18 11:00", 100.0)]);
        let both = table.extended([PricePoint { at: at("2026-11-18 11:00"), price: 7.0 }]);
        assert_eq!(both.standing_at(at("2026-11-18 11:00")), Some(100.0));
    }

    proptest! {
        #[test]
        fn the_standing_price_is_the_newest_within_ten_minutes(
            minutes in proptest::collection::btree_set(0i32..600, 0..60), asked in 0i32..600,
        ) {
            let start = new_york(chrono::NaiveDate::from_ymd_opt(2026, 11, 18).and_then(|d| d.and_hms_opt(9, 0, 0)).expect("a time"));
            let at = |minute: i32| start + TimeDelta::minutes(i64::from(minute));
            let points = minutes.iter().map(|m| PricePoint { at: at(*m), price: f64::from(*m) });
            let newest = minutes.iter().filter(|m| **m <= asked && asked - **m <= 10).max();
            let found = PriceHistory::new(points).standing_at(at(asked));
            prop_assert_eq!(found, newest.map(|m| f64::from(*m)));
        }
    }
}
