//! Rows of another program's table taken into `futures_snapshots`.
//!
//! The rows are taken in the order of time, some sessions at once, each part by the one protocol of all writers: only keys
//! that are absent are added. So a second import adds nothing, one that was interrupted is gone on with by the next, and
//! no row of ours is ever replaced. Nothing is written to where the rows come from.

mod account;
mod changes;
mod checks;
mod error;
mod file;
mod foreign;
mod judge;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::calendar::{Slot, Zone};
use crate::market::{Changes, FuturesSnapshot, Source, Symbol};

use super::{KeyRange, Lake, TableName};

pub use account::{ImportAccount, RefusedRows};
pub use error::ImportError;
pub use judge::{ImportRules, Refusal};

use changes::PricesBefore;
use checks::{Checked, ClosesBefore};
use foreign::{Foreign, unreadable};
use judge::{Judge, Judged, is_near_roll};
use survey::{Days, Survey, day_of};

/// Rows of one part, as far as whole days go: some twenty-five sessions of three futures.
const PART_ROWS: u64 = 20_000;

/// What to take in, and as what.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Folder of a Delta table, a Parquet file, or a folder of Parquet files.
    pub from: PathBuf,
    /// The zone of times that have none of their own.
    pub zone: Option<Zone>,
    /// What the rows are.
    pub source: Source,
    /// Whether to write.
    pub mode: ImportMode,
}

/// Whether to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// Only find out what would be written.
    DryRun,
    /// Write.
    Write,
}

impl Lake {
    /// Takes rows of another program's table into `futures_snapshots`, and gives the account of all of them.
    ///
    /// # Errors
    /// Where there is nothing of the sort, its times have no zone and none is given, it is damaged, or the lake refuses;
    /// rows of the parts before are in the table then, and the next import goes on after them.
    pub async fn import(&self, request: &ImportRequest, rules: &ImportRules<'_>) -> Result<ImportAccount, ImportError> {
        let gateway = self.bound(TableName::FuturesSnapshots).await?;
        if request.from.canonicalize().is_ok_and(|from| from.starts_with(self.root())) {
            return Err(ImportError::WithinLake { path: request.from.clone(), root: self.root().to_path_buf() });
        }
        let (foreign, zone, survey) = tokio::task::block_in_place(|| {
            let foreign = Foreign::open(&request.from)?;
            let zone = foreign.zone(request.zone)?;
            let survey = Survey::of(&foreign, zone)?;
            Ok::<_, ImportError>((foreign, zone, survey))
        })?;
        let judge = Judge { rules: *rules, source: request.source, gateway };
        let mut account = begun(&foreign, (request, &judge), &survey);
        let (mut before, mut closes) = (PricesBefore::default(), ClosesBefore::default());
        for days in survey.windows(PART_ROWS) {
            let part = Part { foreign: &foreign, zone, survey: &survey, days: &days };
            let Checked { sound: mut rows, failed } = tokio::task::block_in_place(|| {
                let rows = part.read(&judge, &mut account)?;
                Ok::<_, ImportError>(closes.check(rules, rows))
            })?;
            for failed in &failed {
                account.refuse(Refusal::FailsChecks, || failed.describe());
            }
            self.keep_failed(request, rules, &failed).await?;
            before.fill(self, rules, &mut rows).await?;
            self.take_in(request.mode, &rows, &mut account).await?;
            tracing::info!(from = %days.start(), to = %days.end(), rows = rows.len(), "took a part in");
        }
        Ok(account)
    }

