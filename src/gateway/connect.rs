//! Connecting: bounded in every step, with a client id of our own, and only to the kind of gateway that was meant.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use ibapi::subscriptions::NoticeStream;
use ibapi::{Client, RateLimiter};
use tokio::time::timeout;

use crate::clock::SharedClock;
use crate::market::{GatewayKind, MarketConfig};
use crate::telemetry::overhear;

use super::client_id::{ClientIdLease, lease};
use super::notices::{Reported, reported_words};
use super::upstream::Upstream;
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
    /// Bound of one request for historical bars.
    pub history_timeout: Duration,
}

/// A connected client with what lives as long as the connection.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) upstream: Upstream,
    pub(super) kind: GatewayKind,
    pub(super) notices: Notices,
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
        .one_shot_timeout(endpoint.history_timeout.max(endpoint.config.request_timeout()))
        .tcp_no_delay(true);
    let builder = match endpoint.pacing.messages_per_second {
        Some(messages) => builder.rate_limiter(RateLimiter::per_second(messages)),
        None => builder,
    };
    // The library keeps the notices of a handshake that fails to itself; it only prints them.
    let (connected, printed) = overhear(timeout(waited, builder.connect_with_notice_stream())).await;
    let notices: Vec<Reported> = printed.iter().filter_map(|line| Reported::parse(line)).collect();
    match connected {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(ibapi::Error::ClientIdInUse { .. })) => Err(Handshake::IdInUse),
        Ok(Err(source)) => Err(Handshake::Failed(refused_handshake(address, &notices, source))),
        Err(_) => Err(Handshake::Failed(turned_away(&address, &notices).unwrap_or_else(|| GatewayError::Silent {
            address,
            waited,
            reported: reported_words(&notices),
        }))),
    }
}

/// A handshake that ended, by what the gateway reported and how it ended.
fn refused_handshake(address: String, notices: &[Reported], source: ibapi::Error) -> GatewayError {
    if let ibapi::Error::ServerVersion(needed, found, _) = source {
        return GatewayError::TooOld { address, found, needed };
    }
    if let Some(error) = turned_away(&address, notices) {
        return error;
    }
    let remedy = match &source {
        ibapi::Error::ConnectionRejected(_) => {
            "it closed the connection at once: allow this machine in its API settings (Trusted IPs), or restart it"
        }
        ibapi::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it closed the connection during the handshake: log in to it, or restart it"
        }
        ibapi::Error::Io(_) => "start TWS or IB Gateway there, or correct gateway.address",
        _ => "what answers there cannot be read; correct gateway.address",
    };
    GatewayError::Unreachable { address, remedy, reported: reported_words(notices), source: Box::new(source) }
}

/// The first notice that turns the session away, where there is one.
fn turned_away(address: &str, notices: &[Reported]) -> Option<GatewayError> {
    let (notice, meaning) = notices.iter().find_map(|notice| Some((notice, notice.refusal()?)))?;
    Some(GatewayError::TurnedAway {
        address: address.to_owned(),
        code: notice.code,
        class: meaning.class,
        remedy: meaning.remedy,
        words: notice.words.clone(),
    })
}

async fn welcome(
    endpoint: &Endpoint,
    client: Client,
    notices: NoticeStream,
    lease: ClientIdLease,
) -> Result<Connection, GatewayError> {
    let (upstream, mut notices) = (Upstream::default(), notices);
    let kind = kind_of(client.handshake_managed_accounts());
    let checked = async {
        let kind = kind.ok_or_else(|| GatewayError::NoAccount { address: endpoint.address.clone() })?;
        check_kind(endpoint, kind)?;
        // Without the farms' introduction requests are sent all the same.
        let _ = timeout(FARM_NOTICES, introduce(&mut notices, &upstream)).await;
        check_clock(endpoint, &client).await?;
        Ok(kind)
    };
    let checked: Result<GatewayKind, GatewayError> = checked.await;
    let notices = Notices(Mutex::new(notices));
    match checked {
        Ok(kind) => Ok(Connection { client, upstream, kind, notices, lease }),
        Err(error) => {
            notices.drain_into(&upstream);
            client.disconnect().await;
            Err(error.with_reported(upstream.reported()))
        }
    }
}

/// Reads notices until the farms have introduced themselves, or the connection ends.
async fn introduce(notices: &mut NoticeStream, upstream: &Upstream) {
    while !upstream.is_introduced() {
        let Some(notice) = notices.next().await else { return };
        take_in(&notice, upstream);
    }
}

fn take_in(notice: &ibapi::Notice, upstream: &Upstream) {
    tracing::debug!(code = notice.code, message = %notice.message, "gateway notice");
    upstream.note(notice.code, &notice.message);
}

/// The notices of a connection that belong to no request, read when somebody asks what is broken: the library puts each there
/// before it hands out the answers that came after it.
pub(super) struct Notices(Mutex<NoticeStream>);

impl Notices {
    /// Takes in what has come since.
    pub(super) fn drain_into(&self, upstream: &Upstream) {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Some(notice)) = stream.next().now_or_never() {
            take_in(&notice, upstream);
        }
    }
}

/// The simulated gateway announces itself by an account that starts with `SIM`. Without any account nobody can know.
fn kind_of(accounts: &[String]) -> Option<GatewayKind> {
    let mut named = accounts.iter().filter(|account| !account.trim().is_empty()).peekable();
    named.peek()?;
    let simulated = named.any(|account| account.starts_with("SIM"));
    Some(if simulated { GatewayKind::Simulated } else { GatewayKind::Ib })
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
            let (address, reported) = (endpoint.address.clone(), String::new());
            return Err(GatewayError::Silent { address, waited, reported });
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

/// The gateway's time.
pub(super) async fn server_time(client: &Client, bound: Duration) -> Result<DateTime<Utc>, GatewayError> {
    let operation = || "asking the gateway for the time".to_owned();
    let told = match timeout(bound, client.server_time_millis()).await {
        Ok(Ok(told)) => told,
        Ok(Err(ibapi::Error::Timeout)) | Err(_) => {
            return Err(GatewayError::TimedOut { operation: operation(), waited: bound, hint: String::new() });
        }
        Ok(Err(source)) => return Err(super::ib::failed(operation(), source)),
    };
    let unreadable = || GatewayError::Unreadable {
        operation: operation(),
        what: "the time lies outside of the calendar".to_owned(),
        source: Box::new(ibapi::Error::Simple(told.to_string())),
    };
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
