//! The account of a simulation: what became of every planned slot, whether every row is there, and what it took.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::job::RunReport;
use crate::lake::TableName;
use crate::state::Accounting;

/// The account of a range. What became of slots and rows is read from ledger and tables, so it covers earlier simulations
/// of the range too; times and findings are of this one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// By job, in the order of the schedules.
    pub jobs: Vec<JobAccount>,
    /// By table.
    pub tables: Vec<TableAccount>,
    /// Findings by check.
    pub findings: BTreeMap<&'static str, u32>,
    /// Mails that the runs of this simulation wrote; a simulation sends none.
    pub mails: u32,
    /// Runs that this simulation made.
    pub num_runs: u32,
    /// Instants at which it ran anything.
    pub num_slots: u32,
    /// How long it took, in seconds.
    pub took_seconds: f64,
    /// Whether it went to the end of the range.
    pub is_complete: bool,
}

/// What became of the slots of one job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobAccount {
    /// The job.
    pub job: String,
    /// Slots that the planner has in the range.
    pub planned_slots: u32,
    /// What the ledger says.
    #[serde(flatten)]
    pub ledger: Accounting,
    /// What the runs of this simulation took.
    pub timing: Timing,
}

/// How long the runs of a job took.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Timing {
    /// Runs.
    pub num_runs: u32,
    /// All together, in milliseconds.
    pub total_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

/// The rows of a table in the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TableAccount {
    /// The table.
    pub table: TableName,
    /// Slots times symbols.
    pub expected: usize,
    /// Rows.
    pub rows: usize,
    /// Different keys among them.
    pub keys: usize,
}

impl Account {
    /// What is not as it should be at the end of the range.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let jobs = self.jobs.iter().filter_map(JobAccount::fault);
        jobs.chain(self.tables.iter().filter_map(TableAccount::fault)).collect()
    }
}

impl JobAccount {
    fn fault(&self) -> Option<String> {
        let Self { job, planned_slots, ledger, .. } = self;
        let open = ledger.waiting + ledger.running;
        if ledger.planned != *planned_slots {
            return Some(format!("{job}: {planned_slots} slots are planned, the ledger knows {}", ledger.planned));
        }
        if open > 0 {
            return Some(format!("{job}: {open} slots have no end in the ledger"));
        }
        let bad = ledger.failed + ledger.timed_out + ledger.missed;
        (bad > 0).then(|| format!("{job}: {bad} slots failed, timed out or were missed: see the log of the job"))
    }
}

impl Timing {
    pub(super) fn note(&mut self, took: Duration) {
        let took_ms = took.as_secs_f64() * 1_000.0;
        self.num_runs += 1;
        self.total_ms += took_ms;
        self.max_ms = self.max_ms.max(took_ms);
    }

    /// The mean of the runs in milliseconds; 0 without any.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        if self.num_runs == 0 { 0.0 } else { self.total_ms / f64::from(self.num_runs) }
    }
}

impl TableAccount {
    fn fault(&self) -> Option<String> {
        let Self { table, expected, rows, keys } = self;
        if rows != keys {
            return Some(format!("{table}: {rows} rows have only {keys} different keys"));
        }
        (rows != expected).then(|| format!("{table}: {rows} rows where slots times symbols make {expected}"))
    }
}

/// What the runs of this simulation took and found.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) timings: BTreeMap<String, Timing>,
    pub(super) findings: BTreeMap<&'static str, u32>,
    pub(super) num_runs: u32,
}

impl Tally {
    pub(super) fn note(&mut self, job: &str, report: &RunReport) {
        self.num_runs += 1;
        self.timings.entry(job.to_owned()).or_default().note(report.took);
        for finding in report.findings() {
            *self.findings.entry(finding.check).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_too_few_and_rows_doubled_are_faults() {
        let table = |rows, keys| TableAccount { table: TableName::SpotSnapshots, expected: 3, rows, keys }.fault();
        assert_eq!(table(3, 3), None);
        assert!(table(2, 2).is_some_and(|fault| fault.contains("make 3")));
        assert!(table(6, 3).is_some_and(|fault| fault.contains("only 3 different keys")));
    }

    #[test]
    fn a_slot_that_the_ledger_lacks_or_leaves_open_is_a_fault() {
        let job = |planned, waiting| {
            let ledger = Accounting { planned, waiting, ..Accounting::default() };
            JobAccount { job: "snapshot".to_owned(), planned_slots: 3, ledger, timing: Timing::default() }.fault()
        };
        assert_eq!(job(3, 0), None);
        assert!(job(2, 0).is_some_and(|fault| fault.contains("the ledger knows 2")));
        assert!(job(3, 1).is_some_and(|fault| fault.contains("no end")));
    }
}
