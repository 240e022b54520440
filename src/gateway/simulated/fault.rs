//! Faults: how a gateway fails, as data. One enum, one table of names, one parser.
//!
//! Written `KIND[:ARGUMENT][@CONDITION,..]`: `354`, `stale:600@symbol=NQ`, `162:pacing@first=2`, `close@7`. Conditions are
//! `symbol=NAME`, `after=N` (leave the first N matching requests alone), `first=N` (then only N of them), and `from=TIME`,
//! `until=TIME` (only in that time of the gateway's own clock: `close-after-hello@from=2026-11-18T16:00Z,until=2026-11-18T19:00Z`).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::calendar::parse_instant;
use crate::market::Symbol;

use super::fault_kind::{self, FaultKind, fault_kinds};

/// A fault and when it strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only requests for this symbol.
    pub symbol: Option<Symbol>,
    /// Leaves so many matching requests alone.
    pub after: u32,
    /// Then strikes so many times.
    pub first: Option<u32>,
    /// Not before this instant.
    pub from: Option<DateTime<Utc>>,
    /// Not at or after this one.
    pub until: Option<DateTime<Utc>>,
}

impl Fault {
    /// A fault that strikes always.
    #[must_use]
    pub fn always(kind: FaultKind) -> Self {
        Self { kind, symbol: None, after: 0, first: None, from: None, until: None }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (what, conditions) = text.split_once('@').map_or((text, None), |(what, when)| (what, Some(when)));
        let (name, argument) = what.split_once(':').map_or((what, None), |(name, arg)| (name, Some(arg)));
        let mut conditions: Vec<&str> = conditions.into_iter().flat_map(|c| c.split(',')).collect();
        let mut fault = match conditions.first().and_then(|c| c.parse().ok()) {
            Some(num_messages) if what == "close" => {
                conditions.remove(0);
                Self::always(FaultKind::CloseAfter(num_messages))
            }
            _ => Self::always(kind_of(name, argument)?),
        };
        if fault.kind == FaultKind::ClientIdInUse {
            fault.first = argument.and_then(|times| times.parse().ok());
        }
        for condition in conditions {
            fault.limit(condition)?;
        }
        Ok(fault)
    }
}

impl Fault {
    /// Whether an instant lies in its time.
    #[must_use]
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    fn limit(&mut self, condition: &str) -> Result<(), FaultError> {
        let wrong = || FaultError::Condition(condition.to_owned());
        let (name, value) = condition.split_once('=').ok_or_else(wrong)?;
        match name {
            "symbol" => self.symbol = Some(value.parse().map_err(|_| wrong())?),
            "first" => self.first = Some(value.parse().map_err(|_| wrong())?),
            "after" => self.after = value.parse().map_err(|_| wrong())?,
            "from" => self.from = Some(parse_instant(value).map_err(|_| wrong())?),
            "until" => self.until = Some(parse_instant(value).map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, argument) = self.kind.name_and_argument();
        f.write_str(name)?;
        let mut separator = '@';
        let mut condition = |f: &mut fmt::Formatter<'_>, text: String| {
            let result = write!(f, "{separator}{text}");
            separator = ',';
            result
        };
        match (self.kind, argument) {
            (FaultKind::CloseAfter(num_messages), _) => condition(f, num_messages.to_string())?,
            (_, Some(argument)) => write!(f, ":{argument}")?,
            (_, None) => {}
        }
        if let Some(symbol) = &self.symbol {
            condition(f, format!("symbol={symbol}"))?;
        }
        if self.after > 0 {
            condition(f, format!("after={}", self.after))?;
        }
        if let Some(first) = self.first {
            condition(f, format!("first={first}"))?;
        }
        for (name, edge) in [("from", self.from), ("until", self.until)] {
            if let Some(at) = edge {
                condition(f, format!("{name}={}", at.format("%Y-%m-%dT%H:%M:%SZ")))?;
            }
        }
        Ok(())
    }
}

