//! What a process works with: the configuration made real, with the simulated gateway inside where none is configured.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::calendar::{Calendar, CalendarId};
use crate::clock::SharedClock;
use crate::config::{Config, read_overrides};
use crate::gateway::simulated::{SimulatedClock, SimulatedConfig, SimulatedGateway, SyntheticTape, Tape};
use crate::gateway::{Endpoint, PacingLimits};
use crate::lake::Lake;
use crate::market::GatewayKind;
use crate::state::Ledger;

use super::{Calendars, Context, Failure, JobError, Progress, chain};

/// What every run of a process shares.
pub struct Environment {
    pub(super) config: Arc<Config>,
    pub(super) clock: SharedClock,
    pub(super) calendars: Calendars,
    pub(super) lake: Lake,
    pub(super) ledger: Option<Ledger>,
    pub(super) progress: Arc<dyn Progress>,
    /// Nothing older than this is written; none: no such bound.
    pub(super) floor: Option<DateTime<Utc>>,
    pub(super) address: String,
    pub(super) embedded: Option<SimulatedGateway>,
}

impl Environment {
    /// Opens the lake, reads the calendars, and starts the simulated gateway where none is configured.
    ///
    /// # Errors
    /// Where the lake is of another kind, the override file is unsound, or no port can be had.
    pub async fn prepare(config: Config, clock: SharedClock, progress: Arc<dyn Progress>) -> Result<Self, JobError> {
        let calendars = calendars(&config)?;
        let lake = Lake::open(&config.lake, config.gateway.kind)?;
        let embedded = match (config.gateway.kind, &config.gateway.address) {
            (GatewayKind::Simulated, None) => Some(start_embedded(&config, &calendars, &clock).await?),
            _ => None,
        };
        let address = match (&embedded, &config.gateway.address) {
            (Some(gateway), _) => gateway.address().to_string(),
            (None, Some(address)) => address.clone(),
            (None, None) => return Err(JobError::fail(Failure::Misconfigured, "gateway.address is missing")),
        };
        let ledger = open_ledger(&config);
        Ok(Self { config: Arc::new(config), clock, calendars, lake, ledger, progress, floor: None, address, embedded })
    }

    /// The gateway of this process; pacing waits at most so long.
    #[must_use]
    pub fn endpoint(&self, patience: Duration) -> Endpoint {
        let pacing =
            if self.embedded.is_some() { PacingLimits::unlimited() } else { PacingLimits::documented(patience) };
        Endpoint {
            address: self.address.clone(),
            config: self.config.gateway.clone(),
            market: self.config.market.clone(),
            locks: self.config.paths.locks(),
            clock: self.clock.clone(),
            pacing,
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The market calendars.
    #[must_use]
    pub fn calendars(&self) -> &Calendars {
        &self.calendars
    }

    /// The tables.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A context for one attempt.
    #[must_use]
    pub fn context(&self, patience: Duration, run_id: &str) -> Context {
        Context::new(self, self.endpoint(patience), run_id.to_owned())
    }
}

/// Opens the ledger. A slot cannot be had later, its record can be done without: so a run goes on without a ledger, and
/// says so.
fn open_ledger(config: &Config) -> Option<Ledger> {
    let opened = Ledger::open(&config.paths.ledger());
    opened.map_err(|error| tracing::error!(error = %chain(&error), "runs of this process are not recorded")).ok()
}

/// The calendars with the operator's overrides.
///
/// # Errors
/// Where the override file is unsound.
pub fn calendars(config: &Config) -> Result<Calendars, JobError> {
    let overrides = match &config.calendar.override_file {
        Some(path) => read_overrides(path).map_err(|e| JobError::fail(Failure::Misconfigured, e))?,
        None => Vec::new(),
    };
    let load = |id| {
        let calendar = Calendar::embedded(id).with_overrides(&overrides);
        calendar.map_err(|error| JobError::fail(Failure::Misconfigured, error))
    };
    Ok(Calendars { futures: load(CalendarId::CmeEquity)?, nyse: load(CalendarId::Nyse)? })
}

/// The embedded gateway's clock stands at the newest slot, so that a newcomer sees full quotes on any day.
async fn start_embedded(
    config: &Config,
    calendars: &Calendars,
    clock: &SharedClock,
) -> Result<SimulatedGateway, JobError> {
    let now = clock.now();
    let recent = calendars.futures.slots(now - chrono::TimeDelta::days(10), now)?;
    let stands_at = recent.last().map_or(now, |slot| slot.instant());
    let tape = Tape::Synthetic(SyntheticTape::new(config.gateway.simulated_seed));
    let simulated = SimulatedConfig::new(tape, SimulatedClock::fixed(stands_at)).listing(&config.market)?;
    SimulatedGateway::start(simulated).await.map_err(|error| JobError::fail(Failure::Unavailable, error))
}
