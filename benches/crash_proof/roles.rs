//! What the processes do until they are killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use frontmonth::calendar::{Slot, TradingDay};
use frontmonth::clock::{Clock, SystemClock};
use frontmonth::lake::{BackupFolder, Durability, KeyRange, Lake, LakeConfig, LakeError, LakeErrorClass, TableName};
use frontmonth::market::{Changes, FuturesSnapshot, GatewayKind, Source, Symbol};

use super::evidence::{Book, Line};
use super::hosts::Notes;
use super::random::Random;

/// The symbols of every slot.
pub(super) const SYMBOLS: [&str; 3] = ["ES", "NQ", "RTY"];

/// The table that all of it is about.
pub(super) const TABLE: TableName = TableName::FuturesSnapshots;

/// Versions that a restorer goes back at most.
const LONGEST_WAY_BACK: u64 = 6;

/// Slots beyond the newest that anyone writes at once.
const REACH: u64 = 3;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Appends the slot after the newest, as others do at the same time.
    Racer,
    /// Appends older slots in any order.
    Backfiller,
    /// Replaces rows.
    Forcer,
    /// Compacts, vacuums, writes checkpoints, cleans the log.
    Maintainer,
    /// Brings versions back that lack no row of the newest.
    Restorer,
    /// Copies the table to another folder.
    Saver,
    /// Looks whether anything that was there is gone.
    Reader,
}

impl Role {
    /// All of them, those first that are to be run twice.
    pub(super) const ALL: [Self; 7] =
        [Self::Racer, Self::Maintainer, Self::Forcer, Self::Saver, Self::Backfiller, Self::Restorer, Self::Reader];

    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Racer => "racer",
            Self::Backfiller => "backfiller",
            Self::Forcer => "forcer",
            Self::Maintainer => "maintainer",
            Self::Restorer => "restorer",
            Self::Saver => "saver",
            Self::Reader => "reader",
        }
    }
}

/// How long a lake of a round keeps what it no longer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// As in service: a day and a week, flushed.
    Usual,
    /// A few seconds, so that every cleanup bites.
    Seconds,
}

impl Keeping {
    /// The lake in a folder, made with this retention by whoever is first.
    pub(super) fn lake(self, folder: &Path) -> Lake {
        let durability = match self {
            Self::Usual => Durability::Flushed,
            Self::Seconds => Durability::Unflushed,
        };
        Lake::with_durability(&config(folder), GatewayKind::Simulated, durability).expect("a local folder")
    }

    /// The instant by which to tidy up: unflushed lakes keep five seconds, of which this leaves four.
    fn tidied_at(self) -> DateTime<Utc> {
        match self {
            Self::Usual => SystemClock.now(),
            Self::Seconds => SystemClock.now() + TimeDelta::seconds(1),
        }
    }
}

/// Where the lake of a round is.
pub(super) fn config(folder: &Path) -> LakeConfig {
    LakeConfig { uri: folder.join("lake").display().to_string(), ..LakeConfig::default() }
}

/// Where the books of a round are.
pub(super) fn books(folder: &Path) -> PathBuf {
    folder.join("books")
}

/// Where the copy of a round's table is.
pub(super) fn saved(folder: &Path) -> LakeConfig {
    LakeConfig { uri: folder.join("saved").display().to_string(), ..LakeConfig::default() }
}

/// The whole table.
pub(super) fn everything() -> KeyRange {
    KeyRange { symbols: SYMBOLS.map(symbol).to_vec(), from: slot(0).instant(), to: slot(500_000).instant() }
}

fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_014_000, 0).expect("an instant")
}

fn slot(number: i64) -> Slot {
    Slot::at(start() + TimeDelta::minutes(5 * number)).expect("on the grid")
}

