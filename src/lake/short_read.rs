//! Reading without the query engine: the log names the files, their statistics the pages, and what is left is decoded.
//!
//! The engine plans each question anew, which takes longer than the answer: a few pages of one file. Whatever the short
//! way cannot do, or fails at, is left to the long one (`read.rs`), which gives the same rows or the better error.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::market::Symbol;

use super::data_file::{Wanted, read_wanted};
use super::error::Cause;
use super::file_index::{FileIndex, Span};
use super::footers::Footers;
use super::mark::Mark;
use super::row::Row;
use super::schema::arrow_schema;
use super::{LakeError, TableName};

/// The files of one version of a table, to be read as they stand.
#[derive(Clone)]
pub(super) struct Source {
    /// The table.
    pub(super) name: TableName,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// The version and the file that is its entry.
    pub(super) mark: Option<Mark>,
    /// Its files.
    pub(super) files: Arc<FileIndex>,
    /// Footers of files read before.
    pub(super) footers: Arc<Footers>,
}

/// Which rows are asked for.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Of these symbols, or of all.
    pub(super) symbols: Option<Vec<Symbol>>,
    /// In any of these spans.
    pub(super) spans: Vec<Span>,
    /// Only these columns; all of the program's where absent.
    pub(super) columns: Option<&'static [&'static str]>,
}

impl Question {
    /// All columns of the rows of some symbols in a span.
    pub(super) fn of(symbols: &[Symbol], span: Span) -> Self {
        Self { symbols: Some(symbols.to_vec()), spans: vec![span], columns: None }
    }

    fn schema(&self, table: TableName) -> SchemaRef {
        let all = arrow_schema(table);
        let Some(names) = self.columns else { return all };
        let fields = all.fields().iter().filter(|field| names.contains(&field.name().as_str()));
        Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
    }
}

impl Source {
    /// The batches that answer a question; none where only the long way can.
    pub(super) async fn batches(&self, question: Question) -> Option<Vec<RecordBatch>> {
        let (source, table) = (self.clone(), self.name);
        let reading = tokio::task::spawn_blocking(move || source.read(&question));
        let found = reading.await.map_err(Cause::from).and_then(|found| found);
        found.inspect_err(|error| tracing::debug!(%table, %error, "left to the query engine")).ok()
    }

    /// The rows that answer a question, in no order; none where only the long way can.
    pub(super) async fn rows<R: Row>(&self, question: Question) -> Option<Vec<R>> {
        let decode = |batches: Vec<RecordBatch>| -> Result<Vec<R>, LakeError> {
            let rows = batches.iter().map(R::decode).collect::<Result<Vec<_>, _>>()?;
            Ok(rows.into_iter().flatten().collect())
        };
        self.decoded(question, decode).await
    }

    /// What the batches that answer a question hold; none where only the long way can.
    pub(super) async fn decoded<T>(
        &self,
        question: Question,
        decode: impl FnOnce(Vec<RecordBatch>) -> Result<T, LakeError>,
    ) -> Option<T> {
        let decoded = decode(self.batches(question).await?);
        decoded.inspect_err(|error| tracing::debug!(table = %self.name, %error, "left to the query engine")).ok()
    }

    fn read(&self, question: &Question) -> Result<Vec<RecordBatch>, Cause> {
        let schema = question.schema(self.name);
        let wanted = Wanted { schema: &schema, spans: &question.spans };
        let mut batches = Vec::new();
        for file in self.files.choose(question.symbols.as_deref(), &question.spans) {
            batches.append(&mut read_wanted(&self.folder, &file, (&wanted, &self.footers))?);
        }
        Ok(batches)
    }
}
