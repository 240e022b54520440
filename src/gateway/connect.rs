//! Connecting: bounded in every step, with a client id of our own, and only to the kind of gateway that was meant.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ibapi::subscriptions::NoticeStream;
use ibapi::{Client, RateLimiter};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock::SharedClock;
use crate::market::{GatewayKind, MarketConfig};

use super::client_id::{ClientIdLease, lease};
use super::notices::{Upstream, upstream};
use super::{ClockSource, GatewayConfig, GatewayError, IbGateway, PacingLimits};

/// How long to wait for the farm notices after the handshake: a request sent before them may go unanswered.
const FARM_NOTICES: Duration = Duration::from_secs(2);

/// From this difference between the clocks on a warning is logged.
const NOTABLE_SKEW_SECONDS: i64 = 2;

/// Everything needed to connect to one gateway.
#[derive(Clone)]
pub struct Endpoint {
    /// Host and port.
    pub address: String,
    /// The section `gateway`.
    pub config: GatewayConfig,
    /// The section `market`, for contract specifications.
    pub market: MarketConfig,
    /// Folder of the leases and the pacing record.
    pub locks: PathBuf,
    /// This machine's clock.
    pub clock: SharedClock,
    /// Limits kept towards it.
    pub pacing: PacingLimits,
}

/// What the way from the gateway to IBKR looks like, from request-less notices.
#[derive(Debug, Clone, Default)]
pub(super) struct UpstreamState(Arc<Mutex<Option<i32>>>);

impl UpstreamState {
    /// The code of the notice that broke it, if it is broken.
    pub(super) fn broken_by(&self) -> Option<i32> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, code: i32) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match upstream(code) {
            Upstream::Broken => *state = Some(code),
            Upstream::Restored => *state = None,
            Upstream::Unrelated => {}
        }
    }
}

/// A connected client with what lives as long as the connection.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) upstream: UpstreamState,
    pub(super) kind: GatewayKind,
    pub(super) listener: JoinHandle<()>,
    pub(super) lease: ClientIdLease,
}

/// Connects with the first client id that is free, and checks that the gateway is of the kind that was meant.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<Connection, GatewayError> {
    let mut refused = Vec::new();
    loop {
        let lease = lease(&endpoint.locks, &endpoint.config, &refused)?;
        match handshake(endpoint, lease.id).await {
            Ok((client, notices)) => return welcome(endpoint, client, notices, lease).await,
            Err(Handshake::IdInUse) => refused.push(lease.id),
            Err(Handshake::Failed(error)) => return Err(error),
        }
    }
}

enum Handshake {
    IdInUse,
    Failed(GatewayError),
}

async fn handshake(endpoint: &Endpoint, client_id: i32) -> Result<(Client, NoticeStream), Handshake> {
    let waited = endpoint.config.connect_timeout();
    let address = endpoint.address.clone();
    let builder = Client::builder()
        .address(address.clone())
        .client_id(client_id)
        .max_reconnect_attempts(0)
        .one_shot_timeout(endpoint.config.request_timeout())
        .tcp_no_delay(true);
    let builder = match endpoint.pacing.messages_per_second {
        Some(messages) => builder.rate_limiter(RateLimiter::per_second(messages)),
        None => builder,
    };
    match timeout(waited, builder.connect_with_notice_stream()).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(ibapi::Error::ClientIdInUse { .. })) => Err(Handshake::IdInUse),
        Ok(Err(source)) => Err(Handshake::Failed(GatewayError::Unreachable { address, source })),
        Err(_) => Err(Handshake::Failed(GatewayError::Silent { address, waited })),
    }
}

async fn welcome(
    endpoint: &Endpoint,
    client: Client,
    notices: NoticeStream,
    lease: ClientIdLease,
) -> Result<Connection, GatewayError> {
    let upstream = UpstreamState::default();
    let (ready, mut is_ready) = watch::channel(FarmsSeen::default());
    let listener = tokio::spawn(listen(notices, upstream.clone(), ready));
    let kind = kind_of(client.handshake_managed_accounts());
    let connection = Connection { client, upstream, kind, listener, lease };
    let checked = async {
        check_kind(endpoint, kind)?;
        let _ = timeout(FARM_NOTICES, is_ready.wait_for(|seen| seen.all())).await;
        check_clock(endpoint, &connection.client).await
    };
    match checked.await {
        Ok(()) => Ok(connection),
        Err(error) => {
            connection.client.disconnect().await;
            connection.listener.abort();
            Err(error)
        }
    }
}

/// Which farms have said that they are there: market data, historical data, security definitions.
#[derive(Debug, Clone, Copy, Default)]
struct FarmsSeen([bool; 3]);

impl FarmsSeen {
    fn all(self) -> bool {
        self.0.iter().all(|seen| *seen)
    }

