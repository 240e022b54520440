//! Fills missing slots from historical five-minute bars: by hand any range, else the last sessions; a new lake's first load.
//!
//! When: at the daemon's start, before the open and after the closes. Twice equals once because only absent keys are
//! fetched and added; each part is written as it is done, so an interrupted run goes on where it ended.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, Session, Slot};
use crate::gateway::Gateway;
use crate::job::{Context, Counts, Failure, Job, JobError, Outcome, Run, SlotRange, WriteMode, chain};
use crate::lake::KeyRange;
use crate::market::Symbol;

use super::bars::{self, Fill, Table};
use super::write::write;

/// Sessions looked over without a range.
const RECENT_SESSIONS: usize = 5;

/// Sessions loaded into an empty table.
const FIRST_LOAD_SESSIONS: usize = 60;

/// A slot this young belongs to the snapshot job, whose row carries bid, ask and open interest.
const LEFT_TO_SNAPSHOT: TimeDelta = TimeDelta::seconds(60);

/// Longest range asked of the gateway at once.
const PART: TimeDelta = TimeDelta::days(14);

const TIMEOUT: Duration = Duration::from_hours(1);

/// The job `backfill`.
pub struct Backfill;

#[async_trait]
impl Job for Backfill {
    fn name(&self) -> &'static str {
        "backfill"
    }

    fn summary(&self) -> &'static str {
        "fills missing slots from historical bars"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let newest = context.now().await? - LEFT_TO_SNAPSHOT;
        let range = match run.request.range {
            Some(range) => range,
            None => recent(context, newest).await?,
        };
        let parts = parts(context, run, SlotRange { from: range.from, to: range.to.min(newest) }).await?;
        let planned: usize = parts.iter().map(|part| part.slots.len()).sum();
        if planned == 0 {
            return Ok(Outcome::skipped(format!("nothing is missing from {} to {}", range.from, range.to.min(newest))));
        }
        if run.request.mode == WriteMode::DryRun {
            return Ok(Outcome::done(Counts { planned, ..Counts::default() }));
        }
        let gateway = context.gateway().await?;
        fill_all(context, gateway.as_ref(), &parts, run.request.mode).await
    }
}

/// Missing slots of one symbol, few enough for one request.
#[derive(Debug, Clone)]
struct Part {
    table: Table,
    symbol: Symbol,
    slots: Vec<Slot>,
}

/// The last sessions; into an empty table as many as a first load takes.
async fn recent(context: &Context, newest: DateTime<Utc>) -> Result<SlotRange, JobError> {
    let mut empty = true;
    for symbol in &context.config.market.futures {
        empty = empty && context.lake.latest_futures(symbol).await?.is_none();
    }
    let num_sessions = if empty { FIRST_LOAD_SESSIONS } else { RECENT_SESSIONS };
    let calendar = &context.calendars.futures;
    let today = calendar.trading_day(newest)?.date();
    // 60 sessions span at most 100 days, holidays included.
    let sessions = calendar.sessions(today - TimeDelta::days(100), today)?;
    let begun: Vec<DateTime<Utc>> = sessions.iter().map(Session::open).filter(|open| *open < newest).collect();
    let from = begun.iter().rev().take(num_sessions).next_back().copied().unwrap_or(newest);
    Ok(SlotRange { from, to: newest })
}

/// The missing slots of every symbol, cut into parts.
async fn parts(context: &Context, run: &Run, range: SlotRange) -> Result<Vec<Part>, JobError> {
    let market = &context.config.market;
    let mut parts = Vec::new();
    for (table, calendar, symbols) in [
        (Table::Futures, &context.calendars.futures, &market.futures),
        (Table::Spot, &context.calendars.nyse, &market.spot),
    ] {
        for symbol in symbols.iter().filter(|s| run.wants(s)) {
            let slots = missing(context, (table, symbol), (calendar, range), run.request.mode).await?;
            parts.extend(cut(&slots).into_iter().map(|slots| Part { table, symbol: symbol.clone(), slots }));
        }
    }
    Ok(parts)
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
        let keys = KeyRange { symbols: vec![symbol.clone()], from: range.from, to: range.to };
        let present = match table {
            Table::Futures => context.lake.futures_keys(&keys).await?,
            Table::Spot => context.lake.spot_keys(&keys).await?,
        };
        slots.retain(|slot| !present.contains(&(symbol.clone(), *slot)));
    }
    Ok(slots)
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

/// Fills part after part. A symbol that fails does not keep the others from being filled.
async fn fill_all(
    context: &Context,
    gateway: &dyn Gateway,
    parts: &[Part],
    mode: WriteMode,
) -> Result<Outcome, JobError> {
    let planned: usize = parts.iter().map(|part| part.slots.len()).sum();
    context.progress.begin(planned as u64, "slots");
    let mut counts = Counts::default();
    let mut failures: Vec<(&Symbol, JobError)> = Vec::new();
    for part in parts {
        match fill(context, gateway, part, mode).await {
            Ok(done) => counts.add(done),
            Err(error) if error.failure() == Failure::Unavailable => failures.push((&part.symbol, error)),
            Err(error) => return Err(error),
        }
        context.progress.advance(part.slots.len() as u64);
    }
    context.progress.end();
    if failures.is_empty() {
        return Ok(Outcome::done(counts));
    }
    let told: Vec<String> = failures.iter().map(|(symbol, error)| format!("{symbol}: {}", chain(error))).collect();
    let told = format!("{} of {planned} rows filled, then: {}", counts.added, told.join("; "));
    Err(failures
        .into_iter()
        .next()
        .map_or_else(|| JobError::fail(Failure::Failed, ""), |(_, first)| first.with_message(told)))
}

async fn fill(context: &Context, gateway: &dyn Gateway, part: &Part, mode: WriteMode) -> Result<Counts, JobError> {
    let fill = Fill { table: part.table, symbol: &part.symbol, slots: &part.slots };
    let rows = bars::rows(context, gateway, &fill).await?;
    let counts = write(context, &rows, mode).await?;
    let planned = part.slots.len();
    tracing::debug!(symbol = %part.symbol, planned, made = rows.len(), "filled a part");
    Ok(Counts { planned, without_data: planned - rows.len(), ..counts })
}
