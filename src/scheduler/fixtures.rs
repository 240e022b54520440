//! Schedules and instants for the tests of the planner.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::occurrence::PlannerCalendars;
use super::{Planner, Schedules};
use crate::calendar::{Calendar, CalendarId, RollRule, new_york};

/// The jobs of the whole collection as it is planned, and two that only tests have.
pub(super) const JOBS: [&str; 10] = [
    "snapshot",
    "backfill",
    "compaction",
    "quality",
    "signals",
    "rules",
    "report",
    "evaluation",
    "nightly",
    "quarterly",
];

/// The schedules of the whole collection, as all jobs will have them.
pub(super) const EVERY_JOB: &str = "
jobs:
  snapshot:
    schedule: { every: 5m, during: cme_equity }
    live: true
  backfill:
    schedule: [{ on: start }, { at: nyse.open - 60m }, { at: nyse.close + 20m }, { at: cme_equity.close + 15m }]
    overlap: queue_one
  compaction:
    schedule: [{ every: 1h, during: cme_equity }, { at: cme_equity.close + 5m }]
  quality:
    schedule: [{ every: 30m, during: cme_equity }, { at: cme_equity.close + 30m }]
  signals:
    schedule: { at: nyse.open - 30m }
    misfire: { catch_up: all, max: 5 sessions }
  rules: { schedule: { after: signals } }
  report: { schedule: { after: rules } }
  evaluation: { schedule: { at: nyse.close + 30m } }
";

pub(super) fn schedules(yaml: &str) -> Schedules {
    Schedules::parse(&[(PathBuf::from("test.yaml"), yaml.to_owned())], &JOBS).unwrap()
}

pub(super) fn calendars() -> PlannerCalendars {
    PlannerCalendars {
        futures: Calendar::embedded(CalendarId::CmeEquity),
        nyse: Calendar::embedded(CalendarId::Nyse),
        roll_rule: RollRule::ByDate,
    }
}

pub(super) fn planner(yaml: &str) -> Planner {
    Planner::new(schedules(yaml), calendars())
}

/// One job, `nightly`, with these keys.
pub(super) fn one_job(keys: &str) -> Planner {
    planner(&format!("jobs: {{ nightly: {{ {keys} }} }}"))
}

/// An instant in New York time, `2026-11-27 13:20` or with seconds.
pub(super) fn et(text: &str) -> DateTime<Utc> {
    let seconds = if text.len() == 16 { ":00" } else { "" };
    let form = "%Y-%m-%d %H:%M:%S";
    new_york(NaiveDateTime::parse_from_str(&format!("{text}{seconds}"), form).unwrap())
}
