//! The planner: which slots each job has, and why.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::error::{PlanError, ScheduleErrors};
use super::occurrence::{INSTANT, Occurrence, PlannerCalendars, Window};
use super::schedule::{JobSchedule, Rule, Schedules, Timing};
use crate::calendar::CalendarError;

/// How far ahead a rule is looked for before it counts as one that never comes round: ten years.
const LOOKED_AHEAD: Days = Days::new(3_653);

/// A slot that a schedule gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSlot {
    /// The name of the job.
    pub job: String,
    /// What the run is about, and half of its key in the ledger.
    pub slot: DateTime<Utc>,
    /// When the run is to start: the slot and the job's jitter; for a chained job not before the other has ended.
    pub due_at: DateTime<Utc>,
    /// Why the slot is where it is.
    pub reason: String,
}

/// A pure function of schedules and calendars: no clock, no I/O, and nothing kept between two questions.
#[derive(Clone, Debug)]
pub struct Planner {
    schedules: Schedules,
    pub(super) calendars: PlannerCalendars,
}

impl Planner {
    /// A planner of these schedules.
    #[must_use]
    pub fn new(schedules: Schedules, calendars: PlannerCalendars) -> Self {
        Self { schedules, calendars }
    }

    /// Refuses rules that never come round: nothing of theirs falls into the ten years after now, in which every day
    /// that a calendar can have comes at least once, a 29 February too.
    ///
    /// # Errors
    ///
    /// [`ScheduleErrors`] with each of them, its file and its line.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), ScheduleErrors> {
        let until = now.checked_add_days(LOOKED_AHEAD);
        let window = Window::new(now, until);
        // Where the rules of the calendars end, nothing is known of what comes round later.
        if until.is_none_or(|until| window.until < until) {
            return Ok(());
        }
        ScheduleErrors::of(self.schedules.placed_rules().filter_map(|(schedule, rule, place)| {
            let follows_no_clock = matches!(rule.timing, Timing::After(_) | Timing::OnStart);
            // A clock that is before the calendars is no fault of a rule.
            let is_sound = follows_no_clock || !matches!(self.calendars.next(rule, window), Ok(None));
            let told = || {
                let (job, why) = (&schedule.job, rule.why_never());
                format!("jobs.{job}.schedule: {rule} never comes round: {why}: change the rule, or take it out")
            };
            (!is_sound).then(|| (place.clone(), told()))
        }))
    }

    /// The schedules.
    #[must_use]
    pub fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// The first slot of a job after an instant; none after 2099, and of a job that only the daemon's start starts.
    ///
    /// # Errors
    ///
    /// [`PlanError::NotScheduled`], or [`PlanError::Calendar`] for an instant before the calendars.
    pub fn next(&self, job: &str, after: DateTime<Utc>) -> Result<Option<PlannedSlot>, PlanError> {
        self.planned(self.schedules.of(job)?, Window::new(after, None))
    }

    /// The slots of a job with `after < slot <= until`, in order.
    ///
    /// # Errors
    ///
    /// As [`Planner::next`].
    pub fn between(
        &self,
        job: &str,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<PlannedSlot>, PlanError> {
        let schedule = self.schedules.of(job)?;
        let mut window = Window::new(after, Some(until));
        let mut slots = Vec::new();
        while let Some(planned) = self.planned(schedule, window)? {
            window.after = planned.slot;
            slots.push(planned);
        }
        Ok(slots)
    }

    /// The first `count` slots of all jobs after an instant, by slot and then in the order of the files.
    ///
    /// # Errors
    ///
    /// As [`Planner::next`].
    pub fn upcoming(&self, from: DateTime<Utc>, count: usize) -> Result<Vec<PlannedSlot>, PlanError> {
        let jobs: Vec<&JobSchedule> = self.schedules.iter().collect();
        let mut heads = BinaryHeap::new();
        for (position, schedule) in jobs.iter().enumerate() {
            let occurrence = self.occurrence(schedule, Window::new(from, None))?;
            heads.extend(occurrence.map(|found| Reverse((found.at, position))));
        }
        let mut slots = Vec::new();
        while slots.len() < count {
            let Some(Reverse((slot, position))) = heads.pop() else { break };
            let Some(schedule) = jobs.get(position) else { break };
            slots.extend(self.planned(schedule, Window::only(slot))?);
            let following = self.occurrence(schedule, Window::new(slot, None))?;
            heads.extend(following.map(|found| Reverse((found.at, position))));
        }
        Ok(slots)
    }

    /// Whether a slot lies on a day past the published calendars, which only the rules tell.
    ///
    /// # Errors
    ///
    /// As [`Planner::next`].
    pub fn is_provisional(&self, slot: &PlannedSlot) -> Result<bool, PlanError> {
        let found = self.occurrence(self.schedules.of(&slot.job)?, Window::only(slot.slot))?;
        Ok(found.map(|found| self.calendars.is_provisional(&found)).transpose()?.unwrap_or(false))
    }

    fn planned(&self, schedule: &JobSchedule, window: Window) -> Result<Option<PlannedSlot>, PlanError> {
        let found = self.occurrence(schedule, window)?;
        Ok(found.map(|found| PlannedSlot {
            job: schedule.job.clone(),
            slot: found.at,
            due_at: found.at + schedule.delay(),
            reason: found.reason(),
        }))
    }

    /// The first slot in the window that a clock gives to a job, itself or over the jobs it comes after.
    pub(super) fn occurrence<'p>(
        &'p self,
        schedule: &'p JobSchedule,
        window: Window,
    ) -> Result<Option<Occurrence<'p>>, PlanError> {
        self.first_of(&schedule.rules, window, |rule, window| match &rule.timing {
            Timing::After(job) => {
                let upstream = self.occurrence(self.schedules.of(job)?, window)?;
                Ok(upstream.map(|upstream| upstream.followed_by(rule)))
            }
            _ => Ok(self.calendars.next(rule, window)?),
        })
    }

    /// The first slot in the window that a clock gives to the job itself.
    pub(super) fn own_occurrence<'p>(
        &'p self,
        schedule: &'p JobSchedule,
        window: Window,
    ) -> Result<Option<Occurrence<'p>>, PlanError> {
        self.first_of(&schedule.rules, window, |rule, window| Ok(self.calendars.next(rule, window)?))
    }

    fn first_of<'p>(
        &'p self,
        rules: &'p [Rule],
        mut window: Window,
        next: impl Fn(&'p Rule, Window) -> Result<Option<Occurrence<'p>>, PlanError>,
    ) -> Result<Option<Occurrence<'p>>, PlanError> {
        match self.calendars.futures.is_open(window.after) {
            Err(CalendarError::AfterRules { .. }) => return Ok(None),
            known => known?,
        };
        let mut first = None;
        for rule in rules {
            if let Some(found) = next(rule, window)? {
                // Only an earlier one wins from here on; of two at one instant the first rule gives the reason.
                window.until = found.at - INSTANT;
                first = Some(found);
            }
        }
        Ok(first)
    }
}

impl Rule {
    /// What a rule that never comes round most likely runs into.
    fn why_never(&self) -> String {
        match (self.only_if_open, &self.narrowing) {
            (Some(calendar), _) => format!(
                "{calendar} is never open at such a slot (open < slot <= close, so an open is no slot and a close is one)"
            ),
            (None, Some(narrowing)) => format!("none of its slots is on the {narrowing}"),
            (None, None) => "no day of the coming ten years has such a slot".to_owned(),
        }
    }
}

impl JobSchedule {
    /// How long after its slots the job starts: less than the jitter, always the same for a name.
    pub(super) fn delay(&self) -> TimeDelta {
        let spread = u64::try_from(self.jitter.num_seconds()).unwrap_or(0);
        let seconds = fnv1a(self.job.as_bytes()).checked_rem(spread).unwrap_or(0);
        TimeDelta::seconds(i64::try_from(seconds).unwrap_or(0))
    }
}

/// The 64-bit FNV-1a hash: the same in every build and on every machine, which the standard library's is not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
