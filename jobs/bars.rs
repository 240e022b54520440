//! Rows from historical bars: a slot's last is the close of the bar that ended at it. Used by backfill, and by a snapshot
//! whose minute has passed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, Session, Slot};
use crate::gateway::{BarRequest, ChainScope, Gateway};
use crate::job::{Captured, Context, Failure, JobError, WriteMode, chain};
use crate::lake::ContractPrice;
use crate::market::{
    Bar, BarSize, ChangeReferences, Changes, FutureContract, FuturesSnapshot, Instrument, Lead, LeadError, MarketData,
    PriceHistory, PricePoint, Source, SpotSnapshot, Symbol, lead_contract,
};
use crate::quality::{FUTURES_TABLE, Finding, Place, Prices, SPOT_TABLE, check_expiry, check_plausible, usual_close};

use super::live::price_before;

/// Which table rows are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// `futures_snapshots`.
    Futures,
    /// `spot_snapshots`.
    Spot,
}

impl Table {
    /// Its name, as findings have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Futures => FUTURES_TABLE,
            Self::Spot => SPOT_TABLE,
        }
    }
}

/// Slots of one symbol to be made from bars, in order of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill<'a> {
    /// For which table.
    pub(super) table: Table,
    /// Whose.
    pub(super) symbol: &'a Symbol,
    /// Which.
    pub(super) slots: &'a [Slot],
    /// What will be done with the rows.
    pub(super) mode: WriteMode,
    /// Contracts and tickers that the gateway refused already and would refuse again, with the reason.
    pub(super) refused: &'a BTreeMap<String, String>,
}

/// Rows made, and what was found on the way.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The rows.
    pub(super) rows: Captured,
    /// Rows of bars whose price cannot be; they are for the quarantine.
    pub(super) rejected: Captured,
    /// Facts about bad data.
    pub(super) findings: Vec<Finding>,
    /// What the gateway gave no bars for; the rows of everything else are there.
    pub(super) refused: Vec<Refused>,
}

/// Slots of one contract or ETF that the gateway gave no answer for, or refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// The contract, as the exchange names it, or the ticker.
    pub(super) of: String,
    /// The slots, in order of time.
    pub(super) slots: Vec<Slot>,
    /// Why.
    pub(super) error: JobError,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.slots.first(), self.slots.last()) {
            (Some(first), Some(last)) if first != last => {
                write!(f, "{} {} slots from {first} to {last}: {}", self.of, self.slots.len(), chain(&self.error))
            }
            (Some(only), _) => write!(f, "{} {only}: {}", self.of, chain(&self.error)),
            (None, _) => write!(f, "{}: {}", self.of, chain(&self.error)),
        }
    }
}

/// Bars by what their close can be.
struct SoundBars {
    sound: Vec<Bar>,
    /// The findings of the others, by their end.
    absurd: BTreeMap<DateTime<Utc>, Finding>,
}

