//! Rows of `futures_snapshots` as batches and back.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::calendar::TradingDay;
use crate::market::{Changes, FuturesSnapshot, GatewayKind, PricePoint};

use super::columns::Columns;
use super::encode::Encoder;
use super::row::{Key, Row};
use super::schema::arrow_schema;
use super::{ContractPrice, LakeError, TableName};

impl Row for FuturesSnapshot {
    const TABLE: TableName = TableName::FuturesSnapshots;

    fn key(&self) -> Key {
        Key::new(&self.symbol, self.timestamp)
    }

    fn gateway(&self) -> GatewayKind {
        self.gateway
    }

    fn captured_at(&self) -> DateTime<Utc> {
        self.captured_at
    }

    fn price(&self) -> Option<ContractPrice> {
        self.last.map(|price| ContractPrice {
            symbol: self.symbol.clone(),
            contract: self.contract.clone(),
            source: self.source,
            point: PricePoint { at: self.timestamp.instant(), price },
        })
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
            rows.integers(|row| row.open_interest),
            rows.floats(|row| row.implied_vol),
            rows.floats(|row| row.changes.one_hour),
            rows.floats(|row| row.changes.four_hours),
            rows.floats(|row| row.changes.overnight),
            rows.floats(|row| row.changes.daily),
            rows.dates(|row| row.date.date()),
            rows.floats(|row| row.changes.since_close),
            rows.texts(|row| &row.contract),
            rows.dates(|row| row.expiry),
            rows.integers(|row| row.con_id.map(i64::from)),
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
        let (volume, open_interest) = (columns.integers("volume")?, columns.integers("open_interest")?);
        let implied_vol = columns.floats("implied_vol")?;
        let (one_hour, four_hours) = (columns.floats("change_1h")?, columns.floats("change_4h")?);
        let (overnight, daily) = (columns.floats("change_overnight")?, columns.floats("change_daily")?);
        let since_close = columns.floats("change_since_close")?;
        let (date, expiry) = (columns.dates("date")?, columns.dates("expiry")?);
        let (contract, con_id) = (columns.texts("contract")?, columns.integers("con_id")?);
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
                open_interest: open_interest.integer(row),
                implied_vol: implied_vol.float(row),
                changes: Changes {
                    one_hour: one_hour.float(row),
                    four_hours: four_hours.float(row),
                    overnight: overnight.float(row),
                    daily: daily.float(row),
                    since_close: since_close.float(row),
                },
                date: TradingDay::new(date.date(row)?),
                contract: contract.text(row)?.to_owned(),
                expiry: expiry.date(row)?,
                con_id: con_id.narrow(row)?,
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
    use crate::lake::fixtures::{futures_row, slot};

    #[test]
    fn a_row_comes_back_as_it_went() {
        let full = FuturesSnapshot {
            open_interest: Some(7),
            implied_vol: Some(0.2),
            changes: Changes {
                one_hour: Some(1.0),
                four_hours: Some(2.0),
                overnight: Some(3.0),
                daily: Some(4.0),
                since_close: Some(5.0),
            },
            ..futures_row("ES", slot(1))
        };
        let rows = vec![full, futures_row("NQ", slot(2))];
        let batch = FuturesSnapshot::encode(&rows.iter().collect::<Vec<_>>()).expect("a batch");
        assert_eq!(FuturesSnapshot::decode(&batch).expect("rows"), rows);
    }
}
