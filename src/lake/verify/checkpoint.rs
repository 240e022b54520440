//! Checkpoints: the sum of the log up to a version, in one or several Parquet files.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::json::LineDelimitedWriter;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::lake::error::Cause;

use super::entry::{Line, Sidecar, read_entry};

/// The folder in the log of files that checkpoints refer to.
pub(in crate::lake) const SIDECARS: &str = "_sidecars";

/// A file of a checkpoint, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lake) struct CheckpointPart {
    pub(in crate::lake) path: PathBuf,
    /// Which of how many files it is.
    number: u32,
    total: u32,
    /// The uuid in its name; each is a checkpoint of its own.
    id: Option<String>,
}

impl CheckpointPart {
    /// The version and the part of a checkpoint that a file's name tells: `N.checkpoint.parquet`,
    /// `N.checkpoint.I.OF.parquet`, or `N.checkpoint.UUID.parquet`, which may be JSON.
    pub(super) fn named(path: &Path) -> Option<(u64, Self)> {
        let parts: Vec<&str> = path.file_name()?.to_str()?.split('.').collect();
        let (version, number, total, id) = match parts.as_slice() {
            [version, "checkpoint", number, total, "parquet"] => {
                (version, number.parse().ok()?, total.parse().ok()?, None)
            }
            [version, "checkpoint", "parquet"] => (version, 1, 1, None),
            [version, "checkpoint", id, "parquet" | "json"] => (version, 1, 1, Some((*id).to_owned())),
            _ => return None,
        };
        Some((version.parse().ok()?, Self { path: path.to_path_buf(), number, total, id }))
    }

    /// The files it refers to, as far as it can be read.
    pub(in crate::lake) fn sidecars(&self) -> Vec<PathBuf> {
        let lines = read_part(&self.path).unwrap_or_default();
        lines.iter().filter_map(|line| Some(sidecar_path(&self.path, line.sidecar.as_ref()?))).collect()
    }
}

