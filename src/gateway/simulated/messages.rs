//! The protobuf messages of the wire protocol that the simulated gateway reads and writes.
//!
//! All fields are optional: presence matters, and clients leave out what is false, zero or empty. Tags and types are facts
//! of the interface; fields that nothing here reads or writes are left out, and
//! unknown fields are skipped on reading.

/// Message kinds from client to server; the id on the wire is the kind + 200.
pub(super) mod request_kind {
    pub(crate) const MARKET_DATA: u32 = 1;
    pub(crate) const CANCEL_MARKET_DATA: u32 = 2;
    pub(crate) const IDS: u32 = 8;
    pub(crate) const CONTRACT_DETAILS: u32 = 9;
    pub(crate) const SERVER_LOG_LEVEL: u32 = 14;
    pub(crate) const MANAGED_ACCOUNTS: u32 = 17;
    pub(crate) const HISTORY: u32 = 20;
    pub(crate) const CANCEL_HISTORY: u32 = 25;
    pub(crate) const CURRENT_TIME: u32 = 49;
    pub(crate) const MARKET_DATA_TYPE: u32 = 59;
    pub(crate) const START_API: u32 = 71;
    pub(crate) const HEAD_TIMESTAMP: u32 = 87;
    pub(crate) const CANCEL_HEAD_TIMESTAMP: u32 = 90;
    pub(crate) const CURRENT_TIME_IN_MILLIS: u32 = 105;
    pub(crate) const CANCEL_CONTRACT_DETAILS: u32 = 106;
}

/// Message kinds from server to client; the id on the wire is the kind + 200.
pub(super) mod reply_kind {
    pub(crate) const TICK_PRICE: u32 = 1;
    pub(crate) const TICK_SIZE: u32 = 2;
    pub(crate) const ERROR: u32 = 4;
    pub(crate) const NEXT_VALID_ID: u32 = 9;
    pub(crate) const CONTRACT_DATA: u32 = 10;
    pub(crate) const MANAGED_ACCOUNTS: u32 = 15;
    pub(crate) const HISTORICAL_DATA: u32 = 17;
    pub(crate) const TICK_GENERIC: u32 = 45;
    pub(crate) const TICK_STRING: u32 = 46;
    pub(crate) const CURRENT_TIME: u32 = 49;
    pub(crate) const CONTRACT_DATA_END: u32 = 52;
    pub(crate) const TICK_SNAPSHOT_END: u32 = 57;
    pub(crate) const MARKET_DATA_TYPE: u32 = 58;
    pub(crate) const TICK_REQ_PARAMS: u32 = 81;
    pub(crate) const HEAD_TIMESTAMP: u32 = 88;
    pub(crate) const HISTORICAL_SCHEDULE: u32 = 106;
    pub(crate) const HISTORICAL_DATA_END: u32 = 108;
    pub(crate) const CURRENT_TIME_IN_MILLIS: u32 = 109;
    /// No message has this kind: what a client must survive.
    pub(crate) const UNKNOWN: u32 = 9_799;
}

/// Declares a message with optional fields only: `name: type = tag`, `[name: message = tag]` for a repeated one.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ident = $tag:literal),* $(,)? } $([$list:ident: $item:ident = $list_tag:literal])?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct $name {
            $(#[prost($kind, optional, tag = $tag)] pub(super) $field: Option<message!(@rust $kind)>,)*
            $(#[prost(message, repeated, tag = $list_tag)] pub(super) $list: Vec<$item>,)?
        }
    };
    (@rust int32) => { i32 };
    (@rust int64) => { i64 };
    (@rust double) => { f64 };
    (@rust bool) => { bool };
    (@rust string) => { String };
}

