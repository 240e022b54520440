//! The status for a person: the verdict first, what is wrong next, what is right last.

use chrono::{DateTime, Utc};

use crate::job::JobError;

use super::super::output::{eastern, plain_table, print_line, print_text};
use super::account::{JobAccount, SessionAccount, Stretch, slot_of};
use super::freshness::Freshness;
use super::{Daemon, Status};

/// Faults listed for a session; the rest is counted.
const MAX_FAULTS: usize = 12;

/// Columns of a job's account: heading, count, whether it is left out while nobody has any.
type Column = (&'static str, fn(&JobAccount) -> u32);

const COLUMNS: [Column; 12] = [
    ("planned", |job| job.planned),
    ("done", |job| job.done),
    ("skipped", |job| job.skipped),
    ("recovered", |job| job.recovered),
    ("running", |job| job.running),
    ("waiting", |job| job.waiting),
    ("missed", |job| job.missed),
    ("failed", |job| job.failed),
    ("timed out", |job| job.timed_out),
    ("died", |job| job.died),
    ("unaccounted", |job| job.unaccounted),
    ("before the start", |job| job.not_counted),
];

/// Columns that are shown even where they are all zero: the question is whether they are.
const ALWAYS: [&str; 4] = ["planned", "done", "missed", "failed"];

pub(super) fn print(status: &Status) -> Result<(), JobError> {
    print_line(&status.verdict.text)?;
    print_line(&daemon(&status.daemon))?;
    for session in &status.sessions {
        print_session(session)?;
    }
    if let Some(row) = &status.last_failure {
        let why = row.error.as_ref().or(row.reason.as_ref()).map_or("", String::as_str);
        print_line(&format!("\nlast failure: {} {} {}: {why}", row.job, eastern(slot_of(row)), row.state))?;
    }
    print_freshness(&status.freshness)?;
    if !status.pauses.is_empty() {
        print_line("")?;
    }
    for pause in &status.pauses {
        let end = pause
            .until
            .map_or_else(|| format!("until jobs resume {}", pause.job), |until| format!("until {}", eastern(until)));
        print_line(&format!("{} is paused {end}: {}", pause.job, pause.reason))?;
    }
    let calendars: Vec<String> = status.calendars.iter().map(|c| format!("{} {} days", c.calendar, c.days)).collect();
    print_line(&format!("\npublished calendars reach {}", calendars.join(", ")))
}

fn daemon(daemon: &Daemon) -> String {
    match (daemon.pid, daemon.since_utc) {
        (Some(pid), Some(since)) => format!("daemon: process {pid}, since {}", eastern(since)),
        _ if daemon.wanted => "daemon: not running".to_owned(),
        _ => "daemon: not running, timers start the runs".to_owned(),
    }
}

fn print_session(session: &SessionAccount) -> Result<(), JobError> {
    print_line(&format!(
        "\nsession {}, {} to {}",
        session.session_date,
        eastern(session.open_utc),
        eastern(session.until_utc)
    ))?;
    let shown = |(name, count): &&Column| ALWAYS.contains(name) || session.jobs.iter().any(|job| count(job) > 0);
    let columns: Vec<&Column> = COLUMNS.iter().filter(shown).collect();
    let mut table = plain_table();
    let by_hand = session.jobs.iter().any(|job| job.by_hand > 0).then_some("by hand");
    table.set_header(["job"].into_iter().chain(columns.iter().map(|(name, _)| *name)).chain(by_hand).chain(["rows"]));
    for job in &session.jobs {
        let counts = columns.iter().map(|(_, count)| count(job).to_string());
        let by_hand = by_hand.map(|_| job.by_hand.to_string());
        table.add_row([job.job.clone()].into_iter().chain(counts).chain(by_hand).chain([job.rows_added.to_string()]));
    }
    print_text(&table)?;
    let faults: Vec<(&str, &Stretch)> =
        session.jobs.iter().flat_map(|job| job.faults.iter().map(|fault| (job.job.as_str(), fault))).collect();
    // The newest matter most.
    for (job, fault) in faults.iter().rev().take(MAX_FAULTS) {
        print_line(&told(job, fault))?;
    }
    if faults.len() > MAX_FAULTS {
        print_line(&format!(
            "  and {} more: jobs history --since {}",
            faults.len() - MAX_FAULTS,
            session.session_date
        ))?;
    }
    Ok(())
}

fn told(job: &str, fault: &Stretch) -> String {
    let Stretch { fate, from_utc, to_utc, num_slots, reason } = fault;
    let when = match num_slots {
        1 => eastern(*from_utc),
        _ => format!("{} to {}, {num_slots} slots", eastern(*from_utc), eastern(*to_utc)),
    };
    format!("  {job} {}: {when}: {reason}", fate.as_str())
}

fn print_freshness(all: &[Freshness]) -> Result<(), JobError> {
    if all.is_empty() {
        return Ok(());
    }
    print_line("")?;
    let mut table = plain_table();
    table.set_header(["symbol", "newest row", "should be", "slots behind", ""]);
    let at = |at: Option<DateTime<Utc>>| at.map_or_else(|| "none".to_owned(), eastern);
    for one in all {
        let state = one.state.as_str();
        let told = one.reason.as_ref().map_or_else(|| state.to_owned(), |reason| format!("{state}: {reason}"));
        let behind = one.behind_slots.map_or_else(|| "-".to_owned(), |slots| slots.to_string());
        table.add_row([one.symbol.clone(), at(one.newest_slot_utc), at(one.expected_slot_utc), behind, told]);
    }
    print_text(&table)
}
