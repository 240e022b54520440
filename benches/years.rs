//! Five years of slots written one by one, compacted by the hour and by the day, as the daemon does: does the table stay
//! as quick, as small and as light as on its first day?
//!
//! Rows of three symbols go through the same append as a capture's, without the gateway, the ledger and fsync in between;
//! in the first and in the last month some slots are written flushed too. Each line tells of one month: the time of an
//! append, the files and log entries at its end, the bytes on the disk, the time in which a new handle opens the table and
//! reads one symbol's newest row, and this process's memory.
//!
//! `cargo bench --bench years -- --years 5`

#![expect(clippy::expect_used, reason = "a bench that cannot run has to say why and stop")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{Datelike, NaiveDate};
use frontmonth::calendar::{Calendar, CalendarId, Session, Slot};
use frontmonth::clock::{Clock, SystemClock};
use frontmonth::lake::{Durability, Lake, LakeConfig, TableName};
use frontmonth::market::{Changes, FuturesSnapshot, GatewayKind, Source};

const TABLE: TableName = TableName::FuturesSnapshots;

/// The last year that is written.
const LAST_YEAR: i32 = 2026;

/// Slots between two compactions of the tail: an hour.
const TAIL: usize = 12;

/// Slots of the first and the last month that are written flushed.
const NUM_FLUSHED: usize = 100;

fn main() {
    let years = years_asked();
    let folder = tempfile::tempdir().expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(write(folder.path(), years));
    runtime.shutdown_background();
}

fn years_asked() -> i32 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--years");
    arguments.nth(1).map_or(5, |years| years.parse().expect("--years takes a whole number"))
}

async fn write(folder: &Path, years: i32) {
    let calendar = Calendar::embedded(CalendarId::CmeEquity);
    let first = NaiveDate::from_ymd_opt(LAST_YEAR + 1 - years, 1, 1).expect("a date");
    let last = NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31).expect("a date");
    let sessions = calendar.sessions(first, last).expect("covered");
    println!("{years} years, {} sessions, three rows a slot, in {}", sessions.len(), folder.display());
    println!(
        "{:<8} {:>7} {:>9} {:>9} {:>7} {:>7} {:>8} {:>8} {:>9} {:>8}",
        "month", "slots", "p50 ms", "p99 ms", "files", "log", "disk MB", "open ms", "latest ms", "RSS MB"
    );
    let lakes = Lakes::in_folder(folder);
    let month = |session: &Session| (session.day.date().year(), session.day.date().month());
    for of_month in sessions.chunk_by(|a, b| month(a) == month(b)) {
        let is_edge = [sessions.first(), sessions.last()].iter().flatten().any(|edge| of_month.contains(edge));
        let num_flushed = if is_edge { NUM_FLUSHED } else { 0 };
        let took = lakes.write_month(of_month, num_flushed).await;
        lakes.tell(of_month.first().expect("a session"), &took).await;
    }
}

/// The same folder, twice: with and without flushing.
struct Lakes {
    config: LakeConfig,
    plain: Lake,
    flushed: Lake,
}

/// What the appends of a month took.
struct Took {
    plain: Vec<Duration>,
    flushed: Vec<Duration>,
}

impl Took {
    fn flushed_told(&self) -> String {
        if self.flushed.is_empty() {
            return String::new();
        }
        format!("   flushed: p50 {:.2}, p99 {:.2}", quantile(&self.flushed, 50), quantile(&self.flushed, 99))
    }
}

impl Lakes {
    fn in_folder(folder: &Path) -> Self {
        let config = LakeConfig { uri: folder.join("lake").display().to_string(), ..LakeConfig::default() };
        let lake = |durability| Lake::with_durability(&config, GatewayKind::Simulated, durability).expect("a lake");
        let (plain, flushed) = (lake(Durability::Unflushed), lake(Durability::Flushed));
        Self { config, plain, flushed }
    }

