//! Daily bars, signals, decisions and what they were worth: made by the jobs from a simulated gateway, once each.

use std::collections::BTreeSet;

use crate::support::{Desk, Simulator, text};

/// A desk at 09:00 in New York, with the sessions that an outlook needs.
fn morning() -> (Simulator, Desk) {
    let simulator = Simulator::standing_at("2026-11-18T14:00:10Z", &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "backfill"]).succeeded();
    desk.jobs(&["run", "snapshot"]).succeeded();
    (simulator, desk)
}

const AS_OF: &str = "2026-11-18T14:00:00Z";

#[test]
fn a_morning_has_one_signal_and_one_decision_for_each_etf_however_often_it_is_run() {
    let (_simulator, desk) = morning();
    let days = desk.rows("spot_daily");
    assert_eq!(days.len(), 3 * 60, "a first load");
    let newest: BTreeSet<String> = days.iter().map(|row| text(row, "date")).collect();
    assert_eq!(newest.last().map(String::as_str), Some("2026-11-17"), "today's session is not over");
    let dry = desk.jobs(&["run", "signals", "--dry-run"]).succeeded();
    assert!(dry.stdout.contains("dry run, nothing written") && desk.rows("futures_signals").is_empty(), "{dry:#?}");
    for _ in 0..2 {
        desk.jobs(&["run", "signals"]).succeeded();
        desk.jobs(&["run", "rules"]).succeeded();
    }
    let signals = desk.rows("futures_signals");
    assert_eq!(signals.iter().map(|row| text(row, "as_of")).collect::<Vec<_>>(), [AS_OF; 3]);
    let asked = &desk.jobs(&["signal", "SPY", "--at", AS_OF, "--format", "jsonl"]).succeeded().lines()[0];
    let kept = signals.iter().find(|row| row["symbol"] == "SPY").expect("a signal");
    for field in
        ["signal", "sentiment", "confidence", "momentum", "futures_price", "reasoning", "contract", "deviations"]
    {
        assert_eq!(kept[field], asked[field], "{field}: the row is what the command tells");
    }
    let decisions = desk.rows("decisions");
    let decided: Vec<_> = decisions.iter().filter(|row| row["verdict"] == "decided").collect();
    assert_eq!(decided.len(), 3, "one decision an ETF: {decisions:?}");
    assert!(decided.iter().all(|row| row["timing"] == "in_time" && !row["action"].is_null()), "{decided:?}");
    let rules: BTreeSet<String> = decisions.iter().map(|row| text(row, "rule")).collect();
    for rule in ["futures_bullish_entry", "futures_bearish_entry", "futures_contrarian_entry", "futures_momentum_entry"]
    {
        assert!(rules.contains(rule), "{rule} in {rules:?}");
    }
}

