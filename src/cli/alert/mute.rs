//! `jobs alert mute` and `jobs alert unmute`.

use std::collections::BTreeSet;

use chrono::DateTime;
use clap::Args;
use serde_json::json;

use crate::alert::{GATEWAY_DOWN, UNIT_FAILED};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::job::{Failure, JobError, RUN_FAILED, RUN_MISSED};
use crate::lake::{FindingRow, TableName};
use crate::quality::all;
use crate::scheduler::parse_duration;
use crate::state::{Incident, IncidentKey, Ledger, LedgerError, Mute};
use crate::telemetry;

use super::super::job_names::check_known;
use super::super::output::{eastern, print_document, print_line};
use super::super::settings::{Format, Globals};

#[derive(Debug, Args)]
pub(in super::super) struct MuteArgs {
    /// Number of an incident, or the leading parts of its key: check, check:table, check:table:symbol.
    key: String,
    /// For so long: 30m, 2h.
    #[arg(long = "for", value_name = "TIME")]
    length: String,
    /// Why; it is told in the list.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
pub(in super::super) struct UnmuteArgs {
    /// What was muted, as the list shows it, or the number of an incident.
    key: String,
}

/// Mutes.
pub(super) fn mute(globals: &Globals, args: &MuteArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let now = SystemClock.now();
    let length = parse_duration(&args.length).map_err(usage)?;
    let (reason, key) = (args.reason.trim(), args.key.trim());
    if reason.is_empty() || key.is_empty() || length.is_zero() {
        return Err(usage("KEY, --for and --reason must not be empty: say what, for how long, and why"));
    }
    let ledger = Ledger::open(&config.paths.ledger())?;
    let pattern = pattern(&ledger, key)?;
    check_meant(&pattern, &config, &ledger)?;
    let mute = Mute { pattern, reason: reason.to_owned(), muted_at: now, until: now + length };
    ledger.mute(&mute)?;
    let open = ledger.open_incidents()?;
    let covered: Vec<&Incident> = open.iter().filter(|one| mute.covers(&one.key, now)).collect();
    if globals.format != Format::Text {
        let ids: Vec<i64> = covered.iter().map(|one| one.id).collect();
        print_document(&json!({ "schema": 1, "mute": mute, "incidents": ids }), globals.format)?;
        return Ok(0);
    }
    print_line(&format!("{} is muted until {}: {}", mute.pattern, eastern(mute.until), mute.reason))?;
    print_line(&match covered.len() {
        0 => "no incident that goes on is meant: what comes is".to_owned(),
        1 => "1 incident that goes on is meant; its end is told, with what was held back".to_owned(),
        many => format!("{many} incidents that go on are meant; their ends are told, with what was held back"),
    })?;
    Ok(0)
}

/// Ends a mute.
pub(super) fn unmute(globals: &Globals, args: &UnmuteArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let now = SystemClock.now();
    let ledger = Ledger::open(&config.paths.ledger())?;
    let pattern = pattern(&ledger, args.key.trim())?;
    let was_muted = ledger.unmute(&pattern, now)?;
    if globals.format != Format::Text {
        print_document(&json!({ "schema": 1, "pattern": pattern, "was_muted": was_muted }), globals.format)?;
    } else if was_muted {
        print_line(&format!("{pattern} is told again"))?;
    } else {
        print_line(&format!("{pattern} is not muted: jobs alert list shows what is"))?;
    }
    Ok(0)
}

/// The pattern that a person means: a number is an incident, all else is taken as it is.
fn pattern(ledger: &Ledger, key: &str) -> Result<String, JobError> {
    let Ok(id) = key.parse::<i64>() else {
        return Ok(key.chars().filter(|c| !c.is_control()).collect());
    };
    let find = || Ok::<_, LedgerError>(ledger.open_incidents()?.into_iter().find(|one| one.id == id));
    let unknown = || usage(format!("no incident {id} goes on: jobs alert list shows those that do"));
    Ok(find()?.ok_or_else(unknown)?.key.to_string())
}

/// Refuses a key that no incident can have: a check that there is not, or a table that it does not look at. What an
/// incident of the ledger has is always right.
fn check_meant(pattern: &str, config: &Config, ledger: &Ledger) -> Result<(), JobError> {
    let keys: Vec<IncidentKey> =
        ledger.incidents_since(DateTime::UNIX_EPOCH)?.into_iter().map(|incident| incident.key).collect();
    let mut parts = pattern.trim_end_matches(':').split(':');
    let (check, table, subject) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let mut checks: Vec<&str> = all().into_iter().map(|spec| spec.id).collect();
    checks.extend([GATEWAY_DOWN, UNIT_FAILED, RUN_FAILED, RUN_MISSED]);
    checks.extend(keys.iter().map(|key| key.check.as_str()));
    check_known(check, &distinct(checks), "check")?;
    let Some(table) = table.filter(|table| !table.is_empty()) else { return Ok(()) };
    let mut tables: Vec<&str> = TableName::ALL.into_iter().map(TableName::as_str).collect();
    tables.extend(keys.iter().map(|key| key.table.as_str()));
    check_known(table, &distinct(tables), "table")?;
    let Some(subject) = subject else { return Ok(()) };
    let market = &config.market;
    let symbols: Vec<String> = market.futures.iter().chain(&market.spot).map(ToString::to_string).collect();
    let mut subjects: Vec<&str> = symbols.iter().map(String::as_str).chain([FindingRow::WHOLE]).collect();
    subjects.extend(keys.iter().filter(|key| key.table == table).map(|key| key.subject.as_str()));
    check_known(subject, &distinct(subjects), "symbol")
}

/// Each name once, the empty one not at all, in the order in which they came.
fn distinct(names: Vec<&str>) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| !name.is_empty() && seen.insert(*name)).collect()
}

fn usage(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JobError {
    JobError::fail(Failure::Usage, error)
}
