//! Rows and lakes for the tests of this module.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Slot, TradingDay};
use crate::market::{Changes, FuturesSnapshot, GatewayKind, Source, SpotSnapshot, Symbol};

use super::{Durability, Lake, LakeConfig};

/// The instant of slot 0: 2026-11-18 15:00 UTC.
pub(super) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_014_000, 0).expect("an instant")
}

/// The slot a number of slots after [`start`].
pub(super) fn slot(number: i64) -> Slot {
    Slot::at(start() + TimeDelta::minutes(5 * number)).expect("on the grid")
}

pub(super) fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

/// A live, simulated row whose last price is its slot's number, captured half a minute after its slot.
pub(super) fn futures_row(name: &str, slot: Slot) -> FuturesSnapshot {
    let number = (slot.instant() - start()).num_minutes() / 5;
    let last = 6000.0 + f64::from(i32::try_from(number).expect("small"));
    FuturesSnapshot {
        symbol: symbol(name),
        timestamp: slot,
        bid: Some(last - 0.25),
        ask: Some(last + 0.25),
        last: Some(last),
        volume: Some(100 * number),
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

pub(super) fn spot_row(name: &str, slot: Slot) -> SpotSnapshot {
    let future = futures_row(name, slot);
    SpotSnapshot {
        symbol: future.symbol,
        timestamp: future.timestamp,
        bid: future.bid,
        ask: future.ask,
        last: future.last,
        volume: future.volume,
        date: future.date,
        source: future.source,
        gateway: future.gateway,
        captured_at: future.captured_at,
    }
}

/// Rows of the three futures in one slot.
pub(super) fn futures_of(slot: Slot) -> Vec<FuturesSnapshot> {
    ["ES", "NQ", "RTY"].map(|name| futures_row(name, slot)).to_vec()
}

pub(super) fn config(folder: &std::path::Path) -> LakeConfig {
    LakeConfig { uri: folder.join("lake").display().to_string(), ..LakeConfig::default() }
}

/// A lake to write simulated rows to; a new one on each call, so with handles of its own.
pub(super) fn lake(folder: &std::path::Path) -> Lake {
    Lake::with_durability(&config(folder), GatewayKind::Simulated, Durability::Unflushed).expect("a local folder")
}
