//! Quarterly contract months and when they stop trading.
//!
//! Source: CME rulebook chapter 358: the third Friday, or the session before it where that Friday is a holiday.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use serde::{Deserialize, Serialize};

use super::civil::{day_before, is_weekend, nth_weekday};
use super::special::SpecialHours;
use super::{CalendarError, CalendarId, new_york, table};

/// The years a contract month may be given for; the one-digit codes of futures repeat, these do not.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2099;

/// A quarterly contract month, such as December 2026: `202612` in text, `Z6` in a local symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContractMonth {
    year: i32,
    quarter: Quarter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Quarter {
    March,
    June,
    September,
    December,
}

impl Quarter {
    const ALL: [Quarter; 4] = [Quarter::March, Quarter::June, Quarter::September, Quarter::December];

    const fn month(self) -> u32 {
        match self {
            Quarter::March => 3,
            Quarter::June => 6,
            Quarter::September => 9,
            Quarter::December => 12,
        }
    }
}

impl ContractMonth {
    /// The contract month of a year from 2000 to 2099 and a month of 3, 6, 9 or 12.
    ///
    /// # Errors
    ///
    /// [`CalendarError::BadContractMonth`].
    pub fn new(year: i32, month: u32) -> Result<Self, CalendarError> {
        let quarter = Quarter::ALL.into_iter().find(|quarter| quarter.month() == month);
        match quarter {
            Some(quarter) if YEARS.contains(&year) => Ok(ContractMonth { year, quarter }),
            _ => Err(CalendarError::BadContractMonth { text: format!("{year:04}{month:02}") }),
        }
    }

    /// The year, with its century.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.year
    }

    /// The month: 3, 6, 9 or 12.
    #[must_use]
    pub const fn month(self) -> u32 {
        self.quarter.month()
    }

    /// The letter of the month: H, M, U or Z.
    #[must_use]
    pub const fn code_letter(self) -> char {
        match self.quarter {
            Quarter::March => 'H',
            Quarter::June => 'M',
            Quarter::September => 'U',
            Quarter::December => 'Z',
        }
    }

    /// The symbol of the contract of a product: `ESZ6` for `ES` in December 2026, and again every ten years.
    #[must_use]
    pub fn local_symbol(self, root: &str) -> String {
        format!("{root}{}{}", self.code_letter(), self.year.rem_euclid(10))
    }

    /// The contract month three months later.
    #[must_use]
    pub const fn next(self) -> Self {
        let (year, quarter) = match self.quarter {
            Quarter::March => (self.year, Quarter::June),
            Quarter::June => (self.year, Quarter::September),
            Quarter::September => (self.year, Quarter::December),
            Quarter::December => (self.year + 1, Quarter::March),
        };
        ContractMonth { year, quarter }
    }

    /// The contract month three months earlier.
    #[must_use]
    pub const fn previous(self) -> Self {
        let (year, quarter) = match self.quarter {
            Quarter::March => (self.year - 1, Quarter::December),
            Quarter::June => (self.year, Quarter::March),
            Quarter::September => (self.year, Quarter::June),
            Quarter::December => (self.year, Quarter::September),
        };
        ContractMonth { year, quarter }
    }

    /// The third Friday of the month, from which rolls are counted.
    #[must_use]
    pub fn third_friday(self) -> NaiveDate {
        nth_weekday(self.year, self.month(), (3, Weekday::Fri))
    }

    /// The last day of trading by the rule: the third Friday, or the NYSE session before if it is none.
    ///
    /// The broker's own date wins over it; overrides do not move it.
    #[must_use]
    pub fn last_trade_date(self) -> NaiveDate {
        let mut day = self.third_friday();
        while !is_nyse_session(day) {
            day = day_before(day);
        }
        day
    }

    /// The end of trading: 09:30 in New York on the last day, the special opening quotation.
    #[must_use]
    pub fn last_trade_at(self) -> DateTime<Utc> {
        let midnight = self.last_trade_date().and_time(NaiveTime::MIN);
        new_york(midnight.checked_add_signed(TimeDelta::minutes(9 * 60 + 30)).unwrap_or(midnight))
    }
}

fn is_nyse_session(day: NaiveDate) -> bool {
    let special = table::known_special_day(CalendarId::Nyse, day);
    !is_weekend(day) && special.is_none_or(|special| special.hours != SpecialHours::Closed)
}

impl fmt::Display for ContractMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}{:02}", self.year, self.month()))
    }
}

impl FromStr for ContractMonth {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || CalendarError::BadContractMonth { text: text.to_owned() };
        if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let (year, month) = text.split_at(4);
        ContractMonth::new(year.parse().map_err(|_| bad())?, month.parse().map_err(|_| bad())?)
    }
}

impl TryFrom<String> for ContractMonth {
    type Error = CalendarError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ContractMonth> for String {
    fn from(month: ContractMonth) -> Self {
        month.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::civil::ymd;
    use super::*;

    fn contract(text: &str) -> ContractMonth {
        text.parse().unwrap()
    }

    #[test]
    fn december_2026_is_esz6_and_ends_at_the_open_of_the_eighteenth() {
        let december = contract("202612");
        assert_eq!(december.local_symbol("ES"), "ESZ6");
        assert_eq!(december.last_trade_date(), ymd(2026, 12, 18));
        assert_eq!(december.last_trade_at().to_rfc3339(), "2026-12-18T14:30:00+00:00");
        assert_eq!(serde_json::to_string(&december).unwrap(), "\"202612\"");
    }

    #[test]
    fn a_third_friday_without_a_session_ends_trading_the_day_before() {
        for (month, day) in [
            ("200803", ymd(2008, 3, 20)), // Good Friday
            ("202606", ymd(2026, 6, 18)), // Juneteenth
            ("202706", ymd(2027, 6, 17)),
            ("203206", ymd(2032, 6, 17)), // by the rules alone from here on
            ("203706", ymd(2037, 6, 18)),
            ("203806", ymd(2038, 6, 17)),
        ] {
            assert_eq!(contract(month).last_trade_date(), day);
        }
    }

    #[test]
    fn only_those_of_2000_to_2040_move() {
        let months = (2000..=2040).flat_map(|year| [3, 6, 9, 12].map(|month| ContractMonth::new(year, month).unwrap()));
        let moved: Vec<_> = months.filter(|month| month.last_trade_date() != month.third_friday()).collect();
        assert_eq!(moved, ["200803", "202606", "202706", "203206", "203706", "203806"].map(contract));
    }

    #[test]
    fn what_is_no_quarterly_month_is_refused() {
        for text in ["", "202611", "2026-12", "202600", "199912", "210003", "+20261", "ESZ6", "2026é"] {
            let message = text.parse::<ContractMonth>().unwrap_err().to_string();
            assert!(message.contains("write YYYYMM with month 03, 06, 09 or 12"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn next_and_previous_undo_each_other_and_keep_the_order(year in 2000..=2099, quarter in 1_u32..=4) {
            let month = ContractMonth::new(year, quarter * 3).unwrap();
            prop_assert_eq!(month.next().previous(), month);
            prop_assert_eq!(month.previous().next(), month);
            prop_assert!(month.previous() < month && month < month.next());
            prop_assert!(month.last_trade_date() <= month.third_friday());
            prop_assert_eq!(month.to_string().parse(), Ok(month));
        }
    }
}
