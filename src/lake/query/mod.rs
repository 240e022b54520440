//! SQL over the tables, for reading only.
//!
//! A statement sees the tables of the lake and nothing else: no files, no addresses. What it would do is decided on its
//! plan before any of it runs (`guard.rs`). Each table is one snapshot for the whole statement, so others may write
//! meanwhile; a table nobody has made yet is an empty one.

mod answer;
mod error;
mod guard;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;

use super::{Lake, LakeError, TableName};

pub use answer::{Answer, Chunk};
pub use error::QueryError;
pub use writer::{AnswerFormat, AnswerWriter};

use error::Asked;
use tables::LakeTables;

/// The names a statement may put before that of a table.
const CATALOG: &str = "lake";

/// As [`CATALOG`].
const SCHEMA: &str = "public";

/// How many users of memory are told where it does not suffice.
const NUM_USERS_TOLD: usize = 3;

/// A statement and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The statement, in SQL.
    pub sql: String,
    /// As of when its tables are seen.
    pub as_of: QueryAsOf,
    /// Memory for sorting, grouping and joining, in bytes; what spills to the disk goes beyond.
    pub memory_bytes: usize,
    /// Where it spills; none: a folder of its own below the temporary one.
    pub spill_folder: Option<PathBuf>,
}

/// As of when the tables of a statement are seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum QueryAsOf {
    /// All there is.
    #[default]
    Latest,
    /// The rows that had been captured by then.
    Instant(DateTime<Utc>),
    /// The only table of the statement, as that version had it.
    Version(u64),
    /// Some tables as these versions had them, the others as they are.
    Versions(BTreeMap<TableName, u64>),
}

impl Lake {
    /// The answer to a statement, of which nothing is computed before it is taken.
    ///
    /// # Errors
    /// Where the statement would do anything but read, names what is not there, or cannot be planned.
    pub async fn query(&self, query: &Query) -> Result<Answer, QueryError> {
        let runtime = runtime(query).map_err(|error| QueryError::of(&Asked::nothing(query), error))?;
        let context = SessionContext::new_with_config_rt(config(), Arc::clone(&runtime));
        let state = context.state();
        let failed = |error| QueryError::of(&Asked::nothing(query), error);
        let dialect = state.config().options().sql_parser.dialect;
        let statement = state.sql_to_statement(&query.sql, &dialect).map_err(failed)?;
        guard::check_statement(&statement)?;
        let named = named(&context, &statement)?;
        let as_of = query.as_of.resolved(&named)?;
        let reading = SessionContext::new_with_config_rt(config(), runtime);
        let tables = Arc::new(LakeTables::new(self.clone(), as_of.clone(), reading));
        register(&context, Arc::clone(&tables)).map_err(failed)?;
        let asked = Asked { as_of, memory_bytes: query.memory_bytes, named };
        let plan = context.state().statement_to_plan(statement).await;
        // The error of opening a table says more than what the planner makes of it.
        let plan = plan.map_err(|error| tables.failure().unwrap_or_else(|| QueryError::of(&asked, error)))?;
        guard::check(&plan)?;
        let frame = DataFrame::new(context.state(), plan);
        let stream = frame.execute_stream().await.map_err(|error| QueryError::of(&asked, error))?;
        Ok(Answer::new(stream, asked))
    }
}

impl QueryAsOf {
    /// The same with a name for a bare version, where the statement has one table only.
    fn resolved(&self, named: &[String]) -> Result<Self, QueryError> {
        let Self::Version(version) = *self else { return Ok(self.clone()) };
        let mut tables: Vec<TableName> = named.iter().filter_map(|name| name.parse().ok()).collect();
        tables.dedup();
        match tables.as_slice() {
            [table] => Ok(Self::Versions(BTreeMap::from([(*table, version)]))),
            _ => Err(QueryError::WhichVersion { version, table: tables.first().copied() }),
        }
    }
}

/// The names of the tables in a statement, in order, without what stands before them.
fn named(context: &SessionContext, statement: &Statement) -> Result<Vec<String>, QueryError> {
    let references = context.state().resolve_table_references(statement);
    let references = references.map_err(|error| QueryError::Statement { reason: error::words(&error) })?;
    let mut names: Vec<String> = references.iter().map(|reference| reference.table().to_owned()).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn runtime(query: &Query) -> datafusion::error::Result<Arc<RuntimeEnv>> {
    let told = std::num::NonZeroUsize::new(NUM_USERS_TOLD).unwrap_or(std::num::NonZeroUsize::MIN);
    let pool = TrackConsumersPool::new(FairSpillPool::new(query.memory_bytes), told);
    let mut builder = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool));
    if let Some(folder) = &query.spill_folder {
        builder = builder.with_temp_file_path(folder);
    }
    builder.build_arc()
}

fn config() -> SessionConfig {
    SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        // Partition columns are dictionaries, on which pushing lists of a join's keys into a scan can panic.
        .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_size", 0)
        .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_distinct_values", 0)
}

fn register(context: &SessionContext, tables: Arc<LakeTables>) -> datafusion::error::Result<()> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, tables)?;
    context.register_catalog(CATALOG, Arc::new(catalog));
    Ok(())
}

impl From<LakeError> for QueryError {
    fn from(error: LakeError) -> Self {
        Self::Lake(error)
    }
}
