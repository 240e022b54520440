//! Rows of `quality_findings` as batches and back.

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

/// One row of `quality_findings`: a fact about bad data, found by one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRow {
    /// Of which symbol; [`FindingRow::WHOLE`] where it is about all of them.
    pub symbol: Symbol,
    /// At which slot.
    pub timestamp: Slot,
    /// Which check found it.
    pub check: String,
    /// In which table.
    pub table: String,
    /// The slot of the run that found it.
    pub run_slot: Slot,
    /// `warn`, `error` or `critical`.
    pub severity: String,
    /// What was seen.
    pub observed: String,
    /// What was expected.
    pub threshold: String,
    /// What is done about it.
    pub action: String,
    /// More for the reader, such as the list of missing slots; may be empty.
    pub detail: String,
    /// Real or simulated.
    pub gateway: GatewayKind,
    /// When the check was made.
    pub found_at: DateTime<Utc>,
}

impl FindingRow {
    /// Stands for the symbol of a finding about all symbols; no ticker is as long.
    pub const WHOLE: &str = "ALLSYMBOLS";

    /// The row of a finding, under the symbol it is stored for.
    #[must_use]
    pub fn of(finding: &Finding, symbol: Symbol, gateway: GatewayKind, found_at: DateTime<Utc>) -> Self {
        Self {
            symbol,
            timestamp: finding.timestamp,
            check: finding.check.to_owned(),
            table: finding.table.to_owned(),
            run_slot: finding.run_slot,
            severity: finding.severity.to_string(),
            observed: finding.observed.clone(),
            threshold: finding.threshold.clone(),
            action: finding.action.to_string(),
            detail: finding.detail.clone(),
            gateway,
            found_at,
        }
    }

    fn finding(&self) -> String {
        format!("{} {} {}", self.check, self.table, self.run_slot)
    }
}

impl Row for FindingRow {
    const TABLE: TableName = TableName::QualityFindings;

    fn key(&self) -> Key {
        Key { part: Some(self.finding()), ..Key::new(&self.symbol, self.timestamp) }
    }

    fn gateway(&self) -> GatewayKind {
        self.gateway
    }

    fn captured_at(&self) -> DateTime<Utc> {
        self.found_at
    }

    fn encode(rows: &[&Self]) -> Result<RecordBatch, ArrowError> {
        let findings: Vec<String> = rows.iter().map(|row| row.finding()).collect();
        let rows = Encoder(rows);
        let columns = vec![
            rows.texts(|row| row.symbol.as_str()),
            rows.instants(|row| row.timestamp.instant()),
            std::sync::Arc::new(arrow::array::StringArray::from(findings)),
            rows.texts(|row| &row.check),
            rows.texts(|row| &row.table),
            rows.instants(|row| row.run_slot.instant()),
            rows.texts(|row| &row.severity),
            rows.texts(|row| &row.observed),
            rows.texts(|row| &row.threshold),
            rows.texts(|row| &row.action),
            rows.texts(|row| &row.detail),
            rows.texts(|row| row.gateway.as_str()),
            rows.instants(|row| row.found_at),
        ];
        RecordBatch::try_new(arrow_schema(Self::TABLE), columns)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, LakeError> {
        let columns = Columns::new(Self::TABLE, batch);
        let (symbol, timestamp) = (columns.texts("symbol")?, columns.instants("timestamp")?);
        let (check, table) = (columns.texts("check_name")?, columns.texts("table_name")?);
        let (run_slot, severity) = (columns.instants("run_slot")?, columns.texts("severity")?);
        let (observed, threshold) = (columns.texts("observed")?, columns.texts("threshold")?);
        let (action, detail) = (columns.texts("action")?, columns.texts("detail")?);
        let (gateway, found_at) = (columns.texts("gateway")?, columns.instants("found_at")?);
        let row = |row| {
            Ok(Self {
                symbol: symbol.symbol(row)?,
                timestamp: timestamp.slot(row)?,
                check: check.text(row)?.to_owned(),
                table: table.text(row)?.to_owned(),
                run_slot: run_slot.slot(row)?,
                severity: severity.text(row)?.to_owned(),
                observed: observed.text(row)?.to_owned(),
                threshold: threshold.text(row)?.to_owned(),
                action: action.text(row)?.to_owned(),
                detail: detail.text(row)?.to_owned(),
                gateway: gateway.gateway(row)?,
                found_at: found_at.instant(row)?,
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}
