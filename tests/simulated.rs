//! The production client, unmodified, against the simulated gateway over TCP.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "a test fails by panicking, its helpers too; prices and volumes must agree to the last bit"
)]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use frontmonth::gateway::simulated::{
    Fault, SimulatedClock, SimulatedConfig, SimulatedError, SimulatedGateway, SyntheticTape, Tape,
};
use futures::StreamExt;
use ibapi::contracts::tick_types::TickType;
use ibapi::contracts::{Contract, ContractDetails};
use ibapi::market_data::historical::{self, BarSize, BarTimestamp, WhatToShow};
use ibapi::market_data::realtime::{TickTypes, generic_tick};
use ibapi::market_data::{MarketDataType, TradingHours};
use ibapi::subscriptions::SubscriptionItem;
use ibapi::{Client, Error, Notice};

/// A Monday morning in New York: all markets are open, and the instant is a slot.
const OPEN: &str = "2026-11-23T15:00:00Z";

/// How long anything may take: far more than it does.
const BOUND: Duration = Duration::from_secs(20);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn config(faults: &[&str]) -> SimulatedConfig {
    let mut config = SimulatedConfig::new(Tape::Synthetic(SyntheticTape::new(42)), SimulatedClock::fixed(at(OPEN)));
    config.faults = faults.iter().map(|text| text.parse::<Fault>().expect("a fault")).collect();
    config
}

async fn gateway(faults: &[&str]) -> SimulatedGateway {
    SimulatedGateway::start(config(faults)).await.expect("a free port")
}

async fn try_connect(gateway: &SimulatedGateway, client_id: i32) -> Result<Client, Error> {
    let connect = Client::builder()
        .address(gateway.address().to_string())
        .client_id(client_id)
        .max_reconnect_attempts(0)
        .one_shot_timeout(Duration::from_secs(3))
        .connect();
    tokio::time::timeout(BOUND, connect).await.expect("connecting ends")
}

async fn connect(gateway: &SimulatedGateway) -> Client {
    try_connect(gateway, 7).await.expect("connected")
}

fn future(symbol: &str) -> Contract {
    Contract::futures(symbol).on_exchange("CME").in_currency("USD").any_month().build()
}

async fn details(client: &Client, query: &Contract) -> Result<Vec<ContractDetails>, Error> {
    client.contract_details_stream(query).subscribe().await?.collect_to_end_within(BOUND).await
}

async fn lead(client: &Client, symbol: &str) -> Contract {
    let chain = details(client, &future(symbol)).await.expect("a chain");
    chain.into_iter().min_by_key(|d| d.contract.last_trade_date).expect("listed").contract
}

async fn snapshot(client: &Client, contract: &Contract) -> Result<Vec<TickTypes>, Error> {
    client.market_data(contract).snapshot().subscribe().await?.collect_to_end_within(Duration::from_secs(3)).await
}

fn price(ticks: &[TickTypes], wanted: TickType) -> Option<f64> {
    ticks.iter().find_map(|tick| match tick {
        TickTypes::PriceSize(t) if t.price_tick_type == wanted => Some(t.price),
        TickTypes::Price(t) if t.tick_type == wanted => Some(t.price),
        _ => None,
    })
}

fn size(ticks: &[TickTypes], wanted: TickType) -> Option<f64> {
    ticks.iter().find_map(|tick| match tick {
        TickTypes::Size(t) if t.tick_type == wanted => Some(t.size),
        _ => None,
    })
}

fn code(result: Result<Vec<TickTypes>, Error>) -> i32 {
    match result {
        Err(Error::Notice(Notice { code, .. })) => code,
        other => panic!("an error of the gateway, not {other:?}"),
    }
}

async fn snapshot_with(fault: &str) -> Result<Vec<TickTypes>, Error> {
    let gateway = gateway(&[fault]).await;
    let client = connect(&gateway).await;
    let contract = lead(&client, "ES").await;
    snapshot(&client, &contract).await
}

async fn bars(client: &Client, contract: &Contract, size: BarSize, days: i32) -> Result<Vec<historical::Bar>, Error> {
    let request = client
        .historical_data(contract, size)
        .what_to_show(WhatToShow::Trades)
        .trading_hours(TradingHours::Extended)
        .duration(historical::Duration::days(days));
    request.fetch().await.map(|data| data.bars)
}

fn start(bar: &historical::Bar) -> DateTime<Utc> {
    match bar.date {
        BarTimestamp::DateTime(start) => DateTime::from_timestamp(start.unix_timestamp(), 0).expect("in range"),
        BarTimestamp::Date(date) => panic!("{date} is a day"),
    }
}

