//! Every fault of the gateway: exit code, message, within the timeout, and no wrong row in the table.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Desk, Ended, NOON, Simulator, text};

/// Short bounds, so that a silent gateway is told from a slow one within seconds; no second attempt.
const HASTY: &str = "connect_timeout_seconds: 2, request_timeout_seconds: 2, history_timeout_seconds: 2, quote_timeout_seconds: 2, quote_settle_ms: 300";

/// No run may come near the timeout of the job.
const LONGEST: Duration = Duration::from_secs(45);

fn desk_at(simulator: &Simulator, more: &str) -> Desk {
    let desk = Desk::bare();
    let address = &simulator.address;
    desk.configure(&format!(
        "gateway: {{ address: \"{address}\", clock: gateway, {HASTY}{more} }}\nruns: {{ max_retries: 0 }}\n"
    ));
    desk
}

fn capture_with(fault: &str, more: &str) -> (Desk, Ended) {
    let simulator = Simulator::standing_at(NOON, &["--fault", fault]);
    let desk = desk_at(&simulator, more);
    let ran = desk.jobs(&["run", "snapshot"]);
    println!(
        "{fault:24} exit {:3}  {:5.1} s  {}",
        ran.code,
        ran.took.as_secs_f64(),
        ran.stderr.lines().next().unwrap_or("")
    );
    assert!(ran.took < LONGEST, "{fault}: {ran:#?}");
    (desk, ran)
}

/// Every stored row is one that a sound gateway could have sent.
fn assert_sound(desk: &Desk, fault: &str) {
    for row in desk.rows("futures_snapshots").iter().chain(&desk.rows("spot_snapshots")) {
        let number = |column: &str| row[column].as_f64();
        assert!(["bid", "ask", "last", "volume"].iter().all(|c| number(c).is_none_or(|v| v > 0.0)), "{fault}: {row}");
        if let (Some(bid), Some(ask)) = (number("bid"), number("ask")) {
            assert!(bid < ask, "{fault}: {row}");
        }
    }
}

/// Fault, exit code, a part of the message. Nothing may be written.
const FAILING: [(&str, i32, &str); 27] = [
    ("refuse", 69, "cannot connect to the gateway at"),
    ("silent", 69, "stayed silent for 2 s"),
    ("reject-version", 69, "update TWS or IB Gateway"),
    ("close-after-hello", 69, "cannot connect"),
    ("close:details", 69, "connection to the gateway was lost"),
    ("close:market_data", 69, "connection to the gateway was lost"),
    ("half-frame", 69, ""),
    ("oversized-frame", 69, ""),
    ("no-data", 69, "stayed silent"),
    ("wrong-request-id", 69, "got no answer"),
    ("slow:30", 69, ""),
    ("326", 69, "every client id from 40 to 47 is in use"),
    ("100", 69, ""),
    ("1100", 69, "code 1100"),
    ("1300", 69, ""),
    ("2103", 69, "code 2103"),
    ("2110", 69, "code 2110"),
    ("200", 69, "knows no such contract"),
    ("321", 69, "error 321"),
    ("354", 69, "no subscription to this market data"),
    ("420", 69, "no subscription"),
    ("10168", 69, "no subscription"),
    ("10197", 69, "logged in elsewhere"),
    ("10167", 69, "only delayed data"),
    ("missing:all", 69, ""),
    ("10089", 69, ""),
    ("slow-trickle", 69, "got no answer"),
];

#[test]
fn a_fault_that_leaves_no_quote_fails_and_writes_nothing() {
    for (fault, code, message) in FAILING {
        let (desk, ran) = capture_with(fault, "");
        assert_eq!(ran.code, code, "{fault}: {ran:#?}");
        assert!(ran.stderr.contains(message), "{fault}: {}", ran.stderr);
        assert!(desk.rows("futures_snapshots").is_empty() && desk.rows("spot_snapshots").is_empty(), "{fault}");
    }
}

#[test]
fn bad_prices_are_not_stored() {
    for (fault, code) in [("crossed", 65), ("stale:900", 65), ("negative-prices", 69), ("nan", 69)] {
        let (desk, ran) = capture_with(fault, "");
        assert_eq!(ran.code, code, "{fault}: {ran:#?}");
        assert!(desk.rows("futures_snapshots").is_empty() && desk.rows("spot_snapshots").is_empty(), "{fault}");
    }
}

