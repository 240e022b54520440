//! Contract details: which instruments there are, and what a gateway tells of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::calendar::Segment;
use crate::market::{EtfContract, EtfSpec, FutureContract, FutureSpec, Instrument, Symbol};

use super::super::fault_kind::{ContractFlaw, FaultKind};
use super::super::frame::frame;
use super::super::hours::{Hours, Venue};
use super::super::instrument::{con_id, id_of, last_trade_at, tick_of};
use super::super::messages::{Contract, ContractData, ContractDetails, RequestId, reply_kind};
use super::super::tape::Tape;
use super::{Asked, NO_DEFINITION};

/// Days for which trading hours are told.
const HOURS_DAYS: u64 = 6;

/// The instruments a gateway knows.
#[derive(Debug)]
pub(in super::super) struct Catalogue {
    futures: Vec<(Symbol, FutureSpec)>,
    etfs: Vec<(Symbol, EtfSpec)>,
    pub(super) tape: Tape,
    pub(super) hours: Hours,
    /// The chains of one day, which almost all requests ask for.
    chains: Mutex<Chains>,
}

/// A day, and the contracts of each root with the instants of their last trades.
type Chains = (NaiveDate, HashMap<Symbol, Arc<Chain>>);
type Chain = Vec<(DateTime<Utc>, FutureContract)>;

/// An instrument that matches a query.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Match {
    pub(in super::super) instrument: Instrument,
    /// Asked for as the continuous future.
    pub(in super::super) continuous: bool,
}

impl Catalogue {
    /// A catalogue of what a tape has of these.
    pub(in super::super) fn new(futures: Vec<(Symbol, FutureSpec)>, etfs: Vec<(Symbol, EtfSpec)>, tape: Tape) -> Self {
        Self { futures, etfs, tape, hours: Hours::embedded(), chains: Mutex::default() }
    }

    /// The contracts of a root on a day.
    fn chain(&self, symbol: &Symbol, spec: &FutureSpec, day: NaiveDate) -> Arc<Chain> {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        if chains.0 != day {
            *chains = (day, HashMap::new());
        }
        let make = || self.tape.chain(symbol, spec, day).into_iter().map(|c| (last_trade_at(&c), c)).collect();
        Arc::clone(chains.1.entry(symbol.clone()).or_insert_with(|| Arc::new(make())))
    }

    /// What matches a query at an instant.
    pub(in super::super) fn find(&self, query: &Contract, now: DateTime<Utc>) -> Vec<Match> {
        let kind = given(query.sec_type.as_ref()).unwrap_or_default();
        let mut found = Vec::new();
        if matches!(kind, "" | "FUT" | "CONTFUT") {
            let continuous = kind == "CONTFUT";
            let with_expired = query.include_expired.unwrap_or_default() && !continuous;
            let named = |(symbol, _): &&(Symbol, FutureSpec)| is_or_absent(query.symbol.as_ref(), &[symbol.as_str()]);
            for (symbol, spec) in self.futures.iter().filter(named) {
                let chain = self.chain(symbol, spec, now.date_naive());
                let (expired, listed) =
                    chain.split_at(chain.partition_point(|(last_trade_at, _)| *last_trade_at <= now));
                let expired = expired.iter().filter(|_| with_expired);
                let listed = listed.iter().take(if continuous { 1 } else { self.tape.num_listed() });
                let matching = expired.chain(listed).filter(|(_, contract)| future_matches(query, contract));
                found.extend(matching.map(|(_, c)| Match { instrument: Instrument::Future(c.clone()), continuous }));
            }
        }
        if matches!(kind, "" | "STK") {
            let known =
                self.etfs.iter().filter(|(symbol, spec)| self.tape.has_etf(symbol) && etf_matches(query, symbol, spec));
            found.extend(known.map(|(symbol, spec)| Match {
                instrument: Instrument::Etf(EtfContract { symbol: symbol.clone(), spec: spec.clone() }),
                continuous: false,
            }));
        }
        found
    }

    /// The one instrument a query means; none where it matches nothing or several.
    pub(in super::super) fn find_one(&self, query: &Contract, now: DateTime<Utc>) -> Option<Match> {
        let mut found = self.find(query, now);
        if found.len() == 1 { found.pop() } else { None }
    }

    /// The symbol a query is about, for the faults of one symbol.
    pub(in super::super) fn symbol_of(&self, query: &Contract, now: DateTime<Utc>) -> Option<Symbol> {
        let named = given(query.symbol.as_ref()).and_then(|text| text.parse().ok());
        named.or_else(|| self.find_one(query, now).map(|m| m.instrument.symbol().clone()))
    }

