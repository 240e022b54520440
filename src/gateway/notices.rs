//! Error codes of TWS: who has to do what, in words for the operator.
//!
//! Source: IBKR's list of message codes; several failures share code 162 and are told apart by their text.

use super::error::ErrorClass;

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Who has to act.
    pub(super) class: ErrorClass,
    /// What it means and what to do.
    pub(super) remedy: &'static str,
}

const fn meaning(class: ErrorClass, remedy: &'static str) -> Meaning {
    Meaning { class, remedy }
}

/// What an error that ended a request means.
pub(super) fn meaning_of(code: i32, text: &str) -> Meaning {
    use ErrorClass::{GiveUp, OperatorMustAct, Retry, Wait};
    match code {
        100 => meaning(Wait, "too many messages a second; wait a minute before running it again"),
        101 => meaning(OperatorMustAct, "too many market data lines are open; close other programs of this user"),
        162 => historical(text),
        165 => meaning(Retry, "the historical data service failed; run it again"),
        200 => meaning(GiveUp, "the gateway knows no such contract; check the symbol and its exchange under market"),
        321 | 322 | 10339 => meaning(GiveUp, "the gateway calls the request invalid; check its API settings"),
        354 | 10168 | 10186 | 420 => meaning(
            OperatorMustAct,
            "no subscription to this market data; subscribe at IBKR, or set gateway.market_data: delayed",
        ),
        10089..=10091 => meaning(OperatorMustAct, "this data needs a further subscription at IBKR"),
        10182 => meaning(Retry, "the gateway lost its data connection; run it again"),
        10197 => meaning(Wait, "the same user is logged in elsewhere and has the market data; log out there"),
        1100 | 1300 | 2103 | 2105 | 2110 | 2157 => {
            meaning(Wait, "the gateway has no connection to IBKR; wait until it is restored")
        }
        _ => meaning(Retry, "run it again; the gateway's own words follow"),
    }
}

fn historical(text: &str) -> Meaning {
    use ErrorClass::{GiveUp, OperatorMustAct, Retry, Wait};
    let text = text.to_ascii_lowercase();
    if text.contains("pacing violation") {
        meaning(Wait, "too many historical requests; wait ten minutes before running it again")
    } else if text.contains("returned no data") {
        meaning(GiveUp, "the gateway has no data for this contract and time")
    } else if text.contains("permission") {
        meaning(OperatorMustAct, "no permission for this historical data; subscribe at IBKR")
    } else if text.contains("cancelled") {
        meaning(Retry, "the request was cancelled; run it again")
    } else {
        meaning(Retry, "the historical data service failed; run it again")
    }
}

/// Whether an error is a 162 that only says there is no data.
pub(super) fn says_no_data(error: &ibapi::Error) -> bool {
    matches!(error, ibapi::Error::Notice(notice) if notice.message.to_ascii_lowercase().contains("returned no data"))
}

/// What a request-less notice says about the way to IBKR: broken, restored, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upstream {
    /// Data will not come.
    Broken,
    /// Data comes again.
    Restored,
    /// Nothing about the connection.
    Unrelated,
}

/// Reads the state of the way to IBKR from a request-less notice.
pub(super) fn upstream(code: i32) -> Upstream {
    match code {
        1100 | 1300 | 2110 | 2103 | 2105 | 2157 => Upstream::Broken,
        1101 | 1102 | 2104 | 2106 | 2158 => Upstream::Restored,
        _ => Upstream::Unrelated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_162_are_told_apart() {
        let class = |text: &str| meaning_of(162, text).class;
        let prefix = "Historical Market Data Service error message:";
        assert_eq!(class(&format!("{prefix}Historical data request pacing violation")), ErrorClass::Wait);
        assert_eq!(class(&format!("{prefix}HMDS query returned no data: ESZ6@CME Trades")), ErrorClass::GiveUp);
        assert_eq!(class(&format!("{prefix}No market data permissions for CME FUT")), ErrorClass::OperatorMustAct);
        assert_eq!(class(&format!("{prefix}API historical data query cancelled: 3")), ErrorClass::Retry);
    }

    #[test]
    fn a_missing_subscription_needs_a_person() {
        for code in [354, 420, 10168, 10186] {
            assert_eq!(meaning_of(code, "").class, ErrorClass::OperatorMustAct, "{code}");
        }
    }

    #[test]
    fn upstream_notices_are_paired() {
        assert_eq!(upstream(1100), Upstream::Broken);
        assert_eq!(upstream(1102), Upstream::Restored);
        assert_eq!(upstream(2119), Upstream::Unrelated);
    }
}
