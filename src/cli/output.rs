//! Printing: rows as a table a trader can read, or as JSON with the column names of the table.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};
use serde_json::Value as Json;

use crate::calendar::to_new_york;
use crate::escape::escaped;
use crate::job::{Failure, JobError};
use crate::lake::{Rows, Value};

use super::settings::Format;

/// Columns left out of text: they identify a row to a program, not to a person.
const NOT_IN_TEXT: [&str; 4] = ["con_id", "expiry", "date", "captured_at"];

/// Columns shown with a sign.
const SIGNED: &str = "change_";

/// Prints rows.
pub(super) fn print_rows(rows: &Rows, format: Format) -> Result<(), JobError> {
    match format {
        Format::Text => print_text(&text_table(rows)),
        _ => print_documents(rows.objects(), format),
    }
}

/// Prints JSON objects: one document, or one a line.
pub(super) fn print_documents(documents: Vec<Json>, format: Format) -> Result<(), JobError> {
    match format {
        Format::Jsonl => documents.iter().try_for_each(|document| print_line(&document.to_string())),
        _ => print_json(&Json::Array(documents)),
    }
}

/// Prints one JSON object: over several lines, or as one.
pub(super) fn print_document(document: &Json, format: Format) -> Result<(), JobError> {
    if format == Format::Jsonl { print_line(&document.to_string()) } else { print_json(document) }
}

/// Prints a JSON document.
fn print_json(document: &Json) -> Result<(), JobError> {
    let text = serde_json::to_string_pretty(document).map_err(|error| JobError::fail(Failure::Failed, error))?;
    print_line(&text)
}

/// Prints text.
pub(super) fn print_text(text: &impl ToString) -> Result<(), JobError> {
    print_line(&text.to_string())
}

/// Prints a line, or several, without what acts on a terminal. A reader that has gone away, as `head` does, is no failure.
pub(super) fn print_line(line: &str) -> Result<(), JobError> {
    match writeln!(io::stdout(), "{}", escaped(line)) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(JobError::fail(Failure::Failed, error)),
        _ => Ok(()),
    }
}

/// Prints a line, or several, to stderr without what acts on a terminal.
pub(super) fn print_error(line: &str) {
    eprintln!("{}", escaped(line));
}

/// An instant in UTC, RFC 3339, with fractions only where there are some.
pub(super) fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// An instant in New York, to the minute.
pub(super) fn eastern(at: DateTime<Utc>) -> String {
    to_new_york(at).format("%a %Y-%m-%d %H:%M ET").to_string()
}

/// An instant in New York, with seconds and fractions where there are some.
pub(super) fn eastern_in_full(at: DateTime<Utc>) -> String {
    let local = to_new_york(at);
    let form = match (local.timestamp() % 60, local.timestamp_subsec_micros()) {
        (0, 0) => return eastern(at),
        (_, 0) => "%a %Y-%m-%d %H:%M:%S ET",
        _ => "%a %Y-%m-%d %H:%M:%S%.6f ET",
    };
    local.format(form).to_string()
}

fn text_table(rows: &Rows) -> Table {
    let shown = |name: &str| !NOT_IN_TEXT.contains(&name);
    let mut table = plain_table();
    table.set_header(rows.columns.iter().filter(|c| shown(&c.name)).map(|c| header(&c.name)));
    for row in &rows.rows {
        let cells = rows.columns.iter().zip(row).filter(|(column, _)| shown(&column.name));
        table.add_row(cells.map(|(column, value)| cell(&column.name, value)));
    }
    table
}

/// A table without frames, as wide as its content.
pub(super) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─')));
    table
}

fn header(name: &str) -> String {
    match name {
        "timestamp" => "slot".to_owned(),
        "implied_vol" => "iv".to_owned(),
        "open_interest" => "open int.".to_owned(),
        _ => name.strip_prefix(SIGNED).unwrap_or(name).replace('_', " "),
    }
}

fn cell(column: &str, value: &Value) -> Cell {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => return Cell::new(text),
        Value::Float(number) if column.starts_with(SIGNED) => format!("{number:+.2}"),
        Value::Float(number) if column == "implied_vol" => format!("{:.1}%", number * 100.0),
        Value::Float(number) => format!("{number:.2}"),
        Value::Integer(number) => grouped(number),
        Value::Timestamp(at) => return Cell::new(eastern(*at)),
        Value::Date(date) => return Cell::new(date),
    };
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A cell to be read as a number.
pub(super) fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A whole number with commas between the thousands.
pub(super) fn grouped(number: &impl ToString) -> String {
    let number = number.to_string();
    let (sign, digits) = number.strip_prefix('-').map_or(("", number.as_str()), |digits| ("-", digits));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0_i64, 999, 1_000, -1_234_567].map(|number| grouped(&number)), ["0", "999", "1,000", "-1,234,567"]);
    }
}
