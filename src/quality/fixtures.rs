//! Synthetic rows for the tests of the checks.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{Batch, CheckRun, FUTURES_TABLE, Measure, Place, QualityConfig, Row, Rule, SPOT_TABLE, run_checks, spec};
use crate::calendar::{Calendar, CalendarId, RollRule, Slot, lead_month, parse_instant};
use crate::market::{MarketConfig, Source, Symbol};

pub(super) static FUTURES: LazyLock<Calendar> = LazyLock::new(|| Calendar::embedded(CalendarId::CmeEquity));
pub(super) static NYSE: LazyLock<Calendar> = LazyLock::new(|| Calendar::embedded(CalendarId::Nyse));
static MARKET: LazyLock<MarketConfig> = LazyLock::new(MarketConfig::default);
static NO_CLOSES: BTreeMap<Symbol, f64> = BTreeMap::new();

/// New York time.
pub(super) fn at(text: &str) -> DateTime<Utc> {
    parse_instant(text).expect("New York time")
}

pub(super) fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

pub(super) fn place(of: &str) -> Place {
    Place { table: FUTURES_TABLE, symbol: Some(symbol(of)), timestamp: Slot::at_or_before(at("2026-11-18 12:00")) }
}

pub(super) fn rule_of<'a>(config: &'a QualityConfig, id: &str) -> Rule<'a> {
    let now = at("2026-11-18 12:00");
    let settings = config.check(id).expect("settings");
    Rule { spec: spec(id).expect("a check"), settings, run_slot: Slot::at_or_before(now), now }
}

/// A sound row of a symbol at an instant.
pub(super) fn row(of: &str, instant: DateTime<Utc>, last: f64) -> Row {
    let is_etf = MARKET.spot.contains(&symbol(of));
    let tick = if is_etf { 0.01 } else { 0.25 };
    let calendar = if is_etf { &NYSE } else { &FUTURES };
    let session = calendar.session_of_slot(Slot::at_or_before(instant)).expect("covered");
    let contract = lead_month(instant, RollRule::ByDate).expect("a month").local_symbol(of);
    Row {
        table: if is_etf { SPOT_TABLE } else { FUTURES_TABLE },
        symbol: symbol(of),
        at: instant,
        bid: Some(last - tick),
        ask: Some(last),
        last: Some(last),
        volume: Some(1_000),
        open_interest: (!is_etf).then_some(2_000_000),
        implied_vol: (!is_etf).then_some(0.15),
        date: session.map(|session| session.day.date()),
        contract: (!is_etf).then_some(contract),
        con_id: (!is_etf).then_some(1),
        source: Source::Live,
        captured_at: instant + TimeDelta::seconds(5),
    }
}

/// Which way a price goes from slot to slot: small steps that repeat every eight slots and never stand still.
pub(super) fn wiggle(number: usize) -> f64 {
    [0.0, 1.25, 0.5, 1.75, 1.0, 2.5, 0.75, 1.5].get(number % 8).copied().unwrap_or_default()
}

/// Sound rows of a symbol in every slot of its sessions from one date to another.
pub(super) fn rows(of: &str, (from, to): (&str, &str), price: f64) -> Vec<Row> {
    let (first, last) = dates(from, to);
    let is_etf = MARKET.spot.contains(&symbol(of));
    let calendar = if is_etf { &NYSE } else { &FUTURES };
    let step = if is_etf { 0.1 } else { 1.0 };
    let sessions = calendar.sessions(first, last).expect("covered");
    let mut made = Vec::new();
    for session in sessions {
        let volumes = (1_i64..).map(|number| number * 1_000);
        made.extend(session.slots().zip(volumes).enumerate().map(|(number, (slot, volume))| {
            let price = price + (wiggle(number) * step * 100.0).round() / 100.0;
            Row { volume: Some(volume), ..row(of, slot.instant(), price) }
        }));
    }
    made
}

pub(super) fn dates(from: &str, to: &str) -> (NaiveDate, NaiveDate) {
    (from.parse().expect("a date"), to.parse().expect("a date"))
}

pub(super) fn batch<'a>(rows: &'a [Row], (from, to): (&str, &str)) -> Batch<'a> {
    Batch {
        rows,
        market: &MARKET,
        futures: &FUTURES,
        nyse: &NYSE,
        dates: dates(from, to),
        closes: &NO_CLOSES,
        delayed_allowed: false,
        now: rows.iter().map(|row| row.at).max().unwrap_or_else(|| at("2026-11-18 12:00")) + TimeDelta::minutes(1),
    }
}

/// One check of a list, run with the defaults.
pub(super) fn run(measures: &[Measure<'_>], check: &str) -> CheckRun {
    let now = at("2026-11-18 12:00");
    let runs = run_checks(measures, &QualityConfig::default(), (Slot::at_or_before(now), now));
    runs.into_iter().find(|run| run.check == check).expect("the check is in the list")
}
