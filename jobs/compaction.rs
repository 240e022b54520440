//! Keeps the tables few files and a short log, so that a year of captures is read and written as quickly as a day.
//!
//! When: hourly while `cme_equity` is open, and after its close, when the whole maintenance follows the compaction: replaced
//! files and orphans deleted, a checkpoint, a shorter log, leftovers of killed writers swept. By hand it is always the
//! whole. Twice equals once because a compacted table stays as it is, and so does a tidy one; the rows never change.

use std::time::Duration;

use async_trait::async_trait;

use crate::calendar::Calendar;
use crate::clock::{Clock, SystemClock};
use crate::job::{Context, Counts, Job, JobError, Outcome, Run, Trigger, WriteMode, chain};
use crate::lake::{Compacted, CompactionPlan, Lake, LakeError, TableName, Tidied};

use super::replacement::settle;

const TIMEOUT: Duration = Duration::from_mins(15);

/// The job `compaction`.
pub struct Compaction;

#[async_trait]
impl Job for Compaction {
    fn name(&self) -> &'static str {
        "compaction"
    }

    fn summary(&self) -> &'static str {
        "puts few files in the place of many small ones, and tidies the tables up"
    }

    fn resources(&self) -> &'static [&'static str] {
        &["maintenance-futures_snapshots", "maintenance-spot_snapshots"]
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        match context.lake.check_exists() {
            Ok(()) => {}
            // Before the first capture of a daemon it is as it should be; who asks by hand is in the wrong place.
            Err(error) if run.request.trigger == Trigger::Manual => return Err(error.into()),
            Err(error) => return Ok(Outcome::skipped(error.to_string())),
        }
        if run.request.mode == WriteMode::DryRun {
            return plan(&context.lake).await;
        }
        let outcome = maintain(&context.lake, extent(&context.calendars.futures, run)?).await;
        settle_replacements(context).await;
        outcome
    }
}

/// How much of the maintenance a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Compaction alone.
    Tail,
    /// All of it.
    Whole,
}

/// While the market is open only what the next reads gain from: the rest lists every file of a table and its whole log.
fn extent(futures: &Calendar, run: &Run) -> Result<Extent, JobError> {
    let is_open = futures.session_of_slot(run.slot)?.is_some();
    let is_tail = is_open && run.request.trigger != Trigger::Manual;
    Ok(if is_tail { Extent::Tail } else { Extent::Whole })
}

/// What cannot be settled now is settled by the next run, so it fails none.
async fn settle_replacements(context: &Context) {
    let Some(ledger) = &context.ledger else { return };
    for table in TableName::ALL {
        if let Err(error) = settle(&context.lake, ledger, table).await {
            tracing::warn!(%table, error = %chain(&error), "notes of replaced rows stay pending");
        }
    }
}

async fn plan(lake: &Lake) -> Result<Outcome, JobError> {
    let mut notes = Vec::new();
    for table in TableName::ALL {
        let plan = lake.compaction_plan(table).await?;
        if plan.files_before > 0 {
            notes.push(planned(&plan));
        }
    }
    Ok(Outcome { notes, ..Outcome::done(Counts::default()) })
}

