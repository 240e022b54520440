//! How real gateways behave, one line a behaviour: what it does, the exit code, a part of the message, rows, a finding.

use serde_json::Value;

use crate::support::{Desk, Ended, NOON, Simulator, text};

/// A settle time that outlasts the simulator's pause between two ticks; no second attempt.
const SETTLING: &str = "connect_timeout_seconds: 4, request_timeout_seconds: 4, history_timeout_seconds: 4, \
                        quote_timeout_seconds: 6, quote_settle_ms: 3000";

fn desk_at(simulator: &Simulator, retries: u32) -> Desk {
    let desk = Desk::bare();
    desk.configure(&format!(
        "gateway: {{ address: \"{}\", clock: gateway, {SETTLING} }}\nruns: {{ max_retries: {retries}, retry_backoff_ms: 10 }}\n",
        simulator.address
    ));
    desk
}

fn run_with(faults: &[&str], now: &str, arguments: &[&str]) -> (Desk, Ended) {
    let faults: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    let simulator = Simulator::standing_at(now, &faults);
    let desk = desk_at(&simulator, 0);
    let ran = desk.jobs(arguments);
    (desk, ran)
}

/// A behaviour of a capture at noon, with three futures and three ETFs.
struct Case {
    fault: &'static str,
    code: i32,
    /// A part of what is printed on stderr.
    words: &'static str,
    /// Rows of futures.
    rows: usize,
    /// A finding in the table of findings, or none.
    finding: &'static str,
}

const fn case(fault: &'static str, code: i32, words: &'static str, rows: usize, finding: &'static str) -> Case {
    Case { fault, code, words, rows, finding }
}

const CAPTURES: [Case; 16] = [
    case("10141", 69, "accept the paper trading disclaimer", 0, ""),
    case("reject-version", 69, "update TWS or IB Gateway", 0, ""),
    case("account-late", 69, "named no account", 0, ""),
    case("cut-off", 69, "reports no connection to IBKR (code 1100)", 0, ""),
    case("contract:symbol", 69, "symbol OTHER", 0, ""),
    case("contract:exchange", 69, "exchange OTHER", 0, ""),
    case("contract:multiplier", 69, "with multiplier 50 (multiplier 10)", 0, ""),
    case("contract:no-con-id", 69, "con_id 0", 0, ""),
    case("contract:multipliers", 0, "multiplier 10", 3, ""),
    case("2103", 69, "the market data farm usfuture as broken (code 2103)", 0, ""),
    case("early:no-quote", 0, "", 3, ""),
    case("early:apart", 0, "", 3, ""),
    case("early:stale", 0, "", 3, ""),
    case("stamp-zero", 0, "", 3, ""),
    case("old-last", 0, "no last trade", 3, "quote.no_last"),
    case("halted", 0, "trading is halted", 3, "quote.halted"),
];

#[test]
fn a_capture_does_the_right_thing_at_each_behaviour_of_a_gateway() {
    for Case { fault, code, words, rows, finding } in CAPTURES {
        let (desk, ran) = run_with(&[fault], NOON, &["run", "snapshot"]);
        println!(
            "{fault:22} exit {:3}  {:5.1} s  {}",
            ran.code,
            ran.took.as_secs_f64(),
            ran.stderr.lines().next().unwrap_or("")
        );
        assert_eq!(ran.code, code, "{fault}: {ran:#?}");
        assert!(ran.stderr.contains(words), "{fault}: {}", ran.stderr);
        let stored = desk.rows("futures_snapshots");
        assert_eq!(stored.len(), rows, "{fault}: {ran:#?}");
        if fault.starts_with("early") || fault == "stamp-zero" {
            for row in &stored {
                assert!(row["bid"].as_f64() < row["ask"].as_f64() && row["last"].is_number(), "{fault}: {row}");
            }
        }
        if !finding.is_empty() {
            let found: Vec<String> = desk.rows("quality_findings").iter().map(|row| text(row, "check_name")).collect();
            assert!(found.iter().any(|check| check == finding), "{fault}: {found:?}");
        }
    }
}

#[test]
fn one_identifier_for_three_symbols_is_stored_for_one_at_most() {
    let (desk, ran) = run_with(&["contract:shared-con-id"], NOON, &["run", "snapshot"]);
    assert_eq!(ran.code, 69, "{ran:#?}");
    assert!(ran.stderr.contains("stands for"), "{}", ran.stderr);
    let mut ids: Vec<i64> = desk.rows("futures_snapshots").iter().filter_map(|row| row["con_id"].as_i64()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() == desk.rows("futures_snapshots").len() && ids.len() <= 1, "{ids:?}");
}

#[test]
fn an_answer_that_cannot_be_read_is_named_and_not_asked_for_again() {
    let simulator = Simulator::standing_at(NOON, &["--fault", "unreadable"]);
    let desk = desk_at(&simulator, 2);
    let ran = desk.jobs(&["run", "snapshot", "--symbols", "ES", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, told["attempts"].as_u64()), (69, Some(1)), "{ran:#?}");
    assert!(ran.stderr.contains("cannot be read") && !ran.stderr.contains("was lost"), "{}", ran.stderr);
}

const TUESDAY: [&str; 8] = ["run", "backfill", "--from", "2026-11-17", "--to", "2026-11-17", "--symbols", "ES,NQ"];

