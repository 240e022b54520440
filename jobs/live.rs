//! A slot from live quotes: all symbols side by side, whatever is sound is written, whatever failed is told.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures::future::join_all;

use crate::calendar::{Session, Slot};
use crate::gateway::{ChainScope, Gateway};
use crate::job::{Captured, Context, Counts, Failure, JobError, Outcome, WriteMode, chain};
use crate::market::{
    ChangeReferences, EtfContract, FuturesSnapshot, Instrument, Lead, MarketData, PriceHistory, PricePoint, Quote,
    Source, SpotSnapshot, Symbol, lead_contract,
};
use crate::quality::{FUTURES_TABLE, Finding, QuoteContext, SPOT_TABLE, Severity, check_expiry, check_quote};

use super::snapshot::{QUOTE_WINDOW, Wanted};
use super::{bars, told::keep_apart, write::write};

/// So far from a slot a price of the table says what its prices can be.
const PRICE_STANDS: TimeDelta = TimeDelta::days(7);

/// Captures the wanted rows from quotes.
pub(super) async fn capture(
    context: &Context,
    gateway: &dyn Gateway,
    wanted: &Wanted,
    mode: WriteMode,
) -> Result<Outcome, JobError> {
    let leads = wanted.futures.iter().map(|symbol| lead_quote(context, gateway, symbol, wanted.slot));
    let etfs = wanted.spot.iter().map(|symbol| etf_quote(gateway, symbol));
    let symbols = wanted.futures.iter().map(|symbol| (FUTURES_TABLE, symbol));
    let symbols = symbols.chain(wanted.spot.iter().map(|symbol| (SPOT_TABLE, symbol)));
    let references = join_all(symbols.map(|(table, symbol)| price_before(context, (table, symbol), wanted.slot)));
    let (leads, etfs, references) = tokio::join!(join_all(leads), join_all(etfs), references);
    let references = references.into_iter().collect::<Result<Vec<_>, JobError>>()?.into_iter().flatten().collect();
    let mut desk = Desk::new(context, (wanted.slot, references));
    let quoted: Vec<(Lead, Quote)> = leads.into_iter().filter_map(|quoted| desk.note_failure(quoted)).collect();
    let (quoted, bad_leads): (Vec<_>, Vec<_>) =
        quoted.into_iter().partition(|(lead, quote)| desk.accepts_future(lead, quote));
    let etfs: Vec<(EtfContract, Quote)> = etfs.into_iter().filter_map(|quoted| desk.note_failure(quoted)).collect();
    let (etfs, bad_etfs): (Vec<_>, Vec<_>) = etfs.into_iter().partition(|(etf, quote)| desk.accepts_etf(etf, quote));
    let rows = Captured {
        futures: futures_rows(context, gateway, wanted.slot, quoted).await?,
        spot: spot_rows(context, gateway, wanted.slot, etfs)?,
    };
    let counts = write(context, &rows, mode).await?;
    if !desk.findings.is_empty() && mode != WriteMode::DryRun {
        let futures = futures_rows(context, gateway, wanted.slot, bad_leads).await?;
        let spot = spot_rows(context, gateway, wanted.slot, bad_etfs)?;
        keep_apart(context, (&futures, &spot), &desk.findings).await?;
    }
    desk.finish(wanted, counts, rows, mode)
}

async fn lead_quote(
    context: &Context,
    gateway: &dyn Gateway,
    symbol: &Symbol,
    slot: Slot,
) -> Result<(Lead, Quote), JobError> {
    let chain = gateway.futures_chain(symbol, ChainScope::Listed).await?;
    let lead = lead_contract(&chain, slot.instant(), context.config.market.roll_rule)?;
    let quote = gateway.quote(&Instrument::Future(lead.contract.clone())).await?;
    Ok((lead, quote))
}

async fn etf_quote(gateway: &dyn Gateway, symbol: &Symbol) -> Result<(EtfContract, Quote), JobError> {
    let etf = gateway.etf(symbol)?;
    let quote = gateway.quote(&Instrument::Etf(etf.clone())).await?;
    Ok((etf, quote))
}

/// The newest price of a symbol before a slot, where the table has one of the week before.
pub(super) async fn price_before(
    context: &Context,
    (table, symbol): (&str, &Symbol),
    slot: Slot,
) -> Result<Option<(Symbol, f64)>, JobError> {
    let newest = if table == FUTURES_TABLE {
        context.lake.latest_futures(symbol).await?.map(|row| (row.timestamp, row.last))
    } else {
        context.lake.latest_spot(symbol).await?.map(|row| (row.timestamp, row.last))
    };
    let stands = |at: Slot| (slot.instant() - at.instant()).abs() <= PRICE_STANDS;
    Ok(newest.filter(|(at, _)| stands(*at)).and_then(|(_, last)| Some((symbol.clone(), last?))))
}

