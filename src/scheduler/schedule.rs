//! Schedules: when each job runs, and what happens when it could not.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;

use super::anchor::Anchored;
use super::cron::CronLine;
use super::duration::short;
use super::error::{Place, PlanError, remedy};
use super::narrowing::Narrowing;
use crate::calendar::CalendarId;

/// The schedules of all jobs, in the order of their files.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Schedules {
    jobs: Vec<JobSchedule>,
    /// Where the rules of each job stand, in the order of the jobs.
    places: Vec<Vec<Place>>,
}

impl Schedules {
    /// The schedules of jobs, each with the places of its rules.
    pub(super) fn new(jobs: impl IntoIterator<Item = (JobSchedule, Vec<Place>)>) -> Self {
        let (jobs, places) = jobs.into_iter().unzip();
        Self { jobs, places }
    }

    /// Every rule with its job and the place where it stands.
    pub(super) fn placed_rules(&self) -> impl Iterator<Item = (&JobSchedule, &Rule, &Place)> {
        let jobs = self.jobs.iter().zip(&self.places);
        jobs.flat_map(|(job, places)| job.rules.iter().zip(places).map(move |(rule, place)| (job, rule, place)))
    }

    /// Every schedule, in the order of the files.
    pub fn iter(&self) -> impl Iterator<Item = &JobSchedule> {
        self.jobs.iter()
    }

    /// The schedule of a job.
    ///
    /// # Errors
    ///
    /// [`PlanError::NotScheduled`] names the job that was probably meant.
    pub fn of(&self, job: &str) -> Result<&JobSchedule, PlanError> {
        self.jobs.iter().find(|schedule| schedule.job == job).ok_or_else(|| {
            let known: Vec<&str> = self.jobs.iter().map(|schedule| schedule.job.as_str()).collect();
            PlanError::NotScheduled { name: job.to_owned(), remedy: remedy(job, &known) }
        })
    }
}

/// When one job runs.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSchedule {
    /// The name of the job.
    pub job: String,
    /// When; a slot that several rules give is one slot.
    pub rules: Vec<Rule>,
    /// What happens when a slot comes due while the job still runs.
    pub overlap: Overlap,
    /// What happens to slots that could not start in time.
    pub misfire: Misfire,
    /// What it captures cannot be had later.
    pub live: bool,
    /// Starts are spread over this much time after their slots, each job by its name.
    pub jitter: TimeDelta,
    /// The bound of one run, all attempts together; none: the job's own.
    pub timeout: Option<Duration>,
    /// Further attempts; none: those of the configuration.
    pub retry: Option<Retry>,
}

impl JobSchedule {
    /// The jobs it comes after.
    pub fn upstream(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| match &rule.timing {
            Timing::After(job) => Some(job.as_str()),
            _ => None,
        })
    }

    /// The calendar in which the job's sessions are counted: that of its first rule that has one.
    #[must_use]
    pub fn calendar(&self) -> CalendarId {
        self.rules.iter().find_map(Rule::calendar).unwrap_or(CalendarId::CmeEquity)
    }
}

/// One way in which a job comes due.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// When.
    pub timing: Timing,
    /// Only on such sessions.
    pub narrowing: Option<Narrowing>,
    /// Only if this exchange is open at the instant.
    pub only_if_open: Option<CalendarId>,
}

impl Rule {
    /// The calendar the rule goes by.
    fn calendar(&self) -> Option<CalendarId> {
        self.timing.calendar().or(self.narrowing.map(|narrowing| narrowing.calendar))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.timing {
            Timing::Every { step, during } => write!(f, "every {} during {during}", short(*step))?,
            Timing::At(anchored) => write!(f, "{anchored}")?,
            Timing::After(job) => write!(f, "after {job}")?,
            Timing::OnStart => f.write_str("on start")?,
            Timing::Cron(line) => write!(f, "cron {line}")?,
        }
        if let Some(narrowing) = &self.narrowing {
            write!(f, ", {narrowing}")?;
        }
        match self.only_if_open {
            Some(calendar) => write!(f, ", only if {calendar} is open"),
            None => Ok(()),
        }
    }
}

/// What makes a job come due.
#[derive(Clone, Debug, PartialEq)]
pub enum Timing {
    /// On a grid of UTC in the open segments of a calendar: `open < slot <= close`.
    Every {
        /// The grid, a divisor of an hour.
        step: TimeDelta,
        /// The calendar.
        during: CalendarId,
    },
    /// At an instant that moves with sessions or contracts.
    At(Anchored),
    /// When another job has ended; its slot is that job's.
    After(String),
    /// When the daemon starts.
    OnStart,
    /// By a cron line in a zone.
    Cron(Box<CronLine>),
}

impl Timing {
    /// The calendar whose sessions it follows.
    pub(super) fn calendar(&self) -> Option<CalendarId> {
        match self {
            Timing::Every { during, .. } => Some(*during),
            Timing::At(anchored) => Some(anchored.anchor.calendar()),
            Timing::After(_) | Timing::OnStart | Timing::Cron(_) => None,
        }
    }
}

/// What happens when a slot comes due while the job still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overlap {
    /// The slot is skipped.
    #[default]
    Skip,
    /// One slot waits; further ones are skipped.
    QueueOne,
    /// The run is ended and the slot takes its place.
    Replace,
}

/// What happens to slots that could not start in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfire {
    /// They are missed; a slot may start this much late.
    None {
        /// From the slot on.
        start_deadline: TimeDelta,
    },
    /// The newest of them starts, the others are missed.
    One {
        /// How much late it may start; none: whenever.
        start_deadline: Option<TimeDelta>,
    },
    /// Those of the last sessions start one after the other, oldest first; older ones are missed.
    ///
    /// They wait for each other and for the slot that runs, so the overlap does not apply.
    All {
        /// How many sessions of the job's calendar, the newest included.
        max_sessions: u32,
    },
}

/// Further attempts after a failure that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many.
    pub max: u32,
    /// Pause before each.
    pub backoff: Duration,
}