/// Fault, and the column it leaves unknown, if any. The rest of the row is there.
const HARMLESS: [(&str, Option<&str>); 16] = [
    ("garbage-frame", None),
    ("slow:0.2", None),
    ("326:3", None),
    ("1102", None),
    ("165", None),
    ("missing:bid", Some("bid")),
    ("missing:last", Some("last")),
    ("missing:volume", Some("volume")),
    ("missing:open_interest", Some("open_interest")),
    ("missing:implied_vol", Some("implied_vol")),
    ("size-zero", Some("volume")),
    ("unset-sizes", Some("volume")),
    ("162:nodata", Some("change_1h")),
    ("162:pacing", Some("change_1h")),
    ("close:history", Some("change_1h")),
    ("2105", Some("change_daily")),
];

#[test]
fn a_fault_that_leaves_prices_leaves_rows_and_what_is_unknown_is_null() {
    for (fault, unknown) in HARMLESS {
        let (desk, ran) = capture_with(fault, "");
        assert_eq!(ran.code, 0, "{fault}: {ran:#?}");
        let rows = desk.rows("futures_snapshots");
        assert_eq!(rows.len(), 3, "{fault}");
        assert_sound(&desk, fault);
        for row in &rows {
            let missing = |column: &str| row[column].is_null();
            assert!(unknown.is_none_or(missing), "{fault}: {row}");
            let others = ["bid", "last", "volume", "open_interest", "change_1h"];
            let lost = others.iter().filter(|c| missing(c) && Some(**c) != unknown).count();
            let follows = unknown
                .is_some_and(|c| c == "last" || c.ends_with("sizes") || c == "volume" || c.starts_with("change"));
            assert!(lost == 0 || follows, "{fault}: {row}");
        }
    }
}

#[test]
fn delayed_data_is_taken_only_where_it_was_asked_for_and_is_marked() {
    let (desk, ran) = capture_with("10167", ", market_data: delayed");
    assert_eq!(ran.code, 0, "{ran:#?}");
    for row in desk.rows("futures_snapshots") {
        assert_eq!(text(&row, "source"), "delayed");
        assert!(row["open_interest"].is_null() && row["change_1h"].is_null(), "{row}");
    }
}

#[test]
fn one_bad_symbol_does_not_keep_the_others_out_and_a_later_run_brings_it() {
    let simulator = Simulator::standing_at(NOON, &["--fault", "crossed@symbol=NQ,first=1"]);
    let desk = desk_at(&simulator, "");
    let first = desk.jobs(&["run", "snapshot"]);
    assert_eq!(first.code, 1, "{first:#?}");
    assert!(
        first.stderr.contains("5 of 6 rows captured") && first.stderr.contains("quote.crossed NQ"),
        "{}",
        first.stderr
    );
    assert_eq!(desk.keys("futures_snapshots").len(), 2);
    desk.jobs(&["run", "snapshot"]).succeeded();
    assert_eq!(desk.keys("futures_snapshots").len(), 3);
    assert_sound(&desk, "crossed NQ");
}

#[test]
fn a_retry_succeeds_where_the_first_attempt_failed() {
    let simulator = Simulator::standing_at(NOON, &["--fault", "close:market_data@first=1"]);
    let desk = desk_at(&simulator, "");
    let address = &simulator.address;
    desk.configure(&format!(
        "gateway: {{ address: \"{address}\", clock: gateway }}\nruns: {{ max_retries: 2, retry_backoff_ms: 10 }}\n"
    ));
    let ran = desk.jobs(&["run", "snapshot", "--format", "json"]).succeeded();
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(told["attempts"].as_u64(), Some(2), "{told}");
    assert_eq!(desk.keys("futures_snapshots").len(), 3);
}

#[test]
fn clocks_that_disagree_are_told_before_anything_is_stored() {
    let simulator = Simulator::start(&["--fault", "clock-off:3600"]);
    let desk = Desk::bare();
    desk.configure(&format!("gateway: {{ address: \"{}\" }}\nruns: {{ max_retries: 0 }}\n", simulator.address));
    let ran = desk.jobs(&["run", "snapshot"]);
    assert_eq!(ran.code, 69, "{ran:#?}");
    assert!(ran.stderr.contains("3600 s off") || ran.stderr.contains("3599 s off"), "{}", ran.stderr);
    assert!(desk.lake_files().is_empty());
}

