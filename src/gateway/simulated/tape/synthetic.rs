//! The synthetic tape: prices made up from a seed, any instant by itself.
//!
//! A session of an instrument is a pure function of seed and day, made as a whole (about 0.1 ms) and kept for the quotes
//! that follow. Everything told, at whatever bar size, is read from that one session.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::calendar::Session;
use crate::market::{Bar, FutureContract, Instrument};

use super::super::hours::{Hours, Venue, business_day};
use super::super::instrument::{id_of, last_trade_at, tick_of};
use super::index::{IndexSession, minute_of_day, step_at, wildness};
use super::noise::Key;
use super::profile::{
    CARRY_PER_YEAR, Profile, REGULAR_SHAPE, SESSION_SHAPE, open_interest_share, profile, volume_shape, volume_share,
};
use super::traded::{TradedSession, rounded};
use super::{TapeQuote, to_tick};

/// Sessions kept; one takes about 45 kB.
const MAX_KEPT_SESSIONS: usize = 192;

/// Days before its expiry at which a contract is listed: five quarters.
const LISTED_DAYS: i64 = 455;

/// Deviation of an ETF from its index, as a fraction.
const ETF_NOISE: f64 = 0.000_03;

const SECONDS_PER_YEAR: f64 = 365.25 * 86_400.0;

/// Sessions by instrument and day.
type Kept = HashMap<(i32, NaiveDate), Arc<TradedSession>>;

/// Made-up prices; clones share what they keep.
#[derive(Debug, Clone)]
pub struct SyntheticTape {
    /// As it was given.
    number: u64,
    seed: Key,
    kept: Arc<Mutex<Kept>>,
}

impl fmt::Display for SyntheticTape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "synthetic with seed {}", self.number)
    }
}

