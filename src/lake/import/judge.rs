//! What becomes of a row of another program: a row of ours, or the reason why not.
//!
//! Nothing is made up: a number that stands for none becomes null, and a time that is no slot is moved only where a
//! five-minute cron would have written it, within a minute after the slot. The contract is not told by such a table; it is
//! the one that led by the roll rule, and the identifier of it stays unknown.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::calendar::{Calendar, CalendarError, RollRule, Slot, lead_month};
use crate::market::{Changes, FuturesSnapshot, GatewayKind, MarketConfig, Source, Symbol};
use crate::quality::QualityConfig;

use super::file::ForeignRow;

/// How long after its slot a row may be stamped: as long as a live quote is one of its slot.
const MAX_LATENESS: TimeDelta = TimeDelta::seconds(60);

/// Prices from here on are placeholders, such as the greatest number that a client library knows.
const MAX_PRICE: f64 = 1e9;

/// The greatest 32-bit integer, with which client libraries say that there is none.
const UNSET_COUNT: f64 = 2_147_483_647.0;

/// Why a row is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It has no symbol.
    NoSymbol,
    /// Nobody said what its symbol is.
    UnknownSymbol,
    /// It has no time.
    NoTimestamp,
    /// It is stamped more than a minute after a slot.
    OffGrid,
    /// The market was closed at its slot.
    OutsideSessions,
    /// The calendar does not reach there.
    OutsideCalendar,
    /// Its slot is still to come.
    InFuture,
    /// It has neither bid nor ask nor last.
    NoPrice,
    /// It fails a check of rows that keeps rows apart.
    FailsChecks,
}

impl Refusal {
    /// Why, in words that go on from a number of rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSymbol => "without a symbol",
            Self::UnknownSymbol => "of a symbol that is no known future (describe it under market.future_specs)",
            Self::NoTimestamp => "without a timestamp",
            Self::OffGrid => "stamped more than 60 s after a five-minute slot",
            Self::OutsideSessions => "outside of the sessions of the calendar",
            Self::OutsideCalendar => "outside of the years of the calendar",
            Self::InFuture => "in the future",
            Self::NoPrice => "without any price",
            Self::FailsChecks => "that fail the checks of rows and go to quarantine (jobs quality report lists them)",
        }
    }
}

/// What rows are judged by.
#[derive(Debug, Clone, Copy)]
pub struct ImportRules<'a> {
    /// When futures trade.
    pub futures: &'a Calendar,
    /// When shares trade, for changes since its close.
    pub nyse: &'a Calendar,
    /// The symbols, and when the lead changes.
    pub market: &'a MarketConfig,
    /// The settings of the checks that rows must pass.
    pub quality: &'a QualityConfig,
    /// The instant of the import: what the rows will say they were captured at.
    pub now: DateTime<Utc>,
}

/// What all rows of one import have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) rules: ImportRules<'a>,
    pub(super) source: Source,
    pub(super) gateway: GatewayKind,
}

/// A row that is taken in, without its changes yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) row: FuturesSnapshot,
    /// Whether its stamp was moved to its slot.
    pub(super) was_moved: bool,
    /// Numbers that stood for none.
    pub(super) num_nulled: u64,
}

impl Judge<'_> {
    /// A row of ours, or why not with what tells the row.
    pub(super) fn judge(&self, found: &ForeignRow) -> Result<Judged, (Refusal, String)> {
        let told = || {
            let stamp = found.stamp.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default();
            format!("{} {stamp}", found.symbol.as_deref().unwrap_or("-"))
        };
        self.judged(found).map_err(|refusal| (refusal, told()))
    }

    fn judged(&self, found: &ForeignRow) -> Result<Judged, Refusal> {
        let symbol = self.symbol(found)?;
        let stamp = found.stamp.ok_or(Refusal::NoTimestamp)?;
        let slot = Slot::at_or_before(stamp);
        if stamp - slot.instant() > MAX_LATENESS {
            return Err(Refusal::OffGrid);
        }
        let outside = |_: CalendarError| Refusal::OutsideCalendar;
        let session = self.rules.futures.session_of_slot(slot).map_err(outside)?.ok_or(Refusal::OutsideSessions)?;
        if slot.instant() > self.rules.now {
            return Err(Refusal::InFuture);
        }
        let month = lead_month(slot.instant(), self.rules.market.roll_rule).map_err(outside)?;
        let numbers = Numbers::of(found, self.source);
        if numbers.bid.is_none() && numbers.ask.is_none() && numbers.last.is_none() {
            return Err(Refusal::NoPrice);
        }
        let row = FuturesSnapshot {
            contract: month.local_symbol(symbol.as_str()),
            symbol,
            timestamp: slot,
            bid: numbers.bid,
            ask: numbers.ask,
            last: numbers.last,
            volume: numbers.volume,
            open_interest: numbers.open_interest,
            implied_vol: numbers.implied_vol,
            changes: Changes::default(),
            date: session.day,
            expiry: month.last_trade_date(),
            con_id: None,
            source: self.source,
            gateway: self.gateway,
            captured_at: self.rules.now,
        };
        Ok(Judged { row, was_moved: stamp != slot.instant(), num_nulled: numbers.num_nulled })
    }

    fn symbol(&self, found: &ForeignRow) -> Result<Symbol, Refusal> {
        let text = found.symbol.as_deref().ok_or(Refusal::NoSymbol)?;
        let symbol: Symbol = text.parse().map_err(|_| Refusal::UnknownSymbol)?;
        self.rules.market.future(&symbol).map_err(|_| Refusal::UnknownSymbol)?;
        Ok(symbol)
    }
}