#[tokio::test]
async fn the_handshake_tells_version_account_and_time() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    assert_eq!(client.server_version(), 226);
    assert_eq!(client.handshake_managed_accounts(), ["SIM0000001"]);
    assert_eq!(client.server_time().await.expect("a time").unix_timestamp(), at(OPEN).timestamp());
    let millis = client.server_time_millis().await.expect("a time");
    assert_eq!(millis.unix_timestamp(), at(OPEN).timestamp());
    assert_eq!(client.managed_accounts().await.expect("accounts"), ["SIM0000001"]);
    assert_eq!((gateway.requests().connections, gateway.requests().current_time), (1, 2));
}

#[tokio::test]
async fn the_farms_are_told_after_the_handshake() {
    let gateway = gateway(&[]).await;
    let connecting = Client::builder().address(gateway.address().to_string()).client_id(1).connect_with_notice_stream();
    let (_client, mut notices) = connecting.await.expect("connected");
    let mut codes = Vec::new();
    while codes.len() < 3 {
        codes.push(tokio::time::timeout(BOUND, notices.next()).await.expect("in time").expect("a notice").code);
    }
    assert_eq!(codes, [2104, 2106, 2158]);
}

#[tokio::test]
async fn an_older_version_is_agreed_on() {
    let gateway =
        SimulatedGateway::start(SimulatedConfig { server_version: 213, ..config(&[]) }).await.expect("started");
    assert_eq!(connect(&gateway).await.server_version(), 213);
}

#[tokio::test]
async fn a_chain_lists_five_quarters_with_all_a_request_needs() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    let chain = details(&client, &future("RTY")).await.expect("a chain");
    let names: Vec<_> = chain.iter().map(|d| d.contract.local_symbol.as_str()).collect();
    assert_eq!(names, ["RTYZ6", "RTYH7", "RTYM7", "RTYU7", "RTYZ7"]);
    let first = chain.first().expect("a contract");
    assert_eq!((first.min_tick, first.contract.multiplier.as_str()), (0.1, "50"));
    assert_eq!(first.contract.last_trade_date.expect("a date").to_string(), "2026-12-18");
    assert_eq!((first.contract_month.as_str(), first.real_expiration_date.as_str()), ("202612", "20261218"));
    assert_eq!((first.under_security_type.as_str(), first.time_zone_id.as_str()), ("IND", "US/Central"));
    assert_eq!(first.trading_hours.first().map(String::as_str), Some("20261122:1700-20261123:1600"));
    assert_eq!(first.liquid_hours.first().map(String::as_str), Some("20261123:0830-20261123:1500"));
    let again = details(&client, &first.contract).await.expect("by itself");
    assert_eq!(again.len(), 1);
}

#[tokio::test]
async fn expired_and_continuous_contracts_and_etfs_are_found_where_asked_for() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    let mut query = future("ES");
    query.include_expired = true;
    let chain = details(&client, &query).await.expect("a chain");
    assert_eq!(chain.len(), 13, "eight expired, five listed");
    let continuous = details(&client, &Contract::continuous_futures("ES").build()).await.expect("one");
    assert_eq!(continuous.len(), 1);
    assert_eq!(continuous.first().map(|d| d.contract.local_symbol.as_str()), Some("ESZ6"));
    let etf = details(&client, &Contract::stock("SPY").build()).await.expect("one");
    assert_eq!(etf.first().map(|d| d.stock_type.as_str()), Some("ETF"));
    let unknown = details(&client, &future("XX")).await.expect_err("unknown");
    assert!(matches!(unknown, Error::Notice(ref notice) if notice.code == 200), "{unknown:?}");
}

#[tokio::test]
async fn a_snapshot_is_complete_and_agrees_with_the_bar_that_ends_there() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    for symbol in ["ES", "NQ", "RTY"] {
        let contract = lead(&client, symbol).await;
        let ticks = snapshot(&client, &contract).await.expect("a quote");
        let [bid, ask, last] =
            [TickType::Bid, TickType::Ask, TickType::Last].map(|t| price(&ticks, t).expect("a price"));
        assert!(bid < ask && bid <= last && last <= ask, "{bid} {ask} {last}");
        let bars = bars(&client, &contract, BarSize::Min5, 1).await.expect("bars");
        let newest = bars.last().expect("a bar");
        assert_eq!(start(newest) + TimeDelta::minutes(5), at(OPEN));
        assert_eq!(newest.close, last);
        assert_eq!(size(&ticks, TickType::Volume), Some(bars.iter().map(|b| b.volume).sum()));
    }
    assert_eq!(gateway.requests().snapshots, 3);
}

