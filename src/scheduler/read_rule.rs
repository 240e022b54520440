//! Reading a rule: `every … during`, `at`, `after`, `on: start` or `cron` with a zone.

use chrono::TimeDelta;

use super::anchor::parse_anchored;
use super::cron::CronLine;
use super::duration::{parse_duration, short};
use super::error::Faults;
use super::fields::{Fields, one_of};
use super::narrowing::{Edge, Narrowing, Period};
use super::schedule::{Rule, Timing};
use super::yaml::{Content, Node};
use crate::calendar::{CalendarId, Zone};

/// The keys of which a rule has exactly one.
const KINDS: [&str; 5] = ["every", "at", "after", "on", "cron"];

/// The keys that narrow a rule, and the kinds each goes with.
const COMPANIONS: [(&str, &[&str]); 6] = [
    ("during", &["every"]),
    ("zone", &["cron"]),
    ("first_session_of", &["every", "at", "cron"]),
    ("last_session_of", &["every", "at", "cron"]),
    ("calendar", &["every", "at", "cron"]),
    ("only_if_open", &["every", "at", "cron"]),
];

const HOUR: TimeDelta = TimeDelta::hours(1);

/// A rule and the line it stands on, for what is judged when all files are read.
pub(super) struct LocatedRule {
    pub(super) rule: Rule,
    pub(super) line: usize,
}

/// Reads one rule or a list of them.
pub(super) fn read_rules(path: &str, node: &Node, faults: &mut Faults) -> Vec<LocatedRule> {
    match &node.content {
        Content::List(items) if items.is_empty() => {
            faults.add(node.line, format!("{path}: the list is empty: give a rule, or leave the job out"));
            Vec::new()
        }
        Content::List(items) => items.iter().filter_map(|item| read_rule(path, item, faults)).collect(),
        _ => read_rule(path, node, faults).into_iter().collect(),
    }
}

fn read_rule(path: &str, node: &Node, faults: &mut Faults) -> Option<LocatedRule> {
    let known = [&KINDS[..], &COMPANIONS.map(|(key, _)| key)].concat();
    let fields = Fields::of(path.to_owned(), node, &known, faults)?;
    let kind = match *fields.given(&KINDS) {
        [kind] => kind,
        [] => {
            faults.add(fields.line, format!("{path}: does not say when: give one of {}", KINDS.join(", ")));
            return None;
        }
        [first, second, ..] => {
            let told = format!("stands beside {first}, and a rule has only one of them: write a list of rules");
            fields.fault(second, &told, faults);
            return None;
        }
    };
    for (key, _) in COMPANIONS.iter().filter(|(key, kinds)| fields.get(key).is_some() && !kinds.contains(&kind)) {
        fields.fault(key, &format!("does not go with {kind}: leave it out"), faults);
    }
    let timing = read_timing(&fields, kind, faults);
    let narrowing = read_narrowing(&fields, timing.as_ref(), faults);
    let only_if_open = fields.read("only_if_open", faults, calendar);
    Some(LocatedRule { rule: Rule { timing: timing?, narrowing, only_if_open }, line: fields.line })
}

fn read_timing(fields: &Fields, kind: &str, faults: &mut Faults) -> Option<Timing> {
    match kind {
        "every" => {
            let during = fields.read("during", faults, calendar);
            let step = fields.read("every", faults, step);
            if fields.get("during").is_none() {
                fields.fault("every", "does not say during which sessions: give during: cme_equity or nyse", faults);
            }
            Some(Timing::Every { step: step?, during: during? })
        }
        "at" => fields.read("at", faults, parse_anchored).map(Timing::At),
        "after" => fields.read("after", faults, |job| Ok(Timing::After(job.to_owned()))),
        "on" => fields.read("on", faults, |text| one_of(text, &[("start", ())])).map(|()| Timing::OnStart),
        _ => {
            let zone = fields.read("zone", faults, |name| name.parse::<Zone>().map_err(|error| error.to_string()));
            if fields.get("zone").is_none() {
                fields.fault("cron", "does not say in which zone: give zone: America/New_York or another", faults);
            }
            // A line is judged also where its zone is not known.
            let any = zone.or_else(|| "UTC".parse().ok())?;
            let line = fields.read("cron", faults, |text| CronLine::parse(text, any));
            zone.and(line).map(|line| Timing::Cron(Box::new(line)))
        }
    }
}

fn read_narrowing(fields: &Fields, timing: Option<&Timing>, faults: &mut Faults) -> Option<Narrowing> {
    let given = fields.read("calendar", faults, calendar);
    let periods = [("first_session_of", Edge::First), ("last_session_of", Edge::Last)].map(|(key, edge)| {
        let period = fields.read(key, faults, |text| one_of(text, &Period::ALL));
        period.map(|period| (key, edge, period))
    });
    let (key, edge, period) = match periods {
        [None, None] => {
            let is_alone = fields.given(&["first_session_of", "last_session_of"]).is_empty();
            if is_alone && fields.get("calendar").is_some() {
                fields.fault("calendar", "goes with first_session_of or last_session_of: leave it out", faults);
            }
            return None;
        }
        [Some(_), Some((key, ..))] => {
            fields.fault(key, "stands beside first_session_of: keep one of the two", faults);
            return None;
        }
        [Some(one), None] | [None, Some(one)] => one,
    };
    let calendar = given.or(timing?.calendar());
    if calendar.is_none() && fields.get("calendar").is_none() {
        fields.fault(key, "does not say whose session: give calendar: cme_equity or nyse", faults);
    }
    calendar.map(|calendar| Narrowing { edge, period, calendar })
}

fn calendar(name: &str) -> Result<CalendarId, String> {
    name.parse().map_err(|error: crate::calendar::CalendarError| error.to_string())
}

/// All US offsets are whole hours, so a grid that divides an hour is the same on every wall clock and in UTC.
fn step(text: &str) -> Result<TimeDelta, String> {
    let step = parse_duration(text)?;
    let divides = step >= TimeDelta::minutes(1) && HOUR.num_seconds() % step.num_seconds() == 0;
    let told = || {
        format!(
            "{} does not divide an hour into whole minutes: give 1m, 5m, 10m, 15m, 30m or 1h, or use at",
            short(step)
        )
    };
    divides.then_some(step).filter(|step| step.num_seconds() % 60 == 0).ok_or_else(told)
}
