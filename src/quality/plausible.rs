//! A coarse bound of prices, held before a row is written: what lies beyond it is no price of an index or its ETF on any day.

use crate::market::Bar;

use super::{Action, Finding, Place, Severity};

/// No index and no ETF costs as much.
const MAX_PRICE: f64 = 1e7;

/// Further than this share outside of bid and ask nothing trades.
const OUTSIDE_QUOTE: f64 = 0.05;

/// So many times its price nothing reaches within a week: CME stops for the day at 20 %, and a split of an ETF is 2 or 3 for 1.
const MAX_RATIO: f64 = 4.0;

/// From so many bars on their median is a price to compare with.
const MIN_BARS: usize = 3;

pub(super) const CHECK: &str = "price.plausible";
pub(super) const TITLE: &str = "prices are possible";
pub(super) const REASON: &str = "a price above 1e7, four times or a quarter of the price before, or a last trade 5 % outside bid and ask is no price of any day";

/// The prices of one row, and the price before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Prices {
    /// Best bid.
    pub bid: Option<f64>,
    /// Best ask.
    pub ask: Option<f64>,
    /// Last trade.
    pub last: Option<f64>,
    /// A price of the same symbol at most a week older; none where none is known.
    pub reference: Option<f64>,
}

impl Prices {
    /// What is impossible about them; empty where nothing is.
    pub(super) fn faults(self) -> Vec<String> {
        let mut faults = Vec::new();
        let prices = [("bid", self.bid), ("ask", self.ask), ("last", self.last)];
        for (name, price) in prices.into_iter().filter_map(|(name, price)| Some((name, price?))) {
            if !price.is_finite() || price >= MAX_PRICE {
                faults.push(format!("{name} {price:e}"));
                continue;
            }
            let Some(reference) = self.reference.filter(|reference| *reference > 0.0) else { continue };
            let ratio = price / reference;
            if !(1.0 / MAX_RATIO..=MAX_RATIO).contains(&ratio) {
                faults.push(format!("{name} {price} is {ratio:.2} times {reference}"));
            }
        }
        let Some(last) = self.last.filter(|last| last.is_finite()) else { return faults };
        if let Some(bid) = self.bid.filter(|bid| last < bid * (1.0 - OUTSIDE_QUOTE)) {
            faults.push(format!("last {last} is {:.1} % below bid {bid}", 100.0 * (1.0 - last / bid)));
        }
        if let Some(ask) = self.ask.filter(|ask| last > ask * (1.0 + OUTSIDE_QUOTE)) {
            faults.push(format!("last {last} is {:.1} % above ask {ask}", 100.0 * (last / ask - 1.0)));
        }
        faults
    }
}

/// The finding of prices that cannot be, which keeps their row out of its table.
#[must_use]
pub fn check_plausible(place: &Place, prices: Prices) -> Option<Finding> {
    let faults = prices.faults();
    (!faults.is_empty()).then(|| Finding {
        check: CHECK,
        table: place.table,
        symbol: place.symbol.clone(),
        timestamp: place.timestamp,
        until: place.timestamp,
        num_bad: 1,
        run_slot: place.timestamp,
        severity: Severity::Error,
        observed: faults.join(", "),
        threshold: REASON.to_owned(),
        action: Action::Quarantine,
        detail: String::new(),
    })
}

/// The median close of bars, which a bad one of them does not move; none of fewer than three.
#[must_use]
pub fn usual_close(bars: &[Bar]) -> Option<f64> {
    let mut closes: Vec<f64> = bars.iter().map(|bar| bar.close).filter(|close| close.is_finite()).collect();
    if closes.len() < MIN_BARS {
        return None;
    }
    closes.sort_by(f64::total_cmp);
    closes.get(closes.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Prices = Prices { bid: Some(6_000.0), ask: Some(6_000.25), last: Some(6_000.25), reference: Some(5_990.0) };

    fn num_faults(prices: Prices) -> usize {
        prices.faults().len()
    }

    #[test]
    fn a_price_that_no_market_has_is_a_fault() {
        assert_eq!(num_faults(SOUND), 0);
        assert_eq!(num_faults(Prices { last: Some(1e308), bid: None, ask: None, ..SOUND }), 1);
        assert_eq!(num_faults(Prices { bid: Some(f64::INFINITY), ..SOUND }), 1);
        assert_eq!(num_faults(Prices { reference: None, ..SOUND }), 0);
    }

    #[test]
    fn ten_times_the_price_before_is_a_fault_and_a_crash_or_a_split_is_none() {
        let times = |factor: f64| {
            let times = |price: Option<f64>| price.map(|price| price * factor);
            num_faults(Prices { bid: times(SOUND.bid), ask: times(SOUND.ask), last: times(SOUND.last), ..SOUND })
        };
        assert_eq!((times(10.0), times(0.1)), (3, 3));
        assert_eq!((times(0.77), times(0.5), times(1.0 / 3.0), times(2.0)), (0, 0, 0, 0));
    }

    #[test]
    fn a_last_trade_five_percent_outside_bid_and_ask_is_a_fault() {
        let last = |last| num_faults(Prices { last: Some(last), ..SOUND });
        assert_eq!((last(6_350.0), last(5_650.0)), (1, 1));
        assert_eq!((last(6_290.0), last(5_710.0)), (0, 0));
    }

    #[test]
    fn the_usual_close_is_not_moved_by_one_bad_bar() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let bar = |close| Bar { start: at, end: at, open: 1.0, high: 1.0, low: 1.0, close, volume: None };
        assert_eq!(usual_close(&[bar(6_000.0), bar(60_000.0), bar(6_001.0)]), Some(6_001.0));
        assert_eq!(usual_close(&[bar(6_000.0), bar(60_000.0)]), None);
    }
}
