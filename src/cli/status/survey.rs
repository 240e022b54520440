//! Gathers what the status is made of: plan, ledger, locks, tables.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, Session, to_new_york};
use crate::config::{Config, Loaded};
use crate::job::{Failure, JobError, LockHolder, Locked, calendars, chain, lock_holder};
use crate::lake::Lake;
use crate::scheduler::{JobSchedule, Misfire, PlanError, Planner};
use crate::state::{Beginning, HistoryQuery, Ledger, Pause, RunRow, RunState};

use super::super::existing_lake::told;
use super::super::schedule::planner;
use super::account::{JobAccount, SessionAccount, Terms, Wanted, account, slot_of};
use super::freshness::{self, freshness};
use super::horizon::horizons;
use super::verdict::Evidence;
use super::{Daemon, SCHEMA, Status};

/// The job that fills the tables that are judged for freshness.
const CAPTURE: &str = "snapshot";

/// So long a daemon may take from its lock to its note in the ledger.
const JUST_STARTED: TimeDelta = TimeDelta::seconds(10);

/// What is asked.
pub(super) struct Survey<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) config: &'a Config,
    /// This machine's time, by which pauses end.
    pub(super) now: DateTime<Utc>,
    /// Up to where slots are judged.
    pub(super) at: DateTime<Utc>,
    pub(super) num_sessions: u32,
    pub(super) by_timers: bool,
}

/// What the accounts are drawn from.
struct Books {
    planner: Planner,
    ledger: Option<Ledger>,
    beginning: Beginning,
    daemon: Option<LockHolder>,
    pauses: Vec<Pause>,
}

impl Survey<'_> {
    /// Gathers everything and judges it.
    pub(super) async fn status(&self) -> Result<Status, JobError> {
        let calendars = calendars(self.config)?;
        let books = self.books()?;
        let sessions = self.sessions(&calendars.futures, &books)?;
        let no_lake = self.no_lake(&books)?;
        let lacks_lake = no_lake.is_some();
        let (freshness, lake_error) = match no_lake {
            Some(told) => (Vec::new(), Some(told)),
            None => match freshness(self.config, &calendars, &self.freshness_terms(&books)).await {
                Ok(freshness) => (freshness, None),
                Err(error) => (Vec::new(), Some(chain(&error))),
            },
        };
        let daemon = Daemon {
            running: books.daemon.is_some(),
            pid: books.daemon.as_ref().map(|holder| holder.pid),
            since_utc: books.daemon.as_ref().map(|holder| holder.since),
            run_id: books.daemon.as_ref().map(|holder| holder.run_id.clone()),
            wanted: !self.by_timers,
        };
        let evidence = Evidence {
            daemon: &daemon,
            sessions: &sessions,
            freshness: &freshness,
            lake_error: lake_error.as_deref(),
            ledger_fault: books.ledger_fault(self.now)?,
            lacks_lake,
            is_recorded: books.beginning.any.is_some(),
            is_scheduled: self.since(&books.beginning).is_some(),
            kind: self.config.gateway.kind,
        };
        let verdict = evidence.verdict();
        let last_failure = books.ledger.as_ref().map(Ledger::last_failure).transpose()?.flatten();
        let calendars = horizons(&calendars, self.at);
        let (schema, at_utc, pauses) = (SCHEMA, self.at, books.pauses);
        Ok(Status { schema, at_utc, verdict, daemon, sessions, last_failure, freshness, lake_error, pauses, calendars })
    }

    /// What is said of a lake that is not there. A daemon that runs here will begin it with its first slot.
    fn no_lake(&self, books: &Books) -> Result<Option<String>, JobError> {
        let lake = Lake::reader(&self.config.lake)?;
        let absent = lake.check_exists().err().filter(|_| books.daemon.is_none());
        Ok(absent.map(|error| told(&error, self.loaded)))
    }

    fn books(&self) -> Result<Books, JobError> {
        let ledger = Ledger::open_to_read(&self.config.paths.ledger())?;
        let (beginning, pauses) = match &ledger {
            Some(ledger) => (ledger.beginning()?, ledger.all_paused(self.now)?),
            None => (Beginning::default(), Vec::new()),
        };
        let daemon = lock_holder(&self.config.paths.locks().join(Locked::Daemon.file_name()));
        Ok(Books { planner: planner(self.config)?, ledger, beginning, daemon, pauses })
    }

    /// From when on the schedule counts. What timers start is recorded as asked for by hand.
    fn since(&self, beginning: &Beginning) -> Option<DateTime<Utc>> {
        if self.by_timers { beginning.any } else { beginning.scheduled }
    }

    fn freshness_terms(&self, books: &Books) -> freshness::Terms {
        let paused = books.pauses.iter().find(|pause| pause.job == CAPTURE);
        let paused = paused.map(|pause| format!("{CAPTURE} is paused: {}", pause.reason));
        freshness::Terms { at: self.at, since: self.since(&books.beginning), paused }
    }

    /// The accounts of the newest sessions, the newest first.
    fn sessions(&self, futures: &Calendar, books: &Books) -> Result<Vec<SessionAccount>, JobError> {
        let tomorrow = to_new_york(self.at).date_naive() + TimeDelta::days(1);
        let reach = TimeDelta::days(i64::from(self.num_sessions) * 2 + 12);
        let mut sessions = futures.sessions(tomorrow - reach, tomorrow)?;
        sessions.retain(|session| session.open() < self.at);
        let newest = sessions.iter().rev().take(usize::try_from(self.num_sessions).unwrap_or(usize::MAX));
        newest.map(|session| self.session(futures, session, books)).collect()
    }

    fn session(&self, futures: &Calendar, session: &Session, books: &Books) -> Result<SessionAccount, JobError> {
        let until = futures.next_open(session.close())?.min(self.at);
        let window = (session.open(), until);
        let jobs = books.planner.schedules().iter().map(|schedule| self.job(schedule, window, books));
        Ok(SessionAccount {
            session_date: session.day.to_string(),
            open_utc: session.open(),
            close_utc: session.close(),
            until_utc: until,
            jobs: jobs.collect::<Result<_, _>>()?,
        })
    }

    fn job(
        &self,
        schedule: &JobSchedule,
        window: (DateTime<Utc>, DateTime<Utc>),
        books: &Books,
    ) -> Result<JobAccount, JobError> {
        let job = schedule.job.as_str();
        let rows = rows(books.ledger.as_ref(), job, window)?;
        let wanted = books.wanted(schedule, window, &rows)?;
        let oldest = match &books.ledger {
            Some(ledger) if !self.by_timers => ledger.oldest_scheduled(job)?,
            _ => None,
        };
        // A job that is new in the schedule counts from the daemon's start on.
        let started = books.daemon.as_ref().map(|daemon| daemon.since.min(self.now)).filter(|_| !self.by_timers);
        let lock = self.config.paths.locks().join(Locked::Job(job).file_name());
        let alive = rows.iter().any(|row| row.state == RunState::Running).then(|| lock_holder(&lock)).flatten();
        let terms = Terms {
            job,
            at: self.at,
            since: self.since(&books.beginning).map(|all| oldest.or(started).unwrap_or(all)),
            daemon_is_running: books.daemon.is_some(),
            run_alive: alive.as_ref().map(|holder| holder.run_id.as_str()),
        };
        Ok(account(&terms, &wanted, &rows))
    }
}

