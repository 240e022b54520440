//! Findings.

use std::fmt;

use crate::calendar::Slot;
use crate::market::Symbol;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the row is kept.
    Warn,
    /// The row is not fit to be stored.
    Error,
}

/// A fact about bad data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check found it, such as `quote.crossed`.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Of which symbol.
    pub symbol: Symbol,
    /// At which slot.
    pub timestamp: Slot,
    /// What was seen.
    pub observed: String,
    /// What was expected.
    pub threshold: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}, expected {}", self.check, self.symbol, self.observed, self.threshold)
    }
}