    /// Answers a request for contract details.
    pub(in super::super) fn details(&self, asked: &Asked, query: &Contract) -> Vec<Bytes> {
        let found = self.find(query, asked.now);
        if found.is_empty() || asked.struck.has(FaultKind::MarketData(200)) {
            return vec![asked.error(NO_DEFINITION.0, NO_DEFINITION.1)];
        }
        let flaw = asked.struck.find(|f| if let FaultKind::OtherContract(flaw) = f { Some(flaw) } else { None });
        let described = found.iter().flat_map(|m| {
            let details = self.describe(m, asked.now);
            let data = |contract| {
                let (req_id, contract_details) = (Some(asked.reply_id), Some(details.clone()));
                let data = ContractData { req_id, contract: Some(contract), contract_details };
                frame(reply_kind::CONTRACT_DATA, &data)
            };
            flawed(contract_of(m), flaw).into_iter().map(data).collect::<Vec<_>>()
        });
        let end = frame(reply_kind::CONTRACT_DATA_END, &RequestId { req_id: Some(asked.reply_id) });
        described.chain([end]).collect()
    }

    fn describe(&self, of: &Match, now: DateTime<Utc>) -> ContractDetails {
        let instrument = &of.instrument;
        let symbol = instrument.symbol();
        let venue = Venue::of(instrument);
        let (trading_hours, liquid_hours) = self.hours_text(venue, now);
        let common = ContractDetails {
            market_name: Some(symbol.to_string()),
            min_tick: Some(tick_of(instrument).to_string()),
            order_types: Some("ACTIVETIM,LMT,MKT,STP".to_owned()),
            price_magnifier: Some(1),
            time_zone_id: Some(venue.zone().name().to_owned()),
            trading_hours: Some(trading_hours),
            liquid_hours: Some(liquid_hours),
            min_size: Some("1".to_owned()),
            size_increment: Some("1".to_owned()),
            suggested_size_increment: Some("1".to_owned()),
            ..ContractDetails::default()
        };
        match instrument {
            Instrument::Future(contract) => ContractDetails {
                valid_exchanges: Some(contract.spec.exchange.clone()),
                under_con_id: Some(con_id(symbol, None) + 999),
                long_name: Some(format!("{symbol} index future")),
                contract_month: Some(contract.expiry.format("%Y%m").to_string()),
                agg_group: Some(i32::MAX),
                under_symbol: Some(symbol.to_string()),
                under_sec_type: Some("IND".to_owned()),
                market_rule_ids: Some("67".to_owned()),
                real_expiration_date: Some(contract.expiry.format("%Y%m%d").to_string()),
                settlement_method: Some("Cash".to_owned()),
                ..common
            },
            Instrument::Etf(etf) => ContractDetails {
                valid_exchanges: Some(format!("SMART,{}", etf.spec.primary_exchange)),
                long_name: Some(format!("{symbol} index fund")),
                agg_group: Some(1),
                market_rule_ids: Some("26,26".to_owned()),
                stock_type: Some("ETF".to_owned()),
                ..common
            },
        }
    }

    /// Trading and liquid hours of the coming days, in the zone of the venue.
    fn hours_text(&self, venue: Venue, now: DateTime<Utc>) -> (String, String) {
        let local = |at: DateTime<Utc>| at.with_timezone(&venue.zone()).format("%Y%m%d:%H%M").to_string();
        let span = |s: &Segment| format!("{}-{}", local(s.open), local(s.close));
        let today = now.with_timezone(&venue.zone()).date_naive();
        let (mut trading, mut liquid) = (Vec::new(), Vec::new());
        for day in (0..HOURS_DAYS).filter_map(|ahead| today.checked_add_days(Days::new(ahead))) {
            let closed = || format!("{}:CLOSED", day.format("%Y%m%d"));
            let session = self.hours.session(venue, day);
            match &session {
                Some(session) => trading.extend(session.segments.iter().map(span)),
                None => trading.push(closed()),
            }
            liquid.push(session.and_then(|s| s.regular).map_or_else(closed, |regular| span(&regular)));
        }
        (trading.join(";"), liquid.join(";"))
    }
}

