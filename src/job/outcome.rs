//! What a run came to.

use crate::market::{FuturesSnapshot, SpotSnapshot};
use crate::quality::Finding;

/// How many rows met which fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows that the run was to see to.
    pub planned: usize,
    /// Rows added.
    pub added: usize,
    /// Rows that were there already.
    pub present: usize,
    /// Rows replaced, with `--force`.
    pub replaced: usize,
    /// Slots for which the gateway has no bar.
    pub without_data: usize,
}

impl Counts {
    /// Adds another count to this one.
    pub fn add(&mut self, other: Self) {
        self.planned += other.planned;
        self.added += other.added;
        self.present += other.present;
        self.replaced += other.replaced;
        self.without_data += other.without_data;
    }

    /// These counts of a run's last attempt with what the attempts before it wrote: rows that the last one found there
    /// because an earlier one added them were added by the run.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        let found = self.present.min(earlier.added + earlier.replaced);
        Self {
            planned: self.planned + earlier.added + earlier.replaced - found,
            added: self.added + earlier.added,
            present: self.present - found,
            replaced: self.replaced + earlier.replaced,
            without_data: self.without_data,
        }
    }
}

/// Done, or skipped for a reason that is no failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunResult {
    /// It did its work.
    Done(Counts),
    /// There was nothing to do.
    Skipped(String),
}

/// Rows a run made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Captured {
    /// Rows of `futures_snapshots`.
    pub futures: Vec<FuturesSnapshot>,
    /// Rows of `spot_snapshots`.
    pub spot: Vec<SpotSnapshot>,
}

impl Captured {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.futures.len() + self.spot.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes other rows in.
    pub fn extend(&mut self, other: Self) {
        self.futures.extend(other.futures);
        self.spot.extend(other.spot);
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Done or skipped.
    pub result: RunResult,
    /// Facts about bad data met on the way.
    pub findings: Vec<Finding>,
    /// The rows of a dry run, which are nowhere else.
    pub unwritten: Captured,
    /// What a dry run would do, where it makes no rows.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Work was done.
    #[must_use]
    pub fn done(counts: Counts) -> Self {
        Self {
            result: RunResult::Done(counts),
            findings: Vec::new(),
            unwritten: Captured::default(),
            notes: Vec::new(),
        }
    }

    /// Nothing was to be done.
    #[must_use]
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self {
            result: RunResult::Skipped(reason.into()),
            findings: Vec::new(),
            unwritten: Captured::default(),
            notes: Vec::new(),
        }
    }

    /// With findings.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_earlier_attempt_are_the_runs_own() {
        let earlier = Counts { added: 5, ..Counts::default() };
        let whole = Counts { planned: 6, added: 6, ..Counts::default() };
        let finds_them = Counts { planned: 6, added: 1, present: 5, ..Counts::default() };
        let asks_for_the_rest = Counts { planned: 1, added: 1, ..Counts::default() };
        assert_eq!((finds_them.after(earlier), asks_for_the_rest.after(earlier)), (whole, whole));
        let of_others = Counts { planned: 6, added: 1, present: 5, ..Counts::default() };
        assert_eq!(of_others.after(Counts::default()), of_others);
    }
}
