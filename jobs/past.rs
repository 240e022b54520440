//! What the tables have of an ETF and its future over past sessions: the price before each open, the daily bars, and how both
//! moved side by side.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Calendar, Session, Slot};
use crate::evaluation::Day;
use crate::job::{Calendars, JobError};
use crate::lake::{AsOf, KeyRange, Lake};
use crate::market::{DailyBar, DailyClose, FuturesSnapshot, Symbol};
use crate::rules::Horizon;
use crate::signals::{Pair, Side, SignalsConfig, spot_outlook};

use super::mornings::morning;
use super::signal_rows::signal_of;

/// Days before the range whose closes the outlook of its first morning needs.
const OUTLOOK_DAYS: TimeDelta = TimeDelta::days(120);

/// Longest stretch without a session of NYSE, and room.
const LONGEST_CLOSURE: TimeDelta = TimeDelta::days(10);

/// How old the price of a morning may be.
const MAX_AGE: TimeDelta = TimeDelta::minutes(30);

/// The newest sessions in which ETF and future are compared slot by slot.
const SIDE_BY_SIDE: usize = 20;

/// The side of a morning's signal, and when the signal was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Said {
    pub(super) side: Side,
    pub(super) made_at: DateTime<Utc>,
}

/// A future in a morning, points of one contract.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Priced {
    last: f64,
    /// At the last close of the ETF.
    at_close: f64,
}

impl Priced {
    fn of(row: &FuturesSnapshot) -> Option<Self> {
        let last = row.last?;
        Some(Self { last, at_close: last - row.changes.since_close? })
    }
}

/// What the tables have of a pair over some sessions.
pub(super) struct Past {
    etf: Symbol,
    /// The future in each morning.
    mornings: BTreeMap<Slot, Priced>,
    /// What the signal of each morning said.
    said: BTreeMap<Slot, Said>,
    daily: BTreeMap<NaiveDate, DailyBar>,
}

/// The day of the session before the first one; none where the calendar begins there.
fn session_before(sessions: &[Session], nyse: &Calendar) -> Result<Option<NaiveDate>, JobError> {
    let Some(first) = sessions.first().map(|session| session.day.date()) else { return Ok(None) };
    let from = (first - LONGEST_CLOSURE).max(*nyse.coverage().start());
    let before = nyse.sessions(from, first)?.into_iter().map(|session| session.day.date());
    Ok(before.rev().find(|day| *day < first))
}

/// The newest row at a slot, or not long before it.
fn newest(rows: &[FuturesSnapshot], slot: Slot) -> Option<&FuturesSnapshot> {
    let row = rows.get(rows.partition_point(|row| row.timestamp <= slot).checked_sub(1)?)?;
    (slot.instant() - row.timestamp.instant() < MAX_AGE).then_some(row)
}

impl Past {
    /// Reads it; `rows` says which of them are seen.
    pub(super) async fn read(
        lake: &Lake,
        (pair, rows): (&Pair, AsOf),
        (sessions, calendars): (&[Session], &Calendars),
    ) -> Result<Self, JobError> {
        let (mornings, said, daily) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut past = Self { etf: pair.etf.clone(), mornings, said, daily };
        let Some((first, last)) = sessions.first().zip(sessions.last()) else { return Ok(past) };
        let covered = calendars.nyse.coverage().start().and_time(chrono::NaiveTime::MIN).and_utc();
        let from = (first.open() - OUTLOOK_DAYS).max(covered);
        let of = |symbol: &Symbol, from| KeyRange { symbols: vec![symbol.clone()], from, to: last.close() };
        let daily = lake.daily(&of(&pair.etf, from), &rows).await?;
        past.daily = daily.into_iter().map(|bar| (bar.date.date(), bar)).collect();
        let start = first.open() - TimeDelta::days(1);
        for row in lake.signals(&of(&pair.etf, start), &rows).await? {
            let said = Said { side: signal_of(&row)?.signal.side(), made_at: row.generated_at };
            past.said.insert(row.as_of, said);
            // A signal keeps the prices it was made from, so that no five-minute row has to be read for it again.
            if let Some(at_close) = row.futures_close {
                past.mornings.insert(row.as_of, Priced { last: row.futures_price, at_close });
            }
        }
        past.read_mornings(lake, (pair, rows), sessions).await?;
        Ok(past)
    }

    /// Reads the prices of those mornings that have no signal, month by month, so that no more than a month of five-minute rows
    /// is held.
    async fn read_mornings(
        &mut self,
        lake: &Lake,
        (pair, rows): (&Pair, AsOf),
        sessions: &[Session],
    ) -> Result<(), JobError> {
        let lacking: Vec<Slot> =
            sessions.iter().map(morning).filter(|slot| !self.mornings.contains_key(slot)).collect();
        let month = |slot: &Slot| slot.instant().format("%Y%m").to_string();
        for month in lacking.chunk_by(|one, other| month(one) == month(other)) {
            let Some((first, last)) = month.first().zip(month.last()) else { continue };
            let (from, symbols) = (first.instant() - MAX_AGE, vec![pair.future.clone()]);
            let known = lake.futures(&KeyRange { symbols, from, to: last.instant() }, &rows).await?;
            self.mornings.extend(month.iter().filter_map(|slot| Some((*slot, Priced::of(newest(&known, *slot)?)?))));
        }
        Ok(())
    }

