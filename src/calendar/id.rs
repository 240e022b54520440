//! The names of the calendars the crate knows.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::CalendarError;

/// A calendar by name: `cme_equity` or `nyse` in text, configuration and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum CalendarId {
    /// CME equity-index futures (ES, NQ, RTY and their micros), in `America/Chicago`.
    CmeEquity,
    /// The New York Stock Exchange, which the ETFs follow, in `America/New_York`.
    Nyse,
}

impl CalendarId {
    /// Every calendar, in the order in which they are listed to a person.
    pub const ALL: [CalendarId; 2] = [CalendarId::CmeEquity, CalendarId::Nyse];

    /// The name in text, configuration and columns.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CalendarId::CmeEquity => "cme_equity",
            CalendarId::Nyse => "nyse",
        }
    }

    /// The zone in which the exchange writes its hours.
    pub(super) const fn zone(self) -> Tz {
        match self {
            CalendarId::CmeEquity => Tz::America__Chicago,
            CalendarId::Nyse => Tz::America__New_York,
        }
    }

    /// The calendar that was probably meant by a name nobody knows: the one with the same first letter.
    fn closest(name: &str) -> Option<CalendarId> {
        let first = name.trim_start().chars().next()?.to_ascii_lowercase();
        CalendarId::ALL.into_iter().find(|id| id.as_str().starts_with(first))
    }
}

impl fmt::Display for CalendarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CalendarId {
    type Err = CalendarError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        CalendarId::ALL.into_iter().find(|id| id.as_str() == name).ok_or_else(|| CalendarError::UnknownCalendar {
            name: name.to_owned(),
            suggestion: CalendarId::closest(name),
        })
    }
}

impl TryFrom<String> for CalendarId {
    type Error = CalendarError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<CalendarId> for &'static str {
    fn from(id: CalendarId) -> Self {
        id.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_its_calendar() {
        for id in CalendarId::ALL {
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, format!("{:?}", id.as_str()));
            assert_eq!(serde_json::from_str::<CalendarId>(&json).unwrap(), id);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones_and_suggests_one() {
        let message = |name: &str| name.parse::<CalendarId>().unwrap_err().to_string();
        assert_eq!(message("CME"), "unknown calendar \"CME\": known are cme_equity and nyse; did you mean cme_equity?");
        assert_eq!(message("lse"), "unknown calendar \"lse\": known are cme_equity and nyse");
        assert_eq!(message(""), "unknown calendar \"\": known are cme_equity and nyse");
    }
}