#[test]
fn past_mornings_are_made_from_the_rows_known_then_and_marked() {
    let (_simulator, desk) = morning();
    desk.jobs(&["run", "signals", "--from", "2026-11-16"]).succeeded();
    let signals = desk.rows("futures_signals");
    let mornings: BTreeSet<String> = signals.iter().map(|row| text(row, "as_of")).collect();
    let expected = ["2026-11-16T14:00:00Z", "2026-11-17T14:00:00Z", AS_OF].map(str::to_owned);
    assert_eq!(mornings, BTreeSet::from(expected));
    for row in &signals {
        assert!(text(row, "timestamp") <= text(row, "as_of"), "no later row is used: {row}");
    }
    desk.jobs(&["run", "rules", "--from", "2026-11-16"]).succeeded();
    let timing = |day: &str| -> BTreeSet<String> {
        let of_day = desk.rows("decisions").into_iter().filter(|row| text(row, "as_of").starts_with(day));
        of_day.map(|row| text(&row, "timing")).collect()
    };
    assert_eq!(
        (timing("2026-11-17"), timing("2026-11-18")),
        (["late".to_owned()].into(), ["in_time".to_owned()].into())
    );
    let told = desk.jobs(&["run", "evaluation"]).succeeded().stdout;
    let entered: Vec<_> = desk.rows("decisions").into_iter().filter(|row| row["action"] == "enter").collect();
    let over: Vec<_> = entered.iter().filter(|row| text(row, "as_of").as_str() < AS_OF).collect();
    let outcomes = desk.rows("outcomes");
    // Five sessions are over for none of them; one session is.
    assert!(!over.is_empty(), "{entered:?}");
    assert_eq!(outcomes.len(), over.len(), "{told}");
    for row in &outcomes {
        let of = |column: &str| row[column].as_f64().expect("a number");
        let side = if row["direction"] == "bullish" { 1.0 } else { -1.0 };
        let gross = side * of("position_multiplier") * 1e4 * (of("exit_price") / of("entry_price")).ln();
        assert!((of("gross_bp") - gross).abs() < 1e-9 && of("net_bp") < gross, "{row}");
        assert_eq!((row["horizon"].as_str(), &row["entry_day"]), (Some("1d"), &row["exit_day"]), "{row}");
    }
    let again = desk.jobs(&["run", "evaluation"]).succeeded().stdout;
    assert!(again.contains("0 of ") && desk.rows("outcomes").len() == outcomes.len(), "{again}");
    let told = desk.jobs(&["evaluate", "--from", "2026-11-16", "--to", "2026-11-17"]).succeeded().stdout;
    assert!(told.contains("insufficient") && told.contains("too few signals: only counts are shown"), "{told}");
    let range = ["evaluate", "--from", "2026-11-16", "--to", "2026-11-17", "--format", "jsonl"];
    let found = desk.jobs(&range).succeeded().lines();
    let spy = found.iter().find(|one| one["symbol"] == "SPY").expect("assessed");
    assert_eq!([&spy["num_sessions"], &spy["num_days"]], [2, 2], "{spy}");
    assert!(spy["skill"].is_null() && spy["live"]["verdict"] == "insufficient", "{spy}");
    // Both signals are of past mornings: none of them is counted as live.
    let counted = |made: &str| spy[made]["confirmation"]["n"].as_u64().expect("a count");
    let of_outlooks = decisions_with_a_side(&desk, "SPY");
    assert_eq!((counted("live"), counted("afterwards")), (0, of_outlooks), "{spy}");
    let positions = spy["rules"].as_array().expect("a list").iter();
    assert!(positions.clone().all(|record| record["made"] == "afterwards" && record["deflated"].is_null()), "{spy}");
    let counted: u64 = positions.map(|record| record["num_outcomes"].as_u64().expect("a count")).sum();
    assert_eq!(counted, outcomes.iter().filter(|row| row["symbol"] == "SPY" && row["horizon"] == "1d").count() as u64);
    let five = desk.jobs(&["evaluate", "--horizon", "5d", "--format", "jsonl"]).succeeded().lines();
    assert!(five.iter().all(|one| one["horizon"] == "5d" && one["skill"].is_null() && one["timing"].is_null()));
    for (horizon, told) in [("0d", "is no horizon"), ("21d", "give 1d to 20d")] {
        let refused = desk.jobs(&["evaluate", "--horizon", horizon]);
        assert!(refused.code == 2 && refused.stderr.contains(told), "{refused:#?}");
    }
}

/// Mornings before 2026-11-18 on which the ETF's own outlook had a side.
fn decisions_with_a_side(desk: &Desk, etf: &str) -> u64 {
    let decided = desk.rows("decisions").into_iter().filter(|row| {
        let metadata: serde_json::Value = serde_json::from_str(&text(row, "metadata")).expect("JSON");
        let is_past = text(row, "as_of").as_str() < "2026-11-18";
        is_past && row["symbol"] == etf && row["verdict"] == "decided" && metadata["outlook"] != "neutral"
    });
    decided.count() as u64
}

