//! Times of one operation, repeated: warmed up, bounded in number and in time.

use std::future::Future;
use std::time::{Duration, Instant};

/// Untimed rounds before the first that counts.
const WARMUPS: usize = 3;

/// Rounds are few where each takes long.
const LONGEST: Duration = Duration::from_secs(3);

/// As few rounds as may count.
const FEWEST: usize = 5;

/// Times of an operation, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) rounds: usize,
}

impl Timing {
    /// The quantiles of some times.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
        };
        Self { p50_ms: at(50), p99_ms: at(99), rounds: times.len() }
    }
}

/// Times an operation at most so many times.
pub(crate) async fn time<F: Future<Output = ()>>(most: usize, mut operation: impl FnMut() -> F) -> Timing {
    for _ in 0..WARMUPS {
        operation().await;
    }
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < most && (times.len() < FEWEST || began.elapsed() < LONGEST) {
        let round = Instant::now();
        operation().await;
        times.push(round.elapsed());
    }
    Timing::of(times)
}
