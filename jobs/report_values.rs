//! The values of a report, from the tables, the calendars and the ledger.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Session, Slot};
use crate::job::{Context, Failure, JobError, origin};
use crate::lake::{AsOf, DecisionRow, FindingRow, KeyRange, SignalRow};
use crate::market::{GatewayKind, Source, Symbol};
use crate::quality::{FUTURES_TABLE, SPOT_TABLE};
use crate::report::{
    BaseDay, Book, Completeness, Decided, Found, Heard, Held, Judged, Morning, Overnight, Report, week_ahead,
};
use crate::rules::{Horizon, PaperPosition};
use crate::signals::{Derived, Pair};
use crate::state::Incident;

use super::assess::{Assessment, Judgement, Span, assess};
use super::evaluation::open_positions;
use super::known::{Question, known};
use super::mornings::holds;
use super::rule_record::Made;

/// Sessions whose slots are counted.
const NUM_SESSIONS: usize = 10;

/// Days in which there are so many sessions, whatever the holidays.
const RECENT_DAYS: TimeDelta = TimeDelta::days(21);

/// What signals have been worth is asked of so long a time.
const ASSESSED: TimeDelta = TimeDelta::days(366);

/// So long before the published calendars end the reader is told.
const WARN_BEFORE_END: TimeDelta = TimeDelta::days(60);

/// Longest stretch without a session of NYSE, and room.
const LONGEST_CLOSURE: TimeDelta = TimeDelta::days(10);

const BASIS_POINTS: f64 = 1e4;

/// Gathers what is known of a morning.
pub(super) async fn gather(
    context: &Context,
    (session, morning): (&Session, Slot),
    now: DateTime<Utc>,
) -> Result<Report, JobError> {
    let (config, calendars, day) = (&context.config, &context.calendars, session.day.date());
    let mut mornings = Vec::new();
    for pair in &config.signals.pairs {
        mornings.push(of_pair(context, pair, (session, morning, now)).await?);
    }
    // Made anew for a day gone by, it tells of the same sessions as it did in the morning.
    let known_by = morning.instant();
    let Slots { completeness, by_symbol, newest } = slots(context, (day, known_by)).await?;
    let found = match &newest {
        Some(newest) => found(context, newest).await?,
        None => Vec::new(),
    };
    let incidents = match &context.ledger {
        Some(ledger) => ledger.open_incidents()?.iter().map(line).collect(),
        None => Vec::new(),
    };
    let span = Span { symbols: Vec::new(), from: day - ASSESSED, to: day, horizon: Horizon::sessions(1) };
    let assessed = assess(&context.lake, &span, (calendars, config, known_by)).await?;
    let from_here = origin(config);
    let ends = *calendars.nyse.coverage().end().min(calendars.futures.coverage().end());
    Ok(Report {
        day,
        as_of: morning.instant(),
        opens_at: session.open(),
        made_at: now,
        origin: format!("{}, version {}", from_here.host, from_here.version),
        is_simulated: config.gateway.kind == GatewayKind::Simulated,
        mornings,
        completeness,
        by_symbol,
        found,
        incidents,
        book: book(&assessed, config.rules.paper.round_trip_cost_bp),
        open: open_positions(context, known_by).await?.into_iter().map(held).collect(),
        verdicts: assessed.iter().flat_map(judged).collect(),
        ahead: week_ahead(day, (&calendars.nyse, &calendars.futures), config.market.roll_rule)?,
        calendar_ends: (ends - day <= WARN_BEFORE_END).then(|| ends + TimeDelta::days(1)),
    })
}

async fn of_pair(
    context: &Context,
    pair: &Pair,
    (session, morning, now): (&Session, Slot, DateTime<Utc>),
) -> Result<Morning, JobError> {
    let at =
        |symbol: &Symbol| KeyRange { symbols: vec![symbol.clone()], from: morning.instant(), to: morning.instant() };
    let heard = match context.lake.signals(&at(&pair.etf), &AsOf::Latest).await?.pop() {
        Some(row) => Ok(said(row, session)),
        None => Err(why_not(context, pair, (morning, now)).await?),
    };
    let decisions = context.lake.decisions(&at(&pair.etf), &AsOf::Latest).await?;
    Ok(Morning {
        etf: pair.etf.clone(),
        future: pair.future.clone(),
        heard,
        decided: decided(decisions)?,
        overnight: overnight(context, pair, (session, morning)).await?,
    })
}

fn said(row: SignalRow, session: &Session) -> Heard {
    Heard {
        signal: row.signal,
        sentiment: row.sentiment,
        confidence: row.confidence,
        contract: row.contract,
        price: row.futures_price,
        changes: [row.change_1h, row.change_4h, row.change_daily],
        reasoning: row.reasoning,
        is_late: row.generated_at >= session.open(),
    }
}