    /// What the signal of a session said; none where there is none.
    pub(super) fn said(&self, session: &Session) -> Option<Said> {
        self.said.get(&morning(session)).copied()
    }

    /// The sessions of which all is known, each with what it was like; held from its open to the close of the horizon.
    pub(super) fn days<'a>(
        &self,
        sessions: &'a [Session],
        horizon: Horizon,
        calendars: &Calendars,
    ) -> Result<Vec<(&'a Session, Day)>, JobError> {
        let (mut days, mut adjacent) = (Vec::new(), session_before(sessions, &calendars.nyse)?);
        let num_held = usize::try_from(horizon.num_sessions()).unwrap_or(usize::MAX);
        for (number, session) in sessions.iter().enumerate() {
            let before = adjacent.replace(session.day.date());
            let held = sessions.get(number..number.saturating_add(num_held)).unwrap_or_default();
            days.extend(self.day((before, held), calendars).map(|day| (session, day)));
        }
        Ok(days)
    }

    /// What is known of the first of the sessions held; none where a number is missing. Over a session without a bar there is
    /// no gap of one night, and none over a dividend that nobody knows.
    fn day(&self, (before, held): (Option<NaiveDate>, &[Session]), calendars: &Calendars) -> Option<Day> {
        let session = held.first()?;
        let Priced { last, at_close } = *self.mornings.get(&morning(session))?;
        let date = session.day.date();
        let bars: Vec<&DailyBar> = held.iter().map(|one| self.daily.get(&one.day.date())).collect::<Option<_>>()?;
        let (entered, left) = (bars.first()?, bars.last()?);
        let (day_before, bar_before) = self.daily.range(..date).next_back()?;
        if before.is_some_and(|before| before != *day_before) {
            return None;
        }
        let dividend = |from, to| calendars.dividends.between(&self.etf, (from, to)).usd();
        let (overnight, meanwhile) = (dividend(*day_before, date)?, dividend(date, left.date.date())?);
        let is_sound = [last, at_close, entered.open, left.close, bar_before.close].iter().all(|price| *price > 0.0);
        is_sound.then(|| Day {
            date,
            futures: (last / at_close).ln(),
            gap: ((entered.open + overnight) / bar_before.close).ln(),
            session: ((left.close + meanwhile) / entered.open).ln(),
        })
    }

    /// The side that the closes before a session had of their own.
    pub(super) fn outlook(
        &self,
        session: &Session,
        (nyse, config): (&Calendar, &SignalsConfig),
    ) -> Result<Side, JobError> {
        let before = self.daily.range(..session.day.date()).map(|(_, bar)| DailyClose::from(bar));
        let closes: Vec<DailyClose> = before.collect();
        let outlook = spot_outlook(&closes, (morning(session).instant(), nyse), config)?;
        Ok(outlook.map_or(Side::Neutral, |known| known.side))
    }
}

