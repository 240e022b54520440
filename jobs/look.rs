//! Looking: the rows of some sessions and the tables that hold them, given to every check there is.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Session, Slot};
use crate::gateway::{ClockSource, MarketDataMode};
use crate::job::{Context, JobError, Run, chain};
use crate::lake::{AsOf, KeyRange, SignalRow, TableName};
use crate::market::{DailyClose, Symbol};
use crate::quality::{
    Batch, CheckRun, DailyBatch, DecisionFacts, DerivedFacts, LooksAt, MachineFacts, ReportFacts, Row, SignalFacts,
    Status, TableFacts, all, daily_checks, derived_checks, lake_checks, machine_checks, meta_check, row_checks,
    run_checks, series_checks,
};
use crate::signals::Derived;

use super::bar_checks::of_bars;
use super::known::{Question, known};
use super::report::message_id;
use super::signal_rows::{differing, row_of};

/// Sessions looked at without a range: as many as backfill fills.
const RECENT_SESSIONS: usize = 5;

/// Days in which there are so many sessions, whatever the holidays.
const RECENT_DAYS: TimeDelta = TimeDelta::days(14);

/// What the checks said, and the rows they saw.
pub(super) struct Look {
    pub(super) runs: Vec<CheckRun>,
    pub(super) rows: Vec<Row>,
}

/// The sessions of the futures to be looked at, oldest first: those of the range, or the last ones.
pub(super) fn window(context: &Context, run: &Run, now: DateTime<Utc>) -> Result<Vec<Session>, JobError> {
    let futures = &context.calendars.futures;
    let today = futures.trading_day(now)?.date();
    let (from, to) = match run.request.range {
        Some(range) => (futures.trading_day(range.from)?.date(), futures.trading_day(range.to.min(now))?.date()),
        None => (today - RECENT_DAYS, today),
    };
    let mut sessions = futures.sessions(from, to)?;
    if let Some(range) = run.request.range {
        // A range that ends at a close ends with that session.
        sessions.retain(|session| session.open() < range.to);
    }
    sessions.retain(|session| session.open() < now && context.floor.is_none_or(|floor| floor <= session.open()));
    if run.request.range.is_none() {
        sessions.drain(..sessions.len().saturating_sub(RECENT_SESSIONS));
    }
    Ok(sessions)
}

/// Makes every check over some sessions, of which there is one at least.
pub(super) async fn look(
    context: &Context,
    (sessions, slot): (&[Session], Slot),
    now: DateTime<Utc>,
) -> Result<Look, JobError> {
    let config = &context.config.quality;
    let rows = rows(context, sessions, now).await?;
    let mut runs = of_rows(context, (sessions, &rows), (slot, now));
    runs.extend(of_bars(context, (sessions, &rows), (slot, now)).await);
    let skews = skew(context).await;
    let machine = MachineFacts { skews: &skews, rows: &rows, slot };
    runs.extend(run_checks(&machine_checks(machine), config, (slot, now)));
    let tables = tables(context, (sessions, now)).await?;
    runs.extend(run_checks(&lake_checks(&tables, slot), config, (slot, now)));
    let made = made(context, (sessions, now)).await?;
    let pairs = &context.config.signals.pairs;
    let partners: Vec<(Symbol, Symbol)> = pairs.iter().map(|pair| (pair.etf.clone(), pair.future.clone())).collect();
    let daily = DailyBatch {
        closes: &made.closes,
        rows: &rows,
        partners: &partners,
        dividends: &context.calendars.dividends,
        nyse: &context.calendars.nyse,
    };
    runs.extend(run_checks(&daily_checks(daily), config, (slot, now)));
    let report = report(context, now)?;
    let derived = DerivedFacts { signals: &made.signals, decisions: &made.decisions, report: report.as_ref() };
    runs.extend(run_checks(&derived_checks(derived), config, (slot, now)));
    runs.extend(left_out(&runs));
    let ran: Vec<(String, Status)> = runs.iter().map(|run| (run.check.to_owned(), run.status)).collect();
    runs.extend(run_checks(&[meta_check(&ran, config, slot)], config, (slot, now)));
    Ok(Look { runs, rows })
}

/// From the first open to the last close.
fn span(sessions: &[Session], now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let from = sessions.first().map_or(now, Session::open);
    (from, sessions.last().map_or(now, Session::close).min(now))
}

async fn rows(context: &Context, sessions: &[Session], now: DateTime<Utc>) -> Result<Vec<Row>, JobError> {
    let (from, to) = span(sessions, now);
    let market = &context.config.market;
    let of = |symbols: &[Symbol]| KeyRange { symbols: symbols.to_vec(), from, to };
    let futures = context.lake.futures(&of(&market.futures), &AsOf::Latest).await?;
    let spot = context.lake.spot(&of(&market.spot), &AsOf::Latest).await?;
    Ok(futures.iter().map(Row::from).chain(spot.iter().map(Row::from)).collect())
}

