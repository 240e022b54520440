//! Segments: what lies between an open and a close.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{SLOT_MINUTES, Slot};

/// A stretch of uninterrupted trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Segment {
    /// The first instant of trading.
    pub open: DateTime<Utc>,
    /// The instant at which trading is over.
    pub close: DateTime<Utc>,
}

impl Segment {
    /// True while trading goes on: `open <= at < close`.
    #[must_use]
    pub fn contains_instant(&self, at: DateTime<Utc>) -> bool {
        self.open <= at && at < self.close
    }

    /// True if the five minutes that end at the slot were traded: `open < slot <= close`.
    #[must_use]
    pub fn contains_slot(&self, slot: Slot) -> bool {
        self.open < slot.instant() && slot.instant() <= self.close
    }

    /// The slots of the segment, in order: a multiple of five minutes in `(open, close]`.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let close = self.close;
        let first = Slot::at_or_before(self.open).next();
        std::iter::successors(Some(first), |slot| Some(slot.next())).take_while(move |slot| slot.instant() <= close)
    }

    /// How many slots the segment has.
    #[must_use]
    pub fn num_slots(&self) -> usize {
        let minutes =
            (Slot::at_or_before(self.close).instant() - Slot::at_or_before(self.open).instant()).num_minutes();
        usize::try_from(minutes / SLOT_MINUTES).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(open: &str, close: &str) -> Segment {
        let at = |time: &str| format!("2026-11-20T{time}:00Z").parse().unwrap();
        Segment { open: at(open), close: at(close) }
    }

    #[test]
    fn the_open_is_an_instant_and_the_close_is_a_slot() {
        let morning = segment("14:30", "18:00");
        let slot = |at| Slot::at(at).unwrap();
        assert!(morning.contains_instant(morning.open) && !morning.contains_slot(slot(morning.open)));
        assert!(!morning.contains_instant(morning.close) && morning.contains_slot(slot(morning.close)));
    }

    #[test]
    fn slots_are_counted_as_they_are_listed() {
        for (segment, num_slots) in [
            (segment("14:30", "21:00"), 78),
            (segment("14:33", "21:00"), 78), // the late open of 2001-09-17: 09:35 is its first slot
            (segment("14:30", "20:56"), 77), // the close of 2005-06-01: 15:55 is its last slot
            (segment("14:31", "14:34"), 0),
        ] {
            assert_eq!(segment.slots().count(), num_slots);
            assert_eq!(segment.num_slots(), num_slots);
            assert!(segment.slots().all(|slot| segment.contains_slot(slot)));
        }
    }
}
