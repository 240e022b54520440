//! The made-up level of an index: a walk that is a pure function of seed, day and time of day.
//!
//! Days are halved between anchors 128 trading days apart, so that levels stay bounded over decades and any day is
//! eight steps away. The session then runs from the close before to its own close by halving again, on a clock of
//! variance: quiet at night, U-shaped by day, with a rare violent bar. The market's moves and the index's own are
//! drawn apart, and the market's are shared by all indices.

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};

use super::super::hours::{Hours, Venue, business_day, five_minute_bars};
use crate::calendar::{Session, to_new_york};

use super::noise::{Key, bridge};
use super::profile::{IndexProfile, MARKET_DEVIATION, variance_shape};

/// Steps of a bar: the prices between which a bar finds its high and low.
pub(super) const STEPS: usize = 10;

/// Trading days between two anchors of the walk, a power of two.
const ANCHOR_DAYS: i64 = 128;

/// Deviation of the anchors in daily deviations.
const ANCHOR_DEVIATIONS: f64 = 4.0;

/// One bar in so many is violent: its variance is [`VIOLENCE`] times the usual.
const VIOLENT_BARS: f64 = 2_500.0;
const VIOLENCE: f64 = 60.0;

/// Share of a day's variance that falls into the closed hour, and into a weekend or holiday.
const BREAK_VARIANCE: f64 = 0.02;
const WEEKEND_VARIANCE: f64 = 0.08;

/// A session of an index: bars, and the logarithm of the level at each step of each.
#[derive(Debug)]
pub(super) struct IndexSession {
    /// Start and end of each bar.
    pub(super) bars: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// `STEPS + 1` values for each bar: its open, the steps between, its close.
    pub(super) steps: Vec<f64>,
}

impl IndexSession {
    /// Makes the session of `day`.
    pub(super) fn new(seed: Key, profile: &IndexProfile, hours: &Hours, session: &Session) -> Self {
        let day = session.day.date();
        let bars = five_minute_bars(session);
        let before = hours.before(Venue::Cme, day).map_or(day, |s| s.day.date());
        let clock = variance_clock(seed.named("clock").part(business_day(day)), session, before, &bars);
        let walk = session_walk(seed, profile, (before, day), &clock);
        let fine = seed.named(&profile.name).named("steps").part(business_day(day));
        let deviation = profile.deviation();
        let mut steps = Vec::with_capacity(bars.len() * (STEPS + 1));
        let ends = walk.iter().zip(walk.iter().skip(1)).skip(1);
        let variances = clock.iter().zip(clock.iter().skip(1)).skip(1).map(|(a, b)| b - a);
        for ((number, (open, close)), variance) in (0_i64..).zip(ends).zip(variances) {
            steps.extend(bar_steps(fine.part(number), (*open, *close), deviation * variance.sqrt()));
        }
        Self { bars, steps }
    }

    /// The steps of a bar.
    pub(super) fn steps_of(&self, bar: usize) -> &[f64] {
        self.steps.get(bar * (STEPS + 1)..(bar + 1) * (STEPS + 1)).unwrap_or_default()
    }
}

impl IndexProfile {
    /// Deviation of a day's move in calm times.
    pub(super) fn deviation(&self) -> f64 {
        (self.beta * MARKET_DEVIATION).hypot(self.own_deviation)
    }
}

/// How much the logarithm of the wildness varies.
const WILD: f64 = 0.3;

/// Where a day lies between two days whose wildness is drawn: the number of the first, and the share of the way.
fn wild_span(day: NaiveDate) -> (i64, f64) {
    const SPAN: i64 = 16;
    let number = business_day(day);
    #[expect(clippy::cast_precision_loss, reason = "below 16")]
    let share = number.rem_euclid(SPAN) as f64 / SPAN as f64;
    (number.div_euclid(SPAN), share)
}

/// How wild a day is against a calm one: slow, from about a half to twice.
pub(super) fn wildness(seed: Key, day: NaiveDate) -> f64 {
    let ((span, share), key) = (wild_span(day), seed.named("wildness"));
    let mixed = key.part(span).normal() * (1.0 - share) + key.part(span + 1).normal() * share;
    (WILD * mixed).exp()
}

