//! Decisions: what is to be done now.
//!
//! `decide` looks only at schedules, calendars, the ledger and now. Each slot that has come and has no entry gets
//! exactly one decision, in the order of slots; a decision carried out is an entry, and a slot with an entry is never
//! planned again. So a lost tick, a doubled one or a suspended machine changes nothing but lateness. A clock that is set
//! back takes back what was decided of later slots and not run ([`LedgerView::retract`]): they are decided when they come.

use chrono::{DateTime, TimeDelta, Utc};

use super::due::{Due, Punctuality};
use super::duration::short;
use super::error::PlanError;
use super::ledger::{JobLedger, LedgerView, SlotState, Trigger};
use super::planner::{PlannedSlot, Planner};
use super::reason::eastern;
use super::schedule::{JobSchedule, Misfire, Overlap};

/// What is to be done with a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start it.
    Start {
        /// The slot.
        planned: PlannedSlot,
        /// Whether in time.
        trigger: Trigger,
    },
    /// Do not start it, for a reason that is no lateness.
    Skip {
        /// The slot.
        planned: PlannedSlot,
        /// Why.
        reason: String,
    },
    /// It is too late for it.
    Miss {
        /// The slot.
        planned: PlannedSlot,
        /// Why.
        reason: String,
    },
    /// Let it wait for the run before it.
    Queue {
        /// The slot.
        planned: PlannedSlot,
        /// Whether in time.
        trigger: Trigger,
    },
    /// End the run before it, and start it.
    Replace {
        /// The slot.
        planned: PlannedSlot,
        /// Whether in time.
        trigger: Trigger,
    },
}

impl Decision {
    /// The slot.
    #[must_use]
    pub fn planned(&self) -> &PlannedSlot {
        match self {
            Decision::Start { planned, .. }
            | Decision::Skip { planned, .. }
            | Decision::Miss { planned, .. }
            | Decision::Queue { planned, .. }
            | Decision::Replace { planned, .. } => planned,
        }
    }
}

/// What the misfire rule says of a slot.
enum Verdict {
    Start(Trigger),
    Miss(String),
}

/// What runs and what waits while a job's slots are gone through.
struct Occupied {
    running: Option<DateTime<Utc>>,
    queued: Option<DateTime<Utc>>,
}

impl Planner {
    /// What is to be done now. The same ledger and the same now give the same decisions.
    ///
    /// # Errors
    ///
    /// [`PlanError::Calendar`] where the ledger or the clock stands before the calendars.
    pub fn decide(&self, ledger: &LedgerView, now: DateTime<Utc>) -> Result<Vec<Decision>, PlanError> {
        let mut decisions = Vec::new();
        for schedule in self.schedules().iter() {
            self.decide_job(schedule, ledger, now, &mut decisions)?;
        }
        Ok(decisions)
    }

    fn decide_job(
        &self,
        schedule: &JobSchedule,
        ledger: &LedgerView,
        now: DateTime<Utc>,
        decisions: &mut Vec<Decision>,
    ) -> Result<(), PlanError> {
        let own = ledger.of(&schedule.job);
        let due = self.due(schedule, ledger, now)?;
        // A run that a clock ahead began occupies nothing: who comes in time waits for its lock.
        let slot_in = |state| own.newest(state, now).map(|(slot, _)| slot);
        let mut occupied = Occupied { running: slot_in(SlotState::Running), queued: slot_in(SlotState::Queued) };
        let is_paused = own.pause.as_ref().is_some_and(|pause| pause.holds(now));
        if occupied.running.is_none() && !is_paused {
            decisions.extend(self.release(schedule, &own, &mut occupied, now)?);
        }
        for (position, slot) in due.iter().enumerate() {
            let planned = slot.planned.clone();
            if let Some(reason) = slot.blocked.clone().or_else(|| paused(&own, planned.slot)) {
                decisions.push(Decision::Skip { planned, reason });
                continue;
            }
            let trigger = match self.verdict(schedule, &due, position, now)? {
                Verdict::Miss(reason) => {
                    decisions.push(Decision::Miss { planned, reason });
                    continue;
                }
                Verdict::Start(trigger) => trigger,
            };
            let waits_its_turn = matches!(schedule.misfire, Misfire::All { .. }) && occupied.running.is_some();
            if is_paused || waits_its_turn {
                // What comes after it waits too, so that entries are made in the order of slots.
                break;
            }
            decisions.push(occupied.take(planned, trigger, schedule.overlap));
        }
        Ok(())
    }

