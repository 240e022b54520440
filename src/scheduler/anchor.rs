//! Anchors: the instants of a session or of a contract that a schedule may hang on.

use std::fmt;

use chrono::TimeDelta;

use super::duration::{parse_duration, signed};
use super::error::remedy;
use crate::calendar::{CalendarError, CalendarId};

/// Longest root symbol.
const MAX_ROOT_LENGTH: usize = 12;

/// What an anchor of a calendar may be.
const POINTS: [(&str, Point); 3] = [("open", Point::Open), ("close", Point::Close), ("reopen", Point::Reopen)];

/// The anchors of calendars, for suggestions.
const KNOWN: [&str; 5] = ["nyse.open", "nyse.close", "cme_equity.open", "cme_equity.close", "cme_equity.reopen"];

/// An instant that moves with sessions or contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// An instant of a session, such as `nyse.close`.
    Session {
        /// The calendar of the session.
        calendar: CalendarId,
        /// Which instant of it.
        point: Point,
    },
    /// The end of trading of the quarterly contracts of a root, such as `ES.expiry`.
    Expiry {
        /// The root of the contracts.
        root: String,
    },
    /// The instant at which the next quarterly contract of a root becomes lead, such as `ES.roll`.
    Roll {
        /// The root of the contracts.
        root: String,
    },
}

/// An instant of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Its first open.
    Open,
    /// Its last close; it moves on half days.
    Close,
    /// An open after a close that the weekly pattern has not: after a halt inside the session, an early close or a
    /// holiday.
    Reopen,
}

impl Anchor {
    /// The calendar in which its days are counted.
    #[must_use]
    pub fn calendar(&self) -> CalendarId {
        match self {
            Anchor::Session { calendar, .. } => *calendar,
            Anchor::Expiry { .. } | Anchor::Roll { .. } => CalendarId::CmeEquity,
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anchor::Session { calendar, point } => {
                let name = POINTS.iter().find(|(_, known)| known == point).map_or("", |(name, _)| name);
                write!(f, "{calendar}.{name}")
            }
            Anchor::Expiry { root } => write!(f, "{root}.expiry"),
            Anchor::Roll { root } => write!(f, "{root}.roll"),
        }
    }
}

/// An anchor and the offset from it, as in `nyse.close + 20m`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// The anchor.
    pub anchor: Anchor,
    /// How much later; negative for earlier.
    pub offset: TimeDelta,
}

impl fmt::Display for Anchored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.anchor)?;
        if self.offset == TimeDelta::zero() { Ok(()) } else { write!(f, " {}", signed(self.offset)) }
    }
}

/// Reads `anchor`, `anchor + duration` or `anchor - duration`.
pub(super) fn parse_anchored(text: &str) -> Result<Anchored, String> {
    let (anchor, offset) = match text.split_once(['+', '-']) {
        None => (text, TimeDelta::zero()),
        Some((anchor, offset)) => {
            let offset = parse_duration(offset.trim())?;
            (anchor, if text.contains('-') { -offset } else { offset })
        }
    };
    Ok(Anchored { anchor: parse_anchor(anchor.trim())?, offset })
}

fn parse_anchor(text: &str) -> Result<Anchor, String> {
    let unknown = || {
        let nearest = KNOWN.iter().find(|known| is_meant(text, known)).map(|known| format!("did you mean {known}?"));
        let others = || remedy(text, &KNOWN).replace("known are ", "known are <ROOT>.expiry, <ROOT>.roll, ");
        format!("unknown anchor {text:?}: {}", nearest.unwrap_or_else(others))
    };
    let (subject, point) = text.split_once('.').ok_or_else(unknown)?;
    let of_contracts = |root: String| match point {
        "expiry" => Some(Anchor::Expiry { root }),
        "roll" => Some(Anchor::Roll { root }),
        _ => None,
    };
    if let Ok(calendar) = subject.parse::<CalendarId>() {
        let known = POINTS.iter().find(|(name, _)| *name == point).map(|(_, known)| *known);
        let known = known.filter(|point| *point != Point::Reopen || calendar == CalendarId::CmeEquity);
        return known.map(|point| Anchor::Session { calendar, point }).ok_or_else(unknown);
    }
    if is_root(subject) {
        return of_contracts(subject.to_owned()).ok_or_else(unknown);
    }
    let upper = subject.to_ascii_uppercase();
    match of_contracts(upper.clone()) {
        Some(meant) if is_root(&upper) => Err(format!("unknown anchor {text:?}: did you mean {meant}?")),
        _ => Err(unknown()),
    }
}

/// Whether only the name of the calendar is another, and the calendar suggests it.
fn is_meant(text: &str, known: &str) -> bool {
    let (Some((subject, point)), Some((calendar, known_point))) = (text.split_once('.'), known.split_once('.')) else {
        return false;
    };
    let suggested = match subject.parse::<CalendarId>() {
        Err(CalendarError::UnknownCalendar { suggestion, .. }) => suggestion,
        _ => None,
    };
    point == known_point && suggested.is_some_and(|id| id.as_str() == calendar)
}

/// A root as a futures symbol is written: a capital letter, then capital letters and digits.
fn is_root(text: &str) -> bool {
    text.len() <= MAX_ROOT_LENGTH
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_read_back_as_written() {
        for text in [
            "nyse.open - 1h",
            "nyse.close + 20m",
            "cme_equity.open",
            "cme_equity.close + 15m",
            "cme_equity.reopen + 5m",
            "ES.expiry - 24h",
            "M2K.roll",
        ] {
            assert_eq!(parse_anchored(text).unwrap().to_string(), text);
        }
        assert_eq!(parse_anchored("nyse.open-60m"), parse_anchored("nyse.open - 1h"));
        assert_eq!(parse_anchored("nyse.open + 0s").unwrap().to_string(), "nyse.open");
    }

    #[test]
    fn an_unknown_anchor_is_told_what_was_meant() {
        let told = |text: &str| parse_anchored(text).unwrap_err();
        assert_eq!(told("nyse.clse + 20m"), "unknown anchor \"nyse.clse\": did you mean nyse.close?");
        assert_eq!(told("cme.close"), "unknown anchor \"cme.close\": did you mean cme_equity.close?");
        assert_eq!(told("es.expiry"), "unknown anchor \"es.expiry\": did you mean ES.expiry?");
        assert_eq!(told("nyse.reopen"), "unknown anchor \"nyse.reopen\": did you mean nyse.open?");
        assert!(told("noon").starts_with("unknown anchor \"noon\": known are <ROOT>.expiry, <ROOT>.roll, nyse.open"));
        assert!(told("nyse.open + soon").starts_with("cannot read the duration \"soon\""));
        assert!(told("nyse.open + 1h - 5m").starts_with("cannot read the duration"));
    }
}
