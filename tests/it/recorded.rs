//! Real prices: the recorded ES and NQ tape of two weeks in March 2026, over the change of the US clocks, through the
//! gateway into the table. The data is not part of this repository; where it is absent the tests say so and pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, Duration, Utc};

use crate::support::{Desk, Simulator, text};

pub(crate) fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let present = shared.join("data/market").is_dir();
    if !present {
        println!("skipped: ../shared/data/market is not here");
    }
    present.then_some(shared)
}

/// The tapes of ES and NQ, made in the folder `tapes` of the desk beside all others.
pub(crate) fn tapes(shared: &Path, desk: &Desk) -> Option<[String; 2]> {
    let folder = desk.path().join("tapes");
    let made = Command::new("python3").arg(shared.join("tools/make_tapes.py")).arg(&folder).output();
    if !made.is_ok_and(|output| output.status.success()) {
        println!("skipped: python3 cannot make the tapes");
        return None;
    }
    Some(["es", "nq"].map(|name| folder.join(format!("{name}_2026_5m.csv.gz")).to_string_lossy().into_owned()))
}

/// Close by end of the bar, of one symbol.
fn closes(tape: &str, contract: &str) -> BTreeMap<DateTime<Utc>, f64> {
    let reader = flate2::read::GzDecoder::new(std::fs::File::open(tape).expect("the tape"));
    let mut reader = csv::Reader::from_reader(reader);
    let rows = reader.deserialize::<BTreeMap<String, String>>().map(|row| row.expect("a row"));
    let ours = rows.filter(|row| row["contract"] == contract);
    ours.map(|row| (row["bar_end_utc"].parse().expect("an instant"), row["close"].parse().expect("a price"))).collect()
}

/// The price standing at an instant, by a walk that shares nothing with the program: five-minute steps back.
fn standing(
    closes: &BTreeMap<DateTime<Utc>, f64>,
    open: &[(DateTime<Utc>, DateTime<Utc>)],
    at: DateTime<Utc>,
) -> Option<f64> {
    let is_open = |t: DateTime<Utc>| open.iter().any(|(from, to)| *from < t && t <= *to);
    let mut instant = at;
    while !is_open(instant) {
        instant = open.iter().map(|(_, to)| *to).filter(|to| *to <= instant).max()?;
    }
    [0, 5, 10].into_iter().find_map(|minutes| closes.get(&(instant - Duration::minutes(minutes))).copied())
}

#[test]
fn two_recorded_weeks_equal_their_tape_in_every_slot_and_change() {
    let Some(shared) = shared() else { return };
    let desk = Desk::bare();
    let Some([es, nq]) = tapes(&shared, &desk) else { return };
    let simulator = Simulator::standing_at("2026-03-14T12:00:00Z", &["--tape", &es, "--tape", &nq]);
    desk.configure(&format!(
        "gateway: {{ address: \"{}\", clock: gateway }}\nmarket: {{ futures: [ES, NQ], spot: [] }}\n",
        simulator.address
    ));
    desk.jobs(&["run", "backfill", "--from", "2026-03-02", "--to", "2026-03-13"]).succeeded();
    let segments = desk.jobs(&[
        "calendar",
        "sessions",
        "cme_equity",
        "--from",
        "2026-02-23",
        "--to",
        "2026-03-13",
        "--format",
        "jsonl",
    ]);
    let open: Vec<(DateTime<Utc>, DateTime<Utc>)> = segments
        .succeeded()
        .lines()
        .iter()
        .map(|s| (text(s, "open_utc").parse().expect("an instant"), text(s, "close_utc").parse().expect("an instant")))
        .collect();
    let first = open[open.len() - 10].0;
    let rows = desk.rows("futures_snapshots");
    for (symbol, contract, tape) in [("ES", "ESH6", &es), ("NQ", "NQH6", &nq)] {
        let closes = closes(tape, contract);
        let mine: BTreeMap<DateTime<Utc>, &serde_json::Value> = rows
            .iter()
            .filter(|row| text(row, "symbol") == symbol)
            .map(|row| (text(row, "timestamp").parse().expect("an instant"), row))
            .collect();
        let in_calendar = |at: &DateTime<Utc>| *at > first && open.iter().any(|(from, to)| from < at && at <= to);
        let expected: Vec<DateTime<Utc>> = closes.keys().copied().filter(in_calendar).collect();
        assert!(expected.len() > 2_700, "{symbol}: only {} bars", expected.len());
        assert_eq!(mine.keys().copied().collect::<Vec<_>>(), expected, "{symbol}");
        let mut known = 0;
        for (at, row) in &mine {
            assert_eq!(row["last"].as_f64(), closes.get(at).copied(), "{row}");
            assert_eq!(text(row, "contract"), contract);
            for (column, hours) in [("change_1h", 1), ("change_4h", 4), ("change_overnight", 8), ("change_daily", 24)] {
                let then = standing(&closes, &open, *at - Duration::hours(hours));
                let change = then.map(|then| closes[at] - then);
                assert_eq!(row[column].as_f64(), change, "{column} of {row}");
                known += usize::from(change.is_some());
            }
        }
        println!("{symbol}: {} rows equal the tape, {known} changes equal the independent computation", mine.len());
    }
}

#[test]
fn a_recorded_hour_is_captured_as_it_goes_by() {
    let Some(shared) = shared() else { return };
    let desk = Desk::bare();
    let Some([es, nq]) = tapes(&shared, &desk) else { return };
    let tape = closes(&es, "ESH6");
    let start: DateTime<Utc> = "2026-03-10T14:00:00Z".parse().expect("an instant");
    for number in 1..=12 {
        // Every other slot at ten seconds after it, the others at ninety.
        let late = if number % 2 == 0 { 10 } else { 90 };
        let slot = start + Duration::minutes(5 * number);
        let now = (slot + Duration::seconds(late)).to_rfc3339();
        let simulator = Simulator::standing_at(&now, &["--tape", &es, "--tape", &nq]);
        desk.configure(&format!(
            "gateway: {{ address: \"{}\", clock: gateway, quote_settle_ms: 200 }}\nmarket: {{ futures: [ES, NQ], spot: [] }}\n",
            simulator.address
        ));
        let rows = desk.jobs(&["run", "snapshot", "--format", "jsonl"]).succeeded().lines();
        assert_eq!(rows.len(), 2);
        let es = &rows[0];
        assert_eq!(text(es, "timestamp").parse::<DateTime<Utc>>().expect("an instant"), slot);
        assert_eq!(es["last"].as_f64(), tape.get(&slot).copied(), "{es}");
        assert_eq!(text(es, "source"), if late == 10 { "live" } else { "backfill" });
        assert_eq!(es["bid"].as_f64(), (late == 10).then(|| tape[&slot] - 0.25), "a tick below the last");
        assert!(es["change_1h"].is_number() && es["change_daily"].is_number(), "{es}");
    }
}
