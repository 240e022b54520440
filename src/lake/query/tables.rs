//! The tables a statement can name, opened when it names them and not before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::datasource::TableType;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{Expr, SessionContext};

use crate::lake::error::Cause;
use crate::lake::read::{AsOf, view_as_of};
use crate::lake::schema::arrow_schema;
use crate::lake::view::TableView;
use crate::lake::{Lake, LakeError, TableName};

use super::{QueryAsOf, QueryError};

/// The tables of a lake to one statement.
pub(super) struct LakeTables {
    lake: Lake,
    as_of: QueryAsOf,
    /// Where the tables are read; it shares memory and disk with the statement's session.
    reading: SessionContext,
    /// One snapshot each, however often the statement names a table.
    opened: tokio::sync::Mutex<BTreeMap<TableName, Arc<dyn TableProvider>>>,
    failure: Mutex<Option<QueryError>>,
}

impl LakeTables {
    pub(super) fn new(lake: Lake, as_of: QueryAsOf, reading: SessionContext) -> Self {
        Self { lake, as_of, reading, opened: tokio::sync::Mutex::default(), failure: Mutex::default() }
    }

    /// Why a table could not be given, if one could not.
    pub(super) fn failure(&self) -> Option<QueryError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn open(&self, name: TableName) -> Result<Arc<dyn TableProvider>, LakeError> {
        let mut opened = self.opened.lock().await;
        if let Some(table) = opened.get(&name) {
            return Ok(Arc::clone(table));
        }
        let table: Arc<dyn TableProvider> = match view_as_of(self.lake.handle(name), &self.as_of_of(name)).await? {
            None => {
                self.lake.check_exists()?;
                Arc::new(EmptyTable::new(arrow_schema(name)))
            }
            Some((view, captured)) => {
                let provider = self.provider(&view, captured).await;
                provider.map_err(|error| LakeError::storage("read", view.path(), error))?
            }
        };
        opened.insert(name, Arc::clone(&table));
        Ok(table)
    }

    async fn provider(&self, view: &TableView, captured: Option<Expr>) -> Result<Arc<dyn TableProvider>, Cause> {
        let state = Arc::new(self.reading.state());
        view.table().update_datafusion_session(state.as_ref())?;
        let provider = view.table().table_provider().with_session(state).await?;
        Ok(match captured {
            None => provider,
            Some(filter) => self.reading.read_table(provider)?.filter(filter)?.into_view(),
        })
    }

    fn as_of_of(&self, name: TableName) -> AsOf {
        match &self.as_of {
            QueryAsOf::Latest => AsOf::Latest,
            QueryAsOf::Instant(at) => AsOf::Instant(*at),
            QueryAsOf::Version(version) => AsOf::Version(*version),
            QueryAsOf::Versions(versions) => versions.get(&name).copied().map_or(AsOf::Latest, AsOf::Version),
        }
    }
}

impl fmt::Debug for LakeTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTables")
            .field("root", &self.lake.root())
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for LakeTables {
    fn table_names(&self) -> Vec<String> {
        TableName::ALL.map(|name| name.to_string()).to_vec()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        // It may be the name of a table function: what is unknown in the end the planner tells.
        let Ok(name) = name.parse::<TableName>() else { return Ok(None) };
        self.open(name).await.map(Some).map_err(|error| {
            let told = DataFusionError::Plan(error.to_string());
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.into());
            told
        })
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>, DataFusionError> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        name.parse::<TableName>().is_ok()
    }
}
