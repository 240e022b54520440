//! The five-minute grid.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::CalendarError;

/// Minutes from one slot to the next.
pub const SLOT_MINUTES: i64 = 5;

const SLOT_SECONDS: i64 = SLOT_MINUTES * 60;

/// An instant on the five-minute grid of UTC; it stamps what was known then, as a bar is stamped at its end.
///
/// All US offsets are whole hours, so the grid of UTC is the grid of every wall clock the crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "DateTime<Utc>", into = "DateTime<Utc>")]
pub struct Slot(DateTime<Utc>);

impl Slot {
    /// The slot that is exactly this instant.
    ///
    /// # Errors
    ///
    /// [`CalendarError::OffGrid`] names the slots on both sides.
    pub fn at(at: DateTime<Utc>) -> Result<Slot, CalendarError> {
        let before = Slot::at_or_before(at);
        if before.0 == at {
            return Ok(before);
        }
        Err(CalendarError::OffGrid { at, before: before.0, after: before.next().0 })
    }

    /// The newest slot at or before the instant.
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the earliest representable instant is itself on the grid"
    )]
    pub fn at_or_before(at: DateTime<Utc>) -> Slot {
        let seconds = at.timestamp().div_euclid(SLOT_SECONDS) * SLOT_SECONDS;
        Slot(DateTime::from_timestamp(seconds, 0).expect("an instant rounded down on the grid stays representable"))
    }

    /// The instant of the slot.
    #[must_use]
    pub const fn instant(self) -> DateTime<Utc> {
        self.0
    }

    /// The slot five minutes earlier, open or not; the first of all time stays where it is.
    #[must_use]
    pub fn previous(self) -> Slot {
        self.moved(-SLOT_MINUTES)
    }

    /// The slot five minutes later, open or not; the last of all time stays where it is.
    #[must_use]
    pub fn next(self) -> Slot {
        self.moved(SLOT_MINUTES)
    }

    fn moved(self, minutes: i64) -> Slot {
        self.0.checked_add_signed(TimeDelta::minutes(minutes)).map_or(self, Slot)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&rfc3339(self.0))
    }
}

impl TryFrom<DateTime<Utc>> for Slot {
    type Error = CalendarError;

    fn try_from(at: DateTime<Utc>) -> Result<Self, Self::Error> {
        Slot::at(at)
    }
}

impl From<Slot> for DateTime<Utc> {
    fn from(slot: Slot) -> Self {
        slot.0
    }
}

/// The instant as RFC 3339 with `Z`, with as many decimals as it has.
pub(super) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// An instant as New York reads it.
pub(super) fn eastern(at: DateTime<Utc>) -> String {
    super::to_new_york(at).format("%Y-%m-%d %H:%M:%S ET").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instants() -> impl Strategy<Value = DateTime<Utc>> {
        // 1950 to 2100, with nanoseconds, so on both sides of the Unix epoch.
        (-631_152_000_i64..4_102_444_800, 0_u32..1_000_000_000)
            .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
    }

    proptest! {
        #[test]
        fn an_instant_lies_between_its_slot_and_the_next(at in instants()) {
            let slot = Slot::at_or_before(at);
            prop_assert!(slot.instant() <= at && at < slot.next().instant());
            prop_assert_eq!(slot.instant().timestamp() % 300, 0);
            prop_assert_eq!(slot.next().previous(), slot);
            prop_assert_eq!(Slot::at_or_before(slot.instant()), slot);
        }

        #[test]
        fn an_instant_is_a_slot_or_is_told_the_two_nearest(at in instants()) {
            match Slot::at(at) {
                Ok(slot) => prop_assert_eq!(slot.instant(), at),
                Err(CalendarError::OffGrid { before, after, .. }) => {
                    prop_assert!(before < at && at < after);
                    prop_assert_eq!(after - before, TimeDelta::minutes(SLOT_MINUTES));
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        #[test]
        fn a_slot_reads_back_from_its_text(at in instants()) {
            let slot = Slot::at_or_before(at);
            prop_assert_eq!(Slot::at(slot.to_string().parse().unwrap()), Ok(slot));
            let json = serde_json::to_string(&slot).unwrap();
            prop_assert_eq!(serde_json::from_str::<Slot>(&json).unwrap(), slot);
        }
    }

    #[test]
    fn a_slot_shows_itself_in_utc() {
        assert_eq!(Slot::at("2026-11-20T10:05:00-05:00".parse().unwrap()).unwrap().to_string(), "2026-11-20T15:05:00Z");
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let slot = Slot::at_or_before(at);
            assert!(slot.previous() <= slot && slot <= slot.next());
        }
    }
}