impl SyntheticTape {
    /// A tape; another seed gives other prices.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { number: seed, seed: Key::new(seed), kept: Arc::default() }
    }

    /// The bars of a session that had begun at `now`, the last as far as it was traded.
    pub(super) fn session_bars(
        &self,
        hours: &Hours,
        of: &Instrument,
        session: &Session,
        now: DateTime<Utc>,
    ) -> Vec<Bar> {
        let traded = self.traded(hours, of, session);
        let num_ended = traded.bars.partition_point(|b| b.end <= now);
        let mut bars: Vec<Bar> = traded.bars.iter().take(num_ended).cloned().collect();
        bars.extend(traded.forming(num_ended, now, tick_of(of)));
        bars
    }

    /// The quote that stands at an instant.
    pub(super) fn quote(&self, hours: &Hours, of: &Instrument, at: DateTime<Utc>) -> TapeQuote {
        let venue = Venue::of(of);
        let Some(standing) = hours.standing(venue, at) else { return TapeQuote::default() };
        let traded = self.traded(hours, of, &standing.session);
        let tick = tick_of(of);
        let num_ended = traded.bars.partition_point(|b| b.end <= standing.at);
        let forming = traded.forming(num_ended, standing.at, tick);
        let ended = num_ended.checked_sub(1).and_then(|i| Some((traded.bars.get(i)?, traded.so_far.get(i)?)));
        let Some(last) = forming.as_ref().map(|b| b.close).or(ended.map(|(bar, _)| bar.close)) else {
            return TapeQuote::default();
        };
        let (volume, high, low) = ended.map_or((0, f64::MIN, f64::MAX), |(_, so_far)| *so_far);
        let forming_part = forming.as_ref().map_or((0, last, last), |b| (b.volume.unwrap_or(0), b.high, b.low));
        let traded_at = standing.at.min(traded.bars.last().map_or(standing.at, |b| b.end));
        let noise = self.instrument_key(of).named("quote").part(traded_at.timestamp());
        let (bid, ask) = around(last, tick, noise.named("side").uniform());
        let size = |name: &str, most: f64| rounded(1.0 + noise.named(name).uniform() * most);
        let before = hours.before(venue, standing.session.day.date());
        TapeQuote {
            open_market: standing.open && traded_at == standing.at,
            bid: Some((bid, size("bid", 60.0))),
            ask: Some((ask, size("ask", 60.0))),
            last: Some((last, size("last", 9.0))),
            volume: Some(volume + forming_part.0),
            open_interest: self.open_interest(of, standing.session.day.date()),
            implied_vol: Some(self.implied_vol(of, traded_at)),
            open: traded.bars.first().map(|b| b.open),
            high: Some(high.max(forming_part.1)),
            low: Some(low.min(forming_part.2)),
            prior_close: before.and_then(|s| self.traded(hours, of, &s).bars.last().map(|b| b.close)),
            last_trade_at: Some(traded_at - TimeDelta::seconds(rounded(noise.named("age").uniform() * 2.9))),
        }
    }

    /// Start of the first bar: of a future the open of the session in which it was listed.
    pub(super) fn head(hours: &Hours, of: &Instrument) -> Option<DateTime<Utc>> {
        let venue = Venue::of(of);
        let covered = hours.first_day(Venue::Cme).max(hours.first_day(venue));
        let day = match of {
            Instrument::Future(contract) => covered.max(contract.expiry - TimeDelta::days(LISTED_DAYS)),
            Instrument::Etf(_) => covered,
        };
        day.iter_days().take(12).find_map(|day| hours.session(venue, day)).map(|s| s.open())
    }

    fn traded(&self, hours: &Hours, of: &Instrument, session: &Session) -> Arc<TradedSession> {
        let key = (id_of(of), session.day.date());
        if let Some(known) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let made = Arc::new(self.make(hours, of, session));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT_SESSIONS {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&made));
        made
    }

    fn make(&self, hours: &Hours, of: &Instrument, session: &Session) -> TradedSession {
        let day = session.day.date();
        let profile = profile(of.symbol().as_str());
        // ETFs trade inside the futures' session of the same day, which is where their index is made.
        let of_index = hours.session(Venue::Cme, day);
        let index = of_index.map(|s| IndexSession::new(self.seed, &profile.index, hours, &s));
        let head = Self::head(hours, of);
        let over = match of {
            Instrument::Future(contract) => last_trade_at(contract),
            Instrument::Etf(_) => DateTime::<Utc>::MAX_UTC,
        };
        let mut traded = TradedSession::default();
        let volumes = self.volumes(of, &profile, day);
        for (number, (start, end)) in index.iter().flat_map(|i| i.bars.iter().copied().enumerate()) {
            let inside = session.segments.iter().any(|s| s.open <= start && end <= s.close);
            if !inside || end > over || head.is_none_or(|head| start < head) {
                continue;
            }
            let levels = index.as_ref().map(|i| i.steps_of(number)).unwrap_or_default();
            let step = |(step, level): (usize, &f64)| self.price(of, &profile, step_at((start, end), step), *level);
            let steps: Vec<f64> = levels.iter().enumerate().map(step).collect();
            traded.push((start, end), &steps, (tick_of(of), volumes(end)));
        }
        traded
    }

    /// The price of an instrument while its index stands at a level, off the grid of ticks.
    fn price(&self, of: &Instrument, profile: &Profile, at: DateTime<Utc>, level: f64) -> f64 {
        match of {
            Instrument::Future(contract) => {
                #[expect(clippy::cast_precision_loss, reason = "seconds of a few years")]
                let years = (last_trade_at_date(contract) - at.timestamp()) as f64 / SECONDS_PER_YEAR;
                (level + CARRY_PER_YEAR * years).exp() * profile.ratio
            }
            Instrument::Etf(_) => {
                let noise = ETF_NOISE * self.instrument_key(of).part(at.timestamp()).normal();
                (level + noise).exp() * profile.ratio
            }
        }
    }

    /// The volume of each bar of a day, by the bar's end.
    fn volumes(&self, of: &Instrument, profile: &Profile, day: NaiveDate) -> impl Fn(DateTime<Utc>) -> i64 {
        let (share, session_shape) = match of {
            Instrument::Future(contract) => (volume_share(days_to_expiry(contract, day)), SESSION_SHAPE),
            Instrument::Etf(_) => (1.0, REGULAR_SHAPE),
        };
        let key = self.instrument_key(of).named("volume");
        let busy = (0.25 * key.part(business_day(day)).normal()).exp() * wildness(self.seed, day).sqrt();
        let unit = profile.session_volume * share * busy / session_shape;
        move |end| {
            let noise = (0.4 * key.part(end.timestamp()).normal()).exp();
            rounded(unit * volume_shape(minute_of_day(end) - 2.5) * noise).max(1)
        }
    }

    fn open_interest(&self, of: &Instrument, day: NaiveDate) -> Option<i64> {
        let Instrument::Future(contract) = of else { return None };
        let whole = profile(contract.symbol.as_str()).open_interest;
        let noise = 1.0 + 0.015 * self.instrument_key(of).named("open interest").part(business_day(day)).normal();
        Some(rounded(whole * open_interest_share(days_to_expiry(contract, day)) * noise))
    }

    fn implied_vol(&self, of: &Instrument, at: DateTime<Utc>) -> f64 {
        let yearly = profile(of.symbol().as_str()).index.deviation() * 252.0_f64.sqrt();
        let noise = 1.05 + 0.02 * self.instrument_key(of).named("implied vol").part(at.timestamp() / 300).normal();
        yearly * wildness(self.seed, at.date_naive()) * noise
    }

    fn instrument_key(&self, of: &Instrument) -> Key {
        self.seed.named("instrument").part(i64::from(id_of(of)))
    }
}

