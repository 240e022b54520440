//! The bounds of a query, kept from outside of it.
//!
//! A plan may compute for minutes without giving its thread back, and one value may be larger than all memory that the
//! engine accounts for. So whoever waits for the answer has a runtime of its own, whose timer and signals no plan holds
//! up, and looks at what the process has in memory.

use std::fs;
use std::future::pending;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::job::{Failure, JobError, Stop};

/// Pause between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Memory that reading, writing and the program itself may take beyond the bound of the statement, in MB.
pub(super) const OWN_MB: u64 = 128;

/// The bounds of a query.
pub(super) struct Bounds {
    pub(super) timeout: Option<Duration>,
    pub(super) memory_mb: u32,
}

impl Bounds {
    /// Waits for the work, and gives up at a signal, at the timeout, or where it takes more memory than it may.
    pub(super) async fn keep(&self, work: JoinHandle<Result<(), JobError>>) -> Result<(), JobError> {
        let mut stop = Stop::on_signals()?;
        tokio::select! {
            done = work => done.map_err(|error| JobError::fail(Failure::Panicked, error))?,
            stopped = stop.asked() => Err(stopped.with_message("the query was ended by a signal".to_owned())),
            () = self.passed() => Err(JobError::fail(Failure::TimedOut, self.timed_out())),
            taken_mb = self.exceeded() => Err(JobError::fail(Failure::Failed, self.too_large(taken_mb))),
        }
    }

    async fn passed(&self) {
        match self.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => pending().await,
        }
    }

    /// What the process has taken, in MB, once that is too much; where the system does not say it, never.
    async fn exceeded(&self) -> u64 {
        let limit_mb = u64::from(self.memory_mb) + OWN_MB;
        let Some(before_mb) = resident_mb() else { return pending().await };
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match resident_mb().map(|now| now.saturating_sub(before_mb)) {
                Some(taken) if taken > limit_mb => return taken,
                _ => {}
            }
        }
    }

    fn timed_out(&self) -> String {
        let seconds = self.timeout.unwrap_or_default().as_secs();
        format!("the query was not answered within {seconds} s: ask for less, or give a longer --timeout")
    }

    fn too_large(&self, taken_mb: u64) -> String {
        format!(
            "the query needs more than its {} MB of memory (with {OWN_MB} MB for the program itself; it had {taken_mb} MB): \
             ask for fewer rows or smaller values, or give --max-memory-mb (lake.query_memory_mb)",
            self.memory_mb
        )
    }
}

/// The memory of this process that is no file, in MB.
fn resident_mb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_process_can_be_read() {
        assert!(resident_mb().is_some_and(|taken| taken > 0));
    }
}
