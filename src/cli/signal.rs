//! `jobs signal` and `jobs decide`: what the futures say of an ETF at an instant, and what the entry rules make of it.
//! Neither writes anything.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use crate::calendar::parse_instant;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::job::{Calendars, Failure, JobError, calendars};
use crate::jobs::{self, Known, known};
use crate::lake::{AsOf, Lake};
use crate::market::{PricePoint, Symbol};
use crate::rules::{Decision, Engine, Situation};
use crate::signals::{Derived, FuturesSignal, NoOutlook, Side, SpotOutlook, spot_outlook};
use crate::telemetry;

use super::block_on;
use super::output::{eastern, plain_table, print_document, print_line, print_text, right, utc};
use super::settings::{Format, Globals};

/// What is asked about.
#[derive(Debug, Args)]
struct Question {
    /// The ETF.
    symbol: Symbol,
    /// As of this time [default: the newest slot].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Price of the ETF then, in US dollars, in place of the table's.
    #[arg(long, value_name = "PRICE")]
    spot: Option<f64>,
    /// Outlook of the ETF: bullish, neutral or bearish [default: its close against its averages].
    #[arg(long)]
    outlook: Option<Side>,
    /// From the rows that had been captured by this time: with its `generated_at` a kept signal comes out again.
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs signal SPY
  jobs signal QQQ --at 2026-11-20T09:00 --format json

Only rows stamped at or before the time count. Without a signal the reason is printed, and the exit code is 0.")]
pub(super) struct SignalArgs {
    #[command(flatten)]
    question: Question,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs decide SPY
  jobs decide IWM --at 2026-11-20T09:00 --outlook bearish --format json

The outlook is that of the ETF's own closes, unless given. Nothing is traded: this program cannot place an order.")]
pub(super) struct DecideArgs {
    #[command(flatten)]
    question: Question,
    /// Where implied volatility stands in its own year, 0 to 100; it is shown with the decision.
    #[arg(long, value_name = "RANK")]
    iv_rank: Option<f64>,
}

/// What an answer is made from.
struct Facts {
    config: Config,
    calendars: Calendars,
    known: Known,
    derived: Derived,
}

/// Prints the signal.
pub(super) fn signal(globals: &Globals, args: &SignalArgs) -> Result<u8, JobError> {
    let facts = facts(globals, &args.question)?;
    match &facts.derived {
        Derived::Signal(signal) => {
            let outlook = outlook(&facts, args.question.outlook)?;
            if globals.format == Format::Text {
                print_signal(signal)?;
                print_line(&confirmed(signal, outlook))?;
            } else {
                let mut document = document(signal)?;
                if let Some(fields) = document.as_object_mut() {
                    let close_date = outlook.ok().and_then(|outlook| outlook.averages).map(|of| of.close_date);
                    fields.insert("outlook".to_owned(), json!(outlook.ok().map(|outlook| outlook.side)));
                    fields.insert("outlook_close_date".to_owned(), json!(close_date));
                    fields.insert("outlook_unknown".to_owned(), json!(outlook.err().map(|reason| reason.to_string())));
                }
                print_document(&document, globals.format)?;
            }
        }
        Derived::Skipped(reason) => no_answer(globals, (&facts, "signal"), &reason.to_string())?,
    }
    Ok(0)
}

/// Prints the decision.
pub(super) fn decide(globals: &Globals, args: &DecideArgs) -> Result<u8, JobError> {
    in_range("--iv-rank", args.iv_rank, (0.0, 100.0))?;
    let facts = facts(globals, &args.question)?;
    let signal = match &facts.derived {
        Derived::Signal(signal) => signal,
        Derived::Skipped(reason) => {
            no_answer(globals, (&facts, "decision"), &reason.to_string())?;
            return Ok(0);
        }
    };
    let outlook = match outlook(&facts, args.question.outlook)? {
        Ok(outlook) => outlook,
        Err(reason) => {
            let reason = format!("{reason}: run jobs run backfill, or give --outlook");
            no_answer(globals, (&facts, "decision"), &reason)?;
            return Ok(0);
        }
    };
    let engine =
        Engine::standard(&facts.config.rules).map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    let decision = engine.decide(&Situation { signal, outlook, iv_rank: args.iv_rank });
    if globals.format == Format::Text {
        print_signal(signal)?;
        print_decision(&decision, outlook)?;
    } else {
        print_document(&document(&decision)?, globals.format)?;
    }
    Ok(0)
}

fn facts(globals: &Globals, question: &Question) -> Result<Facts, JobError> {
    in_range("--spot", question.spot, (f64::MIN_POSITIVE, f64::MAX))?;
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let calendars = calendars(&config)?;
    let etf = &question.symbol;
    if config.signals.pair(etf).is_none() {
        let pairs: Vec<&str> = config.signals.pairs.iter().map(|pair| pair.etf.as_str()).collect();
        let told = format!("{etf} has no future: ask for {}, or name one under signals.pairs", pairs.join(", "));
        return Err(JobError::fail(Failure::Usage, told));
    }
    let as_of = as_of(question.at.as_deref(), &calendars)?;
    let rows = match question.as_of.as_deref() {
        Some(text) => AsOf::Instant(parse_instant(text)?),
        None => AsOf::Latest,
    };
    let mut known = block_on(async {
        let lake = Lake::reader(&config.lake)?;
        known(&lake, jobs::Question { etf, as_of, rows }, (&calendars, &config)).await
    })?;
    if let Some(price) = question.spot {
        known.prices.spot = Some(PricePoint { at: as_of, price });
    }
    let derived = known.signal(&calendars, &config)?;
    Ok(Facts { config, calendars, known, derived })
}

/// The instant that was asked for, or the newest slot.
fn as_of(at: Option<&str>, calendars: &Calendars) -> Result<DateTime<Utc>, JobError> {
    let now = SystemClock.now();
    let Some(text) = at else {
        return Ok(calendars.newest_slot(now)?.instant());
    };
    let at = parse_instant(text)?;
    if at <= now {
        return Ok(at);
    }
    let told = format!("{} lies in the future (it is {}): nobody knows it yet", utc(at), utc(now));
    Err(JobError::fail(Failure::Usage, told))
}

fn in_range(flag: &str, value: Option<f64>, (least, most): (f64, f64)) -> Result<(), JobError> {
    match value {
        // No number is in no range.
        Some(value) if !(least..=most).contains(&value) => {
            let bounds = if most < f64::MAX { format!("from {least} to {most}") } else { "above 0".to_owned() };
            Err(JobError::fail(Failure::Usage, format!("{flag} {value}: give a number {bounds}")))
        }
        _ => Ok(()),
    }
}

fn outlook(facts: &Facts, given: Option<Side>) -> Result<Result<SpotOutlook, NoOutlook>, JobError> {
    if let Some(side) = given {
        return Ok(Ok(SpotOutlook::given(side)));
    }
    let known = &facts.known;
    Ok(spot_outlook(&known.closes, (known.as_of, &facts.calendars.nyse), &facts.config.signals)?)
}

fn no_answer(globals: &Globals, (facts, what): (&Facts, &str), reason: &str) -> Result<(), JobError> {
    let known = &facts.known;
    if globals.format == Format::Text {
        return print_line(&format!("{} as of {}: no {what}: {reason}", known.etf, eastern(known.as_of)));
    }
    print_document(&json!({ "symbol": known.etf, "as_of": utc(known.as_of), "skipped": reason }), globals.format)
}

fn document(value: &impl serde::Serialize) -> Result<Value, JobError> {
    serde_json::to_value(value).map_err(|error| JobError::fail(Failure::Failed, error))
}

fn print_signal(signal: &FuturesSignal) -> Result<(), JobError> {
    let (etf, future) = (&signal.symbol, &signal.futures_symbol);
    print_line(&format!("{etf} by {future} ({}) as of {}", signal.contract, eastern(signal.as_of)))?;
    print_line(&signal.reasoning)?;
    let number = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let lines = [
        ("signal", signal.signal.to_string(), String::new()),
        ("sentiment", signal.sentiment.to_string(), format!("of {future} against its price at the last NYSE close")),
        ("confidence", number(Some(signal.confidence), 2), "0 to 1".to_owned()),
        ("momentum", number(Some(signal.momentum * 100.0), 3), "% over the lookback".to_owned()),
        ("daily change", number(signal.deviations, 2), "standard deviations of the sessions before".to_owned()),
        (
            "futures price",
            number(Some(signal.futures_price), 2),
            format!("points, {}", eastern(signal.timestamp.instant())),
        ),
        ("spot price", number(signal.spot_price, 2), "US dollars; only while the ETF trades".to_owned()),
        ("basis", number(signal.basis, 2), signal.basis_withheld.clone().unwrap_or_else(|| "points".to_owned())),
        ("predictive value", number(signal.predictive_value, 2), "not measured yet where -".to_owned()),
    ];
    let mut table = plain_table();
    for (name, value, note) in lines {
        table.add_row(vec![comfy_table::Cell::new(name), right(value), comfy_table::Cell::new(note)]);
    }
    print_text(&table)
}

/// What the ETF's own outlook is, and whether the signal is on its side.
fn confirmed(signal: &FuturesSignal, outlook: Result<SpotOutlook, NoOutlook>) -> String {
    let outlook = match outlook {
        Ok(outlook) => outlook,
        Err(reason) => return format!("outlook unknown: {reason}; run jobs run backfill, or give --outlook"),
    };
    let said = match outlook.side {
        Side::Neutral => "it has no side that the futures could confirm",
        side if side == signal.signal.side() => "the futures confirm it",
        _ => "the futures do not confirm it",
    };
    format!("{}: {said}", outlook_line(outlook))
}

fn outlook_line(outlook: SpotOutlook) -> String {
    let by = match outlook.averages {
        Some(of) => {
            let (date, close) = (of.close_date, of.close);
            format!("close of {date} {close:.2}, averages {:.2} and {:.2}", of.short, of.long)
        }
        None => "as given".to_owned(),
    };
    format!("outlook {} ({by})", outlook.side)
}

fn print_decision(decision: &Decision, outlook: SpotOutlook) -> Result<(), JobError> {
    print_line(&outlook_line(outlook))?;
    let strategy = decision.strategy_type.map_or_else(String::new, |of| format!(" {} ({})", of.as_str(), of.spread()));
    let size = decision.position_multiplier;
    print_line(&format!(
        "{} {}{strategy}, size {size:.2}, urgency {}: {}",
        decision.action, decision.direction, decision.urgency, decision.reason
    ))?;
    let mut table = plain_table();
    table.set_header(vec!["", "rule", "verdict", "why"]);
    for verdict in &decision.verdicts {
        let mark = if verdict.won { "*" } else { "" };
        let word = if verdict.fired { "fires" } else { "misses" };
        table.add_row(vec![mark, &verdict.rule, word, &verdict.reason]);
    }
    print_text(&table)
}
