//! An answer as a table for a person, page by page, so that a long one needs no more memory than a page.

use std::io::Write;

use comfy_table::{Cell, CellAlignment, ColumnConstraint, Table, Width};

use crate::escape::escaped;
use crate::job::{Failure, JobError};
use crate::lake::{Column, ColumnKind, Value};

use super::super::output::{eastern_in_full, plain_table};

/// Rows of a page. The columns are as wide as the widest value so far, so they can only widen from page to page.
const PAGE_ROWS: usize = 1_000;

/// Prints an answer.
pub(super) struct TextWriter {
    columns: Vec<Column>,
    widths: Vec<u16>,
    /// Rows of a page that is not full yet: they come in pieces of any size, and a page is formed as one.
    pending: Vec<Vec<Value>>,
    num_rows: usize,
}

impl TextWriter {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns, widths: Vec::new(), pending: Vec::new(), num_rows: 0 }
    }

    /// Prints the pages that some more rows fill.
    pub(super) fn write(&mut self, mut rows: Vec<Vec<Value>>, out: &mut impl Write) -> Result<(), JobError> {
        self.pending.append(&mut rows);
        while self.pending.len() >= PAGE_ROWS {
            let rest = self.pending.split_off(PAGE_ROWS);
            let page = std::mem::replace(&mut self.pending, rest);
            self.write_page(&page, out)?;
        }
        Ok(())
    }

    /// Prints what is left, and says so where there were no rows.
    pub(super) fn finish(mut self, out: &mut impl Write) -> Result<(), JobError> {
        let page = std::mem::take(&mut self.pending);
        if !page.is_empty() {
            self.write_page(&page, out)?;
        }
        let told = if self.num_rows == 0 { writeln!(out, "no rows") } else { Ok(()) };
        told.and_then(|()| out.flush()).map_err(|error| JobError::fail(Failure::Failed, error))
    }

    fn write_page(&mut self, page: &[Vec<Value>], out: &mut impl Write) -> Result<(), JobError> {
        let mut table = plain_table();
        if self.num_rows == 0 {
            table.set_header(self.columns.iter().map(|column| &column.name));
        }
        for row in page {
            table.add_row(row.iter().zip(&self.columns).map(|(value, column)| cell(value, column.kind)));
        }
        self.align(&mut table);
        self.num_rows += page.len();
        let written = writeln!(out, "{}", escaped(&table.to_string())).and_then(|()| out.flush());
        written.map_err(|error| JobError::fail(Failure::Failed, error))
    }

    /// Makes the columns as wide as those of the pages before.
    fn align(&mut self, table: &mut Table) {
        let wanted = table.column_max_content_widths();
        self.widths.resize(wanted.len(), 0);
        for (width, wanted) in self.widths.iter_mut().zip(wanted) {
            *width = wanted.max(*width);
        }
        for (column, width) in table.column_iter_mut().zip(&self.widths) {
            let padded = width.saturating_add(2);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(padded)));
        }
    }
}

fn cell(value: &Value, kind: ColumnKind) -> Cell {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Float(number) => full(*number),
        Value::Integer(number) => number.to_string(),
        Value::Timestamp(at) => eastern_in_full(*at),
        Value::Date(date) => date.to_string(),
    };
    let is_number = matches!(kind, ColumnKind::Float | ColumnKind::Integer);
    Cell::new(text).set_alignment(if is_number { CellAlignment::Right } else { CellAlignment::Left })
}

/// A number in full, with two decimals at least, as prices are read.
fn full(number: f64) -> String {
    let text = number.to_string();
    match text.split_once('.') {
        None if number.is_finite() => format!("{text}.00"),
        Some((_, decimals)) if decimals.len() == 1 => format!("{text}0"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_in_full() {
        assert_eq!([6000.0, 0.5, -0.123_456_789, f64::NAN].map(full), ["6000.00", "0.50", "-0.123456789", "NaN"]);
    }

    #[test]
    fn a_long_answer_keeps_its_columns_from_page_to_page() {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let mut writer = TextWriter::new(vec![column("symbol", ColumnKind::Text), column("rows", ColumnKind::Integer)]);
        let row = |number: i64| vec![Value::Text("ES".to_owned()), Value::Integer(number)];
        let mut printed = Vec::new();
        for number in 0..2_500 {
            writer.write(vec![row(number)], &mut printed).expect("written");
        }
        writer.write((0..500).map(|_| row(1)).chain([row(12_345_678)]).collect(), &mut printed).expect("written");
        writer.finish(&mut printed).expect("written");
        let printed = String::from_utf8(printed).expect("text");
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!((lines.len(), lines[0].trim_end()), (3_003, " symbol   rows"));
        assert_eq!((lines[2], lines[2_501]), (" ES          0 ", " ES       2499 "), "all of one width");
        assert_eq!(lines[3_002], " ES       12345678 ", "and wider where it must be");
        let mut printed = Vec::new();
        TextWriter::new(Vec::new()).finish(&mut printed).expect("written");
        assert_eq!(printed, b"no rows\n");
    }
}
