//! The synthetic tape: prices made up from a seed, any instant by itself.
//!
//! A session of an instrument is a pure function of seed and day, made as a whole (about 0.1 ms) and kept for the quotes
//! that follow. Everything told, at whatever bar size, is read from that one session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::calendar::Session;
use crate::market::{Bar, FutureContract, Instrument};

use super::super::hours::{Hours, Venue, business_day};
use super::super::instrument::{id_of, last_trade_at, tick_of};
use super::index::{IndexSession, STEPS, minute_of_day, step_at, wildness};
use super::noise::Key;
use super::profile::{
    CARRY_PER_YEAR, Profile, REGULAR_SHAPE, SESSION_SHAPE, open_interest_share, profile, volume_shape, volume_share,
};
use super::{TapeQuote, to_tick};

/// Sessions kept; one takes about 45 kB.
const MAX_KEPT_SESSIONS: usize = 192;

/// Days before its expiry at which a contract is listed: five quarters.
const LISTED_DAYS: i64 = 455;

/// Deviation of an ETF from its index, as a fraction.
const ETF_NOISE: f64 = 0.000_03;

const SECONDS_PER_YEAR: f64 = 365.25 * 86_400.0;

/// Made-up prices; clones share what they keep.
#[derive(Debug, Clone)]
pub struct SyntheticTape {
    seed: Key,
    kept: Arc<Mutex<HashMap<(i32, NaiveDate), Arc<TradedSession>>>>,
}

/// A session of an instrument, complete to its close.
#[derive(Debug)]
struct TradedSession {
    bars: Vec<Bar>,
    /// `STEPS + 1` prices for each bar, off the grid of ticks.
    steps: Vec<f64>,
    /// After each bar: the session's volume, high and low so far.
    so_far: Vec<(i64, f64, f64)>,
}

impl SyntheticTape {
    /// A tape; another seed gives other prices.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed: Key::new(seed), kept: Arc::default() }
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
        let mut traded = TradedSession { bars: Vec::new(), steps: Vec::new(), so_far: Vec::new() };
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
        let (share, shape) = match of {
            Instrument::Future(contract) => (volume_share(days_to_expiry(contract, day)), SESSION_SHAPE),
            Instrument::Etf(_) => (1.0, REGULAR_SHAPE),
        };
        let key = self.instrument_key(of).named("volume");
        let busy = (0.25 * key.part(business_day(day)).normal()).exp() * wildness(self.seed, day).sqrt();
        let unit = profile.session_volume * share * busy / shape;
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

impl TradedSession {
    fn push(&mut self, (start, end): (DateTime<Utc>, DateTime<Utc>), steps: &[f64], (tick, volume): (f64, i64)) {
        let (Some(open), Some(close)) = (steps.first(), steps.last()) else { return };
        let high = steps.iter().copied().fold(f64::MIN, f64::max);
        let low = steps.iter().copied().fold(f64::MAX, f64::min);
        let [open, high, low, close] = [*open, high, low, *close].map(|price| to_tick(price, tick));
        let before = self.so_far.last().copied().unwrap_or((0, f64::MIN, f64::MAX));
        self.so_far.push((before.0 + volume, before.1.max(high), before.2.min(low)));
        self.bars.push(Bar { start, end, open, high, low, close, volume: Some(volume) });
        self.steps.extend_from_slice(steps);
    }

    /// The bar that is being traded at an instant, as far as it is.
    fn forming(&self, number: usize, at: DateTime<Utc>, tick: f64) -> Option<Bar> {
        let bar = self.bars.get(number).filter(|b| b.start < at && at < b.end)?;
        let steps = self.steps.get(number * (STEPS + 1)..(number + 1) * (STEPS + 1))?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of five minutes")]
        let share = (at - bar.start).num_milliseconds() as f64 / (bar.end - bar.start).num_milliseconds() as f64;
        #[expect(clippy::cast_precision_loss, reason = "ten steps")]
        let place = share * STEPS as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10")]
        let step = place as usize;
        let (from, to) = (steps.get(step)?, steps.get(step + 1)?);
        let close = to_tick(from + (to - from) * place.fract(), tick);
        let passed = steps.iter().take(step + 1).map(|price| to_tick(*price, tick));
        #[expect(clippy::cast_precision_loss, reason = "contracts of five minutes")]
        let volume = bar.volume.map(|whole| rounded((whole as f64 * share).floor()));
        Some(Bar {
            start: bar.start,
            end: bar.end,
            open: bar.open,
            high: passed.clone().fold(close, f64::max),
            low: passed.fold(close, f64::min),
            close,
            volume,
        })
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

fn rounded(number: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 saturates")]
    let whole = number.round() as i64;
    whole
}
