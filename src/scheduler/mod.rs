//! Schedules on market calendars: what is due when, and why.
//!
//! Two pure halves, without a clock, I/O or a runtime:
//!
//! - [`Schedules`] are read from YAML (`schedules/*.yaml`, compiled in), strictly and with every fault at once;
//! - the [`Planner`] answers from schedules, calendars, a [`LedgerView`] and now: which slots a job has, and what is to
//!   be done with those that have come.
//!
//! A slot is an instant and, with the name of its job, the key of its run: whoever plans it, and however often, it is
//! one.

mod anchor;
mod cron;
mod duration;
mod error;
mod fields;
mod narrowing;
mod occurrence;
mod parse;
mod planner;
mod read_job;
mod read_rule;
mod reason;
mod schedule;
mod yaml;

#[cfg(test)]
mod anchor_days;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod listings;
#[cfg(test)]
mod odd_nights;

pub use anchor::{Anchor, Anchored, Point};
pub use cron::CronLine;
pub use error::{PlanError, ScheduleErrors};
pub use narrowing::{Edge, Narrowing, Period};
pub use occurrence::PlannerCalendars;
pub use planner::{PlannedSlot, Planner};
pub use schedule::{JobSchedule, Misfire, Overlap, Retry, Rule, Schedules, Timing};