/// Sorts what came in: findings, rejected symbols, failures.
struct Desk<'a> {
    context: &'a Context,
    slot: Slot,
    /// The price before of each symbol that has one.
    references: BTreeMap<Symbol, f64>,
    findings: Vec<Finding>,
    rejected: usize,
    failures: Vec<JobError>,
}

impl<'a> Desk<'a> {
    fn new(context: &'a Context, (slot, references): (Slot, BTreeMap<Symbol, f64>)) -> Self {
        Self { context, slot, references, findings: Vec::new(), rejected: 0, failures: Vec::new() }
    }

    fn note_failure<T>(&mut self, quoted: Result<T, JobError>) -> Option<T> {
        quoted.map_err(|error| self.failures.push(error)).ok()
    }

    fn accepts_future(&mut self, lead: &Lead, quote: &Quote) -> bool {
        let contract = &lead.contract;
        self.findings.extend(check_expiry(&contract.symbol, self.slot, contract.expiry, lead.expiry_by_rule));
        self.accepts((FUTURES_TABLE, &contract.symbol), contract.spec.tick, quote)
    }

    fn accepts_etf(&mut self, etf: &EtfContract, quote: &Quote) -> bool {
        self.accepts((SPOT_TABLE, &etf.symbol), etf.spec.tick, quote)
    }

    fn accepts(&mut self, (table, symbol): (&'static str, &Symbol), tick: f64, quote: &Quote) -> bool {
        let late = quote.quoted_at - self.slot.instant();
        if late > QUOTE_WINDOW {
            let told =
                format!("the quote of {symbol} came {} s after the slot: it is another instant's", late.num_seconds());
            self.failures.push(JobError::retry(Failure::Unavailable, told));
            return false;
        }
        let stale_after = TimeDelta::seconds(self.context.config.gateway.stale_after_seconds);
        let reference = self.references.get(symbol).copied();
        let judged_by = QuoteContext { table, symbol, slot: self.slot, tick, stale_after, reference };
        let findings = check_quote(&judged_by, quote);
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
        // What an earlier attempt captured counts: the account is the slot's.
        let sound = wanted.num_present + wanted.len() - self.rejected - self.failures.len();
        let bad = self.findings.iter().filter(|f| f.severity >= Severity::Error).map(ToString::to_string);
        let mut told: Vec<String> = self.failures.iter().map(|error| chain(error)).chain(bad).collect();
        told.dedup();
        let all = wanted.num_present + wanted.len();
        let told = format!("{sound} of {all} rows captured: {}", told.join("; "));
        let error = match self.failures.into_iter().next() {
            Some(first) => first.with_message(told),
            None if sound == 0 => {
                JobError::fail(Failure::BadData, format!("all rows are bad data, nothing was written: {told}"))
            }
            None => JobError::retry(Failure::Failed, told),
        };
        let error = error.with_findings(self.findings);
        Err(if sound > 0 { error.after_some() } else { error })
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
        // A slot at the regular close looks back at itself.
        let known = match quote.last {
            Some(price) => known.with_price(PricePoint { at: slot.instant(), price }),
            None => known,
        };
        history(gateway, lead, quote.market_data, (references, slot), known)
    });
    let histories = join_all(histories).await;
    let rows = quoted.into_iter().zip(histories).map(|((lead, quote), history)| FuturesSnapshot {
        symbol: lead.contract.symbol,
        timestamp: slot,
        bid: quote.bid,
        ask: quote.ask,
        last: quote.last,
        volume: volume_of(&quote, slot, &session),
        open_interest: quote.open_interest,
        implied_vol: quote.implied_vol,
        changes: references.changes(quote.last, &history, lead.contract.spec.tick),
        date: session.day,
        contract: lead.contract.local_symbol,
        expiry: lead.contract.expiry,
        con_id: Some(lead.contract.con_id),
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
    quoted: Vec<(EtfContract, Quote)>,
) -> Result<Vec<SpotSnapshot>, JobError> {
    let Some(session) = context.calendars.nyse.session_of_slot(slot)? else {
        return Ok(Vec::new());
    };
    let rows = quoted.into_iter().map(|(etf, quote)| SpotSnapshot {
        symbol: etf.symbol,
        timestamp: slot,
        bid: quote.bid,
        ask: quote.ask,
        last: quote.last,
        volume: volume_of(&quote, slot, &session),
        date: session.day,
        source: source(quote.market_data),
        gateway: gateway.kind(),
        captured_at: quote.quoted_at,
    });
    Ok(rows.collect())
}

/// The session's volume. A 0 may also mean that the gateway does not know it; it is a fact where nothing can have traded yet,
/// or where the last trade is of the session before.
fn volume_of(quote: &Quote, slot: Slot, session: &Session) -> Option<i64> {
    let is_first = session.slots().next() == Some(slot);
    let is_untouched = quote.last_trade_at.is_some_and(|at| at <= session.open());
    quote.volume.filter(|volume| *volume > 0 || is_first || is_untouched)
}

fn source(market_data: MarketData) -> Source {
    match market_data {
        MarketData::Live => Source::Live,
        MarketData::Delayed => Source::Delayed,
    }
}
