//! The nightly reset: between these times a gateway without data is expected, and backfill fills the gap.

use chrono::{DateTime, Utc};

use crate::calendar::to_new_york;

use super::config::TimeOfDay;

/// A daily window in New York time, which may cross midnight. IBKR names 00:15 to 01:45 ET; an older table 23:45.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetWindow {
    /// First minute.
    pub from: TimeOfDay,
    /// First minute after it.
    pub until: TimeOfDay,
}

impl ResetWindow {
    /// Whether an instant lies inside.
    #[must_use]
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        let time = to_new_york(at).time();
        let (from, until) = (self.from.0, self.until.0);
        if from <= until { from <= time && time < until } else { from <= time || time < until }
    }
}

#[cfg(test)]
mod tests {
    use crate::calendar::parse_instant;
    use crate::gateway::GatewayConfig;

    #[test]
    fn the_window_crosses_midnight_in_new_york_summer_and_winter() {
        let window = GatewayConfig::default().reset_window();
        let inside = |text: &str| window.contains(parse_instant(text).expect("New York time"));
        for day in ["2026-07-15", "2026-12-15"] {
            assert!(inside(&format!("{day} 23:30")) && inside(&format!("{day} 01:44")), "{day}");
            assert!(!inside(&format!("{day} 23:29")) && !inside(&format!("{day} 01:45")), "{day}");
        }
    }
}
