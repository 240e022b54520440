//! The kinds of faults: their names, what they take, and which requests they touch.

use std::time::Duration;

/// A kind of request, as far as faults tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// The connection itself, up to the end of the handshake.
    Connection,
    /// Contract details.
    Details,
    /// Market data, snapshot or stream.
    MarketData,
    /// Historical bars and schedules.
    History,
    /// Time of the first bar.
    HeadTimestamp,
    /// The gateway's time.
    Time,
}

/// A part of a quote that can be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Bid and its size.
    Bid,
    /// Ask and its size.
    Ask,
    /// Last, its size and its time.
    Last,
    /// Volume of the session.
    Volume,
    /// Open interest.
    OpenInterest,
    /// Implied volatility.
    ImpliedVol,
    /// Every tick.
    All,
    /// The end of a snapshot.
    End,
}

/// Why history is refused, all under the code 162.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryRefusal {
    /// Pacing violation.
    Pacing,
    /// The query returned no data.
    NoData,
    /// No market data permissions.
    Permissions,
    /// The query was cancelled.
    Cancelled,
    /// The user is logged in elsewhere.
    Elsewhere,
}

/// What is wrong with the contracts that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContractFlaw {
    /// They are another symbol's.
    Symbol,
    /// They are of another exchange.
    Exchange,
    /// They have another multiplier.
    Multiplier,
    /// Those with another multiplier stand beside the right ones.
    Multipliers,
    /// They have no identifier.
    NoConId,
    /// All symbols' contracts have the same identifiers.
    SharedConId,
}

/// What the first ticks of a stream are, before the quote comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Early {
    /// Bid and ask of -1.
    NoQuote,
    /// A bid whose ask has yet to follow.
    Apart,
    /// A last trade of yesterday.
    Stale,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The port refuses connections.
    Refuse,
    /// Accepts and never answers.
    Silent,
    /// Announces a version that is too old.
    RejectVersion,
    /// Closes behind the acknowledgement.
    CloseAfterHello,
    /// The client id is in use.
    ClientIdInUse,
    /// Closes after so many messages.
    CloseAfter(u32),
    /// Closes in the middle of an answer.
    CloseAt(RequestKind),
    /// Sends half a frame, then nothing more.
    HalfFrame,
    /// Sends a frame of no known kind before the answer.
    GarbageFrame,
    /// Sends a length no frame can have.
    OversizedFrame,
    /// Sends the answer byte by byte.
    SlowTrickle,
    /// Answers nothing after the handshake.
    NoData,
    /// Answers under another request id.
    WrongRequestId,
    /// Waits before each answer.
    Slow(Duration),
    /// Tells the time wrong by so many seconds.
    ClockOff(i64),
    /// Maximum rate of messages exceeded, then closes.
    MessageRate,
    /// A notice about the connections behind the gateway: 1100, 1101, 1102, 1300, 2103, 2105, 2110.
    Upstream(i32),
    /// An error or advisory instead of market data: 200, 321, 354, 420, 10089, 10168, 10197.
    MarketData(i32),
    /// Delayed market data behind the advisory 10167.
    Delayed,
    /// A part of the quote is missing.
    Missing(Field),
    /// Prices of -1.
    NegativePrices,
    /// Prices that are no number.
    Nan,
    /// Bid above ask.
    Crossed,
    /// The last trade is so many seconds older.
    Stale(i64),
    /// Trading is halted.
    Halted,
    /// Sizes of 0.
    SizeZero,
    /// Sizes that mean "not set".
    UnsetSizes,
    /// History is refused.
    History(HistoryRefusal),
    /// The notice 165 comes before the bars.
    HistoryReconnected,
    /// The rules of pacing are enforced.
    EnforcePacing,
    /// Every seventh bar is missing.
    BarsMissing,
    /// The end marker comes before the bars.
    MarkerFirst,
    /// History is refused with a code of its own: 166, 366.
    HistoryCode(i32),
    /// History lacks its newest minutes behind the notice 2188, and its last bar is cut.
    HistoryCut,
    /// Waits before each answer of history.
    SlowHistory(Duration),
    /// The paper trading disclaimer is not accepted: the notice, then silence.
    Disclaimer,
    /// More notices than a client waits for come before the account.
    AccountLate,
    /// Cut off from IBKR: the notice 1100, and then no contract is known.
    CutOff,
    /// Contracts that were not asked for.
    OtherContract(ContractFlaw),
    /// A number or a date that is none.
    Unreadable,
    /// The first ticks are not the quote, which follows a second later.
    Early(Early),
    /// The last trade is of another day and has no time.
    OldLast,
    /// The time of the last trade is 0.
    StampZero,
    /// The volume of ETFs in lots of a hundred.
    Lots,
}

