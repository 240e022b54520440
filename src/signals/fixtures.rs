//! Rows and scenes for the tests of this module.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Calendar, CalendarId, Session, Slot, TradingDay};
use crate::market::{Changes, DailyBar, FuturesSnapshot, GatewayKind, Source, Symbol};

use super::{EtfInputs, KnownBy, SignalInputs, SignalsConfig};

pub(crate) fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

pub(crate) fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

/// A row of the December contract, captured half a minute after its slot.
pub(crate) fn row(name: &str, at: DateTime<Utc>, last: f64) -> FuturesSnapshot {
    FuturesSnapshot {
        symbol: symbol(name),
        timestamp: Slot::at(at).expect("on the grid"),
        bid: None,
        ask: None,
        last: Some(last),
        volume: None,
        open_interest: None,
        implied_vol: None,
        changes: Changes::default(),
        date: TradingDay::new(at.date_naive()),
        contract: format!("{name}Z6"),
        expiry: NaiveDate::from_ymd_opt(2026, 12, 18).expect("a date"),
        con_id: Some(1),
        source: Source::Live,
        gateway: GatewayKind::Simulated,
        captured_at: at + TimeDelta::seconds(30),
    }
}

pub(crate) fn daily_bar(name: &str, session: &Session, close: f64) -> DailyBar {
    DailyBar {
        symbol: symbol(name),
        date: session.day,
        timestamp: Slot::at(session.close()).expect("on the grid"),
        open: close,
        high: close,
        low: close,
        close,
        volume: None,
        gateway: GatewayKind::Simulated,
        captured_at: session.close(),
    }
}

/// Five weeks of five-minute rows of ES up to 09:00 in New York on Wednesday 2026-11-18.
pub(crate) struct Scene {
    pub(crate) symbol: Symbol,
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) known_by: KnownBy,
    pub(crate) rows: Vec<FuturesSnapshot>,
    pub(crate) etf: EtfInputs,
    pub(crate) calendar: Calendar,
    pub(crate) config: SignalsConfig,
    /// None: the prices of the scene lie between the ticks.
    pub(crate) tick: Option<f64>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::at(instant("2026-11-18T14:00:00Z"))
    }

    /// The scene of another instant: its rows begin five weeks before it and end at it.
    pub(crate) fn at(as_of: DateTime<Utc>) -> Self {
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        let slots = calendar.slots(as_of - TimeDelta::days(35), as_of).expect("covered");
        let rows = slots.into_iter().map(|slot| wave("ES", slot)).collect();
        Self {
            symbol: symbol("SPY"),
            as_of,
            known_by: KnownBy::Slot,
            rows,
            etf: EtfInputs::default(),
            calendar,
            config: SignalsConfig::default(),
            tick: None,
        }
    }

    /// Changes over 1, 4 and 24 hours, the last one since the close too.
    pub(crate) fn changes(one_hour: f64, four_hours: f64, daily: f64) -> Changes {
        Changes {
            one_hour: Some(one_hour),
            four_hours: Some(four_hours),
            overnight: None,
            daily: Some(daily),
            since_close: Some(daily),
        }
    }

    pub(crate) fn newest(&mut self) -> &mut FuturesSnapshot {
        self.rows.last_mut().expect("a row")
    }

    pub(crate) fn inputs(&self) -> SignalInputs<'_> {
        SignalInputs {
            symbol: &self.symbol,
            as_of: self.as_of,
            known_by: self.known_by,
            rows: &self.rows,
            etf: self.etf,
            calendar: &self.calendar,
            config: &self.config,
            tick: self.tick,
            predictive_value: None,
        }
    }
}

/// A row whose price and changes come from its slot alone, so that no two neighbours are alike.
pub(crate) fn wave(name: &str, slot: Slot) -> FuturesSnapshot {
    let number = i32::try_from(slot.instant().timestamp() / 300 % 100_000).expect("small");
    let at =
        |back: i32| 6000.0 + (f64::from(number - back) * 0.37).sin() * 6.0 + f64::from((number - back) % 977) * 0.01;
    let last = at(0);
    let since = |back: i32| Some(last - at(back));
    let changes = Changes {
        one_hour: since(12),
        four_hours: since(48),
        overnight: since(96),
        daily: since(288),
        since_close: since(204),
    };
    FuturesSnapshot { changes, ..row(name, slot.instant(), last) }
}
