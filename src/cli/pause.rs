//! `jobs pause` and `jobs resume`: the schedule leaves a job out for a while, and says why.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::json;

use crate::calendar::Calendar;
use crate::clock::{Clock, SystemClock};
use crate::job::{Failure, JobError, calendars};
use crate::scheduler::{Misfire, Planner};
use crate::state::{Ledger, Pause};
use crate::telemetry;

use super::job_names::{check_known, job_names};
use super::output::{eastern, print_document, print_line, utc};
use super::schedule::planner;
use super::settings::{Format, Globals};
use super::time_range::{Edge, instant_or_day};

/// Slots named as examples of what is left out.
const NUM_EXAMPLES: usize = 3;

/// Longest pause of which the slots are counted.
const LONGEST_COUNTED: TimeDelta = TimeDelta::days(31);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs pause snapshot --reason \"gateway moves to another host\" --until 2026-11-27T18:00
  jobs pause backfill --reason \"disk is being grown\"

The daemon skips the slots of the job from now on, with the reason, until then or until jobs resume. What runs now goes
on, and jobs run NAME still runs it. A day stands for the open of its session. Exit codes: 0 paused, 2 an unknown or
unscheduled job or a time that is past, 78 the ledger cannot be written.")]
pub(super) struct PauseArgs {
    /// The job.
    name: String,
    /// Why; it is told with each slot that is left out.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Until this time, or the open of this trading day's session [default: until it is resumed].
    #[arg(long, value_name = "DAY|TIME")]
    until: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  jobs resume snapshot

Exit codes: 0 also where it was not paused, 2 an unknown job, 78 the ledger cannot be written.")]
pub(super) struct ResumeArgs {
    /// The job.
    name: String,
}

/// Pauses a job.
pub(super) fn pause(globals: &Globals, args: &PauseArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    check_known(&args.name, &job_names(), "job")?;
    let planner = planner(&config)?;
    planner.schedules().of(&args.name).map_err(usage)?;
    let now = SystemClock.now();
    let futures = calendars(&config)?.futures;
    let until = args.until.as_deref().map(|text| end_of_pause(text, &futures, now)).transpose()?;
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(usage("--reason is empty: say why, it is told with each slot that is left out"));
    }
    let pause = Pause { job: args.name.clone(), reason: reason.to_owned(), paused_at: now, until };
    // Before anything is written: what fails has not paused.
    let left_out = LeftOut::of(&planner, &pause)?;
    let ledger = Ledger::open(&config.paths.ledger())?;
    let replaced = ledger.paused(&args.name, now)?;
    ledger.pause(&pause)?;
    if globals.format == Format::Text {
        tell(&pause, replaced.as_ref(), &left_out)?;
    } else {
        let slots: Vec<String> = left_out.examples.iter().map(|slot| utc(*slot)).collect();
        let document = json!({
            "schema": 1, "pause": pause, "replaced": replaced, "next_slots_utc": slots,
            "num_slots": left_out.num_slots, "slots_wait": left_out.slots_wait,
            "first_slot_after_utc": left_out.first_after.map(utc),
            "leaves_nothing_out": left_out.examples.is_empty(),
        });
        print_document(&document, globals.format)?;
    }
    Ok(0)
}

/// Ends the pause of a job.
pub(super) fn resume(globals: &Globals, args: &ResumeArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let now = SystemClock.now();
    // A job that has left the schedule, or the program, may still be paused.
    let path = config.paths.ledger();
    let paused = Ledger::open_to_read(&path)?.map(|ledger| ledger.paused(&args.name, now)).transpose()?.flatten();
    if paused.is_none() {
        check_known(&args.name, &job_names(), "job")?;
    }
    let ended = match paused {
        Some(_) => Ledger::open(&path)?.resume(&args.name, now)?,
        None => None,
    };
    // The pause has ended by now; a schedule that is unsound is the business of jobs schedule check.
    let next = planner(&config).ok().and_then(|planner| planner.next(&args.name, now).ok().flatten());
    let next = next.map(|planned| planned.slot);
    if globals.format != Format::Text {
        let document = json!({ "schema": 1, "job": args.name, "ended": ended, "next_slot_utc": next.map(utc) });
        print_document(&document, globals.format)?;
        return Ok(0);
    }
    let name = &args.name;
    match &ended {
        Some(pause) => print_line(&format!(
            "{name} is resumed; it was paused since {}: {}",
            eastern(pause.paused_at),
            pause.reason
        ))?,
        None => print_line(&format!("{name} is not paused"))?,
    }
    match next {
        Some(slot) => print_line(&format!("its next slot is {}", eastern(slot)))?,
        None => print_line("no slot of it is planned: jobs list shows the schedules")?,
    }
    Ok(0)
}