type Row = (&'static str, &'static str, fn(Option<&str>) -> Option<FaultKind>);

/// Name, help, and how the argument is read.
const KINDS: [Row; 57] = [
    ("refuse", "the port refuses connections", |a| bare(a, FaultKind::Refuse)),
    ("silent", "accepts connections and never answers", |a| bare(a, FaultKind::Silent)),
    ("reject-version", "announces version 212, too old for any client", |a| bare(a, FaultKind::RejectVersion)),
    ("close-after-hello", "closes behind the acknowledgement", |a| bare(a, FaultKind::CloseAfterHello)),
    ("326", "the client id is in use; 326:N the first N times", |a| {
        a.is_none_or(|n| n.parse::<u32>().is_ok()).then_some(FaultKind::ClientIdInUse)
    }),
    ("close", "closes after N messages (close@N) or within an answer (close:market_data, :history, :details)", close),
    ("half-frame", "sends half a frame, then nothing more", |a| bare(a, FaultKind::HalfFrame)),
    ("garbage-frame", "sends a frame of no known kind before the answer", |a| bare(a, FaultKind::GarbageFrame)),
    ("oversized-frame", "sends a length that no frame can have", |a| bare(a, FaultKind::OversizedFrame)),
    ("slow-trickle", "sends answers byte by byte", |a| bare(a, FaultKind::SlowTrickle)),
    ("no-data", "a clean handshake, then silence", |a| bare(a, FaultKind::NoData)),
    ("wrong-request-id", "answers under another request id", |a| bare(a, FaultKind::WrongRequestId)),
    ("slow", "slow:SECONDS waits before each answer", |a| {
        Duration::try_from_secs_f64(a?.parse().ok()?).ok().map(FaultKind::Slow)
    }),
    ("clock-off", "clock-off:SECONDS tells the time wrong, in its answers and ticks", |a| {
        seconds(a, FaultKind::ClockOff)
    }),
    ("100", "maximum rate of messages exceeded, then closes", |a| bare(a, FaultKind::MessageRate)),
    ("1100", "connectivity lost: the notice, then no data", |a| bare(a, FaultKind::Upstream(1100))),
    ("1101", "connectivity lost and restored, data lost: open streams fall silent", |a| {
        bare(a, FaultKind::Upstream(1101))
    }),
    ("1102", "connectivity lost and restored, data maintained", |a| bare(a, FaultKind::Upstream(1102))),
    ("1300", "the socket port was reset: the notice, then closes", |a| bare(a, FaultKind::Upstream(1300))),
    ("2103", "market data farm broken: the notice, then no market data", |a| bare(a, FaultKind::Upstream(2103))),
    ("2105", "historical data farm broken: the notice, then no history", |a| bare(a, FaultKind::Upstream(2105))),
    ("2110", "connectivity to the server broken: the notice, then no data", |a| bare(a, FaultKind::Upstream(2110))),
    ("200", "no security definition for the request", |a| bare(a, FaultKind::MarketData(200))),
    ("321", "the request does not validate", |a| bare(a, FaultKind::MarketData(321))),
    ("354", "market data is not subscribed", |a| bare(a, FaultKind::MarketData(354))),
    ("420", "invalid real-time query", |a| bare(a, FaultKind::MarketData(420))),
    ("10089", "additional subscription required: the advisory, then silence", |a| {
        bare(a, FaultKind::MarketData(10089))
    }),
    ("10168", "not subscribed, and delayed data is not enabled", |a| bare(a, FaultKind::MarketData(10168))),
    ("10197", "no market data during a competing session", |a| bare(a, FaultKind::MarketData(10197))),
    ("10167", "delayed market data behind its advisory", |a| bare(a, FaultKind::Delayed)),
    ("delayed", "the same as 10167", |a| bare(a, FaultKind::Delayed)),
    ("missing", "missing:FIELD of bid, ask, last, volume, open_interest, implied_vol, all, end", missing),
    ("negative-prices", "prices of -1", |a| bare(a, FaultKind::NegativePrices)),
    ("nan", "prices that are no number", |a| bare(a, FaultKind::Nan)),
    ("crossed", "the bid above the ask", |a| bare(a, FaultKind::Crossed)),
    ("stale", "stale:SECONDS makes the last trade older", |a| seconds(a, FaultKind::Stale)),
    ("halted", "trading is halted", |a| bare(a, FaultKind::Halted)),
    ("size-zero", "sizes and volumes of 0", |a| bare(a, FaultKind::SizeZero)),
    ("unset-sizes", "sizes and volumes that mean 'not set'", |a| bare(a, FaultKind::UnsetSizes)),
    ("162", "history refused: 162:pacing, 162:nodata, 162:permissions, 162:cancelled or 162:elsewhere", refusal),
    ("166", "history refused: the contract has expired", |a| bare(a, FaultKind::HistoryCode(166))),
    ("366", "history refused: the query is not known", |a| bare(a, FaultKind::HistoryCode(366))),
    ("2188", "history without its newest minutes, its last bar cut", |a| bare(a, FaultKind::HistoryCut)),
    ("slow-history", "slow-history:SECONDS waits before each answer of history", |a| {
        Duration::try_from_secs_f64(a?.parse().ok()?).ok().map(FaultKind::SlowHistory)
    }),
    ("10141", "the paper trading disclaimer is not accepted: the notice, then silence", |a| {
        bare(a, FaultKind::Disclaimer)
    }),
    ("account-late", "more notices than a client waits for before the account", |a| bare(a, FaultKind::AccountLate)),
    ("cut-off", "cut off from IBKR: 1100, then 200 for every contract", |a| bare(a, FaultKind::CutOff)),
    ("contract", "contract:FLAW of symbol, exchange, multiplier, multipliers, no-con-id, shared-con-id", |a| {
        named(&FLAWS, a).map(FaultKind::OtherContract)
    }),
    ("unreadable", "a number or a date that is none", |a| bare(a, FaultKind::Unreadable)),
    ("early", "early:WHAT first, of no-quote, apart, stale; the quote a second later", |a| {
        named(&EARLY, a).map(FaultKind::Early)
    }),
    ("old-last", "the last trade is of another day, without a time", |a| bare(a, FaultKind::OldLast)),
    ("stamp-zero", "the time of the last trade is 0", |a| bare(a, FaultKind::StampZero)),
    ("lots", "the volume of ETFs in lots of a hundred", |a| bare(a, FaultKind::Lots)),
    ("165", "a notice of reconnection before the bars", |a| bare(a, FaultKind::HistoryReconnected)),
    ("pacing", "the rules of pacing are enforced", |a| bare(a, FaultKind::EnforcePacing)),
    ("bars-missing", "every seventh bar is missing", |a| bare(a, FaultKind::BarsMissing)),
    ("marker-first", "the end marker before the bars", |a| bare(a, FaultKind::MarkerFirst)),
];