/// How an ETF and its future moved from slot to slot of the newest sessions: of each day the changes of both logarithms, the
/// future's first, over the same five minutes and within one contract.
pub(super) async fn side_by_side(
    lake: &Lake,
    pair: &Pair,
    sessions: &[Session],
) -> Result<Vec<Vec<(f64, f64)>>, JobError> {
    let newest = sessions.get(sessions.len().saturating_sub(SIDE_BY_SIDE)..).unwrap_or_default();
    let Some((first, last)) = newest.first().zip(newest.last()) else { return Ok(Vec::new()) };
    let of = |symbol: &Symbol| KeyRange { symbols: vec![symbol.clone()], from: first.open(), to: last.close() };
    let futures = lake.futures(&of(&pair.future), &AsOf::Latest).await?;
    let spot = lake.spot(&of(&pair.etf), &AsOf::Latest).await?;
    let etf: BTreeMap<Slot, f64> = spot.iter().filter_map(|row| Some((row.timestamp, row.last?))).collect();
    let both: Vec<(&FuturesSnapshot, f64, f64)> =
        futures.iter().filter_map(|row| Some((row, row.last?, *etf.get(&row.timestamp)?))).collect();
    let of_session = |session: &Session| {
        let is_inside = |(row, ..): &&(&FuturesSnapshot, f64, f64)| {
            session.open() < row.timestamp.instant() && row.timestamp.instant() <= session.close()
        };
        let own: Vec<&(&FuturesSnapshot, f64, f64)> = both.iter().filter(is_inside).collect();
        let pairs = own.iter().zip(own.iter().skip(1));
        let near = pairs
            .filter(|((one, ..), (next, ..))| one.timestamp.next() == next.timestamp && one.contract == next.contract);
        let changes = near
            .map(|((_, future, etf), (_, next_future, next_etf))| ((next_future / future).ln(), (next_etf / etf).ln()));
        changes.filter(|(one, other)| one.is_finite() && other.is_finite()).collect()
    };
    Ok(newest.iter().map(of_session).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{CalendarId, TradingDay};
    use crate::config::Config;
    use crate::job::calendars;
    use crate::market::{Dividends, ExDate, GatewayKind};

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, number).expect("a day")
    }

    /// Sessions of 2026-11-16 to 20, opening at 600, 610 ... and closing a dollar higher; ES is 30 points up each morning.
    fn week() -> (Past, Vec<Session>, Calendars) {
        let calendars = calendars(&Config::default()).expect("calendars");
        let sessions = Calendar::embedded(CalendarId::Nyse).sessions(day(16), day(20)).expect("covered");
        let bar = |(number, session): (u32, &Session)| {
            let open = 600.0 + 10.0 * f64::from(number);
            let date = session.day.date();
            let bar = DailyBar {
                symbol: "SPY".parse().expect("a symbol"),
                date: TradingDay::new(date),
                timestamp: Slot::at_or_before(session.close()),
                open,
                high: open + 1.0,
                low: open,
                close: open + 1.0,
                volume: None,
                gateway: GatewayKind::Simulated,
                captured_at: session.close(),
            };
            (date, bar)
        };
        let priced = Priced { last: 6_030.0, at_close: 6_000.0 };
        let past = Past {
            etf: "SPY".parse().expect("a symbol"),
            mornings: sessions.iter().map(|session| (morning(session), priced)).collect(),
            said: BTreeMap::new(),
            daily: (0..).zip(&sessions).map(bar).collect(),
        };
        (past, sessions, calendars)
    }

    fn days(past: &Past, sessions: &[Session], (horizon, calendars): (u32, &Calendars)) -> Vec<Day> {
        let days = past.days(sessions, Horizon::sessions(horizon), calendars).expect("covered");
        days.into_iter().map(|(_, day)| day).collect()
    }

    fn is_near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
    }

    #[test]
    fn a_session_is_what_the_future_said_the_gap_and_what_could_be_had() {
        let (past, sessions, calendars) = week();
        let found = days(&past, &sessions, (1, &calendars));
        assert_eq!(
            found.iter().map(|of| of.date).collect::<Vec<_>>(),
            [17, 18, 19, 20].map(day),
            "none before the first"
        );
        is_near(found[0].futures, (6_030.0_f64 / 6_000.0).ln());
        is_near(found[0].gap, (610.0_f64 / 601.0).ln());
        is_near(found[0].session, (611.0_f64 / 610.0).ln());
    }

    #[test]
    fn a_horizon_is_left_at_the_close_of_its_last_session_and_what_is_not_over_is_left_out() {
        let (past, sessions, calendars) = week();
        let found = days(&past, &sessions, (3, &calendars));
        assert_eq!(found.iter().map(|of| of.date).collect::<Vec<_>>(), [17, 18].map(day));
        is_near(found[0].session, (631.0_f64 / 610.0).ln());
    }

    #[test]
    fn what_went_ex_is_put_back_where_it_was_missed_and_what_nobody_knows_leaves_the_day_out() {
        let (past, sessions, mut calendars) = week();
        let ex = |number, usd| {
            Dividends::new([ExDate { etf: "SPY".parse().expect("a symbol"), ex_date: day(number), usd }])
                .expect("sound")
        };
        calendars.dividends = ex(18, Some(2.0));
        let once = days(&past, &sessions, (1, &calendars));
        is_near(once[1].gap, (622.0_f64 / 611.0).ln());
        is_near(once[1].session, (621.0_f64 / 620.0).ln());
        let thrice = days(&past, &sessions, (3, &calendars));
        is_near(thrice[0].session, (633.0_f64 / 610.0).ln());
        is_near(thrice[1].session, (641.0_f64 / 620.0).ln());
        calendars.dividends = ex(18, None);
        let known = days(&past, &sessions, (1, &calendars));
        assert_eq!(known.iter().map(|of| of.date).collect::<Vec<_>>(), [17, 19, 20].map(day));
    }

    #[test]
    fn over_a_missing_bar_there_is_no_gap_and_without_a_price_no_day() {
        let (mut past, sessions, calendars) = week();
        past.daily.remove(&day(17));
        past.mornings.remove(&morning(&sessions[4]));
        let found = days(&past, &sessions, (1, &calendars));
        assert_eq!(found.iter().map(|of| of.date).collect::<Vec<_>>(), [day(19)]);
    }
}
