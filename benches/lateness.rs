//! How late runs start: 2,000 starts by the daemon, beside the same number by tokio-cron-scheduler alone, in one run.
//!
//! The daemon's clock runs 60 times as fast as the machine's and in step with its seconds, so that the slots of a schedule of
//! minutes come each second, as those of a five-minute schedule come on whole seconds. Lateness is in seconds of the
//! machine: from the slot to the first instruction of the job.
//!
//! `cargo bench --bench lateness`

#![expect(clippy::expect_used, reason = "a bench that cannot run has to say why and stop")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use frontmonth::calendar::{Calendar, CalendarId, RollRule};
use frontmonth::clock::{Clock, SystemClock};
use frontmonth::config::Config;
use frontmonth::job::{Context, Counts, Environment, Job, JobError, Outcome, Run};
use frontmonth::scheduler::{Command, Daemon, Notifier, Planner, PlannerCalendars, Schedules, Service, beat};
use tokio::sync::mpsc;
use tokio_cron_scheduler::JobScheduler;

const NUM_JOBS: usize = 25;
const NUM_SECONDS: usize = 80;

/// Seconds of the fast clock in one of the machine's.
const SPEED: i32 = 60;

/// Starts by (job, slot), each with its lateness.
type Starts = Arc<Mutex<BTreeMap<(usize, DateTime<Utc>), Vec<TimeDelta>>>>;

/// Runs fast, and shows a whole minute at each whole second of the machine.
struct FastClock {
    machine_at: DateTime<Utc>,
    fast_at: DateTime<Utc>,
}

impl Clock for FastClock {
    fn now(&self) -> DateTime<Utc> {
        self.fast_at + (SystemClock.now() - self.machine_at) * SPEED
    }
}

struct Started {
    number: usize,
    name: &'static str,
    clock: Arc<FastClock>,
    starts: Starts,
}

#[async_trait]
impl Job for Started {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        "notes when it starts"
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run(&self, _: &Context, run: &Run) -> Result<Outcome, JobError> {
        let slot = run.request.planned.expect("a planned run");
        note(&self.starts, (self.number, slot), (self.clock.now() - slot) / SPEED);
        Ok(Outcome::done(Counts::default()))
    }
}

fn note(starts: &Starts, key: (usize, DateTime<Utc>), lateness: TimeDelta) {
    starts.lock().expect("sound").entry(key).or_default().push(lateness);
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    println!("{NUM_JOBS} jobs, a slot each second for {NUM_SECONDS} s: {} starts", NUM_JOBS * NUM_SECONDS);
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7}",
        "", "p50 ms", "p99 ms", "max ms", "starts", "early", "double", "lost"
    );
    let a_slot = TimeDelta::seconds(1);
    report("frontmonth", &runtime.block_on(by_the_daemon()), a_slot * SPEED);
    report("tokio-cron-scheduler alone", &runtime.block_on(by_the_crate()), a_slot);
    runtime.shutdown_background();
}

async fn by_the_daemon() -> Starts {
    let folder = tempfile::tempdir().expect("a folder");
    let starts = Starts::default();
    let machine_at = SystemClock.now();
    let machine_at = machine_at - TimeDelta::nanoseconds(i64::from(machine_at.timestamp_subsec_nanos()));
    let fast_at = "2026-03-03T15:00:00Z".parse().expect("an instant in an open market");
    let clock = Arc::new(FastClock { machine_at, fast_at });
    let jobs: Vec<Arc<dyn Job>> = (0..NUM_JOBS)
        .map(|number| {
            let name: &'static str = format!("job-{number:02}").leak();
            Arc::new(Started { number, name, clock: clock.clone(), starts: starts.clone() }) as Arc<dyn Job>
        })
        .collect();
    let mut config = Config::default();
    config.paths.state = folder.path().join("state");
    config.paths.logs = folder.path().join("logs");
    config.lake.uri = folder.path().join("lake").display().to_string();
    let environment = Environment::prepare_service(config, clock.clone()).await.expect("prepared");
    let service = Service { environment, planner: planner(&jobs), jobs };
    let mut daemon = Daemon::start(service, Notifier::systemd()).expect("started");
    let (sender, commands) = mpsc::channel(16);
    tokio::spawn(beat(sender.clone()));
    // Longer than is counted, so that the last of those has all the time it needs.
    let lasting = Duration::from_secs(u64::try_from(NUM_SECONDS).expect("small") + 5);
    tokio::spawn(async move {
        tokio::time::sleep(lasting).await;
        sender.send(Command::Drain).await.expect("it serves");
    });
    let never = async |_: &Config| std::future::pending().await;
    daemon.run(commands, never).await;
    starts
}

