//! Capturing a slot: once, again, by many at once.

use serde_json::Value;

use crate::support::{Desk, Ended, NOON, NOON_SLOT, Simulator, ended, text};

/// The columns of `futures_snapshots`; the first thirteen are a promise to every reader.
const FUTURES_COLUMNS: [&str; 20] = [
    "symbol",
    "timestamp",
    "bid",
    "ask",
    "last",
    "volume",
    "open_interest",
    "implied_vol",
    "change_1h",
    "change_4h",
    "change_overnight",
    "change_daily",
    "date",
    "change_since_close",
    "contract",
    "expiry",
    "con_id",
    "source",
    "gateway",
    "captured_at",
];

#[test]
fn without_configuration_a_slot_is_captured_from_the_simulated_gateway() {
    let desk = Desk::bare();
    let ran = desk.jobs(&["run", "snapshot"]).succeeded();
    assert!(ran.stdout.contains("gateway simulated"), "{}", ran.stdout);
    let rows = desk.rows("futures_snapshots");
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!((text(row, "gateway").as_str(), text(row, "source").as_str()), ("simulated", "live"));
        assert!(row["bid"].as_f64() < row["ask"].as_f64() && row["last"].is_number(), "{row}");
    }
}

#[test]
fn a_captured_row_is_whole_and_has_its_columns_in_order() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let rows = desk.jobs(&["run", "snapshot", "--format", "jsonl"]).succeeded().lines();
    let symbols: Vec<String> = rows.iter().map(|row| text(row, "symbol")).collect();
    assert_eq!(symbols, ["ES", "NQ", "RTY", "IWM", "QQQ", "SPY"]);
    let es = &rows[0];
    let columns: Vec<&str> = es.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(columns, FUTURES_COLUMNS);
    let nulls: Vec<&str> = columns.iter().copied().filter(|column| es[*column].is_null()).collect();
    assert!(nulls.is_empty(), "{nulls:?} of {es}");
    assert_eq!(
        ["timestamp", "date", "contract", "expiry", "source"].map(|column| text(es, column)),
        [NOON_SLOT, "2026-11-18", "ESZ6", "2026-12-18", "live"]
    );
    let captured_at: chrono::DateTime<chrono::Utc> = text(es, "captured_at").parse().expect("an instant");
    assert!(captured_at >= NOON.parse::<chrono::DateTime<chrono::Utc>>().expect("an instant"));
}

#[test]
fn a_trader_reads_a_table() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let ran = desk.jobs(&["run", "snapshot"]).succeeded();
    let shown = ran.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let folder = regex_of(desk.path());
    insta::with_settings!({filters => vec![(folder.as_str(), "[FOLDER]"), (r"\d+\.\d s", "[TOOK]")]}, {
        insta::assert_snapshot!(shown);
    });
}

fn regex_of(path: &std::path::Path) -> String {
    path.canonicalize().expect("a folder").to_string_lossy().replace('.', "\\.")
}

#[test]
fn a_second_run_writes_nothing() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let before = desk.lake_files();
    let again = desk.jobs(&["run", "snapshot"]).succeeded();
    assert!(again.stdout.contains("already captured") && again.stdout.contains("nothing written"), "{}", again.stdout);
    assert_eq!(desk.lake_files(), before);
}

#[test]
fn only_the_missing_symbols_are_added() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot", "--symbols", "NQ,SPY"]).succeeded();
    let ran = desk.jobs(&["run", "snapshot", "--format", "json"]).succeeded();
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (told["planned"].as_u64(), told["added"].as_u64(), told["present"].as_u64()),
        (Some(6), Some(4), Some(2))
    );
    assert_eq!(desk.keys("futures_snapshots").len() + desk.keys("spot_snapshots").len(), 6);
}

