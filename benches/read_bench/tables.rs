//! The tables that are read: rows of three symbols on the real calendar, in layouts as a daemon leaves them or worse.

use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};
use frontmonth::calendar::{Calendar, CalendarId, Session, Slot};
use frontmonth::lake::{Durability, Lake, LakeConfig, TableName};
use frontmonth::market::{Changes, FuturesSnapshot, GatewayKind, Source};

/// The table of the bench.
pub(crate) const TABLE: TableName = TableName::FuturesSnapshots;

/// The last year in a table; what is written by the measured operations comes after it.
const LAST_YEAR: i32 = 2025;

/// Sessions in one commit where a table is made in bulk.
const BULK_SESSIONS: usize = 21;

/// How much a table holds and in what files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One session.
    Day,
    /// A month of sessions.
    Month,
    /// A year, compacted.
    Year,
    /// A year whose last session lies as it was captured.
    YearAndDay,
    /// A year whose last five sessions lie as they were captured.
    YearAndWeek,
    /// Five years, compacted.
    FiveYears,
}

impl Layout {
    /// All of them, the smallest first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Day, Self::Month, Self::Year, Self::YearAndDay, Self::YearAndWeek, Self::FiveYears];

    /// Its name in the figures and as a folder.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Day => "1 day",
            Self::Month => "1 month",
            Self::Year => "1 year",
            Self::YearAndDay => "1 year, day as captured",
            Self::YearAndWeek => "1 year, week as captured",
            Self::FiveYears => "5 years",
        }
    }

    /// The name, padded for a list.
    pub(crate) const fn title(self) -> &'static str {
        self.name()
    }

    /// All sessions of the table.
    pub(crate) fn sessions(self) -> Vec<Session> {
        let years = if self == Self::FiveYears { 5 } else { 1 };
        let first = NaiveDate::from_ymd_opt(LAST_YEAR + 1 - years, 1, 1).expect("a date");
        let last = NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31).expect("a date");
        let all = Calendar::embedded(CalendarId::CmeEquity).sessions(first, last).expect("covered");
        let num_kept = match self {
            Self::Day => 1,
            Self::Month => BULK_SESSIONS,
            _ => all.len(),
        };
        all.into_iter().rev().take(num_kept).rev().collect()
    }

    /// Sessions at the end that lie in one file a row.
    const fn num_as_captured(self) -> usize {
        match self {
            Self::YearAndDay => 1,
            Self::YearAndWeek => 5,
            _ => 0,
        }
    }
}

/// The working folder of a layout, as the commands see it.
pub(crate) fn folder(root: &Path, layout: Layout) -> PathBuf {
    root.join(layout.name().replace([' ', ','], "_"))
}

/// The lake of a layout.
pub(crate) fn config(root: &Path, layout: Layout) -> LakeConfig {
    LakeConfig { uri: folder(root, layout).join("data/lake").display().to_string(), ..LakeConfig::default() }
}

/// Makes the table of a layout.
pub(crate) async fn make(root: &Path, layout: Layout) {
    let lake = Lake::with_durability(&config(root, layout), GatewayKind::Simulated, Durability::Unflushed);
    let lake = lake.expect("a local folder");
    let sessions = layout.sessions();
    let (bulk, captured) = sessions.split_at(sessions.len() - layout.num_as_captured());
    for sessions in bulk.chunks(BULK_SESSIONS) {
        let rows: Vec<FuturesSnapshot> = sessions.iter().flat_map(rows_of).collect();
        lake.append_futures(&rows).await.expect("written");
    }
    lake.compact(TABLE).await.expect("compacted");
    for session in captured {
        for slot in session.slots() {
            lake.append_futures(&rows(session, slot)).await.expect("written");
        }
    }
}

/// Rows, files and bytes of a table.
pub(crate) fn described(root: &Path, layout: Layout) -> String {
    let (mut files, mut bytes) = (0, 0);
    for symbol in ["ES", "NQ", "RTY"] {
        let partition = folder(root, layout).join(format!("data/lake/{TABLE}/symbol={symbol}"));
        for entry in std::fs::read_dir(partition).expect("a partition") {
            files += 1;
            bytes += entry.and_then(|entry| entry.metadata()).expect("a file").len();
        }
    }
    let num_slots: usize = layout.sessions().iter().map(|session| session.slots().count()).sum();
    format!("{} rows, {files} files on the disk, {} kB", 3 * num_slots, bytes / 1_000)
}

fn rows_of(session: &Session) -> Vec<FuturesSnapshot> {
    session.slots().flat_map(|slot| rows(session, slot)).collect()
}

/// Rows of a slot whose prices wander as those of a market, so that they compress as such.
pub(crate) fn rows(session: &Session, slot: Slot) -> Vec<FuturesSnapshot> {
    let number = slot.instant().timestamp() / 300;
    let of = |(index, name): (i64, &str)| {
        let wander = |cycle: i64| {
            let noise = (number / cycle).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(index) >> 33;
            f64::from(i32::try_from(noise % 400).expect("small")) * 0.25
        };
        let last = 6_000.0 + wander(1) + wander(12) + wander(276);
        let changes = Changes {
            one_hour: Some(wander(1)),
            four_hours: Some(wander(2)),
            overnight: Some(wander(3)),
            daily: Some(wander(5)),
            since_close: Some(wander(7)),
        };
        FuturesSnapshot {
            symbol: name.parse().expect("a symbol"),
            timestamp: slot,
            bid: Some(last - 0.25),
            ask: Some(last),
            last: Some(last),
            volume: Some(100 * number),
            open_interest: Some(2_000_000 + number / 276),
            implied_vol: Some(0.2),
            changes,
            date: session.day,
            contract: format!("{name}H6"),
            expiry: NaiveDate::from_ymd_opt(2026, 3, 20).expect("a date"),
            con_id: Some(495_512_563 + i32::try_from(index).expect("small")),
            source: Source::Live,
            gateway: GatewayKind::Simulated,
            captured_at: slot.instant() + TimeDelta::seconds(2),
        }
    };
    [(0, "ES"), (1, "NQ"), (2, "RTY")].map(of).to_vec()
}
