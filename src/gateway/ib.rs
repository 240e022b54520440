//! The client: TWS and IB Gateway by the crate `ibapi`, one connection a run.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::market::{Bar, EtfContract, FutureContract, GatewayKind, Instrument, MarketData, Quote, Symbol};

use super::connect::{Connection, connect, server_time};
use super::notices::meaning_of;
use super::{
    BarRequest, ChainScope, ClockSource, Endpoint, Gateway, GatewayError, HistoryPacer, MarketDataMode, contracts,
    history, quotes,
};

/// A connected gateway.
pub struct IbGateway {
    pub(super) endpoint: Endpoint,
    pub(super) connection: Connection,
    pub(super) pacer: HistoryPacer,
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
        Ok(Self { endpoint: endpoint.clone(), connection, pacer })
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

    /// A request that ran out of time, with what is known about why.
    pub(super) fn timed_out(&self, operation: String, waited: Duration) -> GatewayError {
        let hint = match self.connection.upstream.broken_by() {
            Some(code) => format!(": the gateway reports no connection to IBKR (code {code})"),
            None => String::new(),
        };
        GatewayError::TimedOut { operation, waited, hint }
    }
}

/// Sorts an error of the client library into ours.
pub(super) fn failed(operation: String, source: ibapi::Error) -> GatewayError {
    use ibapi::Error;
    match &source {
        Error::Notice(notice) => {
            let meaning = meaning_of(notice.code, &notice.message);
            GatewayError::Refused { operation, code: notice.code, class: meaning.class, remedy: meaning.remedy, source }
        }
        Error::Parse(..) | Error::UnexpectedResponse(_) | Error::UnexpectedWireFormat(_) | Error::ParseTime(_) => {
            GatewayError::Unreadable { operation, source }
        }
        _ => GatewayError::ConnectionLost { operation, source },
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
        self.connection.listener.abort();
    }
}

impl Drop for IbGateway {
    fn drop(&mut self) {
        self.connection.listener.abort();
    }
}
