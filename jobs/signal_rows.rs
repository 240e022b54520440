//! Signals as rows of their table, and back.

use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::job::{Failure, JobError};
use crate::lake::SignalRow;
use crate::market::GatewayKind;
use crate::signals::FuturesSignal;

/// A signal as its row.
pub(super) fn row_of(
    signal: &FuturesSignal,
    as_of: Slot,
    (gateway, generated_at): (GatewayKind, DateTime<Utc>),
) -> SignalRow {
    SignalRow {
        symbol: signal.symbol.clone(),
        futures_symbol: signal.futures_symbol.clone(),
        timestamp: signal.timestamp,
        sentiment: signal.sentiment.to_string(),
        signal: signal.signal.to_string(),
        confidence: signal.confidence,
        futures_price: signal.futures_price,
        spot_price: signal.spot_price,
        basis: signal.basis,
        change_1h: signal.change_1h,
        change_4h: signal.change_4h,
        change_daily: signal.change_daily,
        momentum: signal.momentum,
        predictive_value: signal.predictive_value,
        reasoning: signal.reasoning.clone(),
        as_of,
        strength: signal.strength(),
        contract: signal.contract.clone(),
        deviations: signal.deviations,
        basis_change_bp: signal.basis_change_bp,
        gateway,
        generated_at,
        futures_close: Some(signal.futures_close),
        spot_close: signal.spot_close,
        dividend: signal.dividend,
    }
}

/// As near as two numbers of one field must be, relative to the larger one: an earlier program stored changes with the noise of
/// binary fractions, and what was computed from them.
const NOISE: f64 = 1e-9;

/// The fields in which two rows of one signal differ. A field that an earlier program did not write is no difference.
pub(super) fn differing(kept: &SignalRow, again: &SignalRow) -> Vec<&'static str> {
    let numbers = [
        ("confidence", Some(kept.confidence), Some(again.confidence)),
        ("futures_price", Some(kept.futures_price), Some(again.futures_price)),
        ("spot_price", kept.spot_price, again.spot_price),
        ("basis", kept.basis, again.basis),
        ("change_1h", kept.change_1h, again.change_1h),
        ("change_4h", kept.change_4h, again.change_4h),
        ("change_daily", kept.change_daily, again.change_daily),
        ("momentum", Some(kept.momentum), Some(again.momentum)),
        ("predictive_value", kept.predictive_value, again.predictive_value),
        ("strength", Some(kept.strength), Some(again.strength)),
        ("deviations", kept.deviations, again.deviations),
        ("basis_change_bp", kept.basis_change_bp, again.basis_change_bp),
        ("futures_close", kept.futures_close, again.futures_close.filter(|_| kept.futures_close.is_some())),
        ("spot_close", kept.spot_close, again.spot_close.filter(|_| kept.futures_close.is_some())),
        ("dividend", kept.dividend, again.dividend.filter(|_| kept.futures_close.is_some())),
    ];
    let texts = [
        ("sentiment", &kept.sentiment, &again.sentiment),
        ("signal", &kept.signal, &again.signal),
        ("reasoning", &kept.reasoning, &again.reasoning),
        ("contract", &kept.contract, &again.contract),
    ];
    let numbers = numbers.into_iter().filter(|(_, one, other)| !is_same(*one, *other)).map(|(name, ..)| name);
    let texts = texts.into_iter().filter(|(_, one, other)| one != other).map(|(name, ..)| name);
    let stamps = (kept.timestamp != again.timestamp).then_some("timestamp");
    numbers.chain(texts).chain(stamps).collect()
}

/// Whether a row, derived again, has all that the stored one has and an input that this one lacks.
pub(super) fn completes(again: &SignalRow, stored: &SignalRow) -> bool {
    let inputs = |row: &SignalRow| {
        [
            row.spot_price,
            row.basis,
            row.change_1h,
            row.change_4h,
            row.change_daily,
            row.predictive_value,
            row.deviations,
            row.basis_change_bp,
            // An earlier program did not write these.
            row.spot_close.filter(|_| stored.futures_close.is_some()),
            row.dividend.filter(|_| stored.futures_close.is_some()),
        ]
    };
    let (again, stored) = (inputs(again), inputs(stored));
    let keeps_all = again.iter().zip(&stored).all(|(again, stored)| stored.is_none() || again.is_some());
    keeps_all && again.iter().zip(&stored).any(|(again, stored)| stored.is_none() && again.is_some())
}

fn is_same(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            one.to_bits() == other.to_bits() || (one - other).abs() <= NOISE * one.abs().max(other.abs())
        }
        (None, None) => true,
        _ => false,
    }
}

/// The signal of a row.
///
/// # Errors
/// Where a word of the row is none that signals have.
pub(super) fn signal_of(row: &SignalRow) -> Result<FuturesSignal, JobError> {
    let unfit = |told: String| {
        JobError::fail(Failure::BadData, format!("futures_signals {} {}: {told}", row.symbol, row.as_of))
    };
    Ok(FuturesSignal {
        symbol: row.symbol.clone(),
        futures_symbol: row.futures_symbol.clone(),
        as_of: row.as_of.instant(),
        timestamp: row.timestamp,
        sentiment: row.sentiment.parse().map_err(unfit)?,
        signal: row.signal.parse().map_err(unfit)?,
        confidence: row.confidence,
        futures_price: row.futures_price,
        spot_price: row.spot_price,
        basis: row.basis,
        change_1h: row.change_1h,
        change_4h: row.change_4h,
        change_daily: row.change_daily,
        momentum: row.momentum,
        predictive_value: row.predictive_value,
        reasoning: row.reasoning.clone(),
        contract: row.contract.clone(),
        deviations: row.deviations,
        basis_change_bp: row.basis_change_bp,
        futures_close: row.futures_close.unwrap_or(f64::NAN),
        spot_close: row.spot_close,
        dividend: row.dividend,
        basis_withheld: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_of_an_earlier_program_is_no_difference_and_a_tick_is_one() {
        let noisy: f64 = 2_349.4 - 2_346.7;
        assert_ne!(noisy.to_bits(), 2.7_f64.to_bits());
        assert!(is_same(Some(noisy), Some(2.7)));
        assert!(!is_same(Some(2.8), Some(2.7)) && !is_same(Some(2.7), Some(-2.7)) && !is_same(Some(0.0), Some(0.1)));
        assert!(is_same(None, None) && !is_same(None, Some(0.0)));
    }
}
