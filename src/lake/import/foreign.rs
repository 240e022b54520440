//! The table of another program: which files it consists of, in the order in which they were written, and its columns.
//!
//! A Delta table is read by its log and its files as they stand (`verify/log.rs`), not by the library: the order in which
//! rows were written decides which of two counts, and the library does not keep it. What hides or renames rows is refused.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field, SchemaRef};
use deltalake::kernel::{DataType as DeltaType, StructField, StructType};
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::calendar::Zone;
use crate::lake::error::Cause;
use crate::lake::folder::{self, Presence};
use crate::lake::protocol;
use crate::lake::schema::{GATEWAY_PROPERTY, PARTITION, columns};
use crate::lake::verify::{ActiveFile, LogState, outer_fault, path_of};
use crate::lake::{ImportError, TableName};

use super::file::NUMBERS;

/// Columns of a table of another program: those of ours that need no gateway's word.
const NUM_COLUMNS: usize = 13;

/// Columns without which no row can be told.
const NEEDED: [&str; 3] = ["symbol", "timestamp", "last"];

/// What every Parquet file begins with.
const PARQUET_MAGIC: &[u8] = b"PAR1";

/// As much of a file as shows what it is.
const HEAD_BYTES: u64 = 512;

/// The property that says whether columns have other names in the files.
const COLUMN_MAPPING: &str = "delta.columnMapping.mode";

/// A table of another program.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) path: PathBuf,
    /// Its files, those written first first.
    pub(super) files: Vec<ForeignFile>,
    /// Columns that are not taken in.
    pub(super) left_out: Vec<String>,
    /// Columns that would be taken in and that it lacks.
    pub(super) absent: Vec<&'static str>,
    stamps: Stamps,
}

/// One file of it.
#[derive(Debug)]
pub(super) struct ForeignFile {
    pub(super) path: PathBuf,
    /// The symbol of all its rows, where the log and not the file tells it.
    pub(super) symbol: Option<String>,
}

/// What its times are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamps {
    /// Instants.
    Zoned,
    /// What a clock on a wall showed.
    Naive,
}

impl Foreign {
    /// Looks what a path holds, without reading rows.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        if path.is_file() {
            if let Some(kind) = kind_of_other_file(path).map_err(|error| unreadable(path, error))? {
                return Err(ImportError::NotParquet { path: path.to_path_buf(), kind });
            }
            return Self::parquet(path, vec![path.to_path_buf()]);
        }
        match folder::presence(path).map_err(|error| unreadable(path, error))? {
            Presence::Table => Self::delta(path),
            Presence::Other => Self::parquet(path, parquet_files(path).map_err(|error| unreadable(path, error))?),
            Presence::Absent => Err(ImportError::NotATable { path: path.to_path_buf() }),
        }
    }

    /// The zone in which its times are to be read; none where they are instants.
    pub(super) fn zone(&self, given: Option<Zone>) -> Result<Option<Zone>, ImportError> {
        let path = || self.path.clone();
        match (self.stamps, given) {
            (Stamps::Naive, None) => Err(ImportError::NoZone { path: path() }),
            (Stamps::Zoned, Some(_)) => Err(ImportError::ZoneGiven { path: path() }),
            (_, given) => Ok(given),
        }
    }

    fn delta(path: &Path) -> Result<Self, ImportError> {
        let state = LogState::read(path).map_err(|error| unreadable(path, error))?;
        let damaged = |at: &Path, what: &str| {
            let what = format!("{}: {what}", at.display());
            ImportError::Damaged { path: path.to_path_buf(), what }
        };
        if let Some(fault) = state.faults.first() {
            return Err(damaged(&fault.path, &fault.what));
        }
        let schema = plain_schema(path, &state)?;
        let mut active: Vec<(&String, &ActiveFile)> = state.active.iter().collect();
        active.sort_by_key(|(name, file)| (file.version, file.file.modification_time, *name));
        let mut files = Vec::with_capacity(active.len());
        for (_, file) in active {
            if let Some(fault) = outer_fault(path, file) {
                return Err(damaged(&fault.path, &fault.what));
            }
            files.push(ForeignFile { path: path_of(path, file), symbol: file.file.symbol().map(str::to_owned) });
        }
        let stamps = match schema.field("timestamp").map(StructField::data_type) {
            Some(found) if *found == DeltaType::TIMESTAMP_NTZ => Ok(Stamps::Naive),
            Some(found) if *found == DeltaType::TIMESTAMP => Ok(Stamps::Zoned),
            found => Err(found.map(ToString::to_string)),
        };
        let names = schema.fields().map(|field| field.name().clone()).collect();
        Self::new(path, files, (names, stamps))
    }

    fn parquet(path: &Path, files: Vec<PathBuf>) -> Result<Self, ImportError> {
        let mut schemas = Vec::with_capacity(files.len());
        for file in &files {
            schemas.push(parquet_schema(file).map_err(|error| unreadable(file, error))?);
        }
        let Some(first) = schemas.first() else { return Err(ImportError::NotATable { path: path.to_path_buf() }) };
        let stamps_of = |schema: &SchemaRef| match schema.field_with_name("timestamp").map(Field::data_type) {
            Ok(DataType::Timestamp(_, None)) => Ok(Stamps::Naive),
            Ok(DataType::Timestamp(_, Some(_))) => Ok(Stamps::Zoned),
            Ok(other) => Err(Some(other.to_string())),
            Err(_) => Err(None),
        };
        let stamps = stamps_of(first);
        if let Some((other, _)) = files.iter().zip(&schemas).find(|(_, schema)| stamps_of(schema) != stamps) {
            let reason = format!("the timestamps of {} are of another type than those before it", other.display());
            return Err(ImportError::Unsupported { path: path.to_path_buf(), reason });
        }
        let names = first.fields().iter().map(|field| field.name().clone()).collect();
        let files = files.into_iter().map(|path| ForeignFile { path, symbol: None }).collect();
        Self::new(path, files, (names, stamps))
    }

    fn new(
        path: &Path,
        files: Vec<ForeignFile>,
        (names, stamps): (Vec<String>, Result<Stamps, Option<String>>),
    ) -> Result<Self, ImportError> {
        let path = path.to_path_buf();
        if let Some(column) = NEEDED.into_iter().find(|needed| !names.iter().any(|name| name == needed)) {
            return Err(ImportError::MissingColumn { path, column, found: names.join(", ") });
        }
        let stamps = stamps.map_err(|found| ImportError::ColumnType {
            path: path.clone(),
            column: "timestamp",
            found: found.unwrap_or_default(),
            wanted: "timestamps",
        })?;
        let ours = || columns(TableName::FuturesSnapshots).iter().take(NUM_COLUMNS).map(|spec| spec.name);
        let absent = NUMBERS.into_iter().filter(|ours| !names.iter().any(|name| name == ours)).collect();
        let left_out = names.into_iter().filter(|name| ours().all(|ours| ours != name)).collect();
        Ok(Self { path, files, left_out, absent, stamps })
    }
}