#[test]
fn a_kept_signal_comes_out_again_in_every_bit_from_the_rows_known_then() {
    let simulator = Simulator::standing_at("2026-11-18T14:00:10Z", &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "backfill", "--from", "2026-11-16", "--to", "2026-11-17"]).succeeded();
    for at in ["2026-11-18T13:30Z", AS_OF] {
        desk.jobs(&["run", "snapshot", "--at", at]).succeeded();
    }
    desk.jobs(&["run", "signals"]).succeeded();
    let kept = desk.rows("futures_signals");
    assert_eq!(kept.len(), 3, "{kept:?}");
    // The holes of that morning are filled after the signal was made.
    drop(simulator);
    let later = Simulator::standing_at("2026-11-18T17:00:10Z", &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", later.address));
    desk.jobs(&["run", "backfill", "--from", "2026-11-18", "--to", "2026-11-18"]).succeeded();
    for row in &kept {
        let (etf, made_at) = (text(row, "symbol"), text(row, "generated_at"));
        let again = ["signal", &etf, "--at", AS_OF, "--as-of", &made_at, "--format", "jsonl"];
        let again = desk.jobs(&again).succeeded().lines().remove(0);
        let fields = [
            "signal",
            "sentiment",
            "confidence",
            "futures_price",
            "spot_price",
            "basis",
            "change_1h",
            "change_4h",
            "change_daily",
            "momentum",
            "predictive_value",
            "reasoning",
            "timestamp",
            "contract",
            "deviations",
            "futures_close",
            "spot_close",
            "dividend",
        ];
        for field in fields {
            assert_eq!(row[field], again[field], "{etf} {field}");
        }
        let now = desk.jobs(&["signal", &etf, "--at", AS_OF, "--format", "jsonl"]).succeeded().lines().remove(0);
        assert_ne!(row["confidence"], now["confidence"], "{etf}: what came later would change it");
    }
}

/// SPY's signals by their morning: the last close that they were made with, and when they were made.
fn closes_of_spy(desk: &Desk) -> Vec<(String, Option<f64>, String)> {
    let rows = desk.rows("futures_signals").into_iter().filter(|row| row["symbol"] == "SPY");
    rows.map(|row| (text(&row, "as_of"), row["spot_close"].as_f64(), text(&row, "generated_at"))).collect()
}

#[test]
fn a_rerun_over_a_range_completes_what_was_made_retroactively_from_less_and_nothing_else() {
    let simulator = Simulator::standing_at("2026-11-18T14:00:10Z", &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "backfill", "--from", "2026-11-16", "--to", "2026-11-18", "--symbols", "ES"]).succeeded();
    desk.jobs(&["run", "snapshot", "--symbols", "ES"]).succeeded();
    let range = ["run", "signals", "--from", "2026-11-17", "--symbols", "SPY"];
    desk.jobs(&range).succeeded();
    let before = closes_of_spy(&desk);
    assert_eq!(before.len(), 2, "one of yesterday's morning, one of today's: {before:?}");
    assert!(before.iter().all(|(_, close, _)| close.is_none()), "no close of SPY is stored yet: {before:?}");
    // The closes come later, and so does the open: today's signal was made before it, yesterday's long after its own.
    drop(simulator);
    let later = Simulator::standing_at("2026-11-18T17:00:10Z", &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", later.address));
    desk.jobs(&["run", "backfill", "--from", "2026-11-13", "--to", "2026-11-17", "--symbols", "SPY"]).succeeded();
    desk.jobs(&["run", "signals", "--symbols", "SPY"]).succeeded();
    assert_eq!(closes_of_spy(&desk), before, "only a range is asked to complete");
    let told = desk.jobs(&range).succeeded().stdout;
    let after = closes_of_spy(&desk);
    assert!(after[0].1.is_some() && after[0].2 > before[0].2, "completed, and marked as made later: {after:?}");
    assert_eq!(after[1], before[1], "what was made in time stays");
    assert!(told.contains("1 signals that were made in time lack inputs"), "{told}");
    desk.jobs(&range).succeeded();
    assert_eq!(closes_of_spy(&desk), after, "twice equals once");
}

#[test]
fn what_is_missing_is_told_and_nothing_is_made_up() {
    let simulator = Simulator::standing_at("2026-11-18T14:00:10Z", &[]);
    let desk = Desk::at(&simulator);
    let told = desk.jobs(&["run", "signals"]).succeeded().stdout;
    assert!(told.contains("no price of ES yet") && told.contains("nothing written"), "{told}");
    let told = desk.jobs(&["run", "rules"]).succeeded().stdout;
    assert!(told.contains("run jobs run signals first"), "{told}");
    desk.jobs(&["run", "backfill", "--from", "2026-11-17"]).succeeded();
    desk.jobs(&["run", "signals"]).succeeded();
    let told = desk.jobs(&["run", "rules"]).succeeded().stdout;
    assert!(told.contains("no decision: the outlook needs the closes of 50 sessions"), "{told}");
    assert!(desk.rows("decisions").is_empty());
    let told = desk.jobs(&["evaluate", "--symbols", "DIA"]);
    assert!(told.code == 2 && told.stderr.contains("DIA has no future"), "{told:#?}");
}
