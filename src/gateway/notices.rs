//! Notices and error codes of TWS: who has to do what, in words for the operator. The one place that classifies them.
//!
//! Source: IBKR's list of message codes. Several failures share a code, and one failure comes under several codes, so where
//! a text decides it decides before the code.

use super::error::ErrorClass;

/// Longest part of the gateway's own words that a message of ours carries, in characters.
const MAX_WORDS: usize = 200;

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

/// Only one login of a user has the market data.
const COMPETING: Meaning =
    meaning(ErrorClass::Wait, "the same user is logged in elsewhere and has the market data; log out there");

const NO_DATA: Meaning = meaning(ErrorClass::NoData, "the gateway has no data for this contract and time");

const DISCLAIMER: Meaning =
    meaning(ErrorClass::OperatorMustAct, "log in to the gateway's own window and accept the paper trading disclaimer");

const TOO_OLD: Meaning = meaning(ErrorClass::OperatorMustAct, "update TWS or IB Gateway");

/// A part of a text, in lower case, and what it means under whatever code it comes.
const TEXTS: [(&str, Meaning); 12] = [
    ("different ip address", COMPETING),
    ("competing live session", COMPETING),
    ("paper trading disclaimer", DISCLAIMER),
    (
        "pacing violation",
        meaning(ErrorClass::Wait, "too many historical requests; wait ten minutes before running it again"),
    ),
    ("returned no data", NO_DATA),
    ("no historical data available", NO_DATA),
    ("no data of type", NO_DATA),
    ("expired contract violation", NO_DATA),
    (
        "no market data permissions",
        meaning(
            ErrorClass::OperatorMustAct,
            "no permission, as there is no subscription to this market data; subscribe at IBKR",
        ),
    ),
    ("query cancelled", meaning(ErrorClass::Retry, "the request was cancelled; run it again")),
    (
        "read-only mode",
        meaning(
            ErrorClass::OperatorMustAct,
            "the gateway calls the request invalid; take Read-Only API out of its API settings",
        ),
    ),
    ("out of date and must be upgraded", TOO_OLD),
];

/// What an error that ended a request, or a notice of the handshake, means.
pub(super) fn meaning_of(code: i32, text: &str) -> Meaning {
    let text = text.to_ascii_lowercase();
    let by_text = TEXTS.iter().find(|(part, _)| text.contains(part)).map(|(_, meaning)| *meaning);
    by_text.unwrap_or_else(|| meaning_of_code(code))
}

fn meaning_of_code(code: i32) -> Meaning {
    use ErrorClass::{GiveUp, OperatorMustAct, Retry, Wait};
    match code {
        100 => meaning(Wait, "too many messages a second; wait a minute before running it again"),
        101 => meaning(OperatorMustAct, "too many market data lines are open; close other programs of this user"),
        162 | 165 => meaning(Retry, "the historical data service failed; run it again"),
        166 => NO_DATA,
        200 => meaning(GiveUp, "the gateway knows no such contract; check the symbol and its exchange under market"),
        300 | 366 => meaning(Retry, "the gateway lost the request on the way; run it again"),
        320..=322 | 10339 => meaning(GiveUp, "the gateway calls the request invalid; check its API settings"),
        354 | 10168 | 10186 | 420 => meaning(
            OperatorMustAct,
            "no subscription to this market data; subscribe at IBKR, or set gateway.market_data: delayed",
        ),
        503 => TOO_OLD,
        10089..=10091 => meaning(OperatorMustAct, "this data needs a further subscription at IBKR"),
        10141 => DISCLAIMER,
        10182 => meaning(Retry, "the gateway lost its data connection; run it again"),
        10197 => COMPETING,
        1100 | 1300 | 2103 | 2105 | 2110 | 2157 => {
            meaning(Wait, "the gateway has no connection to IBKR; wait until it is restored")
        }
        _ => meaning(Retry, "run it again; the gateway's own words follow"),
    }
}

/// A notice of the gateway that belongs to no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reported {
    /// Its code.
    pub(super) code: i32,
    /// The gateway's words, fit to be printed.
    pub(super) words: String,
}

impl Reported {
    /// A notice as it came.
    pub(super) fn new(code: i32, text: &str) -> Self {
        Self { code, words: printable(text) }
    }

