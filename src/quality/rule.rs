//! A check with the settings in force: turns a measured number into a finding, or into none.

use chrono::{DateTime, Utc};

use crate::calendar::Slot;

use super::{Action, CheckSettings, CheckSpec, Finding, Place, Severity};

/// What a check measured at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The number that the steps are for.
    pub value: f64,
    /// The same for a reader.
    pub observed: String,
    /// More for a reader; may be empty.
    pub detail: String,
    /// The worst that it can be, whatever the step.
    pub at_most: Severity,
    /// The last slot that it is about, where that is not the first.
    pub until: Option<Slot>,
    /// How many things are bad where it fails.
    pub num_bad: usize,
}

impl Measured {
    /// A number and what it says to a reader.
    #[must_use]
    pub fn new(value: f64, observed: impl Into<String>) -> Self {
        let (observed, detail) = (observed.into(), String::new());
        Self { value, observed, detail, at_most: Severity::Critical, until: None, num_bad: 1 }
    }

    /// Counts things.
    #[must_use]
    pub fn count(number: usize, observed: impl Into<String>) -> Self {
        Self::new(f64::from(u32::try_from(number).unwrap_or(u32::MAX)), observed)
    }

    /// With more for a reader.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// About several slots, the last of which is this one.
    #[must_use]
    pub fn over(mut self, num_slots: usize, until: Slot) -> Self {
        (self.num_bad, self.until) = (num_slots, Some(until));
        self
    }

    /// A warning at most: what is strange may still be true.
    #[must_use]
    pub fn only_a_warning(mut self) -> Self {
        self.at_most = Severity::Warn;
        self
    }
}

/// A check with the settings in force.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    /// The check.
    pub spec: &'static CheckSpec,
    /// Its settings.
    pub settings: &'a CheckSettings,
    /// The slot of the run.
    pub run_slot: Slot,
    /// The instant of the run, against which a mute ends.
    pub now: DateTime<Utc>,
}

impl Rule<'_> {
    /// The finding of a measured number; none below both steps. A number that is none reaches every step.
    #[must_use]
    pub fn judge(&self, place: &Place, measured: Measured) -> Option<Finding> {
        let (warn_if, error_if) = self.settings.steps(place.symbol.as_ref());
        let reached = |step: Option<f64>| step.filter(|step| measured.value.is_nan() || measured.value >= *step);
        let (step, severity) = match (reached(error_if), reached(warn_if)) {
            (Some(step), _) => (step, self.spec.worst.min(measured.at_most)),
            (None, Some(step)) => (step, Severity::Warn),
            (None, None) => return None,
        };
        Some(Finding {
            check: self.spec.id,
            table: place.table,
            symbol: place.symbol.clone(),
            timestamp: place.timestamp,
            until: measured.until.unwrap_or(place.timestamp),
            num_bad: measured.num_bad,
            run_slot: self.run_slot,
            severity,
            observed: measured.observed,
            threshold: format!("{} (below {step} {})", self.spec.title, self.spec.unit),
            action: self.action(severity),
            detail: measured.detail,
        })
    }

    /// A warning is written down; while a check is muted everything is only written down.
    fn action(&self, severity: Severity) -> Action {
        match self.settings.action {
            _ if self.settings.muted_until.is_some_and(|until| self.now < until) => Action::Log,
            _ if severity == Severity::Warn => Action::Log,
            action => action,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::QualityConfig;
    use crate::quality::fixtures::{at, place, rule_of};

    fn severity(config: &QualityConfig, value: f64) -> Option<(Severity, Action)> {
        let rule = rule_of(config, "complete.session");
        rule.judge(&place("ES"), Measured::new(value, "slots")).map(|finding| (finding.severity, finding.action))
    }

    #[test]
    fn a_step_is_reached_at_its_value() {
        let config = QualityConfig::default();
        assert_eq!(severity(&config, 0.0), None);
        assert_eq!(severity(&config, 1.0), Some((Severity::Warn, Action::Log)));
        assert_eq!(severity(&config, 3.0), Some((Severity::Error, Action::Block)));
        assert_eq!(severity(&config, f64::NAN), Some((Severity::Error, Action::Block)));
    }

    #[test]
    fn a_symbol_may_have_steps_of_its_own() {
        let mut config = QualityConfig::default();
        let steps = crate::quality::SymbolSteps { warn_if: Some(10.0), error_if: Some(20.0) };
        let settings = config.checks_mut().get_mut("complete.session").expect("a check");
        settings.symbols.insert("ES".parse().expect("a symbol"), steps);
        assert_eq!(severity(&config, 9.0), None);
        assert_eq!(severity(&config, 20.0).map(|(severity, _)| severity), Some(Severity::Error));
    }

    #[test]
    fn a_muted_check_finds_and_does_nothing_else() {
        let mut config = QualityConfig::default();
        let until = at("2026-11-18 12:00");
        config.checks_mut().get_mut("complete.session").expect("a check").muted_until = Some(until);
        let mut rule = rule_of(&config, "complete.session");
        let action = |rule: &Rule<'_>| rule.judge(&place("ES"), Measured::new(9.0, "")).map(|f| f.action);
        rule.now = until - chrono::TimeDelta::seconds(1);
        assert_eq!(action(&rule), Some(Action::Log));
        rule.now = until;
        assert_eq!(action(&rule), Some(Action::Block));
    }
}
