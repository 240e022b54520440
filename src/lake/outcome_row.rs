//! Rows of `outcomes` as batches and back.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::Slot;
use crate::market::{GatewayKind, Symbol};

use super::columns::Columns;
use super::encode::Encoder;
use super::row::{Key, Row};
use super::schema::arrow_schema;
use super::{LakeError, TableName};

/// One row of `outcomes`: what became of a decision. Prices in US dollars.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeRow {
    /// Ticker of the ETF.
    pub symbol: Symbol,
    /// The instant of the decision.
    pub as_of: Slot,
    /// Sessions held, such as `1d`.
    pub horizon: String,
    /// The rule that decided, or `none`.
    pub rule: String,
    /// The side of the spot outlook.
    pub base: String,
    /// 1 where the futures were on that side, 0 where not; none where there was no side.
    pub confirmed: Option<i64>,
    /// The side taken on paper.
    pub direction: String,
    /// Size relative to the usual one.
    pub position_multiplier: f64,
    /// The session it was entered in.
    pub entry_day: NaiveDate,
    /// At its open.
    pub entry_price: f64,
    /// The session it was left in.
    pub exit_day: NaiveDate,
    /// At its close.
    pub exit_price: f64,
    /// Return in bp of the price, on its side, times the multiplier.
    pub gross_bp: f64,
    /// Less the costs.
    pub net_bp: f64,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When the row was made.
    pub generated_at: DateTime<Utc>,
}

impl Row for OutcomeRow {
    const TABLE: TableName = TableName::Outcomes;

    fn key(&self) -> Key {
        Key { part: Some(self.horizon.clone()), ..Key::new(&self.symbol, self.as_of) }
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
            rows.texts(|row| &row.horizon),
            rows.texts(|row| &row.rule),
            rows.texts(|row| &row.base),
            rows.integers(|row| row.confirmed),
            rows.texts(|row| &row.direction),
            rows.floats(|row| Some(row.position_multiplier)),
            rows.dates(|row| row.entry_day),
            rows.floats(|row| Some(row.entry_price)),
            rows.dates(|row| row.exit_day),
            rows.floats(|row| Some(row.exit_price)),
            rows.floats(|row| Some(row.gross_bp)),
            rows.floats(|row| Some(row.net_bp)),
            rows.texts(|row| row.gateway.as_str()),
            rows.instants(|row| row.generated_at),
        ];
        RecordBatch::try_new(arrow_schema(Self::TABLE), columns)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        let columns = Columns::new(Self::TABLE, batch);
        let (symbol, as_of) = (columns.texts("symbol")?, columns.instants("as_of")?);
        let (horizon, rule) = (columns.texts("horizon")?, columns.texts("rule")?);
        let (base, confirmed) = (columns.texts("base")?, columns.integers("confirmed")?);
        let (direction, position_multiplier) = (columns.texts("direction")?, columns.floats("position_multiplier")?);
        let (entry_day, entry_price) = (columns.dates("entry_day")?, columns.floats("entry_price")?);
        let (exit_day, exit_price) = (columns.dates("exit_day")?, columns.floats("exit_price")?);
        let (gross_bp, net_bp) = (columns.floats("gross_bp")?, columns.floats("net_bp")?);
        let (gateway, generated_at) = (columns.texts("gateway")?, columns.instants("generated_at")?);
        let row = |row| {
            Ok(Self {
                symbol: symbol.symbol(row)?,
                as_of: as_of.slot(row)?,
                horizon: horizon.text(row)?.to_owned(),
                rule: rule.text(row)?.to_owned(),
                base: base.text(row)?.to_owned(),
                confirmed: confirmed.integer(row),
                direction: direction.text(row)?.to_owned(),
                position_multiplier: position_multiplier.number(row)?,
                entry_day: entry_day.date(row)?,
                entry_price: entry_price.number(row)?,
                exit_day: exit_day.date(row)?,
                exit_price: exit_price.number(row)?,
                gross_bp: gross_bp.number(row)?,
                net_bp: net_bp.number(row)?,
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
    use crate::lake::fixtures::{outcome_row, slot};

    #[test]
    fn a_row_comes_back_as_it_went() {
        let rows = vec![outcome_row("SPY", slot(1)), OutcomeRow { confirmed: None, ..outcome_row("QQQ", slot(1)) }];
        let batch = OutcomeRow::encode(&rows.iter().collect::<Vec<_>>()).expect("a batch");
        assert_eq!(OutcomeRow::decode(&batch).expect("rows"), rows);
    }
}