/// The last trade was at the bid or at the ask; now and then the spread is two ticks.
fn around(last: f64, tick: f64, side: f64) -> (f64, f64) {
    match side {
        s if s < 0.48 => (last, to_tick(last + tick, tick)),
        s if s < 0.96 => (to_tick(last - tick, tick), last),
        _ => (to_tick(last - tick, tick), to_tick(last + tick, tick)),
    }
}

fn days_to_expiry(contract: &FutureContract, day: NaiveDate) -> f64 {
    f64::from(contract.expiry.num_days_from_ce() - day.num_days_from_ce())
}

/// Midnight UTC of the expiry, to which the carry runs.
fn last_trade_at_date(contract: &FutureContract) -> i64 {
    contract.expiry.and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Tape, intraday, whole};
    use super::*;
    use crate::market::{EtfContract, MarketConfig, Symbol};

    /// Seconds from 2012 to 2090: pattern changes, both coverage and rules.
    const YEARS: std::ops::Range<i64> = 1_325_376_000..3_786_912_000;

    fn instrument(name: &str, now: DateTime<Utc>) -> Instrument {
        let symbol: Symbol = name.parse().expect("a symbol");
        let market = MarketConfig::default();
        let Ok(spec) = market.future(&symbol) else {
            let spec = market.etf(&symbol).expect("built in");
            return Instrument::Etf(EtfContract { symbol, spec });
        };
        let chain = Tape::Synthetic(SyntheticTape::new(0)).chain(&symbol, &spec, now.date_naive());
        Instrument::Future(chain.into_iter().find(|c| last_trade_at(c) > now).expect("listed"))
    }

    fn any_name() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["ES", "NQ", "RTY", "MES", "SPY", "QQQ", "IWM"])
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("in range")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_instant_is_the_same_on_another_tape_of_the_seed(name in any_name(), seconds in YEARS, seed in 0_u64..9) {
            let (hours, of) = (Hours::embedded(), instrument(name, at(seconds)));
            let warm = SyntheticTape::new(seed);
            for earlier in 1..4 {
                warm.quote(&hours, &of, at(seconds - earlier * 86_400));
            }
            let cold = SyntheticTape::new(seed);
            prop_assert_eq!(warm.quote(&hours, &of, at(seconds)), cold.quote(&hours, &of, at(seconds)));
        }

        #[test]
        fn the_bars_so_far_are_the_quote(name in any_name(), seconds in YEARS) {
            let (hours, of, tape) = (Hours::embedded(), instrument(name, at(seconds)), SyntheticTape::new(3));
            let Some(standing) = hours.standing(Venue::of(&of), at(seconds)) else { return Ok(()) };
            let bars = tape.session_bars(&hours, &of, &standing.session, at(seconds));
            let quote = tape.quote(&hours, &of, at(seconds));
            let day = whole(&bars).expect("a session that has begun has a bar");
            prop_assert_eq!(quote.last.map(|l| l.0), Some(day.close));
            prop_assert_eq!(quote.volume, day.volume);
            prop_assert_eq!((quote.open, quote.high, quote.low), (Some(day.open), Some(day.high), Some(day.low)));
            let (bid, ask) = (quote.bid.expect("a bid").0, quote.ask.expect("an ask").0);
            prop_assert!(bid < ask && bid <= day.close && day.close <= ask);
        }

        #[test]
        fn bars_join_lie_on_the_grid_and_hold_every_quote(name in any_name(), seconds in YEARS, into in 0_i64..300) {
            let (hours, of, tape) = (Hours::embedded(), instrument(name, at(seconds)), SyntheticTape::new(5));
            let Some(standing) = hours.standing(Venue::of(&of), at(seconds)) else { return Ok(()) };
            let bars = tape.session_bars(&hours, &of, &standing.session, DateTime::<Utc>::MAX_UTC);
            let hourly = intraday(&bars, 3_600, standing.session.open());
            prop_assert_eq!(whole(&bars), whole(&hourly));
            for pair in bars.windows(2) {
                let joined = pair[0].end == pair[1].start;
                prop_assert!(!joined || (pair[1].open - pair[0].close).abs() <= tick_of(&of) + 1e-9, "{:?}", pair);
            }
            for bar in bars.iter().step_by(23) {
                prop_assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close) && bar.low > 0.0);
                for price in [bar.open, bar.high, bar.low, bar.close] {
                    prop_assert!((price - to_tick(price, tick_of(&of))).abs() < f64::EPSILON);
                }
                let inside = tape.quote(&hours, &of, bar.start + TimeDelta::seconds(into + 1).min(bar.end - bar.start));
                let last = inside.last.expect("a last").0;
                prop_assert!(bar.low <= last && last <= bar.high);
            }
        }
    }

    #[test]
    fn at_a_slot_the_quote_is_the_bar_that_ends_there() {
        let (hours, tape) = (Hours::embedded(), SyntheticTape::new(9));
        let now = "2026-11-20T12:00:00Z".parse().expect("an instant");
        let of = instrument("RTY", now);
        let session = hours.standing(Venue::Cme, now).expect("covered").session;
        let mut volume = 0;
        for bar in tape.session_bars(&hours, &of, &session, session.close()) {
            volume += bar.volume.expect("a volume");
            let quote = tape.quote(&hours, &of, bar.end);
            assert_eq!((quote.last.map(|l| l.0), quote.volume), (Some(bar.close), Some(volume)));
            assert!(quote.open_market && quote.last_trade_at <= Some(bar.end));
        }
    }

    #[test]
    fn micros_and_etfs_follow_and_months_differ_by_their_carry() {
        let (hours, tape) = (Hours::embedded(), SyntheticTape::new(9));
        let now = "2026-11-20T16:00:00Z".parse().expect("an instant");
        let last = |of: &Instrument| tape.quote(&hours, of, now).last.expect("a last").0;
        let (es, spy) = (last(&instrument("ES", now)), last(&instrument("SPY", now)));
        assert!((es - last(&instrument("MES", now))).abs() < f64::EPSILON);
        assert!((spy * 10.0 / es - 1.0).abs() < 0.01, "{es} {spy}");
        let next = last(&instrument("ES", "2026-12-28T16:00:00Z".parse().expect("an instant")));
        assert!((next / es - 1.0 - 0.008).abs() < 0.001, "{es} {next}");
    }

    #[test]
    fn a_lead_contract_has_most_of_the_volume_and_the_open_interest() {
        let (hours, tape) = (Hours::embedded(), SyntheticTape::new(9));
        let now = "2026-11-20T16:00:00Z".parse().expect("an instant");
        let quote =
            |listed_at: &str| tape.quote(&hours, &instrument("ES", listed_at.parse().expect("an instant")), now);
        let (lead, next) = (quote("2026-11-20T16:00:00Z"), quote("2026-12-28T16:00:00Z"));
        assert!(lead.volume > next.volume.map(|v| v * 10));
        assert!(lead.open_interest > Some(1_500_000) && next.open_interest < Some(200_000));
        assert!((0.05..0.5).contains(&lead.implied_vol.expect("a volatility")));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (hours, tape) = (Hours::embedded(), SyntheticTape::new(9));
        for day in 0..400 {
            let now = at(1_700_000_000 + day * 86_400);
            tape.quote(&hours, &instrument("SPY", now), now);
        }
        assert!(tape.kept.lock().expect("not poisoned").len() <= MAX_KEPT_SESSIONS);
    }
}