/// The root of the mean square of a day's wildness over all seeds.
fn mean_wildness(day: NaiveDate) -> f64 {
    let (_, share) = wild_span(day);
    (WILD * WILD * ((1.0 - share).powi(2) + share.powi(2))).exp()
}

/// The logarithm of an index's level at the close of a day.
fn close_of(seed: Key, profile: &IndexProfile, day: NaiveDate) -> f64 {
    let number = business_day(day);
    let market = day_walk(seed.named("market"), number) * profile.beta * MARKET_DEVIATION;
    let own = day_walk(seed.named(&profile.name), number) * profile.own_deviation;
    profile.level.ln() + market + own
}

/// A walk over days with steps of deviation 1, held near 0 by its anchors.
fn day_walk(key: Key, day: i64) -> f64 {
    let anchor = |at: i64| key.part(at).normal() * ANCHOR_DEVIATIONS;
    let mut low = day.div_euclid(ANCHOR_DAYS) * ANCHOR_DAYS;
    let mut high = low + ANCHOR_DAYS;
    let (mut at_low, mut at_high) = (anchor(low), anchor(high));
    while low != day {
        let middle = i64::midpoint(low, high);
        #[expect(clippy::cast_precision_loss, reason = "at most 128")]
        let deviation = ((high - low) as f64).sqrt() / 2.0;
        let at_middle = f64::midpoint(at_low, at_high) + deviation * key.part(middle).normal();
        if day < middle {
            (high, at_high) = (middle, at_middle);
        } else {
            (low, at_low) = (middle, at_middle);
        }
    }
    at_low
}

/// The variance passed at the close before, at the open, and at the end of each bar; 1 on a calm normal day.
fn variance_clock(key: Key, session: &Session, before: NaiveDate, bars: &[(DateTime<Utc>, DateTime<Utc>)]) -> Vec<f64> {
    const NORMAL_SUM: f64 = 128.0;
    let closed_days = (session.day.date() - before).num_days();
    let gap = if closed_days > 1 { WEEKEND_VARIANCE } else { BREAK_VARIANCE };
    let mut passed = gap;
    let mut clock = vec![0.0, gap];
    for (number, (_, end)) in (0_i64..).zip(bars) {
        let bar = key.part(number);
        let violent = if bar.named("violent").uniform() * VIOLENT_BARS < 1.0 { VIOLENCE } else { 1.0 };
        passed += variance_shape(minute_of_day(*end) - 2.5) / NORMAL_SUM * (0.5 * bar.normal()).exp() * violent;
        clock.push(passed);
    }
    clock
}

/// The logarithm of the level at each node of the clock.
fn session_walk(seed: Key, profile: &IndexProfile, (before, day): (NaiveDate, NaiveDate), clock: &[f64]) -> Vec<f64> {
    let number = business_day(day);
    let market = seed.named("market").named("session").part(number);
    let own = seed.named(&profile.name).named("session").part(number);
    // A session varies as much as the day that it is pinned to, in the mean over wild and calm ones: else what comes after would
    // take back a part of what came before, or go on with it.
    let varied = clock.last().copied().filter(|varied| *varied > 0.0).unwrap_or(1.0).sqrt();
    let wild = wildness(seed, day) / mean_wildness(day) / varied;
    let shock = |node: usize| {
        let node = i64::try_from(node).unwrap_or(0);
        wild * (profile.beta * MARKET_DEVIATION * market.part(node).normal()
            + profile.own_deviation * own.part(node).normal())
    };
    let mut walk = vec![close_of(seed, profile, before); clock.len()];
    if let Some(last) = walk.last_mut() {
        *last = close_of(seed, profile, day);
    }
    bridge(clock, &mut walk, &shock);
    walk
}

/// The steps of a bar between its open and its close.
fn bar_steps(key: Key, (open, close): (f64, f64), deviation: f64) -> [f64; STEPS + 1] {
    const CLOCK: [f64; STEPS + 1] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
    let mut steps = [open; STEPS + 1];
    if let Some(last) = steps.last_mut() {
        *last = close;
    }
    bridge(&CLOCK, &mut steps, &|node| deviation * key.part(i64::try_from(node).unwrap_or(0)).normal());
    steps
}

