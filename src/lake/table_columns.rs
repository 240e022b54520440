//! The columns of a table as they are, beside those that this program makes.

use super::error::Cause;
use super::schema::{columns, delta_type};
use super::view::TableView;
use super::{Lake, LakeError, TableName};

/// The columns of a table, each with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumns {
    /// As this program makes them; one that may be empty and that an older table lacks is left out.
    pub designed: Vec<(String, String)>,
    /// As they are.
    pub found: Vec<(String, String)>,
}

impl Lake {
    /// The columns of a table; none where there is no such table yet.
    ///
    /// # Errors
    /// Where the table is not one of ours or cannot be read.
    pub async fn columns(&self, table: TableName) -> Result<Option<TableColumns>, LakeError> {
        let Some(view) = self.handle(table).lock().await.newest().await? else { return Ok(None) };
        of(&view).map(Some).map_err(|source| LakeError::storage("read", view.path(), source))
    }
}

fn of(view: &TableView) -> Result<TableColumns, Cause> {
    let schema = view.table().snapshot()?.schema();
    let found: Vec<(String, String)> =
        schema.fields().map(|field| (field.name().clone(), field.data_type().to_string())).collect();
    let is_there = |name: &str| found.iter().any(|(known, _)| known == name);
    let designed = columns(view.name()).iter().filter(|spec| !spec.nullable || is_there(spec.name));
    let designed = designed.map(|spec| (spec.name.to_owned(), delta_type(spec.kind).to_string())).collect();
    Ok(TableColumns { designed, found })
}
