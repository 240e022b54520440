//! The client: TWS and IB Gateway by the crate `ibapi`, one connection a run.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::market::{Bar, EtfContract, FutureContract, GatewayKind, Instrument, MarketData, Quote, Symbol};

use super::connect::{Connection, connect, server_time};
use super::contracts::ConIds;
use super::notices::{meaning_of, printable};
use super::upstream::FarmKind;
use super::{
    BarRequest, ChainScope, ClockSource, Endpoint, ErrorClass, Gateway, GatewayError, HistoryPacer, MarketDataMode,
    contracts, history, quotes,
};

/// A connected gateway.
pub struct IbGateway {
    pub(super) endpoint: Endpoint,
    pub(super) connection: Connection,
    pub(super) pacer: HistoryPacer,
    pub(super) con_ids: ConIds,
}

impl IbGateway {
    /// Connects and proves that the gateway answers.
    ///
    /// # Errors
    /// Where nothing listens, the peer stays silent, every client id is taken, or the gateway is of the other kind.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, GatewayError> {
        let connection = connect(endpoint).await?;
        let pacer = HistoryPacer::new(&endpoint.locks, &endpoint.address, endpoint.pacing, endpoint.clock.clone());
        if endpoint.config.market_data == MarketDataMode::Delayed {
            let switched = connection.client.switch_market_data_type(ibapi::market_data::MarketDataType::Delayed).await;
            switched.map_err(|source| failed("switching to delayed market data".to_owned(), source))?;
        }
        tracing::debug!(client_id = connection.lease.id, kind = %connection.kind, "connected to the gateway");
        Ok(Self { endpoint: endpoint.clone(), connection, pacer, con_ids: ConIds::default() })
    }

    /// Version of the gateway's protocol.
    #[must_use]
    pub fn server_version(&self) -> i32 {
        self.connection.client.server_version()
    }

    /// The gateway's own time.
    ///
    /// # Errors
    /// Where it does not tell.
    pub async fn server_now(&self) -> Result<DateTime<Utc>, GatewayError> {
        server_time(&self.connection.client, self.request_timeout()).await
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.endpoint.config.request_timeout()
    }

    /// What keeps answers of one kind from coming, as far as the gateway has reported it.
    fn trouble(&self, of: FarmKind) -> Option<String> {
        self.connection.notices.drain_into(&self.connection.upstream);
        self.connection.upstream.trouble(of)
    }

    /// A request that ran out of time, with what is known about why.
    pub(super) fn timed_out(&self, operation: String, waited: Duration, of: FarmKind) -> GatewayError {
        let hint = self.trouble(of).map_or_else(String::new, |trouble| format!(": {trouble}"));
        GatewayError::TimedOut { operation, waited, hint }
    }

    /// A request that failed. A gateway that is cut off from IBKR knows no contract and has no data, which says nothing about
    /// either.
    pub(super) fn failed(&self, operation: String, source: ibapi::Error, of: FarmKind) -> GatewayError {
        match (failed(operation, source), self.trouble(of)) {
            (
                GatewayError::Refused {
                    operation, code, class: ErrorClass::GiveUp | ErrorClass::NoData, source, ..
                },
                Some(trouble),
            ) => GatewayError::CutOff { operation, code, trouble, source: Box::new(source) },
            (error, _) => error,
        }
    }
}

/// Sorts an error of the client library into ours. Only a connection that is gone counts as lost: what came and could not be
/// read would come again.
pub(super) fn failed(operation: String, source: ibapi::Error) -> GatewayError {
    use ibapi::Error;
    match &source {
        Error::Notice(notice) => {
            let meaning = meaning_of(notice.code, &notice.message);
            GatewayError::Refused { operation, code: notice.code, class: meaning.class, remedy: meaning.remedy, source }
        }
        Error::Io(_)
        | Error::ConnectionFailed
        | Error::ConnectionRejected(_)
        | Error::ConnectionReset
        | Error::ClientIdInUse { .. }
        | Error::Cancelled
        | Error::Shutdown
        | Error::EndOfStream
        | Error::UnexpectedEndOfStream
        | Error::InvalidFrame(_)
        | Error::Timeout
        | Error::Poison(_) => GatewayError::ConnectionLost { operation, source },
        _ => GatewayError::Unreadable { operation, what: printable(&source.to_string()), source: Box::new(source) },
    }
}

#[async_trait]
impl Gateway for IbGateway {
    fn kind(&self) -> GatewayKind {
        self.connection.kind
    }

    async fn now(&self) -> Result<DateTime<Utc>, GatewayError> {
        match self.endpoint.config.clock_source() {
            ClockSource::Machine => Ok(self.endpoint.clock.now()),
            ClockSource::Gateway => self.server_now().await,
        }
    }

    async fn futures_chain(&self, symbol: &Symbol, scope: ChainScope) -> Result<Vec<FutureContract>, GatewayError> {
        contracts::futures_chain(self, symbol, scope).await
    }

    fn etf(&self, symbol: &Symbol) -> Result<EtfContract, GatewayError> {
        Ok(EtfContract { symbol: symbol.clone(), spec: self.endpoint.market.etf(symbol)? })
    }

    async fn quote(&self, instrument: &Instrument) -> Result<Quote, GatewayError> {
        let quote = quotes::quote(self, instrument).await?;
        let wanted = self.endpoint.config.market_data;
        if quote.market_data == MarketData::Delayed && wanted == MarketDataMode::Live {
            return Err(GatewayError::OnlyDelayed { instrument: instrument.name().to_owned() });
        }
        Ok(quote)
    }

    async fn bars(&self, request: &BarRequest) -> Result<Vec<Bar>, GatewayError> {
        history::bars(self, request).await
    }

    async fn close(&self) {
        self.connection.client.disconnect().await;
    }
}
