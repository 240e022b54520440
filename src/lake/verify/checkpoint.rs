//! Checkpoints: the sum of the log up to a version, in one or several Parquet files.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::json::LineDelimitedWriter;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::lake::error::Cause;

use super::entry::Line;

/// A file of a checkpoint, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lake) struct CheckpointPart {
    pub(in crate::lake) path: PathBuf,
    /// Which of how many files it is.
    number: u32,
    total: u32,
}

impl CheckpointPart {
    /// The version and the part of a checkpoint that a file's name tells: `N.checkpoint.parquet`, or
    /// `N.checkpoint.I.OF.parquet`.
    pub(super) fn named(path: &Path) -> Option<(u64, Self)> {
        let parts: Vec<&str> = path.file_name()?.to_str()?.split('.').collect();
        let (version, number, total) = match parts.as_slice() {
            [version, "checkpoint", number, total, "parquet"] => (version, number.parse().ok()?, total.parse().ok()?),
            // Named by a uuid, with one file that refers to others: counts as one, and is read as one.
            [version, "checkpoint", "parquet"] | [version, "checkpoint", _, "parquet"] => (version, 1, 1),
            _ => return None,
        };
        Some((version.parse().ok()?, Self { path: path.to_path_buf(), number, total }))
    }
}

/// The lines of a whole checkpoint, or what is wrong with which of its files.
pub(in crate::lake) fn read_checkpoint(parts: &[CheckpointPart]) -> Result<Vec<Line>, (PathBuf, String)> {
    let Some(first) = parts.first() else { return Ok(Vec::new()) };
    for number in 1..=first.total {
        if !parts.iter().any(|part| part.number == number) {
            return Err((first.path.clone(), format!("its part {number} of {} is missing", first.total)));
        }
    }
    let mut lines = Vec::new();
    for part in parts {
        lines.extend(read_part(&part.path).map_err(|error| (part.path.clone(), error.to_string()))?);
    }
    let is_whole = lines.iter().any(|line| line.metadata.is_some()) && lines.iter().any(|line| line.protocol.is_some());
    if is_whole { Ok(lines) } else { Err((first.path.clone(), "it holds no metadata or no protocol".to_owned())) }
}

/// The rows as the lines of an entry would tell them: both name the same actions by the same names.
fn read_part(path: &Path) -> Result<Vec<Line>, Cause> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
    let mut text = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut text);
    for batch in reader {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(serde_json::from_slice).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Option<(u64, u32, u32)> {
        CheckpointPart::named(Path::new(name)).map(|(version, part)| (version, part.number, part.total))
    }

    #[test]
    fn a_checkpoint_is_known_by_its_name() {
        assert_eq!(named("_delta_log/00000000000000000049.checkpoint.parquet"), Some((49, 1, 1)));
        let second = "00000000000000000049.checkpoint.0000000002.0000000003.parquet";
        assert_eq!(named(second), Some((49, 2, 3)));
        assert_eq!(named("00000000000000000049.json"), None);
        assert_eq!(named("_last_checkpoint"), None);
    }

    #[test]
    fn a_part_that_is_missing_is_named() {
        let parts: Vec<CheckpointPart> =
            [1, 3].map(|number| CheckpointPart { path: PathBuf::from(format!("{number}")), number, total: 3 }).to_vec();
        let (_, what) = read_checkpoint(&parts).expect_err("not whole");
        assert_eq!(what, "its part 2 of 3 is missing");
    }
}
