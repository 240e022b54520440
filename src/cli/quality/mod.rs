//! `jobs quality`: the checks, what they found, and what was kept apart.

mod checks;
mod decide;
mod report;

use clap::Subcommand;

use crate::job::JobError;

use super::settings::Globals;

/// What to tell.
#[derive(Debug, Subcommand)]
pub(super) enum QualityCommand {
    /// List the checks with their bounds, what is done, and what the last look came to.
    #[command(after_help = "Examples:
  jobs quality checks
  jobs quality checks --format jsonl | jq -r 'select(.last == null) | .check'")]
    Checks,
    /// Tell what was found of a session, and what was kept apart.
    #[command(after_help = "Examples:
  jobs quality report
  jobs quality report --date 2026-11-20 --format json

A finding that several runs made is shown once, as the newest run saw it.")]
    Report(report::ReportArgs),
    /// Put a row that was kept apart into its table after all.
    #[command(after_help = "Example:
  jobs quality release ES 2026-11-20T10:05

It is refused where the table has a row of that symbol and slot by now. Exit codes: 0 released, 2 no such row waits, 65 the
slot is taken.")]
    Release(decide::DecideArgs),
    /// Note that a row that was kept apart is not wanted; it stays where it is.
    #[command(after_help = "Example:\n  jobs quality drop ES 2026-11-20T10:05")]
    Drop(decide::DecideArgs),
}

/// Does it.
pub(super) fn quality(globals: &Globals, command: &QualityCommand) -> Result<u8, JobError> {
    match command {
        QualityCommand::Checks => checks::checks(globals),
        QualityCommand::Report(args) => report::report(globals, args),
        QualityCommand::Release(args) => decide::decide(globals, args, decide::Verdict::Release),
        QualityCommand::Drop(args) => decide::decide(globals, args, decide::Verdict::Drop),
    }
}
