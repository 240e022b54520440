//! What a run saw: the checks it made, with all that a mail may have to say about them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::state::{CheckStatus, IncidentKey, Severity};

use super::incident::Verdict;

/// Sample rows that a mail shows at most.
pub const MAX_SAMPLE_ROWS: usize = 20;

/// Values of a series that a chart shows at most; the newest count.
pub const MAX_POINTS: usize = 600;

/// How far the failure of a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It leaves its mark, and that is all.
    Log,
    /// A person is told.
    Mail,
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What it was about.
    pub key: IncidentKey,
    /// What it came to.
    pub status: CheckStatus,
    /// How bad a failure is; of no meaning where it passed.
    pub severity: Severity,
    /// How far a failure goes.
    pub reach: Reach,
    /// The check whose failure explains this one, such as [`super::GATEWAY_DOWN`].
    pub follows_from: Option<String>,
    /// What a mail says.
    pub facts: Facts,
}

impl Observation {
    /// A check that passed.
    #[must_use]
    pub fn passed(key: IncidentKey) -> Self {
        let (status, severity, reach) = (CheckStatus::Pass, Severity::Warn, Reach::Mail);
        Self { key, status, severity, reach, follows_from: None, facts: Facts::default() }
    }

    /// A check that failed, of which a person is to be told.
    #[must_use]
    pub fn failed(key: IncidentKey, severity: Severity, facts: Facts) -> Self {
        let status = if severity == Severity::Warn { CheckStatus::Warn } else { CheckStatus::Fail };
        Self { key, status, severity, reach: Reach::Mail, follows_from: None, facts }
    }

    /// The same, where another check's failure explains it.
    #[must_use]
    pub fn following_from(mut self, check: &str) -> Self {
        self.follows_from = Some(check.to_owned());
        self
    }

    /// What it means for its incident; none where it says nothing about it.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match (self.status, self.reach) {
            (CheckStatus::Pass, _) => Some(Verdict::Passed),
            (CheckStatus::Warn | CheckStatus::Fail, Reach::Mail) => Some(Verdict::Failed(self.severity)),
            (CheckStatus::Warn | CheckStatus::Fail, Reach::Log) | (CheckStatus::Error | CheckStatus::Skipped, _) => {
                None
            }
        }
    }
}

/// What a mail says about a failure. What does not apply stays empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The session, or the first and the last of several.
    pub session: String,
    /// What was seen.
    pub observed: String,
    /// What should have been.
    pub expected: String,
    /// The bound that was crossed.
    pub threshold: String,
    /// The time that it is about: first and last instant.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Bad rows, and all rows that were looked at.
    pub bad_rows: Option<(u64, u64)>,
    /// Some of the bad rows.
    pub sample: Sample,
    /// Jobs that do not run until this is mended.
    pub held_jobs: Vec<String>,
    /// What the job did about it, and what it will do next.
    pub done: String,
    /// Commands that help, the first one first.
    pub next: Vec<String>,
    /// What it means and what to do, in words.
    pub runbook: String,
    /// The values around the fault.
    pub series: Option<Series>,
}

/// Some rows as text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, each with a text a column.
    pub rows: Vec<Vec<String>>,
    /// How many there are in all.
    pub num_all: u64,
}

/// A series of values over time, with the stretch that is at fault.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// What is shown, with its unit: `ES last, points`.
    pub title: String,
    /// Instants and values; none where a value is missing.
    pub points: Vec<(DateTime<Utc>, Option<f64>)>,
    /// The stretch at fault.
    pub fault: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The run that looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looker {
    /// The job.
    pub job: String,
    /// Name of the run in logs and in the ledger.
    pub run_id: String,
    /// The slot that it looked at.
    pub slot: DateTime<Utc>,
}
