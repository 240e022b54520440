//! What a job works with, made anew for each attempt.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::OnceCell;

use crate::calendar::{Calendar, Slot};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::gateway::{ClockSource, Endpoint, Gateway, IbGateway};
use crate::lake::{Lake, TableName};
use crate::market::Dividends;
use crate::state::Ledger;

use super::{Counts, Failure, JobError, Progress};

/// Longest stretch without an open slot: a weekend with holidays on both sides, and room.
const LONGEST_CLOSURE: TimeDelta = TimeDelta::days(10);

/// The market calendars.
#[derive(Debug, Clone)]
pub struct Calendars {
    /// CME equity index futures.
    pub futures: Calendar,
    /// The New York Stock Exchange.
    pub nyse: Calendar,
    /// The days on which ETFs go ex.
    pub dividends: Dividends,
}

impl Calendars {
    /// The calendar whose sessions a table's rows belong to.
    #[must_use]
    pub fn of(&self, table: TableName) -> &Calendar {
        match table {
            TableName::SpotSnapshots | TableName::SpotDaily => &self.nyse,
            _ => &self.futures,
        }
    }

    /// The newest slot at or before an instant.
    ///
    /// # Errors
    /// Where the calendar does not reach there.
    pub fn newest_slot(&self, now: DateTime<Utc>) -> Result<Slot, JobError> {
        let recent = self.futures.slots(now - LONGEST_CLOSURE, now)?;
        let none = || JobError::fail(Failure::Failed, format!("the calendar has no slot in the ten days before {now}"));
        recent.last().copied().ok_or_else(none)
    }
}

/// What a job works with. One connection to the gateway serves the whole attempt.
pub struct Context {
    /// The configuration.
    pub config: Arc<Config>,
    /// This machine's clock.
    pub clock: SharedClock,
    /// The market calendars.
    pub calendars: Calendars,
    /// The tables.
    pub lake: Lake,
    /// The record of the runs, where there is one.
    pub ledger: Option<Ledger>,
    /// Who watches.
    pub progress: Arc<dyn Progress>,
    /// Nothing older than this is to be written; none: no such bound.
    pub floor: Option<DateTime<Utc>>,
    /// Name of the run in logs, locks and the ledger.
    pub run_id: String,
    /// What this attempt wrote so far, however it ends.
    written: Mutex<Counts>,
    endpoint: Endpoint,
    gateway: OnceCell<Arc<dyn Gateway>>,
}

impl Context {
    pub(super) fn new(environment: &super::Environment, endpoint: Endpoint, run_id: String) -> Self {
        Self {
            config: environment.config.clone(),
            clock: environment.clock.clone(),
            calendars: environment.calendars.clone(),
            lake: environment.lake.clone(),
            ledger: environment.ledger().cloned(),
            progress: environment.progress.clone(),
            floor: environment.floor,
            run_id,
            written: Mutex::default(),
            endpoint,
            gateway: OnceCell::new(),
        }
    }

    /// The gateway, connected at the first call.
    ///
    /// # Errors
    /// Where no connection can be made.
    pub async fn gateway(&self) -> Result<Arc<dyn Gateway>, JobError> {
        let connect =
            || async { Ok::<Arc<dyn Gateway>, JobError>(Arc::new(IbGateway::connect(&self.endpoint).await?)) };
        self.gateway.get_or_try_init(connect).await.cloned()
    }

    /// The instant that counts: this machine's, or with `clock: gateway` the simulated gateway's.
    ///
    /// # Errors
    /// Where the gateway is to tell the time and does not.
    pub async fn now(&self) -> Result<DateTime<Utc>, JobError> {
        match self.endpoint.config.clock_source() {
            ClockSource::Machine => Ok(self.clock.now()),
            ClockSource::Gateway => Ok(self.gateway().await?.now().await?),
        }
    }

    /// The newest slot at or before an instant.
    ///
    /// # Errors
    /// Where the calendar does not reach there.
    pub fn newest_slot(&self, now: DateTime<Utc>) -> Result<Slot, JobError> {
        self.calendars.newest_slot(now)
    }

    /// Takes in rows that were written: an attempt that is cut off later has written them all the same.
    pub fn note_written(&self, counts: Counts) {
        let rows = Counts { added: counts.added, replaced: counts.replaced, ..Counts::default() };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).add(rows);
    }

    /// What this attempt wrote so far.
    #[must_use]
    pub fn written(&self) -> Counts {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection, if there is one.
    pub async fn close(&self) {
        if let Some(gateway) = self.gateway.get() {
            gateway.close().await;
        }
    }
}
