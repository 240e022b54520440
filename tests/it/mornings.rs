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
    let spy = &desk
        .jobs(&["evaluate", "--from", "2026-11-16", "--to", "2026-11-17", "--format", "jsonl"])
        .succeeded()
        .lines()[2];
    assert_eq!([&spy["num_sessions"], &spy["num_days"]], [2, 2], "{spy}");
    assert!(spy["skill"].is_null() && spy["verdict"] == "insufficient", "{spy}");
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
    assert!(told.contains("no decision: the outlook needs 50 closes"), "{told}");
    assert!(desk.rows("decisions").is_empty());
    let told = desk.jobs(&["evaluate", "--symbols", "DIA"]);
    assert!(told.code == 2 && told.stderr.contains("DIA has no future"), "{told:#?}");
}