async fn maintain(lake: &Lake, extent: Extent) -> Result<Outcome, JobError> {
    let mut notes = Vec::new();
    let mut failure = None;
    for table in TableName::ALL {
        // A table that fails does not keep the others from being seen to.
        match maintain_table(lake, table, extent).await {
            Ok(of_table) => notes.extend(of_table),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if let Some(error) = failure {
        return Err(error.into());
    }
    if notes.is_empty() {
        return Ok(Outcome::skipped("nothing to do: every table is compact"));
    }
    for note in &notes {
        tracing::info!("{note}");
    }
    Ok(Outcome { notes, ..Outcome::done(Counts::default()) })
}

async fn maintain_table(lake: &Lake, table: TableName, extent: Extent) -> Result<Vec<String>, LakeError> {
    let mut notes = Vec::from_iter(compacted(table, &lake.compact(table).await?));
    if extent == Extent::Whole {
        // Files carry this machine's times, whatever clock the run goes by.
        notes.extend(tidied(table, &lake.tidy(table, SystemClock.now()).await?));
    }
    Ok(notes)
}

fn planned(plan: &CompactionPlan) -> String {
    let CompactionPlan { table, files_before, files_rewritten, files_after, .. } = plan;
    let before = format!("{table}: {files_before} files, {}", size(plan.bytes_before));
    if plan.is_empty() {
        return format!("{before}: nothing to compact");
    }
    let rewritten = size(plan.bytes_rewritten);
    format!("{before}: {files_rewritten} of them, {rewritten}, would be rewritten, leaving {files_after} files")
}

fn compacted(table: TableName, done: &Compacted) -> Option<String> {
    let gave_up = done.gave_up.then(|| format!("{table}: another writer was first, the next run sees to the rest"));
    let Some(version) = done.version else { return gave_up };
    let (before, after) = (size(done.bytes_removed), size(done.bytes_added));
    Some(format!(
        "{table}: {} rows of {} files, {before}, now in {} files, {after}, version {version}",
        done.rows, done.files_removed, done.files_added
    ))
}

fn tidied(table: TableName, done: &Tidied) -> Option<String> {
    let done_to_it = [
        (done.properties_set, "properties of the table set"),
        (done.files_deleted, "replaced or abandoned files deleted"),
        (done.log_entries_deleted, "entries of the log deleted"),
        (done.leftovers_deleted, "leftovers of killed writers deleted"),
    ];
    let done_to_it = done_to_it.into_iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = done_to_it.map(|(count, what)| format!("{count} {what}")).collect();
    parts.extend(done.checkpoint.map(|version| format!("checkpoint at version {version}")));
    (!parts.is_empty()).then(|| format!("{table}: {}", parts.join(", ")))
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    if bytes < 1_000_000 {
        return format!("{} kB", bytes.div_ceil(1_000));
    }
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{CalendarId, Slot, parse_instant};
    use crate::job::RunRequest;

    #[test]
    fn the_whole_is_done_after_the_close_and_by_hand() {
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        let of = |time: &str, trigger| {
            let slot = Slot::at(parse_instant(time).expect("New York time")).expect("on the grid");
            let request = RunRequest { trigger, ..RunRequest::manual() };
            extent(&calendar, &Run { slot, attempt: 1, request }).expect("covered")
        };
        assert_eq!(of("2026-11-18 15:00", Trigger::Schedule), Extent::Tail);
        assert_eq!(of("2026-11-18 17:00", Trigger::Schedule), Extent::Tail, "the last slot of the session");
        assert_eq!(of("2026-11-18 17:05", Trigger::Schedule), Extent::Whole);
        assert_eq!(of("2026-11-27 13:20", Trigger::CatchUp), Extent::Whole, "the close of a half day");
        assert_eq!(of("2026-11-18 15:00", Trigger::Manual), Extent::Whole);
    }

    #[test]
    fn a_size_is_short() {
        assert_eq!([0, 1, 6_800, 1_000_000, 12_340_000].map(size), ["0 kB", "1 kB", "7 kB", "1.0 MB", "12.3 MB"]);
    }

    #[test]
    fn a_note_tells_only_what_was_done() {
        let table = TableName::SpotSnapshots;
        assert_eq!(compacted(table, &Compacted::default()), None);
        assert_eq!(tidied(table, &Tidied::default()), None);
        let done = Tidied { files_deleted: 36, checkpoint: Some(14), ..Tidied::default() };
        let told = "spot_snapshots: 36 replaced or abandoned files deleted, checkpoint at version 14";
        assert_eq!(tidied(table, &done).as_deref(), Some(told));
    }
}
