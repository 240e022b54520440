//! Fills missing slots from historical five-minute bars: by hand any range, else the last sessions; a new lake's first load.
//!
//! When: at the daemon's start, before the open and after the closes. Twice equals once because only absent keys are
//! fetched and added; each part is written as it is done, so an interrupted run goes on where it ended.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};

use crate::gateway::Gateway;
use crate::job::{Context, Counts, Disposition, Failure, Job, JobError, Outcome, Run, WriteMode, chain};
use crate::quality::Finding;

use super::bars::{self, Fill, Made};
use super::daily::{self, DailyGap, Filled};
use super::gaps::{self, Gap};
use super::told::keep_rejected;
use super::write::write;

/// A slot this young belongs to the snapshot job, whose row carries bid, ask and open interest.
const LEFT_TO_SNAPSHOT: TimeDelta = TimeDelta::seconds(60);

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
        let gaps = gaps::find(context, run, newest).await?;
        let days = daily::find(context, run, newest).await?;
        if gaps.is_empty() && days.is_empty() {
            return Ok(Outcome::skipped(format!("nothing is missing up to {}", newest.format("%Y-%m-%dT%H:%M:%SZ"))));
        }
        if run.request.mode == WriteMode::DryRun {
            let counts = Counts { planned: num_slots(&gaps), ..Counts::default() };
            let notes = gaps.iter().map(describe).chain(days.iter().map(describe_days)).collect();
            return Ok(Outcome { notes, ..Outcome::done(counts) });
        }
        let gateway = context.gateway().await?;
        let mut outcome = fill_all(context, gateway.as_ref(), &gaps, run.request.mode).await?;
        outcome.notes.extend(fill_days(context, gateway.as_ref(), (&days, run.request.mode)).await?);
        Ok(outcome)
    }
}

fn num_slots(gaps: &[Gap]) -> usize {
    gaps.iter().map(|gap| gap.slots.len()).sum()
}

fn describe(gap: &Gap) -> String {
    let edge = |slot: Option<&crate::calendar::Slot>| slot.map_or_else(String::new, ToString::to_string);
    format!("{}: {} slots from {} to {}", gap.symbol, gap.slots.len(), edge(gap.slots.first()), edge(gap.slots.last()))
}

fn describe_days(gap: &DailyGap) -> String {
    format!("{}: {} sessions of spot_daily", gap.symbol, gap.sessions.len())
}

/// Fills the daily bars of one ETF after the other; what was added, in words.
async fn fill_days(
    context: &Context,
    gateway: &dyn Gateway,
    (days, mode): (&[DailyGap], WriteMode),
) -> Result<Vec<String>, JobError> {
    let mut all = Filled::default();
    for gap in days {
        let filled = daily::fill(context, gateway, (gap, mode)).await?;
        all.written += filled.written;
        all.without_bar += filled.without_bar;
        all.rejected += filled.rejected;
    }
    let counted = |count: usize, what: &str| (count > 0).then(|| format!(", {count} {what}")).unwrap_or_default();
    let without_bar = counted(all.without_bar, "without a bar");
    let rejected = counted(all.rejected, "with a price that cannot be, see quality_findings");
    let note = format!("spot_daily: {} rows written{without_bar}{rejected}", all.written);
    Ok((!days.is_empty()).then_some(note).into_iter().collect())
}

/// Fills gap after gap. A symbol that is refused does not keep the others from being filled; a gateway that does not
/// answer any more ends the run, for it would let every further request wait in vain.
async fn fill_all(
    context: &Context,
    gateway: &dyn Gateway,
    gaps: &[Gap],
    mode: WriteMode,
) -> Result<Outcome, JobError> {
    context.progress.begin(num_slots(gaps) as u64, "slots");
    let (mut counts, mut findings, mut failures) = (Counts::default(), Vec::new(), Vec::<(&Gap, JobError)>::new());
    for gap in gaps {
        if failures.iter().any(|(failed, _)| failed.symbol == gap.symbol) {
            continue;
        }
        match fill(context, gateway, gap, mode).await {
            Ok((filled, found)) => {
                counts.add(filled);
                findings.extend(found);
            }
            Err(error) if error.failure() != Failure::Unavailable => return Err(error),
            Err(error) => {
                let is_gone = error.disposition() == Disposition::Retry;
                failures.push((gap, error));
                if is_gone {
                    break;
                }
            }
        }
        context.progress.advance(gap.slots.len() as u64);
    }
    context.progress.end();
    recover(context, gaps).await?;
    let told: Vec<String> = failures.iter().map(|(gap, error)| format!("{}: {}", gap.symbol, chain(error))).collect();
    match failures.into_iter().next_back() {
        None => Ok(Outcome::done(counts).with_findings(findings)),
        Some((_, last)) => {
            let told = format!("{} of {} rows filled, then: {}", counts.added, num_slots(gaps), told.join("; "));
            Err(last.with_message(told))
        }
    }
}

async fn fill(
    context: &Context,
    gateway: &dyn Gateway,
    gap: &Gap,
    mode: WriteMode,
) -> Result<(Counts, Vec<Finding>), JobError> {
    let fill = Fill { table: gap.table, symbol: &gap.symbol, slots: &gap.slots, mode };
    let made = bars::rows(context, gateway, &fill).await?;
    let written = write(context, &made.rows, mode).await?;
    keep_rejected(context, &made).await?;
    let Made { rows, rejected, findings } = made;
    if !rejected.is_empty() {
        tracing::warn!(symbol = %gap.symbol, rows = rejected.len(), "bars whose price cannot be went to quarantine");
    }
    let (planned, filled) = (gap.slots.len(), rows.len());
    tracing::debug!(symbol = %gap.symbol, planned, filled, "filled a gap");
    Ok((Counts { planned, without_data: planned - filled, ..written }, findings))
}

/// Tells the ledger which slots of the snapshot job are whole now, so that the missed ones among them become recovered.
async fn recover(context: &Context, gaps: &[Gap]) -> Result<(), JobError> {
    let Some(ledger) = context.ledger.clone() else { return Ok(()) };
    let whole = gaps::whole_slots(context, gaps).await?.into_iter().map(DateTime::from).collect::<Vec<_>>();
    let now = context.clock.now();
    let recovering = tokio::task::spawn_blocking(move || ledger.recover("snapshot", &whole, now));
    let recovered = recovering.await.map_err(|error| JobError::fail(Failure::Failed, error))??;
    if recovered > 0 {
        tracing::info!(recovered, "slots that had been missed are filled now");
    }
    Ok(())
}
