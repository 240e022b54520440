//! An environment in which no time passes by itself: the same jobs over a clock, tables and a gateway of a simulation's
//! own.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use crate::clock::SharedClock;
use crate::config::Config;
use crate::gateway::simulated::SimulatedGateway;
use crate::lake::Lake;
use crate::state::Ledger;

use super::{Environment, JobError, NoProgress, calendars};

/// What a simulation brings with it.
pub struct SimulatedWorld {
    /// The clock that the simulation moves.
    pub clock: SharedClock,
    /// The tables.
    pub lake: Lake,
    /// The record of the runs.
    pub ledger: Ledger,
    /// The gateway, which goes by the same clock.
    pub gateway: SimulatedGateway,
    /// Nothing older than this is written.
    pub floor: DateTime<Utc>,
}

impl Environment {
    /// The environment of a simulation. The configuration's own tables, folders and gateway are not touched.
    ///
    /// # Errors
    /// Where the calendars' override file is unsound.
    pub fn simulated(mut config: Config, world: SimulatedWorld) -> Result<Self, JobError> {
        let calendars = calendars(&config)?;
        let address = world.gateway.address().to_string();
        // Of a gateway that is given by its address the machine's clock is asked: here the simulation's, which is both's.
        config.gateway.address = Some(address.clone());
        config.gateway.clock = None;
        Ok(Self {
            config: Arc::new(config),
            clock: world.clock,
            calendars,
            lake: world.lake,
            ledger: OnceLock::from(world.ledger),
            progress: Arc::new(NoProgress),
            floor: Some(world.floor),
            address,
            embedded: Some(world.gateway),
        })
    }
}