/// Minutes since midnight in New York.
pub(super) fn minute_of_day(at: DateTime<Utc>) -> f64 {
    f64::from(to_new_york(at).num_seconds_from_midnight()) / 60.0
}

/// The instant of a step of a bar.
pub(super) fn step_at(bar: (DateTime<Utc>, DateTime<Utc>), step: usize) -> DateTime<Utc> {
    let millis = (bar.1 - bar.0).num_milliseconds() * i64::try_from(step).unwrap_or(0);
    bar.0 + TimeDelta::milliseconds(millis / i64::try_from(STEPS).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::super::profile::profile;
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn made(name: &str, on: &str) -> IndexSession {
        let hours = Hours::embedded();
        let session = hours.session(Venue::Cme, day(on)).expect("open");
        IndexSession::new(Key::new(1), &profile(name).index, &hours, &session)
    }

    #[test]
    fn a_session_begins_near_the_close_before_and_its_bars_join() {
        let (monday, tuesday) = (made("ES", "2026-11-23"), made("ES", "2026-11-24"));
        let close = monday.steps.last().expect("steps");
        let open = tuesday.steps.first().expect("steps");
        assert!((open - close).abs() < 0.006, "{open} {close}");
        assert_eq!(tuesday.steps_of(4).last(), tuesday.steps_of(5).first());
        assert_eq!(tuesday.steps.len(), 276 * (STEPS + 1));
    }

    #[test]
    fn the_daily_moves_deviate_by_about_a_percent_and_levels_stay_bounded() {
        let index = profile("ES").index;
        let walk: Vec<f64> = (730_000..734_000).map(|n| day_walk(Key::new(3).named("market"), n)).collect();
        let variance = walk.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f64>() / 3_999.0;
        assert!((0.8..1.2).contains(&variance), "{variance}");
        assert!((0.008..0.012).contains(&index.deviation()));
        for year in 2010..2099 {
            let level = close_of(Key::new(3), &index, NaiveDate::from_ymd_opt(year, 6, 15).expect("a date")).exp();
            assert!((4_000.0..9_000.0).contains(&level), "{year}: {level}");
        }
    }

    #[test]
    fn what_the_night_did_tells_nothing_of_the_session() {
        // From the close before to 09:00, and from there to the close, over many seeds.
        let hours = Hours::embedded();
        let sessions: Vec<Session> = (0..28)
            .filter_map(|days| hours.session(Venue::Cme, day("2026-10-05") + chrono::Days::new(days)))
            .filter(|session| five_minute_bars(session).len() == 276)
            .collect();
        let mut moves = Vec::new();
        for seed in 0..60 {
            for session in &sessions {
                let made = IndexSession::new(Key::new(seed), &profile("ES").index, &hours, session);
                let at = |bar: usize| made.steps_of(bar).last().copied().expect("steps");
                let open = made.steps.first().copied().expect("steps");
                moves.push((at(179) - open, at(275) - at(179)));
            }
        }
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| moves.iter().map(of).sum::<f64>();
        let correlation = sum(&|(a, b)| a * b) / (sum(&|(a, _)| a * a) * sum(&|(_, b)| b * b)).sqrt();
        assert!(moves.len() > 1_000 && correlation.abs() < 0.08, "{correlation} over {} sessions", moves.len());
    }

    #[test]
    fn indices_move_together() {
        let moves = |name: &str| -> Vec<f64> {
            let index = profile(name).index;
            let closes: Vec<f64> =
                (0..400).map(|n| close_of(Key::new(5), &index, day("2026-01-05") + chrono::Days::new(n))).collect();
            closes.windows(2).map(|w| w[1] - w[0]).collect()
        };
        let (es, nq) = (moves("ES"), moves("NQ"));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let correlation = dot(&es, &nq) / (dot(&es, &es) * dot(&nq, &nq)).sqrt();
        assert!((0.7..0.98).contains(&correlation), "{correlation}");
    }
}
