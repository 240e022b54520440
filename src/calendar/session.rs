//! Sessions: the open segments of one trading day.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Segment, Slot};

/// The name of a session: the civil date on which it closes, in New York.
///
/// It is not CME's clearing trade date, which differs on Monday-to-Thursday holidays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TradingDay(NaiveDate);

impl TradingDay {
    /// Names the session that closes on `date`.
    #[must_use]
    pub const fn new(date: NaiveDate) -> Self {
        TradingDay(date)
    }

    /// The civil date.
    #[must_use]
    pub const fn date(self) -> NaiveDate {
        self.0
    }
}

impl fmt::Display for TradingDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How a session differs from the weekly pattern of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayKind {
    /// The weekly pattern.
    Normal,
    /// It closes before the pattern does.
    EarlyClose,
    /// It opens after the pattern does.
    LateOpen,
}

impl DayKind {
    /// The name in text and columns: `normal`, `early_close` or `late_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DayKind::Normal => "normal",
            DayKind::EarlyClose => "early_close",
            DayKind::LateOpen => "late_open",
        }
    }
}

impl fmt::Display for DayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// All open segments of one trading day of a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The civil date that names it.
    pub day: TradingDay,
    /// The open segments in order, at least one; two where an old afternoon halt divides the day.
    pub segments: Vec<Segment>,
    /// The regular trading hours: the session itself for `nyse`, for `cme_equity` the part of that day's NYSE session in
    /// which the futures trade; none while NYSE is closed.
    pub regular: Option<Segment>,
    /// How it differs from the weekly pattern.
    pub kind: DayKind,
    /// True past the embedded table, where the rules speak and the exchange has not.
    pub provisional: bool,
}

impl Session {
    /// The first open.
    ///
    /// # Panics
    ///
    /// On a session without a segment, which no calendar builds.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a calendar builds no session without a segment"
    )]
    pub fn open(&self) -> DateTime<Utc> {
        self.segments.first().expect("a session has a segment").open
    }

    /// The last close.
    ///
    /// # Panics
    ///
    /// On a session without a segment, which no calendar builds.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a calendar builds no session without a segment"
    )]
    pub fn close(&self) -> DateTime<Utc> {
        self.segments.last().expect("a session has a segment").close
    }

    /// The slots of all segments, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.segments.iter().flat_map(Segment::slots)
    }

    /// How many slots the session has: 276 on a normal CME day, 78 at NYSE.
    #[must_use]
    pub fn num_slots(&self) -> usize {
        self.segments.iter().map(Segment::num_slots).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_in_the_tables() {
        for kind in [DayKind::Normal, DayKind::EarlyClose, DayKind::LateOpen] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }

    #[test]
    fn a_trading_day_is_written_as_its_date() {
        let day = TradingDay::new(NaiveDate::from_ymd_opt(2026, 12, 14).unwrap());
        assert_eq!(day.to_string(), "2026-12-14");
        assert_eq!(serde_json::to_string(&day).unwrap(), "\"2026-12-14\"");
    }
}