fn end_of_pause(text: &str, futures: &Calendar, now: DateTime<Utc>) -> Result<DateTime<Utc>, JobError> {
    let until = instant_or_day(text, futures, Edge::Open)?;
    if until <= now {
        let told = format!(
            "--until {} is past (it is {}): nothing is paused; give a later time, or use jobs resume",
            eastern(until),
            eastern(now)
        );
        return Err(usage(told));
    }
    Ok(until)
}

/// What a pause keeps from running.
struct LeftOut {
    /// The first slots.
    examples: Vec<DateTime<Utc>>,
    /// All of them, where the pause has an end that is near.
    num_slots: Option<usize>,
    /// Whether they are caught up afterwards instead of being skipped.
    slots_wait: bool,
    /// The first slot after the pause, where it has an end.
    first_after: Option<DateTime<Utc>>,
}

impl LeftOut {
    fn of(planner: &Planner, pause: &Pause) -> Result<Self, JobError> {
        let mut examples = Vec::new();
        let mut after = pause.paused_at;
        while examples.len() < NUM_EXAMPLES
            && let Some(planned) = planner.next(&pause.job, after).map_err(usage)?
            && pause.until.is_none_or(|until| planned.slot < until)
        {
            after = planned.slot;
            examples.push(planned.slot);
        }
        // Of a pause without a near end nobody wants the number.
        let end = pause.until.filter(|until| *until - pause.paused_at <= LONGEST_COUNTED);
        let within = |until| planner.between(&pause.job, pause.paused_at, until).map_err(usage);
        let all = end.map(within).transpose()?;
        let num_slots =
            all.map(|slots| slots.iter().filter(|slot| pause.until.is_some_and(|until| slot.slot < until)).count());
        let schedule = planner.schedules().of(&pause.job).map_err(usage)?;
        // A slot at the very end is run.
        let last = pause.until.map(|until| until - TimeDelta::nanoseconds(1));
        let first_after = last.map(|last| planner.next(&pause.job, last).map_err(usage)).transpose()?.flatten();
        let slots_wait = matches!(schedule.misfire, Misfire::All { .. });
        Ok(Self { examples, num_slots, slots_wait, first_after: first_after.map(|planned| planned.slot) })
    }
}

fn tell(pause: &Pause, replaced: Option<&Pause>, left_out: &LeftOut) -> Result<(), JobError> {
    let Pause { job, reason, until, .. } = pause;
    let end = until.map_or_else(|| format!("until jobs resume {job}"), |until| format!("until {}", eastern(until)));
    print_line(&format!("{job} is paused {end}: {reason}"))?;
    if let Some(old) = replaced {
        let end = old.until.map_or_else(|| "without an end".to_owned(), |until| format!("until {}", eastern(until)));
        print_line(&format!("it was paused already, {end} ({}): that pause is replaced", old.reason))?;
    }
    let fate = if left_out.slots_wait { "wait until then" } else { "are skipped" };
    let examples: Vec<String> = left_out.examples.iter().map(|slot| eastern(*slot)).collect();
    match (left_out.num_slots, examples.join(", ")) {
        (_, none) if none.is_empty() && until.is_some() => {
            print_line("no slot of it is planned until then anyway: this pause leaves nothing out")?;
        }
        (_, none) if none.is_empty() => print_line("no slot of it is planned: jobs list shows the schedules")?,
        (Some(all), named) if all > left_out.examples.len() => {
            print_line(&format!("{all} slots {fate}, the first: {named}"))?;
        }
        (Some(_), named) => print_line(&format!("these slots {fate}: {named}"))?,
        (None, named) => print_line(&format!("its slots {fate}, the next: {named}"))?,
    }
    if let Some(slot) = left_out.first_after {
        print_line(&format!("its first slot after the pause is {}", eastern(slot)))?;
    }
    print_line(&format!("what runs now goes on, and jobs run {job} still runs it by hand"))
}

fn usage(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JobError {
    JobError::fail(Failure::Usage, error)
}
