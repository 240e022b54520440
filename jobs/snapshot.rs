//! Captures the quotes of the lead contracts, and of the ETFs while NYSE is open, at one slot.
//!
//! When: every five minutes while `cme_equity` is open. Twice equals once because a row's key is (symbol, slot) and only
//! absent keys are asked for and added. A quote is a slot's only within a minute of it; after that the slot is filled from
//! the historical bar that ended at it, so that nothing later is ever stored under a slot.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::future::join_all;

use crate::calendar::Slot;
use crate::gateway::Gateway;
use crate::job::{Captured, Context, Counts, Failure, Job, JobError, Outcome, Run, RunResult, WriteMode, chain};
use crate::lake::KeyRange;
use crate::market::Symbol;
use crate::quality::{Finding, Severity};

use super::bars::{self, Fill, Made, Table};
use super::live::capture;
use super::told::keep_rejected;
use super::write::write;

/// How long after a slot a quote is still the slot's.
pub(super) const QUOTE_WINDOW: TimeDelta = TimeDelta::seconds(60);

const TIMEOUT: Duration = Duration::from_secs(90);

/// The job `snapshot`.
pub struct Snapshot;

#[async_trait]
impl Job for Snapshot {
    fn name(&self) -> &'static str {
        "snapshot"
    }

    fn summary(&self) -> &'static str {
        "captures the quotes of the lead contracts and their ETFs at a slot"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let Some(wanted) = wanted(context, run)? else {
            return Ok(Outcome::skipped(format!("cme_equity is closed at {}", run.slot)));
        };
        if wanted.is_empty() {
            return Ok(Outcome::skipped(format!("nyse is closed at {}", run.slot)));
        }
        let missing =
            if run.request.mode == WriteMode::Replace { wanted.clone() } else { absent(context, &wanted).await? };
        if missing.is_empty() {
            return Ok(Outcome::skipped(format!("already captured: all {} rows of {}", wanted.len(), run.slot)));
        }
        let present = wanted.len() - missing.len();
        let gateway = context.gateway().await?;
        let age = context.now().await? - run.slot.instant();
        let captured = if age <= QUOTE_WINDOW {
            capture(context, gateway.as_ref(), &missing, run.request.mode).await
        } else {
            fill(context, gateway.as_ref(), &missing, run.request.mode).await
        };
        let mut outcome = captured.map_err(|error| if present > 0 { error.after_some() } else { error })?;
        if let RunResult::Done(counts) = &mut outcome.result {
            counts.add(Counts { planned: present, present, ..Counts::default() });
        }
        Ok(outcome)
    }
}

/// The symbols of one slot.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The slot.
    pub(super) slot: Slot,
    /// Futures, in the order of the configuration.
    pub(super) futures: Vec<Symbol>,
    /// ETFs.
    pub(super) spot: Vec<Symbol>,
    /// Rows of the slot that are there already.
    pub(super) num_present: usize,
}

impl Wanted {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.futures.len() + self.spot.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What belongs to the slot; none where the futures do not trade. The ETFs belong to it while NYSE is open.
fn wanted(context: &Context, run: &Run) -> Result<Option<Wanted>, JobError> {
    if context.calendars.futures.session_of_slot(run.slot)?.is_none() {
        return Ok(None);
    }
    let asked = |symbols: &[Symbol]| symbols.iter().filter(|s| run.wants(s)).cloned().collect();
    let nyse_open = context.calendars.nyse.session_of_slot(run.slot)?.is_some();
    let futures = asked(&context.config.market.futures);
    let spot = if nyse_open { asked(&context.config.market.spot) } else { Vec::new() };
    Ok(Some(Wanted { slot: run.slot, futures, spot, num_present: 0 }))
}

/// Those of the wanted rows that the tables lack.
async fn absent(context: &Context, wanted: &Wanted) -> Result<Wanted, JobError> {
    let at = |symbols: &[Symbol]| KeyRange {
        symbols: symbols.to_vec(),
        from: wanted.slot.instant(),
        to: wanted.slot.instant(),
    };
    let futures = context.lake.futures_keys(&at(&wanted.futures)).await?;
    let spot = context.lake.spot_keys(&at(&wanted.spot)).await?;
    let mut absent = wanted.clone();
    absent.futures.retain(|symbol| !futures.contains(&(symbol.clone(), wanted.slot)));
    absent.spot.retain(|symbol| !spot.contains(&(symbol.clone(), wanted.slot)));
    absent.num_present = wanted.len() - absent.len();
    Ok(absent)
}

/// Fills the slot from the bars that ended at it, all symbols side by side. One that cannot be had does not keep the others
/// out.
async fn fill(context: &Context, gateway: &dyn Gateway, wanted: &Wanted, mode: WriteMode) -> Result<Outcome, JobError> {
    let futures = wanted.futures.iter().map(|symbol| (Table::Futures, symbol));
    let spot = wanted.spot.iter().map(|symbol| (Table::Spot, symbol));
    let (slots, refused) = ([wanted.slot], BTreeMap::new());
    let fill = |(table, symbol)| Fill { table, symbol, slots: &slots, mode, refused: &refused };
    let fills: Vec<Fill<'_>> = futures.chain(spot).map(fill).collect();
    let filled = join_all(fills.iter().map(|fill| bars::rows(context, gateway, fill))).await;
    let (mut rows, mut findings, mut failures) = (Captured::default(), Vec::new(), Vec::new());
    for (fill, of_fill) in fills.iter().zip(filled) {
        match of_fill {
            Ok(Made { refused, .. }) if !refused.is_empty() => failures.extend(refused.into_iter().map(|r| r.error)),
            Ok(Made { rows, rejected, .. }) if rows.is_empty() && rejected.is_empty() => {
                failures.push(no_bar(fill.symbol, wanted.slot));
            }
            Ok(produced) => {
                if !produced.rejected.is_empty() {
                    failures.push(bad_bar(&produced.findings));
                    if mode != WriteMode::DryRun {
                        keep_rejected(context, &produced).await?;
                    }
                }
                rows.extend(produced.rows);
                findings.extend(produced.findings);
            }
            Err(error) => failures.push(error),
        }
    }
    let counts = Counts { planned: wanted.len(), ..write(context, &rows, mode).await? };
    let told: Vec<String> = failures.iter().map(|error| chain(error)).collect();
    if let Some(first) = failures.into_iter().next() {
        let there = wanted.num_present + rows.len();
        let told = format!("{there} of {} rows captured: {}", wanted.num_present + wanted.len(), told.join("; "));
        let error = first.with_message(told).with_findings(findings);
        return Err(if rows.is_empty() { error } else { error.after_some() });
    }
    let unwritten = if mode == WriteMode::DryRun { rows } else { Captured::default() };
    Ok(Outcome { unwritten, ..Outcome::done(counts).with_findings(findings) })
}

fn bad_bar(findings: &[Finding]) -> JobError {
    let bad = findings.iter().filter(|finding| finding.severity >= Severity::Error).map(ToString::to_string);
    JobError::fail(Failure::BadData, bad.collect::<Vec<_>>().join("; "))
}

fn no_bar(symbol: &Symbol, slot: Slot) -> JobError {
    JobError::fail(Failure::Unavailable, format!("the gateway has no bar of {symbol} that ended at {slot}"))
}
