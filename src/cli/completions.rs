//! `jobs completions SHELL`: what a shell needs to complete commands and options, under both names of the program.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use crate::job::{Failure, JobError};

use super::Cli;
use super::output::print_line;

/// The names of the program.
pub(super) const NAMES: [&str; 2] = ["jobs", "frontmonth"];

/// The shells that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CompletionShell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  frontmonth completions bash > ~/.local/share/bash-completion/completions/frontmonth
  frontmonth completions fish > ~/.config/fish/completions/frontmonth.fish

frontmonth shell-init bash|zsh prints them too, with the function that keeps the shell's builtin jobs.
It is shell code whatever the format.")]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: CompletionShell,
}

/// Prints the completions of both names.
pub(super) fn completions(args: &CompletionsArgs) -> Result<u8, JobError> {
    NAMES.into_iter().try_for_each(|name| print_line(&script(args.shell, name)?))?;
    Ok(0)
}

/// The completions of one name.
pub(super) fn script(shell: CompletionShell, name: &str) -> Result<String, JobError> {
    let generator = match shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(generator, &mut Cli::command(), name, &mut script);
    let script = String::from_utf8(script).map_err(|error| JobError::fail(Failure::Failed, error))?;
    Ok(match shell {
        // Without compinit there is nothing to register with.
        CompletionShell::Zsh => format!("if (( $+functions[compdef] )); then\n{script}\nfi"),
        CompletionShell::Bash | CompletionShell::Fish => script,
    })
}