    /// Adds the rows whose keys are absent, or only finds out which would be.
    async fn take_in(
        &self,
        mode: ImportMode,
        rows: &[FuturesSnapshot],
        account: &mut ImportAccount,
    ) -> Result<(), ImportError> {
        let keys = match mode {
            ImportMode::Write => {
                let written = self.append_futures(rows).await?;
                account.version = written.version.or(account.version);
                written.added_keys
            }
            ImportMode::DryRun => self.absent_keys(rows).await?,
        };
        account.present += (rows.len() - keys.len()) as u64;
        account.import(&keys);
        let added: BTreeSet<&(Symbol, Slot)> = keys.iter().collect();
        for row in rows.iter().filter(|row| added.contains(&(row.symbol.clone(), row.timestamp))) {
            account.near_roll += u64::from(is_near_roll(row.timestamp));
            account.with_changes += u64::from(row.changes != Changes::default());
        }
        Ok(())
    }

    async fn absent_keys(&self, rows: &[FuturesSnapshot]) -> Result<Vec<(Symbol, Slot)>, ImportError> {
        let keys: Vec<(Symbol, Slot)> = rows.iter().map(|row| (row.symbol.clone(), row.timestamp)).collect();
        let slots = || keys.iter().map(|(_, slot)| slot.instant());
        let (Some(from), Some(to)) = (slots().min(), slots().max()) else { return Ok(Vec::new()) };
        let mut symbols: Vec<Symbol> = keys.iter().map(|(symbol, _)| symbol.clone()).collect();
        symbols.dedup();
        let present = self.futures_keys(&KeyRange { symbols, from, to }).await?;
        Ok(keys.into_iter().filter(|key| !present.contains(key)).collect())
    }
}

/// An account with all that is known before a row is judged.
fn begun(foreign: &Foreign, (request, judge): (&ImportRequest, &Judge<'_>), survey: &Survey) -> ImportAccount {
    let (unstamped, file) = &survey.unstamped;
    let refused = RefusedRows { reason: Refusal::NoTimestamp, rows: *unstamped, first: format!("in {file}") };
    ImportAccount {
        from: foreign.path.clone(),
        table: TableName::FuturesSnapshots,
        dry_run: request.mode == ImportMode::DryRun,
        gateway: judge.gateway,
        source: judge.source,
        roll_rule: judge.rules.market.roll_rule,
        files: foreign.files.len(),
        rows_read: *unstamped,
        imported: 0,
        present: 0,
        doubled: 0,
        refused: (*unstamped > 0).then_some(refused).into_iter().collect(),
        moved_to_slot: 0,
        nulled: 0,
        near_roll: 0,
        with_changes: 0,
        symbols: Vec::new(),
        columns_left_out: foreign.left_out.clone(),
        columns_absent: foreign.absent.clone(),
        version: None,
    }
}

/// Some days of another program's table.
struct Part<'a> {
    foreign: &'a Foreign,
    zone: Option<Zone>,
    survey: &'a Survey,
    days: &'a Days,
}

impl Part<'_> {
    /// The rows to be taken in, by symbol and slot; of two with one key the one that was written first.
    fn read(&self, judge: &Judge<'_>, account: &mut ImportAccount) -> Result<Vec<FuturesSnapshot>, ImportError> {
        let mut rows: BTreeMap<(Symbol, Slot), FuturesSnapshot> = BTreeMap::new();
        let files = self.foreign.files.iter().enumerate();
        for (_, file) in files.filter(|(number, _)| self.survey.has(*number, self.days)) {
            let read = file.rows(self.zone, |found| {
                if !found.stamp.is_some_and(|stamp| self.days.contains(&day_of(stamp))) {
                    return;
                }
                account.rows_read += 1;
                let Judged { row, was_moved, num_nulled } = match judge.judge(&found) {
                    Ok(judged) => judged,
                    Err((refusal, first)) => return account.refuse(refusal, || first),
                };
                account.moved_to_slot += u64::from(was_moved);
                account.nulled += num_nulled;
                match rows.entry((row.symbol.clone(), row.timestamp)) {
                    Entry::Vacant(place) => {
                        place.insert(row);
                    }
                    Entry::Occupied(_) => account.doubled += 1,
                }
            });
            read.map_err(|error| unreadable(&file.path, error))?;
        }
        Ok(rows.into_values().collect())
    }
}
