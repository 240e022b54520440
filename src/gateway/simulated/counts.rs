//! How many requests of each kind were served: tests assert on it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests served since the gateway started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Connections accepted.
    pub connections: u64,
    /// Requests for contract details.
    pub contract_details: u64,
    /// Snapshots of market data.
    pub snapshots: u64,
    /// Streams of market data.
    pub streams: u64,
    /// Requests for bars.
    pub history: u64,
    /// Requests for a schedule.
    pub schedules: u64,
    /// Requests for the time of the first bar.
    pub head_timestamps: u64,
    /// Requests for the gateway's time.
    pub current_time: u64,
    /// Cancellations of any kind.
    pub cancels: u64,
    /// Everything else behind the handshake.
    pub other: u64,
}

/// The counts while they grow.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: AtomicU64,
    pub(super) contract_details: AtomicU64,
    pub(super) snapshots: AtomicU64,
    pub(super) streams: AtomicU64,
    pub(super) history: AtomicU64,
    pub(super) schedules: AtomicU64,
    pub(super) head_timestamps: AtomicU64,
    pub(super) current_time: AtomicU64,
    pub(super) cancels: AtomicU64,
    pub(super) other: AtomicU64,
}

impl Counts {
    /// The counts as they are.
    pub(super) fn read(&self) -> RequestCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RequestCounts {
            connections: read(&self.connections),
            contract_details: read(&self.contract_details),
            snapshots: read(&self.snapshots),
            streams: read(&self.streams),
            history: read(&self.history),
            schedules: read(&self.schedules),
            head_timestamps: read(&self.head_timestamps),
            current_time: read(&self.current_time),
            cancels: read(&self.cancels),
            other: read(&self.other),
        }
    }
}

/// Counts one more.
pub(super) fn count(one: &AtomicU64) {
    one.fetch_add(1, Ordering::Relaxed);
}
