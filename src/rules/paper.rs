//! The paper book: what became of a decision, had it been acted on. Prices come from the table of daily bars.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::TradingDay;
use crate::market::{DailyBar, Dividends, Symbol};
use crate::signals::Side;

use super::PaperConfig;

const BASIS_POINTS: f64 = 1e4;

/// For how many sessions a position is held: 1 is from the open to the close of one session. Written `1d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Horizon(u32);

impl Horizon {
    /// A horizon of so many sessions; at least one.
    #[must_use]
    pub fn sessions(sessions: u32) -> Self {
        Self(sessions.max(1))
    }

    /// How many sessions.
    #[must_use]
    pub fn num_sessions(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}d", self.0))
    }
}

impl FromStr for Horizon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sessions = text.strip_suffix('d').and_then(|number| number.parse().ok()).filter(|sessions| *sessions > 0);
        sessions.map(Self).ok_or_else(|| format!("'{text}' is no horizon: write sessions and a d, such as 1d or 5d"))
    }
}

/// A direction taken on paper.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperEntry {
    /// The ETF.
    pub symbol: Symbol,
    /// When it was decided: the first open at or after it is the entry.
    pub as_of: DateTime<Utc>,
    /// Up or down.
    pub direction: Side,
    /// Size relative to the usual one.
    pub position_multiplier: f64,
}

/// What positions are marked by.
#[derive(Debug, Clone, Copy)]
pub struct PaperMarket<'a> {
    /// Daily bars, in order.
    pub bars: &'a [DailyBar],
    /// Sessions of the ETF's exchange from the decision on, with their opens, in order.
    pub sessions: &'a [(NaiveDate, DateTime<Utc>)],
    /// What goes ex meanwhile is earned, or owed on the other side.
    pub dividends: &'a Dividends,
}

/// A hypothetical position. Returns are in bp of the ETF's price, dividends put back, times the multiplier.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperPosition {
    /// The ETF.
    pub symbol: Symbol,
    /// When it was decided.
    pub as_of: DateTime<Utc>,
    /// For how long it is held.
    pub horizon: Horizon,
    /// Up or down.
    pub direction: Side,
    /// Size relative to the usual one.
    pub position_multiplier: f64,
    /// The session it is entered in.
    pub entry_day: TradingDay,
    /// At that session's open.
    pub entry_price: f64,
    /// The newest session it was held in.
    pub mark_day: TradingDay,
    /// That session's close.
    pub mark_price: f64,
    /// Whether the horizon is over; else the return is of the mark.
    pub is_closed: bool,
    /// 1e4 ln((mark + dividends)/entry), on its side, times the multiplier.
    pub gross_bp: f64,
    /// Less the costs, times the multiplier: those of getting out too, though it may not be out yet.
    pub net_bp: f64,
}

