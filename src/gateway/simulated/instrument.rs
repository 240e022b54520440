//! What the gateway adds to an instrument of the market: ids and the instant of its last trade.

use chrono::{DateTime, NaiveTime, Utc};

use crate::calendar::{ContractMonth, new_york};
use crate::market::{FutureContract, Instrument, Symbol};

/// First id given to an instrument: as many digits as a real one.
const FIRST_ID: u64 = 200_000_000;

/// Roots told apart; each has a thousand ids, one for each quarter from the year 1970 on.
const NUM_ROOTS: u64 = 400_000;

/// The id of a contract (of an ETF, without a month): the same on every run, another for every symbol and month.
pub(super) fn con_id(symbol: &Symbol, month: Option<ContractMonth>) -> i32 {
    // A polynomial of the letters: stable for good, which the hasher of the standard library does not promise.
    let root = symbol.as_str().bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let quarter = month.map_or(0, |m| {
        let years = u64::try_from(m.year() - 1970).unwrap_or(0);
        1 + (years * 4 + u64::from(m.month()) / 3).min(998)
    });
    i32::try_from(FIRST_ID + root % NUM_ROOTS * 1_000 + quarter).unwrap_or(i32::MAX)
}

/// The id of an instrument.
pub(super) fn id_of(instrument: &Instrument) -> i32 {
    match instrument {
        Instrument::Future(contract) => contract.con_id,
        Instrument::Etf(etf) => con_id(&etf.symbol, None),
    }
}

/// The price step of an instrument.
pub(super) fn tick_of(instrument: &Instrument) -> f64 {
    match instrument {
        Instrument::Future(contract) => contract.spec.tick,
        Instrument::Etf(etf) => etf.spec.tick,
    }
}

/// The instant of a contract's last trade: the opening auction of its expiry.
pub(super) fn last_trade_at(contract: &FutureContract) -> DateTime<Utc> {
    let opening = NaiveTime::from_hms_opt(9, 30, 0).unwrap_or_default();
    new_york(contract.expiry.and_time(opening))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_by_symbol_and_month() {
        let names = ["ES", "NQ", "RTY", "YM", "MES", "MNQ", "M2K", "EMD", "SPY", "QQQ", "IWM", "DIA"];
        let mut seen = BTreeSet::new();
        for name in names {
            let symbol: Symbol = name.parse().expect("a symbol");
            assert!(seen.insert(con_id(&symbol, None)));
            for year in 2010..2060 {
                for month in [3, 6, 9, 12] {
                    let month = ContractMonth::new(year, month).expect("quarterly");
                    assert!(seen.insert(con_id(&symbol, Some(month))), "{name} {month}");
                }
            }
        }
    }

    #[test]
    fn the_last_trade_is_the_opening_auction() {
        let symbol: Symbol = "ES".parse().expect("a symbol");
        let month = ContractMonth::new(2026, 12).expect("quarterly");
        let spec = crate::market::MarketConfig::default().future(&symbol).expect("built in");
        let expiry = month.last_trade_date();
        let contract = FutureContract { local_symbol: "ESZ6".to_owned(), con_id: 1, symbol, month, expiry, spec };
        assert_eq!(last_trade_at(&contract), month.last_trade_at());
    }
}
