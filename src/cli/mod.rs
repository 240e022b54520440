//! The command line: one file per command. Data goes to stdout, messages and logs to stderr.

mod alert;
mod arenas;
mod as_of;
mod calendar;
mod completions;
mod configuration;
mod demo;
mod doctor;
mod evaluate;
mod gateway;
mod history;
mod job_names;
mod logs;
mod man;
mod output;
mod pause;
mod progress;
mod quality;
mod query;
mod run;
mod schedule;
mod serve;
mod settings;
mod shell_init;
mod show;
mod signal;
mod simulate;
mod status;
mod table;
mod time_range;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::job::{Failure, JobError, chain};

use output::print_error;
use settings::Globals;

/// Captures, keeps and judges CME index futures quotes.
#[derive(Debug, Parser)]
#[command(name = "jobs", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  jobs run snapshot                              capture the newest slot (simulated gateway unless configured)
  jobs run backfill --from 2026-11-16            fill what is missing since that trading day
  jobs show futures_snapshots --symbol ES --last 5
  jobs query \"select symbol, count(*) from futures_snapshots group by symbol\"
  jobs calendar is-open cme_equity && echo open

bash and zsh have a builtin of the same name: use frontmonth instead, or put  eval \"$(frontmonth shell-init bash)\"  into
~/.bashrc. Exit codes: 0 done or skipped, 1 failed, 2 usage, 65 bad data, 69 gateway down, 70 panic, 75 locked,
78 configuration, 124 timeout, 130 and 143 signals.")]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a job now.
    #[command(subcommand)]
    Run(run::RunCommand),
    /// Run the jobs by their schedules, until SIGTERM.
    Serve(serve::ServeArgs),
    /// Show rows of a table.
    Show(show::ShowArgs),
    /// Tell what the futures say of an ETF.
    Signal(signal::SignalArgs),
    /// Tell which entry rule fires for an ETF, and what keeps the others.
    Decide(signal::DecideArgs),
    /// Tell what the signals have been worth, with intervals, and what may be said of it.
    Evaluate(evaluate::EvaluateArgs),
    /// Tell the whole story on simulated data: capture, signals, rules, and what they are worth. Leaves nothing behind.
    Demo(demo::DemoArgs),
    /// Ask the tables with SQL.
    Query(query::QueryArgs),
    /// Look at the tables themselves: files, versions, commits.
    #[command(subcommand)]
    Table(table::TableCommand),
    /// List the jobs and their schedules.
    #[command(after_help = "Example:\n  jobs list --format jsonl")]
    List,
    /// Tell what comes next, and why.
    Next(schedule::NextArgs),
    /// Check the schedules.
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Tell what became of the slots.
    History(history::HistoryArgs),
    /// Tell whether anything was missed; the exit code is for a monitor.
    Status(status::StatusArgs),
    /// Check everything a run needs, and tell what to do.
    Doctor(doctor::DoctorArgs),
    /// Print or follow the log of a job.
    Logs(logs::LogsArgs),
    /// Leave a job out of the schedule for a while.
    Pause(pause::PauseArgs),
    /// Take a paused job into the schedule again.
    Resume(pause::ResumeArgs),
    /// Run the jobs over trading days at the machine's speed, in a folder of their own.
    Simulate(simulate::SimulateArgs),
    /// Run or probe a gateway.
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// Ask a market calendar.
    #[command(subcommand)]
    Calendar(calendar::CalendarCommand),
    /// Show, check or generate the configuration.
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    /// Show the checks and what they found, and decide over rows kept apart.
    #[command(subcommand)]
    Quality(quality::QualityCommand),
    /// Tell a person what went wrong.
    #[command(subcommand)]
    Alert(alert::AlertCommand),
    /// Print a shell function that keeps the builtin `jobs` and adds this program, with completions.
    ShellInit(shell_init::ShellInitArgs),
    /// Print completions for a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual as roff, or write its pages.
    Man(man::ManArgs),
}

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(tell_panic));
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let asks_is_open = is_open_question(&arguments);
    let code = match Cli::try_parse_from(&arguments) {
        Ok(cli) => match std::panic::catch_unwind(|| dispatch(cli)) {
            Ok(done) => done.unwrap_or_else(|error| report(&error)),
            Err(_) => Failure::Panicked.exit_code(),
        },
        Err(error) => {
            let _ = error.print();
            let told = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if told { 0 } else { Failure::Usage.exit_code() }
        }
    };
    // systemd takes 1 to 254 from an ExecCondition for "skip", so every error of this question is 255.
    let code = if asks_is_open && code > calendar::CLOSED { u8::MAX } else { code };
    ExitCode::from(code)
}

