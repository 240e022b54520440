//! What became of each decision, on paper: in at the open after it, out at the close of its horizon.
//!
//! When: after NYSE's close, when backfill has the day's bars; by hand for any range. Twice equals once because an outcome is
//! keyed by its ETF, the instant of its decision and its horizon; one whose horizon goes on is left for a later run.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::job::{Context, Counts, Failure, Job, JobError, Outcome, Run, WriteMode};
use crate::lake::{AsOf, DecisionRow, KeyRange, OutcomeRow, SignalRow, TableName};
use crate::market::{DailyBar, Symbol};
use crate::rules::{Horizon, PaperEntry, PaperMarket, PaperPosition, open_position};
use crate::signals::Side;

use super::mornings::{MAX_NOTES, holds};
use super::replacement::Replacement;
use super::write::appended;

const TIMEOUT: Duration = Duration::from_mins(3);

/// Days looked back without a range: the longest horizon that is usual, holidays, and a machine that was off for a while.
const RECENT: TimeDelta = TimeDelta::days(30);

/// Days after a decision in which its horizon is over.
const LONGEST_HORIZON: TimeDelta = TimeDelta::days(60);

/// The job `evaluation`.
pub struct Evaluation;

#[async_trait]
impl Job for Evaluation {
    fn name(&self) -> &'static str {
        "evaluation"
    }

    fn summary(&self) -> &'static str {
        "notes what became of each decision, on paper"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let now = context.now().await?;
        let (from, to) = run.request.range.map_or((now - RECENT, now), |range| (range.from, range.to.min(now)));
        let pairs = context.config.signals.pairs.iter().map(|pair| pair.etf.clone());
        let symbols: Vec<Symbol> = pairs.filter(|symbol| run.wants(symbol)).collect();
        let book = Book::read(context, &symbols, (from, to)).await?;
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        let config = &context.config.rules.paper;
        let holds = holds(context, now)?;
        for decision in &book.entered {
            if let Some(why) = holds.on((TableName::Decisions.as_str(), &decision.symbol), decision.as_of) {
                notes.push(format!("{} as of {}: no outcome: {why}", decision.symbol, decision.as_of));
                continue;
            }
            for sessions in &config.horizons_sessions {
                rows.extend(book.outcome(context, decision, (Horizon::sessions(*sessions), now))?);
            }
        }
        if rows.is_empty() {
            notes.push(format!("of {} decisions to enter none has come to its horizon", book.entered.len()));
            return Ok(Outcome::skipped(notes.join("; ")));
        }
        let counts = Counts { planned: rows.len(), ..write(context, &rows, run).await? };
        let net: f64 = rows.iter().map(|row| row.net_bp).sum();
        notes.truncate(MAX_NOTES);
        notes.push(format!("{} outcomes of {} decisions, {net:+.1} bp net in all", rows.len(), book.entered.len()));
        Ok(Outcome { notes, ..Outcome::done(counts) })
    }
}

/// Decisions to enter, with what is needed to follow them.
struct Book {
    entered: Vec<DecisionRow>,
    signals: Vec<SignalRow>,
    bars: Vec<DailyBar>,
}