/// Marks an entry by the daily bars: in at the open of the first of the sessions that open at or after the decision, out at
/// the close of the last session of the horizon. None while that first bar is not there, where there is no side, or while the
/// ETF has gone ex meanwhile by an amount that nobody knows.
#[must_use]
pub fn open_position(
    entry: &PaperEntry,
    market: &PaperMarket<'_>,
    (horizon, config): (Horizon, &PaperConfig),
) -> Option<PaperPosition> {
    if entry.direction == Side::Neutral {
        return None;
    }
    let bar_of = |day: NaiveDate| market.bars.iter().find(|bar| bar.symbol == entry.symbol && bar.date.date() == day);
    let num_sessions = usize::try_from(horizon.num_sessions()).ok()?;
    let held: Vec<&DailyBar> = market
        .sessions
        .iter()
        .filter(|(_, open)| *open >= entry.as_of)
        .take(num_sessions)
        .map_while(|(day, _)| bar_of(*day))
        .collect();
    let (first, last) = (held.first()?, held.last()?);
    let dividend = market.dividends.between(&entry.symbol, (first.date.date(), last.date.date())).usd()?;
    let on_side = entry.direction.sign() * BASIS_POINTS * ((last.close + dividend) / first.open).ln();
    Some(PaperPosition {
        symbol: entry.symbol.clone(),
        as_of: entry.as_of,
        horizon,
        direction: entry.direction,
        position_multiplier: entry.position_multiplier,
        entry_day: first.date,
        entry_price: first.open,
        mark_day: last.date,
        mark_price: last.close,
        is_closed: held.len() == num_sessions,
        gross_bp: entry.position_multiplier * on_side,
        net_bp: entry.position_multiplier * (on_side - config.round_trip_cost_bp),
    })
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;
    use crate::calendar::{Calendar, CalendarId};
    use crate::market::ExDate;
    use crate::signals::fixtures::{daily_bar, instant, symbol};

    struct Book {
        bars: Vec<DailyBar>,
        sessions: Vec<(NaiveDate, DateTime<Utc>)>,
        dividends: Dividends,
    }

    /// Sessions of 2026-11-18 to 24, opening at 600, 601 ... and closing half a dollar higher.
    fn book() -> Book {
        let nyse = Calendar::embedded(CalendarId::Nyse);
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).expect("a date");
        let sessions = nyse.sessions(day(18), day(24)).expect("covered");
        let bar = |(number, session): (u32, &crate::calendar::Session)| DailyBar {
            open: 600.0 + f64::from(number),
            ..daily_bar("SPY", session, 600.5 + f64::from(number))
        };
        Book {
            bars: (0..).zip(&sessions).map(bar).collect(),
            sessions: sessions.iter().map(|session| (session.day.date(), session.open())).collect(),
            dividends: Dividends::default(),
        }
    }

    fn position(book: &Book, (direction, as_of): (Side, &str), sessions: u32) -> Option<PaperPosition> {
        let entry = PaperEntry { symbol: symbol("SPY"), as_of: instant(as_of), direction, position_multiplier: 1.2 };
        let horizon = (Horizon::sessions(sessions), &PaperConfig::default());
        let market = PaperMarket { bars: &book.bars, sessions: &book.sessions, dividends: &book.dividends };
        open_position(&entry, &market, horizon)
    }

    const MORNING: &str = "2026-11-18T14:00:00Z";

    #[test]
    fn a_session_is_held_from_its_open_to_its_close() {
        let one = position(&book(), (Side::Bullish, MORNING), 1).expect("a bar");
        assert_eq!((one.entry_price, one.mark_price, one.is_closed), (600.0, 600.5, true));
        let expected = 1.2 * 1e4 * (600.5_f64 / 600.0).ln();
        assert!((one.gross_bp - expected).abs() < 1e-9);
        assert!((one.gross_bp - one.net_bp - 1.2).abs() < 1e-9, "one bp of cost at multiplier 1.2");
    }

    #[test]
    fn the_other_side_earns_the_opposite_before_costs() {
        let (up, down) = (Side::Bullish, Side::Bearish);
        let (long, short) = (position(&book(), (up, MORNING), 5), position(&book(), (down, MORNING), 5));
        let (long, short) = (long.expect("bars"), short.expect("bars"));
        assert!((long.gross_bp + short.gross_bp).abs() < 1e-9 && long.is_closed);
        assert!(long.net_bp + short.net_bp < 0.0, "costs are paid on both sides");
    }

    #[test]
    fn what_goes_ex_meanwhile_is_earned_and_what_nobody_knows_gives_no_return() {
        let ex = |day: u32, usd| {
            let ex_date = NaiveDate::from_ymd_opt(2026, 11, day).expect("a date");
            Dividends::new([ExDate { etf: symbol("SPY"), ex_date, usd }]).expect("sound")
        };
        let gross = |dividends: Dividends, side, sessions| {
            let book = Book { dividends, ..book() };
            position(&book, (side, MORNING), sessions).map(|position| position.gross_bp)
        };
        let (plain, up, down) = (Dividends::default(), Side::Bullish, Side::Bearish);
        let expected = 1.2 * 1e4 * (602.5_f64 + 1.8).ln() - 1.2 * 1e4 * 600.0_f64.ln();
        let paid = gross(ex(20, Some(1.8)), up, 3).expect("bars");
        assert!((paid - expected).abs() < 1e-9 && paid > gross(plain.clone(), up, 3).expect("bars"));
        assert_eq!(gross(ex(20, Some(1.8)), down, 3), Some(-paid), "owed on the other side");
        assert_eq!(gross(ex(18, Some(1.8)), up, 3), gross(plain.clone(), up, 3), "who buys on the day does not get it");
        assert_eq!(gross(ex(20, None), up, 3), None);
        assert_eq!(gross(ex(20, None), up, 1), gross(plain, up, 1), "it was out before");
    }

    #[test]
    fn a_horizon_that_is_not_over_is_marked_at_the_newest_close() {
        let mut book = book();
        book.bars.truncate(2);
        let open = position(&book, (Side::Bullish, MORNING), 5).expect("bars");
        assert_eq!((open.is_closed, open.mark_price), (false, 601.5));
        book.bars.clear();
        assert_eq!(position(&book, (Side::Bullish, MORNING), 5), None);
    }

    #[test]
    fn a_missing_bar_is_never_bridged() {
        let mut book = book();
        book.bars.remove(1);
        let open = position(&book, (Side::Bullish, MORNING), 3).expect("bars");
        assert_eq!((open.is_closed, open.mark_price), (false, 600.5), "what came after the hole is not used");
        book.bars.remove(0);
        assert_eq!(position(&book, (Side::Bullish, MORNING), 3), None, "the entry is of one session and no other");
    }

    #[test]
    fn a_decision_after_the_open_enters_the_next_session() {
        let late = position(&book(), (Side::Bullish, "2026-11-18T14:30:01Z"), 1).expect("bars");
        assert_eq!(late.entry_price, 601.0);
        assert_eq!(position(&book(), (Side::Neutral, MORNING), 1), None);
    }

    #[test]
    fn a_horizon_is_read_back_from_its_word() {
        assert_eq!("5d".parse(), Ok(Horizon::sessions(5)));
        assert_eq!(Horizon::sessions(5).to_string(), "5d");
        assert!("0d".parse::<Horizon>().is_err() && "five".parse::<Horizon>().is_err());
    }
}
