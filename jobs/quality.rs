//! Checks what was captured: every row, the series they make, the tables that hold them, and the checks themselves.
//!
//! When: before the open and after the close of NYSE, and after the close of the futures, each time after backfill had its
//! turn. It looks at the last five sessions, or at those asked for. Twice equals once because a finding is keyed by the
//! slot of its run; no row of another table changes.

use std::time::Duration;

use async_trait::async_trait;

use crate::job::{Context, Counts, Job, JobError, Outcome, Run, WriteMode};
use crate::quality::{CheckRun, Status};

use super::look::{Look, look, window};
use super::told::keep;

const TIMEOUT: Duration = Duration::from_mins(3);

/// The job `quality`.
pub struct Quality;

#[async_trait]
impl Job for Quality {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn summary(&self) -> &'static str {
        "checks the captured rows, their series and their tables"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let now = context.now().await?;
        let sessions = window(context, run, now)?;
        if sessions.is_empty() {
            return Ok(Outcome::skipped("no session has begun in the range"));
        }
        let Look { runs, rows } = look(context, (&sessions, run.slot), now).await?;
        if run.request.mode != WriteMode::DryRun {
            keep(context, run, (&runs, &rows)).await?;
        }
        let notes = vec![account(&runs, rows.len())];
        let findings = runs.into_iter().flat_map(|run| run.findings).collect();
        let counts = Counts { planned: rows.len(), present: rows.len(), ..Counts::default() };
        Ok(Outcome { notes, ..Outcome::done(counts).with_findings(findings) })
    }
}

/// What became of the checks, in a line.
fn account(runs: &[CheckRun], num_rows: usize) -> String {
    let kinds = [
        (Status::Pass, "passed"),
        (Status::Warn, "warned"),
        (Status::Fail, "failed"),
        (Status::Error, "crashed"),
        (Status::Skipped, "had nothing to look at"),
    ];
    let count = |status| runs.iter().filter(|run| run.status == status).count();
    let told: Vec<String> = kinds
        .iter()
        .map(|(status, what)| (count(*status), what))
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("{} checks over {num_rows} rows: {}", runs.len(), told.join(", "))
}