/// A behaviour of a backfill of one session of two futures: the rows that are there, and how many of ES.
#[test]
fn a_refusal_ends_its_request_and_not_the_backfill() {
    for (fault, code, words, es) in [
        ("162:elsewhere@symbol=ES", 69, "logged in elsewhere", 0),
        ("162:permissions@symbol=ES", 69, "no permission", 0),
        ("200@symbol=ES", 69, "knows no such contract", 0),
        ("366@symbol=ES", 69, "lost the request on the way", 0),
        ("321@symbol=ES", 69, "calls the request invalid", 0),
        ("166@symbol=ES", 0, "", 0),
        ("162:nodata@symbol=ES", 0, "", 0),
    ] {
        let (desk, ran) = run_with(&[fault], NOON, &TUESDAY);
        println!("{fault:26} exit {:3}  {}", ran.code, ran.stderr.lines().next().unwrap_or(""));
        assert_eq!(ran.code, code, "{fault}: {ran:#?}");
        assert!(ran.stderr.contains(words), "{fault}: {}", ran.stderr);
        let of =
            |symbol: &str| desk.rows("futures_snapshots").iter().filter(|row| text(row, "symbol") == symbol).count();
        // Whoever is logged in elsewhere has all of the data: nothing more is asked.
        let nq = if fault.starts_with("162:elsewhere") { 0 } else { 276 };
        assert_eq!((of("ES"), of("NQ")), (es, nq), "{fault}");
        if code != 0 && nq > 0 {
            assert!(
                ran.stderr.contains("276 of 552 rows filled") && ran.stderr.contains("missing: ES"),
                "{}",
                ran.stderr
            );
        }
    }
}

/// Sunday 2026-09-13 is the roll: of the two sessions around it the old contract's first request is refused.
#[test]
fn a_refused_contract_before_a_roll_leaves_the_next_ones_slots_to_be_filled() {
    let around = ["run", "backfill", "--from", "2026-09-11", "--to", "2026-09-14", "--symbols", "ES"];
    let (desk, ran) = run_with(&["162:permissions@first=1"], "2026-09-15T17:00:10Z", &around);
    assert_eq!(ran.code, 69, "{ran:#?}");
    assert!(ran.stderr.contains("276 of 552 rows filled; missing: ESU6 276 slots"), "{}", ran.stderr);
    assert!(desk.rows("futures_snapshots").iter().all(|row| text(row, "contract") == "ESZ6"));
    assert_eq!(desk.keys("futures_snapshots").len(), 276);
}

/// The newest bar ends where the subscription does, a quarter of an hour ago: it is not stored as a slot.
#[test]
fn a_bar_that_may_be_cut_is_left_out_and_reported() {
    let today = ["run", "backfill", "--from", "2026-11-18", "--symbols", "ES", "--format", "json"];
    let (desk, ran) = run_with(&["2188"], "2026-11-18T17:05:00Z", &today);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(ran.stderr.contains("without its newest minutes"), "{}", ran.stderr);
    let rows = desk.rows("futures_snapshots");
    assert_eq!(rows.last().map(|row| text(row, "timestamp")).as_deref(), Some("2026-11-18T16:50:00Z"));
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(told["without_data"].as_u64() > Some(0), "{told}");
}

#[test]
fn history_has_a_bound_of_its_own() {
    let simulator = Simulator::standing_at(NOON, &["--fault", "slow-history:3"]);
    let desk = Desk::bare();
    let with = |history: u64| {
        desk.configure(&format!(
            "gateway: {{ address: \"{}\", clock: gateway, request_timeout_seconds: 1, history_timeout_seconds: {history} }}\n\
             runs: {{ max_retries: 0 }}\n",
            simulator.address
        ));
        desk.jobs(&["run", "backfill", "--from", "2026-11-17", "--to", "2026-11-17", "--symbols", "ES"])
    };
    let short = with(1);
    assert!(short.code == 69 && short.stderr.contains("got no answer within 1 s"), "{short:#?}");
    with(20).succeeded();
    assert_eq!(desk.keys("futures_snapshots").len(), 276);
}

/// The volume of the first slot is a fact though nothing was traded, and is not known where it is 0 later.
#[test]
fn a_volume_of_0_is_one_at_a_sessions_first_slot_only() {
    for (now, expected) in [("2026-11-18T14:35:05Z", Some(0)), ("2026-11-18T14:40:05Z", None)] {
        let (desk, ran) = run_with(&["size-zero"], now, &["run", "snapshot", "--symbols", "SPY"]);
        ran.succeeded();
        assert_eq!(desk.rows("spot_snapshots")[0]["volume"].as_i64(), expected, "{now}");
    }
}

#[test]
fn the_account_of_a_run_is_that_of_all_its_attempts() {
    let simulator = Simulator::standing_at(NOON, &["--fault", "crossed@symbol=NQ"]);
    let desk = desk_at(&simulator, 1);
    let ran = desk.jobs(&["run", "snapshot", "--format", "json"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(
        ran.stderr.contains("5 of 6 rows captured") && !ran.stderr.contains("nothing was written"),
        "{}",
        ran.stderr
    );
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((told["attempts"].as_u64(), told["added"].as_u64()), (Some(2), Some(5)), "{told}");
    let history = desk.jobs(&["history", "snapshot", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(history[0]["added"].as_u64(), Some(5), "{history:?}");

    let simulator = Simulator::standing_at(NOON, &["--fault", "crossed@symbol=NQ,first=1"]);
    let desk = desk_at(&simulator, 1);
    let told: Value =
        serde_json::from_str(&desk.jobs(&["run", "snapshot", "--format", "json"]).succeeded().stdout).expect("JSON");
    let counts = ["attempts", "planned", "added", "present"].map(|key| told[key].as_u64());
    assert_eq!(counts, [Some(2), Some(6), Some(6), Some(0)], "{told}");
}
