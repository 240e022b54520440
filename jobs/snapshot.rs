//! Captures the quotes of the lead contracts, and of the ETFs while NYSE is open, at one slot.
//!
//! When: every five minutes while `cme_equity` is open. Twice equals once because a row's key is (symbol, slot) and only
//! absent keys are asked for and added. A quote is a slot's only within a minute of it; after that the slot is filled from
//! the historical bar that ended at it, so that nothing later is ever stored under a slot.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::future::join_all;

use crate::calendar::Slot;
use crate::gateway::{ChainScope, Gateway, GatewayError};
use crate::job::{Captured, Context, Counts, Failure, Job, JobError, Outcome, Run, RunResult, WriteMode, chain};
use crate::lake::KeyRange;
use crate::market::{
    ChangeReferences, FuturesSnapshot, Instrument, Lead, LeadError, MarketData, PriceHistory, Quote, Source,
    SpotSnapshot, Symbol, lead_contract,
};
use crate::quality::{Finding, QuoteContext, Severity, check_expiry, check_quote};

use super::bars::{self, Fill};

/// How long after a slot a quote is still the slot's.
const QUOTE_WINDOW: TimeDelta = TimeDelta::seconds(60);

const TIMEOUT: Duration = Duration::from_secs(90);

/// The job `snapshot`.
pub struct Snapshot;

#[async_trait]
impl Job for Snapshot {
    fn name(&self) -> &'static str {
        "snapshot"
    }

    fn summary(&self) -> &'static str {
        "captures the quotes of the lead contracts and their ETFs at a slot"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let Some(wanted) = wanted(context, run)? else {
            return Ok(Outcome::skipped(format!("cme_equity is closed at {}", run.slot)));
        };
        let missing =
            if run.request.mode == WriteMode::Replace { wanted.clone() } else { absent(context, &wanted).await? };
        if missing.is_empty() {
            return Ok(Outcome::skipped(format!("already captured: all {} rows of {}", wanted.len(), run.slot)));
        }
        let present = wanted.len() - missing.len();
        let gateway = context.gateway().await?;
        let age = context.now().await? - run.slot.instant();
        let mut outcome = if age <= QUOTE_WINDOW {
            capture(context, gateway.as_ref(), &missing, run.request.mode).await?
        } else {
            fill(context, gateway.as_ref(), &missing, run.request.mode).await?
        };
        if let RunResult::Done(counts) = &mut outcome.result {
            counts.add(Counts { planned: present, present, ..Counts::default() });
        }
        Ok(outcome)
    }
}

/// The symbols of one slot.
#[derive(Debug, Clone)]
struct Wanted {
    slot: Slot,
    futures: Vec<Symbol>,
    spot: Vec<Symbol>,
}