/// The key of a slot's first row.
pub(super) fn key_of(number: i64) -> String {
    format!("ES {}", slot(number).instant().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}

/// The number of a slot.
pub(super) fn number_of(slot: Slot) -> i64 {
    (slot.instant() - start()).num_minutes() / 5
}

/// The price of rows that were appended.
pub(super) fn appended_price(slot: i64) -> i64 {
    -slot
}

fn rows(number: i64, price: i64) -> Vec<FuturesSnapshot> {
    SYMBOLS.map(|name| row(name, slot(number), price)).to_vec()
}

fn row(name: &str, slot: Slot, price: i64) -> FuturesSnapshot {
    FuturesSnapshot {
        symbol: symbol(name),
        timestamp: slot,
        bid: None,
        ask: None,
        last: Some(f64::from(i32::try_from(price).expect("small"))),
        volume: None,
        open_interest: None,
        implied_vol: None,
        changes: Changes::default(),
        date: TradingDay::new(slot.instant().date_naive()),
        contract: format!("{name}Z6"),
        expiry: NaiveDate::from_ymd_opt(2026, 12, 18).expect("a date"),
        con_id: Some(495_512_563),
        source: Source::Live,
        gateway: GatewayKind::Simulated,
        captured_at: slot.instant() + TimeDelta::seconds(30),
    }
}

/// A process of a round.
pub(super) struct Player {
    lake: Lake,
    keeping: Keeping,
    folder: PathBuf,
    book: Book,
    notes: Option<Arc<Notes>>,
    random: Random,
    /// Of the process, for prices that nobody else gives.
    number: i64,
}

impl Player {
    /// The process of this number and role in the folder of a round.
    pub(super) fn new(folder: &Path, (keeping, role): (Keeping, Role), (number, seed): (i64, u64)) -> Self {
        let lake = if role == Role::Reader {
            Lake::reader(&config(folder)).expect("a local folder")
        } else {
            keeping.lake(folder)
        };
        let notes = (role == Role::Forcer).then(|| Notes::of(folder, number));
        let lake = notes.iter().fold(lake, |lake, notes| lake.noting(notes.clone()));
        let book = Book::begin(&books(folder), &format!("{number}-{}", role.name()));
        let folder = folder.to_path_buf();
        Self {
            lake,
            keeping,
            folder,
            book,
            notes,
            random: Random::new(seed ^ u64::try_from(number).unwrap_or(0)),
            number,
        }
    }

    /// Plays the role until the process is killed, or for so many turns.
    pub(super) async fn play(mut self, role: Role, turns: usize) {
        let mut seen = Vec::new();
        for turn in 0..turns {
            let done = match role {
                Role::Racer => self.race().await,
                Role::Backfiller => self.backfill().await,
                Role::Forcer => self.force(turn).await,
                Role::Maintainer => self.maintain().await,
                Role::Restorer => self.restore().await,
                Role::Saver => self.save().await,
                Role::Reader => self.read(&mut seen).await,
            };
            if let Err(error) = done {
                self.tell(role, &error);
            }
        }
    }

    async fn newest(&self) -> Result<i64, LakeError> {
        let newest = self.lake.latest_futures(&symbol("ES")).await?;
        Ok(newest.map_or(0, |row| number_of(row.timestamp)))
    }

    async fn race(&mut self) -> Result<(), LakeError> {
        let ahead = 1 + self.random.below(REACH);
        let number = self.newest().await? + i64::try_from(ahead).unwrap_or(1);
        self.append(number, "raced").await
    }

    async fn backfill(&mut self) -> Result<(), LakeError> {
        let newest = self.newest().await?;
        let number = self.random.below(u64::try_from(newest).unwrap_or(0) + 1);
        self.append(i64::try_from(number).unwrap_or(0), "backfilled").await
    }

    async fn append(&mut self, number: i64, name: &str) -> Result<(), LakeError> {
        let written = self.lake.append_futures(&rows(number, appended_price(number))).await?;
        self.book.write(&Line::Done { slot: number, price: None, version: written.version });
        self.book.event(if written.added == 0 { "second" } else { name }, "");
        Ok(())
    }

    async fn force(&mut self, turn: usize) -> Result<(), LakeError> {
        let newest = self.newest().await?;
        let slot = i64::try_from(self.random.below(u64::try_from(newest).unwrap_or(0) + 1)).unwrap_or(0);
        let price = self.number * 1_000 + i64::try_from(turn % 1_000).unwrap_or(0);
        self.book.write(&Line::Try { slot, price });
        let replaced = self.lake.replace_futures(&rows(slot, price)).await?;
        self.book.write(&Line::Done { slot, price: Some(price), version: replaced.version });
        self.book.event("replaced", "");
        if let Some(notes) = &self.notes {
            notes.confirm();
        }
        Ok(())
    }

    async fn restore(&mut self) -> Result<(), LakeError> {
        // Where files go after seconds, a version may lose them while it is brought back, as one of a day ago in service.
        if self.keeping == Keeping::Seconds {
            return self.race().await;
        }
        let Some(newest) = self.lake.newest_version(TABLE).await? else { return Ok(()) };
        let back = 1 + self.random.below(LONGEST_WAY_BACK);
        let Some(version) = newest.checked_sub(back).filter(|version| *version > 0) else { return Ok(()) };
        let plan = match self.lake.restore_plan(TABLE, version).await {
            Ok(plan) => plan,
            // Cleaned up meanwhile.
            Err(error) if error.class() == LakeErrorClass::Missing => return Ok(()),
            Err(error) => return Err(error),
        };
        if plan.is_empty() || !plan.lost.is_empty() || !plan.unreadable.is_empty() {
            return Ok(());
        }
        self.book.write(&Line::Restore { version });
        self.lake.restore(&plan).await?;
        self.book.event("restored", "");
        Ok(())
    }

    async fn save(&mut self) -> Result<(), LakeError> {
        let to = BackupFolder::take(&self.folder.join("saved"))?;
        if let Some(copied) = self.lake.backup(TABLE, &to).await? {
            self.book.write(&Line::Saved { version: copied.version });
            self.book.event("saved", "");
        }
        Ok(())
    }

    async fn maintain(&mut self) -> Result<(), LakeError> {
        let compacted = self.lake.compact(TABLE).await?;
        if compacted.version.is_some() {
            self.book.event("compacted", "");
        }
        if compacted.gave_up {
            self.book.event("compaction_gave_up", "");
        }
        let tidied = self.lake.tidy(TABLE, self.keeping.tidied_at()).await?;
        if tidied.files_deleted > 0 {
            self.book.event("vacuumed", "");
        }
        if tidied.log_entries_deleted > 0 {
            self.book.event("log_cleaned", "");
        }
        if tidied.checkpoint.is_some() {
            self.book.event("checkpoint", "");
        }
        Ok(())
    }

    async fn read(&mut self, seen: &mut Vec<(Symbol, Slot)>) -> Result<(), LakeError> {
        let count = self.lake.count(TABLE, &everything()).await?;
        if count.rows != count.keys {
            self.book.event("violation", &format!("{} rows of {} keys", count.rows, count.keys));
        }
        let keys = self.lake.futures_keys(&everything()).await?;
        if let Some(lost) = seen.iter().find(|key| !keys.contains(key)) {
            self.book.event("violation", &format!("{lost:?} was there and is gone"));
        }
        *seen = keys.into_iter().collect();
        self.book.event("read", "");
        Ok(())
    }

    fn tell(&mut self, role: Role, error: &LakeError) {
        let text = format!("{error:?}");
        // A reader that takes longer than files are kept finds them gone, as one does in service after a day.
        let is_gone = ["No such file", "NotFound", "not found", "is missing"].iter().any(|part| text.contains(part));
        let name = match error.class() {
            LakeErrorClass::Conflict => "lost_all_rounds",
            LakeErrorClass::Busy => "busy",
            LakeErrorClass::Missing => "gone",
            _ if self.keeping == Keeping::Seconds && is_gone => "gone",
            _ => "error",
        };
        self.book.event(name, &format!("{}: {text}", role.name()));
    }
}