/// Tells a panic where it is of use: of the main thread to the user, of a worker to the log file. A library may panic in
/// a worker and catch it itself, and a job that panics is told by the runner.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    if std::thread::current().name() == Some("main") {
        print_error(&format!("error: this is a bug, please report it: {panic}"));
    } else {
        tracing::error!(target: "panic", backtrace = %std::backtrace::Backtrace::capture(), "{panic}");
    }
}

fn is_open_question(arguments: &[OsString]) -> bool {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    words.iter().skip_while(|word| **word != "calendar").any(|word| *word == "is-open")
}

fn dispatch(cli: Cli) -> Result<u8, JobError> {
    let globals = cli.globals;
    if !matches!(cli.command, Command::Query(_)) {
        globals.check_format()?;
    }
    match cli.command {
        Command::Run(command) => run::run(&globals, &command),
        Command::Serve(args) => serve::serve_jobs(&globals, &args),
        Command::Show(args) => show::show(&globals, &args),
        Command::Signal(args) => signal::signal(&globals, &args),
        Command::Decide(args) => signal::decide(&globals, &args),
        Command::Evaluate(args) => evaluate::evaluate(&globals, &args),
        Command::Demo(args) => demo::demo(&globals, &args),
        Command::Quality(command) => quality::quality(&globals, &command),
        Command::Query(args) => query::query(&globals, args),
        Command::Table(command) => table::table(&globals, &command),
        Command::List => schedule::list(&globals),
        Command::Next(args) => schedule::next(&globals, &args),
        Command::Schedule(command) => schedule::schedule(&globals, &command),
        Command::History(args) => history::history(&globals, &args),
        Command::Status(args) => status::status(&globals, &args),
        Command::Doctor(args) => doctor::doctor(&globals, &args),
        Command::Logs(args) => logs::logs(&globals, &args),
        Command::Pause(args) => pause::pause(&globals, &args),
        Command::Resume(args) => pause::resume(&globals, &args),
        Command::Simulate(args) => simulate::simulate(&globals, args),
        Command::Gateway(command) => gateway::gateway(&globals, command),
        Command::Calendar(command) => calendar::calendar(&globals, &command),
        Command::Config(command) => configuration::configuration(&globals, &command),
        Command::Alert(command) => alert::alert(&globals, &command),
        Command::ShellInit(args) => shell_init::shell_init(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    }
}

/// Tells an error on stderr, each fault on a line of its own.
fn report(error: &JobError) -> u8 {
    for line in chain(error).lines() {
        print_error(&format!("error: {line}"));
    }
    error.failure().exit_code()
}

/// A runtime for the commands that wait for something.
fn block_on<T>(work: impl Future<Output = Result<T, JobError>>) -> Result<T, JobError> {
    block_on_runtime(&mut Builder::new_multi_thread(), work)
}

fn block_on_runtime<T>(builder: &mut Builder, work: impl Future<Output = Result<T, JobError>>) -> Result<T, JobError> {
    let runtime = builder.enable_all().build();
    let runtime = runtime.map_err(|error| JobError::fail(Failure::Failed, error))?;
    let result = runtime.block_on(work);
    // A job that blocks its thread must not keep the process from ending.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_question_is_recognised_with_flags_around_it() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_open_question(&words("jobs --config x calendar is-open nyse --bogus")));
        assert!(is_open_question(&words("jobs calendar --format json is-open nyse")));
        assert!(!is_open_question(&words("jobs calendar next-open nyse")));
    }
}
