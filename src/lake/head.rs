//! What an append or a read has to know of the newest version: enough to go without the library's snapshot, which takes
//! longer to bring up to date than the rows take to write or to read.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use deltalake::kernel::Add;

use super::LakeError;
use super::commit;
use super::direct;
use super::error::Cause;
use super::file_index::FileIndex;
use super::files::Files;
use super::mark::Mark;
use super::read::ContractPrice;
use super::recent_prices::RecentPrices;
use super::row::Row;
use super::statistics::Newest;
use super::view::TableView;

/// A version, and what of it decides an append or a read. Our own append on it makes the next; any other commit makes it useless.
#[derive(Debug)]
pub(super) struct Head {
    version: u64,
    /// What the table is recognised by; without it what is known serves once.
    mark: Option<Mark>,
    token: i64,
    newest: Newest,
    prices: Option<RecentPrices>,
    /// None where its files cannot be read as they stand.
    files: Option<Arc<FileIndex>>,
    is_plain: bool,
}

impl Head {
    /// Reads it from a snapshot.
    pub(super) async fn of(view: &TableView) -> Result<Self, LakeError> {
        let failed = |error: Cause| LakeError::storage("read", view.path(), error);
        let is_plain = direct::is_plain(view.name(), view.table()).map_err(|error| failed(error.into()))?;
        let token = commit::last_token(view).await?;
        let entries = Files::of(view.table()).map_err(failed)?;
        let files = FileIndex::of(view.table(), &entries).map_err(failed)?.map(Arc::new);
        Ok(Self {
            version: view.version(),
            mark: view.mark(),
            token,
            newest: Newest::of(&entries),
            prices: None,
            files,
            is_plain,
        })
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The token of the commit after it.
    pub(super) fn next_token(&self) -> i64 {
        self.token.saturating_add(1)
    }

    pub(super) fn newest(&self) -> &Newest {
        &self.newest
    }

    /// Whether the rows can be appended without a look into the files: each is newer than all of its symbol.
    pub(super) fn takes<R: Row>(&self, rows: &[&R]) -> bool {
        let is_newer = |row: &&R| {
            let key = row.key();
            self.newest.is_newer(&key.symbol, key.slot.instant())
        };
        self.is_plain && rows.iter().all(is_newer)
    }

    /// The files, where they can be read as they stand.
    pub(super) fn files(&self) -> Option<&Arc<FileIndex>> {
        self.files.as_ref()
    }

    /// Whether the table has exactly our columns, in our order.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Goes on to the version that an append of these rows, in these files, made of it.
    pub(super) fn follow<R: Row>(&mut self, mark: Mark, added: &[&R], files: &[Add]) {
        self.pass(mark);
        if let Some(index) = &mut self.files {
            Arc::make_mut(index).extend(files, added);
        }
        for key in added.iter().map(|row| row.key()) {
            self.newest.note(&key.symbol, key.slot.instant());
        }
        if let Some(prices) = &mut self.prices {
            prices.extend(added.iter().filter_map(|row| row.price()));
        }
    }

    /// Goes on to the version that a compaction made of it: the same rows in other files.
    pub(super) fn follow_compaction(
        &mut self,
        mark: Mark,
        old: impl Iterator<Item = (String, Vec<String>)>,
        new: &[Add],
    ) {
        self.pass(mark);
        if let Some(index) = &mut self.files {
            Arc::make_mut(index).replace(old, new);
        }
    }

    /// Goes on to the version that a commit with the shared token made of it.
    fn pass(&mut self, mark: Mark) {
        self.version = mark.version();
        self.mark = Some(mark);
        self.token = self.next_token();
    }

    /// The prices between two instants, both included, where they are known.
    pub(super) fn prices(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Vec<ContractPrice>> {
        self.prices.as_mut()?.between(from, to)
    }

    /// Keeps all prices that a version holds from an instant on, if it is this one of this table.
    pub(super) fn keep_prices(&mut self, mark: Option<Mark>, found: RecentPrices) {
        if mark.is_some() && mark == self.mark {
            self.prices = Some(found);
        }
    }
}