impl Book {
    async fn read(
        context: &Context,
        symbols: &[Symbol],
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Self, JobError> {
        let symbols = symbols.to_vec();
        let range = KeyRange { symbols: symbols.clone(), from, to };
        let mut entered = context.lake.decisions(&range, &AsOf::Latest).await?;
        entered.retain(|row| row.verdict == "decided" && row.action.as_deref() == Some("enter"));
        let signals = context.lake.signals(&range, &AsOf::Latest).await?;
        let bars = context.lake.daily(&KeyRange { symbols, from, to: to + LONGEST_HORIZON }, &AsOf::Latest).await?;
        Ok(Self { entered, signals, bars })
    }

    /// A decision as a position on paper, marked at its newest bar; none before its first bar is there.
    fn position(
        &self,
        context: &Context,
        decision: &DecisionRow,
        (horizon, now): (Horizon, DateTime<Utc>),
    ) -> Result<Option<PaperPosition>, JobError> {
        let as_of = decision.as_of.instant();
        let direction = decision.direction.as_deref().unwrap_or_default();
        let entry = PaperEntry {
            symbol: decision.symbol.clone(),
            as_of,
            direction: direction.parse().map_err(|told: String| unfit(decision, &told))?,
            position_multiplier: decision.position_multiplier.unwrap_or(0.0),
        };
        let first = as_of.date_naive();
        let nyse = context.calendars.nyse.sessions(first, (first + LONGEST_HORIZON).min(now.date_naive()))?;
        let sessions: Vec<(NaiveDate, DateTime<Utc>)> =
            nyse.iter().map(|session| (session.day.date(), session.open())).collect();
        let market = PaperMarket { bars: &self.bars, sessions: &sessions, dividends: &context.calendars.dividends };
        Ok(open_position(&entry, &market, (horizon, &context.config.rules.paper)))
    }

    /// None while the horizon goes on, or where a bar is missing.
    fn outcome(
        &self,
        context: &Context,
        decision: &DecisionRow,
        (horizon, now): (Horizon, DateTime<Utc>),
    ) -> Result<Option<OutcomeRow>, JobError> {
        let position = self.position(context, decision, (horizon, now))?;
        let Some(position) = position.filter(|position| position.is_closed) else { return Ok(None) };
        let base = base_side(decision).map_err(|told: String| unfit(decision, &told))?;
        let futures = self.signals.iter().find(|row| row.symbol == decision.symbol && row.as_of == decision.as_of);
        let confirmed = futures.filter(|_| base != Side::Neutral).map(|row| i64::from(Side::of(row.strength) == base));
        Ok(Some(OutcomeRow {
            symbol: decision.symbol.clone(),
            as_of: decision.as_of,
            horizon: horizon.to_string(),
            rule: decision.rule.clone(),
            base: base.to_string(),
            confirmed,
            direction: position.direction.to_string(),
            position_multiplier: position.position_multiplier,
            entry_day: position.entry_day.date(),
            entry_price: position.entry_price,
            exit_day: position.mark_day.date(),
            exit_price: position.mark_price,
            gross_bp: position.gross_bp,
            net_bp: position.net_bp,
            gateway: decision.gateway,
            generated_at: now,
        }))
    }
}

fn unfit(decision: &DecisionRow, told: &str) -> JobError {
    JobError::fail(Failure::BadData, format!("decisions {} {}: {told}", decision.symbol, decision.as_of))
}

/// The positions on paper whose longest horizon went on at an instant, each with the rule that decided it, the oldest first.
pub(super) async fn open_positions(
    context: &Context,
    at: DateTime<Utc>,
) -> Result<Vec<(String, PaperPosition)>, JobError> {
    let config = &context.config;
    let longest = Horizon::sessions(config.rules.paper.horizons_sessions.iter().copied().max().unwrap_or(1));
    let symbols: Vec<Symbol> = config.signals.pairs.iter().map(|pair| pair.etf.clone()).collect();
    let mut book = Book::read(context, &symbols, (at - LONGEST_HORIZON, at)).await?;
    book.bars.retain(|bar| bar.timestamp.instant() <= at);
    let mut open = Vec::new();
    for decision in &book.entered {
        let position = book.position(context, decision, (longest, at))?;
        open.extend(position.filter(|of| !of.is_closed).map(|position| (decision.rule.clone(), position)));
    }
    open.sort_by_key(|(_, position)| position.as_of);
    Ok(open)
}

/// The side of the spot outlook, as the decision kept it.
fn base_side(decision: &DecisionRow) -> Result<Side, String> {
    let metadata: serde_json::Value = serde_json::from_str(&decision.metadata).map_err(|error| error.to_string())?;
    metadata.get("outlook").and_then(serde_json::Value::as_str).ok_or("its metadata has no outlook")?.parse()
}

async fn write(context: &Context, rows: &[OutcomeRow], run: &Run) -> Result<Counts, JobError> {
    Ok(match run.request.mode {
        WriteMode::DryRun => Counts::default(),
        WriteMode::Add => appended(&context.lake.append_outcomes(rows).await?),
        WriteMode::Replace => {
            let replacement = Replacement::begin(context)?;
            replacement.done(replacement.lake.replace_outcomes(rows).await).await?
        }
    })
}
