//! The time of the simulated gateway: standing, running at any speed, or the machine's.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Reads the machine's clock; given by the caller, because nothing here may read it by itself.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Where the simulated gateway takes its time from.
#[derive(Clone)]
pub enum SimulatedClock {
    /// Stands still.
    Fixed(DateTime<Utc>),
    /// Runs from an instant, `speed` seconds for each second of the machine.
    Running {
        /// Time of the gateway when the clock was made.
        at: DateTime<Utc>,
        /// When that was, on the machine.
        since: Instant,
        /// Seconds of the gateway in a second of the machine.
        speed: f64,
    },
    /// The machine's time.
    Machine(Now),
}

impl SimulatedClock {
    /// A clock that tells what `now` tells.
    #[must_use]
    pub fn machine(now: Now) -> Self {
        Self::Machine(now)
    }

    /// A clock that stands at `at`.
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::Fixed(at)
    }

    /// A clock that starts at `at` now and runs `speed` times as fast as the machine's.
    #[must_use]
    pub fn running(at: DateTime<Utc>, speed: f64) -> Self {
        Self::Running { at, since: Instant::now(), speed }
    }

    /// The time it tells.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Fixed(at) => *at,
            Self::Running { at, since, speed } => {
                let elapsed_ms = since.elapsed().as_secs_f64() * speed * 1_000.0;
                #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 saturates")]
                let elapsed = TimeDelta::try_milliseconds(elapsed_ms as i64).unwrap_or_default();
                at.checked_add_signed(elapsed).unwrap_or(*at)
            }
            Self::Machine(now) => now(),
        }
    }
}

impl fmt::Debug for SimulatedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(at) => f.debug_tuple("Fixed").field(at).finish(),
            Self::Running { at, speed, .. } => f.debug_struct("Running").field("at", at).field("speed", speed).finish(),
            Self::Machine(_) => f.write_str("Machine"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-11-23T12:00:00Z".parse().expect("an instant")
    }

    #[test]
    fn a_fixed_clock_stands() {
        assert_eq!(SimulatedClock::fixed(noon()).now(), noon());
    }

    #[test]
    fn a_running_clock_multiplies_what_passed_on_the_machine() {
        let since = Instant::now().checked_sub(Duration::from_secs(2)).expect("an earlier instant");
        let clock = SimulatedClock::Running { at: noon(), since, speed: 60.0 };
        let told = clock.now() - noon();
        assert!(told >= TimeDelta::seconds(120) && told < TimeDelta::seconds(180), "{told}");
    }

    #[test]
    fn the_machines_clock_is_asked_each_time() {
        assert_eq!(SimulatedClock::machine(Arc::new(noon)).now(), noon());
    }
}
