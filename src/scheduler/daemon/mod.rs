//! The daemon: asks the book each second what is to be begun, begins it, and takes note of what ended.
//!
//! Everything it reacts to comes in as a [`Command`] or as the end of a run; the loop itself never runs a job, and never
//! waits for one. What it must survive: a job that panics, blocks its thread or ignores its timeout; a clock that jumps; a
//! machine that sleeps; a ledger that cannot be written; a configuration that is broken while it runs.

mod alarm;
mod clock_watch;
mod crew;
mod heartbeat;
mod ledger_watch;
mod notifier;
mod publisher;
mod serve;
mod settled;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, DurationRound, NaiveDate, SubsecRound, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::book::{Begin, Book};
use super::ledger::Trigger;
use super::planner::{PlannedSlot, Planner};
use super::reason::eastern;
use super::schedule::Misfire;
use crate::alert::{Looker, Observation};
use crate::calendar::to_new_york;
use crate::config::Config;
use crate::job::{
    self, Environment, Failure, Job, JobError, Limits, Lock, LockHolder, Locked, RunReport, RunRequest, chain,
    seen_at_end, seen_missed,
};
use crate::state::{Ledger, PreviousEnd, RunRow};
use crate::telemetry;
use alarm::Alarm;
use clock_watch::ClockWatch;
use crew::{Crew, RunKey};
use ledger_watch::LedgerWatch;
use publisher::Publisher;

pub use heartbeat::beat;
pub use notifier::Notifier;
pub use serve::serve;
pub use settled::check_settled;

/// What the daemon is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Look what is due.
    Tick,
    /// Take up a new configuration.
    Reload,
    /// Begin nothing more, wait for what runs, and end. Told twice, it waits no longer.
    Drain,
}

/// What the daemon works with; a reload brings another.
pub struct Service {
    /// Lake, gateway, ledger, configuration.
    pub environment: Environment,
    /// The jobs.
    pub jobs: Vec<Arc<dyn Job>>,
    /// When they run.
    pub planner: Planner,
}

/// How long a run waits for a lock that a run by hand holds, where its schedule has no start deadline.
const LOCK_WAIT: Duration = Duration::from_mins(5);

/// How long runs that were told to end at the end of a drain may take.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// So long the clock must have gone evenly before anything is deleted by it.
const STEADY: Duration = Duration::from_mins(10);

/// From so many days before the calendars' horizon on the daemon warns.
const HORIZON_WARNING: TimeDelta = TimeDelta::days(60);

/// The daemon.
pub struct Daemon {
    environment: Arc<Environment>,
    jobs: Vec<Arc<dyn Job>>,
    book: Book,
    crew: Crew,
    alarm: Alarm,
    publisher: Publisher,
    watch: ClockWatch,
    ledger_watch: LedgerWatch,
    notifier: Notifier,
    run_id: String,
    began: Instant,
    status: String,
    trouble: Option<String>,
    is_stuck: bool,
    housekept_at: Option<DateTime<Utc>>,
    /// Since when the clock has not jumped.
    steady_since: Instant,
    pruned_on: Option<NaiveDate>,
    _lock: Lock,
}

impl Daemon {
    /// Takes the daemon's lock, closes what dead processes left running, and reads where the ledger stands.
    ///
    /// # Errors
    /// [`Failure::Locked`] where another daemon serves the state folder.
    pub fn start(service: Service, notifier: Notifier) -> Result<Self, JobError> {
        let environment = Arc::new(service.environment);
        // The start is the slot of what it starts; the ledger keeps microseconds.
        let now = environment.clock().now().trunc_subsecs(6);
        let run_id = format!("d{}", now.timestamp_micros());
        let holder = LockHolder { pid: std::process::id(), run_id: run_id.clone(), since: now };
        let locks = environment.config().paths.locks();
        let lock = Lock::take(&locks, Locked::Daemon, &holder)?;
        if let Some(ledger) = environment.ledger() {
            let lives = |row: &RunRow| Lock::take(&locks, Locked::Job(&row.job), &holder).is_err();
            match ledger.close_orphans(now, lives) {
                Ok(closed) => closed.iter().for_each(|row| {
                    tracing::warn!(job = row.job, slot = %row.slot, "the run had been killed");
                }),
                Err(error) => tracing::error!(error = %chain(&error), "killed runs stay as running in the ledger"),
            }
            mark_started(ledger, &run_id, now);
        }
        let book = open_book(service.planner, environment.ledger().cloned(), now);
        let alarm = Alarm::of(&environment);
        Ok(Self {
            environment,
            jobs: service.jobs,
            book,
            crew: Crew::new(),
            alarm,
            publisher: Publisher::new(),
            watch: ClockWatch::default(),
            ledger_watch: LedgerWatch::new(now),
            notifier,
            run_id,
            began: Instant::now(),
            status: String::new(),
            trouble: None,
            is_stuck: false,
            housekept_at: None,
            steady_since: Instant::now(),
            pruned_on: None,
            _lock: lock,
        })
    }

