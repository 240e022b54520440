//! `jobs evaluate`: what the signals have been worth, with intervals, and what may be said of it. Writes nothing.

use chrono::{NaiveDate, TimeDelta};
use clap::Args;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::evaluation::{Hits, Interval, LeadLag, MeanTest, Verdict, smallest_rate};
use crate::job::{Failure, JobError, calendars};
use crate::jobs::{Assessment, Judgement, RuleRecord, Span, Year, assess, pooled};
use crate::market::Symbol;
use crate::rules::Horizon;
use crate::telemetry;

use super::block_on;
use super::existing_lake::lake_to_read;
use super::output::{plain_table, print_documents, print_line, print_text, right};
use super::settings::{Format, Globals};

/// How far back it looks without a range.
const RECENT: TimeDelta = TimeDelta::days(366);

/// Positions that overlap by more than this are too few of their own in any range.
const MOST_SESSIONS: u32 = 20;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  jobs evaluate
  jobs evaluate --from 2026-01-02 --to 2026-06-30 --symbols SPY,QQQ --format json
  jobs evaluate --horizon 5d

Returns are of the session, from its open to its close, in bp gross of costs; with --horizon from its open to the close of so
many sessions. A base signal is the side of the ETF's own closes; it is confirmed where the futures signal of the morning is
on that side. Signals of past mornings are made by jobs run signals --from DAY; they are judged apart from live ones.
\"Inconclusive\" does not mean that there is no effect: the smallest difference that so few sessions can show is told beside
it.")]
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
    /// For how many sessions a position is held, such as 5d.
    #[arg(long, value_name = "SESSIONS", default_value = "1d")]
    horizon: Horizon,
}

/// Prints it.
pub(super) fn evaluate(globals: &Globals, args: &EvaluateArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    let config = &loaded.config;
    telemetry::start_on_stderr(globals.verbosity());
    let (calendars, now) = (calendars(config)?, SystemClock.now());
    let usage = |told: String| JobError::fail(Failure::Usage, told);
    if let Some(unknown) = args.symbols.iter().find(|symbol| config.signals.pair(symbol).is_none()) {
        let pairs: Vec<&str> = config.signals.pairs.iter().map(|pair| pair.etf.as_str()).collect();
        let told = format!("{unknown} has no future: ask for {}, or name one under signals.pairs", pairs.join(", "));
        return Err(usage(told));
    }
    if args.horizon.num_sessions() > MOST_SESSIONS {
        return Err(usage(format!("--horizon {}: give 1d to {MOST_SESSIONS}d", args.horizon)));
    }
    let to = args.to.unwrap_or(now.date_naive()).min(now.date_naive());
    let from = args.from.unwrap_or(to - RECENT);
    if from > to {
        return Err(usage(format!("--from {from} is after {to}: give an earlier day")));
    }
    let is_asked = args.from.is_some() || args.to.is_some();
    if is_asked && calendars.nyse.sessions(from, to).is_ok_and(|sessions| sessions.is_empty()) {
        return Err(usage(format!("{from} to {to} hold no session of nyse: give days on which it trades")));
    }
    let span = Span { symbols: args.symbols.clone(), from, to, horizon: args.horizon };
    let found = block_on(async {
        let lake = lake_to_read(&loaded)?;
        assess(&lake, &span, (&calendars, config, now)).await
    })?;
    if globals.format == Format::Text {
        let held = match args.horizon.num_sessions() {
            1 => "open to close".to_owned(),
            sessions => format!("open to the close of {sessions} sessions"),
        };
        print_line(&format!("sessions from {from} to {to}; {held}, bp gross"))?;
        text(&found, (config, args.horizon))?;
    } else {
        let documents: Result<Vec<_>, _> = found.iter().map(serde_json::to_value).collect();
        print_documents(documents.map_err(|error| JobError::fail(Failure::Failed, error))?, globals.format)?;
    }
    Ok(0)
}

/// Too few are counted, and no rate is told of them.
fn is_told(of: &Judgement) -> bool {
    of.verdict != Verdict::Insufficient
}

