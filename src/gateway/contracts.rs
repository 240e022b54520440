//! Contract details: the chain of a future, from which our own roll rule picks.

use chrono::{Datelike, NaiveDate};
use ibapi::contracts::{Contract, ContractDetails, SecurityType};

use crate::calendar::ContractMonth;
use crate::market::{FutureContract, FutureSpec, Instrument, Symbol};

use super::ib::{IbGateway, failed};
use super::{ChainScope, GatewayError};

/// Lists the quarterly contracts of a future, oldest first.
pub(super) async fn futures_chain(
    gateway: &IbGateway,
    symbol: &Symbol,
    scope: ChainScope,
) -> Result<Vec<FutureContract>, GatewayError> {
    let spec = gateway.endpoint.market.future(symbol)?;
    let operation = || format!("listing the contracts of {symbol}");
    let query = chain_query(symbol, &spec, scope);
    let waited = gateway.request_timeout();
    let asked = async {
        let mut details = gateway.connection.client.contract_details_stream(&query).subscribe().await?;
        details.collect_to_end_within(waited).await
    };
    let details = match tokio::time::timeout(waited, asked).await {
        Ok(Ok(details)) => details,
        Ok(Err(ibapi::Error::Timeout)) | Err(_) => return Err(gateway.timed_out(operation(), waited)),
        Ok(Err(source)) => return Err(failed(operation(), source)),
    };
    let mut chain: Vec<FutureContract> = details.iter().filter_map(|d| contract_of(symbol, &spec, d)).collect();
    chain.sort_by_key(|contract| contract.month);
    Ok(chain)
}

fn chain_query(symbol: &Symbol, spec: &FutureSpec, scope: ChainScope) -> Contract {
    Contract {
        symbol: symbol.as_str().into(),
        security_type: SecurityType::Future,
        exchange: spec.exchange.as_str().into(),
        currency: spec.currency.as_str().into(),
        include_expired: scope == ChainScope::WithExpired,
        ..Contract::default()
    }
}

/// Reads one contract; none where it is no quarterly one or names no expiry.
fn contract_of(symbol: &Symbol, spec: &FutureSpec, details: &ContractDetails) -> Option<FutureContract> {
    let month: ContractMonth = details.contract_month.parse().ok()?;
    let expiry = expiry_of(details)?;
    let multiplier: Option<f64> = details.contract.multiplier.parse().ok();
    if multiplier.is_some_and(|m| (m - spec.multiplier).abs() > f64::EPSILON) {
        tracing::warn!(%symbol, gateway = multiplier, configured = spec.multiplier, "the multiplier differs from the gateway's");
    }
    Some(FutureContract {
        symbol: symbol.clone(),
        local_symbol: details.contract.local_symbol.clone(),
        con_id: details.contract.contract_id,
        month,
        expiry,
        spec: spec.clone(),
    })
}

fn expiry_of(details: &ContractDetails) -> Option<NaiveDate> {
    let stated = NaiveDate::parse_from_str(&details.real_expiration_date, "%Y%m%d").ok();
    let traded = details.contract.last_trade_date;
    let traded =
        traded.and_then(|d| NaiveDate::from_ymd_opt(d.year(), u32::from(u8::from(d.month())), u32::from(d.day())));
    traded.or(stated)
}

/// The contract as a request names it: by identifier, with its exchange.
pub(super) fn wire_contract(instrument: &Instrument) -> Contract {
    match instrument {
        Instrument::Future(future) => Contract {
            contract_id: future.con_id,
            symbol: future.symbol.as_str().into(),
            security_type: SecurityType::Future,
            last_trade_date_or_contract_month: format!(
                "{:04}{:02}{:02}",
                future.expiry.year(),
                future.expiry.month(),
                future.expiry.day()
            ),
            exchange: future.spec.exchange.as_str().into(),
            currency: future.spec.currency.as_str().into(),
            local_symbol: future.local_symbol.clone(),
            ..Contract::default()
        },
        Instrument::Etf(etf) => Contract {
            symbol: etf.symbol.as_str().into(),
            security_type: SecurityType::Stock,
            exchange: "SMART".into(),
            primary_exchange: etf.spec.primary_exchange.as_str().into(),
            currency: etf.spec.currency.as_str().into(),
            ..Contract::default()
        },
    }
}
