//! One entry of the log as its file tells it, read without the library, which refuses a damaged table.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::lake::schema::{PARTITION, instant_in};

/// One line of an entry; what is not listed here is of no concern.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::lake) struct Line {
    pub(super) add: Option<AddedFile>,
    pub(super) remove: Option<RemovedFile>,
    #[serde(rename = "metaData")]
    pub(super) metadata: Option<Metadata>,
    pub(super) protocol: Option<Protocol>,
    pub(super) commit_info: Option<CommitInfo>,
    pub(super) sidecar: Option<Sidecar>,
}

/// A file that a checkpoint refers to, which names files of the table.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::lake) struct Sidecar {
    /// Its name in `_delta_log/_sidecars`, or where it is.
    pub(super) path: String,
}

/// What a commit tells of itself.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::lake) struct CommitInfo {
    /// When it was made, in milliseconds.
    pub(super) timestamp: Option<i64>,
}

/// A file the table consists of.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::lake) struct AddedFile {
    /// Where it is, below the table.
    pub(in crate::lake) path: String,
    pub(in crate::lake) size: u64,
    /// When it was written, in milliseconds.
    #[serde(default)]
    pub(in crate::lake) modification_time: i64,
    stats: Option<String>,
    /// Names the rows of it that are hidden.
    deletion_vector: Option<serde_json::Value>,
    #[serde(default)]
    partition_values: BTreeMap<String, Option<String>>,
}

/// A file the table consisted of.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::lake) struct RemovedFile {
    pub(super) path: String,
}

/// What a table is made of.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::lake) struct Metadata {
    #[serde(default)]
    pub(super) id: String,
    pub(in crate::lake) schema_string: String,
    #[serde(default)]
    pub(in crate::lake) partition_columns: Vec<String>,
    #[serde(default)]
    pub(in crate::lake) configuration: BTreeMap<String, Option<String>>,
}

/// What a table demands of programs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::lake) struct Protocol {
    pub(in crate::lake) min_reader_version: i32,
    pub(in crate::lake) min_writer_version: i32,
    #[serde(default)]
    reader_features: Option<Vec<String>>,
    #[serde(default)]
    writer_features: Option<Vec<String>>,
}

/// What the log tells of the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Statistics {
    pub(super) num_rows: Option<u64>,
    pub(super) first: Option<DateTime<Utc>>,
    pub(super) last: Option<DateTime<Utc>>,
}

/// Why an entry tells nothing.
#[derive(Debug)]
pub(in crate::lake) enum Torn {
    /// It has no content.
    Empty,
    /// It begins with zeros, as a file that the disk never wrote.
    Zeroed,
    /// A line is no JSON.
    Cut { line: usize, source: serde_json::Error },
    /// The system does not give it.
    Unreadable(io::Error),
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "it is empty"),
            Self::Zeroed => write!(f, "it is filled with zeros"),
            Self::Cut { line, source } => write!(f, "line {line} is cut off or damaged ({source})"),
            Self::Unreadable(error) => write!(f, "it cannot be read ({error})"),
        }
    }
}

/// The lines of an entry.
pub(in crate::lake) fn read_entry(path: &Path) -> Result<Vec<Line>, Torn> {
    let content = fs::read(path).map_err(Torn::Unreadable)?;
    if content.iter().all(u8::is_ascii_whitespace) {
        return Err(Torn::Empty);
    }
    if content.first() == Some(&0) {
        return Err(Torn::Zeroed);
    }
    let lines = content.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
    let parse =
        |(at, line): (usize, &[u8])| serde_json::from_slice(line).map_err(|source| Torn::Cut { line: at + 1, source });
    lines.map(parse).collect()
}

impl AddedFile {
    /// The symbol all its rows are of.
    pub(in crate::lake) fn symbol(&self) -> Option<&str> {
        self.partition_values.get(PARTITION)?.as_deref()
    }

    /// Whether some of its rows are not of the table.
    pub(in crate::lake) fn hides_rows(&self) -> bool {
        self.deletion_vector.is_some()
    }

    pub(super) fn statistics(&self) -> Statistics {
        let told: Option<serde_json::Value> = self.stats.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let Some(told) = told else { return Statistics::default() };
        let instant = |bound: &str| {
            let bounds = told.get(bound)?;
            let text = instant_in(|name| bounds.get(name))?.as_str()?;
            DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
        };
        Statistics {
            num_rows: told.get("numRecords").and_then(serde_json::Value::as_u64),
            first: instant("minValues"),
            last: instant("maxValues"),
        }
    }
}

impl Protocol {
    /// Every feature it names, for readers and for writers.
    pub(in crate::lake) fn features(&self) -> impl Iterator<Item = &str> {
        self.reader_features.iter().chain(&self.writer_features).flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Vec<Line>, Torn> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("00000000000000000007.json");
        fs::write(&path, content).expect("written");
        read_entry(&path)
    }

    #[test]
    fn each_way_to_be_torn_is_told_apart() {
        assert!(matches!(read(b""), Err(Torn::Empty)));
        assert!(matches!(read(b"\n"), Err(Torn::Empty)));
        assert!(matches!(read(&[0; 700]), Err(Torn::Zeroed)));
        assert!(matches!(read(b"{\"commitInfo\":{}}\n{\"add\":{\"path\":\"x"), Err(Torn::Cut { line: 2, .. })));
        assert!(matches!(read_entry(Path::new("/no/such/entry.json")), Err(Torn::Unreadable(_))));
    }

    #[test]
    fn a_file_tells_its_symbol_and_its_statistics() {
        let add = r#"{"add":{"path":"symbol=ES/part-1.parquet","partitionValues":{"symbol":"ES"},"size":7,"modificationTime":1,
            "dataChange":true,"stats":"{\"numRecords\":2,\"minValues\":{\"timestamp\":\"2026-11-18T15:05:00Z\"}}"}}"#;
        let lines = read(add.replace('\n', " ").as_bytes()).expect("whole");
        let file = lines.first().and_then(|line| line.add.as_ref()).expect("a file");
        assert_eq!((file.symbol(), file.size), (Some("ES"), 7));
        let told = file.statistics();
        assert_eq!(
            (told.num_rows, told.first.map(|at| at.timestamp()), told.last),
            (Some(2), Some(1_795_014_300), None)
        );
    }
}