    async fn write_month(&self, sessions: &[Session], num_flushed: usize) -> Took {
        let mut took = Took { plain: Vec::new(), flushed: Vec::new() };
        for session in sessions {
            for (number, slot) in session.slots().enumerate() {
                let is_flushed = took.flushed.len() < num_flushed;
                let (lake, times) =
                    if is_flushed { (&self.flushed, &mut took.flushed) } else { (&self.plain, &mut took.plain) };
                let rows = rows(session, slot);
                let began = Instant::now();
                let written = lake.append_futures(&rows).await.expect("written");
                times.push(began.elapsed());
                assert_eq!(written.added, rows.len(), "no slot twice");
                if (number + 1).is_multiple_of(TAIL) {
                    self.plain.compact(TABLE).await.expect("compacted");
                }
            }
            self.plain.compact(TABLE).await.expect("compacted");
            self.plain.tidy(TABLE, SystemClock.now()).await.expect("tidied");
        }
        took
    }

    /// One line of the table.
    async fn tell(&self, first: &Session, took: &Took) {
        let stats = self.plain.stats(TABLE).await.expect("readable").expect("a table");
        let files: usize = stats.partitions.iter().map(|partition| partition.files).sum();
        let data_bytes: u64 = stats.partitions.iter().map(|partition| partition.bytes).sum();
        let bytes = data_bytes + stats.log_bytes + stats.orphan_bytes;
        let (open, latest) = self.open_and_read().await;
        println!(
            "{:<8} {:>7} {:>9.2} {:>9.2} {files:>7} {:>7} {:>8.1} {open:>8.2} {latest:>9.2} {:>8}{}",
            first.day.date().format("%Y-%m").to_string(),
            took.plain.len() + took.flushed.len(),
            quantile(&took.plain, 50),
            quantile(&took.plain, 99),
            stats.log_entries,
            megabytes(bytes),
            resident_megabytes(),
            took.flushed_told(),
        );
    }

    /// Milliseconds in which a new handle opens the table, and in which it then reads the newest row of a symbol, the
    /// quickest of five.
    async fn open_and_read(&self) -> (f64, f64) {
        let symbol = "NQ".parse().expect("a symbol");
        let (mut open, mut latest) = (f64::MAX, f64::MAX);
        for _ in 0..5 {
            let reader = Lake::reader(&self.config).expect("a lake");
            let began = Instant::now();
            reader.facts(TABLE).await.expect("readable").expect("a table");
            open = open.min(milliseconds(began.elapsed()));
            let began = Instant::now();
            reader.latest_futures(&symbol).await.expect("readable").expect("a row");
            latest = latest.min(milliseconds(began.elapsed()));
        }
        (open, latest)
    }
}

/// Rows of a slot whose prices wander as those of a market, so that they compress as such.
fn rows(session: &Session, slot: Slot) -> Vec<FuturesSnapshot> {
    let number = slot.instant().timestamp() / 300;
    let of = |(index, name): (i64, &str)| {
        let noise = (number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(index) >> 33) % 400;
        let last = 6_000.0 + f64::from(i32::try_from(noise).expect("small")) * 0.25;
        let changes = Changes {
            one_hour: Some(last - 6_010.0),
            four_hours: Some(last - 6_020.0),
            overnight: Some(last - 6_030.0),
            daily: Some(last - 6_040.0),
            since_close: Some(last - 6_005.0),
        };
        FuturesSnapshot {
            symbol: name.parse().expect("a symbol"),
            timestamp: slot,
            bid: Some(last - 0.25),
            ask: Some(last),
            last: Some(last),
            volume: Some(100 * number),
            open_interest: Some(2_000_000 + noise),
            implied_vol: Some(0.2),
            changes,
            date: session.day,
            contract: format!("{name}Z6"),
            expiry: NaiveDate::from_ymd_opt(2026, 12, 18).expect("a date"),
            con_id: Some(495_512_563 + i32::try_from(index).expect("small")),
            source: Source::Live,
            gateway: GatewayKind::Simulated,
            captured_at: slot.instant() + chrono::TimeDelta::seconds(2),
        }
    };
    [(0, "ES"), (1, "NQ"), (2, "RTY")].map(of).to_vec()
}

/// A quantile of times, in milliseconds.
fn quantile(times: &[Duration], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().map_or(f64::NAN, milliseconds)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a table is far below 2^53 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Memory that this process holds, of itself and of files mapped into it, in megabytes.
fn resident_megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |line: &str| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok();
    status.lines().find_map(of).unwrap_or_default() * 1_024 / 1_000_000
}
