//! Slots of the sessions that a table lacks between its first row and its last.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::calendar::{Calendar, CalendarError, Slot, TradingDay};

/// Missing slots named for each session.
const NUM_NAMED: usize = 3;

/// What a symbol lacks of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hole {
    /// The symbol.
    pub symbol: String,
    /// The session.
    pub day: TradingDay,
    /// Slots missing.
    pub missing: usize,
    /// Slots there should be, within the table's first and last.
    pub expected: usize,
    /// The first of those missing.
    pub first: Vec<Slot>,
}

/// What a symbol lacks between its first slot and its last.
pub(super) fn holes(symbol: &str, slots: &BTreeSet<Slot>, calendar: &Calendar) -> Result<Vec<Hole>, CalendarError> {
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return Ok(Vec::new()) };
    let days = |slot: &Slot| slot.instant().date_naive();
    // A session carries the date of its close, which may be the day after the slot's.
    let next = days(last).succ_opt().unwrap_or(days(last));
    let mut holes = Vec::new();
    for session in calendar.sessions(days(first).pred_opt().unwrap_or(days(first)), next)? {
        let expected: Vec<Slot> = session.slots().filter(|slot| first <= slot && slot <= last).collect();
        let missing: Vec<Slot> = expected.iter().filter(|slot| !slots.contains(slot)).copied().collect();
        if !missing.is_empty() {
            let (symbol, first) = (symbol.to_owned(), missing.iter().take(NUM_NAMED).copied().collect());
            holes.push(Hole { symbol, day: session.day, missing: missing.len(), expected: expected.len(), first });
        }
    }
    Ok(holes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::CalendarId;

    #[test]
    fn holes_are_counted_by_session_and_only_between_the_first_row_and_the_last() {
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        let (from, to) = ("2026-11-20T21:50:00Z", "2026-11-22T23:20:00Z");
        let instant = |text: &str| text.parse().expect("an instant");
        let mut slots: BTreeSet<Slot> =
            calendar.slots(instant(from), instant(to)).expect("slots").into_iter().collect();
        assert!(holes("ES", &slots, &calendar).expect("covered").is_empty(), "the weekend is no hole");
        for gone in ["2026-11-20T21:55:00Z", "2026-11-22T23:05:00Z", "2026-11-22T23:10:00Z"] {
            slots.remove(&Slot::at(instant(gone)).expect("on the grid"));
        }
        let found = holes("ES", &slots, &calendar).expect("covered");
        let told: Vec<_> = found.iter().map(|hole| (hole.day.to_string(), hole.missing, hole.expected)).collect();
        assert_eq!(told, [("2026-11-20".to_owned(), 1, 3), ("2026-11-23".to_owned(), 2, 4)]);
    }
}
