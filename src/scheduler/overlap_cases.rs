//! Every case of overlap and pause, each as a fact.

use super::fixtures::et;
use super::scene::{NOTHING, daily, grid};
use super::{Pause, SlotState, Trigger};

#[test]
fn overlap_skip_skips_and_says_which_run_goes_on() {
    let mut scene = grid("overlap: skip");
    scene.tick("2026-03-02 10:05");
    assert_eq!(scene.tick("2026-03-02 10:10"), ["skip 03-02 10:10 the run of 2026-03-02 10:05 ET is still going"]);
    scene.end(("nightly", "2026-03-02 10:05"), SlotState::Done, "2026-03-02 10:11");
    assert_eq!(scene.tick("2026-03-02 10:12"), NOTHING);
    assert_eq!(scene.tick("2026-03-02 10:15"), ["start 03-02 10:15 Schedule"]);
}

#[test]
fn overlap_queue_one_lets_one_wait_and_skips_the_others() {
    let mut scene = grid("overlap: queue_one");
    scene.tick("2026-03-02 10:05");
    assert_eq!(scene.tick("2026-03-02 10:10"), ["queue 03-02 10:10 Schedule"]);
    assert_eq!(scene.tick("2026-03-02 10:15"), ["skip 03-02 10:15 the slot of 2026-03-02 10:10 ET waits already"]);
    scene.end(("nightly", "2026-03-02 10:05"), SlotState::TimedOut, "2026-03-02 10:16");
    assert_eq!(scene.tick("2026-03-02 10:16"), ["start 03-02 10:10 Schedule"]);
    assert_eq!(scene.tick("2026-03-02 10:17"), NOTHING);
    assert_eq!(scene.tick("2026-03-02 10:20"), ["queue 03-02 10:20 Schedule"]);
}

#[test]
fn what_waits_past_its_start_deadline_is_missed() {
    let mut scene = grid("overlap: queue_one, misfire: { catch_up: none, start_deadline: 2m }");
    scene.tick("2026-03-02 10:05");
    assert_eq!(scene.tick("2026-03-02 10:10"), ["queue 03-02 10:10 Schedule"]);
    scene.end(("nightly", "2026-03-02 10:05"), SlotState::Done, "2026-03-02 10:13");
    assert_eq!(scene.tick("2026-03-02 10:13"), ["miss 03-02 10:10 its start deadline of 2m passed while it waited"]);
}

#[test]
fn overlap_replace_ends_the_run_before() {
    let mut scene = grid("overlap: replace");
    scene.tick("2026-03-02 10:05");
    assert_eq!(scene.tick("2026-03-02 10:10"), ["replace 03-02 10:10 Schedule"]);
    let entries = &scene.ledger.jobs["nightly"].entries;
    assert_eq!(entries[&et("2026-03-02 10:10")].state, SlotState::Running);
    assert!(entries.get(&et("2026-03-02 10:05")).is_none_or(|entry| entry.state == SlotState::Failed));
}

#[test]
fn a_manual_run_counts_for_overlap_and_its_slot_is_not_planned_again() {
    let mut scene = grid("overlap: skip");
    scene.enter(("nightly", "2026-03-02 10:05"), SlotState::Running, Trigger::Manual);
    assert_eq!(scene.decide("2026-03-02 10:05:01"), NOTHING);
    assert_eq!(scene.decide("2026-03-02 10:10"), ["skip 03-02 10:10 the run of 2026-03-02 10:05 ET is still going"]);
    // A run by hand of a later slot hides none of those before it.
    let mut scene = grid("live: true");
    scene.enter(("nightly", "2026-03-02 10:10"), SlotState::Done, Trigger::Manual);
    assert_eq!(scene.tick("2026-03-02 10:12"), ["miss 03-02 10:05 its start deadline of 1m passed"]);
}

#[test]
fn a_pause_skips_its_slots_and_nothing_starts_in_it() {
    let mut scene = grid("misfire: { catch_up: one }");
    let until = Some(et("2026-03-02 10:20"));
    scene.job().pause = Some(Pause { from: et("2026-03-02 10:07"), until, reason: "gateway moves".to_owned() });
    assert_eq!(
        scene.tick("2026-03-02 10:10"),
        [
            "miss 03-02 10:05 a newer slot has come, and only the newest is caught up",
            "skip 03-02 10:10 paused until 2026-03-02 10:20 ET: gateway moves"
        ]
    );
    assert_eq!(scene.tick("2026-03-02 10:15"), ["skip 03-02 10:15 paused until 2026-03-02 10:20 ET: gateway moves"]);
    assert_eq!(scene.tick("2026-03-02 10:20"), ["start 03-02 10:20 Schedule"]);
    // A slot from before the pause waits for its end.
    let mut scene = daily("misfire: { catch_up: all, max: 5 sessions }", "2026-03-02 08:00");
    scene.job().pause = Some(Pause { from: et("2026-03-02 09:30"), until: None, reason: "holiday".to_owned() });
    assert_eq!(scene.decide("2026-03-02 10:00"), NOTHING);
    assert_eq!(scene.decide("2026-03-03 09:00"), NOTHING);
    scene.job().pause = Some(Pause { until: Some(et("2026-03-03 12:00")), ..scene.job().pause.clone().unwrap() });
    assert_eq!(
        scene.decide("2026-03-03 12:00"),
        ["start 03-02 09:00 CatchUp", "skip 03-03 09:00 paused until 2026-03-03 12:00 ET: holiday"]
    );
}