    fn note(&mut self, code: i32) {
        let [market, history, definitions] = &mut self.0;
        match code {
            2103 | 2104 | 2108 => *market = true,
            2105..=2107 => *history = true,
            2157 | 2158 => *definitions = true,
            1100 | 1300 | 2110 => self.0 = [true; 3],
            _ => {}
        }
    }
}

/// Follows the request-less notices until the connection ends.
async fn listen(mut notices: NoticeStream, upstream: UpstreamState, ready: watch::Sender<FarmsSeen>) {
    while let Some(notice) = notices.next().await {
        tracing::debug!(code = notice.code, message = %notice.message, "gateway notice");
        upstream.note(notice.code);
        ready.send_modify(|farms| farms.note(notice.code));
    }
}

/// The simulated gateway announces itself by an account that starts with `SIM`.
fn kind_of(accounts: &[String]) -> GatewayKind {
    let simulated = accounts.iter().any(|account| account.starts_with("SIM"));
    if simulated { GatewayKind::Simulated } else { GatewayKind::Ib }
}

fn check_kind(endpoint: &Endpoint, found: GatewayKind) -> Result<(), GatewayError> {
    let wanted = endpoint.config.kind;
    if found == wanted {
        return Ok(());
    }
    let remedy = match found {
        GatewayKind::Ib => "set gateway.kind: ib and give lake.uri a folder for real data",
        GatewayKind::Simulated => "correct gateway.address, or set gateway.kind: simulated and another lake.uri",
    };
    Err(GatewayError::WrongKind {
        address: endpoint.address.clone(),
        found: found.as_str(),
        wanted: wanted.as_str(),
        remedy,
    })
}

/// Asks for the time: it proves that the gateway answers, and on this machine's clock that both agree.
async fn check_clock(endpoint: &Endpoint, client: &Client) -> Result<(), GatewayError> {
    let waited = endpoint.config.connect_timeout();
    let told = match timeout(waited, server_time(client, waited)).await {
        Ok(Err(GatewayError::TimedOut { .. })) | Err(_) => {
            return Err(GatewayError::Silent { address: endpoint.address.clone(), waited });
        }
        Ok(answer) => answer?,
    };
    if endpoint.config.clock_source() == ClockSource::Gateway {
        return Ok(());
    }
    let skew: TimeDelta = told - endpoint.clock.now();
    let skew_seconds = skew.num_seconds();
    if skew_seconds.abs() > endpoint.config.max_clock_skew_seconds {
        let remedy = match endpoint.config.kind {
            GatewayKind::Ib => "set this machine's clock (timedatectl set-ntp true) or the gateway's",
            GatewayKind::Simulated => {
                "for jobs run set gateway.clock: gateway to go by the simulated time; for jobs serve start the gateway without --now and --speed"
            }
        };
        return Err(GatewayError::ClockSkew { skew_seconds, remedy });
    }
    if skew_seconds.abs() > NOTABLE_SKEW_SECONDS {
        tracing::warn!(skew_seconds, "the gateway's clock and this machine's differ");
    }
    Ok(())
}

/// The gateway's time; the client was given the bound when it was built.
pub(super) async fn server_time(client: &Client, bound: Duration) -> Result<DateTime<Utc>, GatewayError> {
    let operation = || "asking the gateway for the time".to_owned();
    let told = match client.server_time_millis().await {
        Ok(told) => told,
        Err(ibapi::Error::Timeout) => {
            return Err(GatewayError::TimedOut { operation: operation(), waited: bound, hint: String::new() });
        }
        Err(source) => return Err(super::ib::failed(operation(), source)),
    };
    let unreadable =
        || GatewayError::Unreadable { operation: operation(), source: ibapi::Error::Simple(told.to_string()) };
    to_utc(told).ok_or_else(unreadable)
}

/// Converts the client's kind of instant to ours.
pub(super) fn to_utc(at: time::OffsetDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.unix_timestamp(), at.nanosecond())
}

/// Connects, asks the time and the chain of one future, and tells what each step found, for `jobs gateway probe`.
///
/// # Errors
/// The first step that fails.
pub async fn probe(endpoint: &Endpoint) -> Result<Vec<(&'static str, String)>, GatewayError> {
    use super::{ChainScope, Gateway};
    let gateway = IbGateway::connect(endpoint).await?;
    let mut steps = vec![
        ("handshake", format!("server version {}, {}", gateway.server_version(), gateway.kind())),
        ("clock", gateway.server_now().await?.to_rfc3339()),
    ];
    for symbol in &endpoint.market.futures {
        let chain = gateway.futures_chain(symbol, ChainScope::Listed).await?;
        let names: Vec<&str> = chain.iter().map(|c| c.local_symbol.as_str()).collect();
        steps.push(("contracts", format!("{symbol}: {}", names.join(", "))));
    }
    gateway.close().await;
    Ok(steps)
}
