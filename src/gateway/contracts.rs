//! Contract details: the chain of a future, from which our own roll rule picks, and only such as were asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{Datelike, NaiveDate};
use ibapi::contracts::{Contract, ContractDetails, SecurityType};

use crate::calendar::ContractMonth;
use crate::market::{FutureContract, FutureSpec, Instrument, Symbol};

use super::ib::IbGateway;
use super::notices::printable;
use super::upstream::FarmKind;
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
        Ok(Err(ibapi::Error::Timeout)) | Err(_) => {
            return Err(gateway.timed_out(operation(), waited, FarmKind::Definitions));
        }
        Ok(Err(source)) => return Err(gateway.failed(operation(), source, FarmKind::Definitions)),
    };
    let chain = chain_of(symbol, &spec, &details)?;
    gateway.con_ids.claim(symbol, &chain)?;
    Ok(chain)
}

/// The quarterly contracts among the details, oldest first. What is of another symbol, type, exchange, currency or
/// multiplier is left out; an error where nothing else came, or where one month stands twice.
fn chain_of(
    symbol: &Symbol,
    spec: &FutureSpec,
    details: &[ContractDetails],
) -> Result<Vec<FutureContract>, GatewayError> {
    let (mut chain, mut others) = (Vec::<FutureContract>::new(), BTreeSet::new());
    for details in details {
        match difference(symbol, spec, details) {
            Some(difference) => {
                others.insert(difference);
            }
            None => chain.extend(contract_of(symbol, spec, details)),
        }
    }
    chain.sort_by_key(|contract| (contract.month, contract.con_id));
    chain.dedup();
    let twice = chain.windows(2).find_map(|pair| match pair {
        [one, other] if one.month == other.month => Some(one.month),
        _ => None,
    });
    let others: Vec<String> = others.into_iter().collect();
    let refused = |found| Err(GatewayError::OtherContracts { wanted: wanted(symbol, spec), found });
    if let Some(month) = twice {
        return refused(format!("two different contracts for {month}"));
    }
    if chain.is_empty() && !others.is_empty() {
        return refused(others.join(", "));
    }
    if !others.is_empty() {
        tracing::warn!(%symbol, others = others.join(", "), "the gateway lists contracts that were not asked for: left out");
    }
    Ok(chain)
}

fn wanted(symbol: &Symbol, spec: &FutureSpec) -> String {
    format!("{symbol} at {} in {} with multiplier {}", spec.exchange, spec.currency, spec.multiplier)
}

/// In what a contract differs from the one that was asked for; none where it is that one.
fn difference(symbol: &Symbol, spec: &FutureSpec, details: &ContractDetails) -> Option<String> {
    let contract = &details.contract;
    let is = |text: &str, wanted: &str| text.eq_ignore_ascii_case(wanted);
    let other = |what: &str, text: &str| Some(format!("{what} {}", printable(text)));
    let multiplier: Option<f64> = contract.multiplier.parse().ok();
    if !is(contract.symbol.as_str(), symbol.as_str()) {
        return other("symbol", contract.symbol.as_str());
    }
    if contract.security_type != SecurityType::Future {
        return other("type", &contract.security_type.to_string());
    }
    if !is(contract.exchange.as_str(), &spec.exchange) {
        return other("exchange", contract.exchange.as_str());
    }
    if !is(contract.currency.as_str(), &spec.currency) {
        return other("currency", contract.currency.as_str());
    }
    if !multiplier.is_some_and(|found| (found - spec.multiplier).abs() < 1e-9) {
        return other("multiplier", &contract.multiplier);
    }
    (contract.contract_id <= 0).then(|| format!("con_id {}", contract.contract_id))
}

/// Which symbol each identifier of a contract stands for. One that stands for two would store one's prices as the other's.
#[derive(Debug, Default)]
pub(super) struct ConIds(Mutex<HashMap<i32, Symbol>>);

impl ConIds {
    fn claim(&self, symbol: &Symbol, chain: &[FutureContract]) -> Result<(), GatewayError> {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = BTreeSet::new();
        for contract in chain {
            let owner = owners.entry(contract.con_id).or_insert_with(|| symbol.clone());
            if owner != symbol || !own.insert(contract.con_id) {
                return Err(GatewayError::OtherContracts {
                    wanted: wanted(symbol, &contract.spec),
                    found: format!("con_id {} stands for {owner} and for {}", contract.con_id, contract.local_symbol),
                });
            }
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::MarketConfig;

    fn symbol(text: &str) -> Symbol {
        text.parse().expect("a symbol")
    }

    fn details(change: impl FnOnce(&mut ContractDetails)) -> ContractDetails {
        let contract = Contract {
            contract_id: 7,
            symbol: "ES".into(),
            security_type: SecurityType::Future,
            exchange: "CME".into(),
            currency: "USD".into(),
            multiplier: "50".to_owned(),
            local_symbol: "ESZ6".to_owned(),
            ..Contract::default()
        };
        let mut details = ContractDetails {
            contract,
            contract_month: "202612".to_owned(),
            real_expiration_date: "20261218".to_owned(),
            ..ContractDetails::default()
        };
        change(&mut details);
        details
    }

    fn chain(details: &[ContractDetails]) -> Result<Vec<FutureContract>, String> {
        let spec = MarketConfig::default().future(&symbol("ES")).expect("built in");
        chain_of(&symbol("ES"), &spec, details).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_not_asked_for_is_left_out_and_an_error_where_it_is_all_there_is() {
        type Change = fn(&mut ContractDetails);
        let strangers: [(&str, Change); 6] = [
            ("symbol MES", |d| d.contract.symbol = "MES".into()),
            ("type", |d| d.contract.security_type = SecurityType::ContinuousFuture),
            ("exchange GLOBEX", |d| d.contract.exchange = "GLOBEX".into()),
            ("currency EUR", |d| d.contract.currency = "EUR".into()),
            ("multiplier 5", |d| d.contract.multiplier = "5".to_owned()),
            ("con_id 0", |d| d.contract.contract_id = 0),
        ];
        for (told, change) in strangers {
            let error = chain(&[details(change)]).expect_err(told);
            assert!(error.contains(told) && error.contains("ES at CME in USD with multiplier 50"), "{told}: {error}");
            assert_eq!(chain(&[details(change), details(|_| ())]).map(|chain| chain.len()), Ok(1), "{told}");
        }
    }

    #[test]
    fn the_same_contract_twice_is_one_and_two_for_a_month_are_an_error() {
        assert_eq!(chain(&[details(|_| ()), details(|_| ())]).map(|chain| chain.len()), Ok(1));
        let error = chain(&[details(|_| ()), details(|d| d.contract.contract_id = 8)]).expect_err("two");
        assert!(error.contains("two different contracts"), "{error}");
    }

    #[test]
    fn an_identifier_stands_for_one_contract() {
        let es = chain(&[details(|_| ())]).expect("sound");
        let ids = ConIds::default();
        ids.claim(&symbol("ES"), &es).expect("the first");
        ids.claim(&symbol("ES"), &es).expect("asked again");
        let error = ids.claim(&symbol("NQ"), &es).expect_err("taken").to_string();
        assert!(error.contains("con_id 7 stands for ES"), "{error}");
    }
}