message!(
    /// Starts the session: names the client.
    StartApi { client_id: int32 = "1" }
);
message!(
    /// Any message that carries nothing but its request id.
    RequestId { req_id: int32 = "1" }
);
message!(
    /// An instrument, as asked for or as described.
    Contract {
        con_id: int32 = "1",
        symbol: string = "2",
        sec_type: string = "3",
        last_trade_date_or_contract_month: string = "4",
        multiplier: double = "7",
        exchange: string = "8",
        primary_exch: string = "9",
        currency: string = "10",
        local_symbol: string = "11",
        trading_class: string = "12",
        include_expired: bool = "18",
        last_trade_date: string = "21",
    }
);
message!(
    /// What is known of an instrument beyond its identity.
    ContractDetails {
        market_name: string = "1",
        min_tick: string = "2",
        order_types: string = "3",
        valid_exchanges: string = "4",
        price_magnifier: int32 = "5",
        under_con_id: int32 = "6",
        long_name: string = "7",
        contract_month: string = "8",
        industry: string = "9",
        category: string = "10",
        time_zone_id: string = "12",
        trading_hours: string = "13",
        liquid_hours: string = "14",
        agg_group: int32 = "18",
        under_symbol: string = "19",
        under_sec_type: string = "20",
        market_rule_ids: string = "21",
        real_expiration_date: string = "22",
        stock_type: string = "23",
        min_size: string = "24",
        size_increment: string = "25",
        suggested_size_increment: string = "26",
        last_price_precision: string = "63",
        last_size_precision: string = "64",
        settlement_method: string = "65",
    }
);
message!(
    /// Sets the kind of market data for later requests of the connection.
    MarketDataTypeRequest { market_data_type: int32 = "1" }
);

/// Asks for the contracts that match.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContractDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
}

/// Asks for quotes: one snapshot, or a stream until cancelled.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct MarketDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(super) generic_tick_list: Option<String>,
    #[prost(bool, optional, tag = "4")]
    pub(super) snapshot: Option<bool>,
}

/// Asks for bars, or for the schedule.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HistoricalDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(super) end_date_time: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) bar_size_setting: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) duration: Option<String>,
    #[prost(bool, optional, tag = "6")]
    pub(super) use_rth: Option<bool>,
    #[prost(string, optional, tag = "7")]
    pub(super) what_to_show: Option<String>,
}

/// Asks for the time of the first bar.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HeadTimestampRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(bool, optional, tag = "3")]
    pub(super) use_rth: Option<bool>,
}

/// One contract that matches.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContractData {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(message, optional, tag = "3")]
    pub(super) contract_details: Option<ContractDetails>,
}

message!(
    /// The accounts of the session.
    ManagedAccounts { accounts_list: string = "1" }
);
message!(
    /// The first free order id.
    NextValidId { order_id: int32 = "1" }
);
message!(
    /// An error or a notice; id -1 where it belongs to no request.
    ErrorMessage { id: int32 = "1", error_time: int64 = "2", error_code: int32 = "3", error_msg: string = "4" }
);
message!(
    /// The gateway's time, in seconds or in milliseconds by the kind of the message.
    CurrentTime { current_time: int64 = "1" }
);
message!(
    /// Live, frozen, delayed or delayed and frozen: 1 to 4.
    MarketDataType { req_id: int32 = "1", market_data_type: int32 = "2" }
);
message!(
    /// Price step and permissions of a market data request.
    TickReqParams { req_id: int32 = "1", min_tick: string = "2", bbo_exchange: string = "3", snapshot_permissions: int32 = "4" }
);
message!(
    /// A price, for bid, ask and last with its size.
    TickPrice { req_id: int32 = "1", tick_type: int32 = "2", price: double = "3", size: string = "4", attr_mask: int32 = "5" }
);
message!(
    /// A size.
    TickSize { req_id: int32 = "1", tick_type: int32 = "2", size: string = "3" }
);
message!(
    /// A number that is neither price nor size.
    TickGeneric { req_id: int32 = "1", tick_type: int32 = "2", value: double = "3" }
);
message!(
    /// A text.
    TickString { req_id: int32 = "1", tick_type: int32 = "2", value: string = "3" }
);
message!(
    /// One bar: its start as epoch seconds, or `YYYYMMDD` for a day.
    HistoricalBar {
        date: string = "1",
        open: double = "2",
        high: double = "3",
        low: double = "4",
        close: double = "5",
        volume: string = "6",
        wap: string = "7",
        bar_count: int32 = "8",
    }
);
message!(
    /// The bars of a request.
    HistoricalData { req_id: int32 = "1" } [bars: HistoricalBar = "2"]
);
message!(
    /// The end of the bars, and the span they cover.
    HistoricalDataEnd { req_id: int32 = "1", start_date_str: string = "2", end_date_str: string = "3" }
);
message!(
    /// One session of a schedule.
    ScheduleSession { start: string = "1", end: string = "2", ref_date: string = "3" }
);
message!(
    /// The sessions of a span.
    HistoricalSchedule { req_id: int32 = "1", start: string = "2", end: string = "3", time_zone: string = "4" } [sessions: ScheduleSession = "5"]
);
message!(
    /// The time of the first bar, epoch seconds as text.
    HeadTimestamp { req_id: int32 = "1", head_timestamp: string = "2" }
);
