//! `jobs list`, `jobs next`, `jobs schedule check`: what runs when, and why.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use crate::calendar::{new_york, parse_instant};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::job::{Failure, JobError, calendars};
use crate::jobs::catalogue;
use crate::scheduler::{PlanError, PlannedSlot, Planner, PlannerCalendars, Schedules};

use super::output::{eastern, plain_table, print_document, print_documents, print_line, print_text, utc};
use super::settings::{Format, Globals};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs next
  jobs next backfill -n 20 --explain
  jobs next -n 400 --from 2026-03-01 --format jsonl

A slot is provisional where its day lies past the published calendars: it follows the rules, and may still change.")]
pub(super) struct NextArgs {
    /// Only this job.
    job: Option<String>,
    /// How many slots.
    #[arg(short, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// After this time; a day begins at midnight in New York [default: now].
    #[arg(long, value_name = "DAY|TIME")]
    from: Option<String>,
    /// Say why each slot is where it is.
    #[arg(long)]
    explain: bool,
}

/// What to do with the schedules.
#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Check the schedules; all faults are told at once.
    #[command(after_help = "Example:\n  JOBS__PATHS__SCHEDULES=my-schedules jobs schedule check")]
    Check,
}

/// Prints the next slots.
pub(super) fn next(globals: &Globals, args: &NextArgs) -> Result<u8, JobError> {
    let planner = planner(&globals.load(Vec::new())?.config)?;
    let from = args.from.as_deref().map_or_else(|| Ok(SystemClock.now()), beginning)?;
    let count = usize::try_from(args.n).unwrap_or(usize::MAX);
    let slots = match &args.job {
        Some(job) => following(&planner, job, (from, count)).map_err(usage)?,
        None => planner.upcoming(from, count).map_err(usage)?,
    };
    let slots: Vec<(PlannedSlot, bool)> = slots
        .into_iter()
        .map(|slot| planner.is_provisional(&slot).map(|is_provisional| (slot, is_provisional)))
        .collect::<Result<_, _>>()
        .map_err(usage)?;
    if globals.format != Format::Text {
        print_documents(slots.iter().map(document).collect(), globals.format)?;
        return Ok(0);
    }
    if slots.is_empty() {
        print_line("nothing is planned: the job has only schedules that follow others, or the daemon's start")?;
        return Ok(0);
    }
    let mut table = plain_table();
    let why = |slot: &PlannedSlot| args.explain.then(|| slot.reason.clone());
    table.set_header(["slot", "UTC", "job"].into_iter().chain(args.explain.then_some("why")));
    for (slot, is_provisional) in &slots {
        let mark = if *is_provisional { " (provisional)" } else { "" };
        let at = format!("{}{mark}", eastern(slot.slot));
        table.add_row([at, utc(slot.slot), slot.job.clone()].into_iter().chain(why(slot)));
    }
    print_text(&table)?;
    Ok(0)
}

/// Prints the jobs with their schedules.
pub(super) fn list(globals: &Globals) -> Result<u8, JobError> {
    let planner = planner(&globals.load(Vec::new())?.config)?;
    let now = SystemClock.now();
    let mut documents = Vec::new();
    let mut table = plain_table();
    table.set_header(["job", "when", "next", "what"]);
    for job in catalogue() {
        let name = job.name();
        let rules: Vec<String> = planner
            .schedules()
            .of(name)
            .map_or_else(|_| Vec::new(), |schedule| schedule.rules.iter().map(ToString::to_string).collect());
        let next = if rules.is_empty() { None } else { planner.next(name, now).map_err(usage)? };
        let at = next.as_ref().map(|slot| eastern(slot.slot));
        documents.push(json!({
            "job": name, "schedule": rules, "next_utc": next.map(|slot| utc(slot.slot)), "next_et": at, "summary": job.summary(),
        }));
        let when = if rules.is_empty() { "by hand".to_owned() } else { rules.join("\n") };
        table.add_row([name.to_owned(), when, at.unwrap_or_default(), job.summary().to_owned()]);
    }
    if globals.format == Format::Text {
        print_text(&table)?;
    } else {
        print_documents(documents, globals.format)?;
    }
    Ok(0)
}

