//! One client's connection, from its first byte to its last.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::counts::count;
use super::delivery::{Delivery, Outgoing, deliver, write_all};
use super::fault_kind::{FaultKind, RequestKind};
use super::frame::{RequestFrame, error_frame, read_request};
use super::handshake::shake_hands;
use super::messages::{
    Contract, ContractDataRequest, HeadTimestampRequest, HistoricalDataRequest, MarketDataRequest,
    MarketDataTypeRequest, RequestId, request_kind,
};
use super::requests::history::{PACING_VIOLATION, query_error};
use super::requests::market_data::Stream;
use super::requests::{Asked, NO_DEFINITION, time};
use super::server::Shared;

/// Frames waiting to be written; a client that does not read them holds its own requests up.
const MAX_OUTGOING: usize = 1_024;

/// Requests waiting to be answered.
const MAX_WAITING: usize = 64;

/// Answers held back by the fault `slow`.
const MAX_DELAYED: usize = 64;

/// Frames of a handshake for which a client waits at most, and one more.
const MAX_HANDSHAKE_FRAMES: usize = 101;

/// Market data lines of a connection: as many as a real gateway allows.
const MAX_STREAMS: usize = 100;

/// How often streams are told what changed.
const STREAM_PAUSE: Duration = Duration::from_secs(1);

/// How long the last frames may take to leave.
const FLUSH: Duration = Duration::from_secs(5);

/// Distance of a wrong request id from the right one.
const WRONG_ID_OFFSET: i32 = 5_000;

/// Notices behind the handshake: all farms are connected.
const FARMS: [(i32, &str); 3] = [
    (2104, "Market data farm connection is OK:usfuture"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
];

/// Serves one connection until either side ends it.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if let Err(error) = converse(stream, shared).await {
        // Clients leave by closing their socket: what a real gateway would log, too.
        tracing::debug!(%error, "simulated gateway lost a connection");
    }
}

async fn converse(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let struck = shared.faults.strike(shared.now(), RequestKind::Connection, None);
    if struck.has(FaultKind::Refuse) {
        return Ok(());
    }
    if struck.has(FaultKind::Silent) {
        let mut ignored = [0; 1_024];
        while stream.read(&mut ignored).await? > 0 {}
        return Ok(());
    }
    let Some(_client_id) = shake_hands(&mut stream, &shared, &struck).await? else { return Ok(()) };
    let close_after = struck.find(|fault| if let FaultKind::CloseAfter(most) = fault { Some(most) } else { None });
    let (reading, writing) = stream.into_split();
    let (queue, outgoing) = mpsc::channel(MAX_OUTGOING);
    let (requests, mut incoming) = mpsc::channel(MAX_WAITING);
    // Both end with this task.
    let mut halves = JoinSet::new();
    let writer = halves.spawn(write_all(writing, outgoing, close_after));
    halves.spawn(async move {
        let mut reading = BufReader::new(reading);
        while requests.send(read_request(&mut reading).await?).await.is_ok() {}
        Ok(())
    });
    Session::new(shared, queue, struck.has(FaultKind::AccountLate)).run(&mut incoming).await;
    let flushed = async {
        while halves.join_next_with_id().await.is_some_and(|end| end.is_ok_and(|(id, _)| id != writer.id())) {}
    };
    // A client that does not read gets no more time than this.
    let _ = timeout(FLUSH, flushed).await;
    Ok(())
}

/// The state of a connection behind its handshake.
struct Session {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Outgoing>,
    streams: HashMap<i32, Stream>,
    delayed: JoinSet<()>,
    market_data_kind: i32,
    /// Notices about the connections behind the gateway are told once.
    told: HashSet<i32>,
    /// Streams are silent while the gateway is cut off.
    cut_off: bool,
    /// More notices than a client waits for come before the account.
    is_account_late: bool,
}

/// Whether the connection goes on.
type Flow = ControlFlow<()>;

impl Session {
    fn new(shared: Arc<Shared>, queue: mpsc::Sender<Outgoing>, is_account_late: bool) -> Self {
        Self {
            shared,
            queue,
            streams: HashMap::new(),
            delayed: JoinSet::new(),
            market_data_kind: 1,
            told: HashSet::new(),
            cut_off: false,
            is_account_late,
        }
    }

