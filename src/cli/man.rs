//! `jobs man`: the manual in roff, made from the same descriptions as `--help`, so that the two cannot differ.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::job::{Failure, JobError};

use super::Cli;
use super::output::print_line;

/// Exit codes of every command, as the manual tells them.
const EXIT_CODES: [(&str, &str); 11] = [
    ("0", "Done, or legitimately skipped: the reason is printed."),
    ("1", "Failed; of status: something was missed; of doctor: a check failed; of calendar is-open: closed."),
    ("2", "Usage: an unknown name, a time off the grid, a range that is reversed."),
    ("3", "Of status: no daemon is running."),
    ("65", "Every row was bad data."),
    ("69", "The gateway is down or gives no data."),
    ("70", "A panic: a bug."),
    ("75", "Another run of the job holds the lock, or another process the ledger."),
    ("78", "The configuration does not fit."),
    ("124", "The timeout passed."),
    ("130, 143", "SIGINT, SIGTERM."),
];

/// An exit code that one question has for itself.
const IS_OPEN: &str = "calendar is-open answers 255 for every error, as ExecCondition= of systemd wants it.";

/// Files, in the order in which they are looked for.
const FILES: [(&str, &str); 4] = [
    ("./jobs.yaml, /etc/jobs/jobs.yaml", "The configuration; jobs config generate prints a commented one."),
    ("state/jobs.db", "The ledger of the runs (paths.state)."),
    ("logs/JOB.YYYY-MM-DD.log", "Logs, days in UTC (paths.logs)."),
    ("data/lake/", "The tables (lake.uri)."),
];

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs man | man -l -
  jobs man --directory /usr/local/share/man/man1

It is roff whatever the format. Without --directory all commands are on one page.")]
pub(super) struct ManArgs {
    /// Write one page a command into this folder, which is made if need be.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Prints the manual, or writes its pages.
pub(super) fn man(args: &ManArgs) -> Result<u8, JobError> {
    let mut program = Cli::command();
    program.build();
    match &args.directory {
        None => print_line(whole(&program).map_err(failed)?.trim_end())?,
        Some(folder) => {
            let mut written = Vec::new();
            let unwritable = |error: io::Error| {
                let told =
                    format!("cannot write the manual to {} ({error}): give another --directory", folder.display());
                JobError::fail(Failure::Failed, told)
            };
            fs::create_dir_all(folder).map_err(unwritable)?;
            write_pages(folder, &program, &mut written).map_err(unwritable)?;
            print_line(&format!("{} pages written to {}", written.len(), folder.display()))?;
        }
    }
    Ok(0)
}

/// The whole program on one page.
fn whole(program: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    let man = Man::new(program.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    examples(&mut page, program)?;
    visible(program).try_for_each(|command| render_below(&mut page, command))?;
    appendix(&mut page, program)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// A command and those below it, as sections of the page of the program.
fn render_below(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).replace('-', " ");
    let mut heading = Roff::new();
    heading.control("SH", [command.get_bin_name().unwrap_or(&name).to_uppercase().as_str()]);
    heading.to_writer(page)?;
    let mut section = Vec::new();
    // The options of every command stand at the top of the page.
    let own = command.clone().mut_args(|argument| {
        let is_common = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(is_common)
    });
    let has_options = own.get_arguments().any(|argument| !argument.is_hide_set());
    let man = Man::new(own);
    man.render_synopsis_section(&mut section)?;
    man.render_description_section(&mut section)?;
    if has_options {
        man.render_options_section(&mut section)?;
    }
    examples(&mut section, command)?;
    // They are sections of their own page; here they are parts of one.
    page.write_all(String::from_utf8_lossy(&section).replace(".SH ", ".SS ").as_bytes())?;
    visible(command).try_for_each(|below| render_below(page, below))
}

/// One page a command, `jobs-run-snapshot.1` for instance.
fn write_pages(folder: &Path, command: &Command, written: &mut Vec<PathBuf>) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if visible(command).next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    examples(&mut page, command)?;
    appendix(&mut page, command)?;
    let path = folder.join(man.get_filename());
    fs::write(&path, page)?;
    written.push(path);
    visible(command).try_for_each(|below| write_pages(folder, below, written))
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
}

/// What `--help` says after the options, line by line as it stands there.
fn examples(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let Some(text) = command.get_after_help() else { return Ok(()) };
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]).control("nf", []);
    for line in text.to_string().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

/// What holds for every command.
fn appendix(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    listed(&mut roff, &EXIT_CODES);
    roff.control("PP", []).text([roman(IS_OPEN)]);
    roff.control("SH", ["FILES"]);
    listed(&mut roff, &FILES);
    roff.control("SH", ["ENVIRONMENT"]);
    listed(
        &mut roff,
        &[
            ("JOBS__SECTION__KEY", "Sets a key of the configuration over the file, such as JOBS__GATEWAY__ADDRESS."),
            ("NO_COLOR", "No colours on stderr."),
        ],
    );
    roff.control("SH", ["VERSION"]).text([roman(command.get_version().unwrap_or(env!("CARGO_PKG_VERSION")))]);
    roff.to_writer(page)
}

fn listed(roff: &mut Roff, items: &[(&str, &str)]) {
    for (name, meaning) in items {
        roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
    }
}

fn failed(error: io::Error) -> JobError {
    JobError::fail(Failure::Failed, error)
}
