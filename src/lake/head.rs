//! What an append has to know of the newest version: enough to decide and commit without the library's snapshot, which
//! takes longer to bring up to date than the rows take to write.

use chrono::{DateTime, Utc};

use super::LakeError;
use super::commit;
use super::direct;
use super::read::ContractPrice;
use super::recent_prices::RecentPrices;
use super::row::Row;
use super::statistics::Newest;
use super::view::TableView;

/// A version, and what of it decides an append. Our own append on it makes the next; any other commit makes it useless.
#[derive(Debug)]
pub(super) struct Head {
    version: u64,
    token: i64,
    newest: Newest,
    prices: Option<RecentPrices>,
    is_plain: bool,
}

impl Head {
    /// Reads it from a snapshot.
    pub(super) async fn of(view: &TableView) -> Result<Self, LakeError> {
        let is_plain = direct::is_plain(view.name(), view.table());
        let is_plain = is_plain.map_err(|error| LakeError::storage("read", view.path(), error))?;
        let (token, newest) = (commit::last_token(view).await?, view.newest()?);
        Ok(Self { version: view.version(), token, newest, prices: None, is_plain })
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
            let (symbol, slot) = row.key();
            self.newest.is_newer(&symbol, slot.instant())
        };
        self.is_plain && rows.iter().all(is_newer)
    }

    /// Goes on to the version that an append of these rows made of it.
    pub(super) fn follow<R: Row>(&mut self, added: &[&R]) {
        self.pass();
        for (symbol, slot) in added.iter().map(|row| row.key()) {
            self.newest.note(&symbol, slot.instant());
        }
        if let Some(prices) = &mut self.prices {
            prices.extend(added.iter().filter_map(|row| row.price()));
        }
    }

    /// Goes on to the version that a commit with the shared token made of it without a change to the rows.
    pub(super) fn pass(&mut self) {
        self.version += 1;
        self.token = self.next_token();
    }

    /// The prices between two instants, both included, where they are known.
    pub(super) fn prices(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Vec<ContractPrice>> {
        self.prices.as_mut()?.between(from, to)
    }

    /// Keeps all prices that a version was found to hold from an instant on, if it is this one.
    pub(super) fn keep_prices(&mut self, version: u64, found: RecentPrices) {
        if version == self.version {
            self.prices = Some(found);
        }
    }
}