fn kind_of(name: &str, argument: Option<&str>) -> Result<FaultKind, FaultError> {
    if let Some(kind) = fault_kind::parse(name, argument) {
        return Ok(kind);
    }
    let all = fault_kinds();
    if let Some((_, help)) = all.iter().find(|(known, _)| known.split(':').next() == Some(name)) {
        return Err(FaultError::Argument { name: name.to_owned(), argument: argument.map(str::to_owned), help });
    }
    let nearest = all.iter().map(|(known, _)| *known).min_by_key(|known| strsim::damerau_levenshtein(known, name));
    Err(FaultError::Unknown {
        name: name.to_owned(),
        nearest: nearest.unwrap_or_default(),
        all: all.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
    })
}

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("there is no fault '{name}', did you mean '{nearest}'? The faults are {all}")]
    Unknown {
        /// The name given.
        name: String,
        /// The most similar one.
        nearest: &'static str,
        /// All of them.
        all: String,
    },
    /// The argument does not fit.
    #[error("the fault '{name}' cannot take {}: {help}", argument.as_ref().map_or("no argument".to_owned(), |a| format!("'{a}'")))]
    Argument {
        /// The fault.
        name: String,
        /// The argument given.
        argument: Option<String>,
        /// What it takes.
        help: &'static str,
    },
    /// The condition is none.
    #[error(
        "'{0}' is no condition of a fault: use symbol=NAME, first=N, after=N, from=TIME or until=TIME, joined by commas"
    )]
    Condition(String),
}

#[cfg(test)]
mod tests {
    use super::super::fault_kind::{Field, RequestKind};
    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().expect(text)
    }

    #[test]
    fn conditions_combine() {
        let fault = fault("stale:600@symbol=NQ,after=1,first=2");
        assert_eq!(fault.kind, FaultKind::Stale(600));
        assert_eq!(fault.symbol, Some("NQ".parse().expect("a symbol")));
        assert_eq!((fault.after, fault.first), (1, Some(2)));
    }

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        let texts = [
            "refuse",
            "silent",
            "close-after-hello",
            "close@7",
            "close:market_data",
            "close:history@first=1",
            "close:details",
            "half-frame",
            "garbage-frame",
            "oversized-frame",
            "326",
            "326@first=3",
            "354",
            "10197",
            "10167",
            "10168",
            "10089",
            "200@symbol=ES",
            "162:pacing",
            "162:nodata",
            "162:permissions",
            "162:cancelled",
            "165",
            "420",
            "321",
            "100",
            "1100",
            "1101",
            "1102",
            "1300",
            "2103",
            "2105",
            "2110",
            "missing:bid",
            "missing:open_interest",
            "missing:all",
            "missing:end",
            "no-data",
            "negative-prices",
            "nan",
            "crossed",
            "stale:900",
            "wrong-request-id",
            "slow:0.25",
            "slow-trickle",
            "clock-off:-90",
            "size-zero",
            "unset-sizes",
            "bars-missing",
            "marker-first",
            "halted",
            "reject-version",
            "pacing",
            "162:elsewhere",
            "166",
            "366",
            "2188",
            "slow-history:1.5",
            "10141",
            "account-late",
            "cut-off",
            "contract:multipliers",
            "contract:shared-con-id",
            "unreadable",
            "early:apart",
            "old-last",
            "stamp-zero",
            "lots",
            "close-after-hello@from=2026-11-18T16:00:00Z,until=2026-11-18T19:00:00Z",
        ];
        for text in texts {
            assert_eq!(fault(text).to_string(), text);
        }
    }

    #[test]
    fn other_ways_to_write_the_same() {
        assert_eq!(fault("326:3"), fault("326@first=3"));
        assert_eq!(fault("delayed"), fault("10167"));
        assert_eq!(fault("close@7").kind, FaultKind::CloseAfter(7));
        assert_eq!(fault("close:history").kind, FaultKind::CloseAt(RequestKind::History));
        assert_eq!(fault("missing:implied_vol").kind, FaultKind::Missing(Field::ImpliedVol));
    }

    #[test]
    fn a_wrong_name_lists_all_and_suggests_one() {
        let error = "hafl-frame".parse::<Fault>().expect_err("unknown").to_string();
        assert!(error.contains("did you mean 'half-frame'") && error.contains("slow-trickle"), "{error}");
    }

    #[test]
    fn a_wrong_argument_or_condition_says_what_fits() {
        let error = |text: &str| text.parse::<Fault>().expect_err("wrong").to_string();
        assert!(error("162:never").contains("pacing"), "{}", error("162:never"));
        assert!(error("stale").contains("no argument"), "{}", error("stale"));
        assert!(error("354@often").contains("symbol=NAME"), "{}", error("354@often"));
    }
}
