//! Findings: facts about bad data, keyed as the table `quality_findings` keeps them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calendar::Slot;
use crate::market::Symbol;

/// The table of the futures' quotes, as findings name it.
pub const FUTURES_TABLE: &str = "futures_snapshots";
/// The table of the ETFs' quotes, as findings name it.
pub const SPOT_TABLE: &str = "spot_snapshots";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the row is kept.
    Warn,
    /// The row is not fit to be stored, or the series not fit to be used.
    Error,
    /// Nothing that comes after may rely on the data.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Error, Self::Critical];

    /// The word as columns carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is written down.
    Log,
    /// Somebody is mailed.
    Alert,
    /// The row is kept apart, and somebody is mailed.
    Quarantine,
    /// The jobs that build on the data do not run, and somebody is mailed.
    Block,
}

impl Action {
    /// The word as columns and configuration carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Alert => "alert",
            Self::Quarantine => "quarantine",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The table.
    pub table: &'static str,
    /// The symbol; none where it is about a whole table, feed or machine.
    pub symbol: Option<Symbol>,
    /// The slot; the newest one at or before where the row stands off the grid.
    pub timestamp: Slot,
}

/// A fact about bad data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check found it, such as `quote.crossed`.
    pub check: &'static str,
    /// In which table.
    pub table: &'static str,
    /// Of which symbol; none where it is about all of them.
    pub symbol: Option<Symbol>,
    /// At which slot; the first of several.
    pub timestamp: Slot,
    /// The last of them.
    pub until: Slot,
    /// How many things are bad: rows, or slots without one.
    pub num_bad: usize,
    /// The slot of the run that found it.
    pub run_slot: Slot,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub observed: String,
    /// What was expected.
    pub threshold: String,
    /// What is done about it.
    pub action: Action,
    /// More for the reader, such as the list of missing slots; may be empty.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = self.symbol.as_ref().map_or(self.table, Symbol::as_str);
        write!(f, "{} {whose}: {}, expected {}", self.check, self.observed, self.threshold)
    }
}
