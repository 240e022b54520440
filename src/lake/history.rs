//! The commits of a table, as far back as its log is kept.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use super::error::Cause;
use super::{Lake, LakeError, TableName};

/// A commit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommitEntry {
    /// The version it made.
    pub version: u64,
    /// When its writer says it was; none where it does not say.
    pub at: Option<DateTime<Utc>>,
    /// What was done: `WRITE`, `MERGE`, `OPTIMIZE`, `CREATE TABLE` ...
    pub operation: String,
    /// How, as the writer says.
    pub parameters: BTreeMap<String, Json>,
    /// The program that wrote it.
    pub engine: Option<String>,
    /// The token it carries: `capture` where its writer took part in the race of all writers.
    pub token: Option<String>,
    /// Rows of the files it added; none where a file does not tell.
    pub rows_added: Option<u64>,
    /// Rows of the files it removed; none where the log no longer tells.
    pub rows_removed: Option<u64>,
    /// Files it added.
    pub files_added: usize,
    /// Files it removed.
    pub files_removed: usize,
    /// Bytes of the files it added.
    pub bytes_added: u64,
    /// Whether rows came or went; false where the same rows only lie in other files.
    pub changes_rows: bool,
}

impl Lake {
    /// The newest commits of a table, newest first; nothing where there is no table.
    ///
    /// # Errors
    /// Where its log cannot be read.
    pub async fn history(&self, table: TableName, limit: usize) -> Result<Vec<CommitEntry>, LakeError> {
        let path = self.root().join(table.as_str());
        let log = path.join("_delta_log");
        let read = tokio::task::spawn_blocking(move || history_in(&log, limit)).await;
        let read = read.map_err(Cause::from).and_then(|read| read.map_err(Cause::from));
        read.map_err(|source| LakeError::storage("read", &path, source))
    }
}

/// The versions of which the log has an entry, in order, with the files that hold them.
pub(super) fn entries(log: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let found = match fs::read_dir(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        found => found?,
    };
    let mut entries = BTreeMap::new();
    for entry in found {
        let path = entry?.path();
        let version = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.len() == 20);
        if let Some(version) = version.and_then(|stem| stem.parse().ok())
            && path.extension().is_some_and(|extension| extension == "json")
        {
            entries.insert(version, path);
        }
    }
    Ok(entries)
}

/// The actions of an entry; nothing where it was cleaned away meanwhile.
pub(super) fn actions(entry: &Path) -> io::Result<Vec<Json>> {
    match fs::read_to_string(entry) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(text) => Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?),
    }
}

fn history_in(log: &Path, limit: usize) -> io::Result<Vec<CommitEntry>> {
    // From the oldest on: an entry that removes a file does not say how many rows were in it, the one that added it does.
    let mut rows_of = HashMap::new();
    let mut commits = Vec::new();
    for (version, path) in entries(log)? {
        let actions = actions(&path)?;
        if !actions.is_empty() {
            commits.push(commit(version, &actions, &mut rows_of));
        }
    }
    commits.reverse();
    commits.truncate(limit);
    Ok(commits)
}

pub(super) fn commit(version: u64, actions: &[Json], rows_of: &mut HashMap<String, Option<u64>>) -> CommitEntry {
    let of_kind = |kind: &'static str| actions.iter().filter_map(move |action| action.get(kind));
    let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
    let told = of_kind("commitInfo").next().unwrap_or(&Json::Null);
    let mut rows_added = Some(0);
    for add in of_kind("add") {
        let rows = num_records(add);
        rows_added = sum(rows_added, rows);
        rows_of.insert(path_in(add), rows);
    }
    let removed = of_kind("remove").map(|remove| rows_of.get(&path_in(remove)).copied().flatten());
    let rows_removed = removed.fold(Some(0), sum);
    let changed =
        of_kind("add").chain(of_kind("remove")).any(|file| file.get("dataChange") != Some(&Json::Bool(false)));
    CommitEntry {
        version,
        at: told.get("timestamp").and_then(Json::as_i64).and_then(DateTime::from_timestamp_millis),
        operation: text(told.get("operation")).unwrap_or_else(|| "unknown".to_owned()),
        parameters: parameters(told),
        engine: text(told.get("engineInfo")).or_else(|| text(told.get("clientVersion"))),
        token: text(of_kind("txn").next().and_then(|token| token.get("appId"))),
        rows_added,
        rows_removed,
        files_added: of_kind("add").count(),
        files_removed: of_kind("remove").count(),
        bytes_added: of_kind("add").filter_map(|add| add.get("size").and_then(Json::as_u64)).sum(),
        changes_rows: changed,
    }
}

fn sum(total: Option<u64>, more: Option<u64>) -> Option<u64> {
    Some(total?.saturating_add(more?))
}

/// The path of a file as an action has it.
pub(super) fn path_in(action: &Json) -> String {
    action.get("path").and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// The statistics of an action are JSON within JSON.
fn num_records(add: &Json) -> Option<u64> {
    let statistics: Json = serde_json::from_str(add.get("stats")?.as_str()?).ok()?;
    statistics.get("numRecords")?.as_u64()
}

fn parameters(told: &Json) -> BTreeMap<String, Json> {
    let parameters = told.get("operationParameters").and_then(Json::as_object);
    parameters.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{config, futures_of, futures_row, lake, slot};
    use crate::market::FuturesSnapshot;

    const FUTURES: TableName = TableName::FuturesSnapshots;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_commit_tells_its_rows_its_files_and_its_token() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        for number in 0..6 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        lake.replace_futures(&[FuturesSnapshot { last: Some(1.0), ..futures_row("ES", slot(1)) }]).await.expect("new");
        lake.compact(FUTURES).await.expect("compacted");
        let commits = lake.history(FUTURES, 100).await.expect("readable");
        let told: Vec<_> = commits.iter().map(|c| (c.version, c.operation.as_str(), c.token.as_deref())).collect();
        assert_eq!(told[0], (8, "OPTIMIZE", Some("capture")));
        assert_eq!((told[1].2, told[2]), (Some("capture"), (6, "WRITE", Some("capture"))));
        assert_eq!(told[8], (0, "CREATE TABLE", None));
        assert_eq!((commits[2].rows_added, commits[2].files_added, commits[2].changes_rows), (Some(3), 3, true));
        assert_eq!((commits[1].rows_added, commits[1].rows_removed), (Some(1), Some(1)));
        let compaction = &commits[0];
        assert_eq!((compaction.rows_added, compaction.rows_removed), (Some(18), Some(18)));
        assert_eq!((compaction.files_added, compaction.files_removed, compaction.changes_rows), (3, 18, false));
        assert!(commits.iter().all(|commit| commit.at.is_some()));
        assert_eq!(lake.history(FUTURES, 2).await.expect("readable"), commits[..2]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rows_of_a_file_whose_entry_is_gone_are_not_known() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        lake.replace_futures(&[FuturesSnapshot { last: Some(1.0), ..futures_row("ES", slot(1)) }]).await.expect("new");
        let log = lake.root().join("futures_snapshots/_delta_log");
        fs::remove_file(log.join("00000000000000000001.json")).expect("as log cleanup does");
        let commits = lake.history(FUTURES, 1).await.expect("readable");
        assert_eq!((commits[0].files_removed, commits[0].rows_removed), (1, None));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_missing_table_has_no_history() {
        let folder = tempdir().expect("a folder");
        let lake = Lake::reader(&config(folder.path())).expect("a local folder");
        assert!(lake.history(FUTURES, 9).await.expect("none").is_empty());
        assert!(!lake.root().exists());
    }
}
