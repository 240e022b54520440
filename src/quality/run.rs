//! Runs checks one by one: a check that crashes is an error of its own, never a pass or a fail of the data.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::calendar::{CalendarError, Slot};

use super::{Finding, QualityConfig, Rule, Severity, spec};

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing was found.
    Pass,
    /// Warnings only.
    Warn,
    /// Something worse than a warning.
    Fail,
    /// The check itself did not work.
    Error,
    /// There was nothing to look at, or it is turned off.
    Skipped,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pass, Self::Warn, Self::Fail, Self::Error, Self::Skipped];

    /// The word as columns and reports carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One check, run once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRun {
    /// Which check.
    pub check: &'static str,
    /// What became of it.
    pub status: Status,
    /// At how many things it looked.
    pub looked_at: usize,
    /// What it found.
    pub findings: Vec<Finding>,
    /// Why it was skipped, or how it crashed.
    pub reason: Option<String>,
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// At how many things it looked.
    pub looked_at: usize,
    /// What it found.
    pub findings: Vec<Finding>,
}

impl Seen {
    /// Judges each of many things.
    pub fn each<T>(things: impl IntoIterator<Item = T>, mut judge: impl FnMut(T) -> Option<Finding>) -> Self {
        let mut seen = Self::default();
        for thing in things {
            seen.looked_at += 1;
            seen.findings.extend(judge(thing));
        }
        seen
    }
}

/// A check could not be made.
#[derive(Debug, Error)]
pub enum CheckFault {
    /// The calendar does not reach there.
    #[error("the calendar does not know the time of the rows: {0}")]
    Calendar(#[from] CalendarError),
    /// The list of ex-dates cannot be read.
    #[error("the dividends are not known: {0}")]
    Dividends(String),
    /// A signal cannot be derived again.
    #[error("cannot derive it again: {0}")]
    Derivation(String),
}

/// How a check measures.
type Measuring<'a> = Box<dyn Fn(&Rule<'_>) -> Result<Seen, CheckFault> + 'a>;

/// A check and the values that it looks at.
pub struct Measure<'a> {
    check: &'static str,
    measuring: Measuring<'a>,
}

impl<'a> Measure<'a> {
    /// A check and how it measures.
    pub fn new(check: &'static str, measuring: impl Fn(&Rule<'_>) -> Result<Seen, CheckFault> + 'a) -> Self {
        Self { check, measuring: Box::new(measuring) }
    }

    /// The name of the check.
    #[must_use]
    pub const fn check(&self) -> &'static str {
        self.check
    }
}

impl fmt::Debug for Measure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Measure").field(&self.check).finish()
    }
}

/// Runs the checks with the settings in force, for the run of a slot at an instant.
#[must_use]
pub fn run_checks(
    measures: &[Measure<'_>],
    config: &QualityConfig,
    (run_slot, now): (Slot, DateTime<Utc>),
) -> Vec<CheckRun> {
    measures.iter().map(|measure| run_one(measure, config, (run_slot, now))).collect()
}

fn run_one(measure: &Measure<'_>, config: &QualityConfig, (run_slot, now): (Slot, DateTime<Utc>)) -> CheckRun {
    let ended = |status, reason: &str| CheckRun {
        check: measure.check,
        status,
        looked_at: 0,
        findings: Vec::new(),
        reason: Some(reason.to_owned()),
    };
    let Some((spec, settings)) = spec(measure.check).zip(config.check(measure.check)) else {
        return ended(Status::Error, "the check is in no list of checks");
    };
    if !settings.enabled {
        return ended(Status::Skipped, "turned off by the configuration");
    }
    let rule = Rule { spec, settings, run_slot, now };
    match catch_unwind(AssertUnwindSafe(|| (measure.measuring)(&rule))) {
        Err(panic) => ended(Status::Error, &format!("the check crashed: {}", told(panic.as_ref()))),
        Ok(Err(fault)) => ended(Status::Error, &fault.to_string()),
        Ok(Ok(seen)) if seen.looked_at == 0 => ended(Status::Skipped, "there was nothing to look at"),
        Ok(Ok(seen)) => judged(measure.check, seen),
    }
}

fn judged(check: &'static str, seen: Seen) -> CheckRun {
    let status = match seen.findings.iter().map(|finding| finding.severity).max() {
        None => Status::Pass,
        Some(Severity::Warn) => Status::Warn,
        Some(Severity::Error | Severity::Critical) => Status::Fail,
    };
    CheckRun { check, status, looked_at: seen.looked_at, findings: seen.findings, reason: None }
}

fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Measured;
    use crate::quality::fixtures::{at, place};

    fn run(config: &QualityConfig, measure: Measure<'_>) -> CheckRun {
        let now = at("2026-11-18 12:00");
        run_checks(&[measure], config, (Slot::at_or_before(now), now)).remove(0)
    }

    fn of_value(value: f64) -> Measure<'static> {
        Measure::new("complete.session", move |rule| {
            Ok(Seen::each([value], |value| rule.judge(&place("ES"), Measured::new(value, "slots"))))
        })
    }

    #[test]
    fn a_check_passes_warns_or_fails_by_its_worst_finding() {
        let status = |value| run(&QualityConfig::default(), of_value(value)).status;
        assert_eq!([status(0.0), status(1.0), status(3.0)], [Status::Pass, Status::Warn, Status::Fail]);
    }

    #[test]
    fn a_check_that_crashes_is_an_error_and_the_next_one_runs() {
        let now = at("2026-11-18 12:00");
        let crash = Measure::new("fresh.slot", |_| panic!("no such thing"));
        let runs = run_checks(&[crash, of_value(0.0)], &QualityConfig::default(), (Slot::at_or_before(now), now));
        assert_eq!(runs.iter().map(|run| run.status).collect::<Vec<_>>(), [Status::Error, Status::Pass]);
        assert_eq!(runs[0].reason.as_deref(), Some("the check crashed: no such thing"));
        let early = Measure::new("fresh.slot", |_| {
            let calendar = crate::calendar::Calendar::embedded(crate::calendar::CalendarId::Nyse);
            calendar.session(chrono::NaiveDate::MIN)?;
            Ok(Seen::default())
        });
        assert_eq!(run(&QualityConfig::default(), early).status, Status::Error);
    }

    #[test]
    fn a_check_with_nothing_to_look_at_is_skipped_with_the_reason() {
        let empty = run(&QualityConfig::default(), Measure::new("fresh.slot", |_| Ok(Seen::default())));
        assert_eq!((empty.status, empty.reason.as_deref()), (Status::Skipped, Some("there was nothing to look at")));
        let mut config = QualityConfig::default();
        config.checks_mut().get_mut("complete.session").expect("a check").enabled = false;
        let off = run(&config, of_value(9.0));
        assert_eq!((off.status, off.findings.len()), (Status::Skipped, 0));
    }
}
