//! What the entry rules make of each signal: one decision, and the verdict of every rule.
//!
//! When: after `signals`, about its slot; by hand for the mornings of any range. Twice equals once because a verdict is keyed
//! by its ETF, its instant and its rule. Nothing is traded.

use std::cmp::Reverse;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::job::{Context, Counts, Failure, Job, JobError, Outcome, Run, WriteMode};
use crate::lake::{AsOf, DecisionRow, KeyRange, Rows, SignalRow, TableName};
use crate::market::GatewayKind;
use crate::rules::{Decision, Engine, NO_RULE, Situation};
use crate::signals::{NoOutlook, spot_outlook};

use super::known::{Question, etf_known};
use super::mornings::{MAX_NOTES, holds, is_retroactive, mornings};
use super::signal_rows::signal_of;
use super::write::{appended, keep, replaced};

/// What a decision is built on, as findings name it.
const SIGNALS: &str = TableName::FuturesSignals.as_str();
const DAILY: &str = TableName::SpotDaily.as_str();

const TIMEOUT: Duration = Duration::from_mins(3);

/// The job `rules`.
pub struct Rules;

#[async_trait]
impl Job for Rules {
    fn name(&self) -> &'static str {
        "rules"
    }

    fn summary(&self) -> &'static str {
        "decides by the entry rules what each signal means, on paper"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let slots = mornings(context, run).await?;
        let signals = signals(context, run, &slots).await?;
        if signals.is_empty() {
            return Ok(Outcome::skipped("there is no signal to decide on: run jobs run signals first"));
        }
        let engine = Engine::standard(&context.config.rules);
        let engine = engine.map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
        let generated_at = context.now().await?;
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        let holds = holds(context, generated_at)?;
        for row in &signals {
            let held =
                holds.on((SIGNALS, &row.symbol), row.as_of).or_else(|| holds.on((DAILY, &row.symbol), row.as_of));
            if let Some(why) = held {
                notes.push(format!("{} as of {}: no decision: {why}", row.symbol, row.as_of));
                continue;
            }
            let decision = match decide(context, &engine, row).await? {
                Ok(decision) => decision,
                Err(reason) => {
                    notes.push(format!("{} as of {}: no decision: {reason}", row.symbol, row.as_of));
                    continue;
                }
            };
            let timing = timing(context, row.as_of, generated_at)?;
            notes.push(line(&decision, timing));
            rows.extend(rows_of(&decision, (row.as_of, timing), (row.gateway, generated_at))?);
        }
        if rows.is_empty() {
            return Ok(Outcome::skipped(notes.join("; ")));
        }
        notes.truncate(MAX_NOTES);
        let counts = Counts { planned: rows.len(), ..write(context, &rows, run).await? };
        Ok(Outcome { notes, ..Outcome::done(counts) })
    }
}

/// The signals as of these slots.
async fn signals(context: &Context, run: &Run, slots: &[Slot]) -> Result<Vec<SignalRow>, JobError> {
    let Some((first, last)) = slots.first().zip(slots.last()) else { return Ok(Vec::new()) };
    let symbols = context.config.signals.pairs.iter().map(|pair| pair.etf.clone());
    let symbols = symbols.filter(|symbol| run.wants(symbol)).collect();
    let range = KeyRange { symbols, from: first.instant(), to: last.instant() };
    let mut rows = context.lake.signals(&range, &AsOf::Latest).await?;
    rows.retain(|row| slots.contains(&row.as_of));
    // The newest first: those are told of a long range.
    rows.sort_by_key(|row| Reverse(row.as_of));
    Ok(rows)
}

/// The decision, or why the outlook of the ETF is not known.
async fn decide(
    context: &Context,
    engine: &Engine,
    row: &SignalRow,
) -> Result<Result<Decision, NoOutlook>, JobError> {
    let signal = signal_of(row)?;
    let (config, calendars) = (&context.config, &context.calendars);
    let as_of = row.as_of.instant();
    let question = Question { etf: &row.symbol, as_of, rows: AsOf::Latest };
    let known = etf_known(&context.lake, question, (calendars, config)).await?;
    let outlook = spot_outlook(&known.closes, (as_of, &calendars.nyse), &config.signals)?;
    Ok(outlook.map(|outlook| {
        let mut decision = engine.decide(&Situation { signal: &signal, outlook, iv_rank: None });
        decision.metadata.insert("outlook".to_owned(), outlook.side.to_string().into());
        decision
    }))
}

/// Whether the decision came before the open that it is meant for.
fn timing(context: &Context, as_of: Slot, generated_at: DateTime<Utc>) -> Result<&'static str, JobError> {
    Ok(if is_retroactive(context, as_of, generated_at)? { "late" } else { "in_time" })
}

fn line(decision: &Decision, timing: &str) -> String {
    let Decision { symbol, action, direction, rule, reason, .. } = decision;
    let late = if timing == "late" { ", made afterwards" } else { "" };
    format!(
        "{symbol} as of {}: {action} {direction} by {rule}{late}: {reason}",
        decision.as_of.format("%Y-%m-%dT%H:%MZ")
    )
}

fn rows_of(
    decision: &Decision,
    (as_of, timing): (Slot, &str),
    (gateway, generated_at): (GatewayKind, DateTime<Utc>),
) -> Result<Vec<DecisionRow>, JobError> {
    let metadata = serde_json::to_string(&decision.metadata).map_err(|error| JobError::fail(Failure::Failed, error))?;
    let blank = DecisionRow {
        symbol: decision.symbol.clone(),
        as_of,
        rule: NO_RULE.to_owned(),
        priority: None,
        verdict: "decided".to_owned(),
        reason: decision.reason.clone(),
        action: None,
        direction: None,
        strategy_type: None,
        urgency: None,
        position_multiplier: None,
        timing: timing.to_owned(),
        metadata,
        gateway,
        generated_at,
    };
    let decided = DecisionRow {
        action: Some(decision.action.to_string()),
        direction: Some(decision.direction.to_string()),
        strategy_type: decision.strategy_type.map(|of| of.as_str().to_owned()),
        urgency: Some(decision.urgency.to_string()),
        position_multiplier: Some(decision.position_multiplier),
        ..blank.clone()
    };
    let mut rows: Vec<DecisionRow> = decision
        .verdicts
        .iter()
        .map(|of| {
            let base = if of.won { decided.clone() } else { blank.clone() };
            let verdict = match (of.won, of.fired) {
                (true, _) => "decided",
                (false, true) => "fired",
                (false, false) => "missed",
            };
            let (rule, reason) = (of.rule.clone(), of.reason.clone());
            DecisionRow { rule, priority: Some(i64::from(of.priority)), verdict: verdict.to_owned(), reason, ..base }
        })
        .collect();
    if decision.rule == NO_RULE {
        rows.push(decided);
    }
    Ok(rows)
}

async fn write(context: &Context, rows: &[DecisionRow], run: &Run) -> Result<Counts, JobError> {
    Ok(match run.request.mode {
        WriteMode::DryRun => Counts::default(),
        WriteMode::Add => appended(&context.lake.append_decisions(rows).await?),
        WriteMode::Replace => {
            let done = context.lake.replace_decisions(rows).await?;
            keep(context, TableName::Decisions, &Rows::of_decisions(&done.old)?).await?;
            replaced(&done)
        }
    })
}
