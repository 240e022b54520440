//! Rows of `spot_snapshots` as batches and back.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::calendar::TradingDay;
use crate::market::{GatewayKind, SpotSnapshot};

use super::columns::Columns;
use super::encode::Encoder;
use super::row::{Key, Row};
use super::schema::arrow_schema;
use super::{LakeError, TableName};

impl Row for SpotSnapshot {
    const TABLE: TableName = TableName::SpotSnapshots;

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
            rows.floats(|row| row.bid),
            rows.floats(|row| row.ask),
            rows.floats(|row| row.last),
            rows.integers(|row| row.volume),
            rows.dates(|row| row.date.date()),
            rows.texts(|row| row.source.as_str()),
            rows.texts(|row| row.gateway.as_str()),
            rows.instants(|row| row.captured_at),
        ];
        RecordBatch::try_new(arrow_schema(Self::TABLE), columns)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        let columns = Columns::new(Self::TABLE, batch);
        let (symbol, timestamp) = (columns.texts("symbol")?, columns.instants("timestamp")?);
        let (bid, ask, last) = (columns.floats("bid")?, columns.floats("ask")?, columns.floats("last")?);
        let (volume, date) = (columns.integers("volume")?, columns.dates("date")?);
        let (source, gateway) = (columns.texts("source")?, columns.texts("gateway")?);
        let captured_at = columns.instants("captured_at")?;
        let row = |row| {
            Ok(Self {
                symbol: symbol.symbol(row)?,
                timestamp: timestamp.slot(row)?,
                bid: bid.float(row),
                ask: ask.float(row),
                last: last.float(row),
                volume: volume.integer(row),
                date: TradingDay::new(date.date(row)?),
                source: source.source(row)?,
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
    use crate::lake::fixtures::{slot, spot_row};

    #[test]
    fn a_row_comes_back_as_it_went() {
        let rows =
            vec![spot_row("SPY", slot(1)), SpotSnapshot { last: None, volume: None, ..spot_row("QQQ", slot(1)) }];
        let batch = SpotSnapshot::encode(&rows.iter().collect::<Vec<_>>()).expect("a batch");
        assert_eq!(SpotSnapshot::decode(&batch).expect("rows"), rows);
    }
}
