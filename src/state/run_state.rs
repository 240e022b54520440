//! Where a slot stands, and the rules by which it moves. Pure.
//!
//! ```text
//!              plan               start                 finish
//!   (nothing) ------> planned ------------> running -----------------> done | skipped | failed | timed_out
//!       |                |                     ^                                 |
//!       |   skip, miss   v                     |   start: failed, timed_out, missed by anybody;
//!       +---------> skipped | missed ----------+          done, recovered, skipped only where asked for by hand
//!                             |
//!   missed, failed, timed_out +--- recover ---> recovered
//! ```
//!
//! Done and recovered are good: a rerun that does not end as done gives them back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where a slot of a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// The schedule wants it.
    Planned,
    /// A process is at it.
    Running,
    /// It did its work.
    Done,
    /// There was nothing to do, for the reason given.
    Skipped,
    /// Nobody took it up in time.
    Missed,
    /// It did not work.
    Failed,
    /// It took longer than its timeout.
    TimedOut,
    /// It was missed or failed, and a backfill has filled it since.
    Recovered,
}

impl RunState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Running,
        Self::Done,
        Self::Skipped,
        Self::Missed,
        Self::Failed,
        Self::TimedOut,
        Self::Recovered,
    ];

    /// Its name in the ledger, on the command line and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Recovered => "recovered",
        }
    }

    /// Whether the work is done: nothing may make this worse.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Done | Self::Recovered)
    }

    /// Whether a start is admitted.
    pub(super) const fn admits(self, trigger: Trigger) -> Admission {
        match self {
            Self::Running => Admission::Running,
            Self::Done | Self::Recovered | Self::Skipped if !trigger.is_asked_for() => Admission::AlreadyDone,
            _ => Admission::Started,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RunState {
    type Err = UnknownRunState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownRunState { name: name.to_owned() };
        Self::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(unknown)
    }
}

/// A state nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown state {name:?}: known are {}", RunState::ALL.map(RunState::as_str).join(", "))]
pub struct UnknownRunState {
    /// The name as it was given.
    pub name: String,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// It did its work.
    Done,
    /// There was nothing to do.
    Skipped,
    /// It did not work.
    Failed,
    /// It took longer than its timeout.
    TimedOut,
}

impl From<EndState> for RunState {
    fn from(end: EndState) -> Self {
        match end {
            EndState::Done => Self::Done,
            EndState::Skipped => Self::Skipped,
            EndState::Failed => Self::Failed,
            EndState::TimedOut => Self::TimedOut,
        }
    }
}

/// Why a run takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its time had come.
    Schedule,
    /// Its time had come while nobody could run it.
    CatchUp,
    /// Somebody asked for it.
    Manual,
    /// Somebody asked for a range.
    Backfill,
    /// It is played, not lived.
    Simulation,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Schedule, Self::CatchUp, Self::Manual, Self::Backfill, Self::Simulation];

    /// Its name in the ledger, in logs and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::CatchUp => "catch_up",
            Self::Manual => "manual",
            Self::Backfill => "backfill",
            Self::Simulation => "simulation",
        }
    }

    /// Whether a person asked for it, and may ask again for what is done. The others are of the schedule.
    #[must_use]
    pub const fn is_asked_for(self) -> bool {
        matches!(self, Self::Manual | Self::Backfill)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The answer to a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Started,
    AlreadyDone,
    Running,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_person_reruns_what_is_settled() {
        for state in [RunState::Done, RunState::Recovered, RunState::Skipped] {
            for trigger in Trigger::ALL {
                let expected = if trigger.is_asked_for() { Admission::Started } else { Admission::AlreadyDone };
                assert_eq!(state.admits(trigger), expected, "{state} by {trigger}");
            }
        }
        for state in [RunState::Planned, RunState::Missed, RunState::Failed, RunState::TimedOut] {
            assert!(Trigger::ALL.into_iter().all(|trigger| state.admits(trigger) == Admission::Started), "{state}");
        }
        assert!(Trigger::ALL.into_iter().all(|trigger| RunState::Running.admits(trigger) == Admission::Running));
    }

    #[test]
    fn names_are_the_same_everywhere() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_string(&state).expect("JSON"), format!("\"{state}\""));
        }
        for trigger in Trigger::ALL {
            assert_eq!(serde_json::to_string(&trigger).expect("JSON"), format!("\"{trigger}\""));
        }
        let error = "timedout".parse::<RunState>().expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "unknown state \"timedout\": known are planned, running, done, skipped, missed, failed, timed_out, recovered"
        );
    }
}
