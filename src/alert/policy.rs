//! The rules by which incidents are told, and which checks hang together.

use chrono::{DateTime, TimeDelta, Utc};

use crate::gateway::ResetWindow;
use crate::state::Severity;

use super::config::AlertConfig;
use super::quiet::DailyHours;

/// The gateway cannot be reached or gives nothing.
pub const GATEWAY_DOWN: &str = "gateway.down";

/// The gateway's clock and this machine's differ: it answers, and no quote of it can be given to a slot.
pub const CLOCK_DIFFERS: &str = "clock.differs";

/// A systemd unit failed.
pub const UNIT_FAILED: &str = "unit.failed";

/// The rules by which incidents are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// An incident that goes on is told again after this time.
    pub repeat_interval: TimeDelta,
    /// Passes in a row after which an incident is over.
    pub passes_to_resolve: u32,
    /// A failure so soon after the end is the same incident.
    pub flapping_window: TimeDelta,
    /// More mails than this of one run become one.
    pub digest_above: usize,
    /// Most mails in an hour.
    pub hourly_cap: usize,
    /// Hours in which warnings wait.
    pub quiet_hours: Option<DailyHours>,
    /// Hours in which a gateway that is down is expected to be; none where there is no real one.
    pub reset_window: Option<ResetWindow>,
}

impl Policy {
    /// The rules that are configured.
    #[must_use]
    pub fn new(config: &AlertConfig, reset_window: Option<ResetWindow>) -> Self {
        Self {
            repeat_interval: config.repeat_interval(),
            passes_to_resolve: config.passes_to_resolve,
            flapping_window: config.flapping_window(),
            digest_above: config.digest_above,
            hourly_cap: config.hourly_cap,
            quiet_hours: config.quiet_hours(),
            reset_window,
        }
    }

    /// Passes in a row after which an incident of a check is over. A unit that runs again has run again: once is enough.
    pub(super) fn passes_needed(&self, check: &str) -> u32 {
        if check == UNIT_FAILED { 1 } else { self.passes_to_resolve }
    }

    /// How long an incident that flaps must have been quiet to be over: twice as long each time.
    pub(super) fn quiet_needed(&self, num_reopened: u32) -> TimeDelta {
        match num_reopened.checked_sub(1) {
            None => TimeDelta::zero(),
            Some(doublings) => {
                let factor = 1_i32 << doublings.min(16);
                self.flapping_window.checked_mul(factor).unwrap_or(self.repeat_interval).min(self.repeat_interval)
            }
        }
    }

    /// From when on a mail may go: warnings wait for the end of the quiet hours.
    pub(super) fn not_before(&self, severity: Severity, now: DateTime<Utc>) -> DateTime<Utc> {
        let waits = self.quiet_hours.filter(|_| severity == Severity::Warn);
        waits.and_then(|hours| hours.end_at(now)).unwrap_or(now)
    }

    /// Whether a failure of the gateway, or what follows from it, is expected at this time.
    pub(super) fn is_expected(&self, causes: [Option<&str>; 2], now: DateTime<Utc>) -> bool {
        let is_of_gateway = causes.contains(&Some(GATEWAY_DOWN));
        is_of_gateway && self.reset_window.is_some_and(|window| window.contains(now))
    }
}
