//! From rows to a signal.

use chrono::{DateTime, TimeDelta, Utc};

use crate::market::{Changes, FuturesSnapshot, round_to_tick};

use super::against::Against;
use super::basis::FutureMove;
use super::confidence::{Confidence, coverage, freshness};
use super::spread::{deviation, sessions_before};
use super::window::{Priced, Window};
use super::{FuturesSignal, Side, SignalError, SignalInputs, SignalKind, SignalsConfig, SkipReason};

const BASIS_POINTS: f64 = 1e4;

/// A signal, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Derived {
    /// The signal.
    Signal(Box<FuturesSignal>),
    /// Nothing can be said, and that is no fault of the program.
    Skipped(SkipReason),
}

/// Derives the signal of an ETF at an instant.
///
/// # Errors
/// [`SignalError`] where an input was not known at the instant, or the calendar does not reach there.
pub fn derive(inputs: &SignalInputs<'_>) -> Result<Derived, SignalError> {
    inputs.check()?;
    let config = inputs.config;
    let Some(pair) = config.pair(inputs.symbol) else {
        return Ok(Derived::Skipped(SkipReason::UnknownEtf(inputs.symbol.clone())));
    };
    let lookback = TimeDelta::minutes(i64::from(config.lookback_minutes));
    let of_pair = inputs.rows.iter().all(|row| row.symbol == pair.future);
    let window = Window::of(inputs.rows, inputs.as_of, lookback).filter(|_| of_pair);
    let Some(window) = window else { return Ok(Derived::Skipped(SkipReason::NoRows(pair.future.clone()))) };
    let parts = match parts(inputs, &window) {
        Ok(parts) => parts,
        Err(reason) => return Ok(Derived::Skipped(reason)),
    };
    let newest = window.newest.row;
    let votes = Votes::of(&newest.changes);
    let deviations = deviations(inputs, newest)?;
    let (sentiment, signal) = (parts.sentiment(config), votes.signal(deviations, config));
    let seen_and_expected = window.seen_and_expected(inputs.as_of, (lookback, inputs.calendar))?;
    let confidence = Confidence {
        freshness: freshness(inputs.as_of - newest.timestamp.instant(), config),
        coverage: coverage(seen_and_expected, window.rows_of_contract),
        agreement: votes.agreement(),
        side_deviations: signal.side().sign() * deviations.unwrap_or(0.0),
    };
    // Rows of an earlier program carry changes with the noise of binary fractions.
    let on_tick = |points: f64| inputs.tick.map_or(points, |tick| round_to_tick(points, tick));
    let futures_close = on_tick(parts.close());
    let against = Against::of(FutureMove { close: futures_close, now: parts.last }, inputs);
    Ok(Derived::Signal(Box::new(FuturesSignal {
        symbol: pair.etf.clone(),
        futures_symbol: pair.future.clone(),
        as_of: inputs.as_of,
        timestamp: newest.timestamp,
        sentiment,
        signal,
        confidence: confidence.value(),
        futures_price: parts.last,
        spot_price: against.spot_price,
        basis: against.basis,
        change_1h: newest.changes.one_hour.map(on_tick),
        change_4h: newest.changes.four_hours.map(on_tick),
        change_daily: newest.changes.daily.map(on_tick),
        momentum: parts.momentum,
        predictive_value: inputs.predictive_value,
        reasoning: reasoning(sentiment, &newest.changes, signal),
        contract: newest.contract.clone(),
        deviations,
        basis_change_bp: against.basis_change_bp,
        futures_close,
        spot_close: inputs.etf.close.map(|close| close.price),
        dividend: inputs.etf.close.and(inputs.etf.dividend),
        basis_withheld: against.withheld,
    })))
}

/// What a signal cannot do without.
struct Parts {
    last: f64,
    since_close: f64,
    momentum: f64,
}

/// The numbers a signal cannot do without, or the reason why one is missing.
fn parts(inputs: &SignalInputs<'_>, window: &Window<'_>) -> Result<Parts, SkipReason> {
    let (row, config) = (window.newest.row, inputs.config);
    let age = inputs.as_of - row.timestamp.instant();
    if age >= TimeDelta::minutes(i64::from(config.stale_minutes)) {
        let (age_minutes, bound_minutes) = (age.num_minutes(), config.stale_minutes);
        return Err(SkipReason::Stale { symbol: row.symbol.clone(), age_minutes, bound_minutes });
    }
    if let Some(Priced { row, last }) = window.recent.iter().find(|point| point.last.is_nan() || point.last <= 0.0) {
        return Err(SkipReason::NegativePrice { symbol: row.symbol.clone(), price: last.to_string() });
    }
    let since_close = row.changes.since_close.ok_or_else(|| unmatched(inputs, row))?;
    let one_price =
        || SkipReason::OnePrice { contract: row.contract.clone(), lookback_minutes: config.lookback_minutes };
    Ok(Parts { last: window.newest.last, since_close, momentum: window.momentum().ok_or_else(one_price)? })
}

