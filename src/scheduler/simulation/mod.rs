//! The simulation: the daemon's planner, book, runner and jobs over a clock that is set from one due slot to the next, as
//! fast as the machine allows.
//!
//! One run at a time, in the order of slots, so that the same range always gives the same rows. It has tables, a ledger
//! and logs of its own, written without waiting for the disk; killed at any instruction, it goes on where the ledger stands.

mod account;
mod folder;
mod made_by;
mod range;
mod tally_rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;

use super::book::{Begin, Book};
use super::error::PlanError;
use super::planner::Planner;
use super::schedule::{JobSchedule, Timing as RuleTiming};
use crate::alert::{Alerts, Looker};
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::gateway::GatewayConfig;
use crate::gateway::simulated::{Fault, SimulatedClock, SimulatedConfig, SimulatedGateway, Tape};
use crate::job::{
    Environment, Failure, Job, JobError, Limits, Progress, RunRequest, SimulatedWorld, Stop, Stopper, Trigger, alerts,
    execute, seen_at_end,
};
use crate::lake::{self, Lake};
use crate::market::GatewayKind;
use crate::state::{self, Ledger};

pub use account::{Account, JobAccount, TableAccount, Timing};
pub use folder::{Beginning, SimulationFolder};
pub use range::SimulatedRange;

use account::Tally;

/// How long a run may still take when a signal has come.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// How long counting the rows may take then; longer, and the account goes without them.
const LAST_COUNT: Duration = Duration::from_secs(2);

/// The finest step of an instant in the ledger.
const LEDGER_STEP: TimeDelta = TimeDelta::microseconds(1);

/// Where prices come from, and what goes wrong.
#[derive(Debug, Clone)]
pub struct Staging {
    /// The prices.
    pub tape: Tape,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// A simulation of a range, ready to run.
pub struct Simulation {
    environment: Environment,
    clock: Arc<ManualClock>,
    jobs: BTreeMap<&'static str, Arc<dyn Job>>,
    range: SimulatedRange,
    ledger: Ledger,
    alerts: Alerts,
    book: Book,
    tally: Tally,
}

impl Simulation {
    /// Prepares the simulation of a range with a configuration whose folders are a [`SimulationFolder`]'s.
    ///
    /// # Errors
    /// Where its tables or its ledger cannot be used, or the gateway cannot start.
    pub async fn prepare(
        config: Config,
        (planner, jobs): (Planner, Vec<Arc<dyn Job>>),
        (range, staging): (SimulatedRange, Staging),
    ) -> Result<Self, JobError> {
        let clock = Arc::new(ManualClock::at(range.open()));
        let (kind, open) = (GatewayKind::Simulated, range.open());
        let lake = Lake::with_durability(&config.lake, kind, lake::Durability::Unflushed)?;
        let ledger = Ledger::open_with(&config.paths.ledger(), state::Durability::Unsynced)?;
        let gateway = start_gateway(&config, staging, clock.clone()).await?;
        let book = Book::over(planner, ledger.clone(), (open, range.until()))?;
        let jobs = jobs.into_iter().map(|job| (job.name(), job)).collect();
        let world = SimulatedWorld { clock: clock.clone(), lake, ledger: ledger.clone(), gateway, floor: open };
        let environment = Environment::simulated(Config { gateway: simulated(&config), ..config }, world)?;
        let alerts = alerts(environment.config(), ledger.clone());
        Ok(Self { environment, clock, jobs, range, ledger, alerts, book, tally: Tally::default() })
    }

    /// Goes through the range, or as far as it is let, and gives the account of the range.
    ///
    /// # Errors
    /// Where the planner, the ledger or the tables cannot be asked. What a run fails with stands in the account.
    pub async fn run(
        mut self,
        mut stop: Stop,
        progress: &dyn Progress,
    ) -> Result<(Account, Option<JobError>), JobError> {
        let began = Instant::now();
        progress.begin(self.num_left()?, "");
        let (mut now, mut stopped) = (self.range.open() - LEDGER_STEP, None);
        let mut num_slots = 0;
        while let Some(due) = self.book.next_due(now).map_err(unplannable)?.filter(|due| *due < self.range.until()) {
            stopped = stop.asked().now_or_never();
            if stopped.is_some() {
                break;
            }
            now = due;
            self.clock.set(now);
            let num_runs = self.carry_out(now, &stop).await?;
            num_slots += u32::from(num_runs > 0);
            progress.note(&self.environment.calendars().futures.trading_day(now)?.to_string());
            progress.advance(num_runs);
        }
        progress.end();
        let took = began.elapsed();
        Ok((self.account((num_slots, took), stopped.is_none()).await?, stopped))
    }

    /// Runs what is due, one run after the other, until nothing is left to do at this instant; gives the number of runs.
    /// A signal ends it: what was decided and not begun is begun by the simulation that goes on.
    async fn carry_out(&mut self, now: DateTime<Utc>, stop: &Stop) -> Result<u64, JobError> {
        let mut num_runs = 0;
        loop {
            let begun = self.book.decide(now).map_err(unplannable)?;
            if begun.is_empty() {
                return Ok(num_runs);
            }
            for begin in begun {
                self.carry_out_one(&begin, now, stop).await?;
                num_runs += 1;
                if stop.is_asked() {
                    return Ok(num_runs);
                }
            }
        }
    }

