//! The closing account of a simulation, as text and as a document.

use std::path::Path;

use chrono::NaiveDate;
use comfy_table::Table;
use serde_json::json;

use crate::job::{Failure, JobError};
use crate::scheduler::{Account, JobAccount};

use super::super::output::{plain_table, print_line, print_text};

/// Prints it for a person.
pub(super) fn print(account: &Account, (from, to): (NaiveDate, NaiveDate), root: &Path) -> Result<(), JobError> {
    let ended = if account.is_complete { "" } else { ", not to its end" };
    let memory = peak_memory_mb().map(|mb| format!(", peak memory {mb} MB")).unwrap_or_default();
    print_line(&format!(
        "simulated {from} to {to}{ended}: {} slots, {} runs in {:.1} s, {:.0} slots a second{memory}",
        account.num_slots,
        account.num_runs,
        account.took_seconds,
        per_second(account)
    ))?;
    if account.num_runs == 0 {
        print_line("nothing was left to do: every slot of the range has its entry in the ledger")?;
    }
    print_line(&format!("written without fsync to {}", root.display()))?;
    print_text(&jobs(account))?;
    print_text(&tables(account))?;
    closing_lines(account).iter().try_for_each(|line| print_line(line))
}

/// What became of the slots of each job, and the time that its runs took.
fn jobs(account: &Account) -> Table {
    let mut jobs = plain_table();
    jobs.set_header([
        "job",
        "planned",
        "done",
        "skipped",
        "missed",
        "failed",
        "timed out",
        "recovered",
        "runs",
        "total s",
        "mean ms",
        "max ms",
    ]);
    for job in &account.jobs {
        let (ledger, timing) = (job.ledger, job.timing);
        let states = [
            ledger.done,
            ledger.skipped,
            ledger.missed,
            ledger.failed,
            ledger.timed_out,
            ledger.recovered,
            timing.num_runs,
        ];
        let took = [timing.total_ms / 1_000.0, timing.mean_ms(), timing.max_ms].map(|value| format!("{value:.1}"));
        let states = states.map(|count| count.to_string());
        jobs.add_row([job.job.clone(), job.planned_slots.to_string()].into_iter().chain(states).chain(took));
    }
    jobs
}

fn tables(account: &Account) -> Table {
    let mut tables = plain_table();
    tables.set_header(["table", "rows", "slots x symbols"]);
    for table in &account.tables {
        tables.add_row([table.table.to_string(), table.rows.to_string(), table.expected.to_string()]);
    }
    tables
}

/// All jobs and tables together.
fn closing_lines(account: &Account) -> [String; 4] {
    let sum = |count: fn(&JobAccount) -> u32| account.jobs.iter().map(count).sum::<u32>();
    let (planned, done, missed) =
        (sum(|job| job.planned_slots), sum(|job| job.ledger.done), sum(|job| job.ledger.missed));
    let (rows, expected) =
        account.tables.iter().fold((0, 0), |(rows, expected), table| (rows + table.rows, expected + table.expected));
    let findings: Vec<String> = account.findings.iter().map(|(check, count)| format!("{check} {count}")).collect();
    let findings = if findings.is_empty() { "none".to_owned() } else { findings.join(", ") };
    [
        format!("slots: {planned} planned, {done} done, {missed} missed"),
        format!("rows: {rows} of {expected}"),
        format!("findings: {findings}"),
        format!("mails: {} written, none sent", account.mails),
    ]
}

/// As one JSON document.
pub(super) fn document(
    account: &Account,
    (from, to): (NaiveDate, NaiveDate),
    root: &Path,
) -> Result<serde_json::Value, JobError> {
    let of_account = serde_json::to_value(account).map_err(|error| JobError::fail(Failure::Failed, error))?;
    let mut document = json!({
        "from": from, "to": to, "folder": root, "fsync": false, "per_second": per_second(account),
        "peak_memory_mb": peak_memory_mb(), "faults": account.faults(),
    });
    if let (Some(document), serde_json::Value::Object(of_account)) = (document.as_object_mut(), of_account) {
        document.extend(of_account);
    }
    Ok(document)
}

fn per_second(account: &Account) -> f64 {
    if account.took_seconds > 0.0 { f64::from(account.num_slots) / account.took_seconds } else { 0.0 }
}

/// Most memory that this process has held, in MB, as Linux tells it.
fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::lake::TableName;
    use crate::scheduler::TableAccount;
    use crate::state::Accounting;

    use super::*;

    #[test]
    fn the_closing_lines_add_up() {
        let job = |planned_slots, missed| {
            let ledger = Accounting { done: planned_slots - missed, missed, ..Accounting::default() };
            JobAccount {
                job: "snapshot".to_owned(),
                planned_slots,
                ledger,
                timing: crate::scheduler::RunTiming::default(),
            }
        };
        let table = |table, rows| TableAccount { table, expected: 10, rows, keys: rows };
        let account = Account {
            jobs: vec![job(5, 1), job(2, 0)],
            tables: vec![table(TableName::FuturesSnapshots, 10), table(TableName::SpotSnapshots, 9)],
            findings: BTreeMap::from([("crossed", 2), ("stale", 1)]),
            mails: 3,
            num_runs: 7,
            num_slots: 6,
            took_seconds: 1.0,
            is_complete: true,
        };
        let lines = closing_lines(&account);
        assert_eq!(
            lines.join("\n"),
            "slots: 7 planned, 6 done, 1 missed\nrows: 19 of 20\nfindings: crossed 2, stale 1\n\
             mails: 3 written, none sent"
        );
    }
}
