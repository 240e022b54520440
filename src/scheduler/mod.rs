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
mod book;
mod cron;
mod daemon;
mod decide;
mod due;
mod duration;
mod error;
mod fields;
mod files;
mod ledger;
mod narrowing;
mod occurrence;
mod parse;
mod planner;
mod publish;
mod read_job;
mod read_rule;
mod reason;
mod schedule;
mod settle;
mod simulation;
mod yaml;

#[cfg(test)]
mod anchor_days;
#[cfg(test)]
mod chain_cases;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod jumps;
#[cfg(test)]
mod listings;
#[cfg(test)]
mod misfire_cases;
#[cfg(test)]
mod odd_nights;
#[cfg(test)]
mod overlap_cases;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod upheavals;

pub use anchor::{Anchor, Anchored, Point};
pub use book::{Begin, Book, Missed};
pub use cron::CronLine;
pub use daemon::{Command, Daemon, Notifier, Service, beat, check_settled, serve};
pub use decide::Decision;
pub use duration::{parse_duration, short};
pub use error::{PlanError, ScheduleErrors};
pub use files::ScheduleFileError;
pub use ledger::{Entry, JobLedger, LedgerView, Pause, SlotState, Trigger};
pub use narrowing::{Edge, Narrowing, Period};
pub use occurrence::PlannerCalendars;
pub use planner::{PlannedSlot, Planner};
pub use publish::metrics_of;
pub use schedule::{JobSchedule, Misfire, Overlap, Retry, Rule, Schedules, Timing};
pub use simulation::{
    Account, Beginning, JobAccount, SimulatedRange, Simulation, SimulationFolder, Staging, TableAccount,
    Timing as RunTiming,
};
