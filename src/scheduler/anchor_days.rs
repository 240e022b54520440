//! Where anchors fall on odd days, and what is said of it.

use chrono::Datelike;

use super::fixtures::{et, one_job};
use super::odd_nights::slots;
use crate::calendar::to_new_york;

#[test]
fn anchors_move_with_odd_days() {
    let at = |rule: &str, after: &str| {
        let next = one_job(&format!("schedule: {rule}")).next("nightly", et(after)).unwrap().unwrap();
        next.reason
    };
    for (rule, after, reason) in [
        ("{ at: nyse.close + 20m }", "2026-11-27 00:00", "2026-11-27 13:20 ET (nyse.close 13:00 early close + 20m)"),
        (
            "{ at: cme_equity.close + 10m }",
            "2026-11-27 00:00",
            "2026-11-27 13:25 ET (cme_equity.close 13:15 early close + 10m)",
        ),
        ("{ at: cme_equity.close }", "2026-04-03 00:00", "2026-04-03 09:15 ET (cme_equity.close 09:15 early close)"),
        ("{ at: cme_equity.close }", "2025-01-09 00:00", "2025-01-09 09:30 ET (cme_equity.close 09:30 early close)"),
        ("{ at: cme_equity.reopen }", "2025-01-09 00:00", "2025-01-09 18:00 ET (cme_equity.reopen 18:00)"),
        ("{ at: cme_equity.reopen }", "2026-12-25 00:00", "2026-12-27 18:00 ET (cme_equity.reopen 18:00)"),
        ("{ at: cme_equity.reopen }", "2020-03-02 12:00", "2020-03-02 16:30 ET (cme_equity.reopen 16:30)"),
        ("{ at: cme_equity.open - 30m }", "2026-03-07 00:00", "2026-03-08 17:30 ET (cme_equity.open 18:00 - 30m)"),
        ("{ at: nyse.close + 12h }", "2026-03-06 12:00", "2026-03-07 04:00 ET (nyse.close 2026-03-06 16:00 + 12h)"),
        ("{ at: ES.expiry }", "2026-06-01 00:00", "2026-06-18 09:30 ET (ES.expiry 09:30 of ESM6)"),
        ("{ at: NQ.roll - 1h }", "2026-12-01 00:00", "2026-12-13 17:00 ET (NQ.roll 18:00 NQZ6 to NQH7 - 1h)"),
        (
            "{ at: cme_equity.close, last_session_of: week, calendar: nyse }",
            "2026-03-30 00:00",
            "2026-04-02 17:00 ET (cme_equity.close 17:00, last nyse session of the week)",
        ),
        (
            "{ at: nyse.close, last_session_of: quarter }",
            "2026-04-01 00:00",
            "2026-06-30 16:00 ET (nyse.close 16:00, last nyse session of the quarter)",
        ),
        (
            "{ cron: '30 2 * * *', zone: America/New_York }",
            "2026-03-07 12:00",
            "2026-03-08 03:00 ET (cron \"30 2 * * *\" America/New_York, 02:30 does not exist)",
        ),
        (
            "{ every: 1h, during: nyse, first_session_of: month }",
            "2026-04-01 12:01",
            "hourly slot of nyse (first nyse session of the month)",
        ),
        ("{ at: nyse.open }", "2030-07-03 12:00", "2030-07-05 09:30 ET (nyse.open 09:30 provisional)"),
    ] {
        assert_eq!(at(rule, after), reason, "{rule}");
    }
}

#[test]
fn two_calendars_in_one_rule_keep_the_days_on_which_both_trade() {
    // Twenty minutes after the NYSE close the futures trade, but on half days they have closed by 13:20.
    let planner = one_job("schedule: { at: nyse.close + 20m, only_if_open: cme_equity }");
    let found = slots(&planner, "nightly", ("2026-11-24 00:00", "2026-12-01 00:00"));
    let days: Vec<u32> = found.iter().map(|slot| to_new_york(*slot).day()).collect();
    assert_eq!(days, [24, 25, 30]);
    // An hour and a minute after it the futures pause, and have closed on the half day.
    let planner = one_job("schedule: { at: nyse.close + 61m, only_if_open: cme_equity }");
    assert!(slots(&planner, "nightly", ("2026-11-24 00:00", "2026-12-01 00:00")).is_empty());
}

#[test]
fn a_close_belongs_to_its_session_and_an_open_does_not_whatever_gives_the_instant() {
    let window = ("2026-11-24 00:00", "2026-11-25 00:00");
    for rule in [
        "{ every: 1h, during: cme_equity, only_if_open: nyse }",
        "{ at: nyse.close, only_if_open: nyse }",
        "{ cron: '0 16 * * *', zone: America/New_York, only_if_open: nyse }",
    ] {
        let found = slots(&one_job(&format!("schedule: {rule}")), "nightly", window);
        assert_eq!(found.last(), Some(&et("2026-11-24 16:00")), "{rule}");
    }
    for rule in [
        "{ every: 30m, during: cme_equity, only_if_open: nyse }",
        "{ at: nyse.open, only_if_open: nyse }",
        "{ cron: '30 9 * * *', zone: America/New_York, only_if_open: nyse }",
    ] {
        let found = slots(&one_job(&format!("schedule: {rule}")), "nightly", window);
        assert!(!found.contains(&et("2026-11-24 09:30")), "{rule}: {found:?}");
    }
}

#[test]
fn a_rule_that_never_comes_round_is_refused_and_one_that_seldom_does_is_not() {
    let checked = |rule: &str| one_job(&format!("schedule: {rule}")).check(et("2026-12-01 09:00"));
    for rule in [
        "{ at: nyse.close + 61m, only_if_open: cme_equity }",
        "{ at: nyse.open, only_if_open: nyse }",
        "{ every: 5m, during: nyse, only_if_open: cme_equity, first_session_of: week }, { at: cme_equity.close + 30m, only_if_open: nyse }",
        "{ cron: '*/5 3 * * *', zone: America/New_York, only_if_open: nyse }",
        "{ cron: '*/5 12 * * SAT', zone: America/New_York, last_session_of: week, calendar: nyse }",
        "{ cron: '0 12 25 12 *', zone: America/New_York, only_if_open: nyse }",
    ] {
        let rule = if rule.contains("}, {") { format!("[{rule}]") } else { rule.to_owned() };
        let refused = checked(&rule).unwrap_err().to_string();
        assert!(refused.starts_with("test.yaml:1: jobs.nightly.schedule: "), "{refused}");
        assert!(refused.contains("never comes round") && refused.lines().count() == 1, "{refused}");
    }
    for rule in [
        "{ cron: '0 12 29 2 *', zone: America/New_York, only_if_open: cme_equity }",
        "{ at: ES.roll - 1h }",
        "{ at: cme_equity.reopen, last_session_of: week }",
        "{ on: start }",
    ] {
        checked(rule).unwrap();
    }
    assert!(
        checked("{ at: nyse.open }").is_ok()
            && one_job("schedule: { at: nyse.open }").check(et("2095-01-03 09:00")).is_ok()
    );
}

#[test]
fn a_rule_that_never_comes_round_is_no_error_of_the_others() {
    let never = one_job("schedule: { at: nyse.close + 61m, only_if_open: cme_equity }");
    assert_eq!(never.next("nightly", et("2026-11-24 00:00")), Ok(None));
    assert_eq!(never.upcoming(et("2026-11-24 00:00"), 3), Ok(Vec::new()));
}