/// Why the change since the close is not known: another contract led then, or there is a hole.
fn unmatched(inputs: &SignalInputs<'_>, row: &FuturesSnapshot) -> SkipReason {
    let contract = row.contract.clone();
    let led_at = |at: DateTime<Utc>| inputs.rows.iter().rev().find(|row| row.timestamp.instant() <= at);
    match inputs.etf.close.and_then(|close| led_at(close.at)) {
        Some(standing) if standing.contract != contract => SkipReason::RollUnmatched { contract },
        _ => SkipReason::NoCloseReference { contract },
    }
}

impl Parts {
    /// The future's price at the ETF's last close, of the same contract.
    fn close(&self) -> f64 {
        self.last - self.since_close
    }

    fn sentiment(&self, config: &SignalsConfig) -> Side {
        let change_bp = BASIS_POINTS * self.since_close / self.close();
        if change_bp > config.sentiment_bp {
            Side::Bullish
        } else if change_bp < -config.sentiment_bp {
            Side::Bearish
        } else {
            Side::Neutral
        }
    }
}

/// The daily change in standard deviations of those of the sessions before.
fn deviations(inputs: &SignalInputs<'_>, newest: &FuturesSnapshot) -> Result<Option<f64>, SignalError> {
    let Some(daily) = newest.changes.daily else { return Ok(None) };
    let wanted = usize::try_from(inputs.config.deviation_sessions).unwrap_or(usize::MAX);
    let Some((sessions, elapsed)) = sessions_before(newest.timestamp.instant(), wanted, inputs.calendar)? else {
        return Ok(None);
    };
    Ok(deviation(inputs.rows, &sessions, elapsed).map(|deviation| daily / deviation))
}

/// The sides of the three changes; one that is not known votes for neither.
struct Votes([Side; 3]);

impl Votes {
    fn of(changes: &Changes) -> Self {
        Self([changes.one_hour, changes.four_hours, changes.daily].map(|change| Side::of(change.unwrap_or(0.0))))
    }

    fn num(&self, side: Side) -> usize {
        self.0.iter().filter(|vote| **vote == side).count()
    }

    fn agreement(&self) -> f64 {
        self.0.iter().map(|vote| vote.sign()).sum::<f64>().abs() / 3.0
    }

    fn signal(&self, deviations: Option<f64>, config: &SignalsConfig) -> SignalKind {
        let is_large = deviations.is_some_and(|deviations| deviations.abs() >= config.strong_deviations);
        match (self.num(Side::Bullish), self.num(Side::Bearish)) {
            (3, _) if is_large => SignalKind::StrongBuy,
            (2.., _) => SignalKind::Buy,
            (_, 3) if is_large => SignalKind::StrongSell,
            (_, 2..) => SignalKind::Sell,
            _ => SignalKind::Hold,
        }
    }
}

