//! Every case of jobs that come after others, each as a fact.

use super::fixtures::{et, planner};
use super::scene::{NOTHING, Scene};
use super::{SlotState, Trigger};

/// Signals, rules and report, each after the one before.
fn chain(since: &str) -> Scene {
    let yaml = "
jobs:
  signals: { schedule: { at: nyse.open - 30m }, misfire: { catch_up: all, max: 5 sessions } }
  rules: { schedule: { after: signals }, misfire: { catch_up: all, max: 5 sessions } }
  report: { schedule: { after: rules } }
";
    Scene::of(planner(yaml), since)
}

#[test]
fn a_chained_job_starts_when_the_other_is_done_at_the_same_slot() {
    let slot = "2026-03-02 09:00";
    let mut scene = chain("2026-03-01 12:00");
    assert_eq!(scene.tick("2026-03-02 09:00"), ["start signals 03-02 09:00 Schedule"]);
    assert_eq!(scene.tick("2026-03-02 09:01"), NOTHING);
    scene.end(("signals", slot), SlotState::Done, "2026-03-02 09:02");
    assert_eq!(scene.tick("2026-03-02 09:02"), ["start rules 03-02 09:00 Schedule"]);
    assert_eq!(scene.tick("2026-03-02 09:03"), NOTHING);
    scene.end(("rules", slot), SlotState::Done, "2026-03-02 09:30");
    assert_eq!(scene.tick("2026-03-02 09:30"), ["start report 03-02 09:00 Schedule"]);
    scene.end(("report", slot), SlotState::Done, "2026-03-02 09:31");
    assert_eq!(scene.tick("2026-03-02 09:31"), NOTHING);
    scene.planner.settle(&mut scene.ledger, et("2026-03-02 09:31")).unwrap();
    assert!(scene.ledger.jobs.values().all(|job| job.entries.is_empty()), "{:?}", scene.ledger);
    assert_eq!(scene.tick("2026-03-02 09:32"), NOTHING);
}

#[test]
fn a_failure_skips_everything_after_it_with_the_reason() {
    for (state, reason) in [
        (SlotState::Failed, "signals failed at this slot"),
        (SlotState::TimedOut, "signals ran out of time at this slot"),
        (SlotState::Skipped, "signals was skipped at this slot"),
        (SlotState::Missed, "signals missed this slot"),
    ] {
        let mut scene = chain("2026-03-01 12:00");
        scene.tick("2026-03-02 09:00");
        scene.end(("signals", "2026-03-02 09:00"), state, "2026-03-02 09:01");
        assert_eq!(scene.tick("2026-03-02 09:01"), [format!("skip rules 03-02 09:00 {reason}")]);
        assert_eq!(scene.tick("2026-03-02 09:02"), ["skip report 03-02 09:00 rules was skipped at this slot"]);
        assert_eq!(scene.tick("2026-03-02 09:03"), NOTHING);
    }
}

#[test]
fn a_run_by_hand_starts_no_other_job() {
    let mut scene = chain("2026-03-02 08:00");
    scene.enter(("signals", "2026-03-02 08:40"), SlotState::Done, Trigger::Manual);
    assert_eq!(scene.tick("2026-03-02 08:41"), NOTHING);
}

#[test]
fn of_runs_caught_up_only_the_newest_is_reported() {
    let mut scene = chain("2026-03-02 12:00");
    let now = "2026-03-04 12:00";
    assert_eq!(scene.tick(now), ["start signals 03-03 09:00 CatchUp"]);
    scene.end(("signals", "2026-03-03 09:00"), SlotState::Done, now);
    assert_eq!(scene.tick(now), ["start signals 03-04 09:00 CatchUp", "start rules 03-03 09:00 CatchUp"]);
    scene.end(("rules", "2026-03-03 09:00"), SlotState::Done, now);
    scene.end(("signals", "2026-03-04 09:00"), SlotState::Done, now);
    assert_eq!(
        scene.tick(now),
        [
            "start rules 03-04 09:00 CatchUp",
            "miss report 03-03 09:00 a newer slot has come, and only the newest is caught up"
        ]
    );
    scene.end(("rules", "2026-03-04 09:00"), SlotState::Done, now);
    assert_eq!(scene.tick(now), ["start report 03-04 09:00 CatchUp"]);
}

#[test]
fn a_daemon_restarted_between_two_links_goes_on_with_the_next() {
    let slot = "2026-03-02 09:00";
    let mut scene = chain("2026-03-02 08:00");
    scene.enter(("signals", slot), SlotState::Done, Trigger::Schedule);
    scene.ledger.jobs.get_mut("signals").unwrap().accounted_until = et(slot);
    assert_eq!(scene.tick("2026-03-02 09:40"), ["start rules 03-02 09:00 CatchUp"]);
}