/// The checks of rows session by session, each against the closes before it, and those of series over all of them.
fn of_rows(
    context: &Context,
    (sessions, rows): (&[Session], &[Row]),
    (slot, now): (Slot, DateTime<Utc>),
) -> Vec<CheckRun> {
    let mut closes: BTreeMap<Symbol, f64> = BTreeMap::new();
    let mut runs: Vec<CheckRun> = Vec::new();
    for session in sessions {
        let is_inside = |row: &&Row| (session.open()..=session.close()).contains(&row.at);
        let own: Vec<Row> = rows.iter().filter(is_inside).cloned().collect();
        let day = session.day.date();
        let batch = batch(context, (&own, &closes), ((day, day), now));
        runs = merged(runs, run_checks(&row_checks(&batch), &context.config.quality, (slot, now)));
        let mut ordered: Vec<&Row> = own.iter().collect();
        ordered.sort_by_key(|row| row.at);
        closes.extend(ordered.into_iter().filter_map(|row| Some((row.symbol.clone(), row.last?))));
    }
    let dates = sessions.first().zip(sessions.last()).map(|(first, last)| (first.day.date(), last.day.date()));
    if let Some(dates) = dates {
        let batch = batch(context, (rows, &closes), (dates, now));
        runs.extend(run_checks(&series_checks(&batch), &context.config.quality, (slot, now)));
    }
    runs
}

fn batch<'a>(
    context: &'a Context,
    (rows, closes): (&'a [Row], &'a BTreeMap<Symbol, f64>),
    (dates, now): ((NaiveDate, NaiveDate), DateTime<Utc>),
) -> Batch<'a> {
    Batch {
        rows,
        market: &context.config.market,
        futures: &context.calendars.futures,
        nyse: &context.calendars.nyse,
        dates,
        closes,
        delayed_allowed: context.config.gateway.market_data == MarketDataMode::Delayed,
        now,
    }
}

/// The same checks of several sessions as one run each: the worst status counts.
pub(super) fn merged(mut before: Vec<CheckRun>, more: Vec<CheckRun>) -> Vec<CheckRun> {
    let rank = |status: Status| match status {
        Status::Skipped => 0,
        Status::Pass => 1,
        Status::Warn => 2,
        Status::Fail => 3,
        Status::Error => 4,
    };
    for run in more {
        match before.iter_mut().find(|known| known.check == run.check) {
            None => before.push(run),
            Some(known) => {
                if rank(run.status) > rank(known.status) {
                    (known.status, known.reason) = (run.status, run.reason);
                }
                known.looked_at += run.looked_at;
                known.findings.extend(run.findings);
            }
        }
    }
    before
}

/// The gateway's clock less this machine's; none where it does not answer, which other checks tell, or where runs go by
/// the gateway's.
async fn skew(context: &Context) -> Vec<TimeDelta> {
    if context.config.gateway.clock_source() == ClockSource::Gateway {
        return Vec::new();
    }
    let Ok(gateway) = context.gateway().await else { return Vec::new() };
    let asked = gateway.now().await.map(|now| now - context.clock.now());
    asked.inspect_err(|error| tracing::debug!(%error, "the gateway does not tell its time")).into_iter().collect()
}

async fn tables(context: &Context, (sessions, now): (&[Session], DateTime<Utc>)) -> Result<Vec<TableFacts>, JobError> {
    let (from, to) = span(sessions, now);
    let disk_bytes = context.lake.disk_bytes();
    let mut facts = Vec::new();
    for table in TableName::ALL {
        let Some(stats) = context.lake.stats(table).await? else { continue };
        let symbols = stats.partitions.iter().filter_map(|partition| partition.symbol.parse().ok()).collect();
        let count = context.lake.count(table, &KeyRange { symbols, from, to }).await?;
        let columns = context.lake.columns(table).await?;
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        facts.push(TableFacts {
            table: table.as_str(),
            designed: columns.as_ref().map(|columns| columns.designed.clone()).unwrap_or_default(),
            columns: columns.map(|columns| columns.found),
            doubled_keys: Some(number(count.rows.saturating_sub(count.keys))),
            files: Some(number(stats.partitions.iter().map(|partition| partition.files).sum())),
            compacted: stats.compacted,
            checkpoint_age_hours: stats.checkpoint_age().map(hours),
            log_entries: Some(stats.version - stats.checkpoint.unwrap_or(0).min(stats.version)),
            // One lake lies on one disk.
            disk_bytes: disk_bytes.filter(|_| facts.is_empty()),
        });
    }
    Ok(facts)
}

/// Hours are told, so minutes are fine enough.
fn hours(age: TimeDelta) -> f64 {
    f64::from(i32::try_from(age.num_minutes()).unwrap_or(i32::MAX)) / 60.0
}

