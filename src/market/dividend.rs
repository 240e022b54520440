//! Dividends of ETFs: the days on which they go ex, and what goes.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Symbol;

/// An ETF goes ex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExDate {
    /// The ETF.
    pub etf: Symbol,
    /// The first session whose buyers do not get it.
    pub ex_date: NaiveDate,
    /// US dollars a share; none while only the day is known.
    #[serde(default)]
    pub usd: Option<f64>,
}

/// A list of ex-dates that cannot be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DividendProblem {
    /// An ETF goes ex once a day.
    #[error("{etf} goes ex on {ex_date} twice: keep one entry, with the sum")]
    Twice {
        /// The ETF.
        etf: Symbol,
        /// The day.
        ex_date: NaiveDate,
    },
    /// An amount that is no dividend.
    #[error("{etf} goes ex on {ex_date} with {usd} dollars: give an amount above 0, or none while it is not known")]
    Amount {
        /// The ETF.
        etf: Symbol,
        /// The day.
        ex_date: NaiveDate,
        /// The amount as it was given.
        usd: f64,
    },
}

/// What went ex between two days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WentEx {
    /// US dollars a share, 0 where none is listed.
    Usd(f64),
    /// Something that day, and nobody said how much.
    Unknown(NaiveDate),
}

impl WentEx {
    /// The amount, US dollars a share; none where it is not known.
    #[must_use]
    pub fn usd(self) -> Option<f64> {
        match self {
            Self::Usd(usd) => Some(usd),
            Self::Unknown(_) => None,
        }
    }
}

/// The ex-dates that are known of ETFs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dividends {
    known: BTreeMap<(Symbol, NaiveDate), Option<f64>>,
    /// Why nothing is known, where a list could not be read.
    fault: Option<String>,
}

impl Dividends {
    /// A list of ex-dates, in any order.
    ///
    /// # Errors
    /// [`DividendProblem`] where an entry cannot be.
    pub fn new(all: impl IntoIterator<Item = ExDate>) -> Result<Self, DividendProblem> {
        let mut known = BTreeMap::new();
        for ExDate { etf, ex_date, usd } in all {
            if let Some(usd) = usd.filter(|usd| !(usd.is_finite() && *usd > 0.0)) {
                return Err(DividendProblem::Amount { etf, ex_date, usd });
            }
            if known.insert((etf.clone(), ex_date), usd).is_some() {
                return Err(DividendProblem::Twice { etf, ex_date });
            }
        }
        Ok(Self { known, fault: None })
    }

    /// What is known where the list cannot be read: nothing, of any day.
    #[must_use]
    pub fn unreadable(why: impl Into<String>) -> Self {
        Self { known: BTreeMap::new(), fault: Some(why.into()) }
    }

    /// Why nothing is known, where the list could not be read.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// What an ETF lost to those who bought it on the first day at its close and hold it on the second: everything whose
    /// ex-date is after the first day and not after the second.
    #[must_use]
    pub fn between(&self, etf: &Symbol, (after, until): (NaiveDate, NaiveDate)) -> WentEx {
        if self.fault.is_some() {
            return WentEx::Unknown(until);
        }
        let mut sum = 0.0;
        for ((_, ex_date), usd) in self.known.range((etf.clone(), after)..=(etf.clone(), until.max(after))) {
            match usd {
                _ if *ex_date == after => {}
                Some(usd) => sum += usd,
                None => return WentEx::Unknown(*ex_date),
            }
        }
        WentEx::Usd(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn ex(etf: &str, ex_date: &str, usd: Option<f64>) -> ExDate {
        ExDate { etf: etf.parse().expect("a symbol"), ex_date: day(ex_date), usd }
    }

    #[test]
    fn what_goes_ex_after_the_first_day_and_until_the_second_counts() {
        let all =
            [ex("SPY", "2026-12-18", Some(1.9)), ex("SPY", "2027-03-19", Some(1.5)), ex("QQQ", "2026-12-21", None)];
        let known = Dividends::new(all).expect("sound");
        let between = |etf: &str, from, to| known.between(&etf.parse().expect("a symbol"), (day(from), day(to)));
        assert_eq!(between("SPY", "2026-12-17", "2026-12-18"), WentEx::Usd(1.9));
        assert_eq!(between("SPY", "2026-12-18", "2026-12-21"), WentEx::Usd(0.0), "its first day is over");
        assert_eq!(between("SPY", "2026-12-17", "2027-03-19"), WentEx::Usd(3.4));
        assert_eq!(between("QQQ", "2026-12-18", "2026-12-21"), WentEx::Unknown(day("2026-12-21")));
        assert_eq!(between("IWM", "2026-01-01", "2027-01-01").usd(), Some(0.0));
        assert_eq!(between("SPY", "2026-12-18", "2026-12-17"), WentEx::Usd(0.0), "no day lies in between");
        let unreadable = Dividends::unreadable("no file");
        let (spy, days) = ("SPY".parse().expect("a symbol"), (day("2026-12-17"), day("2026-12-18")));
        assert_eq!((unreadable.between(&spy, days).usd(), unreadable.fault()), (None, Some("no file")));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_remedy() {
        let twice = Dividends::new([ex("SPY", "2026-12-18", None), ex("SPY", "2026-12-18", Some(1.0))]);
        assert!(twice.expect_err("twice").to_string().contains("twice: keep one entry"));
        for usd in [0.0, -1.0, f64::NAN] {
            let refused = Dividends::new([ex("SPY", "2026-12-18", Some(usd))]).expect_err("no amount").to_string();
            assert!(refused.contains("above 0"), "{refused}");
        }
    }
}
