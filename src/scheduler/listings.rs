//! What a person reads of the days on which schedules go wrong, as reviewed snapshots.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::fixtures::{EVERY_JOB, JOBS, calendars, et, planner};
use super::{PlannedSlot, Planner, Schedules};
use crate::calendar::to_new_york;

/// A table of slots; of a grid only the first and last of each unbroken stretch.
fn table(slots: &[PlannedSlot]) -> String {
    let mut text = format!("{} slots, of a grid the first and last of each unbroken stretch\n", slots.len());
    for (at, planned) in slots.iter().enumerate() {
        let is_grid = planned.reason.contains(" slot of ");
        let near = |other: &&PlannedSlot| {
            other.job == planned.job
                && other.reason == planned.reason
                && (other.slot - planned.slot).abs() <= TimeDelta::hours(1)
        };
        let before = slots.get(..at).unwrap_or_default().iter().rev().any(|other| near(&other));
        let after = slots.get(at + 1..).unwrap_or_default().iter().any(|other| near(&other));
        if is_grid && before && after {
            continue;
        }
        let local = to_new_york(planned.slot).format("%a %m-%d %H:%M %Z");
        let utc = planned.slot.format("%H:%MZ");
        writeln!(text, "{local}  {utc}  {:<10}  {}", planned.job, planned.reason).unwrap();
    }
    text
}

/// The slots of all jobs from one New York time to another.
fn listing(planner: &Planner, from: &str, until: &str) -> String {
    let mut slots: Vec<PlannedSlot> = Vec::new();
    for job in planner.schedules().iter() {
        slots.extend(planner.between(&job.job, et(from), et(until)).unwrap());
    }
    slots.sort_by_key(|planned| planned.slot);
    table(&slots)
}

#[test]
fn the_next_400_from_the_first_of_march() {
    let built_in = Planner::new(Schedules::built_in(&JOBS).unwrap(), calendars());
    insta::assert_snapshot!(table(&built_in.upcoming(et("2026-03-01 00:00"), 400).unwrap()));
}

#[test]
fn thanksgiving() {
    insta::assert_snapshot!(listing(&planner(EVERY_JOB), "2026-11-25 00:00", "2026-11-30 23:00"));
}

#[test]
fn christmas() {
    insta::assert_snapshot!(listing(&planner(EVERY_JOB), "2026-12-23 00:00", "2026-12-28 23:00"));
}

#[test]
fn good_friday() {
    insta::assert_snapshot!(listing(&planner(EVERY_JOB), "2026-04-01 00:00", "2026-04-06 23:00"));
}

#[test]
fn clocks_forward() {
    insta::assert_snapshot!(listing(&planner(EVERY_JOB), "2026-03-06 00:00", "2026-03-10 00:00"));
}

#[test]
fn clocks_back() {
    insta::assert_snapshot!(listing(&planner(EVERY_JOB), "2026-10-30 00:00", "2026-11-03 00:00"));
}
