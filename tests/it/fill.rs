//! Backfill: the missing slots, and nothing but those.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use crate::support::{Desk, NOON, NOON_SLOT, Simulator, half_day_tape, text};

fn instants(desk: &Desk, calendar: &str, from: &str, to: &str) -> BTreeSet<String> {
    let told = desk.jobs(&["calendar", "sessions", calendar, "--from", from, "--to", to, "--format", "jsonl"]);
    let mut slots = BTreeSet::new();
    for segment in told.succeeded().lines() {
        let [mut at, close] =
            ["open_utc", "close_utc"].map(|c| text(&segment, c).parse::<DateTime<Utc>>().expect("an instant"));
        while at < close {
            at += Duration::minutes(5);
            slots.insert(at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
    }
    slots
}

#[test]
fn a_range_is_filled_slot_for_slot_and_a_second_run_adds_nothing() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let fill = ["run", "backfill", "--from", "2026-11-16", "--to", "2026-11-17", "--format", "json"];
    let told: Value = serde_json::from_str(&desk.jobs(&fill).succeeded().stdout).expect("JSON");
    assert_eq!((told["added"].as_u64(), told["without_data"].as_u64()), (Some(3 * 2 * 276 + 3 * 2 * 78), Some(0)));
    let slots = |table: &str, symbol: &str| -> BTreeSet<String> {
        desk.keys(table).into_iter().filter(|(s, _)| s == symbol).map(|(_, at)| at).collect()
    };
    assert_eq!(slots("futures_snapshots", "ES"), instants(&desk, "cme_equity", "2026-11-16", "2026-11-17"));
    assert_eq!(slots("spot_snapshots", "SPY"), instants(&desk, "nyse", "2026-11-16", "2026-11-17"));
    let before = desk.lake_files();
    let again: Value = serde_json::from_str(&desk.jobs(&fill).succeeded().stdout).expect("JSON");
    assert_eq!(text(&again, "status"), "skipped");
    assert_eq!(desk.lake_files(), before);
}

/// Changes computed here from nothing but the closes, by walking backwards, against those in the table.
#[test]
fn changes_equal_an_independent_computation() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "backfill", "--from", "2026-11-13", "--to", "2026-11-17", "--symbols", "ES"]).succeeded();
    let rows = desk.rows("futures_snapshots");
    let at = |row: &Value| text(row, "timestamp").parse::<DateTime<Utc>>().expect("an instant");
    let last: BTreeMap<DateTime<Utc>, f64> =
        rows.iter().map(|row| (at(row), row["last"].as_f64().expect("a price"))).collect();
    let mut checked = 0;
    for row in rows.iter().filter(|row| text(row, "date").as_str() >= "2026-11-16") {
        for (column, hours) in [("change_1h", 1), ("change_4h", 4), ("change_overnight", 8), ("change_daily", 24)] {
            // Every slot of the open market has a row here, so the price standing is the newest at or before.
            let (_, standing) = last.range(..=at(row) - Duration::hours(hours)).next_back().expect("a price before");
            let expected = row["last"].as_f64().expect("a price") - standing;
            let found = row[column].as_f64().unwrap_or_else(|| panic!("{column} of {row}"));
            assert!((found - expected).abs() < 1e-9, "{column}: {found} against {expected} in {row}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2 * 276 * 4);
}

#[test]
fn a_live_row_is_never_replaced_by_a_backfilled_one() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot", "--symbols", "ES"]).succeeded();
    let later = Simulator::standing_at("2026-11-18T18:00:10Z", &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", later.address));
    desk.jobs(&["run", "backfill", "--from", "2026-11-18", "--symbols", "ES"]).succeeded();
    let rows = desk.rows("futures_snapshots");
    let live: Vec<String> =
        rows.iter().filter(|row| text(row, "source") == "live").map(|row| text(row, "timestamp")).collect();
    assert_eq!(live, [NOON_SLOT]);
    let newest = rows.last().map(|row| text(row, "timestamp"));
    assert_eq!(newest.as_deref(), Some("2026-11-18T17:55:00Z"), "the running minute belongs to the snapshot");
    assert_eq!(desk.keys("futures_snapshots").len(), rows.len());
}

#[test]
fn the_first_load_takes_sixty_sessions_and_each_slot_its_own_lead_contract() {
    // Ten sessions after the roll of Monday 2026-09-14, so that both sides of it are loaded.
    let simulator = Simulator::standing_at("2026-09-25T17:00:10Z", &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "backfill", "--symbols", "ES"]).succeeded();
    let rows = desk.rows("futures_snapshots");
    let days: BTreeSet<String> = rows.iter().map(|row| text(row, "date")).collect();
    assert_eq!(days.len(), 60);
    // Sunday 18:00 in New York, daylight saving time.
    for row in &rows {
        let expected = if text(row, "timestamp").as_str() <= "2026-09-13T22:00:00Z" { "ESU6" } else { "ESZ6" };
        assert_eq!(text(row, "contract"), expected, "{row}");
        assert!(row["change_daily"].is_number() && row["volume"].is_number(), "{row}");
    }
}

/// The 16:00 slot looks back at itself: the change since the regular close is 0, whatever stands in the table before it.
#[test]
fn the_live_slot_of_the_regular_close_has_not_changed_since_it() {
    let simulator = Simulator::standing_at("2026-11-18T21:00:05Z", &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "backfill", "--from", "2026-11-17", "--symbols", "ES"]).succeeded();
    let rows = desk.jobs(&["run", "snapshot", "--symbols", "ES", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(["timestamp", "source"].map(|c| text(&rows[0], c)), ["2026-11-18T21:00:00Z", "live"]);
    assert_eq!(rows[0]["change_since_close"].as_f64(), Some(0.0), "{}", rows[0]);
    let before = desk.rows("futures_snapshots").into_iter().rev().nth(1).expect("the slot before");
    assert_ne!(before["change_since_close"].as_f64(), Some(0.0), "15:55 looks back at yesterday's close: {before}");
}

/// Rows that are replaced must not judge their replacements: the result equals a lake that never knew the old ones.
#[test]
fn a_forced_session_equals_a_fresh_one() {
    let forced = |desk: &Desk, seed: &str, force: &[&str]| {
        let simulator = Simulator::standing_at(NOON, &["--seed", seed]);
        desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
        let fill = ["run", "backfill", "--from", "2026-11-17", "--to", "2026-11-17", "--symbols", "ES"];
        desk.jobs(&[&fill, force].concat()).succeeded();
        desk.rows("futures_snapshots")
    };
    let (repaired, fresh) = (Desk::bare(), Desk::bare());
    let old = forced(&repaired, "1", &[]);
    let new = forced(&repaired, "2", &["--force"]);
    assert_ne!(old[100]["last"], new[100]["last"]);
    assert_eq!(new, forced(&fresh, "2", &[]));
}

#[test]
fn a_first_load_that_was_killed_is_completed_by_the_next_run() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let mut command = desk.command(&["run", "backfill"]);
    let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("it runs");
    // Some symbols are loaded, others are not: whenever it is killed, the next run has the rest to do.
    while desk.rows("futures_snapshots").is_empty() {
        assert!(child.try_wait().expect("its state").is_none(), "it ended before it was killed");
    }
    child.kill().expect("killed");
    child.wait().expect("its end");
    let partly = desk.keys("futures_snapshots").len();
    desk.jobs(&["run", "backfill"]).succeeded();
    let sessions = |symbol: &str| -> BTreeSet<String> {
        let rows = desk.rows("futures_snapshots");
        rows.iter().filter(|row| text(row, "symbol") == symbol).map(|row| text(row, "date")).collect()
    };
    for symbol in ["ES", "NQ", "RTY"] {
        assert_eq!(sessions(symbol).len(), 60, "{symbol}, after {partly} rows");
    }
    assert_eq!(desk.keys("futures_snapshots").len(), desk.rows("futures_snapshots").len());
}

#[test]
fn a_dry_run_lists_the_gaps_and_fills_none() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let ran = desk.jobs(&["run", "backfill", "--from", "2026-11-17", "--to", "2026-11-17", "--dry-run"]).succeeded();
    assert!(ran.stdout.contains("dry run, 1062 rows would be written"), "{}", ran.stdout);
    assert!(ran.stdout.contains("ES: 276 slots from 2026-11-16T23:05:00Z to 2026-11-17T22:00:00Z"), "{}", ran.stdout);
    assert!(desk.lake_files().is_empty());
}

