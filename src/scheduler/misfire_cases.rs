//! Every case of misfire, each as a fact.

use super::SlotState;
use super::scene::{NOTHING, Scene, daily, grid};

#[test]
fn a_slot_starts_once_never_before_its_time() {
    let mut scene = grid("live: true");
    assert_eq!(scene.tick("2026-03-02 10:04:59"), NOTHING);
    assert_eq!(scene.tick("2026-03-02 10:05"), ["start 03-02 10:05 Schedule"]);
    assert_eq!(scene.tick("2026-03-02 10:05"), NOTHING);
    assert_eq!(scene.tick("2026-03-02 10:09:59"), NOTHING);
}

#[test]
fn a_lost_tick_changes_nothing_but_lateness() {
    for second in ["00", "07", "59"] {
        let now = format!("2026-03-02 10:05:{second}");
        assert_eq!(grid("live: true").tick(&now), ["start 03-02 10:05 Schedule"]);
    }
}

#[test]
fn misfire_none_misses_what_is_past_its_start_deadline() {
    let mut scene = grid("misfire: { catch_up: none, start_deadline: 60s }");
    assert_eq!(
        scene.tick("2026-03-02 10:15:30"),
        [
            "miss 03-02 10:05 its start deadline of 1m passed",
            "miss 03-02 10:10 its start deadline of 1m passed",
            "start 03-02 10:15 Schedule",
        ]
    );
}

#[test]
fn misfire_none_starts_up_to_its_deadline_and_not_after() {
    let scene = grid("misfire: { catch_up: none, start_deadline: 60s }");
    assert_eq!(scene.decide("2026-03-02 10:06:00"), ["start 03-02 10:05 Schedule"]);
    assert_eq!(scene.decide("2026-03-02 10:06:01"), ["miss 03-02 10:05 its start deadline of 1m passed"]);
}

#[test]
fn misfire_one_catches_up_the_newest() {
    let mut scene = daily("misfire: { catch_up: one }", "2026-02-27 12:00");
    assert_eq!(
        scene.tick("2026-03-04 12:00"),
        [
            "miss 03-02 09:00 a newer slot has come, and only the newest is caught up",
            "miss 03-03 09:00 a newer slot has come, and only the newest is caught up",
            "start 03-04 09:00 CatchUp",
        ]
    );
}

#[test]
fn misfire_one_has_a_deadline_if_it_is_given_one() {
    let scene = daily("misfire: { catch_up: one, start_deadline: 2h }", "2026-03-02 08:00");
    assert_eq!(scene.decide("2026-03-02 11:00:00"), ["start 03-02 09:00 CatchUp"]);
    assert_eq!(scene.decide("2026-03-02 11:00:01"), ["miss 03-02 09:00 its start deadline of 2h passed"]);
}

#[test]
fn misfire_all_catches_up_the_last_sessions_oldest_first_one_at_a_time() {
    // Monday 03-02 to Monday 03-09, over the night when clocks change.
    let mut scene = daily("misfire: { catch_up: all, max: 3 sessions }", "2026-03-01 12:00");
    assert_eq!(
        scene.tick("2026-03-09 09:00"),
        [
            "miss 03-02 09:00 it is older than the last 3 sessions",
            "miss 03-03 09:00 it is older than the last 3 sessions",
            "miss 03-04 09:00 it is older than the last 3 sessions",
            "start 03-05 09:00 CatchUp",
        ]
    );
    assert_eq!(scene.tick("2026-03-09 09:01"), NOTHING);
    scene.end(("nightly", "2026-03-05 09:00"), SlotState::Done, "2026-03-09 09:02");
    assert_eq!(scene.tick("2026-03-09 09:02"), ["start 03-06 09:00 CatchUp"]);
    scene.end(("nightly", "2026-03-06 09:00"), SlotState::Failed, "2026-03-09 09:03");
    assert_eq!(scene.tick("2026-03-09 09:03"), ["start 03-09 09:00 CatchUp"]);
    scene.end(("nightly", "2026-03-09 09:00"), SlotState::Done, "2026-03-09 09:04");
    assert_eq!(scene.tick("2026-03-09 09:05"), NOTHING);
}

#[test]
fn sessions_are_counted_not_days() {
    // Thanksgiving and a weekend lie between: the last three NYSE sessions are 11-25, 11-27 and 11-30.
    let scene = daily("misfire: { catch_up: all, max: 3 sessions }", "2026-11-23 12:00");
    assert_eq!(
        scene.decide("2026-11-30 12:00"),
        ["miss 11-24 09:00 it is older than the last 3 sessions", "start 11-25 09:00 CatchUp"]
    );
    // A quarterly slot is not kept for ever, though no slot came after it.
    let keys = "schedule: { at: nyse.close, last_session_of: quarter }, misfire: { catch_up: all, max: 2 sessions }";
    let scene = Scene::new(keys, "2026-03-31 12:00");
    assert_eq!(scene.decide("2026-04-01 12:00"), ["start 03-31 16:00 CatchUp"]);
    assert_eq!(scene.decide("2026-04-02 12:00"), ["miss 03-31 16:00 it is older than the last 2 sessions"]);
}