    async fn run(mut self, incoming: &mut mpsc::Receiver<RequestFrame>) {
        let mut pause = interval(STREAM_PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flow = self.welcome().await;
        while flow.is_continue() {
            flow = tokio::select! {
                request = incoming.recv() => match request {
                    Some(request) => self.answer(request).await,
                    None => Flow::Break(()),
                },
                () = self.queue.closed() => Flow::Break(()),
                _ = pause.tick(), if !self.streams.is_empty() && !self.cut_off => self.tell_changes().await,
                Some(_) = self.delayed.join_next() => Flow::Continue(()),
            };
        }
    }

    async fn welcome(&self) -> Flow {
        let notices = FARMS.map(|(code, text)| self.notice(code, text));
        if self.is_account_late {
            let text = "Market data farm is connecting:usfuture";
            let flood = (0..MAX_HANDSHAKE_FRAMES).map(|_| Outgoing::Frame(self.notice(2119, text))).collect();
            if self.send_all(flood).await.is_break() {
                return Flow::Break(());
            }
        }
        let greeting = [time::managed_accounts(&self.shared.account), time::next_valid_id()];
        self.send_all(greeting.into_iter().chain(notices).map(Outgoing::Frame).collect()).await
    }

    /// An error or notice that belongs to no request.
    fn notice(&self, code: i32, text: &str) -> Bytes {
        error_frame(-1, code, text, self.shared.now().timestamp_millis())
    }

    async fn send_all(&self, out: Vec<Outgoing>) -> Flow {
        for outgoing in out {
            let closes = outgoing == Outgoing::Close;
            if self.queue.send(outgoing).await.is_err() || closes {
                return Flow::Break(());
            }
        }
        Flow::Continue(())
    }

    async fn tell_changes(&mut self) -> Flow {
        let now = self.shared.now();
        let catalogue = &self.shared.catalogue;
        let changes = self.streams.values_mut().flat_map(|stream| stream.changes(catalogue, now));
        let changes = changes.map(Outgoing::Frame).collect();
        self.send_all(changes).await
    }

    async fn answer(&mut self, request: RequestFrame) -> Flow {
        match self.dispatch(&request) {
            Ok(delivery) => self.send(delivery).await,
            Err(error) => {
                let text = format!("Error reading request: {error}");
                self.send_all(vec![Outgoing::Frame(self.notice(320, &text))]).await
            }
        }
    }

    async fn send(&mut self, delivery: Delivery) -> Flow {
        let Some(wait) = delivery.wait else { return self.send_all(delivery.out).await };
        while self.delayed.len() >= MAX_DELAYED {
            self.delayed.join_next().await;
        }
        let queue = self.queue.clone();
        self.delayed.spawn(async move {
            tokio::time::sleep(wait).await;
            for outgoing in delivery.out {
                if queue.send(outgoing).await.is_err() {
                    break;
                }
            }
        });
        Flow::Continue(())
    }

    fn dispatch(&mut self, request: &RequestFrame) -> Result<Delivery, prost::DecodeError> {
        let payload = request.payload.clone();
        let counts = &self.shared.counts;
        match request.kind {
            request_kind::CONTRACT_DETAILS => {
                count(&counts.contract_details);
                let request = ContractDataRequest::decode(payload)?;
                let query = request.contract.unwrap_or_default();
                let asked = self.ask(RequestKind::Details, request.req_id, Some(&query));
                Ok(self.deliver(RequestKind::Details, &asked, |shared| shared.catalogue.details(&asked, &query)))
            }
            request_kind::MARKET_DATA => Ok(self.market_data(&MarketDataRequest::decode(payload)?)),
            request_kind::HISTORY => Ok(self.history(&HistoricalDataRequest::decode(payload)?)),
            request_kind::HEAD_TIMESTAMP => {
                count(&counts.head_timestamps);
                let request = HeadTimestampRequest::decode(payload)?;
                let asked = self.ask(RequestKind::HeadTimestamp, request.req_id, request.contract.as_ref());
                Ok(self.deliver(RequestKind::HeadTimestamp, &asked, |s| s.catalogue.head_timestamp(&asked, &request)))
            }
            request_kind::CURRENT_TIME | request_kind::CURRENT_TIME_IN_MILLIS => {
                count(&counts.current_time);
                let asked = self.ask(RequestKind::Time, None, None);
                let told = if request.kind == request_kind::CURRENT_TIME {
                    time::current_time
                } else {
                    time::current_time_in_millis
                };
                Ok(self.deliver(RequestKind::Time, &asked, |_| vec![told(&asked)]))
            }
            _ => self.small(request),
        }
    }

    /// Requests that faults leave alone: settings, cancels, accounts and ids, and what a gateway without orders refuses.
    fn small(&mut self, request: &RequestFrame) -> Result<Delivery, prost::DecodeError> {
        let payload = request.payload.clone();
        let counts = &self.shared.counts;
        let frames = match request.kind {
            request_kind::MARKET_DATA_TYPE => {
                self.market_data_kind = MarketDataTypeRequest::decode(payload)?.market_data_type.unwrap_or(1);
                Vec::new()
            }
            request_kind::CANCEL_MARKET_DATA => {
                count(&counts.cancels);
                let id = RequestId::decode(payload)?.req_id.unwrap_or_default();
                let unknown = self.streams.remove(&id).is_none();
                let text = format!("Can't find EId with tickerId:{id}");
                unknown.then(|| error_frame(id, 300, &text, self.shared.now().timestamp_millis())).into_iter().collect()
            }
            request_kind::CANCEL_HISTORY => {
                // History is answered at once, so that a cancel always comes too late.
                count(&counts.cancels);
                let id = RequestId::decode(payload)?.req_id.unwrap_or_default();
                let text = format!("No historical data query found for ticker id:{id}");
                vec![error_frame(id, 366, &text, self.shared.now().timestamp_millis())]
            }
            request_kind::CANCEL_HEAD_TIMESTAMP | request_kind::CANCEL_CONTRACT_DETAILS => {
                count(&counts.cancels);
                Vec::new()
            }
            request_kind::IDS => vec![time::next_valid_id()],
            request_kind::MANAGED_ACCOUNTS => vec![time::managed_accounts(&self.shared.account)],
            request_kind::SERVER_LOG_LEVEL => Vec::new(),
            _ => {
                count(&counts.other);
                let id = RequestId::decode(payload).ok().and_then(|r| r.req_id).unwrap_or(-1);
                let text = "Error validating request.-'bZ' : cause - the simulated gateway serves market data only";
                vec![error_frame(id, 321, text, self.shared.now().timestamp_millis())]
            }
        };
        Ok(Delivery { wait: None, out: frames.into_iter().map(Outgoing::Frame).collect() })
    }

    fn market_data(&mut self, request: &MarketDataRequest) -> Delivery {
        let counts = &self.shared.counts;
        count(if request.snapshot.unwrap_or_default() { &counts.snapshots } else { &counts.streams });
        let asked = self.ask(RequestKind::MarketData, request.req_id, request.contract.as_ref());
        let mut opened = None;
        let kind = self.market_data_kind;
        let full = self.streams.len() >= MAX_STREAMS;
        let delivery = self.deliver(RequestKind::MarketData, &asked, |shared| {
            if full {
                return vec![asked.error(101, "Max number of tickers has been reached")];
            }
            let answer = shared.catalogue.market_data(&asked, request, kind);
            opened = answer.stream;
            answer.frames
        });
        let silent = asked.struck.has(FaultKind::NoData);
        if let Some(stream) = opened.filter(|_| !silent) {
            self.streams.insert(request.req_id.unwrap_or_default(), stream);
        }
        delivery
    }

    fn history(&mut self, request: &HistoricalDataRequest) -> Delivery {
        let counts = &self.shared.counts;
        let is_schedule = request.what_to_show.as_deref() == Some("SCHEDULE");
        count(if is_schedule { &counts.schedules } else { &counts.history });
        let asked = self.ask(RequestKind::History, request.req_id, request.contract.as_ref());
        self.deliver(RequestKind::History, &asked, |shared| {
            let mut pacer = shared.pacer.lock().unwrap_or_else(PoisonError::into_inner);
            let violates = asked.struck.has(FaultKind::EnforcePacing) && pacer.violates(request, Instant::now());
            drop(pacer);
            if violates {
                return vec![asked.error(162, &query_error(PACING_VIOLATION))];
            }
            shared.catalogue.history(&asked, request)
        })
    }

    /// Takes a request in: the faults that strike it, and the id under which it is answered.
    fn ask(&self, kind: RequestKind, req_id: Option<i32>, query: Option<&Contract>) -> Asked {
        let now = self.shared.now();
        let symbol = query.and_then(|query| self.shared.catalogue.symbol_of(query, now));
        let struck = self.shared.faults.strike(self.shared.now(), kind, symbol.as_ref());
        let offset = if struck.has(FaultKind::WrongRequestId) { WRONG_ID_OFFSET } else { 0 };
        Asked { reply_id: req_id.unwrap_or_default().saturating_add(offset), now, struck }
    }

    /// Makes the answer and lays the faults over it.
    fn deliver(&mut self, kind: RequestKind, asked: &Asked, make: impl FnOnce(&Shared) -> Vec<Bytes>) -> Delivery {
        let shared = Arc::clone(&self.shared);
        if asked.struck.has(FaultKind::MessageRate) {
            let text = "Max rate of messages per second has been exceeded:max=50 rec=51 (1)";
            return Delivery { wait: None, out: vec![Outgoing::Frame(self.notice(100, text)), Outgoing::Close] };
        }
        if asked.struck.has(FaultKind::CutOff) {
            let mut out: Vec<Outgoing> = self.tell_upstream(1100).into_iter().map(Outgoing::Frame).collect();
            out.push(Outgoing::Frame(asked.error(NO_DEFINITION.0, NO_DEFINITION.1)));
            return Delivery { wait: None, out };
        }
        let upstream = asked.struck.find(|fault| if let FaultKind::Upstream(code) = fault { Some(code) } else { None });
        let Some(code) = upstream else {
            if kind != RequestKind::Time && kind != RequestKind::Details {
                self.cut_off = false;
            }
            return deliver(make(&shared), kind, &asked.struck);
        };
        let mut out: Vec<Outgoing> = self.tell_upstream(code).into_iter().map(Outgoing::Frame).collect();
        self.cut_off = !matches!(code, 1101 | 1102 | 2105);
        match code {
            1101 | 1102 => {
                let rest = deliver(make(&shared), kind, &asked.struck);
                out.extend(rest.out);
                Delivery { wait: rest.wait, out }
            }
            1300 => {
                out.push(Outgoing::Close);
                Delivery { wait: None, out }
            }
            _ => Delivery { wait: None, out },
        }
    }

    /// The notices about the connections behind the gateway, each once.
    fn tell_upstream(&mut self, code: i32) -> Vec<Bytes> {
        if code == 1101 {
            self.streams.clear();
        }
        let lost = (1100, "Connectivity between IB and Trader Workstation has been lost.");
        let notices = match code {
            1101 => vec![lost, (1101, "Connectivity between IB and Trader Workstation has been restored - data lost.")],
            1102 => vec![
                lost,
                (1102, "Connectivity between IB and Trader Workstation has been restored - data maintained."),
            ],
            1300 => vec![(
                1300,
                "TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port",
            )],
            // Another farm of the kind is up all the while.
            2103 => vec![
                (2103, "Market data farm connection is broken:usfuture"),
                (2104, "Market data farm connection is OK:cashfarm"),
            ],
            2105 => vec![
                (2105, "HMDS data farm connection is broken:ushmds"),
                (2106, "HMDS data farm connection is OK:fundfarm"),
            ],
            2110 => vec![(
                2110,
                "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
            )],
            _ => vec![lost],
        };
        notices
            .into_iter()
            .filter(|(code, _)| self.told.insert(*code))
            .map(|(code, text)| error_frame(-1, code, text, self.shared.now().timestamp_millis()))
            .collect()
    }
}
