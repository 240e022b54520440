//! The columns of the tables, in order, and the properties a table is made with.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::TableProperty;
use deltalake::kernel::{DataType as DeltaType, StructField, StructType};

use crate::market::GatewayKind;

use super::TableName;
use super::derived_columns::{DECISIONS, FUTURES_SIGNALS, OUTCOMES, QUALITY_FINDINGS, QUARANTINE, SPOT_DAILY};
use super::show::ColumnKind;
use super::store::Durability;

/// Table property that binds a table, and with it its lake, to one kind of gateway.
pub(super) const GATEWAY_PROPERTY: &str = "frontmonth.gateway";

/// Commits between two checkpoints: at most 12 ms of replay when a table is opened.
pub(super) const CHECKPOINT_INTERVAL: u64 = 50;

/// The partition column of every table here.
pub(super) const PARTITION: &str = "symbol";

/// The columns of instants, one a table. A table that has the first is keyed by it: its `timestamp` is of another row.
///
/// Besides the partition only the instant skips files; fewer statistics make smaller commits.
pub(super) const INSTANT_COLUMNS: [&str; 2] = ["as_of", "timestamp"];

/// A column as it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColumnSpec {
    pub(super) name: &'static str,
    pub(super) kind: ColumnKind,
    pub(super) nullable: bool,
}

pub(super) const fn required(name: &'static str, kind: ColumnKind) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false }
}

pub(super) const fn optional(name: &'static str, kind: ColumnKind) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: true }
}

/// Whole numbers are 64 bits wide throughout, `con_id` too: every reader knows that type as its ordinary integer, and
/// a wider identifier of a later gateway needs no other column.
const FUTURES_SNAPSHOTS: [ColumnSpec; 20] = [
    required("symbol", ColumnKind::Text),
    required("timestamp", ColumnKind::Timestamp),
    optional("bid", ColumnKind::Float),
    optional("ask", ColumnKind::Float),
    optional("last", ColumnKind::Float),
    optional("volume", ColumnKind::Integer),
    optional("open_interest", ColumnKind::Integer),
    optional("implied_vol", ColumnKind::Float),
    optional("change_1h", ColumnKind::Float),
    optional("change_4h", ColumnKind::Float),
    optional("change_overnight", ColumnKind::Float),
    optional("change_daily", ColumnKind::Float),
    required("date", ColumnKind::Date),
    optional("change_since_close", ColumnKind::Float),
    required("contract", ColumnKind::Text),
    required("expiry", ColumnKind::Date),
    optional("con_id", ColumnKind::Integer),
    required("source", ColumnKind::Text),
    required("gateway", ColumnKind::Text),
    required("captured_at", ColumnKind::Timestamp),
];

const SPOT_SNAPSHOTS: [ColumnSpec; 10] = [
    required("symbol", ColumnKind::Text),
    required("timestamp", ColumnKind::Timestamp),
    optional("bid", ColumnKind::Float),
    optional("ask", ColumnKind::Float),
    optional("last", ColumnKind::Float),
    optional("volume", ColumnKind::Integer),
    required("date", ColumnKind::Date),
    required("source", ColumnKind::Text),
    required("gateway", ColumnKind::Text),
    required("captured_at", ColumnKind::Timestamp),
];

/// The columns of a table, in order.
pub(super) fn columns(table: TableName) -> &'static [ColumnSpec] {
    match table {
        TableName::FuturesSnapshots => &FUTURES_SNAPSHOTS,
        TableName::SpotSnapshots => &SPOT_SNAPSHOTS,
        TableName::SpotDaily => &SPOT_DAILY,
        TableName::FuturesSignals => &FUTURES_SIGNALS,
        TableName::Decisions => &DECISIONS,
        TableName::Outcomes => &OUTCOMES,
        TableName::QualityFindings => &QUALITY_FINDINGS,
        TableName::Quarantine => &QUARANTINE,
    }
}

