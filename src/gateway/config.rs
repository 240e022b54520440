//! The configuration section `gateway`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

use crate::market::GatewayKind;

use super::reset_window::ResetWindow;

/// Most seconds that connecting, telling the time, contracts, a quote and history may take together. With 15 s for the
/// pacing rules and some for the lake they stay below the 90 s of a capture, so a silent gateway is told as such.
const LONGEST_CAPTURE_SECONDS: u64 = 70;

/// Most seconds of one request for history: a sixth of a backfill's timeout of an hour.
const LONGEST_HISTORY_SECONDS: u64 = 600;

/// The share of its timeout that a run must leave for one request for history to be given the long bound.
const HISTORY_SHARE: u32 = 6;

/// Whether delayed quotes may stand in where live ones are not subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarketDataMode {
    /// Live quotes only.
    Live,
    /// Delayed quotes are taken and marked.
    Delayed,
}

/// Whose time a run goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSource {
    /// This machine's.
    Machine,
    /// The simulated gateway's.
    Gateway,
}

/// Hour and minute, New York time, written `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(pub NaiveTime);

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        NaiveTime::parse_from_str(text, "%H:%M")
            .map(Self)
            .map_err(|_| format!("'{text}' is no time: write HH:MM, such as 23:30"))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M"))
    }
}

/// The configuration section `gateway`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// `ib` or `simulated`.
    pub kind: GatewayKind,
    /// Host and port. None with `kind: simulated`: one is started inside this process.
    pub address: Option<String>,
    /// Whose time a run goes by; `gateway` only with `kind: simulated`. Default: `gateway` inside, else `machine`.
    pub clock: Option<ClockSource>,
    /// Whether delayed quotes are taken.
    pub market_data: MarketDataMode,
    /// First API client id of the range this program leases from.
    pub client_id_first: i32,
    /// Number of client ids in the range.
    pub client_id_count: i32,
    /// Bound of connecting and the handshake.
    pub connect_timeout_seconds: u64,
    /// Bound of a request for contracts or time, and in a capture of one for history.
    pub request_timeout_seconds: u64,
    /// Bound of a request for history where the run has the time, as a backfill has: TWS may take most of a minute.
    pub history_timeout_seconds: u64,
    /// Bound of a quote.
    pub quote_timeout_seconds: u64,
    /// How long a quote with its prices waits for what may never come: open interest, implied volatility.
    pub quote_settle_ms: u64,
    /// A quote whose last trade is older is stale and not stored.
    pub stale_after_seconds: i64,
    /// Largest difference between the gateway's clock and this machine's.
    pub max_clock_skew_seconds: i64,
    /// Start of the gateway's nightly reset, New York time.
    pub reset_from: TimeOfDay,
    /// End of the gateway's nightly reset, New York time.
    pub reset_until: TimeOfDay,
    /// Seed of the embedded simulated gateway's tape.
    pub simulated_seed: u64,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        let time = |hour, minute| TimeOfDay(NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or(NaiveTime::MIN));
        Self {
            kind: GatewayKind::Simulated,
            address: None,
            clock: None,
            market_data: MarketDataMode::Live,
            client_id_first: 40,
            client_id_count: 8,
            connect_timeout_seconds: 8,
            request_timeout_seconds: 15,
            history_timeout_seconds: 60,
            quote_timeout_seconds: 15,
            quote_settle_ms: 1_500,
            stale_after_seconds: 300,
            max_clock_skew_seconds: 20,
            reset_from: time(23, 30),
            reset_until: time(1, 45),
            simulated_seed: 20_260_101,
        }
    }
}