#[tokio::test]
async fn a_stream_tells_open_interest_and_implied_volatility_and_then_changes() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    let contract = lead(&client, "ES").await;
    let wanted = [generic_tick::FUTURES_OPEN_INTEREST, generic_tick::OPTION_IMPLIED_VOLATILITY];
    let mut stream = client.market_data(&contract).generic_ticks(&wanted).subscribe().await.expect("a stream");
    let mut ticks = Vec::new();
    let complete = |ticks: &[TickTypes]| {
        size(ticks, TickType::FuturesOpenInterest).is_some()
            && ticks.iter().any(|t| matches!(t, TickTypes::Generic(g) if g.tick_type == TickType::OptionImpliedVol))
    };
    while !complete(&ticks) {
        ticks.push(next_tick(&mut stream).await);
    }
    assert!(size(&ticks, TickType::FuturesOpenInterest).expect("contracts") > 1_000_000.0);
    gateway.set_clock(SimulatedClock::fixed(at("2026-11-23T15:07:30Z")));
    let later = loop {
        if let TickTypes::PriceSize(tick) = next_tick(&mut stream).await
            && tick.price_tick_type == TickType::Last
        {
            break tick.price;
        }
    };
    assert!(later > 0.0);
    drop(stream);
    client.server_time().await.expect("still there");
}

async fn next_tick(stream: &mut ibapi::subscriptions::Subscription<TickTypes>) -> TickTypes {
    loop {
        match tokio::time::timeout(BOUND, stream.next()).await.expect("in time").expect("open").expect("a tick") {
            SubscriptionItem::Data(tick) => return tick,
            SubscriptionItem::Notice(_) => {}
        }
    }
}

#[tokio::test]
async fn generic_ticks_do_not_go_with_a_snapshot() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    let contract = lead(&client, "ES").await;
    let request = client.market_data(&contract).generic_ticks(&[generic_tick::FUTURES_OPEN_INTEREST]).snapshot();
    let ticks = request.subscribe().await.expect("asked").collect_to_end_within(BOUND).await;
    assert_eq!(code(ticks), 321);
}

#[tokio::test]
async fn a_month_must_be_named_for_market_data() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    assert_eq!(code(snapshot(&client, &future("ES")).await), 200);
}

#[tokio::test]
async fn on_a_closed_market_last_and_close_still_arrive() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    gateway.set_clock(SimulatedClock::fixed(at("2026-11-22T15:00:00Z")));
    let contract = lead(&client, "ES").await;
    let ticks = snapshot(&client, &contract).await.expect("ticks");
    assert_eq!(price(&ticks, TickType::Bid), Some(-1.0));
    assert!(
        price(&ticks, TickType::Last).expect("a last") > 0.0 && price(&ticks, TickType::Close).expect("a close") > 0.0
    );
    client.switch_market_data_type(MarketDataType::Frozen).await.expect("switched");
    let frozen = snapshot(&client, &contract).await.expect("ticks");
    assert!(price(&frozen, TickType::Bid).expect("the last bid") > 0.0);
}

#[tokio::test]
async fn hours_and_days_are_the_sum_of_their_five_minutes() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    let contract = lead(&client, "NQ").await;
    let fine = bars(&client, &contract, BarSize::Min5, 2).await.expect("bars");
    let hours = bars(&client, &contract, BarSize::Hour, 2).await.expect("bars");
    let days = bars(&client, &contract, BarSize::Day, 2).await.expect("bars");
    assert_eq!(days.len(), 2);
    let volume = |bars: &[historical::Bar]| bars.iter().map(|b| b.volume).sum::<f64>();
    assert_eq!(volume(&fine), volume(&hours));
    assert_eq!(volume(&fine), volume(&days));
    let high = |bars: &[historical::Bar]| bars.iter().map(|b| b.high).fold(f64::MIN, f64::max);
    assert_eq!(high(&fine), high(&days));
    assert_eq!(fine.first().map(|b| b.open), days.first().map(|b| b.open));
    assert_eq!(fine.last().map(|b| b.close), hours.last().map(|b| b.close));
    assert!(matches!(days.last().map(|b| b.date), Some(BarTimestamp::Date(date)) if date.to_string() == "2026-11-23"));
}

