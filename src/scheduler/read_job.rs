//! Reading the schedule of one job: its rules, and what happens when a slot could not start.

use std::time::Duration;

use chrono::TimeDelta;

use super::duration::{parse_duration, short};
use super::error::Faults;
use super::fields::{Fields, one_of};
use super::read_rule::{LocatedRule, read_rules};
use super::schedule::{JobSchedule, Misfire, Overlap, Retry, Timing};
use super::yaml::Node;

/// The start deadline of `catch_up: none` where none is given: what is still the slot's own.
const DEFAULT_START_DEADLINE: TimeDelta = TimeDelta::seconds(60);

const KEYS: [&str; 7] = ["schedule", "live", "overlap", "misfire", "jitter", "timeout", "retry"];

/// Most sessions that are caught up: a year.
const MAX_SESSIONS: u32 = 250;

/// Most further attempts.
const MAX_RETRIES: u32 = 10;

const MAX_START_DEADLINE: TimeDelta = TimeDelta::days(7);
const MAX_JITTER: TimeDelta = TimeDelta::hours(1);
const MAX_TIMEOUT: TimeDelta = TimeDelta::days(1);
const MAX_BACKOFF: TimeDelta = TimeDelta::minutes(10);

/// A job's schedule and the lines of its rules.
pub(super) struct LocatedJob {
    pub(super) schedule: JobSchedule,
    pub(super) rule_lines: Vec<usize>,
}

/// Reads what a file says of one job. None, and noted, where it has no rule that can be read.
pub(super) fn read_job(job: &str, node: &Node, faults: &mut Faults) -> Option<LocatedJob> {
    let fields = Fields::of(format!("jobs.{job}"), node, &KEYS, faults)?;
    let path = format!("{}.schedule", fields.path);
    let rules = fields.get("schedule").map(|schedule| read_rules(&path, schedule, faults));
    if rules.is_none() {
        faults.add(fields.line, format!("{path}: is missing: say when the job runs"));
    }
    let live = fields.read("live", faults, |text| one_of(text, &[("true", true), ("false", false)])).unwrap_or(false);
    let overlaps = [("skip", Overlap::Skip), ("queue_one", Overlap::QueueOne), ("replace", Overlap::Replace)];
    let overlap = fields.read("overlap", faults, |text| one_of(text, &overlaps)).unwrap_or_default();
    let misfire = read_misfire(&fields, live, faults);
    let jitter = fields.read("jitter", faults, within(TimeDelta::zero(), MAX_JITTER)).unwrap_or_default();
    let timeout = fields.read("timeout", faults, within(TimeDelta::seconds(1), MAX_TIMEOUT)).and_then(positive);
    let retry = read_retry(&fields, faults);
    let (rules, rule_lines) = rules.into_iter().flatten().map(|LocatedRule { rule, line }| (rule, line)).unzip();
    let schedule = JobSchedule { job: job.to_owned(), rules, overlap, misfire, live, jitter, timeout, retry };
    judge(&schedule, &fields, faults);
    (!schedule.rules.is_empty()).then_some(LocatedJob { schedule, rule_lines })
}

