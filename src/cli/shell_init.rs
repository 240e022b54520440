//! `jobs shell-init`: `jobs` is a builtin of bash and zsh. The function printed here hands the subcommands of this program
//! to it and everything else to the builtin.

use clap::{Args, CommandFactory, ValueEnum};

use crate::job::{Failure, JobError};

use super::Cli;
use super::completions::{CompletionShell, NAMES, script};
use super::output::print_line;

/// The shells with a builtin `jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum InitShell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
}

#[derive(Debug, Args)]
#[command(after_help = "Put one of these into the shell's startup file:
  eval \"$(frontmonth shell-init bash)\"     in ~/.bashrc
  eval \"$(frontmonth shell-init zsh)\"      in ~/.zshrc, after compinit")]
pub(super) struct ShellInitArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: InitShell,
}

/// Prints the function and the completions.
pub(super) fn shell_init(args: &ShellInitArgs) -> Result<u8, JobError> {
    let program = std::env::current_exe().map_err(|error| JobError::fail(Failure::Failed, error))?;
    let program = quoted(&program.to_string_lossy());
    let subcommands: Vec<String> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let function = format!(
        "jobs() {{\n  case \"${{1-}}\" in\n    {}|help|--config|--config=*|--format|--format=*|--version) {program} \"$@\" ;;\n    *) builtin jobs \"$@\" ;;\n  esac\n}}",
        subcommands.join("|")
    );
    print_line(&function)?;
    let shell = match args.shell {
        InitShell::Bash => CompletionShell::Bash,
        InitShell::Zsh => CompletionShell::Zsh,
    };
    NAMES.into_iter().try_for_each(|name| print_line(&script(shell, name)?))?;
    Ok(0)
}

/// A word in single quotes, as a POSIX shell reads it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_quote_stays_one_word() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
