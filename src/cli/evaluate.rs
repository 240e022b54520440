//! `jobs evaluate`: what the signals have been worth, with intervals, and what may be said of it. Writes nothing.

use chrono::{NaiveDate, TimeDelta};
use clap::Args;

use crate::clock::{Clock, SystemClock};
use crate::evaluation::{Hits, Interval, Verdict};
use crate::job::{Failure, JobError, calendars};
use crate::jobs::{Assessment, Span, assess};
use crate::lake::Lake;
use crate::market::Symbol;
use crate::telemetry;

use super::block_on;
use super::output::{plain_table, print_documents, print_line, print_text, right};
use super::settings::{Format, Globals};

/// How far back it looks without a range.
const RECENT: TimeDelta = TimeDelta::days(366);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs evaluate
  jobs evaluate --from 2026-01-02 --to 2026-06-30 --symbols SPY,QQQ --format json

Returns are of the session, from its open to its close, in bp gross of costs. A base signal is the side of the ETF's own
closes; it is confirmed where the futures signal of the morning is on that side. Signals of past mornings are made by jobs
run signals --from DAY. \"Inconclusive\" does not mean that there is no effect: the smallest difference that so few sessions
can show is told beside it.")]
pub(super) struct EvaluateArgs {
    /// First session [default: a year ago].
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// Last session [default: today].
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// Only these ETFs.
    #[arg(long, value_delimiter = ',', value_name = "SPY,QQQ")]
    symbols: Vec<Symbol>,
}

/// Prints it.
pub(super) fn evaluate(globals: &Globals, args: &EvaluateArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let (calendars, now) = (calendars(&config)?, SystemClock.now());
    if let Some(unknown) = args.symbols.iter().find(|symbol| config.signals.pair(symbol).is_none()) {
        let pairs: Vec<&str> = config.signals.pairs.iter().map(|pair| pair.etf.as_str()).collect();
        let told = format!("{unknown} has no future: ask for {}, or name one under signals.pairs", pairs.join(", "));
        return Err(JobError::fail(Failure::Usage, told));
    }
    let to = args.to.unwrap_or(now.date_naive()).min(now.date_naive());
    let from = args.from.unwrap_or(to - RECENT);
    if from > to {
        return Err(JobError::fail(Failure::Usage, format!("--from {from} is after {to}: give an earlier day")));
    }
    let span = Span { symbols: args.symbols.clone(), from, to };
    let found = block_on(async {
        let lake = Lake::reader(&config.lake)?;
        assess(&lake, &span, (&calendars, &config, now)).await
    })?;
    if globals.format == Format::Text {
        print_line(&format!("sessions from {from} to {to}; open to close, bp gross"))?;
        text(&found, config.evaluation.smallest_useful_gain_bp)?;
    } else {
        let documents: Result<Vec<_>, _> = found.iter().map(serde_json::to_value).collect();
        print_documents(documents.map_err(|error| JobError::fail(Failure::Failed, error))?, globals.format)?;
    }
    Ok(0)
}

pub(super) fn text(found: &[Assessment], useful: f64) -> Result<(), JobError> {
    let mut table = plain_table();
    let header = [
        "",
        "sessions",
        "with data",
        "base",
        "confirmed",
        "rejected",
        "won: base",
        "won: confirmed",
        "difference",
        "95 %",
        "p",
        "verdict",
    ];
    table.set_header(header);
    for one in found {
        let of = &one.confirmation;
        // Too few are counted, and no rate is told of them.
        let is_told = one.verdict != Verdict::Insufficient;
        let when = |told: String| right(if is_told { told } else { "-".to_owned() });
        table.add_row(vec![
            one.symbol.as_str().into(),
            right(one.num_sessions),
            right(one.num_days),
            right(of.n),
            right(of.arms.num_confirmed),
            right(of.arms.num_rejected),
            when(rate(&one.hits_base)),
            when(rate(&one.hits_confirmed)),
            when(signed(of.difference)),
            when(of.interval.map_or_else(String::new, |of| interval(of, 1.0, 1))),
            when(one.corrected_p.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"))),
            one.verdict.as_str().into(),
        ]);
    }
    print_text(&table)?;
    found.iter().try_for_each(|one| words(one, useful))
}

fn words(one: &Assessment, useful: f64) -> Result<(), JobError> {
    let (symbol, of) = (&one.symbol, &one.confirmation);
    let visible = of.smallest_visible.map_or_else(String::new, |least| {
        format!(
            "; of {} and {} signals a difference of {least:.1} bp can be seen",
            of.arms.num_confirmed, of.arms.num_rejected
        )
    });
    print_line(&format!("{symbol}: {} (useful from {useful} bp on){visible}", one.verdict.meaning()))?;
    if one.hits.n > 0 {
        let t = one.following.and_then(|of| of.t).map_or_else(|| "-".to_owned(), |t| format!("{t:.2}"));
        let mean = signed(one.following.map(|of| of.mean));
        let (own, leak) = (rate(&one.hits), rate(&one.hits_close_to_close));
        print_line(&format!(
            "  {} before the open against the session: {own}, {mean} bp a day (t {t}); close to close, not tradable: {leak}",
            one.future
        ))?;
    }
    if one.num_made_afterwards > 0 {
        let (made, all) = (one.num_made_afterwards, of.n);
        print_line(&format!("  {made} of {all} signals were made after the open, from the rows stamped before it"))?;
    }
    let value = one.skill.and_then(|skill| skill.predictive_value);
    let value = value.map_or_else(|| "null: too few sessions".to_owned(), |value| format!("{value:.2}"));
    print_line(&format!("  predictive value {value}"))?;
    one.look_ahead.alarms.iter().try_for_each(|alarm| print_line(&format!("  ALARM: {}", alarm.meaning())))
}

fn rate(of: &Hits) -> String {
    match (of.rate(), of.interval) {
        (Some(rate), Some(bounds)) => format!("{:.1} % ({})", 100.0 * rate, interval(bounds, 100.0, 1)),
        _ => "-".to_owned(),
    }
}

fn interval(of: Interval, scale: f64, decimals: usize) -> String {
    format!("{:.decimals$} to {:.decimals$}", scale * of.lo, scale * of.hi)
}

fn signed(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.1}"))
}
