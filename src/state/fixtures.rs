//! Ledgers and runs for the tests.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use super::{
    End, EndState, Incident, IncidentKey, IncidentState, Ledger, RowCounts, RunRow, Severity, Start, Started, Trigger,
};

/// Friday 2026-11-20, 15:05 UTC.
pub(super) const NOW: DateTime<Utc> = DateTime::from_timestamp(1_795_187_100, 0).expect("representable");

/// The slot so many after [`NOW`].
pub(super) fn slot(number: i32) -> DateTime<Utc> {
    NOW + TimeDelta::minutes(5 * i64::from(number))
}

pub(super) fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("jobs.db")
}

pub(super) fn ledger(folder: &TempDir) -> Ledger {
    Ledger::open(&file(folder)).expect("opened")
}

pub(super) fn request(slot: DateTime<Utc>, trigger: Trigger, run_id: &str) -> Start {
    Start { job: "snapshot".to_owned(), slot, trigger, run_id: run_id.to_owned(), pid: 4711 }
}

pub(super) fn start(ledger: &Ledger, slot: DateTime<Utc>, trigger: Trigger, run_id: &str) {
    assert_eq!(ledger.start(&request(slot, trigger, run_id), NOW).expect("an answer"), Started::Started);
}

pub(super) fn end(state: EndState) -> End {
    let is_failure = matches!(state, EndState::Failed | EndState::TimedOut);
    End {
        state,
        reason: (state == EndState::Skipped).then(|| "closed".to_owned()),
        counts: RowCounts::default(),
        error: is_failure.then(|| "it broke".to_owned()),
        exit_code: Some(is_failure.into()),
        attempts: 1,
    }
}

pub(super) fn finish(ledger: &Ledger, run_id: &str, state: EndState) {
    ledger.finish(run_id, &end(state), NOW).expect("noted");
}

pub(super) fn row(ledger: &Ledger, slot: DateTime<Utc>) -> RunRow {
    ledger.find("snapshot", slot).expect("readable").expect("there")
}

pub(super) fn executions(ledger: &Ledger, slot: DateTime<Utc>) -> Vec<RunRow> {
    ledger.executions("snapshot", slot).expect("readable")
}

/// An incident that opened at [`NOW`] and of which nothing was mailed.
pub(super) fn incident(id: i64) -> Incident {
    Incident {
        id,
        key: IncidentKey::new("complete.session", "futures_snapshots", "ES"),
        state: IncidentState::Open,
        severity: Severity::Error,
        told_severity: None,
        opened_at: NOW,
        failed_at: NOW,
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
        facts: "{}".to_owned(),
    }
}
