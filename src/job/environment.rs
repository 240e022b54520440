//! What a process works with: the configuration made real, with the simulated gateway inside where none is configured.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, CalendarId};
use crate::clock::SharedClock;
use crate::config::{Config, read_dividends, read_overrides};
use crate::gateway::simulated::{SimulatedClock, SimulatedConfig, SimulatedGateway, SyntheticTape, Tape};
use crate::gateway::{ClockSource, Endpoint, PacingLimits};
use crate::lake::Lake;
use crate::market::{Dividends, GatewayKind};
use crate::state::{Ledger, LedgerError};

use super::{Calendars, Context, Failure, JobError, NoProgress, Progress, chain};

/// The share of its timeout that a run may wait for the gateway's pacing rules: 15 s of a capture, 10 min of a backfill.
const PACING_SHARE: u32 = 6;

/// What every run of a process shares.
pub struct Environment {
    pub(super) config: Arc<Config>,
    pub(super) clock: SharedClock,
    pub(super) calendars: Calendars,
    pub(super) lake: Lake,
    pub(super) ledger: OnceLock<Ledger>,
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
        Self::prepare_at(config, (clock, EmbeddedTime::NewestSlot), progress).await
    }

    /// The same for a process that stays: the simulated gateway inside goes by the process's clock, and so do the runs.
    ///
    /// # Errors
    /// As [`Environment::prepare`].
    pub async fn prepare_service(mut config: Config, clock: SharedClock) -> Result<Self, JobError> {
        config.gateway.clock = Some(ClockSource::Machine);
        Self::prepare_at(config, (clock, EmbeddedTime::Clock), Arc::new(NoProgress)).await
    }

    async fn prepare_at(
        config: Config,
        (clock, embedded_time): (SharedClock, EmbeddedTime),
        progress: Arc<dyn Progress>,
    ) -> Result<Self, JobError> {
        let calendars = calendars(&config)?;
        let lake = Lake::open(&config.lake, config.gateway.kind)?;
        let embedded = match (config.gateway.kind, &config.gateway.address) {
            (GatewayKind::Simulated, None) => {
                let now = clock.clone();
                let clock = match embedded_time {
                    EmbeddedTime::NewestSlot => SimulatedClock::fixed(newest_slot(&calendars, clock.now())?),
                    EmbeddedTime::Clock => SimulatedClock::machine(Arc::new(move || now.now())),
                };
                Some(start_embedded(&config, clock).await?)
            }
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

    /// The gateway of this process, for a run with this timeout. It waits a share of that for the gateway's pacing rules.
    #[must_use]
    pub fn endpoint(&self, run_timeout: Duration) -> Endpoint {
        let patience = run_timeout / PACING_SHARE;
        let pacing =
            if self.embedded.is_some() { PacingLimits::unlimited() } else { PacingLimits::documented(patience) };
        Endpoint {
            address: self.address.clone(),
            config: self.config.gateway.clone(),
            market: self.config.market.clone(),
            locks: self.config.paths.locks(),
            clock: self.clock.clone(),
            pacing,
            history_timeout: self.config.gateway.history_timeout(run_timeout),
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The market calendars.
    #[must_use]
    pub fn calendars(&self) -> &Calendars {
        &self.calendars
    }

    /// The record of the runs; none where it could not be opened.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.get()
    }

    /// With the ledger of another one, where its own could not be opened.
    #[must_use]
    pub fn or_ledger_of(self, other: &Self) -> Self {
        if let Some(ledger) = other.ledger() {
            self.ledger.get_or_init(|| ledger.clone());
        }
        self
    }

    /// Opens the ledger where it could not be opened before; gives it where it was opened now.
    ///
    /// # Errors
    /// Where it still cannot.
    pub fn open_ledger_late(&self) -> Result<Option<Ledger>, LedgerError> {
        if self.ledger.get().is_some() {
            return Ok(None);
        }
        let opened = Ledger::open(&self.config.paths.ledger())?;
        Ok(Some(self.ledger.get_or_init(|| opened).clone()))
    }

    /// The tables.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A context for one attempt of a run with this timeout.
    #[must_use]
    pub fn context(&self, run_timeout: Duration, run_id: &str) -> Context {
        Context::new(self, self.endpoint(run_timeout), run_id.to_owned())
    }
}

/// Opens the ledger. A slot cannot be had later, its record can be done without: so a run goes on without a ledger, and
/// says so.
fn open_ledger(config: &Config) -> OnceLock<Ledger> {
    match Ledger::open(&config.paths.ledger()) {
        Ok(ledger) => OnceLock::from(ledger),
        Err(error) => {
            tracing::error!(error = %chain(&error), "runs of this process are not recorded");
            OnceLock::new()
        }
    }
}

/// The ex-dates that the operator lists.
///
/// # Errors
/// Where the file is unsound.
pub fn dividends(config: &Config) -> Result<Dividends, JobError> {
    match &config.signals.dividends_file {
        Some(path) => read_dividends(path).map_err(|error| JobError::fail(Failure::Misconfigured, error)),
        None => Ok(Dividends::default()),
    }
}

/// The calendars with the operator's overrides and ex-dates.
///
/// # Errors
/// Where the override file is unsound.
pub fn calendars(config: &Config) -> Result<Calendars, JobError> {
    let misconfigured = |error| JobError::fail(Failure::Misconfigured, error);
    let overrides = config.calendar.override_file.as_deref().map(read_overrides).transpose().map_err(misconfigured)?;
    let load = |id| match &overrides {
        Some(overrides) => overrides.over(id).map_err(misconfigured),
        None => Ok(Calendar::embedded(id)),
    };
    // No quote is lost for a dividend: without them there is no basis, a check tells why, and captures go on.
    let dividends = dividends(config).unwrap_or_else(|error| {
        tracing::error!(error = %chain(&error), "no dividend is known");
        Dividends::unreadable(chain(&error))
    });
    Ok(Calendars { futures: load(CalendarId::CmeEquity)?, nyse: load(CalendarId::Nyse)?, dividends })
}

/// What time it is inside the embedded gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EmbeddedTime {
    /// It stands at the newest slot, so that a newcomer sees full quotes on any day.
    NewestSlot,
    /// It goes by the clock of the process.
    Clock,
}

fn newest_slot(calendars: &Calendars, now: DateTime<Utc>) -> Result<DateTime<Utc>, JobError> {
    let recent = calendars.futures.slots(now - TimeDelta::days(10), now)?;
    Ok(recent.last().map_or(now, |slot| slot.instant()))
}

/// Starts the embedded gateway with a clock of its own.
///
/// # Errors
/// Where a symbol is unknown, or no port can be had.
pub async fn start_embedded(config: &Config, clock: SimulatedClock) -> Result<SimulatedGateway, JobError> {
    let tape = Tape::Synthetic(SyntheticTape::new(config.gateway.simulated_seed));
    let simulated = SimulatedConfig::new(tape, clock).listing(&config.market)?;
    SimulatedGateway::start(simulated).await.map_err(|error| JobError::fail(Failure::Unavailable, error))
}
