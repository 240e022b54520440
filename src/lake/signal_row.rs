//! Rows of `futures_signals` as batches and back.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::market::{GatewayKind, Symbol};

use super::columns::Columns;
use super::encode::Encoder;
use super::row::{Key, Row};
use super::schema::arrow_schema;
use super::{LakeError, TableName};

/// One row of `futures_signals`. Futures in index points, the ETF in US dollars.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRow {
    /// Ticker of the ETF.
    pub symbol: Symbol,
    /// Root of its future.
    pub futures_symbol: Symbol,
    /// The newest row used.
    pub timestamp: Slot,
    /// `bullish`, `neutral` or `bearish`.
    pub sentiment: String,
    /// `strong_buy`, `buy`, `hold`, `sell` or `strong_sell`.
    pub signal: String,
    /// How far the numbers can be relied on, 0 to 1.
    pub confidence: f64,
    /// The newest price.
    pub futures_price: f64,
    /// The price of the ETF, where it trades.
    pub spot_price: Option<f64>,
    /// What the future has gained on the ETF since the last close, in points.
    pub basis: Option<f64>,
    /// Over an hour.
    pub change_1h: Option<f64>,
    /// Over four hours.
    pub change_4h: Option<f64>,
    /// Over 24 hours.
    pub change_daily: Option<f64>,
    /// Over the lookback, a fraction.
    pub momentum: f64,
    /// Measured skill, 0 to 1; none while it is not known.
    pub predictive_value: Option<f64>,
    /// The numbers in words.
    pub reasoning: String,
    /// The instant it is about.
    pub as_of: Slot,
    /// From -1 to 1 in steps of a half.
    pub strength: f64,
    /// Local symbol of the contract.
    pub contract: String,
    /// The daily change in standard deviations.
    pub deviations: Option<f64>,
    /// What the future has gained on the ETF since the last close, in bp.
    pub basis_change_bp: Option<f64>,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When the row was made; long after `as_of` where it was made afterwards.
    pub generated_at: DateTime<Utc>,
    /// Price of the contract at the last close of the ETF; none in rows of an earlier program.
    pub futures_close: Option<f64>,
    /// The last close of the ETF.
    pub spot_close: Option<f64>,
    /// What had gone ex since that close, US dollars; none where it is not known.
    pub dividend: Option<f64>,
}

impl Row for SignalRow {
    const TABLE: TableName = TableName::FuturesSignals;

    fn key(&self) -> Key {
        Key::new(&self.symbol, self.as_of)
    }

    fn gateway(&self) -> GatewayKind {
        self.gateway
    }

    fn captured_at(&self) -> DateTime<Utc> {
        self.generated_at
    }

    fn encode(rows: &[&Self]) -> Result<RecordBatch, ArrowError> {
        let rows = Encoder(rows);
        let columns = vec![
            rows.texts(|row| row.symbol.as_str()),
            rows.texts(|row| row.futures_symbol.as_str()),
            rows.instants(|row| row.timestamp.instant()),
            rows.texts(|row| &row.sentiment),
            rows.texts(|row| &row.signal),
            rows.floats(|row| Some(row.confidence)),
            rows.floats(|row| Some(row.futures_price)),
            rows.floats(|row| row.spot_price),
            rows.floats(|row| row.basis),
            rows.floats(|row| row.change_1h),
            rows.floats(|row| row.change_4h),
            rows.floats(|row| row.change_daily),
            rows.floats(|row| Some(row.momentum)),
            rows.floats(|row| row.predictive_value),
            rows.texts(|row| &row.reasoning),
            rows.instants(|row| row.as_of.instant()),
            rows.floats(|row| Some(row.strength)),
            rows.texts(|row| &row.contract),
            rows.floats(|row| row.deviations),
            rows.floats(|row| row.basis_change_bp),
            rows.texts(|row| row.gateway.as_str()),
            rows.instants(|row| row.generated_at),
            rows.floats(|row| row.futures_close),
            rows.floats(|row| row.spot_close),
            rows.floats(|row| row.dividend),
        ];
        RecordBatch::try_new(arrow_schema(Self::TABLE), columns)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        let columns = Columns::new(Self::TABLE, batch);
        let (symbol, futures_symbol) = (columns.texts("symbol")?, columns.texts("futures_symbol")?);
        let (timestamp, sentiment) = (columns.instants("timestamp")?, columns.texts("sentiment")?);
        let (signal, confidence) = (columns.texts("signal")?, columns.floats("confidence")?);
        let (futures_price, spot_price) = (columns.floats("futures_price")?, columns.floats("spot_price")?);
        let (basis, change_1h) = (columns.floats("basis")?, columns.floats("change_1h")?);
        let (change_4h, change_daily) = (columns.floats("change_4h")?, columns.floats("change_daily")?);
        let (momentum, predictive_value) = (columns.floats("momentum")?, columns.floats("predictive_value")?);
        let (reasoning, as_of) = (columns.texts("reasoning")?, columns.instants("as_of")?);
        let (strength, contract) = (columns.floats("strength")?, columns.texts("contract")?);
        let (deviations, basis_change_bp) = (columns.floats("deviations")?, columns.floats("basis_change_bp")?);
        let (gateway, generated_at) = (columns.texts("gateway")?, columns.instants("generated_at")?);
        let (futures_close, spot_close) = (columns.floats("futures_close")?, columns.floats("spot_close")?);
        let dividend = columns.floats("dividend")?;
        let row = |row| {
            Ok(Self {
                symbol: symbol.symbol(row)?,
                futures_symbol: futures_symbol.symbol(row)?,
                timestamp: timestamp.slot(row)?,
                sentiment: sentiment.text(row)?.to_owned(),
                signal: signal.text(row)?.to_owned(),
                confidence: confidence.number(row)?,
                futures_price: futures_price.number(row)?,
                spot_price: spot_price.float(row),
                basis: basis.float(row),
                change_1h: change_1h.float(row),
                change_4h: change_4h.float(row),
                change_daily: change_daily.float(row),
                momentum: momentum.number(row)?,
                predictive_value: predictive_value.float(row),
                reasoning: reasoning.text(row)?.to_owned(),
                as_of: as_of.slot(row)?,
                strength: strength.number(row)?,
                contract: contract.text(row)?.to_owned(),
                deviations: deviations.float(row),
                basis_change_bp: basis_change_bp.float(row),
                gateway: gateway.gateway(row)?,
                generated_at: generated_at.instant(row)?,
                futures_close: futures_close.float(row),
                spot_close: spot_close.float(row),
                dividend: dividend.float(row),
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::fixtures::{signal_row, slot};

    #[test]
    fn a_row_comes_back_as_it_went() {
        let rows = vec![
            signal_row("SPY", slot(1)),
            SignalRow { basis: None, predictive_value: None, ..signal_row("QQQ", slot(1)) },
        ];
        let batch = SignalRow::encode(&rows.iter().collect::<Vec<_>>()).expect("a batch");
        assert_eq!(SignalRow::decode(&batch).expect("rows"), rows);
    }
}
