//! What a check is: its name, its steps, and why they are where they are.

use super::{Action, Severity};

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LooksAt {
    /// One quote, before it becomes a row.
    Quote,
    /// One row.
    Row,
    /// The rows of a symbol, or of several side by side.
    Series,
    /// Historical bars.
    Bars,
    /// Daily closes.
    Daily,
    /// The clock and the pace of the captures.
    Machine,
    /// The files of a table.
    Lake,
    /// Signals and decisions.
    Derived,
    /// The checks themselves.
    Checks,
}

/// A check: it measures one number, which a step turns into a finding as soon as the number reaches it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckSpec {
    /// The name in dotted style.
    pub id: &'static str,
    /// What holds where it passes.
    pub title: &'static str,
    /// What it looks at.
    pub looks_at: LooksAt,
    /// Unit of the measured number.
    pub unit: &'static str,
    /// From this value on a finding is a warning.
    pub warn_if: Option<f64>,
    /// From this value on a finding is as bad as [`CheckSpec::worst`].
    pub error_if: Option<f64>,
    /// How bad the second step is.
    pub worst: Severity,
    /// What is done about a finding of the second step; a warning is written down.
    pub action: Action,
    /// Why the steps are where they are.
    pub reason: &'static str,
}

impl CheckSpec {
    /// A check that fails from one bad thing on, and is mailed.
    pub(super) const fn new(id: &'static str, looks_at: LooksAt, title: &'static str) -> Self {
        Self {
            id,
            title,
            looks_at,
            unit: "bad values",
            warn_if: None,
            error_if: Some(1.0),
            worst: Severity::Error,
            action: Action::Alert,
            reason: "it is right or wrong: one is too many",
        }
    }

    pub(super) const fn steps(mut self, warn_if: Option<f64>, error_if: Option<f64>, unit: &'static str) -> Self {
        self.warn_if = warn_if;
        self.error_if = error_if;
        self.unit = unit;
        self
    }

    pub(super) const fn acts(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    pub(super) const fn critical(mut self) -> Self {
        self.worst = Severity::Critical;
        self
    }

    pub(super) const fn because(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }
}

/// Every check, in the order of the data's way.
#[must_use]
pub fn all() -> Vec<&'static CheckSpec> {
    let families: [&'static [CheckSpec]; 9] = [
        super::quote::SPECS,
        super::row::SPECS,
        super::series::SPECS,
        super::bars::SPECS,
        super::daily::SPECS,
        super::machine::SPECS,
        super::lake::SPECS,
        super::derived::SPECS,
        super::meta::SPECS,
    ];
    families.into_iter().flatten().collect()
}

/// The check of a name.
#[must_use]
pub fn spec(id: &str) -> Option<&'static CheckSpec> {
    all().into_iter().find(|spec| spec.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_a_step() {
        let ids: BTreeSet<&str> = all().iter().map(|spec| spec.id).collect();
        assert_eq!(ids.len(), all().len());
        assert!(ids.len() >= 24, "{}", ids.len());
        for spec in all() {
            let dotted = spec.id.split_once('.').is_some_and(|(family, rule)| !family.is_empty() && !rule.is_empty());
            assert!(dotted && spec.id.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c)), "{}", spec.id);
            assert!(spec.warn_if.is_some() || spec.error_if.is_some(), "{} can never find anything", spec.id);
            assert!(!spec.title.is_empty() && !spec.reason.is_empty(), "{}", spec.id);
        }
    }

    #[test]
    fn a_warning_comes_before_an_error() {
        for spec in all() {
            assert!(spec.warn_if.zip(spec.error_if).is_none_or(|(warn, error)| warn < error), "{}", spec.id);
        }
    }
}