/// `Futures bullish (1H: +2.50, 4H: +8.25, Daily: +12.25) → BUY`.
fn reasoning(sentiment: Side, changes: &Changes, signal: SignalKind) -> String {
    let told = |change: Option<f64>| change.map_or_else(|| "unknown".to_owned(), |points| format!("{points:+.2}"));
    let (one_hour, four_hours, daily) = (told(changes.one_hour), told(changes.four_hours), told(changes.daily));
    let signal = signal.as_str().to_uppercase().replace('_', " ");
    format!("Futures {sentiment} (1H: {one_hour}, 4H: {four_hours}, Daily: {daily}) → {signal}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::PricePoint;
    use crate::signals::fixtures::{Scene, instant, symbol};

    fn signal_of(scene: &Scene) -> FuturesSignal {
        match derive(&scene.inputs()).expect("known inputs") {
            Derived::Signal(signal) => *signal,
            Derived::Skipped(reason) => panic!("{reason}"),
        }
    }

    fn reason_of(scene: &Scene) -> String {
        match derive(&scene.inputs()).expect("known inputs") {
            Derived::Signal(signal) => panic!("{signal:?}"),
            Derived::Skipped(reason) => reason.to_string(),
        }
    }

    #[test]
    fn a_rising_morning_is_a_buy_and_says_so() {
        let mut scene = Scene::new();
        scene.newest().changes = Scene::changes(2.5, 8.25, 12.25);
        // The days of the scene are small ones: this one is large among them, and a buy only where large means larger.
        scene.config.strong_deviations = 3.0;
        let signal = signal_of(&scene);
        assert!(signal.deviations.is_some_and(|deviations| deviations > 2.0 && deviations < 3.0), "{signal:?}");
        assert_eq!(signal.reasoning, "Futures bullish (1H: +2.50, 4H: +8.25, Daily: +12.25) → BUY");
        assert!(signal.is_bullish() && !signal.is_bearish());
        assert_eq!((signal.strength(), signal.sentiment), (0.5, Side::Bullish));
        assert_eq!((signal.spot_price, signal.basis, signal.predictive_value), (None, None, None));
    }

    #[test]
    fn a_signal_of_rows_with_noise_carries_none() {
        let mut scene = Scene::new();
        scene.tick = Some(0.1);
        let noisy: f64 = 2_349.4 - 2_346.7;
        let newest = scene.newest();
        (newest.last, newest.changes) = (Some(2_349.4), Scene::changes(noisy, noisy, noisy));
        let signal = signal_of(&scene);
        assert_eq!([signal.change_1h, signal.change_4h, signal.change_daily], [Some(2.7); 3]);
        assert_eq!(signal.futures_close.to_bits(), 2_346.7_f64.to_bits());
    }

    #[test]
    fn all_three_and_a_large_day_are_strong_on_either_side() {
        for (sign, kind) in [(1.0, SignalKind::StrongBuy), (-1.0, SignalKind::StrongSell)] {
            let mut scene = Scene::new();
            scene.newest().changes = Scene::changes(sign, sign, 40.0 * sign);
            let signal = signal_of(&scene);
            assert_eq!(signal.signal, kind);
            assert!(signal.deviations.expect("known") * sign >= 1.0);
        }
    }

    #[test]
    fn one_vote_against_two_still_decides_but_is_never_strong() {
        let mut scene = Scene::new();
        scene.newest().changes = Scene::changes(-1.0, 8.0, 40.0);
        assert_eq!(signal_of(&scene).signal, SignalKind::Buy);
        scene.newest().changes.one_hour = None;
        assert_eq!(signal_of(&scene).signal, SignalKind::Buy, "an unknown change votes for neither");
        scene.newest().changes.four_hours = None;
        let signal = signal_of(&scene);
        assert_eq!(signal.signal, SignalKind::Hold);
        assert!(signal.reasoning.contains("1H: unknown"), "{}", signal.reasoning);
    }

    #[test]
    fn sentiment_turns_beyond_twenty_basis_points_of_the_close() {
        for (since_close, expected) in
            [(12.1, Side::Bullish), (12.0, Side::Neutral), (-12.0, Side::Neutral), (-12.1, Side::Bearish)]
        {
            let mut scene = Scene::new();
            let newest = scene.newest();
            newest.last = Some(6000.0 + since_close);
            newest.changes.since_close = Some(since_close);
            assert_eq!(signal_of(&scene).sentiment, expected, "{since_close}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_skipped_with_its_reason() {
        let mut scene = Scene::new();
        scene.as_of = instant("2026-11-18T14:30:00Z");
        assert_eq!(reason_of(&scene), "the newest price of ES is 30 minutes old, needs less than 30");
        let mut scene = Scene::new();
        scene.newest().last = Some(-1.0);
        assert_eq!(reason_of(&scene), "the newest price of ES is -1, which is not above 0");
        let mut scene = Scene::new();
        scene.rows.clear();
        assert!(reason_of(&scene).starts_with("there is no price of ES yet"));
        let mut scene = Scene::new();
        scene.symbol = symbol("DIA");
        assert!(reason_of(&scene).starts_with("DIA has no future"));
        let mut scene = Scene::new();
        scene.newest().changes.since_close = None;
        assert!(reason_of(&scene).starts_with("no price of ESZ6 stood at the last close"));
        let mut scene = Scene::new();
        scene.rows.retain(|row| row.timestamp.instant() == instant("2026-11-18T14:00:00Z"));
        assert_eq!(reason_of(&scene), "ESZ6 has one price in the last 60 minutes, needs two");
    }

    #[test]
    fn a_contract_that_led_only_after_the_close_is_roll_unmatched() {
        let mut scene = Scene::new();
        scene.etf.close = Some(PricePoint { at: instant("2026-11-17T21:00:00Z"), price: 600.0 });
        let evening = instant("2026-11-17T23:00:00Z");
        for row in scene.rows.iter_mut().filter(|row| row.timestamp.instant() > evening) {
            row.contract = "ESH7".to_owned();
            row.changes.since_close = None;
        }
        assert_eq!(reason_of(&scene), "roll_unmatched: ESH7 has no price at the last close");
    }

    #[test]
    fn an_hour_of_holes_and_an_old_row_lower_the_confidence() {
        let full = signal_of(&Scene::new()).confidence;
        let mut holes = Scene::new();
        let kept = ["2026-11-18T13:00:00Z", "2026-11-18T14:00:00Z"].map(instant);
        holes.rows.retain(|row| {
            let at = row.timestamp.instant();
            at < kept[0] || kept.contains(&at)
        });
        assert!((signal_of(&holes).confidence - full * 2.0 / 13.0).abs() < 1e-12);
        let mut late = Scene::new();
        late.as_of = instant("2026-11-18T14:15:00Z");
        assert!(signal_of(&late).confidence < full);
    }
}
