//! Which row groups and pages of a data file may hold rows of the instants asked for, by its own statistics.

use std::ops::Range;

use deltalake::parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use deltalake::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use deltalake::parquet::file::metadata::ParquetMetaData;
use deltalake::parquet::file::page_index::column_index::ColumnIndexMetaData;
use deltalake::parquet::file::statistics::Statistics;
use deltalake::parquet::schema::types::ColumnDescriptor;

use super::file_index::Span;
use super::schema::instant_in;

/// The row groups to read and, of them, the rows.
#[derive(Debug)]
pub(super) struct PageChoice {
    pub(super) groups: Vec<usize>,
    pub(super) rows: RowSelection,
}

/// What may hold rows in any of the spans; none where the file does not tell, so that all of it has to be read.
pub(super) fn choose(file: &ParquetMetaData, spans: &[Span]) -> Option<PageChoice> {
    let columns = file.file_metadata().schema_descr().columns();
    let column = instant_in(|name| columns.iter().position(|column| column.path().string() == name))?;
    if !is_in_micros(columns.get(column)?) {
        return None;
    }
    let bounds: Vec<(i64, i64)> = spans.iter().map(|span| span.micros()).collect();
    let may_hold = |oldest: Option<i64>, newest: Option<i64>| {
        let in_span = |(from, to): &(i64, i64)| {
            oldest.is_none_or(|oldest| oldest <= *to) && newest.is_none_or(|newest| newest >= *from)
        };
        bounds.iter().any(in_span)
    };
    let (mut groups, mut selectors) = (Vec::new(), Vec::new());
    for (number, group) in file.row_groups().iter().enumerate() {
        let (oldest, newest) = match group.columns().get(column).and_then(|column| column.statistics()) {
            Some(Statistics::Int64(known)) => (known.min_opt().copied(), known.max_opt().copied()),
            _ => (None, None),
        };
        if may_hold(oldest, newest) {
            let num_rows = usize::try_from(group.num_rows()).ok()?;
            groups.push(number);
            match pages(file, (number, column), num_rows) {
                Some(pages) => selectors.extend(pages.into_iter().map(|page| page.selector(&may_hold))),
                None => selectors.push(RowSelector::select(num_rows)),
            }
        }
    }
    Some(PageChoice { groups, rows: RowSelection::from(selectors) })
}

/// The rows of a page within its group, and their oldest and newest instants.
struct Page {
    rows: Range<usize>,
    oldest: Option<i64>,
    newest: Option<i64>,
}

impl Page {
    fn selector(&self, may_hold: &impl Fn(Option<i64>, Option<i64>) -> bool) -> RowSelector {
        let is_wanted = may_hold(self.oldest, self.newest);
        if is_wanted { RowSelector::select(self.rows.len()) } else { RowSelector::skip(self.rows.len()) }
    }
}

/// The pages of a column of a row group; none where the file has no index of them.
fn pages(file: &ParquetMetaData, (group, column): (usize, usize), num_rows: usize) -> Option<Vec<Page>> {
    let ColumnIndexMetaData::INT64(known) = file.column_index()?.get(group)?.get(column)? else { return None };
    let located = file.offset_index()?.get(group)?.get(column)?.page_locations();
    let begins: Vec<usize> =
        located.iter().map(|page| usize::try_from(page.first_row_index).ok()).collect::<Option<_>>()?;
    let ends = begins.iter().skip(1).copied().chain([num_rows]);
    let pages = begins.iter().zip(ends).enumerate().map(|(number, (begin, end))| Page {
        rows: *begin..end,
        oldest: known.min_value(number).copied(),
        newest: known.max_value(number).copied(),
    });
    Some(pages.collect())
}

/// Whether the numbers of a column's statistics are microseconds.
fn is_in_micros(column: &ColumnDescriptor) -> bool {
    let by_logical = match column.logical_type_ref() {
        Some(LogicalType::Timestamp(kind)) => kind.unit == TimeUnit::MICROS,
        Some(_) => false,
        None => column.converted_type() == ConvertedType::TIMESTAMP_MICROS,
    };
    column.physical_type() == Type::INT64 && by_logical
}