#[tokio::test]
async fn a_span_of_the_past_and_its_head_are_served() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    let contract = lead(&client, "ES").await;
    let offset = |text: &str| time::OffsetDateTime::from_unix_timestamp(at(text).timestamp()).expect("in range");
    let data = client
        .historical_data(&contract, BarSize::Min5)
        .trading_hours(TradingHours::Extended)
        .between(offset("2026-11-19T15:00:00Z"), offset("2026-11-19T16:00:00Z"))
        .fetch()
        .await
        .expect("bars");
    assert_eq!(data.bars.len(), 12);
    assert_eq!(data.bars.first().map(start), Some(at("2026-11-19T15:00:00Z")));
    let head = client.head_timestamp(&contract, WhatToShow::Trades, TradingHours::Extended).await.expect("a head");
    assert!(head < offset("2025-12-31T00:00:00Z"));
    let continuous = Contract::continuous_futures("ES").build();
    assert_eq!(bars(&client, &continuous, BarSize::Hour, 1).await.expect("bars").len(), 16);
    let ending = client.historical_data(&continuous, BarSize::Hour).duration(historical::Duration::days(1));
    let refused = ending.ending(offset("2026-11-19T16:00:00Z")).fetch().await.expect_err("refused");
    assert!(matches!(refused, Error::Notice(ref notice) if notice.code == 10339), "{refused:?}");
    let schedule =
        client.historical_schedules(&contract, historical::Duration::days(5)).fetch().await.expect("a schedule");
    assert_eq!(schedule.sessions.len(), 5);
}

