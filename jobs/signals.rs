//! What the futures say of each ETF, kept as one row for each.
//!
//! When: half an hour before NYSE's open, a minute after the snapshot of that slot; by hand for the mornings of any range,
//! from the rows known then. Twice equals once because a signal is keyed by its ETF and its instant. Of a range that is asked for, a
//! signal that was made retroactively from less than is stored by now is made again; one that was made in time stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;

use crate::calendar::Slot;
use crate::job::{Context, Counts, Job, JobError, Outcome, Run, WriteMode};
use crate::lake::{AsOf, KeyRange, Rows, SignalRow, TableName};
use crate::market::Symbol;
use crate::quality::{FUTURES_TABLE, SPOT_TABLE};
use crate::signals::Derived;

use super::known::{Question, known_after};
use super::mornings::{MAX_NOTES, holds, is_retroactive, mornings};
use super::signal_rows::{completes, row_of};
use super::track::Track;
use super::write::{appended, keep, replaced};

const TIMEOUT: Duration = Duration::from_mins(3);

/// The job `signals`.
pub struct Signals;

#[async_trait]
impl Job for Signals {
    fn name(&self) -> &'static str {
        "signals"
    }

    fn summary(&self) -> &'static str {
        "derives what the futures say of each ETF before the open"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let config = &context.config;
        let (generated_at, gateway) = (context.now().await?, config.gateway.kind);
        let (mut rows, mut notes, mut planned) = (Vec::new(), Vec::new(), 0);
        let holds = holds(context, generated_at)?;
        let mornings = mornings(context, run).await?;
        let edge = |slot: Option<&Slot>| slot.map_or(generated_at, |slot| slot.instant());
        let edges = (edge(mornings.first()), edge(mornings.last()));
        for pair in config.signals.pairs.iter().filter(|pair| run.wants(&pair.etf)) {
            let track = Track::read(&context.lake, (pair, edges, AsOf::Latest), (&context.calendars, config)).await?;
            for &slot in &mornings {
                planned += 1;
                let held = holds.on((FUTURES_TABLE, &pair.future), slot);
                if let Some(why) = held.or_else(|| holds.on((SPOT_TABLE, &pair.etf), slot)) {
                    notes.push(format!("{} as of {slot}: no signal: {why}", pair.etf));
                    continue;
                }
                let question = Question { etf: &pair.etf, as_of: slot.instant(), rows: AsOf::Latest };
                let known = known_after(&context.lake, (question, &track), (&context.calendars, config)).await?;
                match known.signal(&context.calendars, config)? {
                    Derived::Signal(signal) => rows.push(row_of(&signal, slot, (gateway, generated_at))),
                    Derived::Skipped(reason) => notes.push(format!("{} as of {slot}: no signal: {reason}", pair.etf)),
                }
            }
        }
        rows.sort_by_key(|row| row.as_of);
        if rows.is_empty() {
            let told = if notes.is_empty() {
                "NYSE does not open in the range, or on that day".to_owned()
            } else {
                notes.join("; ")
            };
            return Ok(Outcome::skipped(told));
        }
        let (written, kept) = write(context, &rows, run).await?;
        let counts = Counts { planned, without_data: planned - rows.len(), ..written };
        notes.extend(kept);
        // Of a long range the newest are told.
        notes.extend(rows.iter().rev().take(MAX_NOTES).map(line));
        Ok(Outcome { notes, ..Outcome::done(counts) })
    }
}

fn line(row: &SignalRow) -> String {
    let (symbol, as_of, confidence) = (&row.symbol, row.as_of, row.confidence);
    format!("{symbol} as of {as_of}: {}, {}, confidence {confidence:.2}: {}", row.signal, row.sentiment, row.reasoning)
}

/// Writes signals, and says of which the stored one lacks inputs that are known now and stays all the same.
async fn write(context: &Context, rows: &[SignalRow], run: &Run) -> Result<(Counts, Option<String>), JobError> {
    Ok(match run.request.mode {
        WriteMode::DryRun => (Counts::default(), None),
        WriteMode::Add => {
            let Incomplete { retroactive, in_time } = match run.request.range {
                Some(_) => incomplete(context, rows).await?,
                None => Incomplete::default(),
            };
            let completed = replace(context, &retroactive).await?;
            let mut counts = appended(&context.lake.append_signals(rows).await?);
            counts.replaced = completed.replaced;
            counts.present = counts.present.saturating_sub(completed.replaced);
            let kept = format!(
                "{in_time} signals that were made in time lack inputs that are known now: they stay as they were made, --force replaces them"
            );
            (counts, (in_time > 0).then_some(kept))
        }
        WriteMode::Replace => (replace(context, rows).await?, None),
    })
}

/// Signals whose stored row lacks inputs that are known now.
#[derive(Debug, Default)]
struct Incomplete {
    /// The rows to put in the place of those that were made after the open they were for.
    retroactive: Vec<SignalRow>,
    /// How many were made in time: what a trader had then is not changed.
    in_time: usize,
}

async fn incomplete(context: &Context, rows: &[SignalRow]) -> Result<Incomplete, JobError> {
    let mut found = Incomplete::default();
    let instants = || rows.iter().map(|row| row.as_of.instant());
    let (Some(from), Some(to)) = (instants().min(), instants().max()) else { return Ok(found) };
    let symbols: BTreeSet<Symbol> = rows.iter().map(|row| row.symbol.clone()).collect();
    let range = KeyRange { symbols: symbols.into_iter().collect(), from, to };
    let stored = context.lake.signals(&range, &AsOf::Latest).await?;
    let stored: BTreeMap<(&Symbol, Slot), &SignalRow> =
        stored.iter().map(|row| ((&row.symbol, row.as_of), row)).collect();
    for row in rows {
        let Some(before) = stored.get(&(&row.symbol, row.as_of)).filter(|before| completes(row, before)) else { continue };
        if is_retroactive(context, before.as_of, before.generated_at)? {
            found.retroactive.push(row.clone());
        } else {
            found.in_time += 1;
        }
    }
    Ok(found)
}

/// Replaces signals; the rows that stood there are kept in the ledger.
async fn replace(context: &Context, rows: &[SignalRow]) -> Result<Counts, JobError> {
    if rows.is_empty() {
        return Ok(Counts::default());
    }
    let done = context.lake.replace_signals(rows).await?;
    keep(context, TableName::FuturesSignals, &Rows::of_signals(&done.old)?).await?;
    Ok(replaced(&done))
}
