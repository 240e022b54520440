//! A session as it was traded: its bars, and the prices inside them.

use chrono::{DateTime, Utc};

use crate::market::Bar;

use super::index::STEPS;
use super::to_tick;

/// A session of an instrument, complete to its close.
#[derive(Debug, Default)]
pub(super) struct TradedSession {
    /// Its five-minute bars.
    pub(super) bars: Vec<Bar>,
    /// `STEPS + 1` prices for each bar, off the grid of ticks.
    steps: Vec<f64>,
    /// After each bar: the session's volume, high and low so far.
    pub(super) so_far: Vec<(i64, f64, f64)>,
}

impl TradedSession {
    /// Adds a bar made of its steps.
    pub(super) fn push(
        &mut self,
        (start, end): (DateTime<Utc>, DateTime<Utc>),
        steps: &[f64],
        (tick, volume): (f64, i64),
    ) {
        let (Some(open), Some(close)) = (steps.first(), steps.last()) else { return };
        let high = steps.iter().copied().fold(f64::MIN, f64::max);
        let low = steps.iter().copied().fold(f64::MAX, f64::min);
        let [open, high, low, close] = [*open, high, low, *close].map(|price| to_tick(price, tick));
        let before = self.so_far.last().copied().unwrap_or((0, f64::MIN, f64::MAX));
        self.so_far.push((before.0 + volume, before.1.max(high), before.2.min(low)));
        self.bars.push(Bar { start, end, open, high, low, close, volume: Some(volume) });
        self.steps.extend_from_slice(steps);
    }

    /// The bar that is being traded at an instant, as far as it is.
    pub(super) fn forming(&self, number: usize, at: DateTime<Utc>, tick: f64) -> Option<Bar> {
        let bar = self.bars.get(number).filter(|b| b.start < at && at < b.end)?;
        let steps = self.steps.get(number * (STEPS + 1)..(number + 1) * (STEPS + 1))?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of five minutes")]
        let share = (at - bar.start).num_milliseconds() as f64 / (bar.end - bar.start).num_milliseconds() as f64;
        #[expect(clippy::cast_precision_loss, reason = "ten steps")]
        let place = share * STEPS as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10")]
        let step = place as usize;
        let (from, to) = (steps.get(step)?, steps.get(step + 1)?);
        let close = to_tick(from + (to - from) * place.fract(), tick);
        let passed = steps.iter().take(step + 1).map(|price| to_tick(*price, tick));
        #[expect(clippy::cast_precision_loss, reason = "contracts of five minutes")]
        let volume = bar.volume.map(|whole| rounded((whole as f64 * share).floor()));
        Some(Bar {
            start: bar.start,
            end: bar.end,
            open: bar.open,
            high: passed.clone().fold(close, f64::max),
            low: passed.fold(close, f64::min),
            close,
            volume,
        })
    }
}

/// The nearest whole number.
pub(super) fn rounded(number: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 saturates")]
    let whole = number.round() as i64;
    whole
}