const FIELDS: [(&str, Field); 8] = [
    ("bid", Field::Bid),
    ("ask", Field::Ask),
    ("last", Field::Last),
    ("volume", Field::Volume),
    ("open_interest", Field::OpenInterest),
    ("implied_vol", Field::ImpliedVol),
    ("all", Field::All),
    ("end", Field::End),
];

const FLAWS: [(&str, ContractFlaw); 6] = [
    ("symbol", ContractFlaw::Symbol),
    ("exchange", ContractFlaw::Exchange),
    ("multiplier", ContractFlaw::Multiplier),
    ("multipliers", ContractFlaw::Multipliers),
    ("no-con-id", ContractFlaw::NoConId),
    ("shared-con-id", ContractFlaw::SharedConId),
];

const EARLY: [(&str, Early); 3] = [("no-quote", Early::NoQuote), ("apart", Early::Apart), ("stale", Early::Stale)];

const REFUSALS: [(&str, HistoryRefusal); 5] = [
    ("pacing", HistoryRefusal::Pacing),
    ("nodata", HistoryRefusal::NoData),
    ("permissions", HistoryRefusal::Permissions),
    ("cancelled", HistoryRefusal::Cancelled),
    ("elsewhere", HistoryRefusal::Elsewhere),
];

const STAGES: [(&str, RequestKind); 3] =
    [("market_data", RequestKind::MarketData), ("history", RequestKind::History), ("details", RequestKind::Details)];

/// Name and one line of help of every kind of fault, for the command line.
#[must_use]
pub fn fault_kinds() -> Vec<(&'static str, &'static str)> {
    KINDS.iter().map(|(name, help, _)| (*name, *help)).collect()
}