    /// Serves until it is told to drain; `reload` makes a new service in the place of one by the configuration in force.
    pub async fn run(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut reload: impl AsyncFnMut(&Config) -> Result<Service, JobError>,
    ) {
        self.tick();
        self.notifier.ready();
        tracing::info!(run_id = self.run_id, "serving");
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Tick) => self.beat(),
                    Some(Command::Reload) => {
                        self.notifier.reloading();
                        let in_force = Arc::clone(&self.environment);
                        self.take_up(reload(in_force.config()).await);
                        self.notifier.ready();
                    }
                    Some(Command::Drain) | None => break,
                },
                (key, report) = self.crew.ended() => {
                    self.ended(&key, report);
                    // What waits for it need not wait for the next tick.
                    self.tick();
                }
            }
        }
        self.drain(&mut commands).await;
        self.alarm.send_last(self.environment.clock()).await;
        let jobs: Vec<&dyn Job> = self.jobs.iter().map(AsRef::as_ref).collect();
        self.publisher.finish().await;
        self.publisher.publish(&self.environment, (&jobs, self.book.planner()), self.environment.clock().now());
        self.publisher.finish().await;
        if let Some(ledger) = self.environment.ledger()
            && let Err(error) = ledger.mark_stopped(&self.run_id, self.now())
        {
            tracing::error!(error = %chain(&error), "the next daemon will take this one for killed");
        }
        tracing::info!("stopped");
    }

    fn now(&self) -> DateTime<Utc> {
        self.environment.clock().now()
    }

    /// A tick of the heartbeat: only these tell the watchdog that all is well.
    fn beat(&mut self) {
        self.tick();
        if !self.is_stuck {
            self.notifier.alive();
        }
    }

    fn tick(&mut self) {
        let now = self.now();
        if let Some(jump) = self.watch.observe(now, self.began.elapsed()) {
            let seconds = jump.num_seconds();
            tracing::warn!(seconds, "the clock jumped, or the machine was suspended");
            self.steady_since = Instant::now();
        }
        self.watch_ledger(now);
        match self.book.decide(now) {
            Ok(begins) => begins.into_iter().for_each(|begin| self.begin(begin)),
            Err(error) => tracing::error!(error = %chain(&error), "nothing can be decided at this time"),
        }
        self.tell_missed(now);
        for key in self.crew.give_up(Instant::now()) {
            self.give_up(&key);
        }
        self.alarm.send(self.environment.clock());
        let jobs: Vec<&dyn Job> = self.jobs.iter().map(AsRef::as_ref).collect();
        self.publisher.publish(&self.environment, (&jobs, self.book.planner()), now);
        self.keep_house(now);
        self.prune(now);
        self.tell_status(now);
    }

    /// Tells of the slots that it was too late for, once a job.
    fn tell_missed(&mut self, now: DateTime<Utc>) {
        let mut slots: BTreeMap<&str, (Vec<DateTime<Utc>>, &str)> = BTreeMap::new();
        for missed in self.book.missed() {
            slots.entry(&missed.job).or_insert((Vec::new(), &missed.reason)).0.push(missed.slot);
        }
        let seen: Vec<Observation> =
            slots.iter().filter_map(|(job, (slots, reason))| seen_missed(job, slots, reason)).collect();
        self.alarm.observe(&Looker { job: "serve".to_owned(), run_id: self.run_id.clone(), slot: now }, &seen, now);
    }

    fn begin(&mut self, begin: Begin) {
        let Begin { planned: PlannedSlot { job: name, slot, .. }, trigger, replaces } = begin;
        if replaces {
            self.crew.stop(&name, &format!("the run was ended for the slot of {}", eastern(slot)));
        }
        let key = (name.clone(), slot);
        let Some(job) = self.jobs.iter().find(|job| job.name() == name).cloned() else {
            tracing::error!(job = name, "the schedules name a job that is not there");
            return self.ended(&key, None);
        };
        let trigger = match trigger {
            Trigger::Schedule => job::Trigger::Schedule,
            Trigger::CatchUp | Trigger::Manual => job::Trigger::CatchUp,
        };
        let request = RunRequest::planned(trigger, slot, self.limits(&name));
        if let Err(error) = self.crew.begin(key.clone(), self.environment.clone(), (job, request)) {
            tracing::error!(job = name, %slot, %error, "the machine has no thread for the run");
            self.ended(&key, None);
        }
    }

    fn limits(&self, job: &str) -> Limits {
        let Ok(schedule) = self.book.planner().schedules().of(job) else { return Limits::default() };
        let deadline = match schedule.misfire {
            Misfire::None { start_deadline } => start_deadline.to_std().ok(),
            Misfire::One { start_deadline } => start_deadline.and_then(|deadline| deadline.to_std().ok()),
            Misfire::All { .. } => None,
        };
        Limits {
            timeout: schedule.timeout,
            max_retries: schedule.retry.map(|retry| retry.max),
            retry_backoff: schedule.retry.map(|retry| retry.backoff),
            lock_wait: deadline.unwrap_or(LOCK_WAIT).min(LOCK_WAIT),
            grace: Duration::from_secs(self.environment.config().runs.stuck_after_seconds),
        }
    }

    fn ended(&mut self, key: &RunKey, report: Option<RunReport>) {
        let report = report.unwrap_or_else(no_report);
        if report.is_stuck {
            tracing::error!(job = key.0, slot = %key.1, "the job blocks its thread: the daemon has to be started anew");
            self.is_stuck = true;
        }
        if let Err(error) = &report.result {
            tracing::warn!(job = key.0, slot = %key.1, error = %chain(error), "run failed");
        }
        if matches!(&report.result, Err(error) if error.failure() == Failure::Panicked) {
            self.close_dead_runs(&key.0);
        }
        let now = self.now();
        self.book.ended((&key.0, key.1), &report, now);
        self.publisher.note();
        let looker = Looker { job: key.0.clone(), run_id: report.run_id.clone(), slot: key.1 };
        self.alarm.observe(&looker, &seen_at_end((&key.0, key.1), &report), now);
    }

    /// A run whose thread does not come back at all.
    fn give_up(&mut self, key: &RunKey) {
        tracing::error!(job = key.0, slot = %key.1, "the run does not end: the daemon has to be started anew");
        self.is_stuck = true;
        let now = self.now();
        self.book.given_up((&key.0, key.1), now);
        let told = "the run does not end, and neither does its thread: the daemon has to be started anew";
        let report = RunReport { result: Err(JobError::fail(Failure::TimedOut, told)), ..no_report() };
        let looker = Looker { job: key.0.clone(), run_id: self.run_id.clone(), slot: key.1 };
        self.alarm.observe(&looker, &seen_at_end((&key.0, key.1), &report), now);
    }

    /// Ends what the ledger believes to be running of a job whose run is over.
    fn close_dead_runs(&self, job: &str) {
        let Some(ledger) = self.environment.ledger() else { return };
        let holder = LockHolder { pid: std::process::id(), run_id: self.run_id.clone(), since: self.now() };
        let locks = self.environment.config().paths.locks();
        let Ok(_lock) = Lock::take(&locks, Locked::Job(job), &holder) else { return };
        if let Err(error) = ledger.close_orphans(self.now(), |row| row.job != job) {
            tracing::error!(error = %chain(&error), "the end of a run is not recorded");
        }
    }

    /// Goes on by a new configuration, or by the old one where that is broken.
    fn take_up(&mut self, reloaded: Result<Service, JobError>) {
        let checked = reloaded.and_then(|service| {
            check_settled(self.environment.config(), service.environment.config())?;
            Ok(service)
        });
        match checked {
            Ok(service) => {
                let now = self.now();
                let environment = service.environment.or_ledger_of(&self.environment);
                if let Some(ledger) = environment.ledger() {
                    mark_started(ledger, &self.run_id, now);
                }
                self.book.replan((service.planner, environment.ledger().cloned()), now);
                self.alarm = Alarm::of(&environment);
                self.environment = Arc::new(environment);
                self.jobs = service.jobs;
                self.trouble = None;
                tracing::info!("the new configuration is in force");
            }
            Err(error) => {
                let told = chain(&error);
                tracing::error!(error = told, "the new configuration is not taken up, the old one stays in force");
                self.trouble = Some(format!("reload refused, the old configuration stays: {told}"));
            }
        }
        self.tell_status(self.now());
    }

    /// Links to new log files once an hour; looks at the calendars once a day.
    fn keep_house(&mut self, now: DateTime<Utc>) {
        let hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
        let last = self.housekept_at.replace(hour);
        if last == Some(hour) {
            return;
        }
        let config = self.environment.config();
        let names: Vec<&str> = self.jobs.iter().map(|job| job.name()).chain(["serve"]).collect();
        if let Err(error) = telemetry::link_newest_files(&config.paths.logs, &names) {
            tracing::warn!(error = %chain(&error), "the links to the newest log files are old");
        }
        if last.is_some_and(|last| last.date_naive() == now.date_naive()) {
            return;
        }
        self.warn_of_horizon(now);
    }

    /// Takes old slots out of the ledger once a day, by a clock that has gone evenly for a while: one that is years ahead
    /// for a moment must not take the whole history.
    fn prune(&mut self, now: DateTime<Utc>) {
        if self.steady_since.elapsed() < STEADY || self.pruned_on == Some(now.date_naive()) {
            return;
        }
        self.pruned_on = Some(now.date_naive());
        let keep_days = self.environment.config().runs.ledger_retention_days;
        if let Some(ledger) = self.environment.ledger().cloned() {
            tokio::task::spawn_blocking(move || match ledger.prune(keep_days, now) {
                Ok(0) => {}
                Ok(slots) => tracing::info!(slots, "old slots were removed from the ledger"),
                Err(error) => tracing::error!(error = %chain(&error), "old slots stay in the ledger"),
            });
        }
    }

    fn warn_of_horizon(&self, now: DateTime<Utc>) {
        let today = to_new_york(now).date_naive();
        let calendars = self.environment.calendars();
        for calendar in [&calendars.futures, &calendars.nyse] {
            let horizon = *calendar.coverage().end();
            if horizon - today < HORIZON_WARNING {
                let calendar = calendar.id();
                tracing::warn!(%calendar, %horizon, "the calendar ends soon: install a newer version, or give overrides");
            }
        }
    }

    fn tell_status(&mut self, now: DateTime<Utc>) {
        let trouble = match (&self.trouble, self.book.is_recorded()) {
            (Some(trouble), _) => Some(trouble.as_str()),
            (None, false) => Some("the ledger cannot be written"),
            (None, true) => None,
        };
        let status = status::line(self.book.next(now).as_ref(), &self.crew.jobs(), trouble);
        if status != self.status {
            self.notifier.status(&status);
            self.status = status;
        }
    }

    /// Waits for what runs, up to the limit; what then still runs is told to end.
    async fn drain(&mut self, commands: &mut mpsc::Receiver<Command>) {
        self.notifier.stopping();
        let mut until = Instant::now() + Duration::from_secs(self.environment.config().runs.drain_seconds);
        let (mut was_told, mut is_told_more) = (false, true);
        if !self.crew.jobs().is_empty() {
            let (jobs, seconds) = (self.crew.jobs().join(", "), self.environment.config().runs.drain_seconds);
            // A warning, so that whoever pressed Ctrl-C reads it.
            tracing::warn!(
                jobs,
                seconds,
                "stopping when these runs have ended, at most so long; a second signal ends them now"
            );
        }
        while !self.crew.jobs().is_empty() {
            let waits_for = self.crew.jobs().join(", ");
            self.notifier.status(&format!("stopping when these have ended: {waits_for}"));
            let is_over = tokio::select! {
                ended = timeout_at(until, self.crew.ended()) => match ended {
                    Ok((key, report)) => {
                        self.ended(&key, report);
                        false
                    }
                    Err(_) => true,
                },
                command = commands.recv(), if is_told_more => match command {
                    Some(Command::Tick) => {
                        self.notifier.alive();
                        false
                    }
                    Some(Command::Drain) => true,
                    Some(Command::Reload) => false,
                    None => {
                        is_told_more = false;
                        false
                    }
                },
            };
            match (is_over, was_told) {
                (false, _) => {}
                (true, false) => {
                    tracing::warn!(jobs = waits_for, "these runs are ended: the daemon stops");
                    self.crew.stop_all("the daemon stops");
                    until = Instant::now() + LAST_WAIT;
                    was_told = true;
                }
                (true, true) => {
                    tracing::error!(jobs = waits_for, "these runs do not end and are left");
                    return;
                }
            }
        }
    }
}

