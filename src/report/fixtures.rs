//! A report for the tests.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{Ahead, BaseDay, Book, Completeness, Decided, Found, Heard, Held, Judged, Morning, Overnight, Report};
use crate::evaluation::{BaseSignal, Bootstrap, Verdict, confirm, hits};
use crate::market::Symbol;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn symbol(name: &str) -> Symbol {
    name.parse().expect("a symbol")
}

fn morning([etf, future]: [&str; 2], heard: Result<Heard, String>, slope: f64) -> Morning {
    let start = at("2026-11-17T21:00:00Z");
    let points = (0..205).map(|step| (start + TimeDelta::minutes(5) * step, slope * f64::from(step))).collect();
    Morning {
        etf: symbol(etf),
        future: symbol(future),
        heard,
        decided: None,
        overnight: Overnight { close: Some(("2026-11-17".to_owned(), 590.25)), points },
    }
}

fn heard(signal: &str, contract: &str, reasoning: &str) -> Heard {
    Heard {
        signal: signal.to_owned(),
        sentiment: "bullish".to_owned(),
        confidence: 0.72,
        contract: contract.to_owned(),
        price: 6_012.25,
        changes: [Some(2.5), Some(8.25), Some(12.25)],
        reasoning: reasoning.to_owned(),
        is_late: false,
    }
}

/// The morning of Wednesday 2026-11-18: an entry, a hold, and an ETF without a signal.
pub(super) fn report() -> Report {
    let told = "Futures bullish (1H: +2.50, 4H: +8.25, Daily: +12.25) → BUY";
    let mut spy = morning(["SPY", "ES"], Ok(heard("buy", "ESZ6", told)), 0.1);
    spy.decided = Some(Decided {
        action: "enter".to_owned(),
        direction: "bullish".to_owned(),
        rule: "futures_bullish_entry".to_owned(),
        reason: "outlook bullish, buy, confidence 0.72 > 0.50".to_owned(),
        multiplier: 1.09,
        urgency: "normal".to_owned(),
        outlook: "bullish".to_owned(),
        missed: vec![
            ("futures_bearish_entry".to_owned(), "outlook bullish, needs bearish; signal buy, needs sell".to_owned()),
            ("futures_momentum_entry".to_owned(), "size of momentum 0.0010, needs > 0.0030".to_owned()),
        ],
        is_late: false,
    });
    let qqq = morning(["QQQ", "NQ"], Ok(heard("hold", "NQZ6", "Futures mixed → HOLD")), -0.05);
    let iwm = morning(["IWM", "RTY"], Err("the newest row is 40 min old".to_owned()), 0.02);
    let slots = |name: &str, planned, captured, backfilled| Completeness {
        name: name.to_owned(),
        planned,
        captured,
        backfilled,
    };
    let base: Vec<BaseSignal> = (0..60)
        .map(|number| BaseSignal {
            date: day("2026-08-03") + TimeDelta::days(number),
            side: 1.0,
            futures: if number % 3 == 0 { -0.001 } else { 0.002 },
            gap: 0.001,
            gross_bp: if number % 2 == 0 { 12.0 } else { -9.0 },
        })
        .collect();
    let judged = Judged {
        symbol: symbol("SPY"),
        is_live: true,
        confirmation: confirm(&base, &Bootstrap { seed: 7, mean_block: 10.0, draws: 50 }),
        hits_base: hits(base.iter().map(|one| (1.0, one.gross_bp))),
        hits_confirmed: hits(base.iter().filter(|one| one.is_confirmed()).map(|one| (1.0, one.gross_bp))),
        predictive_value: None,
        verdict: Verdict::Insufficient,
    };
    let is_live = true;
    let days = base
        .iter()
        .map(|one| BaseDay { date: one.date, gross_bp: one.gross_bp, is_confirmed: one.is_confirmed(), is_live })
        .collect();
    Report {
        day: day("2026-11-18"),
        as_of: at("2026-11-18T14:00:00Z"),
        opens_at: at("2026-11-18T14:30:00Z"),
        made_at: at("2026-11-18T14:01:10Z"),
        origin: "desk, version 0.1.0".to_owned(),
        is_simulated: true,
        mornings: vec![spy, qqq, iwm],
        completeness: vec![slots("2026-11-16", 1_062, 1_062, 0), slots("2026-11-17", 1_062, 1_050, 9)],
        by_symbol: vec![slots("ES", 276, 276, 0), slots("SPY", 78, 66, 9)],
        found: vec![Found {
            check: "complete.session".to_owned(),
            severity: "error".to_owned(),
            count: 1,
            example: "3 missing slots".to_owned(),
        }],
        incidents: vec!["complete.session:spot_snapshots:SPY, error, since Tue 16:30 ET: 3 missing slots".to_owned()],
        book: Book { days, costs_bp: 1.0 },
        open: vec![Held {
            symbol: symbol("SPY"),
            direction: "bullish".to_owned(),
            rule: "futures_momentum_entry".to_owned(),
            entered: (day("2026-11-16"), 588.5),
            marked: (day("2026-11-17"), 590.25),
            net_bp: 30.2,
            horizon: "5d".to_owned(),
        }],
        verdicts: vec![judged],
        ahead: vec![Ahead { day: day("2026-11-26"), what: "NYSE is closed: Thanksgiving Day".to_owned() }],
        calendar_ends: None,
    }
}
