//! Bringing an older version back, as a new version: its files are put in the place of those that came since.
//!
//! The commit is made on exactly the snapshot the plan was made on and carries the token of all writers. So an append
//! that was decided before it is refused and decided anew, and where anything was committed since the plan nothing is
//! done: what would be lost is not what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use deltalake::Path as StorePath;
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add, LogicalFileView, Remove};
use deltalake::protocol::DeltaOperation;
use serde::Serialize;
use tokio::sync::Mutex;

use super::disk::is_flush_failure;
use super::error::Cause;
use super::table::TableHandle;
use super::verify::{keys_of, version_at};
use super::view::TableView;
use super::{Lake, LakeError, TableName, commit};

/// In the log, tells the commit of a restore from every other.
const RESTORE_ID: &str = "frontmonthRestore";

/// What bringing a version back would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// The table.
    pub table: TableName,
    /// The newest version.
    pub newest: u64,
    /// The version to bring back.
    pub version: u64,
    /// Files that would leave the table.
    pub files_removed: usize,
    /// Files that would come back.
    pub files_added: usize,
    /// Rows that the newest version has and that one lacks.
    pub lost: Vec<RowRange>,
    /// Rows that that version has and the newest lacks.
    pub regained: Vec<RowRange>,
    /// Files that would leave the table and cannot be read, so that their rows are not among those lost.
    pub unreadable: Vec<String>,
}

/// Rows of a symbol, from the oldest to the newest of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowRange {
    /// The symbol.
    pub symbol: String,
    /// How many.
    pub rows: usize,
    /// The oldest.
    pub first: DateTime<Utc>,
    /// The newest.
    pub last: DateTime<Utc>,
}

/// Symbol, instant, and the word that tells rows of these apart.
type Keys = BTreeSet<(String, DateTime<Utc>, String)>;

impl RestorePlan {
    /// Whether the version has the very files of the newest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files_removed == 0 && self.files_added == 0
    }
}

impl Lake {
    /// What bringing a version back would change.
    ///
    /// # Errors
    /// [`LakeError::NoSuchVersion`], [`LakeError::VersionGone`], and [`LakeError::FilesGone`] where vacuum has taken files
    /// of that version.
    pub async fn restore_plan(&self, table: TableName, version: u64) -> Result<RestorePlan, LakeError> {
        Ok(planned(self.handle(table), (table, version)).await?.0)
    }

    /// The version that was the newest at an instant, by the times in the log; none where it does not reach there.
    ///
    /// # Errors
    /// Where the log cannot be listed.
    pub fn version_at(&self, table: TableName, at: DateTime<Utc>) -> Result<Option<u64>, LakeError> {
        let path = self.root().join(table.as_str());
        version_at(&path, at).map_err(|error| LakeError::storage("read", &path, error))
    }

    /// Brings a version back as planned, and gives the number of the new one.
    ///
    /// # Errors
    /// As [`Lake::restore_plan`]; [`LakeError::Conflict`] where anything was committed since the plan.
    pub async fn restore(&self, plan: &RestorePlan) -> Result<u64, LakeError> {
        self.bound(plan.table).await?;
        let handle = self.handle(plan.table);
        let (now, view, actions) = planned(handle, (plan.table, plan.version)).await?;
        let overtaken = || LakeError::Conflict { table: plan.table, rounds: 1 };
        if now != *plan {
            return Err(overtaken());
        }
        let id = uuid::Uuid::new_v4().to_string();
        let marked = [(RESTORE_ID.to_owned(), id.clone().into())];
        let properties = commit::properties(&view).await?.with_max_retries(0).with_metadata(marked);
        let failed = |source: Cause| LakeError::storage("restore", view.path(), source);
        let state = view.table().snapshot().map_err(|error| failed(error.into()))?;
        let operation = DeltaOperation::Restore { version: Some(plan.version), datetime: None };
        let commit = CommitBuilder::from(properties).with_actions(actions);
        let committed = commit.build(Some(state), view.table().log_store(), operation).await;
        let mut handle = handle.lock().await;
        handle.forget();
        handle.forget_head();
        match committed {
            Ok(committed) => Ok(committed.version()),
            // Names that were not flushed may go in a power cut: not to be called done.
            Err(error) if is_flush_failure(&error) => Err(failed(error.into())),
            Err(error) => {
                // The commit may stand all the same: the error can come from the work after it.
                if stands(view.path(), plan.newest + 1, &id)
                    && let Some(newest) = handle.newest().await?
                {
                    commit::confirm(&newest).await?;
                    tracing::warn!(table = %plan.table, %error, "the version is back, but work after the commit failed");
                    return Ok(plan.newest + 1);
                }
                Err(if commit::is_lost_race(&error) { overtaken() } else { failed(error.into()) })
            }
        }
    }
}

