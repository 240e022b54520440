//! Contracts, and which of a chain leads.

use chrono::{DateTime, NaiveDate, Utc};
use thiserror::Error;

use crate::calendar::{CalendarError, ContractMonth, RollRule, lead_month};

use super::{EtfSpec, FutureSpec, Symbol};

/// A listed quarterly future, as the gateway describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct FutureContract {
    /// The root, such as `ES`.
    pub symbol: Symbol,
    /// The exchange's own name of the contract, such as `ESZ6`.
    pub local_symbol: String,
    /// The gateway's identifier of the contract.
    pub con_id: i32,
    /// Delivery month.
    pub month: ContractMonth,
    /// Last trade date.
    pub expiry: NaiveDate,
    /// Multiplier, tick, currency and exchange.
    pub spec: FutureSpec,
}

/// An ETF as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct EtfContract {
    /// Ticker.
    pub symbol: Symbol,
    /// Listing and tick.
    pub spec: EtfSpec,
}

/// Anything that can be quoted.
#[derive(Debug, Clone, PartialEq)]
pub enum Instrument {
    /// A quarterly future.
    Future(FutureContract),
    /// An ETF.
    Etf(EtfContract),
}

impl Instrument {
    /// The symbol under which its rows are stored.
    #[must_use]
    pub fn symbol(&self) -> &Symbol {
        match self {
            Self::Future(contract) => &contract.symbol,
            Self::Etf(contract) => &contract.symbol,
        }
    }

    /// What a person calls it: the local symbol of a future, the ticker of an ETF.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Future(contract) => &contract.local_symbol,
            Self::Etf(contract) => contract.symbol.as_str(),
        }
    }
}

/// The lead contract of an instant, and whether the gateway's expiry differs from the exchange's rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    /// The contract.
    pub contract: FutureContract,
    /// The rule's expiry, only where the gateway says another: the gateway wins, the difference is a finding.
    pub expiry_by_rule: Option<NaiveDate>,
}

/// Picks from a chain the contract that leads at an instant by our own roll rule.
///
/// # Errors
/// [`LeadError::NotListed`] where the chain lacks that month, [`LeadError::Calendar`] outside of the calendar.
pub fn lead_contract(chain: &[FutureContract], at: DateTime<Utc>, rule: RollRule) -> Result<Lead, LeadError> {
    let month = lead_month(at, rule)?;
    let contract = chain.iter().find(|c| c.month == month).cloned().ok_or_else(|| LeadError::NotListed {
        month,
        listed: chain.iter().map(|c| c.local_symbol.as_str()).collect::<Vec<_>>().join(", "),
    })?;
    let by_rule = month.last_trade_date();
    let expiry_by_rule = (contract.expiry != by_rule).then_some(by_rule);
    Ok(Lead { contract, expiry_by_rule })
}

/// No lead contract could be named.
#[derive(Debug, Error)]
pub enum LeadError {
    /// The calendar does not reach there.
    #[error("cannot name the lead contract")]
    Calendar(#[from] CalendarError),
    /// The gateway does not list the month that the roll rule names.
    #[error(
        "the gateway lists no contract for {month}, the lead by the roll rule (listed: {listed}): check market.roll_rule"
    )]
    NotListed {
        /// The month wanted.
        month: ContractMonth,
        /// Local symbols of the chain.
        listed: String,
    },
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::market::MarketConfig;

    fn contract(year: i32, month: u32, expiry: (i32, u32, u32)) -> FutureContract {
        let symbol: Symbol = "ES".parse().expect("a symbol");
        let spec = MarketConfig::default().future(&symbol).expect("built in");
        let month = ContractMonth::new(year, month).expect("quarterly");
        let expiry = NaiveDate::from_ymd_opt(expiry.0, expiry.1, expiry.2).expect("a date");
        FutureContract { local_symbol: month.local_symbol("ES"), symbol, con_id: 1, month, expiry, spec }
    }

    fn chain() -> Vec<FutureContract> {
        vec![contract(2026, 12, (2026, 12, 18)), contract(2027, 3, (2027, 3, 19))]
    }

    #[test]
    fn the_next_contract_leads_from_the_sunday_open_of_the_roll_date() {
        let before = Utc.with_ymd_and_hms(2026, 12, 13, 22, 59, 59).single().expect("an instant");
        let open = Utc.with_ymd_and_hms(2026, 12, 13, 23, 0, 0).single().expect("an instant");
        let name = |at| lead_contract(&chain(), at, RollRule::Monday).expect("listed").contract.local_symbol;
        assert_eq!((name(before).as_str(), name(open).as_str()), ("ESZ6", "ESH7"));
    }

    #[test]
    fn an_expiry_other_than_the_rule_is_kept_and_told() {
        let at = Utc.with_ymd_and_hms(2026, 11, 20, 15, 0, 0).single().expect("an instant");
        let odd = vec![contract(2026, 12, (2026, 12, 17))];
        let lead = lead_contract(&odd, at, RollRule::Monday).expect("listed");
        assert_eq!(lead.contract.expiry.to_string(), "2026-12-17");
        assert_eq!(lead.expiry_by_rule.map(|d| d.to_string()), Some("2026-12-18".to_owned()));
        assert_eq!(lead_contract(&chain(), at, RollRule::Monday).expect("listed").expiry_by_rule, None);
    }

    #[test]
    fn a_month_that_is_not_listed_is_named() {
        let at = Utc.with_ymd_and_hms(2027, 6, 1, 15, 0, 0).single().expect("an instant");
        let error = lead_contract(&chain(), at, RollRule::Monday).expect_err("not listed").to_string();
        assert!(error.contains("202706") && error.contains("ESZ6, ESH7"), "{error}");
    }
}