fn planner(jobs: &[Arc<dyn Job>]) -> Planner {
    let known: Vec<&str> = jobs.iter().map(|job| job.name()).collect();
    let line = |name: &&str| {
        let misfire = "misfire: { catch_up: none, start_deadline: 10m }";
        format!("  {name}: {{ schedule: {{ every: 1m, during: cme_equity }}, {misfire} }}\n")
    };
    let yaml = format!("jobs:\n{}", known.iter().map(line).collect::<String>());
    let schedules = Schedules::parse(&[(PathBuf::from("bench.yaml"), yaml)], &known).expect("sound");
    let (futures, nyse) = (Calendar::embedded(CalendarId::CmeEquity), Calendar::embedded(CalendarId::Nyse));
    Planner::new(schedules, PlannerCalendars { futures, nyse, roll_rule: RollRule::ByDate })
}

/// The same number of jobs, each registered with the crate; a slot is the whole second before the start.
async fn by_the_crate() -> Starts {
    let starts = Starts::default();
    let mut scheduler = JobScheduler::new().await.expect("a scheduler");
    for number in 0..NUM_JOBS {
        let starts = starts.clone();
        let job = tokio_cron_scheduler::Job::new_async("* * * * * *", move |_, _| {
            let starts = starts.clone();
            Box::pin(async move {
                let now = SystemClock.now();
                let lateness = TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos()));
                note(&starts, (number, now - lateness), lateness);
            })
        });
        scheduler.add(job.expect("a cron line")).await.expect("added");
    }
    scheduler.start().await.expect("started");
    tokio::time::sleep(Duration::from_secs(u64::try_from(NUM_SECONDS).expect("small") + 5)).await;
    scheduler.shutdown().await.expect("stopped");
    starts
}

/// Counts the slots from the second one on, which no start of the scheduler cuts short.
fn report(who: &str, starts: &Starts, a_slot: TimeDelta) {
    let mut starts = starts.lock().expect("sound");
    let first = starts.keys().map(|(_, slot)| *slot).min().expect("something started");
    let end = first + a_slot * i32::try_from(NUM_SECONDS).expect("small");
    starts.retain(|(_, slot), _| *slot > first && *slot <= end);
    let mut lateness: Vec<TimeDelta> = starts.values().flatten().copied().collect();
    lateness.sort_unstable();
    let at = |share: usize| lateness.get((lateness.len() * share / 100).min(lateness.len().saturating_sub(1)));
    let ms = |lateness: Option<&TimeDelta>| lateness.map_or(0, TimeDelta::num_milliseconds);
    let num_early = lateness.iter().filter(|lateness| **lateness < TimeDelta::zero()).count();
    let num_double: usize = starts.values().map(|of_slot| of_slot.len() - 1).sum();
    let num_lost = (NUM_JOBS * NUM_SECONDS).saturating_sub(starts.len());
    println!(
        "{who:<28} {:>8} {:>8} {:>8} {:>7} {num_early:>7} {num_double:>7} {num_lost:>7}",
        ms(at(50)),
        ms(at(99)),
        ms(lateness.last()),
        lateness.len()
    );
}