/// Checks the schedules.
pub(super) fn schedule(globals: &Globals, command: &ScheduleCommand) -> Result<u8, JobError> {
    let ScheduleCommand::Check = command;
    let config = globals.load(Vec::new())?.config;
    let planner = planner(&config)?;
    let jobs: Vec<&str> = planner.schedules().iter().map(|schedule| schedule.job.as_str()).collect();
    let left_out = left_out(planner.schedules())?;
    let from =
        config.paths.schedules.as_ref().map_or_else(|| "compiled in".to_owned(), |path| path.display().to_string());
    match globals.format {
        Format::Text => {
            print_line(&format!("the schedules are sound ({from}): {}", jobs.join(", ")))?;
            if !left_out.is_empty() {
                let told = "scheduled by default and not by these files, so run by hand only";
                print_line(&format!("{told}: {}", left_out.join(", ")))?;
            }
        }
        format => {
            print_document(&json!({ "sound": true, "from": from, "jobs": jobs, "left_out": left_out }), format)?;
        }
    }
    Ok(0)
}

/// The jobs that the schedules compiled in have and these have not.
pub(super) fn left_out(schedules: &Schedules) -> Result<Vec<String>, JobError> {
    let jobs = catalogue();
    let known: Vec<&str> = jobs.iter().map(|job| job.name()).collect();
    let built_in = Schedules::built_in(&known).map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    let names = built_in.iter().map(|schedule| schedule.job.clone());
    Ok(names.filter(|name| schedules.of(name).is_err()).collect())
}

/// The planner of the configured schedules, each rule of which comes round.
pub(super) fn planner(config: &Config) -> Result<Planner, JobError> {
    let calendars = calendars(config)?;
    let roll_rule = config.market.roll_rule;
    let calendars = PlannerCalendars { futures: calendars.futures, nyse: calendars.nyse, roll_rule };
    let planner = Planner::new(schedules(config)?, calendars);
    planner.check(SystemClock.now()).map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    Ok(planner)
}

/// The configured schedules.
pub(super) fn schedules(config: &Config) -> Result<Schedules, JobError> {
    let jobs = catalogue();
    let known: Vec<&str> = jobs.iter().map(|job| job.name()).collect();
    let loaded = Schedules::load(config.paths.schedules.as_deref(), &known);
    loaded.map_err(|error| JobError::fail(Failure::Misconfigured, error))
}

/// The slots of one job, one after the other.
fn following(
    planner: &Planner,
    job: &str,
    (from, count): (DateTime<Utc>, usize),
) -> Result<Vec<PlannedSlot>, PlanError> {
    let mut slots: Vec<PlannedSlot> = Vec::new();
    while slots.len() < count {
        let after = slots.last().map_or(from, |slot| slot.slot);
        match planner.next(job, after)? {
            Some(slot) => slots.push(slot),
            None => break,
        }
    }
    Ok(slots)
}

/// A time, or midnight in New York of a day.
fn beginning(text: &str) -> Result<DateTime<Utc>, JobError> {
    match text.parse::<NaiveDate>() {
        Ok(day) => Ok(new_york(day.and_time(NaiveTime::MIN))),
        Err(_) => Ok(parse_instant(text)?),
    }
}

fn document((slot, is_provisional): &(PlannedSlot, bool)) -> Json {
    json!({
        "job": slot.job, "slot_utc": utc(slot.slot), "slot_et": eastern(slot.slot), "reason": slot.reason,
        "provisional": is_provisional,
    })
}

fn usage(error: PlanError) -> JobError {
    JobError::fail(Failure::Usage, error)
}