/// The numbers of a row, those that stand for none left out.
#[derive(Debug, Default)]
struct Numbers {
    bid: Option<f64>,
    ask: Option<f64>,
    last: Option<f64>,
    volume: Option<i64>,
    open_interest: Option<i64>,
    implied_vol: Option<f64>,
    num_nulled: u64,
}

impl Numbers {
    fn of(found: &ForeignRow, source: Source) -> Self {
        let mut num_nulled = 0;
        let mut price = |value: Option<f64>| kept(value, price, &mut num_nulled);
        let (bid, ask, last, implied_vol) =
            (price(found.bid), price(found.ask), price(found.last), price(found.implied_vol));
        let volume = kept(found.volume, count, &mut num_nulled);
        // Of a contract that leads it is never 0.
        let open_interest = kept(found.open_interest, |value| count(value).filter(|count| *count > 0), &mut num_nulled);
        let all = Self { bid, ask, last, volume, open_interest, implied_vol, num_nulled };
        match source {
            Source::Live | Source::Delayed | Source::Import => all,
            // A bar knows none of these.
            Source::Backfill => Self { bid: None, ask: None, open_interest: None, ..all },
        }
    }
}

fn kept<V>(value: Option<f64>, read: impl Fn(f64) -> Option<V>, num_nulled: &mut u64) -> Option<V> {
    let read = read(value?);
    *num_nulled += u64::from(read.is_none());
    read
}

/// A price, or a volatility: above 0, and no placeholder.
fn price(value: f64) -> Option<f64> {
    (value > 0.0 && value < MAX_PRICE).then_some(value)
}

/// A whole number of contracts, 0 or more, and no placeholder.
#[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 31 bits")]
fn count(value: f64) -> Option<i64> {
    let is_count = (0.0..UNSET_COUNT).contains(&value) && value.fract() == 0.0;
    is_count.then_some(value as i64)
}