    /// Reads a line in which the client library printed a notice: `[CODE] text`, with or without words before it.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once('[')?;
        let (code, text) = rest.split_once(']')?;
        Some(Self::new(code.parse().ok()?, text.trim()))
    }

    /// Whether it only describes the state of a farm or of a subscription, or is one that the client answers to by itself.
    pub(super) fn is_ordinary(&self) -> bool {
        matches!(self.code, 2100..=2199 | 326 | 300 | 366) || self.code <= 0
    }

    /// What it means, where it turns the whole session away.
    pub(super) fn refusal(&self) -> Option<Meaning> {
        let meaning = meaning_of(self.code, &self.words);
        let is_final = matches!(meaning.class, ErrorClass::OperatorMustAct | ErrorClass::Wait);
        (is_final && !self.is_ordinary() && !matches!(self.code, 1100 | 1300)).then_some(meaning)
    }

    /// History comes without its newest minutes.
    pub(super) fn cuts_history(&self) -> bool {
        self.code == 2188 || self.words.to_ascii_lowercase().contains("up-to-the-second historical data")
    }
}

/// Notices in words to be put behind an error, with a leading semicolon; empty where there are none.
pub(super) fn reported_words(notices: &[Reported]) -> String {
    if notices.is_empty() {
        return String::new();
    }
    let told: Vec<String> = notices.iter().map(|notice| format!("{}: {}", notice.code, notice.words)).collect();
    format!("; it reported {}", told.join(", "))
}

/// Words of a gateway without what a terminal would obey, and no longer than a message can bear.
pub(super) fn printable(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect();
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "Historical Market Data Service error message:";

    #[test]
    fn the_texts_of_162_are_told_apart() {
        let class = |text: &str| meaning_of(162, &format!("{PREFIX}{text}")).class;
        assert_eq!(class("Historical data request pacing violation"), ErrorClass::Wait);
        assert_eq!(class("HMDS query returned no data: ESZ6@CME Trades"), ErrorClass::NoData);
        assert_eq!(class("No market data permissions for CME FUT"), ErrorClass::OperatorMustAct);
        assert_eq!(class("API historical data query cancelled: 3"), ErrorClass::Retry);
        assert_eq!(class("connection attempt failed"), ErrorClass::Retry);
    }

    #[test]
    fn a_text_decides_under_whatever_code_it_comes() {
        for code in [162, 165, 420, 10_089] {
            let elsewhere = meaning_of(code, "Trading TWS session is connected from a different IP address");
            assert_eq!(elsewhere, meaning_of(10_197, ""), "{code}");
        }
        for (code, text) in [
            (166, "Historical Market Data Service query message:Expired contract violation:contract can not expire."),
            (165, "Historical Market Data Service query message:HMDS query returned no data"),
            (162, "Historical Market Data Service error message:No historical data available"),
            (166, ""),
        ] {
            assert_eq!(meaning_of(code, text).class, ErrorClass::NoData, "{code} {text}");
        }
    }

    #[test]
    fn a_missing_subscription_needs_a_person() {
        for code in [354, 420, 10168, 10186, 10141, 503] {
            assert_eq!(meaning_of(code, "").class, ErrorClass::OperatorMustAct, "{code}");
        }
    }

    #[test]
    fn a_printed_notice_is_read_back_and_a_disclaimer_turns_the_session_away() {
        let notice = Reported::parse("[10141] Paper trading disclaimer must first be accepted for API connection.");
        let notice = notice.expect("a notice");
        assert_eq!((notice.code, notice.refusal().map(|m| m.class)), (10141, Some(ErrorClass::OperatorMustAct)));
        let farm = Reported::parse("[2103] Market data farm connection is broken:usfuture").expect("a notice");
        assert_eq!((farm.is_ordinary(), farm.refusal()), (true, None));
        let cut = Reported::parse("ib notice on subscription: [2188] Up-to-the-second historical data requires");
        assert!(cut.is_some_and(|notice| notice.cuts_history()));
        assert_eq!(Reported::parse("Handshake version: v213..226"), None);
    }

    #[test]
    fn words_of_a_gateway_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n"), "a [2Jb");
        assert_eq!(printable(&"x".repeat(500)).len(), MAX_WORDS);
    }
}
