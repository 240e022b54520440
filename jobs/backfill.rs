//! Fills missing slots from historical five-minute bars: by hand any range, else the last sessions; a new lake's first load.
//!
//! When: at the daemon's start, before the open and after the closes. Twice equals once because only absent keys are
//! fetched and added; each part is written as it is done, so an interrupted run goes on where it ended.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};

use crate::gateway::Gateway;
use crate::job::{Context, Counts, Disposition, Failure, Job, JobError, Outcome, Run, WriteMode, chain};
use crate::quality::Finding;

use super::bars::{self, Fill, Refused};
use super::daily::{self, DailyGap};
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
        let mut filled = fill_all(context, gateway.as_ref(), &gaps, run.request.mode).await?;
        if !filled.is_gone() {
            fill_days(context, gateway.as_ref(), (&days, run.request.mode), &mut filled).await?;
        }
        filled.finish(num_slots(&gaps))
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

/// What a backfill has come to.
#[derive(Debug, Default)]
struct Filled {
    counts: Counts,
    findings: Vec<Finding>,
    notes: Vec<String>,
    missing: Vec<Refused>,
}

impl Filled {
    /// Whether the gateway does not answer any more: every further request would wait in vain.
    fn is_gone(&self) -> bool {
        self.missing.iter().any(|missing| !missing.error.is_refusal())
    }

    /// Takes in what is missing; what the gateway would refuse again is remembered by its name.
    fn miss(&mut self, missing: Refused, refused: &mut BTreeMap<String, String>) {
        if missing.error.is_refusal() && missing.error.disposition() == Disposition::Fail {
            refused.entry(missing.of.clone()).or_insert_with(|| chain(&missing.error));
        }
        let words = chain(&missing.error);
        let same = self.missing.iter_mut().find(|known| known.of == missing.of && chain(&known.error) == words);
        match same {
            Some(known) => {
                known.slots.extend(missing.slots);
                known.slots.sort_unstable();
            }
            None => self.missing.push(missing),
        }
    }

    /// Done where nothing is missing; else a failure that says what is there and what is not.
    fn finish(mut self, planned: usize) -> Result<Outcome, JobError> {
        let told: Vec<String> = self.missing.iter().map(ToString::to_string).collect();
        // One that may pass makes the run worth another attempt, and a gateway that is gone says more than a refusal.
        let weight =
            |missing: &Refused| (!missing.error.is_refusal(), missing.error.disposition() == Disposition::Retry);
        self.missing.sort_by_key(weight);
        let Some(worst) = self.missing.pop() else {
            return Ok(Outcome { notes: self.notes, ..Outcome::done(self.counts).with_findings(self.findings) });
        };
        let there = self.counts.added + self.counts.replaced;
        let mut told = vec![format!("{there} of {planned} rows filled; missing: {}", told.join("; "))];
        told.extend(self.notes);
        let error = worst.error.with_message(told.join("; ")).with_findings(self.findings);
        Err(if there > 0 { error.after_some() } else { error })
    }
}

/// Fills the daily bars of one ETF after the other. One that is refused keeps no other from being filled.
async fn fill_days(
    context: &Context,
    gateway: &dyn Gateway,
    (days, mode): (&[DailyGap], WriteMode),
    filled: &mut Filled,
) -> Result<(), JobError> {
    let mut all = daily::Filled::default();
    for gap in days {
        match daily::fill(context, gateway, (gap, mode)).await {
            Ok(of_gap) => {
                all.written += of_gap.written;
                all.without_bar += of_gap.without_bar;
                all.rejected += of_gap.rejected;
            }
            Err(error) if error.failure() == Failure::Unavailable => {
                let of = format!("{} ({} sessions of spot_daily)", gap.symbol, gap.sessions.len());
                filled.missing.push(Refused { of, slots: Vec::new(), error });
                if filled.is_gone() {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    let counted = |count: usize, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    let without_bar = counted(all.without_bar, "without a bar");
    let rejected = counted(all.rejected, "with a price that cannot be, see quality_findings");
    let note = format!("spot_daily: {} rows written{without_bar}{rejected}", all.written);
    filled.notes.extend((!days.is_empty()).then_some(note));
    Ok(())
}

/// Fills gap after gap. What is refused keeps nothing else from being filled; a gateway that does not answer any more ends the
/// run, for it would let every further request wait in vain.
async fn fill_all(context: &Context, gateway: &dyn Gateway, gaps: &[Gap], mode: WriteMode) -> Result<Filled, JobError> {
    context.progress.begin(num_slots(gaps) as u64, "slots");
    let (mut filled, mut refused) = (Filled::default(), BTreeMap::new());
    for gap in gaps {
        fill(context, gateway, (gap, mode), (&mut filled, &mut refused)).await?;
        if filled.is_gone() {
            break;
        }
        context.progress.advance(gap.slots.len() as u64);
    }
    context.progress.end();
    recover(context, gaps).await?;
    Ok(filled)
}

/// Fills one gap.
async fn fill(
    context: &Context,
    gateway: &dyn Gateway,
    (gap, mode): (&Gap, WriteMode),
    (filled, refused): (&mut Filled, &mut BTreeMap<String, String>),
) -> Result<(), JobError> {
    let symbol = gap.symbol.to_string();
    let missing = |error| Refused { of: symbol.clone(), slots: gap.slots.clone(), error };
    if let Some(why) = refused.get(&symbol) {
        filled.miss(missing(JobError::refused(why.clone())), refused);
        return Ok(());
    }
    let fill = Fill { table: gap.table, symbol: &gap.symbol, slots: &gap.slots, mode, refused };
    let produced = match bars::rows(context, gateway, &fill).await {
        Ok(produced) => produced,
        Err(error) if error.failure() == Failure::Unavailable => {
            filled.miss(missing(error), refused);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let written = write(context, &produced.rows, mode).await?;
    keep_rejected(context, &produced).await?;
    if !produced.rejected.is_empty() {
        tracing::warn!(symbol, rows = produced.rejected.len(), "bars whose price cannot be went to quarantine");
    }
    let (planned, num_refused) =
        (gap.slots.len(), produced.refused.iter().map(|refused| refused.slots.len()).sum::<usize>());
    let without_data = planned.saturating_sub(produced.rows.len() + num_refused);
    tracing::debug!(symbol, planned, filled = produced.rows.len(), num_refused, "filled a gap");
    filled.counts.add(Counts { planned, without_data, ..written });
    filled.findings.extend(produced.findings);
    for missing in produced.refused {
        filled.miss(missing, refused);
    }
    Ok(())
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
