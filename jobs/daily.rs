//! Daily bars of the ETFs: the sessions that `spot_daily` lacks, asked from the gateway and kept as they were paid.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Session, Slot, TradingDay};
use crate::gateway::{BarRequest, Gateway};
use crate::job::{Context, JobError, Run, WriteMode};
use crate::lake::{AsOf, KeyRange, TableName};
use crate::market::{Bar, BarSize, DailyBar, Instrument, Symbol};
use crate::quality::{Finding, Place, Prices, check_plausible, usual_close};

use super::told::keep_findings;

/// Sessions looked over without a range.
const RECENT_SESSIONS: usize = 5;

/// Sessions of a first load: what the longer average of the outlook needs, and some.
const FIRST_LOAD_SESSIONS: usize = 60;

/// 60 sessions span at most so many days, holidays included.
const FIRST_LOAD_SPAN: TimeDelta = TimeDelta::days(100);

/// So many bars before and after one say what its close can be.
const NEIGHBOURS: usize = 3;

/// The closing auction is over, and its print is in the bar.
const SETTLED: TimeDelta = TimeDelta::minutes(15);

/// Sessions of an ETF without a daily bar, in order of time.
#[derive(Debug, Clone)]
pub(super) struct DailyGap {
    pub(super) symbol: Symbol,
    pub(super) sessions: Vec<Session>,
}

/// Finds the sessions that are over and have no daily bar. A simulation has those before its first day too: without them it
/// would have no outlook, and so no decision, for its first fifty sessions.
pub(super) async fn find(context: &Context, run: &Run, now: DateTime<Utc>) -> Result<Vec<DailyGap>, JobError> {
    let nyse = &context.calendars.nyse;
    let today = nyse.trading_day(now)?.date();
    let (from, to) = match run.request.range {
        Some(range) => (nyse.trading_day(range.from)?.date(), nyse.trading_day(range.to.min(now))?.date()),
        None => (today - FIRST_LOAD_SPAN, today),
    };
    let mut sessions = nyse.sessions(from, to)?;
    let is_asked = |session: &Session| run.request.range.is_none_or(|range| session.close() <= range.to);
    sessions.retain(|session| session.close() + SETTLED <= now && is_asked(session));
    let mut gaps = Vec::new();
    for symbol in context.config.market.spot.iter().filter(|symbol| run.wants(symbol)) {
        let known = known_days(context, symbol, &sessions).await?;
        let looked_at = match run.request.range {
            Some(_) => sessions.len(),
            None => recent(&sessions, &known),
        };
        let replaces = run.request.mode == WriteMode::Replace;
        let sessions = sessions.iter().skip(sessions.len() - looked_at.min(sessions.len())).cloned();
        let missing: Vec<Session> = sessions.filter(|s| replaces || !known.contains(&s.day.date())).collect();
        if !missing.is_empty() {
            gaps.push(DailyGap { symbol: symbol.clone(), sessions: missing });
        }
    }
    Ok(gaps)
}

/// The last sessions; as many as a first load takes, where the oldest of those is not there yet.
fn recent(sessions: &[Session], known: &BTreeSet<NaiveDate>) -> usize {
    let oldest = sessions.iter().rev().take(FIRST_LOAD_SESSIONS).next_back();
    let is_loaded = oldest.is_some_and(|session| known.contains(&session.day.date()));
    if is_loaded { RECENT_SESSIONS } else { FIRST_LOAD_SESSIONS }
}

async fn known_days(context: &Context, symbol: &Symbol, sessions: &[Session]) -> Result<BTreeSet<NaiveDate>, JobError> {
    let Some((first, last)) = sessions.first().zip(sessions.last()) else { return Ok(BTreeSet::new()) };
    let range = KeyRange { symbols: vec![symbol.clone()], from: first.open(), to: last.close() };
    let bars = context.lake.daily(&range, &AsOf::Latest).await?;
    Ok(bars.into_iter().map(|bar| bar.date.date()).collect())
}

/// What became of a gap.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filled {
    /// Rows written.
    pub(super) written: usize,
    /// Sessions of which the gateway has no bar.
    pub(super) without_bar: usize,
    /// Sessions whose bar has a price that cannot be.
    pub(super) rejected: usize,
}

/// Asks for the bars of a gap and keeps them. A session of which the gateway has no bar stays missing, and is asked for again.
pub(super) async fn fill(
    context: &Context,
    gateway: &dyn Gateway,
    (gap, mode): (&DailyGap, WriteMode),
) -> Result<Filled, JobError> {
    let Some((first, last)) = gap.sessions.first().zip(gap.sessions.last()) else { return Ok(Filled::default()) };
    let midnight = |session: &Session| session.day.date().and_time(chrono::NaiveTime::MIN).and_utc();
    let request = BarRequest {
        instrument: Instrument::Etf(gateway.etf(&gap.symbol)?),
        after: midnight(first),
        until: midnight(last) + Days::new(1),
        size: BarSize::Day,
    };
    let bars = gateway.bars(&request).await?;
    let by_day: BTreeMap<NaiveDate, usize> =
        bars.iter().enumerate().map(|(number, bar)| (bar.start.date_naive(), number)).collect();
    let captured_at = context.now().await?;
    let (mut rows, mut findings, mut filled) = (Vec::new(), Vec::new(), Filled::default());
    for session in &gap.sessions {
        let bar = by_day.get(&session.day.date()).and_then(|number| Some((bars.get(*number)?, around(&bars, *number))));
        let Some((bar, around)) = bar else {
            filled.without_bar += 1;
            continue;
        };
        let timestamp = Slot::at_or_before(session.close());
        let place = Place { table: TableName::SpotDaily.as_str(), symbol: Some(gap.symbol.clone()), timestamp };
        if let Some(finding) = absurd(&place, bar, usual_close(around)) {
            findings.push(finding);
            continue;
        }
        rows.push(DailyBar {
            symbol: gap.symbol.clone(),
            date: TradingDay::new(session.day.date()),
            timestamp,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
            gateway: gateway.kind(),
            captured_at,
        });
    }
    filled.rejected = findings.len();
    filled.written = match mode {
        WriteMode::DryRun => 0,
        WriteMode::Add => context.lake.append_daily(&rows).await?.added,
        WriteMode::Replace => context.lake.replace_daily(&rows).await?.written,
    };
    if mode != WriteMode::DryRun {
        keep_findings(context, &findings.iter().collect::<Vec<_>>()).await?;
    }
    Ok(filled)
}

/// The bars around one, itself among them: over years an ETF moves far.
fn around(bars: &[Bar], number: usize) -> &[Bar] {
    let last = bars.len().min(number + NEIGHBOURS + 1);
    bars.get(number.saturating_sub(NEIGHBOURS)..last).unwrap_or_default()
}

/// What cannot be about a bar: its close is held against the usual one of the days around it, its other prices against its close.
fn absurd(place: &Place, bar: &Bar, usual: Option<f64>) -> Option<Finding> {
    let of = |last, reference| Prices { last: Some(last), reference, ..Prices::default() };
    let of_bar = [bar.open, bar.high, bar.low].map(|price| of(price, Some(bar.close)));
    of_bar.into_iter().chain([of(bar.close, usual)]).find_map(|prices| check_plausible(place, prices))
}