fn read_misfire(job: &Fields, live: bool, faults: &mut Faults) -> Misfire {
    let default = if live {
        Misfire::None { start_deadline: DEFAULT_START_DEADLINE }
    } else {
        Misfire::One { start_deadline: None }
    };
    let Some(node) = job.get("misfire") else { return default };
    let path = format!("{}.misfire", job.path);
    let Some(fields) = Fields::of(path, node, &["catch_up", "start_deadline", "max"], faults) else { return default };
    let kinds = [
        ("none", Misfire::None { start_deadline: DEFAULT_START_DEADLINE }),
        ("one", Misfire::One { start_deadline: None }),
        ("all", Misfire::All { max_sessions: MAX_SESSIONS }),
    ];
    let kind = fields.read("catch_up", faults, |text| one_of(text, &kinds)).unwrap_or(default);
    let deadline = fields.read("start_deadline", faults, within(TimeDelta::seconds(1), MAX_START_DEADLINE));
    let max = fields.read("max", faults, sessions);
    let is_all = matches!(kind, Misfire::All { .. });
    if is_all && fields.get("max").is_none() {
        fields.fault("catch_up", "all needs a bound: give max: 5 sessions", faults);
    }
    if is_all && fields.get("start_deadline").is_some() {
        fields.fault("start_deadline", "goes with catch_up none and one: all is bounded by max", faults);
    }
    if !is_all && fields.get("max").is_some() {
        fields.fault("max", "goes with catch_up: all: leave it out", faults);
    }
    if live && !matches!(kind, Misfire::None { .. }) {
        fields.fault("catch_up", "what is live cannot be had later: give none, or live: false", faults);
    }
    match kind {
        Misfire::None { start_deadline } => Misfire::None { start_deadline: deadline.unwrap_or(start_deadline) },
        Misfire::One { .. } => Misfire::One { start_deadline: deadline },
        Misfire::All { max_sessions } => Misfire::All { max_sessions: max.unwrap_or(max_sessions) },
    }
}

fn read_retry(job: &Fields, faults: &mut Faults) -> Option<Retry> {
    let fields = Fields::of(format!("{}.retry", job.path), job.get("retry")?, &["max", "backoff"], faults)?;
    for key in ["max", "backoff"].into_iter().filter(|key| fields.get(key).is_none()) {
        fields.fault(key, "is missing: write retry: { max: 2, backoff: 5s }", faults);
    }
    let max = fields.read("max", faults, |text| {
        let read = text.parse().ok().filter(|max| *max <= MAX_RETRIES);
        read.ok_or_else(|| format!("{text:?} is no number of retries: give 0 to {MAX_RETRIES}"))
    });
    let backoff = fields.read("backoff", faults, within(TimeDelta::zero(), MAX_BACKOFF));
    Some(Retry { max: max?, backoff: backoff?.to_std().ok()? })
}

/// What can only be said of several keys together.
fn judge(schedule: &JobSchedule, fields: &Fields, faults: &mut Faults) {
    if matches!(schedule.misfire, Misfire::All { .. }) && schedule.overlap == Overlap::Replace {
        let told = "replace does not go with catch_up: all, whose slots wait for each other: give skip or queue_one";
        fields.fault("overlap", told, faults);
    }
    let steps = schedule.rules.iter().filter_map(|rule| match &rule.timing {
        Timing::Every { step, .. } => Some(*step),
        _ => None,
    });
    if let Some(step) = steps.min().filter(|step| schedule.jitter >= *step) {
        let told = format!("{} reaches into the next slot: give less than {}", short(schedule.jitter), short(step));
        fields.fault("jitter", &told, faults);
    }
    let deadline = match schedule.misfire {
        Misfire::None { start_deadline } => Some(start_deadline),
        Misfire::One { start_deadline } => start_deadline,
        Misfire::All { .. } => None,
    };
    if let Some(deadline) = deadline.filter(|deadline| schedule.jitter >= *deadline) {
        let told =
            format!("{} is no less than the start deadline of {}: give less", short(schedule.jitter), short(deadline));
        fields.fault("jitter", &told, faults);
    }
}

/// Reads a duration between two bounds, both allowed.
fn within(least: TimeDelta, most: TimeDelta) -> impl Fn(&str) -> Result<TimeDelta, String> {
    move |text| {
        let duration = parse_duration(text)?;
        let told = || format!("{text} is out of range: give {} to {}", short(least), short(most));
        (least..=most).contains(&duration).then_some(duration).ok_or_else(told)
    }
}

fn positive(duration: TimeDelta) -> Option<Duration> {
    duration.to_std().ok()
}

/// Reads `5 sessions`.
fn sessions(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix(" sessions").or_else(|| text.strip_suffix(" session"));
    let read = number.and_then(|number| number.trim().parse().ok()).filter(|max| (1..=MAX_SESSIONS).contains(max));
    read.ok_or_else(|| format!("{text:?} is no number of sessions: write 1 session to {MAX_SESSIONS} sessions"))
}
