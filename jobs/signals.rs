//! What the futures say of each ETF, kept as one row for each.
//!
//! When: half an hour before NYSE's open, a minute after the snapshot of that slot; by hand for the mornings of any range,
//! from the rows known then. Twice equals once because a signal is keyed by its ETF and its instant.

use std::time::Duration;

use async_trait::async_trait;

use crate::calendar::Slot;
use crate::job::{Context, Counts, Job, JobError, Outcome, Run, WriteMode};
use crate::lake::{AsOf, SignalRow};
use crate::quality::{FUTURES_TABLE, SPOT_TABLE};
use crate::signals::Derived;

use super::known::{Question, known_after};
use super::mornings::{MAX_NOTES, holds, mornings};
use super::replacement::Replacement;
use super::signal_rows::row_of;
use super::track::Track;
use super::write::appended;

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
        let counts = Counts { planned, without_data: planned - rows.len(), ..write(context, &rows, run).await? };
        // Of a long range the newest are told.
        notes.extend(rows.iter().rev().take(MAX_NOTES).map(line));
        Ok(Outcome { notes, ..Outcome::done(counts) })
    }
}

fn line(row: &SignalRow) -> String {
    let (symbol, as_of, confidence) = (&row.symbol, row.as_of, row.confidence);
    format!("{symbol} as of {as_of}: {}, {}, confidence {confidence:.2}: {}", row.signal, row.sentiment, row.reasoning)
}

async fn write(context: &Context, rows: &[SignalRow], run: &Run) -> Result<Counts, JobError> {
    Ok(match run.request.mode {
        WriteMode::DryRun => Counts::default(),
        WriteMode::Add => appended(&context.lake.append_signals(rows).await?),
        WriteMode::Replace => {
            let replacement = Replacement::begin(context)?;
            replacement.done(replacement.lake.replace_signals(rows).await).await?
        }
    })
}