/// The column of the instant that is part of the key.
pub(super) fn instant_column(table: TableName) -> &'static str {
    match table {
        TableName::FuturesSignals | TableName::Decisions | TableName::Outcomes => "as_of",
        _ => "timestamp",
    }
}

/// The column that tells rows of one symbol and instant apart, where a table has several.
pub(super) fn part_column(table: TableName) -> Option<&'static str> {
    match table {
        TableName::Decisions => Some("rule"),
        TableName::Outcomes => Some("horizon"),
        TableName::QualityFindings => Some("finding"),
        TableName::Quarantine => Some("table_name"),
        _ => None,
    }
}

/// The columns that make a key.
pub(super) fn key_columns(table: TableName) -> &'static [&'static str] {
    match table {
        TableName::FuturesSnapshots | TableName::SpotSnapshots | TableName::SpotDaily => &["symbol", "timestamp"],
        TableName::FuturesSignals => &["symbol", "as_of"],
        TableName::Decisions => &["symbol", "as_of", "rule"],
        TableName::Outcomes => &["symbol", "as_of", "horizon"],
        TableName::QualityFindings => &["symbol", "timestamp", "finding"],
        TableName::Quarantine => &["symbol", "timestamp", "table_name"],
    }
}

/// The column that says when a row was made.
pub(super) fn made_column(table: TableName) -> &'static str {
    match table {
        TableName::FuturesSignals | TableName::Decisions | TableName::Outcomes => "generated_at",
        TableName::QualityFindings => "found_at",
        _ => "captured_at",
    }
}

/// Whether a symbol has a row at every slot of its sessions, so that a missing one is a hole.
pub(super) fn is_of_every_slot(table: TableName) -> bool {
    matches!(table, TableName::FuturesSnapshots | TableName::SpotSnapshots)
}

