//! Where every slot of years falls: both nights when clocks change, half days, Good Fridays, days of mourning.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;

use super::fixtures::{EVERY_JOB, calendars, et, one_job, planner};
use super::{PlanError, PlannedSlot, Planner};
use crate::calendar::{Session, to_new_york};

static PLANNER: LazyLock<Planner> = LazyLock::new(|| planner(EVERY_JOB));

/// Rules of every kind.
static KINDS: LazyLock<Vec<Planner>> = LazyLock::new(|| {
    [
        "schedule: { every: 5m, during: cme_equity, only_if_open: nyse }",
        "schedule: { every: 1m, during: nyse, last_session_of: month }",
        "schedule: { at: cme_equity.open }",
        "schedule: { at: cme_equity.reopen + 5m }",
        "schedule: { at: nyse.close + 30h }",
        "schedule: { at: cme_equity.close + 10m, last_session_of: week, calendar: nyse }, jitter: 20m",
        "schedule: { at: nyse.open, first_session_of: quarter }",
        "schedule: [{ at: ES.expiry - 24h }, { at: RTY.roll }]",
        "schedule: { cron: '*/20 1-3 * * *', zone: America/New_York }",
        "schedule: { cron: '30 2 * * *', zone: America/Chicago, only_if_open: cme_equity }",
    ]
    .into_iter()
    .map(one_job)
    .collect()
});

pub(super) fn slots(planner: &Planner, job: &str, (from, to): (&str, &str)) -> Vec<DateTime<Utc>> {
    let found = planner.between(job, et(from), et(to)).unwrap();
    found.into_iter().map(|planned| planned.slot).collect()
}

/// Asks at every minute of 2026 and 2027; the answer must be the first of all slots after it.
fn ask_every_minute(rule: &str) {
    let planner = one_job(&format!("schedule: {rule}"));
    let slots = slots(&planner, "nightly", ("2025-12-31 12:00", "2028-01-05 00:00"));
    assert!(slots.is_sorted_by(|a, b| a < b), "{rule} goes back");
    let mut following = slots.iter().peekable();
    let (mut minute, until) = (et("2026-01-01 00:00"), et("2028-01-01 00:00"));
    while minute < until {
        while following.peek().is_some_and(|slot| **slot <= minute) {
            following.next();
        }
        let next = planner.next("nightly", minute).unwrap().map(|planned| planned.slot);
        assert!(next > Some(minute));
        assert_eq!(next.as_ref(), following.peek().copied(), "{rule} at {minute}");
        minute += TimeDelta::minutes(1);
    }
}

#[test]
fn every_minute_of_two_years_has_its_next_grid_slot_after_it() {
    ask_every_minute("{ every: 5m, during: cme_equity }");
}

#[test]
fn every_minute_of_two_years_has_its_next_close_after_it() {
    ask_every_minute("{ at: nyse.close + 20m }");
}

#[test]
fn every_minute_of_two_years_has_its_next_cron_time_after_it() {
    ask_every_minute("{ cron: '30 1,2 * * *', zone: America/New_York }");
}

#[test]
fn the_year_2026_has_70965_snapshots() {
    let slots = slots(&PLANNER, "snapshot", ("2026-01-01 00:00", "2027-01-01 00:00"));
    assert_eq!(slots.len(), 70_965);
}

#[test]
fn a_daily_job_comes_exactly_once_a_session() {
    let calendars = calendars();
    let (first, last) = (NaiveDate::from_ymd_opt(2011, 1, 1).unwrap(), NaiveDate::from_ymd_opt(2030, 12, 31).unwrap());
    let (from, to) = ("2010-12-31 23:00", "2031-01-01 00:00");
    let nyse = calendars.nyse.sessions(first, last).unwrap();
    let futures = calendars.futures.sessions(first, last).unwrap();
    let expected = |sessions: &[Session], instant: fn(&Session) -> DateTime<Utc>, minutes| -> Vec<DateTime<Utc>> {
        sessions.iter().map(|session| instant(session) + TimeDelta::minutes(minutes)).collect()
    };
    assert_eq!(slots(&PLANNER, "signals", (from, to)), expected(&nyse, Session::open, -30));
    assert_eq!(slots(&PLANNER, "report", (from, to)), expected(&nyse, Session::open, -30));
    assert_eq!(slots(&PLANNER, "evaluation", (from, to)), expected(&nyse, Session::close, 30));
    let close = one_job("schedule: { at: cme_equity.close + 15m }");
    assert_eq!(slots(&close, "nightly", (from, to)), expected(&futures, Session::close, 15));
    // A session opens on the evening before its date.
    let open = one_job("schedule: { at: cme_equity.open }");
    let opens: Vec<_> = expected(&futures, Session::open, 0).into_iter().filter(|at| *at > et(from)).collect();
    let until_last = format!("{last} 17:00");
    assert_eq!(slots(&open, "nightly", (from, &until_last)), opens);
}