/// Whether a version is the commit that carries a mark.
fn stands(table: &Path, version: u64, id: &str) -> bool {
    let entry = std::fs::read_to_string(table.join("_delta_log").join(format!("{version:020}.json")));
    entry.is_ok_and(|entry| entry.contains(id))
}

async fn planned(
    handle: &Mutex<TableHandle>,
    (table, version): (TableName, u64),
) -> Result<(RestorePlan, TableView, Vec<Action>), LakeError> {
    let (newest, then) = {
        let mut handle = handle.lock().await;
        let none = LakeError::NoSuchVersion { table, version, newest: 0 };
        let Some(newest) = handle.newest().await? else { return Err(none) };
        let Some(then) = handle.at_version(version).await? else { return Err(none) };
        (newest, then)
    };
    let (has, had) = (files(&newest)?, files(&then)?);
    let leaving: Vec<&LogicalFileView> = has.iter().filter(|(path, _)| !had.contains_key(*path)).map(|f| f.1).collect();
    let coming: Vec<&LogicalFileView> = had.iter().filter(|(path, _)| !has.contains_key(*path)).map(|f| f.1).collect();
    let gone: Vec<String> = had.keys().filter(|path| !newest.path().join(path).is_file()).cloned().collect();
    if let Some(first) = gone.first() {
        return Err(LakeError::FilesGone { table, version, count: gone.len(), first: first.clone() });
    }
    let (now, unreadable) = keys((table, newest.path()), &leaving);
    let (before, unreadable_then) = keys((table, newest.path()), &coming);
    if let Some(first) = unreadable_then.first() {
        let count = unreadable_then.len();
        return Err(LakeError::FilesGone { table, version, count, first: first.clone() });
    }
    let plan = RestorePlan {
        table,
        newest: newest.version(),
        version,
        files_removed: leaving.len(),
        files_added: coming.len(),
        lost: ranges(now.difference(&before)),
        regained: ranges(before.difference(&now)),
        unreadable,
    };
    let actions = actions(&leaving, &coming);
    Ok((plan, newest, actions))
}

/// The files of a snapshot, by where they are below the table.
fn files(view: &TableView) -> Result<BTreeMap<String, LogicalFileView>, LakeError> {
    let state = view.table().snapshot().map_err(|error| LakeError::storage("read", view.path(), error))?;
    Ok(state.log_data().iter().map(|file| (file.object_store_path().to_string(), file)).collect())
}

/// The keys in files, and the files that cannot be read.
fn keys((name, table): (TableName, &Path), files: &[&LogicalFileView]) -> (Keys, Vec<String>) {
    let (mut keys, mut unreadable) = (Keys::new(), Vec::new());
    for file in files {
        let path: StorePath = file.object_store_path();
        let symbol = file.partition_values_map().remove(super::schema::PARTITION).flatten().unwrap_or_default();
        match keys_of(name, &table.join(path.as_ref())) {
            Ok(found) => keys.extend(found.into_iter().map(|(at, part)| (symbol.clone(), at, part))),
            Err(_) => unreadable.push(path.to_string()),
        }
    }
    (keys, unreadable)
}

fn ranges<'a>(keys: impl Iterator<Item = &'a (String, DateTime<Utc>, String)>) -> Vec<RowRange> {
    let mut ranges: Vec<RowRange> = Vec::new();
    for (symbol, at, _) in keys {
        match ranges.last_mut().filter(|range| range.symbol == *symbol) {
            Some(range) => {
                range.rows += 1;
                range.last = *at;
            }
            None => ranges.push(RowRange { symbol: symbol.clone(), rows: 1, first: *at, last: *at }),
        }
    }
    ranges
}

