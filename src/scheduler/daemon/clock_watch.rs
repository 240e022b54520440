//! Clock jumps: the wall clock against the monotonic one. The planner needs no warning, whoever reads the log does.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// A smaller difference is drift, and how a tick comes late.
const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// Watches the wall clock.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    last: Option<(DateTime<Utc>, Duration)>,
}

impl ClockWatch {
    /// Takes both clocks' readings; tells how far the wall clock has jumped since the last ones: ahead of the monotonic
    /// clock, which also stands while the machine is suspended, or behind it.
    pub(super) fn observe(&mut self, wall: DateTime<Utc>, monotonic: Duration) -> Option<TimeDelta> {
        let last = self.last.replace((wall, monotonic));
        let (last_wall, last_monotonic) = last?;
        let passed = TimeDelta::from_std(monotonic.saturating_sub(last_monotonic)).ok()?;
        let jump = wall - last_wall - passed;
        (jump.abs() > TOLERANCE).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jump_is_told_and_only_once() {
        let mut watch = ClockWatch::default();
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let mut observe = |wall, monotonic| watch.observe(at(wall), Duration::from_secs(monotonic));
        assert_eq!(observe(100, 5), None);
        assert_eq!(observe(160, 65), None, "a minute on both");
        assert_eq!(observe(163, 67), None, "a second of drift");
        assert_eq!(observe(3_764, 68), Some(TimeDelta::seconds(3_600)), "suspended, or set forward");
        assert_eq!(observe(3_765, 69), None);
        assert_eq!(observe(166, 70), Some(TimeDelta::seconds(-3_600)), "set back");
    }
}