/// The columns of a Delta table whose files hold its rows and its columns under their own names.
fn plain_schema(path: &Path, state: &LogState) -> Result<StructType, ImportError> {
    let unsupported = |reason: String| ImportError::Unsupported { path: path.to_path_buf(), reason };
    let Some(metadata) = &state.metadata else { return Err(ImportError::NotATable { path: path.to_path_buf() }) };
    let property = |name: &str| metadata.configuration.get(name).cloned().flatten();
    if property(GATEWAY_PROPERTY).is_some() {
        return Err(ImportError::Own { path: path.to_path_buf() });
    }
    if let Some(reason) = state.protocol.as_ref().and_then(protocol::unknown) {
        return Err(unsupported(reason));
    }
    if let Some(mode) = property(COLUMN_MAPPING).filter(|mode| mode != "none") {
        return Err(unsupported(format!("its columns have other names in its files ({COLUMN_MAPPING} is {mode})")));
    }
    if let Some(file) = state.active.values().find(|file| file.file.hides_rows()) {
        return Err(unsupported(format!("a deletion vector hides rows of {}", file.file.path)));
    }
    let is_read = |name: &&String| {
        *name != PARTITION && *name != "date" && columns(TableName::FuturesSnapshots).iter().any(|s| s.name == **name)
    };
    if let Some(column) = metadata.partition_columns.iter().find(is_read) {
        return Err(unsupported(format!("it is partitioned by {column}")));
    }
    serde_json::from_str(&metadata.schema_string).map_err(|error| unsupported(format!("its columns: {error}")))
}

/// What a file is that is not even a damaged Parquet file.
fn kind_of_other_file(path: &Path) -> io::Result<Option<&'static str>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    Ok(match extension.as_str() {
        _ if head.starts_with(PARQUET_MAGIC) => None,
        "parquet" => None,
        "csv" | "tsv" => Some("a CSV file"),
        _ if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => Some("a text file"),
        _ => Some("no Parquet file"),
    })
}

/// The Parquet files of a folder, by name.
fn parquet_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn parquet_schema(file: &Path) -> Result<SchemaRef, Cause> {
    Ok(SchemaRef::clone(ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?.schema()))
}

pub(super) fn unreadable(path: &Path, source: impl Into<Cause>) -> ImportError {
    ImportError::Unreadable { path: path.to_path_buf(), source: source.into() }
}
