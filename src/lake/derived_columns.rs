//! The columns of the tables that are made from others, and of the daily bars, in order.

use super::schema::{ColumnSpec, optional, required};
use super::show::ColumnKind::{Date, Float, Integer, Text, Timestamp};

/// `timestamp` is the close of the session, so that a key is (symbol, session) and a row is known at its instant.
pub(super) const SPOT_DAILY: [ColumnSpec; 10] = [
    required("symbol", Text),
    required("timestamp", Timestamp),
    required("date", Date),
    required("open", Float),
    required("high", Float),
    required("low", Float),
    required("close", Float),
    optional("volume", Integer),
    required("gateway", Text),
    required("captured_at", Timestamp),
];

/// `timestamp` is the newest row used, `as_of` the instant the signal is about.
pub(super) const FUTURES_SIGNALS: [ColumnSpec; 25] = [
    required("symbol", Text),
    required("futures_symbol", Text),
    required("timestamp", Timestamp),
    required("sentiment", Text),
    required("signal", Text),
    required("confidence", Float),
    required("futures_price", Float),
    optional("spot_price", Float),
    optional("basis", Float),
    optional("change_1h", Float),
    optional("change_4h", Float),
    optional("change_daily", Float),
    required("momentum", Float),
    optional("predictive_value", Float),
    required("reasoning", Text),
    required("as_of", Timestamp),
    required("strength", Float),
    required("contract", Text),
    optional("deviations", Float),
    optional("basis_change_bp", Float),
    required("gateway", Text),
    required("generated_at", Timestamp),
    optional("futures_close", Float),
    optional("spot_close", Float),
    optional("dividend", Float),
];

/// One row a rule; only the row that decided says what to do.
pub(super) const DECISIONS: [ColumnSpec; 15] = [
    required("symbol", Text),
    required("as_of", Timestamp),
    required("rule", Text),
    optional("priority", Integer),
    required("verdict", Text),
    required("reason", Text),
    optional("action", Text),
    optional("direction", Text),
    optional("strategy_type", Text),
    optional("urgency", Text),
    optional("position_multiplier", Float),
    required("timing", Text),
    required("metadata", Text),
    required("gateway", Text),
    required("generated_at", Timestamp),
];

/// `confirmed` is 1 or 0.
pub(super) const OUTCOMES: [ColumnSpec; 16] = [
    required("symbol", Text),
    required("as_of", Timestamp),
    required("horizon", Text),
    required("rule", Text),
    required("base", Text),
    optional("confirmed", Integer),
    required("direction", Text),
    required("position_multiplier", Float),
    required("entry_day", Date),
    required("entry_price", Float),
    required("exit_day", Date),
    required("exit_price", Float),
    required("gross_bp", Float),
    required("net_bp", Float),
    required("gateway", Text),
    required("generated_at", Timestamp),
];

/// `finding` tells findings of one symbol and instant apart: check, table and slot of the run.
pub(super) const QUALITY_FINDINGS: [ColumnSpec; 13] = [
    required("symbol", Text),
    required("timestamp", Timestamp),
    required("finding", Text),
    required("check_name", Text),
    required("table_name", Text),
    required("run_slot", Timestamp),
    required("severity", Text),
    required("observed", Text),
    required("threshold", Text),
    required("action", Text),
    required("detail", Text),
    required("gateway", Text),
    required("found_at", Timestamp),
];

/// `row_json` is the row as it came; `decided` says what became of it later.
pub(super) const QUARANTINE: [ColumnSpec; 9] = [
    required("symbol", Text),
    required("timestamp", Timestamp),
    required("table_name", Text),
    required("checks", Text),
    required("reason", Text),
    required("row_json", Text),
    optional("decided", Text),
    required("gateway", Text),
    required("captured_at", Timestamp),
];