#[test]
fn a_cron_line_a_day_comes_exactly_once_a_day() {
    for (line, zone) in [
        ("30 2 * * *", "America/New_York"),
        ("30 1 * * *", "America/New_York"),
        ("0 2 * * *", "America/Chicago"),
        ("59 23 * * *", "UTC"),
    ] {
        let planner = one_job(&format!("schedule: {{ cron: '{line}', zone: {zone} }}"));
        let slots = slots(&planner, "nightly", ("2026-01-01 00:00", "2028-01-01 00:00"));
        let mut days: Vec<NaiveDate> = slots.iter().map(|slot| to_new_york(*slot).date_naive()).collect();
        days.dedup();
        assert_eq!((slots.len(), days.len()), (730, 730), "{line} {zone}");
    }
}

#[test]
fn the_grid_keeps_its_pace_over_the_nights_when_clocks_change() {
    for (from, to) in [("2026-03-06 12:00", "2026-03-10 12:00"), ("2026-10-30 12:00", "2026-11-03 12:00")] {
        for pair in slots(&PLANNER, "snapshot", (from, to)).windows(2) {
            let gap = pair[1] - pair[0];
            assert!(gap == TimeDelta::minutes(5) || gap >= TimeDelta::minutes(65), "{pair:?}");
        }
    }
}

#[test]
fn before_the_calendars_is_an_error_and_after_them_nothing() {
    let early = PLANNER.next("signals", et("2009-12-01 00:00"));
    assert!(matches!(early, Err(PlanError::Calendar(_))), "{early:?}");
    for job in PLANNER.schedules().iter() {
        assert_eq!(PLANNER.next(&job.job, et("2099-12-31 23:00")), Ok(None), "{}", job.job);
        assert_eq!(PLANNER.next(&job.job, DateTime::<Utc>::MAX_UTC), Ok(None), "{}", job.job);
        assert!(PLANNER.next(&job.job, DateTime::<Utc>::MIN_UTC).is_err(), "{}", job.job);
    }
    let told = PLANNER.next("signal", et("2026-03-01 00:00")).unwrap_err().to_string();
    assert_eq!(told, "job \"signal\" has no schedule: did you mean signals?");
}

#[test]
fn upcoming_is_all_jobs_in_the_order_of_slots() {
    let (from, until) = (et("2026-11-25 00:00"), et("2026-12-01 00:00"));
    let mut expected: Vec<PlannedSlot> = Vec::new();
    for job in PLANNER.schedules().iter() {
        expected.extend(PLANNER.between(&job.job, from, until).unwrap());
    }
    expected.sort_by_key(|planned| planned.slot);
    assert_eq!(PLANNER.upcoming(from, expected.len()).unwrap(), expected);
}

#[test]
fn jitter_is_the_same_every_time_and_less_than_its_bound() {
    let next = |name: &str| {
        let planner = planner(&format!("jobs: {{ {name}: {{ schedule: {{ at: nyse.close }}, jitter: 10m }} }}"));
        let next = planner.next(name, et("2026-03-02 00:00")).unwrap().unwrap();
        assert_eq!(next.slot, et("2026-03-02 16:00"));
        (next.due_at - next.slot).num_seconds()
    };
    let delays = ["snapshot", "backfill", "report"].map(next);
    assert!(delays.iter().all(|delay| (0..600).contains(delay)), "{delays:?}");
    assert_eq!(delays, ["snapshot", "backfill", "report"].map(next));
    assert!(delays[0] != delays[1] && delays[1] != delays[2], "{delays:?}");
}

proptest! {
    #[test]
    fn next_is_after_now_and_skips_nothing(
        kind in 0..KINDS.len(),
        // 2011 to 2060, by the second.
        seconds in 1_293_840_000_i64..2_840_140_800,
        later in 1_i64..5_000_000,
    ) {
        let planner = &KINDS[kind];
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        let next = planner.next("nightly", now).unwrap().unwrap();
        prop_assert!(next.slot > now && next.due_at >= next.slot);
        // Whoever asks in between is told the same slot, and after it a later one.
        let between = now + TimeDelta::seconds(later % (next.slot - now).num_seconds());
        prop_assert_eq!(planner.next("nightly", between).unwrap(), Some(next.clone()));
        prop_assert!(planner.next("nightly", next.slot).unwrap().is_some_and(|following| following.slot > next.slot));
        prop_assert_eq!(planner.between("nightly", now, next.slot).unwrap(), [next]);
    }
}