/// What is found under the name of the instant's column, where only the columns are known and not the table.
pub(super) fn instant_in<V>(find: impl FnMut(&'static str) -> Option<V>) -> Option<V> {
    INSTANT_COLUMNS.into_iter().find_map(find)
}

/// The arrow schema in which rows of a table are written.
pub(super) fn arrow_schema(table: TableName) -> SchemaRef {
    static SCHEMAS: LazyLock<[SchemaRef; 8]> = LazyLock::new(|| TableName::ALL.map(|table| build(columns(table))));
    let [futures, spot, daily, signals, decisions, outcomes, findings, quarantine] = &*SCHEMAS;
    Arc::clone(match table {
        TableName::FuturesSnapshots => futures,
        TableName::SpotSnapshots => spot,
        TableName::SpotDaily => daily,
        TableName::FuturesSignals => signals,
        TableName::Decisions => decisions,
        TableName::Outcomes => outcomes,
        TableName::QualityFindings => findings,
        TableName::Quarantine => quarantine,
    })
}

fn build(columns: &[ColumnSpec]) -> SchemaRef {
    let field = |spec: &ColumnSpec| Field::new(spec.name, arrow_type(spec.kind), spec.nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// The arrow type of a kind of column.
pub(super) fn arrow_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnKind::Date => DataType::Date32,
    }
}

pub(super) fn delta_type(kind: ColumnKind) -> DeltaType {
    match kind {
        ColumnKind::Text => DeltaType::STRING,
        ColumnKind::Float => DeltaType::DOUBLE,
        ColumnKind::Integer => DeltaType::LONG,
        ColumnKind::Timestamp => DeltaType::TIMESTAMP,
        ColumnKind::Date => DeltaType::DATE,
    }
}

/// The Delta columns of a new table.
pub(super) fn delta_columns(table: TableName) -> impl Iterator<Item = StructField> {
    columns(table).iter().map(delta_column)
}

/// How the columns of a table compare with those this program writes.
#[derive(Debug)]
pub(super) enum Growth {
    /// All are there; there may be others.
    None,
    /// These, which may be null, came with a later program than the one that made the table.
    Lacks(Vec<&'static ColumnSpec>),
    /// The table is another program's; the columns in which it differs.
    Foreign(String),
}

/// Compares the columns of a table, by name, with those this program writes. Further ones are left alone.
pub(super) fn growth(table: TableName, found: &StructType) -> Growth {
    let (mut lacking, mut missing, mut differing) = (Vec::new(), Vec::new(), Vec::new());
    for spec in columns(table) {
        match found.field(spec.name).map(StructField::data_type) {
            None if spec.nullable => lacking.push(spec),
            None => missing.push(spec.name),
            Some(found) if *found == DeltaType::TIMESTAMP_NTZ && spec.kind == ColumnKind::Timestamp => {
                differing.push(format!("{} has no time zone", spec.name));
            }
            Some(found) if *found != delta_type(spec.kind) => {
                differing.push(format!("{} is of type {found}, not {}", spec.name, delta_type(spec.kind)));
            }
            Some(_) => {}
        }
    }
    if !missing.is_empty() {
        differing.push(format!("it lacks {}", missing.join(", ")));
    }
    match (differing.is_empty(), lacking.is_empty()) {
        (false, _) => Growth::Foreign(differing.join("; ")),
        (true, true) => Growth::None,
        (true, false) => Growth::Lacks(lacking),
    }
}

/// A column as a table that lacks it gets it.
pub(super) fn delta_column(spec: &ColumnSpec) -> StructField {
    StructField::new(spec.name, delta_type(spec.kind), spec.nullable)
}

/// How long a table keeps what it no longer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retention {
    /// Files that were replaced. Tombstones of them sit in every checkpoint; readers may be at work on them so long.
    files: &'static str,
    /// Entries of the log: its folder costs each commit and each open. This is also the reach of time travel.
    log: &'static str,
}

impl Retention {
    /// Nothing is kept, so that a test need not wait.
    #[cfg(test)]
    pub(super) const NONE: Self = Self { files: "interval 0 seconds", log: "interval 0 seconds" };

    /// The retention of tables that are kept, or of those that can be made again: a simulated session passes in two or three
    /// seconds, and each that is kept leaves a thousand tombstones in every checkpoint.
    pub(super) const fn of(durability: Durability) -> Self {
        match durability {
            Durability::Flushed => Self { files: "interval 1 days", log: "interval 7 days" },
            Durability::Unflushed => Self { files: "interval 5 seconds", log: "interval 5 seconds" },
        }
    }
}

/// The properties of a new table.
pub(super) fn properties(
    (table, kind): (TableName, GatewayKind),
    retention: Retention,
) -> HashMap<String, Option<String>> {
    let kept = kept_properties(table, retention).into_iter().map(|(key, value)| (key, Some(value)));
    kept.chain([(GATEWAY_PROPERTY.to_owned(), Some(kind.as_str().to_owned()))]).collect()
}

/// Those by which a table is kept; maintenance gives them to a table that an earlier program made.
pub(super) fn kept_properties(table: TableName, retention: Retention) -> HashMap<String, String> {
    let own = |key: TableProperty, value: &str| (key.as_ref().to_owned(), value.to_owned());
    HashMap::from([
        own(TableProperty::CheckpointInterval, &CHECKPOINT_INTERVAL.to_string()),
        own(TableProperty::LogRetentionDuration, retention.log),
        // Maintenance does it, and counts; the library would at every commit that does not say otherwise.
        own(TableProperty::EnableExpiredLogCleanup, "false"),
        own(TableProperty::DeletedFileRetentionDuration, retention.files),
        own(TableProperty::DataSkippingStatsColumns, instant_column(table)),
        own(TableProperty::CheckpointWriteStatsAsStruct, "true"),
        // A year of a symbol is a few MB, far below the default of 100 MiB.
        own(TableProperty::TargetFileSize, "8388608"),
    ])
}
