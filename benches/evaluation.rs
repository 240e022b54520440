//! What a signal and an evaluation take over ten years of slots: three futures every five minutes, their ETFs while NYSE is
//! open, their daily bars and a signal each morning, written in bulk by the program's own writers; then a signal as of the
//! newest morning and the whole evaluation, again and again over warm tables.
//!
//! `cargo bench --bench evaluation -- --years 10`

#![expect(clippy::expect_used, reason = "a bench that cannot run has to say why and stop")]

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use frontmonth::calendar::{RollRule, Session, Slot, lead_month};
use frontmonth::clock::{Clock, SystemClock};
use frontmonth::config::Config;
use frontmonth::evaluation::SplitMix64;
use frontmonth::job::{Calendars, calendars};
use frontmonth::jobs::{BEFORE_OPEN, Question, Span, assess, known};
use frontmonth::lake::{AsOf, Durability, Lake, SignalRow, TableName};
use frontmonth::market::{Changes, DailyBar, FuturesSnapshot, GatewayKind, Source, SpotSnapshot, Symbol};
use frontmonth::rules::Horizon;
use frontmonth::signals::Derived;

/// The last day that is written.
const LAST_DAY: (i32, u32, u32) = (2026, 10, 30);

/// Sessions in one commit.
const BULK_SESSIONS: usize = 21;

/// How often each thing is timed.
const NUM_TIMES: usize = 30;

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--years");
    let years: i64 = arguments.nth(1).map_or(10, |years| years.parse().expect("--years takes a whole number"));
    let folder = tempfile::tempdir().expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(run(folder.path(), years));
    runtime.shutdown_background();
}

async fn run(folder: &Path, years: i64) {
    let mut config = Config::default();
    config.lake.uri = folder.join("lake").display().to_string();
    let calendars = calendars(&config).expect("calendars");
    let (year, month, day) = LAST_DAY;
    let last = NaiveDate::from_ymd_opt(year, month, day).expect("a date");
    let first = last - TimeDelta::days(365 * years + years / 4);
    let lake = Lake::with_durability(&config.lake, GatewayKind::Simulated, Durability::Unflushed).expect("a lake");
    let began = now();
    let rows = Writer { lake: &lake, calendars: &calendars, numbers: SplitMix64::new(7) }.write(first, last).await;
    println!("{years} years, {rows} rows, made in {} s", (now() - began).num_seconds());
    let nyse = calendars.nyse.sessions(last, last).expect("covered");
    let as_of = nyse.first().expect("a session").open() - BEFORE_OPEN;
    let etf: Symbol = "SPY".parse().expect("a symbol");
    let question = Question { etf: &etf, as_of, rows: AsOf::Latest };
    // More sessions than three years have: nothing is measured then.
    let mut unskilled = config.clone();
    (unskilled.evaluation.skill_sessions, unskilled.evaluation.min_scored_sessions) = (1_000, 1_000);
    for (what, config) in [("a signal", &unskilled), ("a signal with its skill of three years", &config)] {
        let mut took = Vec::new();
        for _ in 0..NUM_TIMES {
            let start = Instant::now();
            let known = known(&lake, question, (&calendars, config)).await.expect("known");
            let derived = known.signal(&calendars, config).expect("derived");
            took.push(start.elapsed());
            assert!(matches!(derived, Derived::Signal(_)), "{derived:?}");
        }
        tell(what, &mut took);
    }
    let span = Span { symbols: Vec::new(), from: first, to: last, horizon: Horizon::sessions(1) };
    let at = as_of + TimeDelta::days(1);
    let mut took = Vec::new();
    for _ in 0..NUM_TIMES / 6 {
        let start = Instant::now();
        let found = assess(&lake, &span, (&calendars, &config, at)).await.expect("assessed");
        took.push(start.elapsed());
        assert!(found.iter().all(|one| one.num_days > one.num_sessions * 9 / 10), "{found:?}");
    }
    tell("the evaluation of three ETFs", &mut took);
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

fn tell(what: &str, took: &mut [Duration]) {
    took.sort();
    let (median, most) = (took.get(took.len() / 2).expect("times"), took.last().expect("times"));
    println!("{what}: median {:.1} ms, longest {:.1} ms", ms(*median), ms(*most));
}

fn ms(of: Duration) -> f64 {
    of.as_secs_f64() * 1_000.0
}

/// Writes random walks: an ETF is a hundredth of its future, and follows it.
struct Writer<'a> {
    lake: &'a Lake,
    calendars: &'a Calendars,
    numbers: SplitMix64,
}

