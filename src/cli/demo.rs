//! `jobs demo`: the whole story in a terminal, on the simulated gateway, in a folder that is gone afterwards.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::Args;

use crate::calendar::{Session, to_new_york};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::job::{Environment, Failure, JobError, RunRequest, RunResult, SlotRange, Stop, Stopper, execute};
use crate::jobs::{Span, assess, catalogue};
use crate::lake::{RowQuery, TableName};
use crate::rules::Horizon;
use crate::telemetry::{self, LogTarget};

use super::block_on;
use super::evaluate;
use super::output::{eastern, print_line, print_rows};
use super::progress::Bar;
use super::settings::{Format, Globals};

/// Days of prices: the outlook of the first morning told needs 50 sessions before it.
const DAYS_OF_PRICES: Days = Days::new(130);

/// Days of signals.
const DAYS_OF_SIGNALS: Days = Days::new(50);

#[derive(Debug, Args)]
#[command(after_help = "Example:
  jobs demo

It takes the simulated gateway, whatever is configured, and writes to a folder of the system's that it deletes at its end.")]
pub(super) struct DemoArgs {}

/// Tells it.
pub(super) fn demo(globals: &Globals, _: &DemoArgs) -> Result<u8, JobError> {
    let folder = tempfile::Builder::new().prefix("frontmonth-demo-").tempdir();
    let folder = folder.map_err(|error| {
        JobError::fail(Failure::Failed, format!("cannot make a folder for the demo ({error}): set TMPDIR to one"))
    })?;
    let config = configured(folder.path());
    let target = LogTarget {
        folder: &config.paths.logs,
        job: "demo",
        of_runs: &[],
        config: &config.log,
        verbosity: globals.verbosity_of_many(),
    };
    let _guard = telemetry::start(&target).map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    block_on(async {
        let environment = Environment::prepare(config, Arc::new(SystemClock), Arc::new(Bar::default())).await?;
        let mut stop = Stop::on_signals()?;
        let story = Story::of(&environment)?;
        tokio::select! {
            told = story.tell() => told,
            asked = stop.asked() => Err(asked),
        }
    })?;
    Ok(0)
}

/// The embedded default with every folder inside of one.
fn configured(folder: &Path) -> Config {
    let mut config = Config::default();
    config.lake.uri = folder.join("lake").display().to_string();
    config.paths.state = folder.join("state");
    config.paths.logs = folder.join("logs");
    config.paths.reports = folder.join("reports");
    config.mail.folder = folder.join("mail");
    config.monitor.metrics_folder = Some(folder.join("metrics"));
    config
}

/// What is told, and from when on.
struct Story<'a> {
    environment: &'a Environment,
    today: NaiveDate,
    now: DateTime<Utc>,
}

/// A title of a part.
fn title(text: &str) -> Result<(), JobError> {
    print_line("")?;
    print_line(text)
}

impl<'a> Story<'a> {
    fn of(environment: &'a Environment) -> Result<Self, JobError> {
        let now = environment.calendars().newest_slot(SystemClock.now())?.instant();
        Ok(Self { environment, today: to_new_york(now).date_naive(), now })
    }

    async fn tell(&self) -> Result<(), JobError> {
        print_line(
            "SIMULATED DATA: every price below is of the synthetic tape. It has no lead of futures over their ETFs.",
        )?;
        title("1. Data: five-minute slots of ES, NQ, RTY, SPY, QQQ and IWM, by the production client over TCP")?;
        self.run("backfill", Some(DAYS_OF_PRICES)).await?;
        self.run("snapshot", None).await?;
        let query = RowQuery { last: Some(3), ..RowQuery::default() };
        let rows = self.environment.lake().rows(TableName::FuturesSnapshots, &query).await?;
        print_rows(&rows, Format::Text)?;
        title("2. Signals: what the futures said of each ETF half an hour before each open, from the rows known then")?;
        self.run("signals", Some(DAYS_OF_SIGNALS)).await?;
        title("3. Rules: which entry fires, and what keeps the others; on paper, nothing can be traded")?;
        self.run("rules", Some(DAYS_OF_SIGNALS)).await?;
        title("4. The book on paper: in at the open after each decision, out at the close")?;
        self.run("evaluation", Some(DAYS_OF_SIGNALS)).await?;
        title("5. With and without futures: was it worth waiting for them?")?;
        self.assess().await?;
        title("6. The mail of the morning")?;
        self.run_as("report", RunRequest { mode: crate::job::WriteMode::DryRun, ..RunRequest::manual() }).await?;
        print_line("")?;
        print_line(
            "The folder of this demo is gone now. jobs run snapshot captures into data/lake; jobs --help tells the rest.",
        )
    }

    /// Runs a job over so many days up to now, or of the newest slot.
    async fn run(&self, name: &str, days: Option<Days>) -> Result<(), JobError> {
        let range = days.map(|days| self.range(days)).transpose()?;
        self.run_as(name, RunRequest { range, ..RunRequest::manual() }).await
    }

    fn range(&self, days: Days) -> Result<SlotRange, JobError> {
        let day = self.today.checked_sub_days(days).unwrap_or(self.today);
        let futures = &self.environment.calendars().futures;
        let first = futures.sessions(day, self.today)?.first().map_or(self.now, Session::open);
        Ok(SlotRange { from: first, to: self.now })
    }

    async fn run_as(&self, name: &str, request: RunRequest) -> Result<(), JobError> {
        let unknown = || JobError::fail(Failure::Failed, format!("there is no job {name}"));
        let job = catalogue().into_iter().find(|job| job.name() == name).ok_or_else(unknown)?;
        let (_stopper, never) = Stopper::pair();
        let report = execute(self.environment, (job, request), never).await;
        let took = report.took.as_secs_f64();
        let outcome = report.result?;
        if name == "report" {
            return outcome.notes.iter().try_for_each(|note| print_line(&format!("  {note}")));
        }
        print_line(&match &outcome.result {
            RunResult::Done(counts) => format!("{name}: {} rows in {took:.1} s", counts.added),
            RunResult::Skipped(reason) => format!("{name}: {reason}"),
        })?;
        outcome.notes.iter().take(3).try_for_each(|note| print_line(&format!("  {note}")))
    }

    async fn assess(&self) -> Result<(), JobError> {
        let (config, calendars) = (self.environment.config(), self.environment.calendars());
        let from = self.today.checked_sub_days(DAYS_OF_PRICES).unwrap_or(self.today);
        let span = Span { symbols: Vec::new(), from, to: self.today, horizon: Horizon::sessions(1) };
        let found = assess(self.environment.lake(), &span, (calendars, config, self.now)).await?;
        print_line(&format!("sessions since {from}, as of {}; open to close, bp gross", eastern(self.now)))?;
        evaluate::text(&found, (config, Horizon::sessions(1)))
    }
}