impl GatewayConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.kind == GatewayKind::Ib && self.address.is_none() {
            faults.push(
                "gateway.address is missing: a gateway of kind ib needs one, such as 127.0.0.1:4002 (IB Gateway, paper)"
                    .to_owned(),
            );
        }
        if let Some(address) = self.address.as_deref().filter(|a| !is_host_and_port(a)) {
            faults.push(format!("gateway.address '{address}' is no HOST:PORT: write for instance 127.0.0.1:4002"));
        }
        if self.kind == GatewayKind::Ib && self.clock == Some(ClockSource::Gateway) {
            faults.push("gateway.clock: gateway is for the simulated gateway only: remove it".to_owned());
        }
        if self.client_id_count < 1
            || self.client_id_first < 0
            || self.client_id_first.checked_add(self.client_id_count).is_none()
        {
            faults.push("gateway.client_id_first must be at least 0 and gateway.client_id_count at least 1".to_owned());
        }
        let bounds = [
            ("connect_timeout_seconds", self.connect_timeout_seconds, 60),
            ("request_timeout_seconds", self.request_timeout_seconds, 600),
            ("history_timeout_seconds", self.history_timeout_seconds, LONGEST_HISTORY_SECONDS),
            ("quote_timeout_seconds", self.quote_timeout_seconds, 60),
            ("quote_settle_ms", self.quote_settle_ms, 15_000),
        ];
        let outside = bounds.into_iter().filter(|(_, value, most)| *value == 0 || value > most);
        faults.extend(outside.map(|(key, value, most)| format!("gateway.{key} is {value}: give 1 to {most}")));
        faults.extend(self.bounds_fault());
        if self.kind == GatewayKind::Simulated && self.address.is_none() && self.clock == Some(ClockSource::Machine) {
            let told =
                "gateway.clock: machine does not go with the simulated gateway inside, whose clock stands: remove it";
            faults.push(told.to_owned());
        }
        if self.stale_after_seconds < 1 || self.max_clock_skew_seconds < 1 {
            faults.push("gateway.stale_after_seconds and gateway.max_clock_skew_seconds must be at least 1".to_owned());
        }
        faults
    }

    /// The bounds of one capture must add up to less than its timeout.
    fn bounds_fault(&self) -> Option<String> {
        let twice = self.connect_timeout_seconds.saturating_add(self.request_timeout_seconds).saturating_mul(2);
        let longest = twice.saturating_add(self.quote_timeout_seconds);
        (longest > LONGEST_CAPTURE_SECONDS).then(|| {
            format!(
                "gateway.request_timeout_seconds: twice connect_timeout_seconds and request_timeout_seconds and once \
                 quote_timeout_seconds make {longest} s: together at most {LONGEST_CAPTURE_SECONDS}, so that a capture \
                 ends before its timeout of 90 s"
            )
        })
    }

    /// Whose time a run goes by, with the default filled in.
    #[must_use]
    pub fn clock_source(&self) -> ClockSource {
        let embedded = self.kind == GatewayKind::Simulated && self.address.is_none();
        self.clock.unwrap_or(if embedded { ClockSource::Gateway } else { ClockSource::Machine })
    }

    /// The nightly reset.
    #[must_use]
    pub fn reset_window(&self) -> ResetWindow {
        ResetWindow { from: self.reset_from, until: self.reset_until }
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_seconds)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    /// Bound of one request for history in a run with this timeout: its own bound where the run has the time for it, else
    /// that of any request, so that a capture ends before its timeout.
    #[must_use]
    pub fn history_timeout(&self, run_timeout: Duration) -> Duration {
        let own = Duration::from_secs(self.history_timeout_seconds);
        if own <= run_timeout / HISTORY_SHARE { own } else { own.min(self.request_timeout()) }
    }

    pub(super) fn quote_timeout(&self) -> Duration {
        Duration::from_secs(self.quote_timeout_seconds)
    }

    pub(super) fn quote_settle(&self) -> Duration {
        Duration::from_millis(self.quote_settle_ms)
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_gateway_needs_an_address() {
        let config = GatewayConfig { kind: GatewayKind::Ib, ..GatewayConfig::default() };
        assert!(config.faults().iter().any(|f| f.contains("gateway.address is missing")), "{:?}", config.faults());
        assert!(GatewayConfig::default().faults().is_empty());
    }

    #[test]
    fn history_has_its_own_bound_where_the_run_has_the_time() {
        let config = GatewayConfig::default();
        let bound = |run| config.history_timeout(Duration::from_secs(run)).as_secs();
        assert_eq!((bound(3_600), bound(360), bound(90)), (60, 60, 15));
        let hasty = GatewayConfig { history_timeout_seconds: 2, ..GatewayConfig::default() };
        assert_eq!(hasty.history_timeout(Duration::from_secs(3)).as_secs(), 2);
    }

    #[test]
    fn all_faults_come_at_once() {
        let config = GatewayConfig {
            kind: GatewayKind::Ib,
            address: Some("localhost".to_owned()),
            clock: Some(ClockSource::Gateway),
            client_id_count: 0,
            quote_timeout_seconds: 0,
            ..GatewayConfig::default()
        };
        assert_eq!(config.faults().len(), 4, "{:?}", config.faults());
    }
}