/// The kind of a name and its argument.
pub(super) fn parse(name: &str, argument: Option<&str>) -> Option<FaultKind> {
    KINDS.iter().find(|(known, ..)| *known == name).and_then(|(_, _, read)| read(argument))
}

fn bare(argument: Option<&str>, kind: FaultKind) -> Option<FaultKind> {
    argument.is_none().then_some(kind)
}

fn seconds(argument: Option<&str>, kind: fn(i64) -> FaultKind) -> Option<FaultKind> {
    argument?.parse().ok().map(kind)
}

fn close(argument: Option<&str>) -> Option<FaultKind> {
    named(&STAGES, argument).map(FaultKind::CloseAt)
}

fn missing(argument: Option<&str>) -> Option<FaultKind> {
    named(&FIELDS, argument).map(FaultKind::Missing)
}

fn refusal(argument: Option<&str>) -> Option<FaultKind> {
    named(&REFUSALS, argument).map(FaultKind::History)
}

fn named<T: Copy>(table: &[(&str, T)], name: Option<&str>) -> Option<T> {
    table.iter().find(|(known, _)| Some(*known) == name).map(|(_, value)| *value)
}

fn name_in<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> Option<String> {
    table.iter().find(|(_, known)| known == value).map(|(name, _)| (*name).to_owned())
}

impl FaultKind {
    /// The name in the table, and the argument as it is written.
    pub(super) fn name_and_argument(&self) -> (&'static str, Option<String>) {
        match self {
            Self::CloseAfter(_) => ("close", None),
            Self::CloseAt(stage) => ("close", name_in(&STAGES, stage)),
            Self::Slow(wait) => ("slow", Some(wait.as_secs_f64().to_string())),
            Self::ClockOff(seconds) => ("clock-off", Some(seconds.to_string())),
            Self::Stale(seconds) => ("stale", Some(seconds.to_string())),
            Self::Missing(field) => ("missing", name_in(&FIELDS, field)),
            Self::History(refusal) => ("162", name_in(&REFUSALS, refusal)),
            Self::SlowHistory(wait) => ("slow-history", Some(wait.as_secs_f64().to_string())),
            Self::OtherContract(flaw) => ("contract", name_in(&FLAWS, flaw)),
            Self::Early(early) => ("early", name_in(&EARLY, early)),
            bare => (KINDS.iter().find(|(.., read)| read(None) == Some(*bare)).map_or("", |(name, ..)| *name), None),
        }
    }

    /// Whether it touches a kind of request.
    pub(super) fn touches(&self, request: RequestKind) -> bool {
        use RequestKind::{Connection, Details, HeadTimestamp, History, MarketData, Time};
        match self {
            Self::Refuse
            | Self::Silent
            | Self::RejectVersion
            | Self::CloseAfterHello
            | Self::ClientIdInUse
            | Self::Disclaimer
            | Self::AccountLate
            | Self::CloseAfter(_) => request == Connection,
            Self::OtherContract(_) => request == Details,
            Self::CutOff => matches!(request, Details | MarketData | History | HeadTimestamp),
            Self::Unreadable => matches!(request, MarketData | History),
            Self::CloseAt(stage) => request == *stage,
            Self::HalfFrame
            | Self::GarbageFrame
            | Self::OversizedFrame
            | Self::SlowTrickle
            | Self::NoData
            | Self::WrongRequestId
            | Self::Slow(_)
            | Self::MessageRate => request != Connection,
            Self::ClockOff(_) => matches!(request, Time | MarketData),
            Self::Upstream(2105) | Self::History(_) => matches!(request, History | HeadTimestamp),
            Self::MarketData(200) => matches!(request, Details | MarketData | History | HeadTimestamp),
            Self::Upstream(2103)
            | Self::Delayed
            | Self::Missing(_)
            | Self::NegativePrices
            | Self::Nan
            | Self::Crossed
            | Self::Stale(_)
            | Self::Halted
            | Self::SizeZero
            | Self::UnsetSizes
            | Self::Early(_)
            | Self::OldLast
            | Self::StampZero
            | Self::Lots => request == MarketData,
            Self::Upstream(_) | Self::MarketData(321) => matches!(request, MarketData | History | HeadTimestamp),
            Self::MarketData(_) => request == MarketData,
            Self::HistoryReconnected
            | Self::EnforcePacing
            | Self::BarsMissing
            | Self::MarkerFirst
            | Self::HistoryCut
            | Self::HistoryCode(_)
            | Self::SlowHistory(_) => request == History,
        }
    }
}