#[test]
fn history_that_is_refused_fails_a_backfill_and_missing_bars_leave_holes() {
    let backfill = |fault: &str| {
        let simulator = Simulator::standing_at(NOON, &["--fault", fault]);
        let desk = desk_at(&simulator, "");
        let ran = desk.jobs(&[
            "run",
            "backfill",
            "--from",
            "2026-11-17",
            "--to",
            "2026-11-17",
            "--symbols",
            "ES",
            "--format",
            "json",
        ]);
        println!("{fault:24} exit {:3}  {:5.1} s  {}", ran.code, ran.took.as_secs_f64(), ran.stderr.trim_end());
        (desk, ran)
    };
    for (fault, message) in [
        ("162:pacing", "too many historical requests"),
        ("162:permissions", "no permission"),
        ("close:history", "connection to the gateway was lost"),
        ("marker-first", "cannot be read"),
        ("2105", "got no answer"),
    ] {
        let (desk, ran) = backfill(fault);
        assert_eq!(ran.code, 69, "{fault}: {ran:#?}");
        assert!(ran.stderr.contains(message), "{fault}: {}", ran.stderr);
        assert!(desk.lake_files().is_empty(), "{fault}");
    }
    let (desk, ran) = backfill("bars-missing");
    let told: Value = serde_json::from_str(&ran.succeeded().stdout).expect("JSON");
    let holes = told["without_data"].as_u64().expect("a count");
    assert!(holes > 30, "{told}");
    assert_eq!(desk.keys("futures_snapshots").len() as u64, 276 - holes);
}

#[test]
fn a_quote_that_comes_too_late_is_not_stored_under_the_slot_and_the_bar_takes_its_place() {
    // A minute passes in half a second; from the fourth answer on each takes a second, so the quote is minutes late.
    let simulator = Simulator::start(&["--now", NOON, "--speed", "120", "--fault", "slow:1@after=3"]);
    let desk = Desk::bare();
    let address = &simulator.address;
    desk.configure(&format!(
        "gateway: {{ address: \"{address}\", clock: gateway }}\nruns: {{ max_retries: 1, retry_backoff_ms: 10 }}\n"
    ));
    let at = crate::support::NOON_SLOT;
    let ran = desk.jobs(&["run", "snapshot", "--at", at, "--symbols", "ES", "--format", "json"]).succeeded();
    assert!(ran.stderr.contains("s after the slot: it is another instant's"), "{}", ran.stderr);
    let rows = desk.rows("futures_snapshots");
    assert_eq!(rows.len(), 1);
    assert_eq!(["timestamp", "source"].map(|column| text(&rows[0], column)), [at, "backfill"]);
}

/// A later attempt is about the slot of the first one, though the clock has passed another by then.
#[test]
fn a_retry_keeps_its_slot() {
    let now = ["--now", "2026-11-18T17:04:30Z", "--speed", "60"];
    let simulator = Simulator::start(&[&now[..], &["--fault", "close:history@first=1"]].concat());
    let desk = Desk::bare();
    let address = &simulator.address;
    desk.configure(&format!(
        "gateway: {{ address: \"{address}\", clock: gateway }}\nruns: {{ max_retries: 1, retry_backoff_ms: 2000 }}\n"
    ));
    let ran = desk.jobs(&["run", "snapshot", "--symbols", "ES", "--format", "json"]).succeeded();
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((told["attempts"].as_u64(), text(&told, "slot_utc").as_str()), (Some(2), crate::support::NOON_SLOT));
    assert_eq!(text(&desk.rows("futures_snapshots")[0], "timestamp"), crate::support::NOON_SLOT);
}

/// With the bounds as shipped: all attempts of a silent gateway fit into the timeout, and the last one says why.
#[test]
fn with_default_bounds_a_silent_gateway_is_told_as_such_and_not_as_a_timeout() {
    let simulator = Simulator::standing_at(NOON, &["--fault", "wrong-request-id"]);
    let desk = Desk::at(&simulator);
    let ran = desk.jobs(&["run", "snapshot"]);
    assert_eq!(ran.code, 69, "{ran:#?}");
    assert!(ran.took < Duration::from_secs(90) && ran.stderr.contains("got no answer within"), "{ran:#?}");
}
