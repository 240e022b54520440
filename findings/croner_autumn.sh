#!/usr/bin/env bash
# croner 3.0.1: "every 15 minutes" in New York, asked for what comes after 01:10 of the second 01 o'clock hour of 2026-11-01.
# Expected: 01:15 of that same hour, five minutes later; and iteration in order of time.
# Seen: find_next_occurrence gives 01:15 of the first hour, 55 minutes in the past; for every 30 minutes iter_after gives both hours
# interleaved, so that 01:30 of the first hour comes after 01:00 of the second.
source "$(dirname "$0")/lib.sh"
command -v cargo >/dev/null || { echo "needs cargo" >&2; exit 2; }
cd "$folder"
cargo init --quiet --vcs none --name autumn --bin crate && cd crate
cat >> Cargo.toml <<'TOML'
croner = "=3.0.1"
chrono = "=0.4.42"
chrono-tz = "=0.10.4"
TOML
cat > src/main.rs <<'RUST'
use chrono::{TimeZone, Utc};
use chrono_tz::America::New_York;
use croner::Cron;
use std::str::FromStr;

fn main() {
    let now = Utc.with_ymd_and_hms(2026, 11, 1, 6, 10, 0).unwrap().with_timezone(&New_York);
    let next = Cron::from_str("*/15 * * * *").unwrap().find_next_occurrence(&now, false).unwrap();
    println!("now {now}, next {next}: {} minutes later (expected: 5)", (next - now).num_minutes());

    let from = Utc.with_ymd_and_hms(2026, 11, 1, 4, 59, 0).unwrap().with_timezone(&New_York);
    let listed: Vec<_> = Cron::from_str("*/30 * * * *").unwrap().iter_after(from).take(4).collect();
    println!("every 30 minutes: {}", listed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let backwards = listed.windows(2).filter(|pair| pair[1] < pair[0]).count();
    println!("steps back in time: {backwards} (expected: 0)");

    assert_eq!((next - now).num_minutes(), -55, "this has changed");
    assert_eq!(backwards, 1, "this has changed");
}
RUST
CARGO_TARGET_DIR="$folder/target" cargo run --quiet