/// Why there is no signal.
async fn why_not(context: &Context, pair: &Pair, (morning, now): (Slot, DateTime<Utc>)) -> Result<String, JobError> {
    let holds = holds(context, now)?;
    let held = holds.on((FUTURES_TABLE, &pair.future), morning).or_else(|| holds.on((SPOT_TABLE, &pair.etf), morning));
    if let Some(held) = held {
        return Ok(held);
    }
    let (config, calendars) = (&context.config, &context.calendars);
    let question = Question { etf: &pair.etf, as_of: morning.instant(), rows: AsOf::Latest };
    let known = known(&context.lake, question, (calendars, config)).await?;
    Ok(match known.signal(calendars, config)? {
        Derived::Skipped(reason) => reason.to_string(),
        Derived::Signal(_) => format!(
            "none was derived for this morning: jobs run signals --from {}",
            morning.instant().format("%Y-%m-%d")
        ),
    })
}

fn decided(rows: Vec<DecisionRow>) -> Result<Option<Decided>, JobError> {
    let missed = rows.iter().filter(|row| row.verdict == "missed").map(|row| (row.rule.clone(), row.reason.clone()));
    let missed: Vec<(String, String)> = missed.collect();
    let Some(winner) = rows.into_iter().find(|row| row.verdict == "decided") else { return Ok(None) };
    let unfit = |error| JobError::fail(Failure::BadData, format!("decisions {}: {error}", winner.symbol));
    let metadata: serde_json::Value = serde_json::from_str(&winner.metadata).map_err(unfit)?;
    let outlook = metadata.get("outlook").and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned();
    Ok(Some(Decided {
        action: winner.action.unwrap_or_default(),
        direction: winner.direction.unwrap_or_default(),
        rule: winner.rule,
        reason: winner.reason,
        multiplier: winner.position_multiplier.unwrap_or(0.0),
        urgency: winner.urgency.unwrap_or_default(),
        outlook,
        missed,
        is_late: winner.timing == "late",
    }))
}

/// The future since the last close of NYSE, within one contract.
async fn overnight(
    context: &Context,
    pair: &Pair,
    (session, morning): (&Session, Slot),
) -> Result<Overnight, JobError> {
    let day = session.day.date();
    let before = context.calendars.nyse.sessions(day - LONGEST_CLOSURE, day)?;
    let Some(before) = before.into_iter().rfind(|one| one.day.date() < day) else { return Ok(Overnight::default()) };
    let of = |symbol: &Symbol, to| KeyRange { symbols: vec![symbol.clone()], from: before.close(), to };
    let rows = context.lake.futures(&of(&pair.future, morning.instant()), &AsOf::Latest).await?;
    let point = |row: &crate::market::FuturesSnapshot| {
        let (last, change) = (row.last?, row.changes.since_close?);
        Some((row.timestamp.instant(), BASIS_POINTS * (last / (last - change)).ln()))
    };
    let spot = context.lake.spot(&of(&pair.etf, before.close()), &AsOf::Latest).await?;
    let close = spot.first().and_then(|row| row.last).map(|price| (before.day.to_string(), price));
    Ok(Overnight { close, points: rows.iter().filter_map(point).filter(|(_, bp)| bp.is_finite()).collect() })
}

/// How many slots of the last sessions have a row.
struct Slots {
    completeness: Vec<Completeness>,
    by_symbol: Vec<Completeness>,
    newest: Option<Session>,
}

async fn slots(context: &Context, (day, now): (NaiveDate, DateTime<Utc>)) -> Result<Slots, JobError> {
    let (market, futures) = (&context.config.market, &context.calendars.futures);
    let mut sessions = futures.sessions(day - RECENT_DAYS, day)?;
    sessions.retain(|one| one.close() <= now && context.floor.is_none_or(|floor| floor <= one.open()));
    sessions.drain(..sessions.len().saturating_sub(NUM_SESSIONS));
    let Some((first, last)) = sessions.first().zip(sessions.last()) else {
        return Ok(Slots { completeness: Vec::new(), by_symbol: Vec::new(), newest: None });
    };
    let of = |symbols: &[Symbol]| KeyRange { symbols: symbols.to_vec(), from: first.open(), to: last.close() };
    let futures_rows = context.lake.futures(&of(&market.futures), &AsOf::Latest).await?;
    let spot_rows = context.lake.spot(&of(&market.spot), &AsOf::Latest).await?;
    let rows: Vec<(Symbol, DateTime<Utc>, Source)> = futures_rows
        .into_iter()
        .map(|row| (row.symbol, row.timestamp.instant(), row.source))
        .chain(spot_rows.into_iter().map(|row| (row.symbol, row.timestamp.instant(), row.source)))
        .collect();
    // Before the first row of a lake nothing was missed.
    let oldest = rows.iter().map(|(_, at, _)| *at).min();
    let known: Vec<&Session> =
        sessions.iter().filter(|one| oldest.is_some_and(|oldest| oldest <= one.close())).collect();
    let mut completeness = Vec::new();
    let mut by_symbol = Vec::new();
    for session in known {
        by_symbol = counted(context, session, &rows)?;
        let sum = |count: fn(&Completeness) -> usize| by_symbol.iter().map(count).sum();
        completeness.push(Completeness {
            name: session.day.to_string(),
            planned: sum(|one| one.planned),
            captured: sum(|one| one.captured),
            backfilled: sum(|one| one.backfilled),
        });
    }
    Ok(Slots { completeness, by_symbol, newest: sessions.pop() })
}