/// Tells the ledger that the daemon has started, and the log how the one before it ended.
fn mark_started(ledger: &Ledger, run_id: &str, now: DateTime<Utc>) {
    match ledger.mark_started(run_id, now) {
        Ok(PreviousEnd::Clean) => {}
        Ok(PreviousEnd::Unclean { since }) => {
            tracing::warn!(%since, "the daemon before this one was killed, crashed or lost its power");
        }
        Err(error) => tracing::error!(error = %chain(&error), "the ledger does not know that the daemon has started"),
    }
}

/// A ledger that cannot be read now may be written later: then slots are accounted for from now on.
fn open_book(planner: Planner, ledger: Option<Ledger>, now: DateTime<Utc>) -> Book {
    Book::open(planner.clone(), ledger.clone(), now).unwrap_or_else(|error| {
        tracing::error!(error = %chain(&error), "the ledger does not tell where it stands");
        Book::anew(planner, ledger, now)
    })
}

/// The report of a run whose thread could not make one.
fn no_report() -> RunReport {
    let error = JobError::fail(Failure::Panicked, "the run came to no end of its own, which is a bug: see the log");
    RunReport {
        run_id: String::new(),
        slot: None,
        attempts: 1,
        took: Duration::ZERO,
        is_stuck: false,
        result: Err(error),
    }
}
