//! Rows of `quarantine` as batches and back.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::market::{GatewayKind, Symbol};
use crate::quality::Finding;

use super::columns::Columns;
use super::encode::Encoder;
use super::row::{Key, Row};
use super::schema::arrow_schema;
use super::{LakeError, TableName};

/// One row of `quarantine`: a row that was not fit to be stored, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Whose row it is.
    pub symbol: Symbol,
    /// The slot it was meant for.
    pub timestamp: Slot,
    /// The table it was meant for.
    pub table: String,
    /// The checks it failed, with commas between.
    pub checks: String,
    /// What they saw.
    pub reason: String,
    /// The row as a JSON object, with the columns of its table.
    pub row_json: String,
    /// What became of it: by whom and when it was released or dropped; none while it waits.
    pub decided: Option<String>,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When it was kept apart.
    pub captured_at: DateTime<Utc>,
}

impl QuarantinedRow {
    /// The names of the checks that a row failed, with commas between.
    #[must_use]
    pub fn checks_of(findings: &[&Finding]) -> String {
        findings.iter().map(|finding| finding.check).collect::<Vec<_>>().join(",")
    }

    /// What those checks observed.
    #[must_use]
    pub fn reason_of(findings: &[&Finding]) -> String {
        findings.iter().map(|finding| finding.observed.as_str()).collect::<Vec<_>>().join("; ")
    }
}

impl Row for QuarantinedRow {
    const TABLE: TableName = TableName::Quarantine;

    fn key(&self) -> Key {
        Key { part: Some(self.table.clone()), ..Key::new(&self.symbol, self.timestamp) }
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
            rows.texts(|row| &row.table),
            rows.texts(|row| &row.checks),
            rows.texts(|row| &row.reason),
            rows.texts(|row| &row.row_json),
            rows.optional_texts(|row| row.decided.as_deref()),
            rows.texts(|row| row.gateway.as_str()),
            rows.instants(|row| row.captured_at),
        ];
        RecordBatch::try_new(arrow_schema(Self::TABLE), columns)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        let columns = Columns::new(Self::TABLE, batch);
        let (symbol, timestamp, table) =
            (columns.texts("symbol")?, columns.instants("timestamp")?, columns.texts("table_name")?);
        let (checks, reason, row_json) =
            (columns.texts("checks")?, columns.texts("reason")?, columns.texts("row_json")?);
        let (decided, gateway) = (columns.texts("decided")?, columns.texts("gateway")?);
        let captured_at = columns.instants("captured_at")?;
        let row = |row| {
            Ok(Self {
                symbol: symbol.symbol(row)?,
                timestamp: timestamp.slot(row)?,
                table: table.text(row)?.to_owned(),
                checks: checks.text(row)?.to_owned(),
                reason: reason.text(row)?.to_owned(),
                row_json: row_json.text(row)?.to_owned(),
                decided: decided.optional(row).map(str::to_owned),
                gateway: gateway.gateway(row)?,
                captured_at: captured_at.instant(row)?,
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}