/// What other jobs make of the rows.
struct Derivations {
    closes: Vec<DailyClose>,
    signals: Vec<SignalFacts>,
    decisions: Vec<DecisionFacts>,
}

async fn made(context: &Context, (sessions, now): (&[Session], DateTime<Utc>)) -> Result<Derivations, JobError> {
    let (from, to) = span(sessions, now);
    let range = KeyRange { symbols: context.config.market.spot.clone(), from, to };
    let closes = context.lake.daily(&range, &AsOf::Latest).await?;
    let signals = context.lake.signals(&range, &AsOf::Latest).await?;
    let again = derived_again(context, &signals).await;
    let decisions = context.lake.decisions(&range, &AsOf::Latest).await?;
    Ok(Derivations {
        closes: closes.iter().map(DailyClose::from).collect(),
        signals: signals
            .into_iter()
            .map(|row| SignalFacts {
                as_of: row.as_of.instant(),
                newest_input: row.timestamp.instant(),
                confidence: row.confidence,
                strength: row.strength,
                differing: again.get(&(row.symbol.clone(), row.as_of)).cloned(),
                symbol: row.symbol,
            })
            .collect(),
        decisions: decisions
            .into_iter()
            .map(|row| DecisionFacts { symbol: row.symbol, as_of: row.as_of.instant() })
            .collect(),
    })
}

/// The newest signal of each ETF, derived again from the rows that were captured when it was made: the fields that differ, or
/// why it could not be done.
async fn derived_again(
    context: &Context,
    signals: &[SignalRow],
) -> BTreeMap<(Symbol, Slot), Result<Vec<String>, String>> {
    let mut again = BTreeMap::new();
    // Where time stands still everything is captured at one instant, whenever it came.
    if context.config.gateway.clock_source() == ClockSource::Gateway {
        return again;
    }
    let newest: BTreeMap<&Symbol, &SignalRow> = signals.iter().map(|row| (&row.symbol, row)).collect();
    for row in newest.into_values().filter(|row| context.config.signals.pair(&row.symbol).is_some()) {
        let fields = differing_again(context, row).await.map_err(|error| chain(&error));
        again.insert((row.symbol.clone(), row.as_of), fields);
    }
    again
}

async fn differing_again(context: &Context, row: &SignalRow) -> Result<Vec<String>, JobError> {
    let (config, calendars) = (&context.config, &context.calendars);
    let question = Question { etf: &row.symbol, as_of: row.as_of.instant(), rows: AsOf::Instant(row.generated_at) };
    let mut known = known(&context.lake, question, (calendars, config)).await?;
    // What was known of dividends then stands in the row, unless an earlier program made it; lists grow later.
    if row.futures_close.is_some() {
        known.prices.dividend = row.dividend;
    }
    Ok(match known.signal(calendars, config)? {
        Derived::Signal(signal) => {
            let mut own = row_of(&signal, row.as_of, (row.gateway, row.generated_at));
            if config.signals.pair(&row.symbol).is_some_and(|pair| pair.index.is_some()) {
                // A feed may have begun anew since.
                own.basis = row.basis;
            }
            differing(row, &own).into_iter().map(str::to_owned).collect()
        }
        Derived::Skipped(reason) => vec![format!("everything: {reason}")],
    })
}

/// The report of the newest session that has opened; none where none was ever made, or none is sent.
fn report(context: &Context, now: DateTime<Utc>) -> Result<Option<ReportFacts>, JobError> {
    // A simulation sends nothing.
    let Some(ledger) = context.ledger.as_ref().filter(|_| context.floor.is_none()) else { return Ok(None) };
    if !ledger.has_reports()? {
        return Ok(None);
    }
    let today = now.date_naive();
    let sessions = context.calendars.nyse.sessions(today - RECENT_DAYS, today)?;
    let Some(session) = sessions.into_iter().rfind(|session| session.open() <= now) else { return Ok(None) };
    let mail = ledger.mail_state(&message_id(context, session.day.date()))?;
    Ok(Some(ReportFacts { opened_at: session.open(), mail }))
}

/// The checks for which there is nothing to look at here: those of quotes, which captures make, and those of bars where the
/// gateway gives none. They are told as skipped with the reason.
fn left_out(runs: &[CheckRun]) -> Vec<CheckRun> {
    let is_left = |check: &str| check != "meta.ran" && !runs.iter().any(|run| run.check == check);
    let elsewhere = all().into_iter().filter(|spec| is_left(spec.id)).filter_map(|spec| {
        let reason = match spec.looks_at {
            LooksAt::Quote => "made of each quote, before it becomes a row",
            LooksAt::Bars => "the gateway gives no bars: no capture can do without it, and tells",
            _ => return None,
        };
        Some(CheckRun {
            check: spec.id,
            status: Status::Skipped,
            looked_at: 0,
            findings: Vec::new(),
            reason: Some(reason.to_owned()),
        })
    });
    elsewhere.collect()
}
