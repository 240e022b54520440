//! The server: the port, the connections on it, and what they share.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::clock::SimulatedClock;
use super::config::{ACCOUNT_PREFIX, SimulatedConfig};
use super::connection::serve;
use super::counts::{Counts, RequestCounts, count};
use super::fault_book::FaultBook;
use super::requests::contracts::Catalogue;
use super::requests::pacing::Pacer;

/// Connections at a time: as many as a real gateway takes.
const MAX_CONNECTIONS: usize = 32;

/// Oldest version whose messages are all protobuf.
pub(super) const MIN_SERVER_VERSION: i32 = 213;

/// A running gateway. Dropped, it stops listening and ends its connections.
#[derive(Debug)]
pub struct SimulatedGateway {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) server_version: i32,
    pub(super) account: String,
    pub(super) catalogue: Catalogue,
    pub(super) faults: FaultBook,
    pub(super) counts: Counts,
    pub(super) clients: Mutex<HashSet<i32>>,
    pub(super) pacer: Mutex<Pacer>,
    clock: RwLock<SimulatedClock>,
}

impl Shared {
    /// The gateway's time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.read().unwrap_or_else(PoisonError::into_inner).now()
    }
}

impl SimulatedGateway {
    /// Begins to listen on 127.0.0.1.
    ///
    /// # Errors
    /// [`SimulatedError`] where the port is taken or the configuration cannot be.
    pub async fn start(config: SimulatedConfig) -> Result<Self, SimulatedError> {
        if !config.account.starts_with(ACCOUNT_PREFIX) {
            return Err(SimulatedError::Account(config.account));
        }
        if config.server_version < MIN_SERVER_VERSION {
            return Err(SimulatedError::ServerVersion(config.server_version));
        }
        let bind = |source| SimulatedError::Bind { port: config.port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let shared = Arc::new(Shared {
            server_version: config.server_version,
            account: config.account,
            catalogue: Catalogue::new(config.futures, config.etfs, config.tape),
            faults: FaultBook::new(config.faults),
            counts: Counts::default(),
            clients: Mutex::default(),
            pacer: Mutex::default(),
            clock: RwLock::new(config.clock),
        });
        // A port that was just bound and released is refused, and nobody else is likely to take it at once.
        let accepting = (!shared.faults.refuses()).then(|| tokio::spawn(accept(listener, Arc::clone(&shared))));
        tracing::debug!(%address, "simulated gateway listens");
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The gateway's time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.now()
    }

    /// Gives the gateway another time; open streams tell what changed within a second.
    pub fn set_clock(&self, clock: SimulatedClock) {
        *self.shared.clock.write().unwrap_or_else(PoisonError::into_inner) = clock;
    }

    /// How many requests of each kind were served.
    #[must_use]
    pub fn requests(&self) -> RequestCounts {
        self.shared.counts.read()
    }

    /// Stops listening, and returns when all connections are closed.
    pub async fn shutdown(mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // It was aborted: that it ended is all there is to know.
            let _ = accepting.await;
        }
    }
}

impl Drop for SimulatedGateway {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// Accepts connections; they end with this task.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    count(&shared.counts.connections);
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                Ok(_) => tracing::debug!(most = MAX_CONNECTIONS, "simulated gateway turns a connection away"),
                Err(error) => {
                    tracing::warn!(%error, "simulated gateway cannot accept");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A gateway that cannot start.
#[derive(Debug, Error)]
pub enum SimulatedError {
    /// The port cannot be had.
    #[error("cannot listen on 127.0.0.1:{port}: choose another port, or 0 for a free one")]
    Bind {
        /// The port.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The account would pass for a real one.
    #[error("the account '{0}' of a simulated gateway must begin with {ACCOUNT_PREFIX}")]
    Account(String),
    /// The version is of the text era.
    #[error("the simulated gateway cannot speak version {0}: use {MIN_SERVER_VERSION} to 226")]
    ServerVersion(i32),
}

#[cfg(test)]
mod tests {
    use super::super::tape::{SyntheticTape, Tape};
    use super::*;

    fn config() -> SimulatedConfig {
        let clock = SimulatedClock::fixed("2026-11-23T15:00:00Z".parse().expect("an instant"));
        SimulatedConfig::new(Tape::Synthetic(SyntheticTape::new(1)), clock)
    }

    #[tokio::test]
    async fn an_account_that_could_be_real_is_refused() {
        let config = SimulatedConfig { account: "DU1234567".to_owned(), ..config() };
        assert!(matches!(SimulatedGateway::start(config).await, Err(SimulatedError::Account(_))));
    }

    #[tokio::test]
    async fn it_listens_on_the_loopback_and_a_taken_port_is_told() {
        let gateway = SimulatedGateway::start(config()).await.expect("a free port");
        assert!(gateway.address().ip().is_loopback());
        let port = gateway.address().port();
        let error = SimulatedGateway::start(SimulatedConfig { port, ..config() }).await.expect_err("taken");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        gateway.shutdown().await;
        SimulatedGateway::start(SimulatedConfig { port, ..config() }).await.expect("free again");
    }
}
