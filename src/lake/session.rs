//! The query sessions a lake keeps alive, so that footers of files stay cached, and the expressions it asks with.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::prelude::{Expr, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use deltalake::delta_datafusion::{DeltaSessionContext, create_session};

use crate::market::Symbol;

use super::TableName;
use super::footers::Footers;
use super::schema::{PARTITION, instant_column, made_column};

/// Footers that a session keeps: those of a few hundred files.
const FOOTER_CACHE_BYTES: usize = 4 << 20;

/// Statistics of files that a session keeps.
const STATISTICS_CACHE_BYTES: usize = 1 << 20;

/// How much of a table a scan is about to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A few rows of few files: one partition, no statistics, filters pushed into the files; half the time for these.
    Tight,
    /// Many files: the library's defaults.
    Wide,
}

/// One session for each reach, and the footers of the reads that need none.
pub(super) struct Sessions {
    tight: SessionContext,
    wide: SessionContext,
    footers: Arc<Footers>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let tight = HashMap::from(
            [
                ("datafusion.execution.target_partitions", "1"),
                ("datafusion.execution.collect_statistics", "false"),
                ("datafusion.optimizer.repartition_file_scans", "false"),
                ("datafusion.execution.parquet.pushdown_filters", "true"),
                ("datafusion.execution.parquet.schema_force_view_types", "false"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let tight = DeltaSessionContext::new_with_session_overrides(&tight).unwrap_or_else(|error| {
            tracing::warn!(%error, "the query engine does not know a setting, so reads use its defaults and are slower");
            create_session()
        });
        let (tight, wide) = (tight.into_inner(), create_session().into_inner());
        let sessions = Self { tight, wide, footers: Arc::default() };
        [&sessions.tight, &sessions.wide].into_iter().for_each(bound_caches);
        sessions
    }

    /// Footers of files that are read without a session.
    pub(super) fn footers(&self) -> &Arc<Footers> {
        &self.footers
    }

    pub(super) fn of(&self, reach: Reach) -> &SessionContext {
        match reach {
            Reach::Tight => &self.tight,
            Reach::Wide => &self.wide,
        }
    }
}

/// Bounds what a session keeps of files. They come and go by the hour, and the library lets 140 MB of them pile up.
fn bound_caches(session: &SessionContext) {
    let caches = &session.runtime_env().cache_manager;
    caches.get_file_metadata_cache().update_cache_limit(FOOTER_CACHE_BYTES);
    if let Some(statistics) = caches.get_file_statistic_cache() {
        statistics.update_cache_limit(STATISTICS_CACHE_BYTES);
    }
}

/// Rows of any of the symbols.
pub(super) fn of_symbols<'a>(symbols: impl IntoIterator<Item = &'a Symbol>) -> Expr {
    col(PARTITION).in_list(symbols.into_iter().map(|symbol| lit(symbol.as_str())).collect(), false)
}

/// Rows of a table between two instants, both included.
pub(super) fn between(table: TableName, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> Expr {
    if from == to {
        return at_instant(table, from);
    }
    from_instant(table, from).and(to_instant(table, to))
}

/// Rows of a table at an instant.
pub(super) fn at_instant(table: TableName, at: DateTime<Utc>) -> Expr {
    col(instant_column(table)).eq(utc(at))
}

/// Rows of a table at or after an instant.
pub(super) fn from_instant(table: TableName, from: DateTime<Utc>) -> Expr {
    col(instant_column(table)).gt_eq(utc(from))
}

/// Rows of a table at or before an instant.
pub(super) fn to_instant(table: TableName, to: DateTime<Utc>) -> Expr {
    col(instant_column(table)).lt_eq(utc(to))
}

/// Rows of a table that had been captured, or made, by an instant.
pub(super) fn captured_by(table: TableName, at: DateTime<Utc>) -> Expr {
    col(made_column(table)).lt_eq(utc(at))
}

/// An instant in the type of the columns: a literal of another precision would compare, but not prune everywhere.
pub(super) fn utc(at: DateTime<Utc>) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), Some("UTC".into())))
}
