//! `jobs table`: the tables of the lake as files, versions and commits, not as rows.

mod backup;
mod history;
mod import;
mod list;
mod restore;
mod stats;
mod verify;

use clap::Subcommand;

use crate::job::JobError;

use super::settings::Globals;

/// What to do with the tables.
#[derive(Debug, Subcommand)]
pub(super) enum TableCommand {
    /// List the tables: rows, files, bytes, newest slot.
    #[command(after_help = "Example:\n  jobs table list --format jsonl")]
    List,
    /// Tell what was committed to a table.
    History(history::HistoryArgs),
    /// Tell how a table lies on the disk.
    Stats(stats::StatsArgs),
    /// Prove that a table is whole, or tell what is damaged and what to do.
    Verify(verify::VerifyArgs),
    /// Bring an older version back as a new one, or tables from a backup.
    Restore(restore::RestoreArgs),
    /// Take in the rows of a table that another program made.
    Import(import::ImportArgs),
    /// Copy tables to another folder while captures go on.
    Backup(backup::BackupArgs),
}

/// Does it.
pub(super) fn table(globals: &Globals, command: &TableCommand) -> Result<u8, JobError> {
    match command {
        TableCommand::List => list::list(globals),
        TableCommand::History(args) => history::history(globals, args),
        TableCommand::Stats(args) => stats::stats(globals, args),
        TableCommand::Verify(args) => verify::verify(globals, args),
        TableCommand::Restore(args) => restore::restore(globals, args),
        TableCommand::Import(args) => import::import(globals, args),
        TableCommand::Backup(args) => backup::backup(globals, args),
    }
}