impl Wanted {
    fn len(&self) -> usize {
        self.futures.len() + self.spot.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What belongs to the slot; none where the futures do not trade. The ETFs belong to it while NYSE is open.
fn wanted(context: &Context, run: &Run) -> Result<Option<Wanted>, JobError> {
    if context.calendars.futures.session_of_slot(run.slot)?.is_none() {
        return Ok(None);
    }
    let asked = |symbols: &[Symbol]| symbols.iter().filter(|s| run.wants(s)).cloned().collect();
    let nyse_open = context.calendars.nyse.session_of_slot(run.slot)?.is_some();
    let futures = asked(&context.config.market.futures);
    let spot = if nyse_open { asked(&context.config.market.spot) } else { Vec::new() };
    Ok(Some(Wanted { slot: run.slot, futures, spot }))
}

/// Those of the wanted rows that the tables lack.
async fn absent(context: &Context, wanted: &Wanted) -> Result<Wanted, JobError> {
    let at = |symbols: &[Symbol]| KeyRange {
        symbols: symbols.to_vec(),
        from: wanted.slot.instant(),
        to: wanted.slot.instant(),
    };
    let futures = context.lake.futures_keys(&at(&wanted.futures)).await?;
    let spot = context.lake.spot_keys(&at(&wanted.spot)).await?;
    let mut absent = wanted.clone();
    absent.futures.retain(|symbol| !futures.contains(&(symbol.clone(), wanted.slot)));
    absent.spot.retain(|symbol| !spot.contains(&(symbol.clone(), wanted.slot)));
    Ok(absent)
}

/// Captures live: all symbols side by side, whatever is sound is written, whatever failed is told.
async fn capture(
    context: &Context,
    gateway: &dyn Gateway,
    wanted: &Wanted,
    mode: WriteMode,
) -> Result<Outcome, JobError> {
    let leads = wanted.futures.iter().map(|symbol| lead_quote(context, gateway, symbol, wanted.slot));
    let etfs = wanted.spot.iter().map(|symbol| etf_quote(gateway, symbol));
    let (leads, etfs) = tokio::join!(join_all(leads), join_all(etfs));
    let mut desk = Desk::new(context, wanted.slot);
    let quoted: Vec<(Lead, Quote)> = leads.into_iter().filter_map(|quoted| desk.note_failure(quoted)).collect();
    let quoted: Vec<(Lead, Quote)> =
        quoted.into_iter().filter(|(lead, quote)| desk.accepts_future(lead, quote)).collect();
    let etfs: Vec<(Instrument, Quote)> = etfs.into_iter().filter_map(|quoted| desk.note_failure(quoted)).collect();
    let etfs: Vec<(Instrument, Quote)> = etfs.into_iter().filter(|(etf, quote)| desk.accepts_etf(etf, quote)).collect();
    let rows = Captured {
        futures: futures_rows(context, gateway, wanted.slot, quoted).await?,
        spot: spot_rows(context, gateway, wanted.slot, etfs)?,
    };
    let counts = write(context, &rows, mode).await?;
    desk.finish(wanted, counts, rows, mode)
}

async fn lead_quote(
    context: &Context,
    gateway: &dyn Gateway,
    symbol: &Symbol,
    slot: Slot,
) -> Result<(Lead, Quote), CaptureError> {
    let chain = gateway.futures_chain(symbol, ChainScope::Listed).await?;
    let lead = lead_contract(&chain, slot.instant(), context.config.market.roll_rule)?;
    let quote = gateway.quote(&Instrument::Future(lead.contract.clone())).await?;
    Ok((lead, quote))
}

async fn etf_quote(gateway: &dyn Gateway, symbol: &Symbol) -> Result<(Instrument, Quote), CaptureError> {
    let etf = Instrument::Etf(gateway.etf(symbol)?);
    let quote = gateway.quote(&etf).await?;
    Ok((etf, quote))
}

/// One symbol could not be quoted.
#[derive(Debug, thiserror::Error)]
enum CaptureError {
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error(transparent)]
    Lead(#[from] LeadError),
}

impl From<CaptureError> for JobError {
    fn from(error: CaptureError) -> Self {
        match error {
            CaptureError::Gateway(error) => error.into(),
            CaptureError::Lead(error) => error.into(),
        }
    }
}

/// Sorts what came in: findings, rejected symbols, failures.
struct Desk<'a> {
    context: &'a Context,
    slot: Slot,
    findings: Vec<Finding>,
    rejected: usize,
    failures: Vec<JobError>,
}

impl<'a> Desk<'a> {
    fn new(context: &'a Context, slot: Slot) -> Self {
        Self { context, slot, findings: Vec::new(), rejected: 0, failures: Vec::new() }
    }

    fn note_failure<T>(&mut self, quoted: Result<T, CaptureError>) -> Option<T> {
        quoted.map_err(|error| self.failures.push(error.into())).ok()
    }

    fn accepts_future(&mut self, lead: &Lead, quote: &Quote) -> bool {
        let contract = &lead.contract;
        self.findings.extend(check_expiry(&contract.symbol, self.slot, contract.expiry, lead.expiry_by_rule));
        self.accepts(&contract.symbol, contract.spec.tick, quote)
    }