pub(super) fn text(found: &[Assessment], (config, horizon): (&Config, Horizon)) -> Result<(), JobError> {
    let mut table = plain_table();
    let header = [
        "",
        "signals made",
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
        for (made, judgement) in one.shown() {
            let of = &judgement.confirmation;
            let when = |told: String| right(if is_told(judgement) { told } else { "-".to_owned() });
            table.add_row(vec![
                one.symbol.as_str().into(),
                made.as_str().into(),
                right(one.num_sessions),
                right(one.num_days),
                right(of.n),
                right(of.arms.num_confirmed),
                right(of.arms.num_rejected),
                when(rate(&judgement.hits_base)),
                when(rate(&judgement.hits_confirmed)),
                when(signed(of.difference)),
                when(of.interval.map_or_else(String::new, |of| interval(of, 1.0, 1))),
                when(judgement.corrected_p.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"))),
                judgement.verdict.as_str().into(),
            ]);
        }
    }
    print_text(&table)?;
    found.iter().try_for_each(|one| words(one, (config, horizon)))?;
    if let (Some((days, test)), true) = (pooled(found, horizon), found.len() > 1) {
        print_line(&format!(
            "all of them before the open, each day one observation: {:+.1} {} (t {}) of {days} days",
            test.mean,
            each(horizon),
            t_of(Some(test))
        ))?;
    }
    rules(found, (config, horizon))
}

/// What a mean is of.
fn each(horizon: Horizon) -> &'static str {
    if horizon.num_sessions() > 1 { "bp a position" } else { "bp a day" }
}

fn t_of(test: Option<MeanTest>) -> String {
    test.and_then(|of| of.t).map_or_else(|| "-".to_owned(), |t| format!("{t:.2}"))
}

fn words(one: &Assessment, (config, horizon): (&Config, Horizon)) -> Result<(), JobError> {
    let (useful, least) = (config.evaluation.smallest_useful_gain_bp, config.evaluation.min_signals_per_arm);
    for (made, of) in one.shown() {
        let confirmation = &of.confirmation;
        let (num_confirmed, num_rejected) = (confirmation.arms.num_confirmed, confirmation.arms.num_rejected);
        let visible = confirmation.smallest_visible.map_or_else(String::new, |least| {
            format!("; of {num_confirmed} and {num_rejected} signals a difference of {least:.1} bp can be seen")
        });
        let (symbol, made) = (&one.symbol, made.as_str());
        print_line(&format!("{symbol} {made}: {} (useful from {useful} bp on){visible}", of.verdict.meaning()))?;
        measured(of, config.rules.paper.round_trip_cost_bp)?;
    }
    if one.hits.n > 0 {
        let is_enough = one.num_days >= least;
        print_line(&if is_enough { following(one, horizon) } else { followed(one) })?;
    }
    let fit = one.with_gap.as_ref().filter(|_| one.num_days >= least);
    if let Some([_, gap, future]) = fit.map(|fit| fit.t.as_slice()) {
        let told = format!("t {gap:.2} of the gap, t {future:.2} of {}", one.future);
        print_line(&format!("  of what came, gap and future together tell: {told}"))?;
    }
    if one.by_year.len() > 1 {
        let years: Vec<String> = one.by_year.iter().map(|of| year(of, least)).collect();
        print_line(&format!("  by year: {}", years.join("; ")))?;
    }
    let value = one.skill.and_then(|skill| skill.predictive_value);
    let none = if horizon.num_sessions() > 1 { "null: it is of single sessions" } else { "null: too few sessions" };
    let value = value.map_or_else(|| none.to_owned(), |value| format!("{value:.2}"));
    print_line(&format!("  predictive value {value}"))?;
    if let Some(clocks) = &one.clocks {
        print_line(&format!("  {}", side_by_side(one, clocks)))?;
    }
    one.look_ahead.alarms.iter().try_for_each(|alarm| print_line(&format!("  ALARM: {}", alarm.meaning())))
}

/// What was measured of signals made alike, where there are enough of them.
fn measured(of: &Judgement, costs_bp: f64) -> Result<(), JobError> {
    let confirmation = &of.confirmation;
    if let (Some(bounds), true) = (confirmation.confirmed, confirmation.n > 0) {
        let share = 100.0 * f64::from(count(confirmation.arms.num_confirmed)) / f64::from(count(confirmation.n));
        print_line(&format!("  the futures confirmed {share:.1} % ({}) of them", interval(bounds, 100.0, 1)))?;
    }
    if !is_told(of) {
        return Ok(());
    }
    let mean = confirmation.arms.mean_confirmed;
    print_line(&format!(
        "  a confirmed signal earned {} bp gross, {} net of {costs_bp:.1} bp of costs; all base signals {:+.0} bp, of which {:+.0} were given up",
        signed(mean),
        signed(mean.map(|mean| mean - costs_bp)),
        confirmation.total_bp,
        confirmation.given_up_bp
    ))?;
    let against = confirmation.against_gap.map_or_else(|| "-".to_owned(), |of| interval(of, 1.0, 1));
    let apart = confirmation.difference.zip(confirmation.gap_difference).map(|(own, gap)| own - gap);
    let shifted = confirmation.flag_shift.map_or_else(|| "-".to_owned(), |shift| format!("{:.3}", shift.p));
    print_line(&format!(
        "  less what the ETF's own gap tells: {} ({against}); p of the confirmations of other days {shifted}, p for screening {}",
        signed(apart),
        of.screened_p.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"))
    ))
}

