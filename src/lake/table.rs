//! The warm handle of one table: opened once, refreshed before each use, made where it is missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::kernel::Add;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::logstore::ObjectStoreRef;
use deltalake::protocol::SaveMode;

use crate::market::GatewayKind;

use super::anchored_store::AnchoredStore;
use super::commit::{self, MAX_ROUNDS};
use super::compact::Rewritten;
use super::disk::is_flush_failure;
use super::folder::{self, Presence};
use super::grow;
use super::head::Head;
use super::mark::{Anchor, Mark};
use super::row::Row;
use super::schema::{
    CHECKPOINT_INTERVAL, Growth, PARTITION, Retention, delta_columns, growth, kept_properties, properties,
};
use super::session::Sessions;
use super::short_read::Source;
use super::view::TableView;
use super::{LakeError, TableName};

/// The handle of one table. A clone of the loaded [`DeltaTable`] is a cheap, fixed snapshot.
pub(super) struct TableHandle {
    name: TableName,
    path: PathBuf,
    store: ObjectStoreRef,
    sessions: Arc<Sessions>,
    retention: Retention,
    /// The table as observed last; every commit is bound to it.
    anchor: Arc<Anchor>,
    loaded: Option<Loaded>,
    /// What appends know of the newest version, which may be ahead of the table that is loaded.
    head: Option<Head>,
    /// Whether this process has seen the table: should its disk be unmounted, no second one may begin beneath.
    was_there: bool,
}

struct Loaded {
    table: DeltaTable,
    /// Its version and the file that is its entry; none where the log has none, and then it is loaded anew each time.
    mark: Option<Mark>,
    /// The version at which the handle was loaded.
    since: u64,
}

/// Loads of a table that is replaced meanwhile, each time.
const MAX_LOADS: usize = 5;

impl TableHandle {
    pub(super) fn new(
        name: TableName,
        root: &Path,
        (store, retention): (ObjectStoreRef, Retention),
        sessions: Arc<Sessions>,
    ) -> Self {
        let path = root.join(name.as_str());
        let anchor = Arc::new(Anchor::new(path.clone()));
        let store: ObjectStoreRef = Arc::new(AnchoredStore::new(store, Arc::clone(&anchor)));
        Self { name, path, store, sessions, retention, anchor, loaded: None, head: None, was_there: false }
    }

    /// The newest snapshot, or none where the table does not exist.
    pub(super) async fn newest(&mut self) -> Result<Option<TableView>, LakeError> {
        if self.was_there && !self.path.is_dir() {
            return Err(LakeError::Vanished { path: self.path.clone() });
        }
        if let Some(view) = self.refreshed().await {
            self.anchor.set(view.mark());
            return Ok(Some(view));
        }
        self.loaded = None;
        match folder::presence(&self.path).map_err(|error| LakeError::storage("open", &self.path, error))? {
            // A table that was emptied: no second one may begin in its place either.
            Presence::Absent if self.was_there => return Err(LakeError::Vanished { path: self.path.clone() }),
            Presence::Absent => {
                self.anchor.set(None);
                return Ok(None);
            }
            Presence::Other => return Err(LakeError::NotATable { path: self.path.clone() }),
            Presence::Table => {}
        }
        let (table, mark) = self.loaded_afresh().await?;
        self.check_columns(&table)?;
        self.keep(&table, mark);
        self.anchor.set(mark);
        Ok(Some(self.view(table, mark)))
    }

    /// The newest snapshot by way of the one that is loaded; none where it has to be loaded afresh.
    ///
    /// The library only looks for versions newer than its own, whatever table they are of, so the loaded one must be known
    /// to be of this table before and after.
    async fn refreshed(&mut self) -> Option<TableView> {
        let loaded = self.loaded.as_mut().filter(|loaded| !has_passed_checkpoint(loaded))?;
        let mark = loaded.mark.filter(|mark| mark.stands(&self.path))?;
        if !mark.is_newest(&self.path) {
            // Opening it afresh either heals it or gives the better error.
            let told = |error: &_| tracing::debug!(table = %self.name, %error, "the warm handle could not be refreshed");
            loaded.table.update_state().await.inspect_err(told).ok()?;
            loaded.mark = mark.later(&self.path, loaded.table.version()?);
        }
        let (table, mark) = (loaded.table.clone(), loaded.mark?);
        (!has_passed_checkpoint(loaded)).then(|| self.view(table, Some(mark)))
    }

    /// The table loaded afresh and its mark, both of the same table.
    async fn loaded_afresh(&self) -> Result<(DeltaTable, Option<Mark>), LakeError> {
        for _ in 0..MAX_LOADS {
            let before = folder::newest_mark(&self.path).map_err(|e| LakeError::storage("open", &self.path, e))?;
            let table = folder::load(&self.path, Arc::clone(&self.store), None).await?;
            let Some(before) = before else { return Ok((table, None)) };
            if let Some(mark) = before.later(&self.path, table.version().unwrap_or(0)) {
                return Ok((table, Some(mark)));
            }
        }
        Err(LakeError::storage("open", &self.path, "its newest entry changes with each look: somebody replaces it"))
    }