impl SoundBars {
    /// Holds each close against the median of all, and of few bars against the newest price of the table.
    async fn of(context: &Context, (table, symbol): (&'static str, &Symbol), bars: &[Bar]) -> Result<Self, JobError> {
        let reference = match (usual_close(bars), bars.first()) {
            (None, Some(first)) => {
                let slot = Slot::at_or_before(first.end);
                price_before(context, (table, symbol), slot).await?.map(|(_, price)| price)
            }
            (usual, _) => usual,
        };
        let mut split = Self { sound: Vec::with_capacity(bars.len()), absurd: BTreeMap::new() };
        for bar in bars {
            let timestamp = Slot::at_or_before(bar.end);
            let place = Place { table, symbol: Some(symbol.clone()), timestamp };
            match check_plausible(&place, Prices { last: Some(bar.close), reference, ..Prices::default() }) {
                None => split.sound.push(bar.clone()),
                Some(finding) => {
                    split.absurd.insert(bar.end, finding);
                }
            }
        }
        Ok(split)
    }
}

/// Makes rows of those slots that have a bar.
pub(super) async fn rows(context: &Context, gateway: &dyn Gateway, fill: &Fill<'_>) -> Result<Made, JobError> {
    match fill.table {
        Table::Futures => futures_rows(context, gateway, fill).await,
        Table::Spot => spot_rows(context, gateway, fill).await,
    }
}

/// A request for five-minute bars that end after one instant and until another.
pub(super) fn request(instrument: Instrument, after: DateTime<Utc>, until: DateTime<Utc>) -> BarRequest {
    BarRequest { instrument, after: after - TimeDelta::seconds(1), until, size: BarSize::FiveMinutes }
}

/// The closes of bars, known when the bar is over.
pub(super) fn closes(bars: &[Bar]) -> impl Iterator<Item = PricePoint> {
    bars.iter().map(|bar| PricePoint { at: bar.end, price: bar.close })
}

/// What the table knows of a contract. Delayed prices are only ever differenced with delayed ones.
pub(super) fn table_history(prices: &[ContractPrice], contract: &str, market_data: MarketData) -> PriceHistory {
    let wants_delayed = market_data == MarketData::Delayed;
    let fits =
        |price: &&ContractPrice| price.contract == contract && (price.source == Source::Delayed) == wants_delayed;
    PriceHistory::new(prices.iter().filter(fits).map(|price| price.point))
}

/// Futures rows, each from the contract that led at its slot.
async fn futures_rows(context: &Context, gateway: &dyn Gateway, fill: &Fill<'_>) -> Result<Made, JobError> {
    let chain = gateway.futures_chain(fill.symbol, ChainScope::WithExpired).await?;
    let mut made = Made::default();
    for part in by_lead(context, &chain, fill)? {
        let (lead, slots) = match part.lead {
            Ok(lead) => (lead, part.slots),
            Err(error) => {
                made.refused.push(Refused { of: fill.symbol.to_string(), slots: part.slots, error });
                continue;
            }
        };
        let stated = lead.contract.expiry;
        let first = slots.first().copied();
        made.findings.extend(first.and_then(|slot| check_expiry(fill.symbol, slot, stated, lead.expiry_by_rule)));
        let of = lead.contract.local_symbol.clone();
        if let Some(why) = fill.refused.get(&of) {
            made.refused.push(Refused { error: JobError::refused(why.clone()), of, slots });
            continue;
        }
        // A contract that is refused, such as the one before a roll, keeps the others from nothing.
        match contract_rows(context, gateway, (&lead.contract, &slots, fill.mode), &mut made).await {
            Ok(()) => {}
            Err(error) if error.failure() == Failure::Unavailable => {
                let is_gone = !error.is_refusal();
                made.refused.push(Refused { of, slots, error });
                if is_gone {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

/// Slots in a row with one lead, or without any that the gateway lists.
struct Part {
    lead: Result<Lead, JobError>,
    slots: Vec<Slot>,
}

/// Splits slots where the lead changes.
fn by_lead(context: &Context, chain: &[FutureContract], fill: &Fill<'_>) -> Result<Vec<Part>, JobError> {
    let mut parts: Vec<Part> = Vec::new();
    for slot in fill.slots {
        let lead = match lead_contract(chain, slot.instant(), context.config.market.roll_rule) {
            Err(error @ LeadError::Calendar(_)) => return Err(error.into()),
            lead => lead.map_err(JobError::from),
        };
        let is_same = |last: &Part| match (&last.lead, &lead) {
            (Ok(last), Ok(lead)) => last.contract.con_id == lead.contract.con_id,
            (Err(last), Err(error)) => last.to_string() == error.to_string(),
            _ => false,
        };
        match parts.last_mut().filter(|last| is_same(last)) {
            Some(last) => last.slots.push(*slot),
            None => parts.push(Part { lead, slots: vec![*slot] }),
        }
    }
    Ok(parts)
}

async fn contract_rows(
    context: &Context,
    gateway: &dyn Gateway,
    (contract, slots, mode): (&FutureContract, &[Slot], WriteMode),
    produced: &mut Made,
) -> Result<(), JobError> {
    let (futures, nyse) = (&context.calendars.futures, &context.calendars.nyse);
    let Some((first, last)) = slots.first().zip(slots.last()) else {
        return Ok(());
    };
    let opened = futures.session_of_slot(*first)?.map(|session| session.open());
    let oldest = ChangeReferences::of(*first, futures, nyse)?.oldest();
    let after = opened.map_or(oldest, |open| open.min(oldest));
    let bars = gateway.bars(&request(Instrument::Future(contract.clone()), after, last.instant())).await?;
    let mut split = SoundBars::of(context, (FUTURES_TABLE, &contract.symbol), &bars).await?;
    let table = context.lake.prices(after, last.instant()).await?;
    let table = table_history(&table, &contract.local_symbol, MarketData::Live);
    let history = match mode {
        // The rows that are being replaced must not judge their own replacements.
        WriteMode::Replace => PriceHistory::new(closes(&split.sound)).extended(table.points()),
        WriteMode::Add | WriteMode::DryRun => table.extended(closes(&split.sound)),
    };
    let (bars, captured_at) = (BarsByEnd::new(&bars), context.now().await?);
    for (slot, session) in with_sessions(futures, slots)? {
        let Some(bar) = bars.ending_at(slot) else { continue };
        let references = ChangeReferences::of(slot, futures, nyse)?;
        let row = FuturesSnapshot {
            symbol: contract.symbol.clone(),
            timestamp: slot,
            bid: None,
            ask: None,
            last: Some(bar.close),
            volume: bars.volume_since_open(&session, slot),
            open_interest: None,
            implied_vol: None,
            changes: references.changes(Some(bar.close), &history, contract.spec.tick),
            date: session.day,
            contract: contract.local_symbol.clone(),
            expiry: contract.expiry,
            con_id: Some(contract.con_id),
            source: Source::Backfill,
            gateway: gateway.kind(),
            captured_at,
        };
        match split.absurd.remove(&slot.instant()) {
            None => produced.rows.futures.push(row),
            Some(finding) => {
                produced.findings.push(finding);
                produced.rejected.futures.push(FuturesSnapshot { changes: Changes::default(), ..row });
            }
        }
    }
    Ok(())
}

/// ETF rows.
async fn spot_rows(context: &Context, gateway: &dyn Gateway, fill: &Fill<'_>) -> Result<Made, JobError> {
    let nyse = &context.calendars.nyse;
    let Some((first, last)) = fill.slots.first().zip(fill.slots.last()) else {
        return Ok(Made::default());
    };
    let opened = nyse.session_of_slot(*first)?.map(|session| session.open());
    let after = opened.unwrap_or(first.instant());
    let etf = Instrument::Etf(gateway.etf(fill.symbol)?);
    let bars = gateway.bars(&request(etf, after, last.instant())).await?;
    let mut split = SoundBars::of(context, (SPOT_TABLE, fill.symbol), &bars).await?;
    let (bars, captured_at) = (BarsByEnd::new(&bars), context.now().await?);
    let mut made = Made::default();
    for (slot, session) in with_sessions(nyse, fill.slots)? {
        let Some(bar) = bars.ending_at(slot) else { continue };
        let row = SpotSnapshot {
            symbol: fill.symbol.clone(),
            timestamp: slot,
            bid: None,
            ask: None,
            last: Some(bar.close),
            volume: bars.volume_since_open(&session, slot),
            date: session.day,
            source: Source::Backfill,
            gateway: gateway.kind(),
            captured_at,
        };
        match split.absurd.remove(&slot.instant()) {
            None => made.rows.spot.push(row),
            Some(finding) => {
                made.findings.push(finding);
                made.rejected.spot.push(row);
            }
        }
    }
    Ok(made)
}

/// Each slot with its session; slots outside of every session are left out.
fn with_sessions(calendar: &Calendar, slots: &[Slot]) -> Result<Vec<(Slot, Session)>, JobError> {
    let mut found = Vec::with_capacity(slots.len());
    for slot in slots {
        if let Some(session) = calendar.session_of_slot(*slot)? {
            found.push((*slot, session));
        }
    }
    Ok(found)
}

/// Bars by the slot at which they ended.
struct BarsByEnd<'a>(HashMap<DateTime<Utc>, &'a Bar>);

impl<'a> BarsByEnd<'a> {
    fn new(bars: &'a [Bar]) -> Self {
        Self(bars.iter().map(|bar| (bar.end, bar)).collect())
    }

    fn ending_at(&self, slot: Slot) -> Option<&'a Bar> {
        self.0.get(&slot.instant()).copied()
    }

    /// The session's volume up to a slot: the sum over its bars, unknown where one of them is missing.
    fn volume_since_open(&self, session: &Session, slot: Slot) -> Option<i64> {
        session.slots().take_while(|s| *s <= slot).map(|s| self.ending_at(s)?.volume).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{CalendarId, parse_instant};

    fn bar(end: &str, volume: Option<i64>) -> Bar {
        let end = parse_instant(end).expect("New York time");
        Bar { start: end - TimeDelta::minutes(5), end, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume }
    }

    fn volume_at(bars: &[Bar], text: &str) -> Option<i64> {
        let slot = Slot::at(parse_instant(text).expect("New York time")).expect("on the grid");
        let nyse = Calendar::embedded(CalendarId::Nyse);
        let session = nyse.session_of_slot(slot).expect("covered").expect("open");
        BarsByEnd::new(bars).volume_since_open(&session, slot)
    }

    #[test]
    fn the_volume_is_the_sum_since_the_open_and_unknown_after_a_hole() {
        let bars = [
            bar("2026-11-17 16:00", Some(99)),
            bar("2026-11-18 09:35", Some(10)),
            bar("2026-11-18 09:40", Some(5)),
            bar("2026-11-18 09:50", Some(7)),
        ];
        assert_eq!(volume_at(&bars, "2026-11-18 09:40"), Some(15));
        assert_eq!(volume_at(&bars, "2026-11-18 09:50"), None, "09:45 is missing");
        assert_eq!(volume_at(&[bar("2026-11-18 09:35", None)], "2026-11-18 09:35"), None);
    }

    #[test]
    fn delayed_and_live_prices_are_kept_apart() {
        let at = parse_instant("2026-11-18 12:00").expect("New York time");
        let price = |source, price| ContractPrice {
            symbol: "ES".parse().expect("a symbol"),
            contract: "ESZ6".to_owned(),
            source,
            point: PricePoint { at, price },
        };
        let prices = [price(Source::Delayed, 1.0), price(Source::Live, 2.0)];
        let standing = |market_data| table_history(&prices, "ESZ6", market_data).standing_at(at);
        assert_eq!((standing(MarketData::Live), standing(MarketData::Delayed)), (Some(2.0), Some(1.0)));
        assert_eq!(table_history(&prices, "ESH7", MarketData::Live).standing_at(at), None);
    }
}
