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
    })
}
