//! The checks over recorded prices: what is known to be wrong with the files is found, and nothing else is an error.
//! The data is not part of this repository; where it is absent the tests say so and pass.

use std::collections::BTreeSet;

use frontmonth::lake::FindingRow;

use crate::recorded::{shared, tapes};
use crate::support::{Desk, Simulator, text};

/// All sessions of the tapes of 2026 by weeks, the two that are used elsewhere as one; and two days of their own,
/// because bars are looked at of the newest session only.
const STRETCHES: [(&str, &str); 12] = [
    ("2026-02-18", "2026-02-20"),
    ("2026-02-23", "2026-02-27"),
    ("2026-03-02", "2026-03-13"),
    ("2026-03-16", "2026-03-20"),
    ("2026-03-23", "2026-03-27"),
    ("2026-03-30", "2026-04-03"),
    ("2026-04-06", "2026-04-10"),
    ("2026-04-13", "2026-04-17"),
    ("2026-04-20", "2026-04-24"),
    ("2026-04-27", "2026-04-28"),
    ("2026-04-20", "2026-04-20"),
    ("2026-04-21", "2026-04-21"),
];

/// What is wrong with the files of 2026, by `data/market/README.md` and by the files themselves: check, symbol, slot.
const KNOWN: [(&str, &str, &str); 10] = [
    // The file goes over to the June contract on Monday at 11:30 in New York, the calendar on Sunday at the open.
    ("exchange.silent", FindingRow::WHOLE, "2026-03-15T22:05:00Z"),
    // The file has nothing of Good Friday after midnight; CME was open until 09:15.
    ("exchange.silent", FindingRow::WHOLE, "2026-04-03T04:05:00Z"),
    // No bar from 02:05 to 05:30, the first two of the session, and those before the two bad opens.
    ("exchange.silent", FindingRow::WHOLE, "2026-04-19T22:05:00Z"),
    // One stale price opens the bar after each hole of that morning.
    ("bar.open", "ES", "2026-04-20T09:35:00Z"),
    ("bar.open", "ES", "2026-04-20T11:00:00Z"),
    ("bar.open", "ES", "2026-04-20T11:55:00Z"),
    ("bar.open", "NQ", "2026-04-20T09:35:00Z"),
    ("bar.open", "NQ", "2026-04-20T11:00:00Z"),
    ("bar.open", "NQ", "2026-04-20T11:55:00Z"),
    ("bar.open", "NQ", "2026-04-21T06:40:00Z"),
];

/// Check, symbol and slot of a finding.
type Found = (String, String, String);

/// Fills days into tables of their own, checks them, prints all that is found, and gives what is worse than a warning.
fn errors_of(simulator: &Simulator, market: &str, (from, to): (&str, &str)) -> BTreeSet<Found> {
    let desk = Desk::bare();
    // How full the disk of this machine is says nothing about the rows.
    desk.configure(&format!(
        "gateway: {{ address: \"{}\", clock: gateway }}\nmarket: {market}\nquality: {{ lake.disk_free: {{ enabled: false }} }}\n",
        simulator.address
    ));
    desk.jobs(&["run", "backfill", "--from", from, "--to", to]).succeeded();
    let told = desk.jobs(&["run", "quality", "--from", from, "--to", to]).succeeded();
    assert!(!told.stdout.contains("crashed") && !told.stderr.contains("no bars to check"), "{told:#?}");
    println!("{from} to {to}: {}", told.stdout.lines().last().unwrap_or_default());
    let findings = desk.rows("quality_findings");
    let of = |row| ["severity", "check_name", "symbol", "timestamp", "observed"].map(|column| text(row, column));
    let mut errors = BTreeSet::new();
    for [severity, check, symbol, slot, observed] in findings.iter().map(of) {
        println!("  {severity:<8} {check:<16} {symbol:<10} {slot} {observed}");
        if severity != "warn" {
            errors.insert((check, symbol, slot));
        }
    }
    errors
}

#[test]
fn ten_recorded_weeks_hold_the_known_defects_and_no_other() {
    let Some(shared) = shared() else { return };
    let desk = Desk::bare();
    let Some([es, nq]) = tapes(&shared, &desk) else { return };
    let simulator = Simulator::standing_at("2026-04-29T03:00:00Z", &["--tape", &es, "--tape", &nq]);
    let market = "{ futures: [ES, NQ], spot: [] }";
    let found: BTreeSet<Found> =
        STRETCHES.into_iter().flat_map(|stretch| errors_of(&simulator, market, stretch)).collect();
    let known = KNOWN.map(|(check, symbol, slot)| (check.to_owned(), symbol.to_owned(), slot.to_owned()));
    assert_eq!(found, BTreeSet::from(known));
}

/// Bars of a minute, of which some are missing because nobody traded, become bars of five minutes of which none is.
#[test]
fn a_recorded_week_of_a_future_and_its_etf_is_sound() {
    let Some(shared) = shared() else { return };
    let desk = Desk::bare();
    if tapes(&shared, &desk).is_none() {
        return;
    }
    let [es, spy] = ["es", "spy"].map(|name| {
        let path = desk.path().join(format!("tapes/{name}_2013_1m.csv.gz"));
        path.to_string_lossy().into_owned()
    });
    let simulator = Simulator::standing_at("2013-10-12T12:00:00Z", &["--tape", &es, "--tape", &spy]);
    let market = "{ futures: [ES], spot: [SPY] }";
    assert_eq!(errors_of(&simulator, market, ("2013-10-07", "2013-10-11")), BTreeSet::new());
    let later = Simulator::standing_at("2020-01-07T12:00:00Z", &["--tape", &es]);
    let market = "{ futures: [ES], spot: [] }";
    assert_eq!(errors_of(&later, market, ("2020-01-06", "2020-01-06")), BTreeSet::new());
}