/// The slots of a session by symbol.
fn counted(
    context: &Context,
    session: &Session,
    rows: &[(Symbol, DateTime<Utc>, Source)],
) -> Result<Vec<Completeness>, JobError> {
    let market = &context.config.market;
    let regular = context.calendars.nyse.session(session.day.date())?;
    let planned_spot = regular.as_ref().map_or(0, Session::num_slots);
    let planned = market.futures.iter().map(|symbol| (symbol, session.num_slots()));
    let planned = planned.chain(market.spot.iter().map(|symbol| (symbol, planned_spot)));
    let of_symbol = |(symbol, planned): (&Symbol, usize)| {
        let own = rows.iter().filter(|(of, at, _)| of == symbol && session.open() < *at && *at <= session.close());
        let (backfilled, captured): (Vec<_>, Vec<_>) = own.partition(|(_, _, source)| !source.is_captured());
        Completeness { name: symbol.to_string(), planned, captured: captured.len(), backfilled: backfilled.len() }
    };
    Ok(planned.map(of_symbol).collect())
}

/// What checks found in a session, by check, each place once.
async fn found(context: &Context, session: &Session) -> Result<Vec<Found>, JobError> {
    let whole: Symbol = FindingRow::WHOLE.parse().map_err(|error| JobError::fail(Failure::Failed, error))?;
    let market = &context.config.market;
    let symbols = market.futures.iter().chain(&market.spot).cloned().chain([whole]).collect();
    let range = KeyRange { symbols, from: session.open(), to: session.close() };
    let mut places = BTreeMap::new();
    for row in context.lake.findings(&range, &AsOf::Latest).await? {
        places.insert((row.check.clone(), row.table.clone(), row.symbol.clone(), row.timestamp), row);
    }
    let mut by_check: BTreeMap<String, Found> = BTreeMap::new();
    for row in places.into_values() {
        let example = if row.symbol.as_str() == FindingRow::WHOLE {
            row.observed.clone()
        } else {
            format!("{}: {}", row.symbol, row.observed)
        };
        let new = || Found { check: row.check.clone(), severity: row.severity.clone(), count: 0, example };
        by_check.entry(row.check.clone()).or_insert_with(new).count += 1;
    }
    Ok(by_check.into_values().collect())
}

fn line(incident: &Incident) -> String {
    let facts: serde_json::Value = serde_json::from_str(&incident.facts).unwrap_or_default();
    let observed = facts.get("observed").and_then(serde_json::Value::as_str).unwrap_or_default();
    let since = incident.opened_at.format("%Y-%m-%d %H:%M UTC");
    format!("{}, {}, since {since}: {observed}", incident.key, incident.severity.as_str())
}

fn book(assessed: &[Assessment], costs_bp: f64) -> Book {
    let all = assessed.iter().flat_map(Assessment::judgements);
    let days = all.flat_map(|(made, of)| of.base.iter().map(move |base| (made, base))).map(|(made, base)| BaseDay {
        date: base.date,
        gross_bp: base.gross_bp,
        is_confirmed: base.is_confirmed(),
        is_live: made == Made::Live,
    });
    let mut days: Vec<BaseDay> = days.collect();
    // Live ones and others are never summed up in one line.
    let any_live = days.iter().any(|day| day.is_live);
    days.retain(|day| day.is_live || !any_live);
    Book { days, costs_bp }
}

fn held((rule, position): (String, PaperPosition)) -> Held {
    Held {
        symbol: position.symbol,
        direction: position.direction.to_string(),
        rule,
        entered: (position.entry_day.date(), position.entry_price),
        marked: (position.mark_day.date(), position.mark_price),
        net_bp: position.net_bp,
        horizon: position.horizon.to_string(),
    }
}

/// Live signals and those made afterwards, each where there are any.
fn judged(one: &Assessment) -> Vec<Judged> {
    let predictive_value = one.skill.and_then(|skill| skill.predictive_value);
    let of = |(made, judgement): (Made, &Judgement)| Judged {
        symbol: one.symbol.clone(),
        is_live: made == Made::Live,
        confirmation: judgement.confirmation.clone(),
        hits_base: judgement.hits_base,
        hits_confirmed: judgement.hits_confirmed,
        predictive_value,
        verdict: judgement.verdict,
    };
    one.shown().map(of).collect()
}
