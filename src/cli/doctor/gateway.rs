//! Checks of the gateway: it answers, its clock agrees, and each future has a lead contract.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::Config;
use crate::gateway::simulated::{SimulatedClock, SimulatedGateway};
use crate::gateway::{
    ChainScope, ClockSource, Endpoint, Gateway, GatewayConfig, GatewayError, IbGateway, PacingLimits,
};
use crate::job::{Calendars, Failure, JobError, start_embedded};
use crate::market::{GatewayKind, lead_contract};

use super::check::{Finding, Grade};

/// The checks, in the order of their findings.
pub(super) const NAMES: [&str; 3] = ["gateway", "clock", "contracts"];

/// From this difference between the clocks on there is a warning.
const NOTABLE_SKEW_SECONDS: i64 = 2;

/// Connects once and checks all three.
pub(super) async fn gateway(config: Config, calendars: &Calendars) -> Vec<Finding> {
    let clock: SharedClock = Arc::new(SystemClock);
    // Inside a folder of its own: what was not there before is not there afterwards.
    let locks = Removed(std::env::temp_dir().join(format!("frontmonth-doctor-{}", std::process::id())));
    let is_embedded = config.gateway.kind == GatewayKind::Simulated && config.gateway.address.is_none();
    let embedded = if is_embedded { inside(&config, calendars).await.map(Some) } else { Ok(None) };
    let embedded = match embedded {
        Ok(embedded) => embedded,
        Err(error) => return vec![Finding::failed(&error)],
    };
    let address_inside = embedded.as_ref().map(|gateway| gateway.address().to_string());
    let Some(address) = address_inside.clone().or_else(|| config.gateway.address.clone()) else {
        return vec![Finding::fail("gateway.address is missing", "give one, such as 127.0.0.1:4002")];
    };
    let endpoint = Endpoint {
        address,
        // How far the clocks are apart is judged here, so that it does not hide the rest.
        config: GatewayConfig { max_clock_skew_seconds: i64::MAX, ..config.gateway.clone() },
        market: config.market.clone(),
        locks: locks.0.clone(),
        clock,
        pacing: PacingLimits::unlimited(),
        history_timeout: config.gateway.history_timeout(std::time::Duration::ZERO),
    };
    let findings = ask(&endpoint, &config, address_inside.is_some()).await;
    if let Some(embedded) = embedded {
        embedded.shutdown().await;
    }
    findings
}

/// The gateway that a run without an address would start.
async fn inside(config: &Config, calendars: &Calendars) -> Result<SimulatedGateway, JobError> {
    let now = SystemClock.now();
    let stands_at = calendars.newest_slot(now)?.instant();
    start_embedded(config, SimulatedClock::fixed(stands_at)).await
}

/// A folder that is removed with what is in it.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn ask(endpoint: &Endpoint, config: &Config, is_inside: bool) -> Vec<Finding> {
    let gateway = match IbGateway::connect(endpoint).await {
        Ok(gateway) => gateway,
        Err(error) => {
            let asked = "not asked: the gateway does not answer";
            let mend = "mend the gateway first";
            return vec![unreachable(config, error), Finding::warn(asked, mend), Finding::warn(asked, mend)];
        }
    };
    let place = if is_inside { "inside this program".to_owned() } else { format!("at {}", endpoint.address) };
    let greeting = Finding::ok(format!("{} {place}, server version {}", gateway.kind(), gateway.server_version()));
    let told = gateway.server_now().await;
    let clock = told.as_ref().map_or_else(|error| Finding::failed(error), |told| judge_clock(config, *told));
    let contracts = contracts(&gateway, config).await;
    gateway.close().await;
    vec![greeting, clock, contracts]
}

fn unreachable(config: &Config, error: GatewayError) -> Finding {
    let is_reset = config.gateway.reset_window().contains(SystemClock.now());
    let finding = Finding::failed(&JobError::fail(Failure::Unavailable, error));
    if is_reset {
        let remedy = "it resets itself at this time of the night: ask again later".to_owned();
        return Finding { grade: Grade::Warn, remedy: Some(remedy), ..finding };
    }
    finding
}

fn judge_clock(config: &Config, told: DateTime<Utc>) -> Finding {
    let skew_seconds = (told - SystemClock.now()).num_seconds();
    if config.gateway.clock_source() == ClockSource::Gateway {
        return Finding::ok("runs go by the simulated gateway's time, not by this machine's");
    }
    let found = format!("the gateway's clock is {skew_seconds} s off this machine's");
    let remedy = match config.gateway.kind {
        GatewayKind::Ib => "set this machine's clock (timedatectl set-ntp true) or the gateway's",
        GatewayKind::Simulated => "set gateway.clock: gateway to go by the simulated time",
    };
    match skew_seconds.abs() {
        0..=NOTABLE_SKEW_SECONDS => Finding::ok("the gateway's agrees with this machine's"),
        apart if apart <= config.gateway.max_clock_skew_seconds => Finding::warn(found, remedy),
        _ => Finding::fail(found, remedy),
    }
}

async fn contracts(gateway: &IbGateway, config: &Config) -> Finding {
    let mut leads = Vec::new();
    let mut faults = Vec::new();
    for symbol in &config.market.futures {
        let lead = async {
            let chain = gateway.futures_chain(symbol, ChainScope::Listed).await?;
            Ok::<_, JobError>(lead_contract(&chain, gateway.now().await?, config.market.roll_rule)?)
        };
        match lead.await {
            Ok(lead) => leads.push(format!("{symbol} {}", lead.contract.local_symbol)),
            Err(error) => faults.push(format!("{symbol}: {}", crate::job::chain(&error))),
        }
    }
    if faults.is_empty() {
        return Finding::ok(leads.join(", "));
    }
    Finding::fail(faults.join("; "), "check market.futures, and at IBKR the permission to trade or see them")
}
