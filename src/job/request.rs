//! What is asked of a job, and the run that comes of it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::market::Symbol;
use crate::state::Trigger;

/// What a run may do to the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteMode {
    /// Add what is absent.
    #[default]
    Add,
    /// Replace what is there.
    Replace,
    /// Nothing.
    DryRun,
}

/// A closed range of instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRange {
    /// First instant.
    pub from: DateTime<Utc>,
    /// Last instant.
    pub to: DateTime<Utc>,
}

/// What is asked of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// Why.
    pub trigger: Trigger,
    /// The slot; none: the newest at or before now.
    pub at: Option<Slot>,
    /// The instant under which the schedule planned the run, its key in the ledger; none: that of the slot.
    pub planned: Option<DateTime<Utc>>,
    /// The range of a backfill; none: what the job finds right.
    pub range: Option<SlotRange>,
    /// The symbols; empty: all that are configured.
    pub symbols: Vec<Symbol>,
    /// What may be written.
    pub mode: WriteMode,
    /// Its bounds.
    pub limits: Limits,
}

/// Bounds of a run; none: the job's own timeout, and the retries of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// All attempts together.
    pub timeout: Option<Duration>,
    /// Further attempts after a failure that may pass.
    pub max_retries: Option<u32>,
    /// Pause before each.
    pub retry_backoff: Option<Duration>,
    /// How long it waits for a lock that another run holds.
    pub lock_wait: Duration,
    /// How long a job that was ended may take to let go, before it counts as stuck.
    pub grace: Duration,
}

impl RunRequest {
    /// A run by hand of the newest slot.
    #[must_use]
    pub fn manual() -> Self {
        Self {
            trigger: Trigger::Manual,
            at: None,
            planned: None,
            range: None,
            symbols: Vec::new(),
            mode: WriteMode::Add,
            limits: Limits::default(),
        }
    }

    /// A run of an instant that the schedule planned. It is about the newest slot at or before that: the start of a
    /// daemon, or a cron line, may lie between two.
    #[must_use]
    pub fn planned(trigger: Trigger, at: DateTime<Utc>, limits: Limits) -> Self {
        Self { trigger, at: Some(Slot::at_or_before(at)), planned: Some(at), limits, ..Self::manual() }
    }
}

/// One run: the slot is what it is about, whoever started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is about.
    pub slot: Slot,
    /// How often it has been tried, from 1.
    pub attempt: u32,
    /// What was asked.
    pub request: RunRequest,
}

impl Run {
    /// Whether a symbol is among those asked for.
    #[must_use]
    pub fn wants(&self, symbol: &Symbol) -> bool {
        self.request.symbols.is_empty() || self.request.symbols.contains(symbol)
    }
}