    /// The slot that waits, once nothing runs; it is missed if it has waited past its start deadline.
    fn release(
        &self,
        schedule: &JobSchedule,
        own: &JobLedger,
        occupied: &mut Occupied,
        now: DateTime<Utc>,
    ) -> Result<Option<Decision>, PlanError> {
        let Some((slot, entry)) = own.newest(SlotState::Queued, now) else { return Ok(None) };
        let planned = self.planned_at(schedule, slot)?;
        occupied.queued = None;
        if let Some(reason) = past_deadline(schedule.misfire, now - planned.slot) {
            return Ok(Some(Decision::Miss { planned, reason: format!("{reason} while it waited") }));
        }
        occupied.running = Some(slot);
        Ok(Some(Decision::Start { planned, trigger: entry.trigger }))
    }

    fn verdict(
        &self,
        schedule: &JobSchedule,
        due: &[Due],
        position: usize,
        now: DateTime<Utc>,
    ) -> Result<Verdict, PlanError> {
        let (Some(slot), Some(newest)) = (due.get(position), due.last()) else {
            return Ok(Verdict::Start(Trigger::Schedule));
        };
        let is_late = slot.punctuality != Punctuality::InTime;
        let trigger = if is_late { Trigger::CatchUp } else { Trigger::Schedule };
        if let Some(reason) = past_deadline(schedule.misfire, now - slot.counted_from) {
            return Ok(Verdict::Miss(reason));
        }
        Ok(match schedule.misfire {
            Misfire::None { .. } if slot.punctuality == Punctuality::AfterCatchUp => {
                Verdict::Miss("the run it comes after was a catch-up, and it is not caught up itself".to_owned())
            }
            Misfire::None { .. } => Verdict::Start(Trigger::Schedule),
            Misfire::One { .. } if is_late => {
                let is_superseded = position + 1 < due.len() || self.is_superseded(schedule, slot.planned.slot, now)?;
                if is_superseded {
                    Verdict::Miss("a newer slot has come, and only the newest is caught up".to_owned())
                } else {
                    Verdict::Start(trigger)
                }
            }
            Misfire::One { .. } => Verdict::Start(trigger),
            Misfire::All { max_sessions } => {
                if slot.day < self.first_day_caught_up(schedule, (newest.day, max_sessions), now)? {
                    Verdict::Miss(format!("it is older than the last {}", sessions(max_sessions)))
                } else {
                    Verdict::Start(trigger)
                }
            }
        })
    }
}

impl Occupied {
    /// What the overlap makes of a slot that may start.
    fn take(&mut self, planned: PlannedSlot, trigger: Trigger, overlap: Overlap) -> Decision {
        let Some(running) = self.running else {
            self.running = Some(planned.slot);
            return Decision::Start { planned, trigger };
        };
        match (overlap, self.queued) {
            (Overlap::Skip, _) => {
                let reason = format!("the run of {} is still going", eastern(running));
                Decision::Skip { planned, reason }
            }
            (Overlap::QueueOne, Some(queued)) => {
                let reason = format!("the slot of {} waits already", eastern(queued));
                Decision::Skip { planned, reason }
            }
            (Overlap::QueueOne, None) => {
                self.queued = Some(planned.slot);
                Decision::Queue { planned, trigger }
            }
            (Overlap::Replace, _) => {
                self.running = Some(planned.slot);
                Decision::Replace { planned, trigger }
            }
        }
    }
}

/// Why a slot is not started because of a pause.
fn paused(own: &JobLedger, slot: DateTime<Utc>) -> Option<String> {
    let pause = own.pause.as_ref().filter(|pause| pause.holds(slot))?;
    let until = pause.until.map(|until| format!(" until {}", eastern(until))).unwrap_or_default();
    Some(format!("paused{until}: {}", pause.reason))
}

/// Why a slot this late cannot start, if it has a start deadline and is past it.
fn past_deadline(misfire: Misfire, lateness: TimeDelta) -> Option<String> {
    let deadline = match misfire {
        Misfire::None { start_deadline } => start_deadline,
        Misfire::One { start_deadline } => start_deadline?,
        Misfire::All { .. } => return None,
    };
    (lateness > deadline).then(|| format!("its start deadline of {} passed", short(deadline)))
}

fn sessions(count: u32) -> String {
    if count == 1 { "session".to_owned() } else { format!("{count} sessions") }
}
