//! The data files of a version: each is there, is whole, and holds what the log says.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use deltalake::Path as StorePath;
use deltalake::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::lake::TableName;
use crate::lake::columns::plain;
use crate::lake::error::Cause;
use crate::lake::schema::{instant_column, part_column};

use super::fault::{FROM_BACKUP, Fault, FaultKind};
use super::log::ActiveFile;
use super::rows::{RowCheck, Span};

/// Where a file that the log names is. The log writes names as they stand in addresses.
pub(in crate::lake) fn path_of(table: &Path, file: &ActiveFile) -> PathBuf {
    let decoded = StorePath::from_url_path(&file.file.path).map(|path| path.to_string());
    table.join(decoded.unwrap_or_else(|_| file.file.path.clone()))
}

/// What is wrong with a file as far as its name and its size tell.
pub(in crate::lake) fn outer_fault(table: &Path, file: &ActiveFile) -> Option<Fault> {
    let path = path_of(table, file);
    match fs::metadata(&path) {
        Ok(found) if found.len() == file.file.size => None,
        Ok(found) => {
            let what = format!("the file is {} bytes long where the log says {}", found.len(), file.file.size);
            Some(of_file(FaultKind::FileSize, path, (file, what)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some(of_file(FaultKind::MissingFile, path, (file, "the file is missing".to_owned())))
        }
        Err(error) => {
            Some(of_file(FaultKind::UnreadableFile, path, (file, format!("the file cannot be read: {error}"))))
        }
    }
}

/// Reads a file whole, and gives its rows to the check of the rows.
pub(super) fn check(table: &Path, file: &ActiveFile, rows: &mut RowCheck<'_>) -> Option<Fault> {
    if let Some(fault) = outer_fault(table, file) {
        return Some(fault);
    }
    let path = path_of(table, file);
    let told = file.file.statistics();
    let unreadable = |error: Cause| format!("the file cannot be read: {error}");
    let (span, in_footer) = match read(&path, file, rows) {
        Ok(read) => read,
        Err(error) => return Some(of_file(FaultKind::UnreadableFile, path, (file, unreadable(error)))),
    };
    if told.num_rows.is_some_and(|rows| rows != span.num_rows) || in_footer != span.num_rows {
        let told = told.num_rows.map_or_else(|| "nothing".to_owned(), |rows| rows.to_string());
        let what = format!("the file holds {} rows, its footer says {in_footer} and the log {told}", span.num_rows);
        return Some(of_file(FaultKind::RowCount, path, (file, what)));
    }
    // Statistics are kept in milliseconds, exact for slots.
    let is_within = told.first.is_none_or(|first| span.first.is_none_or(|found| first <= found))
        && told.last.is_none_or(|last| span.last.is_none_or(|found| found <= last));
    if is_within {
        return None;
    }
    let what = "the file holds instants outside of those the log says, so reads pass its rows by".to_owned();
    Some(of_file(FaultKind::Statistics, path, (file, what)))
}

/// The rows of a file as they were found, and how many its footer tells.
fn read(path: &Path, file: &ActiveFile, rows: &mut RowCheck<'_>) -> Result<(Span, u64), Cause> {
    let (reader, in_footer) = open(path)?;
    let mut span = Span::default();
    for batch in reader {
        let batch: RecordBatch = batch?;
        rows.take((path, file.file.symbol()), &batch, &mut span)?;
    }
    Ok((span, in_footer))
}

fn open(path: &Path) -> Result<(ParquetRecordBatchReader, u64), Cause> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let in_footer = u64::try_from(builder.metadata().file_metadata().num_rows())?;
    Ok((builder.build()?, in_footer))
}

fn of_file(kind: FaultKind, path: PathBuf, (file, what): (&ActiveFile, String)) -> Fault {
    let fault = Fault::new(kind, path, what);
    match file.version {
        Some(version @ 1..) => fault.at(version).remedy(format!(
            "{FROM_BACKUP}; or go back to before the file was added, by jobs table restore --version {}, and then jobs run \
             backfill",
            version - 1
        )),
        _ => fault.remedy(format!(
            "{FROM_BACKUP}; or go back to a version without it, by jobs table restore --version, and then jobs run backfill"
        )),
    }
}

/// The instants in a file, each with the word that tells rows of one symbol and instant apart, where the table has one.
pub(in crate::lake) fn keys_of(name: TableName, path: &Path) -> Result<Vec<(DateTime<Utc>, String)>, Cause> {
    let mut found = Vec::new();
    for batch in open(path)?.0 {
        let batch = plain(name, &batch?)?;
        let array = batch.column_by_name(instant_column(name));
        let instants = array.and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
        let instants = instants.ok_or("it has no timestamps")?;
        let parts = part_column(name).and_then(|part| batch.column_by_name(part)?.as_string_opt::<i32>());
        for row in 0..batch.num_rows() {
            let at = instants.is_valid(row).then(|| instants.value(row)).and_then(DateTime::from_timestamp_micros);
            let part = parts.filter(|parts| parts.is_valid(row)).map_or("", |parts| parts.value(row));
            found.extend(at.map(|at| (at, part.to_owned())));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::calendar::{Calendar, CalendarId};
    use crate::clock::{Clock, SystemClock};
    use crate::lake::fixtures::{futures_row, lake, slot};

    /// The faults of a table with two rows in a file, after its entry was written anew.
    async fn faults(was: &str, is: &str) -> Vec<Fault> {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&[futures_row("ES", slot(1)), futures_row("ES", slot(3))]).await.expect("written");
        let entry = lake.root().join("futures_snapshots/_delta_log/00000000000000000001.json");
        let told = fs::read_to_string(&entry).expect("an entry");
        let changed = told.replace(was, is);
        assert_ne!(told, changed, "{was} is not in {told}");
        fs::write(&entry, changed).expect("written");
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        lake.verify(TableName::FuturesSnapshots, &calendar, SystemClock.now()).await.expect("read").faults
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_with_other_rows_than_the_log_counts_is_told() {
        let found = faults(r#"\"numRecords\":2"#, r#"\"numRecords\":3"#).await;
        assert!(matches!(found.as_slice(), [fault] if fault.kind == FaultKind::RowCount), "{found:#?}");
        assert!(
            found.iter().all(|fault| fault.what.contains("holds 2 rows, its footer says 2 and the log 3")),
            "{found:#?}"
        );
        assert!(
            found.iter().all(|fault| fault.version == Some(1) && fault.remedy.contains("--version 0")),
            "{found:#?}"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_with_instants_outside_of_those_in_the_log_is_told() {
        let found = faults("2026-11-18T15:15:00", "2026-11-18T15:10:00").await;
        assert!(matches!(found.as_slice(), [fault] if fault.kind == FaultKind::Statistics), "{found:#?}");
        assert!(found.iter().all(|fault| fault.what.contains("reads pass its rows by")), "{found:#?}");
    }
}