    /// The newest snapshot of a table bound to this kind of gateway; a missing table is made.
    pub(super) async fn newest_or_new(&mut self, kind: GatewayKind) -> Result<TableView, LakeError> {
        let view = match self.newest().await? {
            Some(view) => view,
            None => self.create(kind).await?,
        };
        folder::check_kind(&self.path, view.table(), kind)?;
        self.grown(view).await
    }

    /// The newest snapshot with every column that this program writes.
    async fn grown(&mut self, mut view: TableView) -> Result<TableView, LakeError> {
        for round in 0..MAX_ROUNDS {
            let (lacking, demanded) = (grow::lacking(&view)?, grow::demanded(&view)?);
            let grown = match demanded.first() {
                _ if !lacking.is_empty() => grow::add(&view, &lacking).await?,
                Some(column) => grow::relax(&view, column).await?,
                None => return Ok(view),
            };
            match grown {
                Ok(_) => tracing::info!(table = %self.name, "the table got what is new to its columns"),
                Err(error) if commit::is_lost_race(&error) => commit::pause(round).await,
                Err(error) => return Err(LakeError::storage("add columns to", &self.path, error)),
            }
            self.forget();
            view = self.newest().await?.ok_or_else(|| LakeError::Vanished { path: self.path.clone() })?;
        }
        Err(LakeError::Conflict { table: self.name, rounds: MAX_ROUNDS })
    }

    /// The newest snapshot with the properties by which this program keeps a table, and how many had to be set.
    pub(super) async fn kept(&mut self, mut view: TableView) -> Result<(TableView, usize), LakeError> {
        for round in 0..MAX_ROUNDS {
            let lacking = grow::lacking_properties(&view, &kept_properties(self.name, self.retention))?;
            if lacking.is_empty() {
                return Ok((view, 0));
            }
            let number = lacking.len();
            let set = grow::set_properties(&view, lacking).await?;
            self.forget();
            view = self.newest().await?.ok_or_else(|| LakeError::Vanished { path: self.path.clone() })?;
            match set {
                Ok(_) => return Ok((view, number)),
                Err(error) if commit::is_lost_race(&error) => commit::pause(round).await,
                Err(error) => return Err(LakeError::storage("set properties of", &self.path, error)),
            }
        }
        Err(LakeError::Conflict { table: self.name, rounds: MAX_ROUNDS })
    }

    /// An older version.
    pub(super) async fn at_version(&mut self, version: u64) -> Result<Option<TableView>, LakeError> {
        let Some(newest) = self.newest().await? else { return Ok(None) };
        let newest = newest.version();
        if version > newest {
            return Err(LakeError::NoSuchVersion { table: self.name, version, newest });
        }
        match folder::load(&self.path, Arc::clone(&self.store), Some(version)).await {
            Ok(table) => Ok(Some(self.view(table, None))),
            // The version was there once, so whatever the library lacks now has been cleaned away.
            Err(LakeError::Storage { source, .. }) => Err(LakeError::VersionGone { table: self.name, version, source }),
            Err(other) => Err(other),
        }
    }

    /// Lets the loaded table go: the next use loads it afresh.
    pub(super) fn forget(&mut self) {
        self.loaded = None;
    }

    /// The folder of the table.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the table a write returned, which saves a refresh.
    pub(super) fn keep_written(&mut self, table: DeltaTable) {
        let Some(loaded) = &mut self.loaded else { return };
        let version = table.version().unwrap_or(0);
        loaded.mark = loaded.mark.and_then(|mark| mark.later(&self.path, version));
        loaded.table = table;
    }

    /// Goes on to the version that a compaction made of a snapshot. The rows are the same, so what is known of them stays.
    pub(super) async fn keep_compacted(&mut self, base: &TableView, version: u64, rewritten: &Rewritten) {
        let head = self.head.take().filter(|head| head.mark() == base.mark());
        self.head = head.and_then(|mut head| {
            let mark = head.mark()?.later(&self.path, version)?;
            head.follow_compaction(mark, rewritten.old_paths(), rewritten.new_files());
            Some(head)
        });
        self.after_commit(version).await;
    }

    /// What appends have to know of the newest version; none where there is no table.
    pub(super) async fn head(&mut self) -> Result<Option<&mut Head>, LakeError> {
        if !self.head.as_ref().and_then(Head::mark).is_some_and(|mark| mark.is_newest(&self.path)) {
            self.head = None;
            let Some(view) = self.newest().await? else { return Ok(None) };
            self.head = Some(Head::of(&view).await?);
        }
        self.anchor.set(self.head.as_ref().and_then(Head::mark));
        Ok(self.head.as_mut())
    }

