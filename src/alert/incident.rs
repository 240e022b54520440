//! The life of one incident. Pure: what is known, what was seen, and when; what it is then, and what a person is to be
//! told about it.
//!
//! ```text
//!               failed: opened                      failed again: nothing, raised, or after hours a reminder
//!   (nothing) ------------------> open  <---------.
//!                                  |              | failed soon again: reopened, flapping
//!                 passed in a row: | recovered    |
//!                                  v              |
//!                               resolved ---------'    failed much later: another incident
//! ```

use chrono::{DateTime, Utc};

use crate::state::{Incident, IncidentKey, IncidentState, Severity};

use super::policy::Policy;

/// What a check saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It failed, so badly.
    Failed(Severity),
    /// It passed.
    Passed,
}

/// What a person is to be told about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// It began.
    Opened,
    /// It got worse.
    Raised,
    /// It began again soon after its end.
    Reopened,
    /// It goes on.
    Reminder,
    /// It is over.
    Recovered,
}

impl Note {
    /// The word for it in a mail.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "NEW",
            Self::Raised => "WORSE",
            Self::Reopened => "FLAPPING",
            Self::Reminder => "STILL FAILING",
            Self::Recovered => "RESOLVED",
        }
    }
}

/// An incident after something was seen, and what is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The incident; a new one has the number 0.
    pub incident: Incident,
    /// What is to be told, if anything.
    pub note: Option<Note>,
}

/// What becomes of an incident; none where something passed that had not failed.
#[must_use]
pub fn step(
    (key, known): (&IncidentKey, Option<&Incident>),
    verdict: Verdict,
    (now, policy): (DateTime<Utc>, &Policy),
) -> Option<Step> {
    match (verdict, known.map(|incident| not_later(incident.clone(), now))) {
        (Verdict::Failed(severity), Some(incident)) if incident.is_open() => {
            Some(failed_again(incident, severity, (now, policy)))
        }
        (Verdict::Failed(severity), Some(incident)) if is_soon(&incident, now, policy) => {
            Some(reopened(incident, severity, now))
        }
        (Verdict::Failed(severity), _) => Some(Step { incident: opened(key, severity, now), note: Some(Note::Opened) }),
        (Verdict::Passed, Some(incident)) if incident.is_open() => Some(passed(incident, now, policy)),
        (Verdict::Passed, _) => None,
    }
}

/// The incident with what a clock ahead has stamped later than now taken for now: else it would neither end nor be mailed
/// again before that time.
fn not_later(incident: Incident, now: DateTime<Utc>) -> Incident {
    let bounded = |at: Option<DateTime<Utc>>| at.map(|at| at.min(now));
    Incident {
        opened_at: incident.opened_at.min(now),
        failed_at: incident.failed_at.min(now),
        passed_at: bounded(incident.passed_at),
        resolved_at: bounded(incident.resolved_at),
        mailed_at: bounded(incident.mailed_at),
        ..incident
    }
}

fn is_soon(incident: &Incident, now: DateTime<Utc>, policy: &Policy) -> bool {
    incident.resolved_at.is_some_and(|resolved_at| now - resolved_at <= policy.flapping_window)
}

fn opened(key: &IncidentKey, severity: Severity, now: DateTime<Utc>) -> Incident {
    Incident {
        id: 0,
        key: key.clone(),
        state: IncidentState::Open,
        severity,
        told_severity: None,
        opened_at: now,
        failed_at: now,
        passed_at: None,
        resolved_at: None,
        mailed_at: None,
        num_failures: 1,
        failures_in_a_row: 1,
        passes_in_a_row: 0,
        num_reopened: 0,
        num_held_back: 0,
        held_by: None,
        num_mails: 0,
        mail_subject: None,
        first_mail: None,
        last_mail: None,
        facts: String::new(),
    }
}

fn fail(incident: &mut Incident, now: DateTime<Utc>) {
    incident.failed_at = now;
    incident.num_failures = incident.num_failures.saturating_add(1);
    incident.failures_in_a_row = incident.failures_in_a_row.saturating_add(1);
    incident.passes_in_a_row = 0;
}

fn failed_again(mut incident: Incident, severity: Severity, (now, policy): (DateTime<Utc>, &Policy)) -> Step {
    fail(&mut incident, now);
    incident.severity = incident.severity.max(severity);
    let is_old = |mailed_at| now - mailed_at >= policy.repeat_interval;
    let note = match incident.told_severity {
        // What was held back is told as soon as nothing holds it back any more.
        None => Some(Note::Opened),
        Some(told) if incident.severity > told => Some(Note::Raised),
        Some(_) if incident.mailed_at.is_none_or(is_old) => Some(Note::Reminder),
        Some(_) => None,
    };
    Step { incident, note }
}

fn reopened(mut incident: Incident, severity: Severity, now: DateTime<Utc>) -> Step {
    incident.failures_in_a_row = 0;
    fail(&mut incident, now);
    incident.state = IncidentState::Open;
    incident.severity = severity;
    incident.resolved_at = None;
    incident.num_reopened = incident.num_reopened.saturating_add(1);
    Step { incident, note: Some(Note::Reopened) }
}

fn passed(mut incident: Incident, now: DateTime<Utc>, policy: &Policy) -> Step {
    incident.passed_at = Some(now);
    incident.failures_in_a_row = 0;
    incident.passes_in_a_row = incident.passes_in_a_row.saturating_add(1);
    let passed_enough = incident.passes_in_a_row >= policy.passes_needed(&incident.key.check);
    let quiet_enough = now - incident.failed_at >= policy.quiet_needed(incident.num_reopened);
    if !(passed_enough && quiet_enough) {
        return Step { incident, note: None };
    }
    incident.state = IncidentState::Resolved;
    incident.resolved_at = Some(now);
    Step { incident, note: Some(Note::Recovered) }
}
