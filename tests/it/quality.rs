//! Quality: sound sessions give no finding, bad quotes are kept apart and can be released, and a gap is told.

use crate::support::{Desk, NOON, NOON_SLOT, Simulator, text};

/// The noon's session and the one before, filled from bars.
fn filled() -> (Simulator, Desk) {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "backfill", "--from", "2026-11-17"]).succeeded();
    (simulator, desk)
}

fn report(desk: &Desk) -> serde_json::Value {
    desk.jobs(&["quality", "report", "--date", "2026-11-18", "--format", "jsonl"]).succeeded().lines().remove(0)
}

#[test]
fn sound_sessions_give_no_finding_and_every_check_leaves_its_mark() {
    let (simulator, desk) = filled();
    // How full this machine's disk is says nothing about the rows.
    desk.configure(&format!(
        "gateway: {{ address: \"{}\", clock: gateway }}\nquality: {{ lake.disk_free: {{ enabled: false }} }}\n",
        simulator.address
    ));
    desk.jobs(&["run", "snapshot"]).succeeded();
    let ran = desk.jobs(&["run", "quality", "--from", "2026-11-17"]).succeeded();
    assert!(!ran.stderr.contains("finding:"), "{ran:#?}");
    assert!(ran.stdout.contains(" passed") && !ran.stdout.contains("failed") && !ran.stdout.contains("crashed"));
    let checks = desk.jobs(&["quality", "checks", "--format", "jsonl"]).succeeded().lines();
    assert!(checks.len() >= 40, "{}", checks.len());
    let never: Vec<String> = checks.iter().filter(|check| check["last"].is_null()).map(|c| text(c, "check")).collect();
    assert_eq!(never, Vec::<String>::new());
    assert_eq!(report(&desk)["findings"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_gap_is_found_with_its_slots_and_a_second_run_finds_it_again_once() {
    let (simulator, desk) = filled();
    drop(simulator);
    let later = Simulator::standing_at("2026-11-18T18:00:10Z", &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", later.address));
    for _ in 0..2 {
        let ran = desk.jobs(&["run", "quality", "--from", "2026-11-17"]).succeeded();
        assert!(ran.stderr.contains("exchange.silent"), "{ran:#?}");
    }
    let told = report(&desk);
    let findings = told["findings"].as_array().expect("a list");
    let silent = findings.iter().find(|finding| finding["check"] == "exchange.silent").expect("found");
    assert!(text(silent, "detail").contains(NOON_SLOT.trim_end_matches(":00Z")), "{silent}");
    assert_eq!(silent["runs"], 1, "two runs of one slot are one finding");
    let dry = desk.jobs(&["run", "quality", "--from", "2026-11-17", "--dry-run"]).succeeded();
    assert!(dry.stdout.contains("dry run, nothing written"), "{dry:#?}");
    desk.jobs(&["run", "backfill", "--from", "2026-11-17"]).succeeded();
    let mended = desk.jobs(&["run", "quality", "--from", "2026-11-17"]).succeeded();
    assert!(!mended.stderr.contains("exchange.silent"), "{mended:#?}");
}

#[test]
fn a_crossed_quote_is_kept_apart_and_released_once() {
    let simulator = Simulator::standing_at(NOON, &["--fault", "crossed@symbol=NQ"]);
    let desk = Desk::at(&simulator);
    let address = &simulator.address;
    desk.configure(&format!("gateway: {{ address: \"{address}\", clock: gateway }}\nruns: {{ max_retries: 0 }}\n"));
    let ran = desk.jobs(&["run", "snapshot"]);
    assert_ne!(ran.code, 0, "{ran:#?}");
    assert_eq!(desk.rows("futures_snapshots").len(), 2);
    let told = report(&desk);
    assert_eq!(told["quarantine"][0]["symbol"], "NQ", "{told}");
    assert!(told["findings"].as_array().is_some_and(|all| all.iter().any(|f| f["check"] == "quote.crossed")), "{told}");
    let release = ["quality", "release", "NQ", NOON_SLOT];
    desk.jobs(&release).succeeded();
    let rows = desk.rows("futures_snapshots");
    assert_eq!(rows.iter().filter(|row| row["symbol"] == "NQ").count(), 1);
    let again = desk.jobs(&release);
    assert_eq!(again.code, 2, "{again:#?}");
    assert!(again.stderr.contains("released"), "{again:#?}");
}

#[test]
fn a_row_is_not_released_onto_another_and_can_be_dropped() {
    let desk = {
        let simulator = Simulator::standing_at(NOON, &["--fault", "crossed@symbol=NQ"]);
        let desk = Desk::at(&simulator);
        desk.configure(&format!(
            "gateway: {{ address: \"{}\", clock: gateway }}\nruns: {{ max_retries: 0 }}\n",
            simulator.address
        ));
        assert_ne!(desk.jobs(&["run", "snapshot"]).code, 0);
        desk
    };
    let sound = Simulator::standing_at(NOON, &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", sound.address));
    desk.jobs(&["run", "snapshot"]).succeeded();
    let refused = desk.jobs(&["quality", "release", "NQ", NOON_SLOT]);
    assert_eq!(refused.code, 65, "{refused:#?}");
    desk.jobs(&["quality", "drop", "NQ", NOON_SLOT]).succeeded();
    assert!(text(&report(&desk)["quarantine"][0], "decided").starts_with("dropped "));
}

#[test]
fn what_the_schedule_finds_is_one_incident_with_its_mail() {
    let desk = Desk::bare();
    let faults = ["--fault", "stale:900@symbol=NQ", "--fault", "bars-missing"];
    let day = ["simulate", "--from", "2026-11-18", "--to", "2026-11-18", "--format", "jsonl"];
    let ended = desk.jobs(&[&day[..], &faults].concat());
    assert_eq!(ended.code, 1, "40 slots of NQ are lost for good: {ended:#?}");
    let account = ended.lines().remove(0);
    desk.configure("paths: { state: data/simulation/state }\n");
    let listed = desk.jobs(&["alert", "list", "--format", "jsonl"]).succeeded().lines();
    let found = |incident: &&serde_json::Value| text(incident, "key") == "complete.session:futures_snapshots:NQ";
    let incident = listed.iter().find(found).unwrap_or_else(|| panic!("{listed:?}"));
    let mails = incident["num_mails"].as_u64().expect("a count");
    assert!(mails >= 1, "{incident}");
    assert!(account["mails"].as_u64() >= Some(mails), "{account}");
}

#[test]
fn rows_that_are_not_whole_hold_back_the_signals_built_on_them_and_no_others() {
    let desk = Desk::bare();
    let faults = ["--fault", "stale:900@symbol=NQ", "--fault", "bars-missing"];
    let days = ["simulate", "--from", "2026-11-18", "--to", "2026-11-19", "--format", "jsonl"];
    desk.jobs(&[&days[..], &faults].concat());
    desk.configure("paths: { state: data/simulation/state }\nlake: { uri: data/simulation/lake }\n");
    let made: Vec<String> = desk.rows("futures_signals").iter().map(|row| text(row, "symbol")).collect();
    assert!(made.iter().all(|symbol| symbol != "QQQ"), "{made:?}");
    let run =
        desk.jobs(&["run", "signals", "--from", "2026-11-19", "--to", "2026-11-19", "--symbols", "QQQ"]).succeeded();
    let why = "no signal: held back by complete.session:futures_snapshots:NQ";
    assert!(run.stdout.contains(why) || run.stderr.contains(why), "{run:#?}");
    let mute = ["alert", "mute", "complete.session:futures_snapshots:NQ", "--for", "1h", "--reason", "known"];
    desk.jobs(&mute).succeeded();
    let run = desk.jobs(&["run", "signals", "--from", "2026-11-19", "--to", "2026-11-19", "--symbols", "QQQ"]);
    assert!(!run.stdout.contains(why) && !run.stderr.contains(why), "{run:#?}");
}