/// An instrument as a gateway names it.
fn contract_of(of: &Match) -> Contract {
    let symbol = of.instrument.symbol().to_string();
    let common = Contract { con_id: Some(id_of(&of.instrument)), symbol: Some(symbol.clone()), ..Contract::default() };
    match &of.instrument {
        Instrument::Future(contract) => {
            let expiry = contract.expiry.format("%Y%m%d").to_string();
            Contract {
                sec_type: Some(if of.continuous { "CONTFUT" } else { "FUT" }.to_owned()),
                last_trade_date_or_contract_month: Some(expiry.clone()),
                multiplier: Some(contract.spec.multiplier),
                exchange: Some(contract.spec.exchange.clone()),
                currency: Some(contract.spec.currency.clone()),
                local_symbol: Some(contract.local_symbol.clone()),
                trading_class: Some(symbol),
                last_trade_date: Some(expiry),
                ..common
            }
        }
        Instrument::Etf(etf) => Contract {
            sec_type: Some("STK".to_owned()),
            exchange: Some("SMART".to_owned()),
            primary_exch: Some(etf.spec.primary_exchange.clone()),
            currency: Some(etf.spec.currency.clone()),
            local_symbol: Some(symbol.clone()),
            trading_class: Some(symbol),
            ..common
        },
    }
}

/// A contract as a fault lists it.
fn flawed(contract: Contract, flaw: Option<ContractFlaw>) -> Vec<Contract> {
    let Some(flaw) = flaw else { return vec![contract] };
    let other = match flaw {
        ContractFlaw::Symbol => Contract { symbol: Some("OTHER".to_owned()), ..contract.clone() },
        ContractFlaw::Exchange => Contract { exchange: Some("OTHER".to_owned()), ..contract.clone() },
        ContractFlaw::NoConId => Contract { con_id: Some(0), ..contract.clone() },
        ContractFlaw::SharedConId => Contract { con_id: contract.con_id.map(|id| id % 1_000 + 1), ..contract.clone() },
        ContractFlaw::Multiplier | ContractFlaw::Multipliers => Contract {
            multiplier: contract.multiplier.map(|multiplier| multiplier / 5.0),
            con_id: contract.con_id.map(|id| id + 500_000_000),
            ..contract.clone()
        },
    };
    if flaw == ContractFlaw::Multipliers { vec![other, contract] } else { vec![other] }
}

fn future_matches(query: &Contract, contract: &FutureContract) -> bool {
    let symbol = contract.symbol.as_str();
    let expiry = contract.expiry.format("%Y%m%d").to_string();
    // Behind the date may stand a time and a zone.
    let month = given(query.last_trade_date_or_contract_month.as_ref()).and_then(|text| text.split(' ').next());
    is_or_absent(query.exchange.as_ref(), &[&contract.spec.exchange])
        && is_or_absent(query.currency.as_ref(), &[&contract.spec.currency])
        && is_or_absent(query.symbol.as_ref(), &[symbol])
        && is_or_absent(query.local_symbol.as_ref(), &[&contract.local_symbol])
        && is_or_absent(query.trading_class.as_ref(), &[symbol])
        && month.is_none_or(|month| month.len() >= 6 && expiry.starts_with(month))
        && query.multiplier.is_none_or(|m| m == 0.0 || (m - contract.spec.multiplier).abs() < 1e-9)
        && identified(query, contract.con_id)
}

fn etf_matches(query: &Contract, symbol: &Symbol, spec: &EtfSpec) -> bool {
    is_or_absent(query.exchange.as_ref(), &["SMART", &spec.primary_exchange])
        && is_or_absent(query.primary_exch.as_ref(), &[&spec.primary_exchange])
        && is_or_absent(query.currency.as_ref(), &[&spec.currency])
        && is_or_absent(query.symbol.as_ref(), &[symbol.as_str()])
        && is_or_absent(query.local_symbol.as_ref(), &[symbol.as_str()])
        && identified(query, con_id(symbol, None))
}

/// By its id where one is given; without one, a symbol must be.
fn identified(query: &Contract, id: i32) -> bool {
    match query.con_id.unwrap_or_default() {
        0 => given(query.symbol.as_ref()).or(given(query.local_symbol.as_ref())).is_some(),
        asked => asked == id,
    }
}

/// A field that says something: clients send absent ones as empty texts.
fn given(field: Option<&String>) -> Option<&str> {
    field.map(String::as_str).filter(|text| !text.is_empty())
}

fn is_or_absent(field: Option<&String>, allowed: &[&str]) -> bool {
    given(field).is_none_or(|text| allowed.contains(&text))
}