    fn accepts_etf(&mut self, etf: &Instrument, quote: &Quote) -> bool {
        match etf {
            Instrument::Etf(etf) => self.accepts(&etf.symbol, etf.spec.tick, quote),
            Instrument::Future(future) => self.accepts(&future.symbol, future.spec.tick, quote),
        }
    }

    fn accepts(&mut self, symbol: &Symbol, tick: f64, quote: &Quote) -> bool {
        let stale_after = TimeDelta::seconds(self.context.config.gateway.stale_after_seconds);
        let findings = check_quote(&QuoteContext { symbol, slot: self.slot, tick, stale_after }, quote);
        let sound = findings.iter().all(|finding| finding.severity < Severity::Error);
        self.rejected += usize::from(!sound);
        self.findings.extend(findings);
        sound
    }

    /// A slot with all its rows is done; with a part of them it failed, and a new attempt asks for the rest.
    fn finish(self, wanted: &Wanted, counts: Counts, rows: Captured, mode: WriteMode) -> Result<Outcome, JobError> {
        let counts = Counts { planned: wanted.len(), ..counts };
        if self.failures.is_empty() && self.rejected == 0 {
            let unwritten = if mode == WriteMode::DryRun { rows } else { Captured::default() };
            return Ok(Outcome { unwritten, ..Outcome::done(counts).with_findings(self.findings) });
        }
        let sound = wanted.len() - self.rejected - self.failures.len();
        let bad = self.findings.iter().filter(|f| f.severity == Severity::Error).map(ToString::to_string);
        let mut told: Vec<String> = self.failures.iter().map(|error| chain(error)).chain(bad).collect();
        told.dedup();
        let told = format!("{sound} of {} rows captured: {}", wanted.len(), told.join("; "));
        match self.failures.into_iter().next() {
            Some(first) => Err(first.with_message(told)),
            None if sound == 0 => {
                Err(JobError::fail(Failure::BadData, format!("all rows are bad data, nothing was written: {told}")))
            }
            None => Err(JobError::retry(Failure::Failed, told)),
        }
    }
}

/// Makes the rows of the futures, with their changes against the history of their contracts.
async fn futures_rows(
    context: &Context,
    gateway: &dyn Gateway,
    slot: Slot,
    quoted: Vec<(Lead, Quote)>,
) -> Result<Vec<FuturesSnapshot>, JobError> {
    let calendars = &context.calendars;
    let Some(session) = calendars.futures.session_of_slot(slot)? else {
        return Ok(Vec::new());
    };
    let references = ChangeReferences::of(slot, &calendars.futures, &calendars.nyse)?;
    let table = context.lake.prices(references.oldest(), slot.instant()).await?;
    let histories = quoted.iter().map(|(lead, quote)| {
        let known = bars::table_history(&table, &lead.contract.local_symbol, quote.market_data);
        history(gateway, lead, quote.market_data, (references, slot), known)
    });
    let histories = join_all(histories).await;
    let rows = quoted.into_iter().zip(histories).map(|((lead, quote), history)| FuturesSnapshot {
        symbol: lead.contract.symbol,
        timestamp: slot,
        bid: quote.bid,
        ask: quote.ask,
        last: quote.last,
        volume: quote.volume,
        open_interest: quote.open_interest,
        implied_vol: quote.implied_vol,
        changes: references.changes(quote.last, &history),
        date: session.day,
        contract: lead.contract.local_symbol,
        expiry: lead.contract.expiry,
        con_id: lead.contract.con_id,
        source: source(quote.market_data),
        gateway: gateway.kind(),
        captured_at: quote.quoted_at,
    });
    Ok(rows.collect())
}

/// The history of a contract: the table's, and where that lacks a price the gateway's bars. A row without a change is
/// better than no row, so bars that cannot be had leave the change unknown.
async fn history(
    gateway: &dyn Gateway,
    lead: &Lead,
    market_data: MarketData,
    (references, slot): (ChangeReferences, Slot),
    known: PriceHistory,
) -> PriceHistory {
    if market_data == MarketData::Delayed || references.unknown_in(&known).is_empty() {
        return known;
    }
    let request = bars::request(Instrument::Future(lead.contract.clone()), references.oldest(), slot.instant());
    match gateway.bars(&request).await {
        Ok(bars) => known.extended(bars::closes(&bars)),
        Err(error) => {
            let contract = &lead.contract.local_symbol;
            tracing::warn!(contract, error = %chain(&error), "no history from the gateway: some changes stay unknown");
            known
        }
    }
}

fn spot_rows(
    context: &Context,
    gateway: &dyn Gateway,
    slot: Slot,
    quoted: Vec<(Instrument, Quote)>,
) -> Result<Vec<SpotSnapshot>, JobError> {
    let Some(session) = context.calendars.nyse.session_of_slot(slot)? else {
        return Ok(Vec::new());
    };
    let rows = quoted.into_iter().map(|(etf, quote)| SpotSnapshot {
        symbol: etf.symbol().clone(),
        timestamp: slot,
        bid: quote.bid,
        ask: quote.ask,
        last: quote.last,
        volume: quote.volume,
        date: session.day,
        source: source(quote.market_data),
        gateway: gateway.kind(),
        captured_at: quote.quoted_at,
    });
    Ok(rows.collect())
}

fn source(market_data: MarketData) -> Source {
    match market_data {
        MarketData::Live => Source::Live,
        MarketData::Delayed => Source::Delayed,
    }
}

/// Fills the slot from the bars that ended at it.
async fn fill(context: &Context, gateway: &dyn Gateway, wanted: &Wanted, mode: WriteMode) -> Result<Outcome, JobError> {
    let mut counts = Counts::default();
    let mut rows = Captured::default();
    for (symbols, is_future) in [(&wanted.futures, true), (&wanted.spot, false)] {
        for symbol in symbols {
            let slots = vec![wanted.slot];
            let made = if is_future {
                let futures = bars::futures_rows(context, gateway, &Fill { symbol, slots }).await?;
                Captured { futures, spot: Vec::new() }
            } else {
                let spot = bars::spot_rows(context, gateway, &Fill { symbol, slots }).await?;
                Captured { futures: Vec::new(), spot }
            };
            rows.futures.extend(made.futures);
            rows.spot.extend(made.spot);
        }
    }
    counts.add(write(context, &rows, mode).await?);
    counts.planned = wanted.len();
    counts.without_data = wanted.len() - rows.futures.len() - rows.spot.len();
    if counts.without_data == wanted.len() {
        let told = format!("the gateway has no bar that ended at {}: nothing was written", wanted.slot);
        return Err(JobError::fail(Failure::Unavailable, told));
    }
    let unwritten = if mode == WriteMode::DryRun { rows } else { Captured::default() };
    Ok(Outcome { unwritten, ..Outcome::done(counts) })
}

/// Writes rows as the mode says. Replaced rows go to the log, so that no price is ever lost without a trace.
pub(super) async fn write(context: &Context, rows: &Captured, mode: WriteMode) -> Result<Counts, JobError> {
    let mut counts = Counts::default();
    match mode {
        WriteMode::DryRun => {}
        WriteMode::Add => {
            let futures = context.lake.append_futures(&rows.futures).await?;
            let spot = context.lake.append_spot(&rows.spot).await?;
            counts.added = futures.added + spot.added;
            counts.present = futures.present + spot.present;
        }
        WriteMode::Replace => {
            let futures = context.lake.replace_futures(&rows.futures).await?;
            let spot = context.lake.replace_spot(&rows.spot).await?;
            for old in &futures.old {
                tracing::warn!(old = ?old, "replaced a row");
            }
            for old in &spot.old {
                tracing::warn!(old = ?old, "replaced a row");
            }
            counts.replaced = futures.old.len() + spot.old.len();
            counts.added = futures.written + spot.written - counts.replaced;
        }
    }
    Ok(counts)
}
