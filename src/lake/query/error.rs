//! What can go wrong with a statement, in words that help to write it right.

use std::io;

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use thiserror::Error;

use crate::lake::error::{Cause, io_kind};
use crate::lake::{LakeError, TableName};

use super::{CATALOG, Query, QueryAsOf, SCHEMA};

/// How alike a misspelt name must be to be suggested, from 0 to 1.
const ALIKE: f64 = 0.75;

/// A failure of a statement.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The statement would do something else than read.
    #[error("{what} is refused: jobs query only reads, with SELECT, EXPLAIN, DESCRIBE or SHOW TABLES")]
    Refused {
        /// What it would do.
        what: String,
    },
    /// The statement cannot be understood.
    #[error("cannot read the statement: {reason}")]
    Statement {
        /// What is wrong with it.
        reason: String,
    },
    /// The statement names a column that is not there.
    #[error("unknown column {name}: known here are {known}{suggestion}")]
    UnknownColumn {
        /// The name.
        name: String,
        /// Those that are there, comma separated.
        known: String,
        /// Empty, or a question that names the most alike.
        suggestion: String,
    },
    /// A version was asked for without the name of its table, and the statement has not just one.
    #[error(
        "version {version} of which table? the statement does not name just one: give --as-of {}={version}",
        table.unwrap_or(TableName::FuturesSnapshots)
    )]
    WhichVersion {
        /// The version.
        version: u64,
        /// The first table of the statement.
        table: Option<TableName>,
    },
    /// The memory does not suffice.
    #[error(
        "the query needs more than its {limit_mb} MB of memory: ask for fewer rows or columns, or give --max-memory-mb (lake.query_memory_mb)"
    )]
    Memory {
        /// The bound.
        limit_mb: usize,
        /// Which part of the query ran short.
        #[source]
        source: Cause,
    },
    /// A value of the answer cannot be computed.
    #[error("the query failed: {reason}")]
    Failed {
        /// What went wrong.
        reason: String,
    },
    /// The answer cannot be written where it was to go.
    #[error("cannot write the answer: {reason}")]
    Output {
        /// What went wrong.
        reason: String,
    },
    /// A table could not be opened or read.
    #[error(transparent)]
    Lake(LakeError),
}

/// What the words of an error need to know of the question.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) as_of: QueryAsOf,
    pub(super) memory_bytes: usize,
    pub(super) named: Vec<String>,
}

impl Asked {
    /// Before anything is known but the bounds.
    pub(super) fn nothing(query: &Query) -> Self {
        Self { as_of: QueryAsOf::Latest, memory_bytes: query.memory_bytes, named: Vec::new() }
    }

    /// The table and version of which files are gone, if the statement asked for one.
    fn gone(&self, text: &str) -> Option<(TableName, u64)> {
        let QueryAsOf::Versions(versions) = &self.as_of else { return None };
        let named = versions.iter().filter(|(table, _)| self.named.iter().any(|name| name == table.as_str()));
        let mut named: Vec<_> = named.map(|(table, version)| (*table, *version)).collect();
        if named.len() > 1 {
            named.retain(|(table, _)| text.contains(table.as_str()));
        }
        named.first().copied()
    }
}

impl QueryError {
    /// The error of the engine in our words.
    pub(super) fn of(asked: &Asked, error: DataFusionError) -> Self {
        if let Some(reason) = unreadable_time(&error) {
            return Self::Statement { reason };
        }
        let is_missing_file = io_kind(&error) == Some(io::ErrorKind::NotFound);
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                Self::Memory { limit_mb: asked.memory_bytes >> 20, source: words(&error).into() }
            }
            DataFusionError::SchemaError(fault, _) => match fault.as_ref() {
                SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields),
                _ => Self::Statement { reason: words(&error) },
            },
            DataFusionError::Plan(told) if let Some(unknown) = unknown_table(told) => Self::Lake(unknown),
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Configuration(_) => Self::Statement { reason: words(&error) },
            root if is_missing_file => match asked.gone(&root.to_string()) {
                Some((table, version)) => Self::Lake(LakeError::VersionGone { table, version, source: error.into() }),
                None => Self::Failed { reason: words(&error) },
            },
            _ => Self::Failed { reason: words(&error) },
        }
    }
}

/// What is wrong with a time in the statement, and the form in which it is read.
fn unreadable_time(error: &DataFusionError) -> Option<String> {
    let words = error.to_string();
    let (_, told) = words.split_once("Error parsing timestamp from ")?;
    let text = told.split('\'').nth(1)?;
    Some(format!(
        "the time '{text}' cannot be read: write it with seconds, in UTC unless it has an offset, such as \
         '2026-11-02 14:30:00' or '2026-11-02T09:30:00-05:00'"
    ))
}

/// The engine tells a missing table in words only.
fn unknown_table(told: &str) -> Option<LakeError> {
    let (_, name) = told.split_once("table '")?;
    let (name, _) = name.split_once("' not found")?;
    let own = name.strip_prefix(&format!("{CATALOG}.{SCHEMA}.")).unwrap_or(name);
    own.parse::<TableName>().err()
}

fn unknown_column(field: &Column, valid: &[Column]) -> QueryError {
    let mut known: Vec<&str> = valid.iter().map(Column::name).collect();
    known.dedup();
    let likeness = |name: &&&str| strsim::jaro_winkler(name, field.name());
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let best = best.filter(|name| likeness(name) >= ALIKE);
    QueryError::UnknownColumn {
        name: field.name().to_owned(),
        suggestion: best.map_or_else(String::new, |name| format!("; did you mean {name}?")),
        known: known.join(", "),
    }
}

/// The engine's own words in one line, without the kind of error it puts in front.
pub(super) fn words(error: &DataFusionError) -> String {
    let text = match error.find_root() {
        DataFusionError::SQL(fault, _) => fault.to_string(),
        root => root.message().into_owned(),
    };
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
    let text = text.trim_start_matches("sql parser error: ").trim();
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}