    /// The files of the newest version, to be read as they stand; none where that cannot be, or there is no table.
    pub(super) async fn source(&mut self) -> Result<Option<Source>, LakeError> {
        let (name, folder, footers) = (self.name, self.path.clone(), Arc::clone(self.sessions.footers()));
        let Some(head) = self.head().await? else { return Ok(None) };
        let mark = head.mark();
        Ok(head.files().cloned().map(|files| Source { name, folder, mark, files, footers }))
    }

    /// As [`TableHandle::head`], of a table bound to this kind of gateway, with a snapshot of it; a missing table is made.
    pub(super) async fn head_or_new(&mut self, kind: GatewayKind) -> Result<Option<(&DeltaTable, &Head)>, LakeError> {
        if self.loaded.is_none() {
            self.newest_or_new(kind).await?;
        }
        self.head().await?;
        let (Some(loaded), Some(head)) = (&self.loaded, &self.head) else { return Ok(None) };
        folder::check_kind(&self.path, &loaded.table, kind)?;
        Ok(Some((&loaded.table, head)))
    }

    /// What was last seen, without a look whether it is still so.
    #[cfg(test)]
    pub(super) fn looked_at(&self) -> Option<(&DeltaTable, &Head)> {
        Some((&self.loaded.as_ref()?.table, self.head.as_ref()?))
    }

    /// Goes on to the version that an append of these rows on the head made, and gives its number. Work after the commit
    /// that fails is told and done by another.
    pub(super) async fn keep_appended<R: Row>(&mut self, added: &[&R], files: &[Add]) -> u64 {
        let Some(mut head) = self.head.take() else { return 0 };
        let version = head.version() + 1;
        // None where the table was replaced since the commit: the next use looks at the one that is there.
        if let Some(mark) = head.mark().and_then(|mark| mark.later(&self.path, version)) {
            head.follow(mark, added, files);
            self.head = Some(head);
        }
        self.after_commit(version).await;
        version
    }

    /// The work that the library would do after a commit of its own.
    async fn after_commit(&mut self, version: u64) {
        if (version + 1).is_multiple_of(CHECKPOINT_INTERVAL)
            && let Err(error) = self.checkpoint().await
        {
            tracing::warn!(table = %self.name, %version, %error, "the commit stands, but work after it failed");
        }
    }

    /// Writes a checkpoint and loads the table from it.
    async fn checkpoint(&mut self) -> Result<(), LakeError> {
        if let Some(view) = self.newest().await? {
            let written = deltalake::checkpoints::create_checkpoint(view.table(), None).await;
            written.map_err(|error| LakeError::storage("write a checkpoint of", &self.path, error))?;
            self.loaded = None;
            self.newest().await?;
        }
        Ok(())
    }

    /// Makes the next append look at the table itself.
    pub(super) fn forget_head(&mut self) {
        self.head = None;
    }

    fn view(&self, table: DeltaTable, mark: Option<Mark>) -> TableView {
        TableView::new(self.name, self.path.clone(), Arc::clone(&self.sessions), table, mark)
    }

    fn keep(&mut self, table: &DeltaTable, mark: Option<Mark>) {
        self.was_there = true;
        self.loaded = Some(Loaded { table: table.clone(), mark, since: table.version().unwrap_or(0) });
    }

    /// Of several processes that make the table at once one wins, and the others take what it made.
    async fn create(&mut self, kind: GatewayKind) -> Result<TableView, LakeError> {
        let lake = self.path.parent().unwrap_or(&self.path).to_path_buf();
        // Once more, as since the first look of this process the lake may have been replaced by one of the other kind.
        folder::check_lake(&lake, &self.store, kind).await?;
        let created = folder::unloaded(&self.path, Arc::clone(&self.store))?
            .create()
            .with_table_name(self.name.as_str())
            .with_columns(delta_columns(self.name))
            .with_partition_columns([PARTITION])
            .with_save_mode(SaveMode::Ignore)
            .with_configuration(properties((self.name, kind), self.retention))
            // Else the library refuses the property of our own.
            .with_raise_if_key_not_exists(false)
            // Else a loser of the race would commit its own properties over the winner's.
            .with_commit_properties(CommitProperties::default().with_max_retries(0))
            .await;
        if let Err(error) = created
            && (is_flush_failure(&error) || folder::presence(&self.path).ok() != Some(Presence::Table))
        {
            return Err(LakeError::storage("create", &self.path, error));
        }
        // Another process may have bound another table to the other kind since this one looked; one of the two sees it.
        folder::check_lake(&lake, &self.store, kind).await?;
        let view = self.newest().await?;
        view.ok_or_else(|| LakeError::storage("create", &self.path, "the table is gone again"))
    }

