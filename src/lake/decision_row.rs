//! Rows of `decisions` as batches and back.

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

/// One row of `decisions`: what one rule said.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRow {
    /// Ticker of the ETF.
    pub symbol: Symbol,
    /// The instant of the signal.
    pub as_of: Slot,
    /// Name of the rule; `none` where no rule fired.
    pub rule: String,
    /// Its place in the order.
    pub priority: Option<i64>,
    /// `decided`, `fired` or `missed`.
    pub verdict: String,
    /// Why it fired, or what kept it from doing so.
    pub reason: String,
    /// `enter` or `hold`; in the row that decided, as all that follows.
    pub action: Option<String>,
    /// `bullish`, `bearish` or `neutral`.
    pub direction: Option<String>,
    /// `vertical_spread`; none where nothing is to be done.
    pub strategy_type: Option<String>,
    /// `normal` or `high`.
    pub urgency: Option<String>,
    /// Size relative to the usual one.
    pub position_multiplier: Option<f64>,
    /// `in_time`, or `late` where it was made after the open it was meant for.
    pub timing: String,
    /// The inputs as a JSON object.
    pub metadata: String,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When the row was made.
    pub generated_at: DateTime<Utc>,
}

impl Row for DecisionRow {
    const TABLE: TableName = TableName::Decisions;

    fn key(&self) -> Key {
        Key { part: Some(self.rule.clone()), ..Key::new(&self.symbol, self.as_of) }
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
            rows.instants(|row| row.as_of.instant()),
            rows.texts(|row| &row.rule),
            rows.integers(|row| row.priority),
            rows.texts(|row| &row.verdict),
            rows.texts(|row| &row.reason),
            rows.optional_texts(|row| row.action.as_deref()),
            rows.optional_texts(|row| row.direction.as_deref()),
            rows.optional_texts(|row| row.strategy_type.as_deref()),
            rows.optional_texts(|row| row.urgency.as_deref()),
            rows.floats(|row| row.position_multiplier),
            rows.texts(|row| &row.timing),
            rows.texts(|row| &row.metadata),
            rows.texts(|row| row.gateway.as_str()),
            rows.instants(|row| row.generated_at),
        ];
        RecordBatch::try_new(arrow_schema(Self::TABLE), columns)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        let columns = Columns::new(Self::TABLE, batch);
        let (symbol, as_of) = (columns.texts("symbol")?, columns.instants("as_of")?);
        let (rule, priority) = (columns.texts("rule")?, columns.integers("priority")?);
        let (verdict, reason) = (columns.texts("verdict")?, columns.texts("reason")?);
        let (action, direction) = (columns.texts("action")?, columns.texts("direction")?);
        let (strategy_type, urgency) = (columns.texts("strategy_type")?, columns.texts("urgency")?);
        let (position_multiplier, timing) = (columns.floats("position_multiplier")?, columns.texts("timing")?);
        let (metadata, gateway) = (columns.texts("metadata")?, columns.texts("gateway")?);
        let generated_at = columns.instants("generated_at")?;
        let row = |row| {
            Ok(Self {
                symbol: symbol.symbol(row)?,
                as_of: as_of.slot(row)?,
                rule: rule.text(row)?.to_owned(),
                priority: priority.integer(row),
                verdict: verdict.text(row)?.to_owned(),
                reason: reason.text(row)?.to_owned(),
                action: action.optional(row).map(str::to_owned),
                direction: direction.optional(row).map(str::to_owned),
                strategy_type: strategy_type.optional(row).map(str::to_owned),
                urgency: urgency.optional(row).map(str::to_owned),
                position_multiplier: position_multiplier.float(row),
                timing: timing.text(row)?.to_owned(),
                metadata: metadata.text(row)?.to_owned(),
                gateway: gateway.gateway(row)?,
                generated_at: generated_at.instant(row)?,
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::fixtures::{decision_row, slot};

    #[test]
    fn a_row_comes_back_as_it_went() {
        let rows = vec![
            decision_row("SPY", slot(1)),
            DecisionRow { action: None, position_multiplier: None, ..decision_row("QQQ", slot(1)) },
        ];
        let batch = DecisionRow::encode(&rows.iter().collect::<Vec<_>>()).expect("a batch");
        assert_eq!(DecisionRow::decode(&batch).expect("rows"), rows);
    }
}