#[test]
fn a_dry_run_shows_rows_and_writes_nothing() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let rows = desk.jobs(&["run", "snapshot", "--dry-run", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(rows.len(), 6);
    assert!(desk.lake_files().is_empty());
}

#[test]
fn force_replaces_a_row_and_doubles_none() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let first = desk.rows("futures_snapshots");
    let later = Simulator::standing_at("2026-11-18T17:00:20Z", &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", later.address));
    let forced = desk.jobs(&["run", "snapshot", "--force"]).succeeded();
    assert!(forced.stdout.contains("6 replaced"), "{}", forced.stdout);
    let second = desk.rows("futures_snapshots");
    assert_eq!(desk.keys("futures_snapshots").len(), 3);
    assert_ne!(first[0]["captured_at"], second[0]["captured_at"]);
}

#[test]
fn a_slot_whose_minute_has_passed_is_filled_from_its_bar() {
    let simulator = Simulator::standing_at("2026-11-18T17:01:30Z", &[]);
    let desk = Desk::at(&simulator);
    let rows = desk.jobs(&["run", "snapshot", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(rows.len(), 6);
    for row in &rows {
        assert_eq!(["timestamp", "source"].map(|column| text(row, column)), [NOON_SLOT, "backfill"]);
        assert!(row["bid"].is_null() && row["ask"].is_null() && row["last"].is_number(), "{row}");
    }
    let live = Simulator::standing_at(NOON_SLOT, &[]);
    let other = Desk::at(&live);
    let quoted = other.jobs(&["run", "snapshot", "--format", "jsonl"]).succeeded().lines();
    for (filled, quoted) in rows.iter().zip(&quoted) {
        let same = ["symbol", "last", "volume"].map(|column| filled[column] == quoted[column]);
        assert_eq!(same, [true; 3], "{filled} {quoted}");
    }
}

#[test]
fn rows_can_be_seen_as_of_then() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let shown = |as_of: &str| {
        desk.jobs(&["show", "futures_snapshots", "--as-of", as_of, "--format", "jsonl"]).succeeded().lines().len()
    };
    assert_eq!((shown("2026-11-18T12:00:09"), shown("2026-11-18T12:00:30")), (0, 3), "New York time");
    assert_eq!(desk.jobs(&["show", "futures_snapshots", "--as-of", "99"]).code, 2, "a version that does not exist");
}

#[test]
fn eight_processes_at_one_slot_leave_one_set_of_rows() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let results = at_once(&desk, 8, |command, _| command);
    let done = results.iter().filter(|r| r.code == 0).count();
    let locked = results.iter().filter(|r| r.code == 75 && r.stderr.contains("is running already")).count();
    assert!(done >= 1 && done + locked == 8, "{results:#?}");
    assert_eq!((desk.keys("futures_snapshots").len(), desk.keys("spot_snapshots").len()), (3, 3));
}

/// As two hosts on one lake would: nothing but the table stands between them.
#[test]
fn eight_processes_without_a_common_lock_leave_one_set_of_rows() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    let results = at_once(&desk, 8, |mut command, number| {
        command.env("JOBS__PATHS__STATE", format!("state-{number}"));
        command.env("JOBS__GATEWAY__CLIENT_ID_FIRST", (100 + 10 * number).to_string());
        command
    });
    for result in &results {
        assert_eq!(result.code, 0, "{result:#?}");
    }
    assert_eq!((desk.keys("futures_snapshots").len(), desk.keys("spot_snapshots").len()), (3, 3));
}

fn at_once(
    desk: &Desk,
    number: usize,
    with: impl Fn(std::process::Command, usize) -> std::process::Command + Sync,
) -> Vec<Ended> {
    std::thread::scope(|scope| {
        let with = &with;
        let running: Vec<_> =
            (0..number).map(|n| scope.spawn(move || ended(&mut with(desk.command(&["run", "snapshot"]), n)))).collect();
        running.into_iter().map(|thread| thread.join().expect("it ended")).collect()
    })
}

#[test]
fn a_lake_of_simulated_rows_takes_no_real_ones() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let before = desk.lake_files();
    desk.configure(&format!("gateway: {{ kind: ib, address: \"{}\" }}\n", simulator.address));
    let refused = desk.jobs(&["run", "snapshot"]);
    assert_eq!(refused.code, 78, "{refused:#?}");
    assert_eq!(desk.lake_files(), before);
}

#[test]
fn a_simulated_gateway_is_not_taken_for_a_real_one() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::bare();
    desk.configure(&format!("gateway: {{ kind: ib, address: \"{}\" }}\n", simulator.address));
    let refused = desk.jobs(&["run", "snapshot"]);
    assert_eq!(refused.code, 78, "{refused:#?}");
    assert!(refused.stderr.contains("is simulated, but gateway.kind is ib"), "{}", refused.stderr);
    assert!(desk.lake_files().is_empty());
}
