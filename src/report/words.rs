//! Words and numbers as a reader of the report finds them.

use chrono::{DateTime, Utc};

use crate::calendar::to_new_york;
use crate::evaluation::{Hits, Interval};

/// An instant in New York and in UTC.
pub(super) fn both_times(at: DateTime<Utc>) -> String {
    format!("{} ({})", to_new_york(at).format("%a %Y-%m-%d %H:%M ET"), at.format("%H:%M UTC"))
}

/// The time of day in New York.
pub(super) fn clock(at: DateTime<Utc>) -> String {
    to_new_york(at).format("%H:%M ET").to_string()
}

/// With its sign, or a dash where it is not known.
pub(super) fn signed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.decimals$}"))
}

/// Both ends.
pub(super) fn interval(of: Interval, scale: f64) -> String {
    format!("{:.1} to {:.1}", scale * of.lo, scale * of.hi)
}

/// A share of hits in % with its interval, or a dash where there is none.
pub(super) fn rate(of: &Hits) -> String {
    match (of.rate(), of.interval) {
        (Some(rate), Some(bounds)) => format!("{:.1} % ({})", 100.0 * rate, interval(bounds, 100.0)),
        _ => "-".to_owned(),
    }
}
