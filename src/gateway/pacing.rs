//! Pacing of historical requests, shared by all our processes through a file in the lock folder.
//!
//! IBKR documents for bars of 30 s or less: at most 60 requests in ten minutes, none repeated within 15 s, fewer than six
//! for one contract within two seconds. Longer bars are slowed instead; one pacer keeps to the limits for all of them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::clock::SharedClock;

use super::{BarRequest, GatewayError};

/// Most historical requests that one connection keeps open.
const MAX_OPEN: usize = 3;

/// Messages a second of one connection: TWS closes it at more than 50 from all clients together, and two jobs may be
/// connected at once.
const MESSAGES_PER_SECOND: u32 = 24;

/// A record is far shorter.
const MAX_RECORD_BYTES: u64 = 1 << 16;

/// The limits kept towards a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacingLimits {
    /// Messages a second; none: as fast as they come.
    pub messages_per_second: Option<u32>,
    /// Historical requests in ten minutes; none: not paced at all, for a gateway of our own.
    pub per_ten_minutes: Option<usize>,
    /// Longest wait for a turn; beyond it the request fails at once and says so.
    pub patience: Duration,
}

impl PacingLimits {
    /// IBKR's limits.
    #[must_use]
    pub fn documented(patience: Duration) -> Self {
        Self { messages_per_second: Some(MESSAGES_PER_SECOND), per_ten_minutes: Some(60), patience }
    }

    /// No limits.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { messages_per_second: None, per_ten_minutes: None, patience: Duration::ZERO }
    }
}

/// Hands out turns for historical requests.
pub struct HistoryPacer {
    path: PathBuf,
    limits: PacingLimits,
    clock: SharedClock,
    open: Semaphore,
    has_warned: AtomicBool,
}

/// Requests of this process that no file holds, by the file that should: on a disk that is full or may only be read, a
/// process keeps to the limits by itself.
static UNRECORDED: Mutex<BTreeMap<PathBuf, Vec<Entry>>> = Mutex::new(BTreeMap::new());

impl HistoryPacer {
    /// A pacer whose record lies in the lock folder, one for each gateway address.
    #[must_use]
    pub fn new(locks: &Path, address: &str, limits: PacingLimits, clock: SharedClock) -> Self {
        let name: String = address.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = locks.join(format!("history-pacing-{name}"));
        Self { path, limits, clock, open: Semaphore::new(MAX_OPEN), has_warned: AtomicBool::new(false) }
    }

    /// Waits for a turn; the request stays open until the permit is dropped.
    ///
    /// # Errors
    /// [`GatewayError::Paced`] where the wait would be longer than the patience.
    pub async fn turn(&self, request: &BarRequest) -> Result<SemaphorePermit<'_>, GatewayError> {
        let permit = self.open.acquire().await.map_err(|_| impatient(request, Duration::ZERO))?;
        let Some(per_ten_minutes) = self.limits.per_ten_minutes else {
            return Ok(permit);
        };
        let mut waited = Duration::ZERO;
        loop {
            let wait = self.reserve(request, per_ten_minutes);
            if wait.is_zero() {
                return Ok(permit);
            }
            waited += wait;
            if waited > self.limits.patience {
                return Err(impatient(request, wait));
            }
            tracing::info!(seconds = wait.as_secs(), "waiting for the gateway's pacing rules");
            tokio::time::sleep(wait).await;
        }
    }

    /// Under the file's lock: records the request where it may go now, else gives how long to wait.
    fn reserve(&self, request: &BarRequest, per_ten_minutes: usize) -> Duration {
        let mut record = self.open_record();
        let recorded = record.as_mut().map(read_all).unwrap_or_default();
        let now = self.clock.now();
        let mut all_unrecorded = UNRECORDED.lock().unwrap_or_else(PoisonError::into_inner);
        let unrecorded = all_unrecorded.entry(self.path.clone()).or_default();
        unrecorded.retain(|entry| entry.is_recent(now));
        let mut past: Vec<Entry> = recorded.lines().filter_map(Entry::parse).filter(|e| e.is_recent(now)).collect();
        past.extend_from_slice(unrecorded);
        past.sort_by_key(|entry| entry.at);
        let entry = Entry::of(request, now);
        let wait = wait_for(&entry, &past, per_ten_minutes);
        if wait.is_zero() {
            past.push(entry);
            match record.as_mut().map(|file| write_all(file, &past)) {
                Some(Ok(())) => unrecorded.clear(),
                Some(Err(error)) => {
                    self.warn(&error);
                    unrecorded.push(entry);
                }
                None => unrecorded.push(entry),
            }
        }
        wait
    }

    /// The record, locked; none where it cannot be written.
    fn open_record(&self) -> Option<File> {
        let open = || {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&self.path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|error: std::io::Error| self.warn(&error)).ok()
    }

    fn warn(&self, error: &std::io::Error) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            let record = self.path.display();
            tracing::warn!(%record, %error, "requests are not recorded: only this process keeps to the gateway's pacing rules");
        }
    }
}

