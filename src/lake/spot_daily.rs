//! Rows of `spot_daily` as batches and back.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::calendar::TradingDay;
use crate::market::{DailyBar, GatewayKind};

use super::columns::Columns;
use super::encode::Encoder;
use super::row::{Key, Row};
use super::schema::arrow_schema;
use super::{LakeError, TableName};

impl Row for DailyBar {
    const TABLE: TableName = TableName::SpotDaily;

    fn key(&self) -> Key {
        Key::new(&self.symbol, self.timestamp)
    }

    fn gateway(&self) -> GatewayKind {
        self.gateway
    }

    fn captured_at(&self) -> DateTime<Utc> {
        self.captured_at
    }

    fn encode(rows: &[&Self]) -> Result<RecordBatch, ArrowError> {
        let rows = Encoder(rows);
        let columns = vec![
            rows.texts(|row| row.symbol.as_str()),
            rows.instants(|row| row.timestamp.instant()),
            rows.dates(|row| row.date.date()),
            rows.floats(|row| Some(row.open)),
            rows.floats(|row| Some(row.high)),
            rows.floats(|row| Some(row.low)),
            rows.floats(|row| Some(row.close)),
            rows.integers(|row| row.volume),
            rows.texts(|row| row.gateway.as_str()),
            rows.instants(|row| row.captured_at),
        ];
        RecordBatch::try_new(arrow_schema(Self::TABLE), columns)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        let columns = Columns::new(Self::TABLE, batch);
        let (symbol, timestamp) = (columns.texts("symbol")?, columns.instants("timestamp")?);
        let (date, open) = (columns.dates("date")?, columns.floats("open")?);
        let (high, low) = (columns.floats("high")?, columns.floats("low")?);
        let (close, volume) = (columns.floats("close")?, columns.integers("volume")?);
        let (gateway, captured_at) = (columns.texts("gateway")?, columns.instants("captured_at")?);
        let row = |row| {
            Ok(Self {
                symbol: symbol.symbol(row)?,
                timestamp: timestamp.slot(row)?,
                date: TradingDay::new(date.date(row)?),
                open: open.number(row)?,
                high: high.number(row)?,
                low: low.number(row)?,
                close: close.number(row)?,
                volume: volume.integer(row),
                gateway: gateway.gateway(row)?,
                captured_at: captured_at.instant(row)?,
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::fixtures::{daily_row, slot};

    #[test]
    fn a_row_comes_back_as_it_went() {
        let rows = vec![daily_row("SPY", slot(1)), DailyBar { volume: None, ..daily_row("QQQ", slot(1)) }];
        let batch = DailyBar::encode(&rows.iter().collect::<Vec<_>>()).expect("a batch");
        assert_eq!(DailyBar::decode(&batch).expect("rows"), rows);
    }
}