fn actions(leaving: &[&LogicalFileView], coming: &[&LogicalFileView]) -> Vec<Action> {
    let removes = leaving.iter().map(|file| -> Remove { file.remove_action(true) }).map(Action::Remove);
    #[expect(deprecated, reason = "it is the way to name a file as the log named it")]
    let adds = coming.iter().map(|file| Add { data_change: true, ..file.add_action() }).map(Action::Add);
    removes.chain(adds).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use tempfile::tempdir;

    use super::*;
    use crate::calendar::{Calendar, CalendarId};
    use crate::clock::{Clock, SystemClock};
    use crate::lake::fixtures::{futures_of, lake, slot, symbol};
    use crate::lake::{DecisionRow, KeyRange, LakeErrorClass};

    const FUTURES: TableName = TableName::FuturesSnapshots;

    async fn filled(folder: &Path) -> Lake {
        let lake = lake(folder);
        for number in 1..7 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        lake
    }

    async fn num_rows(lake: &Lake) -> (usize, usize) {
        let symbols = ["ES", "NQ", "RTY"].map(symbol).to_vec();
        let range = KeyRange { symbols, from: slot(0).instant(), to: slot(1000).instant() };
        let count = lake.count(FUTURES, &range).await.expect("counted");
        (count.rows, count.keys)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_version_comes_back_as_a_new_one_and_captures_go_on() {
        let folder = tempdir().expect("a folder");
        let lake = filled(folder.path()).await;
        let plan = lake.restore_plan(FUTURES, 4).await.expect("planned");
        assert_eq!((plan.newest, plan.files_removed, plan.files_added), (6, 6, 0));
        let lost: Vec<_> = plan.lost.iter().map(|range| (range.symbol.as_str(), range.rows, range.first)).collect();
        assert_eq!(lost, ["ES", "NQ", "RTY"].map(|symbol| (symbol, 2, slot(5).instant())));
        assert_eq!(lake.restore(&plan).await.expect("restored"), 7);
        assert_eq!(num_rows(&lake).await, (12, 12));
        assert_eq!(lake.append_futures(&futures_of(slot(5))).await.expect("written").added, 3);
        let back = lake.restore_plan(FUTURES, 6).await.expect("planned");
        assert_eq!(back.regained.iter().map(|range| range.rows).sum::<usize>(), 3, "{back:?}");
        lake.restore(&back).await.expect("restored");
        assert_eq!(num_rows(&lake).await, (18, 18));
        assert!(lake.restore_plan(FUTURES, 6).await.expect("planned").is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_version_before_a_compaction_comes_back_and_vacuum_leaves_it_whole() {
        let folder = tempdir().expect("a folder");
        let lake = crate::lake::recording::lake_on(
            folder.path(),
            crate::lake::recording::recorded(crate::lake::recording::Fault::None).0,
        );
        for number in 1..9 {
            lake.append_futures(&futures_of(slot(number))).await.expect("written");
        }
        lake.compact(FUTURES).await.expect("compacted");
        let plan = lake.restore_plan(FUTURES, 8).await.expect("planned");
        assert!(plan.lost.is_empty() && plan.regained.is_empty(), "{plan:?}");
        assert_eq!((plan.files_removed, plan.files_added), (3, 24));
        lake.restore(&plan).await.expect("restored");
        lake.tidy(FUTURES, SystemClock.now() + TimeDelta::hours(30)).await.expect("tidied");
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        let found = lake.verify(FUTURES, &calendar, SystemClock.now()).await.expect("read");
        assert!(found.is_whole(), "{found:?}");
        assert_eq!(found.num_rows, 24);
        let error = lake.restore_plan(FUTURES, 9).await.expect_err("vacuum took the compacted files");
        assert!(matches!(error, LakeError::FilesGone { count: 3, .. }), "{error:?}");
        assert_eq!(error.class(), LakeErrorClass::Missing);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_plan_counts_rows_of_one_instant_apart() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let verdict =
            |rule: &str| DecisionRow { rule: rule.to_owned(), ..crate::lake::fixtures::decision_row("SPY", slot(1)) };
        lake.append_decisions(&[verdict("a")]).await.expect("written");
        lake.append_decisions(&[verdict("b"), verdict("c")]).await.expect("written");
        let plan = lake.restore_plan(TableName::Decisions, 1).await.expect("planned");
        assert_eq!(plan.lost.iter().map(|range| range.rows).sum::<usize>(), 2, "{plan:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_restore_is_known_by_its_mark_in_the_log() {
        let folder = tempdir().expect("a folder");
        let lake = filled(folder.path()).await;
        let plan = lake.restore_plan(FUTURES, 4).await.expect("planned");
        let version = lake.restore(&plan).await.expect("restored");
        let table = lake.root().join("futures_snapshots");
        assert!(stands(&table, version, RESTORE_ID) && !stands(&table, version - 1, RESTORE_ID));
        assert!(!stands(&table, version + 1, RESTORE_ID));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_append_since_the_plan_is_neither_lost_nor_doubled() {
        let folder = tempdir().expect("a folder");
        let one = filled(folder.path()).await;
        let plan = one.restore_plan(FUTURES, 4).await.expect("planned");
        lake(folder.path()).append_futures(&futures_of(slot(9))).await.expect("written");
        let error = one.restore(&plan).await.expect_err("the table went on");
        assert!(matches!(error, LakeError::Conflict { .. }), "{error:?}");
        assert_eq!(num_rows(&one).await, (21, 21));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn restores_and_appends_race_without_a_double_row() {
        let folder = tempdir().expect("a folder");
        let restorer = filled(folder.path()).await;
        let appender = lake(folder.path());
        let appending = tokio::spawn(async move {
            for round in 0..3 {
                for number in 5..15 {
                    appender.append_futures(&futures_of(slot(number))).await.unwrap_or_else(|e| panic!("{round}: {e}"));
                }
            }
        });
        let mut done = 0;
        for _ in 0..20 {
            let plan = restorer.restore_plan(FUTURES, 4).await.expect("planned");
            done += usize::from(restorer.restore(&plan).await.is_ok());
        }
        appending.await.expect("no panic");
        let (rows, keys) = num_rows(&restorer).await;
        assert_eq!(rows, keys, "after {done} restores");
        assert!(rows >= 12);
    }
}