/// Whether a slot lies in the days in which some have rolled and others not, so that the contract of a row whose program
/// followed another habit than ours would be taken for another: from the earlier habit's day to the old contract's end.
pub(super) fn is_near_roll(slot: Slot) -> bool {
    lead_month(slot.instant(), RollRule::Thursday8d)
        .is_ok_and(|month| slot.instant() <= month.previous().last_trade_at())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::CalendarId;

    fn judged(found: &ForeignRow) -> Result<Judged, Refusal> {
        judged_as(found, Source::Import)
    }

    fn judged_as(found: &ForeignRow, source: Source) -> Result<Judged, Refusal> {
        let (futures, nyse) = (Calendar::embedded(CalendarId::CmeEquity), Calendar::embedded(CalendarId::Nyse));
        let (market, now) = (MarketConfig::default(), at("2026-11-20T15:00:00Z"));
        let quality = QualityConfig::default();
        let rules = ImportRules { futures: &futures, nyse: &nyse, market: &market, quality: &quality, now };
        Judge { rules, source, gateway: GatewayKind::Ib }.judge(found).map_err(|(refusal, _)| refusal)
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn row(stamp: &str) -> ForeignRow {
        let symbol = Some("ES".to_owned());
        ForeignRow { symbol, stamp: Some(at(stamp)), last: Some(6700.0), ..ForeignRow::default() }
    }

    fn refusal(found: &ForeignRow) -> Option<Refusal> {
        judged(found).err()
    }

    #[test]
    fn a_stamp_within_a_minute_after_a_slot_is_the_slots_and_no_other() {
        let slot_of =
            |stamp: &str| judged(&row(stamp)).map(|judged| (judged.row.timestamp.to_string(), judged.was_moved));
        let slot = "2026-11-18T15:05:00Z".to_owned();
        assert_eq!(slot_of("2026-11-18T15:05:00Z"), Ok((slot.clone(), false)));
        assert_eq!(slot_of("2026-11-18T15:05:00.000001Z"), Ok((slot.clone(), true)));
        assert_eq!(slot_of("2026-11-18T15:06:00Z"), Ok((slot, true)));
        assert_eq!(slot_of("2026-11-18T15:06:00.000001Z"), Err(Refusal::OffGrid));
        assert_eq!(slot_of("2026-11-18T15:04:59Z"), Err(Refusal::OffGrid), "a second before is of no slot");
    }

    #[test]
    fn what_cannot_be_a_row_is_refused_with_its_reason() {
        let with =
            |symbol: Option<&str>| ForeignRow { symbol: symbol.map(str::to_owned), ..row("2026-11-18T15:05:00Z") };
        assert_eq!(refusal(&with(None)), Some(Refusal::NoSymbol));
        for unknown in ["SPY", "es", "ES=F", ""] {
            assert_eq!(refusal(&with(Some(unknown))), Some(Refusal::UnknownSymbol), "{unknown}");
        }
        assert_eq!(refusal(&row("2026-11-21T15:05:00Z")), Some(Refusal::OutsideSessions), "a Saturday");
        assert_eq!(refusal(&row("1999-11-18T15:05:00Z")), Some(Refusal::OutsideCalendar));
        assert_eq!(refusal(&row("2026-11-20T15:05:00Z")), Some(Refusal::InFuture));
        let naught =
            ForeignRow { last: Some(0.0), bid: Some(-1.0), ask: Some(f64::NAN), ..row("2026-11-18T15:05:00Z") };
        assert_eq!(refusal(&naught), Some(Refusal::NoPrice));
        assert_eq!(refusal(&ForeignRow { stamp: None, ..naught }), Some(Refusal::NoTimestamp));
    }

    #[test]
    fn numbers_that_stand_for_none_become_null_and_are_counted() {
        let full =
            ForeignRow { bid: Some(6699.75), ask: Some(6700.25), volume: Some(0.0), ..row("2026-11-18T15:05:00Z") };
        let sound = judged(&full).expect("taken");
        assert_eq!((sound.row.bid, sound.row.volume, sound.num_nulled), (Some(6699.75), Some(0), 0));
        let sentinels = ForeignRow {
            bid: Some(-1.0),
            ask: Some(f64::MAX),
            volume: Some(UNSET_COUNT),
            open_interest: Some(0.0),
            implied_vol: Some(f64::NAN),
            ..full
        };
        let Judged { row, num_nulled, .. } = judged(&sentinels).expect("taken");
        assert_eq!((row.bid, row.ask, row.volume, row.open_interest, row.implied_vol), (None, None, None, None, None));
        assert_eq!((row.last, num_nulled), (Some(6700.0), 5));
    }

    #[test]
    fn a_backfilled_row_has_no_bid_ask_and_open_interest() {
        let full = ForeignRow { bid: Some(1.0), open_interest: Some(7.0), ..row("2026-11-18T15:05:00Z") };
        let row = judged_as(&full, Source::Backfill).expect("taken").row;
        assert_eq!((row.bid, row.open_interest, row.last), (None, None, Some(6700.0)));
    }

    #[test]
    fn the_contract_is_the_lead_of_its_slot_and_the_date_the_sessions() {
        let row = judged(&row("2026-11-18T23:05:00Z")).expect("taken").row;
        assert_eq!((row.contract.as_str(), row.con_id), ("ESZ6", None));
        assert_eq!(row.expiry.to_string(), "2026-12-18");
        assert_eq!(row.date.date().to_string(), "2026-11-19", "after the open in the evening");
    }

    #[test]
    fn near_a_roll_is_from_the_earlier_habits_day_to_the_old_contracts_end() {
        let near = |text: &str| is_near_roll(Slot::at(at(text)).expect("on the grid"));
        assert!(!near("2026-12-09T22:55:00Z"));
        assert!(near("2026-12-09T23:00:00Z"), "the Thursday's open");
        assert!(near("2026-12-14T15:00:00Z"), "after the Monday's");
        assert!(near("2026-12-18T14:30:00Z"), "the last trade");
        assert!(!near("2026-12-18T14:35:00Z"));
    }
}
