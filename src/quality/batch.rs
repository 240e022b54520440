//! What rows are judged with: the rows of all symbols, the calendars, the market, and the instant of the run.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::{Calendar, CalendarError, Session, Slot};
use crate::market::{FuturesSnapshot, MarketConfig, Source, SpotSnapshot, Symbol};

use super::{FUTURES_TABLE, Place, SPOT_TABLE};

/// A row of either table of snapshots, as the checks see it. What a foreign row lacks is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The table.
    pub table: &'static str,
    /// The symbol.
    pub symbol: Symbol,
    /// The instant that it is stored under, on the grid or not.
    pub at: DateTime<Utc>,
    /// Best bid.
    pub bid: Option<f64>,
    /// Best ask.
    pub ask: Option<f64>,
    /// Last trade.
    pub last: Option<f64>,
    /// Cumulative volume of the session.
    pub volume: Option<i64>,
    /// Open interest.
    pub open_interest: Option<i64>,
    /// Implied volatility.
    pub implied_vol: Option<f64>,
    /// The session's date.
    pub date: Option<NaiveDate>,
    /// Local symbol of the contract; none of an ETF.
    pub contract: Option<String>,
    /// The gateway's identifier of the contract; none of an ETF.
    pub con_id: Option<i32>,
    /// Live, delayed or backfilled.
    pub source: Source,
    /// When the row was made.
    pub captured_at: DateTime<Utc>,
}

impl Row {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { table: self.table, symbol: Some(self.symbol.clone()), timestamp: Slot::at_or_before(self.at) }
    }

    /// Its prices with their names.
    pub(super) fn prices(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let prices = [("bid", self.bid), ("ask", self.ask), ("last", self.last)];
        prices.into_iter().filter_map(|(name, price)| Some((name, price?)))
    }

    /// The last trade, where it is a price at all.
    pub(super) fn price(&self) -> Option<f64> {
        self.last.filter(|last| last.is_finite() && *last > 0.0)
    }
}

impl From<&FuturesSnapshot> for Row {
    fn from(row: &FuturesSnapshot) -> Self {
        Self {
            table: FUTURES_TABLE,
            symbol: row.symbol.clone(),
            at: row.timestamp.instant(),
            bid: row.bid,
            ask: row.ask,
            last: row.last,
            volume: row.volume,
            open_interest: row.open_interest,
            implied_vol: row.implied_vol,
            date: Some(row.date.date()),
            contract: Some(row.contract.clone()),
            con_id: row.con_id,
            source: row.source,
            captured_at: row.captured_at,
        }
    }
}

impl From<&SpotSnapshot> for Row {
    fn from(row: &SpotSnapshot) -> Self {
        Self {
            table: SPOT_TABLE,
            symbol: row.symbol.clone(),
            at: row.timestamp.instant(),
            bid: row.bid,
            ask: row.ask,
            last: row.last,
            volume: row.volume,
            open_interest: None,
            implied_vol: None,
            date: Some(row.date.date()),
            contract: None,
            con_id: None,
            source: row.source,
            captured_at: row.captured_at,
        }
    }
}

/// Rows of one or more sessions, and what they are judged with.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// The rows, in any order.
    pub rows: &'a [Row],
    /// What is captured, and what each symbol is.
    pub market: &'a MarketConfig,
    /// The calendar of the futures.
    pub futures: &'a Calendar,
    /// The calendar of the ETFs.
    pub nyse: &'a Calendar,
    /// First and last date of the sessions that should be there.
    pub dates: (NaiveDate, NaiveDate),
    /// The last close before the rows by symbol, or the settlement.
    pub closes: &'a BTreeMap<Symbol, f64>,
    /// Whether the configuration permits delayed quotes.
    pub delayed_allowed: bool,
    /// The instant of the run.
    pub now: DateTime<Utc>,
}

impl<'a> Batch<'a> {
    /// The calendar of a table.
    pub(super) fn calendar(&self, table: &str) -> &'a Calendar {
        if table == SPOT_TABLE { self.nyse } else { self.futures }
    }

    /// Smallest price step of a symbol; none where nobody knows it.
    pub(super) fn tick(&self, symbol: &Symbol) -> Option<f64> {
        let future = self.market.future(symbol).map(|spec| spec.tick);
        future.or_else(|_| self.market.etf(symbol).map(|spec| spec.tick)).ok()
    }

    /// The tables with the symbols that are captured into each; a table without a symbol is left out.
    pub(super) fn captured(&self) -> Vec<(&'static str, &'a [Symbol])> {
        let tables: [(&'static str, &'a [Symbol]); 2] =
            [(FUTURES_TABLE, &self.market.futures), (SPOT_TABLE, &self.market.spot)];
        tables.into_iter().filter(|(_, symbols)| !symbols.is_empty()).collect()
    }

    /// The sessions of a table that should be there.
    pub(super) fn sessions(&self, table: &str) -> Result<Vec<Session>, CalendarError> {
        self.calendar(table).sessions(self.dates.0, self.dates.1)
    }

    /// The rows of each symbol in the order of time.
    pub(super) fn series(&self) -> BTreeMap<&'a Symbol, Vec<&'a Row>> {
        let mut series: BTreeMap<&Symbol, Vec<&Row>> = BTreeMap::new();
        for row in self.rows {
            series.entry(&row.symbol).or_default().push(row);
        }
        for rows in series.values_mut() {
            rows.sort_by_key(|row| row.at);
        }
        series
    }
}