impl Books {
    /// Why what the ledger says is not what the running daemon does: the daemon notes its run in the ledger that it writes
    /// to. One that has just started may not have done it yet.
    fn ledger_fault(&self, now: DateTime<Utc>) -> Result<Option<&'static str>, JobError> {
        let Some(daemon) = self.daemon.as_ref().filter(|daemon| (now - daemon.since).abs() > JUST_STARTED) else {
            return Ok(None);
        };
        let noted = self.ledger.as_ref().map(Ledger::daemon_run).transpose()?.flatten();
        Ok((noted.as_ref() != Some(&daemon.run_id)).then_some(
            "the running daemon does not write to this ledger: it could not be opened, or was deleted, replaced or \
             overwritten since; the daemon takes it up within a minute (jobs logs serve tells why not)",
        ))
    }

    /// The slots that the schedule wants, with those that may wait for something else.
    fn wanted(
        &self,
        schedule: &JobSchedule,
        window: (DateTime<Utc>, DateTime<Utc>),
        rows: &[RunRow],
    ) -> Result<Vec<Wanted>, JobError> {
        let all_are_caught_up = matches!(schedule.misfire, Misfire::All { .. });
        let is_paused = self.pauses.iter().any(|pause| pause.job == schedule.job);
        let is_running = rows.iter().any(|row| row.state == RunState::Running);
        let mut open_upstream = Vec::new();
        for upstream in schedule.upstream() {
            open_upstream.extend(rows_in(
                self.ledger.as_ref(),
                upstream,
                window,
                &[RunState::Planned, RunState::Running],
            )?);
        }
        let planned = self.planner.between(&schedule.job, window.0, window.1).map_err(|error| unplanned(&error))?;
        let wanted = planned.into_iter().map(|planned| Wanted {
            slot: planned.slot,
            due_at: planned.due_at,
            is_held_up: all_are_caught_up && (is_paused || is_running)
                || open_upstream.iter().any(|row| slot_of(row) == planned.slot),
        });
        Ok(wanted.collect())
    }
}

fn rows(ledger: Option<&Ledger>, job: &str, window: (DateTime<Utc>, DateTime<Utc>)) -> Result<Vec<RunRow>, JobError> {
    rows_in(ledger, job, window, &[])
}

/// The rows of a job with `after` < slot <= `until`, in some states.
fn rows_in(
    ledger: Option<&Ledger>,
    job: &str,
    (after, until): (DateTime<Utc>, DateTime<Utc>),
    states: &[RunState],
) -> Result<Vec<RunRow>, JobError> {
    let Some(ledger) = ledger else { return Ok(Vec::new()) };
    let query = HistoryQuery {
        job: Some(job.to_owned()),
        since: Some(after),
        until: Some(until),
        states: states.to_vec(),
        ..HistoryQuery::default()
    };
    let mut rows = ledger.history(&query)?;
    rows.retain(|row| slot_of(row) > after);
    Ok(rows)
}

fn unplanned(error: &PlanError) -> JobError {
    JobError::fail(Failure::Failed, chain(error))
}