fn following(one: &Assessment, horizon: Horizon) -> String {
    let (t, each) = (t_of(one.following), each(horizon));
    let mean = signed(one.following.map(|of| of.mean));
    let told = smallest_rate(one.hits.n).map_or_else(String::new, |least| {
        format!("; of so many a rate above {:.1} % can be told from chance", 100.0 * least)
    });
    let drift = one.timing.map_or_else(String::new, |of| format!(", z against drift {:.2}", of.z));
    format!(
        "  {} before the open against what came: {}, {mean} {each} (t {t}){drift}{told}; close to close, not tradable: {}",
        one.future,
        rate(&one.hits),
        rate(&one.hits_close_to_close)
    )
}

/// The same of too few sessions: counts only.
fn followed(one: &Assessment) -> String {
    let (own, leak) = (&one.hits, &one.hits_close_to_close);
    format!(
        "  {} before the open had the side of what came {} times of {}; close to close, not tradable: {} of {}",
        one.future, own.hits, own.n, leak.hits, leak.n
    )
}

/// Of a year with too few sessions the counts only.
fn year(of: &Year, least: usize) -> String {
    let counted = format!("{} {} of {}", of.year, of.hits.hits, of.hits.n);
    if of.hits.n < least {
        return counted;
    }
    format!("{counted}, {} bp (t {})", signed(of.following.map(|of| of.mean)), t_of(of.following))
}

fn side_by_side(one: &Assessment, clocks: &LeadLag) -> String {
    let lag = |of: &[f64]| of.first().map_or_else(|| "-".to_owned(), |rho| format!("{rho:+.3}"));
    let (ahead, behind) = (lag(&clocks.future_leads), lag(&clocks.etf_leads));
    let sound = if clocks.is_sound { "clocks and labels agree" } else { "ALARM: a clock or a label is wrong" };
    let (future, etf) = (&one.future, &one.symbol);
    format!(
        "{future} with {etf} over the same five minutes {:.3}, {future} five minutes ahead {ahead}, behind {behind}: {sound}",
        clocks.same
    )
}

/// The book on paper by rule.
fn rules(found: &[Assessment], (config, horizon): (&Config, Horizon)) -> Result<(), JobError> {
    let (least, kept) = (config.evaluation.min_signals_per_arm, &config.rules.paper.horizons_sessions);
    if !kept.contains(&horizon.num_sessions()) {
        let kept: Vec<String> = kept.iter().map(|sessions| Horizon::sessions(*sessions).to_string()).collect();
        return print_line(&format!(
            "positions on paper are kept for {}, not for {horizon}: rules.paper.horizons_sessions",
            kept.join(", ")
        ));
    }
    if found.iter().all(|one| one.rules.is_empty()) {
        return print_line("no position on paper is over: jobs run rules and jobs run evaluation make them");
    }
    let mut table = plain_table();
    table.set_header(["", "rule", "decided", "positions", "won, net", "bp net each", "t", "bp net in all", "not luck"]);
    for (symbol, record) in found.iter().flat_map(|one| one.rules.iter().map(|record| (&one.symbol, record))) {
        table.add_row(rule(symbol, record, least));
    }
    print_line("positions on paper by rule; not luck: chance that it beats the best of all rules without skill")?;
    print_text(&table)
}

fn rule(symbol: &Symbol, of: &RuleRecord, least: usize) -> Vec<comfy_table::Cell> {
    // Too few are counted, and no rate is told of them.
    let when = |told: String| right(if of.num_outcomes >= least { told } else { "-".to_owned() });
    let t = t_of(of.net);
    vec![
        symbol.as_str().into(),
        of.rule.as_str().into(),
        of.made.as_str().into(),
        right(of.num_outcomes),
        when(rate(&of.won)),
        when(signed(of.net.map(|net| net.mean))),
        when(t),
        right(format!("{:+.0}", of.total_net_bp)),
        when(of.deflated.map_or_else(|| "-".to_owned(), |of| format!("{:.2}", of.probability))),
    ]
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn rate(of: &Hits) -> String {
    match (of.rate(), of.interval) {
        (Some(rate), Some(bounds)) => format!("{:.1} % ({})", 100.0 * rate, interval(bounds, 100.0, 1)),
        (Some(rate), None) => format!("{:.1} %", 100.0 * rate),
        (None, _) => "-".to_owned(),
    }
}

fn interval(of: Interval, scale: f64, decimals: usize) -> String {
    format!("{:.decimals$} to {:.decimals$}", scale * of.lo, scale * of.hi)
}

fn signed(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.1}"))
}
