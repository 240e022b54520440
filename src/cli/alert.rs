//! `jobs alert`: what a person was told or is to be told, and how.

mod journal;
mod list;
mod meaning;
mod mute;
mod post;
mod trial;
mod unit_failed;
mod words;

use clap::Subcommand;

use crate::job::JobError;

use super::settings::Globals;

/// What to tell.
#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// List the incidents that go on, what is muted, and the mails that wait.
    #[command(after_help = "Examples:
  jobs alert list
  jobs alert list --all --format jsonl | jq .key

Exit codes: 0 whether there are any or not, 78 the ledger cannot be read.")]
    List(list::ListArgs),
    /// Mail nothing about an incident, a check or a table for a while.
    #[command(after_help = "Examples:
  jobs alert mute 17 --for 2h --reason \"gateway moves\"
  jobs alert mute complete.session:futures_snapshots:ES --for 30m --reason \"I know\"
  jobs alert mute complete.session --for 8h --reason \"roll week\"

The failures are counted all the same, and the mail that tells the end says what was held back. Exit codes: 0 muted, 2 an
unknown number, check, table or symbol, or a length that is none, 78 the ledger cannot be written.")]
    Mute(mute::MuteArgs),
    /// End a mute.
    #[command(
        after_help = "Example:\n  jobs alert unmute complete.session\n\nExit codes: 0 also where it was not muted."
    )]
    Unmute(mute::UnmuteArgs),
    /// Send one mail by the way that is configured, and say exactly what is wrong.
    #[command(after_help = "Example:
  jobs alert test

Exit codes: 0 the mail was taken, 69 the mail server is down or asks to come again, 78 the configuration is wrong.")]
    Test,
    /// Tell that a systemd unit failed; the units run it when they do.
    #[command(after_help = "Example:
  jobs alert unit-failed jobs.service            to stdout, stderr, logs/alert.log, and by mail

How the unit ended is read from the variables that systemd sets for OnFailure=: MONITOR_SERVICE_RESULT,
MONITOR_EXIT_CODE, MONITOR_EXIT_STATUS and MONITOR_INVOCATION_ID.")]
    UnitFailed(unit_failed::UnitFailedArgs),
}

/// Does it.
pub(super) fn alert(globals: &Globals, command: &AlertCommand) -> Result<u8, JobError> {
    match command {
        AlertCommand::List(args) => list::list(globals, args),
        AlertCommand::Mute(args) => mute::mute(globals, args),
        AlertCommand::Unmute(args) => mute::unmute(globals, args),
        AlertCommand::Test => trial::send_one(globals),
        AlertCommand::UnitFailed(args) => unit_failed::unit_failed(globals, args),
    }
}
