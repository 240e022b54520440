//! A time zone by its name, for schedules that are given in one.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use super::CalendarError;
use super::zone::instant_of;

/// A time zone of the IANA database, such as `America/Chicago`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Zone {
    /// The instant of a wall-clock time: gap to the first valid instant, overlap to the first.
    #[must_use]
    pub fn instant(self, local: NaiveDateTime) -> DateTime<Utc> {
        instant_of(local, self.0)
    }

    /// What the wall clock shows at an instant.
    #[must_use]
    pub fn wall_clock(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name())
    }
}

impl FromStr for Zone {
    type Err = CalendarError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.parse().map(Zone).map_err(|_| CalendarError::UnknownZone { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_goes_both_ways_but_in_the_hour_that_happens_twice() {
        let zone: Zone = "America/Chicago".parse().unwrap();
        assert_eq!(zone.to_string(), "America/Chicago");
        let (first, second) = ("2026-11-01T06:30:00Z".parse().unwrap(), "2026-11-01T07:30:00Z".parse().unwrap());
        assert_eq!(zone.wall_clock(first), zone.wall_clock(second));
        assert_eq!(zone.instant(zone.wall_clock(second)), first);
        let told = "Chicago".parse::<Zone>().unwrap_err().to_string();
        assert_eq!(told, "unknown zone \"Chicago\": write an IANA name such as America/New_York or UTC");
    }
}