impl Writer<'_> {
    async fn write(mut self, first: NaiveDate, last: NaiveDate) -> usize {
        let sessions = self.calendars.futures.sessions(first, last).expect("covered");
        let mut num_rows = 0;
        for (future, etf, price) in [("ES", "SPY", 3_000.0), ("NQ", "QQQ", 9_000.0), ("RTY", "IWM", 1_500.0)] {
            let pair = [future, etf].map(|name| name.parse::<Symbol>().expect("a symbol"));
            let mut price = price;
            let mut closed_at = price;
            for bulk in sessions.chunks(BULK_SESSIONS) {
                let mut made = Made::default();
                for session in bulk {
                    self.session(&pair, session, (&mut price, &mut closed_at), &mut made);
                }
                num_rows += made.futures.len() + made.spot.len() + made.daily.len() + made.signals.len();
                self.lake.append_futures(&made.futures).await.expect("written");
                self.lake.append_spot(&made.spot).await.expect("written");
                self.lake.append_daily(&made.daily).await.expect("written");
                self.lake.append_signals(&made.signals).await.expect("written");
            }
        }
        for table in
            [TableName::FuturesSnapshots, TableName::SpotSnapshots, TableName::SpotDaily, TableName::FuturesSignals]
        {
            self.lake.compact(table).await.expect("compacted");
        }
        num_rows
    }

    fn session(
        &mut self,
        [future, etf]: &[Symbol; 2],
        session: &Session,
        (price, closed_at): (&mut f64, &mut f64),
        made: &mut Made,
    ) {
        let regular = self.calendars.nyse.session(session.day.date()).expect("covered");
        let (mut open, mut close) = (None, None);
        for slot in session.slots() {
            *price *= 1.0 + 0.0008 * (self.numbers.unit() - 0.5);
            made.futures.push(future_row(future, (session, slot), (*price, *closed_at)));
            let Some(regular) = &regular else { continue };
            if slot.instant() == regular.open() - BEFORE_OPEN {
                made.signals.push(signal_row([future, etf], slot, (*price, *closed_at)));
            }
            if regular.open() < slot.instant() && slot.instant() <= regular.close() {
                open.get_or_insert(*price / 10.0);
                close = Some(*price / 10.0);
                made.spot.push(spot_row(etf, (regular, slot), *price / 10.0));
            }
            if slot.instant() == regular.close() {
                *closed_at = *price;
            }
        }
        if let (Some(regular), Some(open), Some(close)) = (regular, open, close) {
            made.daily.push(daily_row(etf, &regular, (open, close)));
        }
    }
}

#[derive(Default)]
struct Made {
    futures: Vec<FuturesSnapshot>,
    spot: Vec<SpotSnapshot>,
    daily: Vec<DailyBar>,
    signals: Vec<SignalRow>,
}

fn future_row(symbol: &Symbol, (session, slot): (&Session, Slot), (last, closed_at): (f64, f64)) -> FuturesSnapshot {
    let month = lead_month(slot.instant(), RollRule::ByDate).expect("a month");
    let since = Some(last - closed_at);
    let changes = Changes { one_hour: since, four_hours: since, overnight: since, daily: since, since_close: since };
    FuturesSnapshot {
        symbol: symbol.clone(),
        timestamp: slot,
        bid: Some(last),
        ask: Some(last),
        last: Some(last),
        volume: Some(1_000),
        open_interest: Some(2_000_000),
        implied_vol: Some(0.2),
        changes,
        date: session.day,
        contract: month.local_symbol(symbol.as_str()),
        expiry: month.last_trade_date(),
        con_id: Some(1),
        source: Source::Live,
        gateway: GatewayKind::Simulated,
        captured_at: slot.instant() + TimeDelta::seconds(5),
    }
}

fn spot_row(symbol: &Symbol, (session, slot): (&Session, Slot), last: f64) -> SpotSnapshot {
    SpotSnapshot {
        symbol: symbol.clone(),
        timestamp: slot,
        bid: Some(last),
        ask: Some(last),
        last: Some(last),
        volume: Some(1_000),
        date: session.day,
        source: Source::Live,
        gateway: GatewayKind::Simulated,
        captured_at: slot.instant() + TimeDelta::seconds(5),
    }
}

fn daily_row(symbol: &Symbol, session: &Session, (open, close): (f64, f64)) -> DailyBar {
    DailyBar {
        symbol: symbol.clone(),
        date: session.day,
        timestamp: Slot::at_or_before(session.close()),
        open,
        high: open.max(close),
        low: open.min(close),
        close,
        volume: Some(1_000_000),
        gateway: GatewayKind::Simulated,
        captured_at: session.close() + TimeDelta::minutes(20),
    }
}

fn signal_row([future, etf]: [&Symbol; 2], slot: Slot, (last, closed_at): (f64, f64)) -> SignalRow {
    let (signal, strength) = if last > closed_at { ("buy", 0.5) } else { ("sell", -0.5) };
    SignalRow {
        symbol: etf.clone(),
        futures_symbol: future.clone(),
        timestamp: slot,
        sentiment: "neutral".to_owned(),
        signal: signal.to_owned(),
        confidence: 0.6,
        futures_price: last,
        spot_price: None,
        basis: None,
        change_1h: None,
        change_4h: None,
        change_daily: None,
        momentum: 0.0,
        predictive_value: None,
        reasoning: String::new(),
        as_of: slot,
        strength,
        contract: String::new(),
        deviations: None,
        basis_change_bp: None,
        gateway: GatewayKind::Simulated,
        generated_at: slot.instant() + TimeDelta::minutes(1),
        futures_close: Some(closed_at),
        spot_close: None,
        dividend: None,
    }
}