/// The lines of a whole checkpoint, or what is wrong with which of its files. Several of one version say the same: the
/// first whole one counts.
pub(in crate::lake) fn read_checkpoint(parts: &[CheckpointPart]) -> Result<Vec<Line>, (PathBuf, String)> {
    let mut by_kind: BTreeMap<(Option<&str>, u32), Vec<&CheckpointPart>> = BTreeMap::new();
    for part in parts {
        by_kind.entry((part.id.as_deref(), part.total)).or_default().push(part);
    }
    let mut failure = None;
    for parts in by_kind.values() {
        match read_one(parts) {
            Ok(lines) => return Ok(lines),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or_else(|| Ok(Vec::new()), Err)
}

fn read_one(parts: &[&CheckpointPart]) -> Result<Vec<Line>, (PathBuf, String)> {
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
    let sidecars: Vec<PathBuf> =
        lines.iter().filter_map(|line| Some(sidecar_path(&first.path, line.sidecar.as_ref()?))).collect();
    for path in sidecars {
        let failed = |error: Cause| (first.path.clone(), format!("{}, which it refers to: {error}", path.display()));
        lines.extend(read_part(&path).map_err(failed)?);
    }
    let is_whole = lines.iter().any(|line| line.metadata.is_some()) && lines.iter().any(|line| line.protocol.is_some());
    if is_whole { Ok(lines) } else { Err((first.path.clone(), "it holds no metadata or no protocol".to_owned())) }
}

/// A sidecar is named by its file alone; other programs may write where it is below the table.
fn sidecar_path(checkpoint: &Path, sidecar: &Sidecar) -> PathBuf {
    let name = Path::new(&sidecar.path).file_name().unwrap_or_default();
    checkpoint.with_file_name(SIDECARS).join(name)
}

/// The rows as the lines of an entry would tell them: both name the same actions by the same names.
fn read_part(path: &Path) -> Result<Vec<Line>, Cause> {
    if path.extension().is_some_and(|extension| extension == "json") {
        return read_entry(path).map_err(|torn| torn.to_string().into());
    }
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
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::lake::fixtures::{futures_of, lake, slot};
    use crate::lake::verify::LogState;

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
        for name in ["parquet", "json"] {
            let by_uuid = format!("00000000000000000049.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.{name}");
            assert_eq!(named(&by_uuid), Some((49, 1, 1)));
        }
    }

    #[test]
    fn a_part_that_is_missing_is_named() {
        let parts: Vec<CheckpointPart> = [1, 3]
            .map(|number| CheckpointPart { path: PathBuf::from(format!("{number}")), number, total: 3, id: None })
            .to_vec();
        let (_, what) = read_checkpoint(&parts).expect_err("not whole");
        assert_eq!(what, "its part 2 of 3 is missing");
    }

    /// Puts a checkpoint by a uuid in the place of the log, with the files of the table in a sidecar.
    async fn with_sidecar(folder: &Path, write: fn(&Path, &str)) -> PathBuf {
        let lake = lake(folder);
        for number in 1..4 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        let table = lake.root().join("futures_snapshots");
        let log = table.join("_delta_log");
        let opened = crate::lake::folder::load(&table, Arc::clone(&lake.shared.store), None).await.expect("opened");
        deltalake::checkpoints::create_checkpoint(&opened, None).await.expect("a checkpoint");
        fs::create_dir(log.join(SIDECARS)).expect("a folder");
        let name = format!("{:020}.checkpoint", 3);
        fs::rename(log.join(format!("{name}.parquet")), log.join(SIDECARS).join("files.parquet")).expect("moved");
        let first = fs::read_to_string(log.join(format!("{:020}.json", 0))).expect("an entry");
        let kept = first.lines().filter(|line| line.starts_with("{\"protocol\"") || line.starts_with("{\"metaData\""));
        let kept: Vec<String> = kept.map(|line| line.replace("\"options\":{}", "\"options\":{\"a\":\"b\"}")).collect();
        let sidecar = r#"{"sidecar":{"path":"files.parquet","sizeInBytes":1,"modificationTime":1}}"#;
        write(
            &log.join(format!("{name}.80a083e8-7026-4e79-81be-64bd76c43a11")),
            &format!("{}\n{sidecar}\n", kept.join("\n")),
        );
        for version in 0..4 {
            fs::remove_file(log.join(format!("{version:020}.json"))).expect("removed");
        }
        fs::remove_file(log.join("_last_checkpoint")).expect("removed");
        table
    }

    fn as_json(path: &Path, lines: &str) {
        fs::write(path.with_extension("80a083e8-7026-4e79-81be-64bd76c43a11.json"), lines).expect("written");
    }

    fn as_parquet(path: &Path, lines: &str) {
        let (schema, _) = arrow::json::reader::infer_json_schema(lines.as_bytes(), None).expect("a schema");
        let schema = Arc::new(schema);
        let mut reader = arrow::json::ReaderBuilder::new(schema.clone()).build(lines.as_bytes()).expect("a reader");
        let file = File::create(path.with_extension("80a083e8-7026-4e79-81be-64bd76c43a11.parquet")).expect("a file");
        let mut writer = deltalake::parquet::arrow::ArrowWriter::try_new(file, schema, None).expect("a writer");
        writer.write(&reader.next().expect("rows").expect("a batch")).expect("written");
        writer.close().expect("closed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_that_a_checkpoint_names_in_a_sidecar_are_of_the_table() {
        for write in [as_json, as_parquet] {
            let folder = tempfile::tempdir().expect("a folder");
            let table = with_sidecar(folder.path(), write).await;
            let state = LogState::read(&table).expect("read");
            assert_eq!((state.active.len(), state.faults.as_slice(), state.version), (9, &[][..], Some(3)));
            fs::remove_file(table.join("_delta_log").join(SIDECARS).join("files.parquet")).expect("removed");
            let state = LogState::read(&table).expect("read");
            assert!(state.faults.iter().any(|fault| fault.what.contains("files.parquet, which it refers to")));
        }
    }
}