    async fn carry_out_one(&mut self, begin: &Begin, now: DateTime<Utc>, stop: &Stop) -> Result<(), JobError> {
        let planned = &begin.planned;
        let schedule = self.book.planner().schedules().of(&planned.job).map_err(unplannable)?;
        let request = RunRequest::planned(Trigger::Simulation, planned.slot, limits(schedule));
        let unknown = || JobError::fail(Failure::Misconfigured, format!("there is no job {}", planned.job));
        let job = self.jobs.get(planned.job.as_str()).cloned().ok_or_else(unknown)?;
        // A run that is short comes to its end after a signal; one that is long is cut off, and taken up again later.
        let (stopper, its_stop) = Stopper::pair();
        let mut stop = stop.clone();
        let run = execute(&self.environment, (job, request), its_stop);
        tokio::pin!(run);
        let report = tokio::select! {
            report = &mut run => report,
            error = stop.asked() => {
                if let Ok(report) = tokio::time::timeout(LAST_WAIT, &mut run).await {
                    report
                } else {
                    stopper.stop(error.failure(), "the simulation was ended by a signal");
                    run.await
                }
            }
        };
        if matches!(&report.result, Err(error) if matches!(error.failure(), Failure::Interrupted | Failure::Terminated))
        {
            return Ok(());
        }
        self.tally.note(&planned.job, &report);
        self.book.ended((&planned.job, planned.slot), &report, now);
        // What a daemon would tell is queued as it would be.
        let looker = Looker { job: planned.job.clone(), run_id: report.run_id.clone(), slot: planned.slot };
        self.alerts.observe(&looker, &seen_at_end((&planned.job, planned.slot), &report), now)?;
        Ok(())
    }

    /// Number of planned slots that have no entry yet.
    fn num_left(&self) -> Result<u64, JobError> {
        let accounts = self.job_accounts()?;
        let left = |of: &JobAccount| {
            let Accounted { ended } = Accounted::of(of);
            u64::from(of.planned_slots.saturating_sub(ended))
        };
        Ok(accounts.iter().map(left).sum())
    }

    fn job_accounts(&self) -> Result<Vec<JobAccount>, JobError> {
        let (after, until) = (self.range.open() - LEDGER_STEP, self.range.until() - LEDGER_STEP);
        let planner = self.book.planner();
        let account = |schedule: &JobSchedule| {
            let job = &schedule.job;
            let num_slots = planner.between(job, self.range.open(), until).map_err(unplannable)?.len();
            let at_start = usize::from(is_begun_at_start(planner, schedule));
            Ok(JobAccount {
                job: job.clone(),
                planned_slots: u32::try_from(num_slots + at_start).unwrap_or(u32::MAX),
                ledger: self.ledger.accounting(job, after, until)?,
                timing: self.tally.timings.get(job).copied().unwrap_or_default(),
            })
        };
        planner.schedules().iter().map(account).collect()
    }

    async fn account(self, (num_slots, took): (u32, Duration), is_complete: bool) -> Result<Account, JobError> {
        let jobs = self.job_accounts()?;
        let count = tally_rows::count(&self.environment, &self.range);
        let tables = if is_complete {
            count.await?
        } else if let Ok(counted) = tokio::time::timeout(LAST_COUNT, count).await {
            counted?
        } else {
            tracing::warn!("the rows of the tables are not counted: the simulation was ended by a signal");
            Vec::new()
        };
        let Tally { findings, num_runs, .. } = self.tally;
        let mails = self.ledger.mail_counts()?.queued;
        Ok(Account {
            jobs,
            tables,
            findings,
            mails,
            num_runs,
            num_slots,
            took_seconds: took.as_secs_f64(),
            is_complete,
        })
    }
}

/// The slots of a job that have come to an end.
struct Accounted {
    ended: u32,
}

impl Accounted {
    fn of(account: &JobAccount) -> Self {
        let ledger = account.ledger;
        Self { ended: ledger.planned.saturating_sub(ledger.waiting + ledger.running) }
    }
}

/// Whether a job runs when a range begins, itself or after one that does.
fn is_begun_at_start(planner: &Planner, schedule: &JobSchedule) -> bool {
    schedule.rules.iter().any(|rule| match &rule.timing {
        RuleTiming::OnStart => true,
        RuleTiming::After(upstream) => {
            planner.schedules().of(upstream).is_ok_and(|upstream| is_begun_at_start(planner, upstream))
        }
        RuleTiming::Every { .. } | RuleTiming::At(_) | RuleTiming::Cron(_) => false,
    })
}

/// The bounds of the schedule. No time passes between two attempts.
fn limits(schedule: &JobSchedule) -> Limits {
    Limits {
        timeout: schedule.timeout,
        max_retries: schedule.retry.as_ref().map(|retry| retry.max),
        retry_backoff: Some(Duration::ZERO),
        ..Limits::default()
    }
}

/// How long a quote waits in a simulation for a better tick. The simulated gateway sends all that it has at once, so what
/// lasts longer would only cost real time.
const QUOTE_SETTLE_MS: u64 = 100;

fn simulated(config: &Config) -> GatewayConfig {
    let quote_settle_ms = config.gateway.quote_settle_ms.min(QUOTE_SETTLE_MS);
    let gateway = config.gateway.clone();
    GatewayConfig { kind: GatewayKind::Simulated, address: None, clock: None, quote_settle_ms, ..gateway }
}

async fn start_gateway(
    config: &Config,
    Staging { tape, faults }: Staging,
    clock: Arc<ManualClock>,
) -> Result<SimulatedGateway, JobError> {
    let clock = SimulatedClock::machine(Arc::new(move || clock.now()));
    let mut simulated = SimulatedConfig::new(tape, clock).listing(&config.market)?;
    simulated.faults = faults;
    SimulatedGateway::start(simulated).await.map_err(|error| JobError::fail(Failure::Unavailable, error))
}

fn unplannable(error: PlanError) -> JobError {
    JobError::fail(Failure::Failed, error)
}