#[tokio::test]
async fn a_client_id_is_free_again_when_its_socket_closes() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    assert!(matches!(try_connect(&gateway, 7).await, Err(Error::ClientIdInUse { client_id: 7 })));
    try_connect(&gateway, 8).await.expect("another id");
    client.disconnect().await;
    drop(client);
    // The server sees the closed socket a moment later than the client.
    while let Err(error) = try_connect(&gateway, 7).await {
        assert!(matches!(error, Error::ClientIdInUse { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn faults_of_the_connection_are_what_the_client_knows_them_as() {
    assert!(matches!(try_connect(&gateway(&["refuse"]).await, 7).await, Err(Error::Io(_))));
    assert!(matches!(try_connect(&gateway(&["close-after-hello"]).await, 7).await, Err(Error::Io(_))));
    assert!(matches!(
        try_connect(&gateway(&["reject-version"]).await, 7).await,
        Err(Error::ServerVersion(213, 212, _))
    ));
    let busy = gateway(&["326:2"]).await;
    assert!(try_connect(&busy, 7).await.is_err() && try_connect(&busy, 7).await.is_err());
    try_connect(&busy, 7).await.expect("the third time");
    let silent = gateway(&["silent"]).await;
    let connecting = Client::builder().address(silent.address().to_string()).client_id(7).connect();
    assert!(tokio::time::timeout(Duration::from_millis(200), connecting).await.is_err());
}

#[tokio::test]
async fn faults_of_market_data_are_errors_of_the_request() {
    for wanted in [354, 10_168, 10_197, 420, 321, 200] {
        let gateway = gateway(&[&format!("{wanted}@after=1,symbol=ES")]).await;
        let client = connect(&gateway).await;
        let contract = lead(&client, "ES").await;
        // The 200 touches details too, which used the one request that is left alone.
        if wanted != 200 {
            snapshot(&client, &contract).await.expect("the first is left alone");
        }
        assert_eq!(code(snapshot(&client, &contract).await), wanted);
        let other = lead(&client, "NQ").await;
        snapshot(&client, &other).await.expect("another symbol");
    }
}

#[tokio::test]
async fn faults_of_a_quote_reach_the_client() {
    let value = |ticks: &[TickTypes], t: TickType| price(ticks, t);
    let missing = snapshot_with("missing:bid").await.expect("ticks");
    assert_eq!((value(&missing, TickType::Bid), value(&missing, TickType::Ask).is_some()), (None, true));
    let negative = snapshot_with("negative-prices").await.expect("ticks");
    assert_eq!(value(&negative, TickType::Last), Some(-1.0));
    assert!(value(&snapshot_with("nan").await.expect("ticks"), TickType::Bid).expect("a bid").is_nan());
    let crossed = snapshot_with("crossed").await.expect("ticks");
    assert!(value(&crossed, TickType::Bid) > value(&crossed, TickType::Ask));
    assert_eq!(size(&snapshot_with("unset-sizes").await.expect("ticks"), TickType::Volume), Some(0.0));
    let delayed = snapshot_with("10167").await.expect("ticks");
    assert!(
        value(&delayed, TickType::DelayedLast).expect("a price") > 0.0 && value(&delayed, TickType::Last).is_none()
    );
    let stale = snapshot_with("stale:3600").await.expect("ticks");
    let traded = stale.iter().find_map(|t| match t {
        TickTypes::String(s) if s.tick_type == TickType::LastTimestamp => s.value.parse::<i64>().ok(),
        _ => None,
    });
    assert!(at(OPEN).timestamp() - traded.expect("a time") >= 3_600);
}

#[tokio::test]
async fn faults_of_silence_end_in_a_timeout_and_leave_other_symbols_alone() {
    let faults = ["half-frame", "no-data", "wrong-request-id", "10089", "missing:end", "1100", "2103", "2110"];
    futures::future::join_all(faults.map(async |fault| {
        let gateway = gateway(&[&format!("{fault}@symbol=NQ,after=1")]).await;
        let client = connect(&gateway).await;
        let [first, struck] = ["ES", "NQ"].map(|symbol| lead(&client, symbol));
        let (first, struck) = (first.await, struck.await);
        // Faults that touch details have left those alone; the others leave this quote alone.
        let _ = snapshot(&client, &first).await.expect("another symbol");
        let mut ticks = snapshot(&client, &struck).await;
        if ticks.is_ok() {
            ticks = snapshot(&client, &struck).await;
        }
        assert!(matches!(ticks, Err(Error::Timeout)), "{fault}: {ticks:?}");
    }))
    .await;
}

#[tokio::test]
async fn faults_that_end_the_connection_end_the_request() {
    for fault in ["close:market_data", "oversized-frame@symbol=ES,after=1", "close@8", "1300", "100@after=1"] {
        let ticks = async {
            let gateway = gateway(&[fault]).await;
            let client = connect(&gateway).await;
            let chain = details(&client, &future("ES")).await?;
            snapshot(&client, &chain.first().expect("listed").contract).await
        };
        let ticks = ticks.await;
        assert!(matches!(ticks, Err(Error::ConnectionReset | Error::ConnectionFailed)), "{fault}: {ticks:?}");
    }
}

#[tokio::test]
async fn faults_that_only_disturb_leave_the_data_whole() {
    let faults = ["garbage-frame", "slow:0.05", "1101", "1102", "slow-trickle@after=1"];
    futures::future::join_all(faults.map(async |fault| {
        let ticks = snapshot_with(fault).await.unwrap_or_else(|error| panic!("{fault} only disturbs, but {error:?}"));
        assert!(price(&ticks, TickType::Last).is_some(), "{fault}");
    }))
    .await;
}

#[tokio::test]
async fn faults_of_history_are_told_by_their_text() {
    for (fault, wanted) in [
        ("162:pacing", "pacing violation"),
        ("162:nodata", "no data"),
        ("162:permissions", "No market data permissions"),
        ("162:cancelled", "cancelled"),
    ] {
        let gateway = gateway(&[fault]).await;
        let client = connect(&gateway).await;
        let contract = lead(&client, "ES").await;
        match bars(&client, &contract, BarSize::Min5, 1).await {
            Err(Error::Notice(notice)) => assert!(notice.code == 162 && notice.message.contains(wanted), "{notice:?}"),
            other => panic!("{fault}: {other:?}"),
        }
    }
    let gateway = gateway(&["165@first=1", "marker-first@after=1,first=1", "bars-missing@after=2", "pacing"]).await;
    let client = connect(&gateway).await;
    let contract = lead(&client, "ES").await;
    let whole = bars(&client, &contract, BarSize::Min5, 1).await.expect("the notice is not an error");
    assert!(matches!(bars(&client, &contract, BarSize::Min5, 2).await, Err(Error::UnexpectedResponse(_))));
    let holed = bars(&client, &contract, BarSize::Min5, 3).await.expect("bars");
    assert!(holed.len() < whole.len() + 2 * 276);
    let paced = bars(&client, &contract, BarSize::Min5, 3).await.expect_err("the same request at once");
    assert!(matches!(paced, Error::Notice(ref notice) if notice.message.contains("pacing")), "{paced:?}");
}

#[tokio::test]
async fn the_clock_can_be_off() {
    let gateway = gateway(&["clock-off:90"]).await;
    let client = connect(&gateway).await;
    assert_eq!(client.server_time().await.expect("a time").unix_timestamp(), at(OPEN).timestamp() + 90);
}

#[tokio::test]
async fn a_gateway_that_would_pass_for_a_real_one_does_not_start() {
    let started = SimulatedGateway::start(SimulatedConfig { account: "DU1".to_owned(), ..config(&[]) }).await;
    assert!(matches!(started, Err(SimulatedError::Account(_))));
}

#[tokio::test]
async fn a_shut_gateway_ends_its_connections() {
    let gateway = gateway(&[]).await;
    let client = connect(&gateway).await;
    gateway.shutdown().await;
    assert!(client.server_time().await.is_err());
}