fn read_all(file: &mut File) -> String {
    let mut text = String::new();
    // What is no text is no record.
    let _ = file.take(MAX_RECORD_BYTES).read_to_string(&mut text);
    text
}

/// Writes the record. It is cut to its length afterwards: cut before, it would give its place on a full disk to others.
fn write_all(file: &mut File, entries: &[Entry]) -> std::io::Result<()> {
    let text = entries.iter().map(Entry::line).collect::<String>();
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))
}

fn impatient(request: &BarRequest, wait: Duration) -> GatewayError {
    GatewayError::Paced { operation: format!("history of {}", request.instrument.name()), wait }
}

/// One request made: when, of what contract, and exactly which.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    at: DateTime<Utc>,
    contract: u64,
    request: u64,
}

impl Entry {
    fn of(request: &BarRequest, at: DateTime<Utc>) -> Self {
        let name = request.instrument.name();
        Self { at, contract: hash(&name), request: hash(&(name, request.after, request.until, request.size as u8)) }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        let at = DateTime::from_timestamp_millis(parts.next()?.parse().ok()?)?;
        Some(Self { at, contract: parts.next()?.parse().ok()?, request: parts.next()?.parse().ok()? })
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.at.timestamp_millis(), self.contract, self.request)
    }

    /// Within the last ten minutes, and not in a future that a clock set back left behind.
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        self.at <= now && now - self.at < TimeDelta::minutes(10)
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// How long a request must wait after the past ones (oldest first).
fn wait_for(entry: &Entry, past: &[Entry], per_ten_minutes: usize) -> Duration {
    let until = |oldest: Option<&Entry>, window: TimeDelta| oldest.map(|e| e.at + window - entry.at);
    let same = past.iter().rfind(|e| e.request == entry.request);
    let of_contract: Vec<&Entry> = past.iter().filter(|e| e.contract == entry.contract).collect();
    let waits = [
        until(nth_newest(past.iter(), per_ten_minutes), TimeDelta::minutes(10)),
        until(same, TimeDelta::seconds(15)),
        until(nth_newest(of_contract.into_iter(), 5), TimeDelta::seconds(2)),
    ];
    let longest = waits.into_iter().flatten().max().unwrap_or_default();
    longest.to_std().unwrap_or_default()
}