    fn check_columns(&self, table: &DeltaTable) -> Result<(), LakeError> {
        let snapshot = table.snapshot().map_err(|error| LakeError::storage("open", &self.path, error))?;
        match growth(self.name, &snapshot.schema()) {
            Growth::Foreign(difference) => Err(LakeError::OtherColumns { path: self.path.clone(), difference }),
            Growth::None | Growth::Lacks(_) => Ok(()),
        }
    }
}

/// A handle grows slower with each commit made on it, about 0.1 ms a commit; loaded afresh from a checkpoint it is as new.
fn has_passed_checkpoint(loaded: &Loaded) -> bool {
    let checkpoints_before = |version: u64| version.saturating_add(1) / CHECKPOINT_INTERVAL;
    checkpoints_before(loaded.table.version().unwrap_or(0)) > checkpoints_before(loaded.since)
}

#[cfg(test)]
mod tests {
    use deltalake::kernel::{DataType, StructField};
    use tempfile::tempdir;

    use super::*;
    use crate::lake::Lake;
    use crate::lake::fixtures::{config, futures_of, lake, slot};
    use crate::lake::schema::{GATEWAY_PROPERTY, columns};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_table_has_the_columns_in_order_and_the_oldest_protocol() {
        let folder = tempdir().expect("a folder");
        lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect("written");
        // A plain handle, without our store, as any other program opens it.
        let url = url::Url::from_directory_path(folder.path().join("lake/futures_snapshots")).expect("absolute");
        let plain = deltalake::open_table(url).await.expect("opens");
        let state = plain.snapshot().expect("loaded");
        let names: Vec<String> = state.schema().fields().map(|field| field.name().clone()).collect();
        let thirteen = "symbol timestamp bid ask last volume open_interest implied_vol change_1h change_4h \
                        change_overnight change_daily date";
        assert_eq!(names[..13].join(" "), thirteen.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(names.len(), columns(TableName::FuturesSnapshots).len());
        let required: Vec<&str> =
            columns(TableName::FuturesSnapshots).iter().filter(|spec| !spec.nullable).map(|spec| spec.name).collect();
        let found: Vec<String> =
            state.schema().fields().filter(|field| !field.is_nullable()).map(|field| field.name().clone()).collect();
        assert_eq!(found, required);
        assert_eq!((state.protocol().min_reader_version(), state.protocol().min_writer_version()), (1, 2));
        assert_eq!(state.metadata().configuration().get(GATEWAY_PROPERTY).map(String::as_str), Some("simulated"));
        assert_eq!(state.metadata().partition_columns(), ["symbol"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_with_other_columns_is_refused_by_name() {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("lake/futures_snapshots");
        std::fs::create_dir_all(&path).expect("made");
        let url = url::Url::from_directory_path(&path).expect("absolute");
        let fields = [
            StructField::new("symbol", DataType::STRING, true),
            StructField::new("timestamp", DataType::TIMESTAMP_NTZ, true),
        ];
        let table = deltalake::DeltaTable::try_from_url(url).await.expect("a folder");
        table.create().with_columns(fields).await.expect("made");
        let error = lake(folder.path()).append_futures(&futures_of(slot(1))).await.expect_err("not ours");
        assert!(matches!(error, LakeError::Unbound { .. }), "{error:?}");
        let reader = Lake::reader(&config(folder.path())).expect("a local folder");
        let error = reader.prices(slot(0).instant(), slot(1).instant()).await.expect_err("not ours").to_string();
        assert!(
            error.contains("has other columns, nothing was changed: timestamp has no time zone; it lacks date"),
            "{error}"
        );
        assert!(error.contains("jobs table import"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lake_that_vanished_under_a_warm_handle_is_not_begun_anew() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        let elsewhere = folder.path().join("elsewhere");
        std::fs::rename(lake.root(), &elsewhere).expect("moved");
        let error = lake.append_futures(&futures_of(slot(2))).await.expect_err("gone");
        assert!(matches!(error, LakeError::Vanished { .. }), "{error:?}");
        assert!(!lake.root().exists());
        std::fs::rename(&elsewhere, lake.root()).expect("moved back");
        assert_eq!(lake.append_futures(&futures_of(slot(2))).await.expect("healed").added, 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_loser_of_a_race_to_make_the_table_takes_the_winners() {
        let folder = tempdir().expect("a folder");
        let lakes = [lake(folder.path()), lake(folder.path()), lake(folder.path()), lake(folder.path())];
        let create = |lake: Lake| async move {
            let created = lake.shared.futures.lock().await.create(GatewayKind::Simulated).await;
            created.expect("made or found").version()
        };
        let versions = futures::future::join_all(lakes.map(create)).await;
        assert_eq!(versions, [0, 0, 0, 0], "one commit, and nobody's properties over another's");
    }
}