#[test]
fn a_bar_ten_times_the_others_goes_to_quarantine_and_no_change_is_made_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let tape = folder.path().join("es.csv");
    let usual = |number: i32| 6_000.0 + f64::from(number % 7) * 0.25;
    half_day_tape(&tape, |number| usual(number) * if number == 100 { 10.0 } else { 1.0 });
    let simulator = Simulator::standing_at("2026-11-27T18:30:00Z", &["--tape", tape.to_str().expect("a path")]);
    let desk = Desk::bare();
    desk.configure(&format!(
        "gateway: {{ address: \"{}\", clock: gateway }}\nmarket: {{ futures: [ES], spot: [] }}\n",
        simulator.address
    ));
    desk.jobs(&["run", "backfill", "--from", "2026-11-27", "--to", "2026-11-27"]).succeeded();
    let rows = desk.rows("futures_snapshots");
    assert_eq!(rows.len(), 230);
    for row in &rows {
        assert!(row["last"].as_f64().is_some_and(|last| last < 7_000.0), "{row}");
        assert!(row["change_1h"].as_f64().is_none_or(|change| change.abs() < 10.0), "{row}");
    }
    let apart = desk.rows("quarantine");
    assert_eq!(apart.len(), 1, "{apart:?}");
    assert_eq!((text(&apart[0], "checks"), text(&apart[0], "timestamp")), (
        "price.plausible".to_owned(),
        "2026-11-27T07:25:00Z".to_owned()
    ));
    let findings = desk.rows("quality_findings");
    assert!(findings.iter().any(|row| text(row, "check_name") == "price.plausible"), "{findings:?}");
    desk.jobs(&["run", "backfill", "--from", "2026-11-27", "--to", "2026-11-27"]);
    assert_eq!((desk.rows("futures_snapshots").len(), desk.rows("quarantine").len()), (230, 1), "twice equals once");
}
