//! Gaps: the slots of the calendar that the tables lack, cut into parts that one request to the gateway can fill.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, Session, Slot};
use crate::job::{Context, Failure, JobError, Run, SlotRange, WriteMode};
use crate::lake::KeyRange;
use crate::market::Symbol;

use super::bars::Table;

/// Sessions looked over without a range.
const RECENT_SESSIONS: usize = 5;

/// Sessions loaded for a symbol whose table does not reach so far back yet.
const FIRST_LOAD_SESSIONS: usize = 60;

/// 60 sessions span at most so many days, holidays included.
const FIRST_LOAD_SPAN: TimeDelta = TimeDelta::days(100);

/// Longest time that one part spans.
const PART: TimeDelta = TimeDelta::days(14);

/// Missing slots of one symbol, in order of time.
#[derive(Debug, Clone)]
pub(super) struct Gap {
    /// Of which table.
    pub(super) table: Table,
    /// Whose.
    pub(super) symbol: Symbol,
    /// Which.
    pub(super) slots: Vec<Slot>,
}

/// Finds what is missing up to an instant, newest part of each symbol first: so the oldest row of a symbol tells that its
/// first load is complete, and an interrupted one is taken up again.
pub(super) async fn find(context: &Context, run: &Run, newest: DateTime<Utc>) -> Result<Vec<Gap>, JobError> {
    if let Some(range) = run.request.range.filter(|range| range.from > newest) {
        let told = format!("the range begins at {}, which lies in the future: give an earlier --from", range.from);
        return Err(JobError::fail(Failure::Usage, told));
    }
    let market = &context.config.market;
    let mut gaps = Vec::new();
    for (table, calendar, symbols) in [
        (Table::Futures, &context.calendars.futures, &market.futures),
        (Table::Spot, &context.calendars.nyse, &market.spot),
    ] {
        for symbol in symbols.iter().filter(|symbol| run.wants(symbol)) {
            let range = match run.request.range {
                Some(range) => SlotRange { to: range.to.min(newest), ..range },
                None => recent(context, (table, symbol), newest).await?,
            };
            let slots = missing(context, (table, symbol), (calendar, range), run.request.mode).await?;
            let parts = cut(&slots).into_iter().rev();
            gaps.extend(parts.map(|slots| Gap { table, symbol: symbol.clone(), slots }));
        }
    }
    Ok(gaps)
}

/// The last sessions; as many as a first load takes, where the symbol has no row in the oldest of those yet.
async fn recent(
    context: &Context,
    (table, symbol): (Table, &Symbol),
    newest: DateTime<Utc>,
) -> Result<SlotRange, JobError> {
    let calendar = &context.calendars.futures;
    let today = calendar.trading_day(newest)?.date();
    let mut sessions = calendar.sessions(today - FIRST_LOAD_SPAN, today)?;
    sessions.retain(|session| session.open() < newest && context.floor.is_none_or(|floor| floor <= session.open()));
    let back = |count: usize| sessions.iter().rev().take(count).next_back();
    let Some(oldest) = back(FIRST_LOAD_SESSIONS) else { return Ok(SlotRange { from: newest, to: newest }) };
    let of_oldest = KeyRange { symbols: vec![symbol.clone()], from: oldest.open(), to: oldest.close() };
    let is_loaded = !keys(context, table, &of_oldest).await?.is_empty();
    let first = if is_loaded { back(RECENT_SESSIONS) } else { Some(oldest) };
    Ok(SlotRange { from: first.map_or(newest, Session::open), to: newest })
}

/// Those slots of the gaps at which every configured symbol has its row by now.
pub(super) async fn whole_slots(context: &Context, gaps: &[Gap]) -> Result<Vec<Slot>, JobError> {
    let touched: BTreeSet<Slot> = gaps.iter().flat_map(|gap| gap.slots.iter().copied()).collect();
    let Some((first, last)) = touched.first().zip(touched.last()) else { return Ok(Vec::new()) };
    let market = &context.config.market;
    let all = |symbols: &[Symbol]| KeyRange { symbols: symbols.to_vec(), from: first.instant(), to: last.instant() };
    let futures = keys(context, Table::Futures, &all(&market.futures)).await?;
    let spot = keys(context, Table::Spot, &all(&market.spot)).await?;
    let has_all = |keys: &BTreeSet<(Symbol, Slot)>, symbols: &[Symbol], slot: Slot| {
        symbols.iter().all(|symbol| keys.contains(&(symbol.clone(), slot)))
    };
    let mut whole = Vec::new();
    for slot in touched {
        let wants_spot = context.calendars.nyse.session_of_slot(slot)?.is_some();
        if has_all(&futures, &market.futures, slot) && (!wants_spot || has_all(&spot, &market.spot, slot)) {
            whole.push(slot);
        }
    }
    Ok(whole)
}

/// Slots of the calendar in the range that the table lacks for a symbol.
async fn missing(
    context: &Context,
    (table, symbol): (Table, &Symbol),
    (calendar, range): (&Calendar, SlotRange),
    mode: WriteMode,
) -> Result<Vec<Slot>, JobError> {
    if range.from > range.to {
        return Ok(Vec::new());
    }
    let mut slots = calendar.slots(range.from, range.to)?;
    if mode != WriteMode::Replace {
        let of_range = KeyRange { symbols: vec![symbol.clone()], from: range.from, to: range.to };
        let present = keys(context, table, &of_range).await?;
        slots.retain(|slot| !present.contains(&(symbol.clone(), *slot)));
    }
    Ok(slots)
}

async fn keys(context: &Context, table: Table, range: &KeyRange) -> Result<BTreeSet<(Symbol, Slot)>, JobError> {
    Ok(match table {
        Table::Futures => context.lake.futures_keys(range).await?,
        Table::Spot => context.lake.spot_keys(range).await?,
    })
}

/// Cuts ordered slots where a part would span too long a time.
fn cut(slots: &[Slot]) -> Vec<Vec<Slot>> {
    let mut parts: Vec<Vec<Slot>> = Vec::new();
    for slot in slots {
        match parts.last_mut() {
            Some(part) if part.first().is_some_and(|first| slot.instant() - first.instant() < PART) => part.push(*slot),
            _ => parts.push(vec![*slot]),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{CalendarId, parse_instant};

    #[test]
    fn a_part_spans_two_weeks_at_most_and_no_slot_is_lost() {
        let at = |text| parse_instant(text).expect("New York time");
        let calendar = Calendar::embedded(CalendarId::Nyse);
        let slots = calendar.slots(at("2026-10-01 09:00"), at("2026-11-20 17:00")).expect("covered");
        let parts = cut(&slots);
        assert_eq!(parts.concat(), slots);
        assert!(parts.len() > 2 && parts.iter().all(|part| part[part.len() - 1].instant() - part[0].instant() < PART));
    }
}