fn nth_newest<'a>(entries: impl DoubleEndedIterator<Item = &'a Entry>, n: usize) -> Option<&'a Entry> {
    entries.rev().nth(n.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::calendar::parse_instant;
    use crate::clock::ManualClock;
    use crate::market::{BarSize, EtfContract, Instrument, MarketConfig};

    fn start() -> DateTime<Utc> {
        parse_instant("2026-11-18 12:00").expect("New York time")
    }

    fn request(symbol: &str, minutes: i64) -> BarRequest {
        let symbol = symbol.parse().expect("a symbol");
        let spec = MarketConfig::default().etf(&symbol).expect("built in");
        BarRequest {
            instrument: Instrument::Etf(EtfContract { symbol, spec }),
            after: start() - TimeDelta::minutes(minutes),
            until: start(),
            size: BarSize::FiveMinutes,
        }
    }

    fn pacer(folder: &Path, clock: Arc<ManualClock>, patience: Duration) -> HistoryPacer {
        let limits = PacingLimits { per_ten_minutes: Some(4), ..PacingLimits::documented(patience) };
        HistoryPacer::new(folder, "127.0.0.1:4002", limits, clock)
    }

    #[tokio::test]
    async fn two_pacers_share_the_limit_through_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(start()));
        let [one, two] = [0, 1].map(|_| pacer(folder.path(), clock.clone(), Duration::ZERO));
        for minutes in [10, 20] {
            one.turn(&request("SPY", minutes)).await.map(drop).expect("a turn");
            two.turn(&request("QQQ", minutes)).await.map(drop).expect("a turn");
        }
        let refused = one.turn(&request("IWM", 10)).await.map(drop).expect_err("the fifth in ten minutes");
        assert!(refused.to_string().contains("600 s"), "{refused}");
        clock.set(start() + TimeDelta::minutes(10));
        one.turn(&request("IWM", 10)).await.map(drop).expect("ten minutes later");
    }

    #[tokio::test]
    async fn the_same_request_waits_fifteen_seconds() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(start()));
        let pacer = pacer(folder.path(), clock.clone(), Duration::ZERO);
        pacer.turn(&request("SPY", 10)).await.map(drop).expect("a turn");
        assert!(pacer.turn(&request("SPY", 10)).await.is_err());
        clock.set(start() + TimeDelta::seconds(15));
        pacer.turn(&request("SPY", 10)).await.map(drop).expect("15 s later");
    }

    #[tokio::test]
    async fn without_a_record_a_process_keeps_to_the_limit_by_itself() {
        // Nobody makes a file in /proc, root neither.
        let locks = Path::new("/proc/frontmonth-pacing-tests");
        let clock = Arc::new(ManualClock::at(start()));
        let [one, two] = [0, 1].map(|_| pacer(locks, clock.clone(), Duration::ZERO));
        for minutes in [10, 20] {
            one.turn(&request("SPY", minutes)).await.map(drop).expect("a turn");
            two.turn(&request("QQQ", minutes)).await.map(drop).expect("a turn");
        }
        assert!(one.turn(&request("IWM", 10)).await.is_err(), "the fifth in ten minutes");
        clock.set(start() + TimeDelta::minutes(10));
        one.turn(&request("IWM", 10)).await.map(drop).expect("ten minutes later");
    }

    #[tokio::test]
    async fn a_full_disk_keeps_the_limit_and_loses_no_turn() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(start()));
        let pacer = pacer(folder.path(), clock.clone(), Duration::ZERO);
        std::os::unix::fs::symlink("/dev/full", &pacer.path).expect("a disk without space");
        for (symbol, minutes) in [("SPY", 10), ("QQQ", 20), ("SPY", 30), ("QQQ", 40)] {
            pacer.turn(&request(symbol, minutes)).await.map(drop).expect("a turn");
        }
        assert!(pacer.turn(&request("IWM", 10)).await.is_err(), "the fifth in ten minutes");
    }

    #[tokio::test]
    async fn a_clock_set_back_does_not_block_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(start()));
        let pacer = pacer(folder.path(), clock.clone(), Duration::ZERO);
        pacer.turn(&request("SPY", 10)).await.map(drop).expect("a turn");
        clock.set(start() - TimeDelta::hours(1));
        pacer.turn(&request("SPY", 10)).await.map(drop).expect("the record lies in the future");
    }
}
