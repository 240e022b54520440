//! Rows and lakes for the tests of this module.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Slot, TradingDay};
use crate::market::{Changes, DailyBar, FuturesSnapshot, GatewayKind, Source, SpotSnapshot, Symbol};

use super::{DecisionRow, Durability, Lake, LakeConfig, OutcomeRow, SignalRow};

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

/// A simulated daily bar whose session closed at the slot.
pub(super) fn daily_row(name: &str, slot: Slot) -> DailyBar {
    DailyBar {
        symbol: symbol(name),
        date: TradingDay::new(slot.instant().date_naive()),
        timestamp: slot,
        open: 600.0,
        high: 606.0,
        low: 599.0,
        close: 605.0,
        volume: Some(1_000_000),
        gateway: GatewayKind::Simulated,
        captured_at: slot.instant() + TimeDelta::minutes(20),
    }
}

/// A simulated signal about a slot.
pub(super) fn signal_row(name: &str, slot: Slot) -> SignalRow {
    SignalRow {
        symbol: symbol(name),
        futures_symbol: symbol("ES"),
        timestamp: slot,
        sentiment: "bullish".to_owned(),
        signal: "buy".to_owned(),
        confidence: 0.6,
        futures_price: 6000.0,
        spot_price: Some(600.0),
        basis: Some(0.5),
        change_1h: Some(2.5),
        change_4h: Some(8.25),
        change_daily: Some(12.25),
        momentum: 0.001,
        predictive_value: Some(0.1),
        reasoning: "Futures bullish".to_owned(),
        as_of: slot,
        strength: 0.5,
        contract: "ESZ6".to_owned(),
        deviations: Some(0.8),
        basis_change_bp: Some(0.9),
        gateway: GatewayKind::Simulated,
        generated_at: slot.instant() + TimeDelta::seconds(40),
        futures_close: Some(5_987.75),
        spot_close: Some(599.0),
        dividend: Some(0.0),
    }
}

/// A simulated verdict of rule `a` about a slot: it decided.
pub(super) fn decision_row(name: &str, slot: Slot) -> DecisionRow {
    DecisionRow {
        symbol: symbol(name),
        as_of: slot,
        rule: "a".to_owned(),
        priority: Some(10),
        verdict: "decided".to_owned(),
        reason: "it fired".to_owned(),
        action: Some("enter".to_owned()),
        direction: Some("bullish".to_owned()),
        strategy_type: Some("vertical_spread".to_owned()),
        urgency: Some("normal".to_owned()),
        position_multiplier: Some(1.1),
        timing: "in_time".to_owned(),
        metadata: "{}".to_owned(),
        gateway: GatewayKind::Simulated,
        generated_at: slot.instant() + TimeDelta::seconds(50),
    }
}

/// A simulated outcome of a decision about a slot, held for one session.
pub(super) fn outcome_row(name: &str, slot: Slot) -> OutcomeRow {
    let day = slot.instant().date_naive();
    OutcomeRow {
        symbol: symbol(name),
        as_of: slot,
        horizon: "1d".to_owned(),
        rule: "a".to_owned(),
        base: "bullish".to_owned(),
        confirmed: Some(1),
        direction: "bullish".to_owned(),
        position_multiplier: 1.1,
        entry_day: day,
        entry_price: 600.0,
        exit_day: day,
        exit_price: 605.0,
        gross_bp: 91.2,
        net_bp: 90.1,
        gateway: GatewayKind::Simulated,
        generated_at: slot.instant() + TimeDelta::hours(8),
    }
}
