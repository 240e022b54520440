//! Local time to UTC and back, by the project's own rule for the two nights a year that need one.
//!
//! A local time that does not exist (spring) is the first instant after the gap; one that happens twice (autumn) is the
//! first of the two.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::CalendarError;

/// The instant of a New York wall-clock time: gap to the first valid instant, overlap to the first.
#[must_use]
pub fn new_york(local: NaiveDateTime) -> DateTime<Utc> {
    instant_of(local, Tz::America__New_York)
}

/// The instant of a Chicago wall-clock time: gap to the first valid instant, overlap to the first.
#[must_use]
pub fn chicago(local: NaiveDateTime) -> DateTime<Utc> {
    instant_of(local, Tz::America__Chicago)
}

/// The instant in New York, for display.
#[must_use]
pub fn to_new_york(at: DateTime<Utc>) -> DateTime<Tz> {
    at.with_timezone(&Tz::America__New_York)
}

/// The instant a person wrote: RFC 3339 with any offset (the seconds may be left out), or New York time without a zone.
///
/// # Errors
///
/// [`CalendarError::BadInstant`], which lists the accepted forms.
pub fn parse_instant(text: &str) -> Result<DateTime<Utc>, CalendarError> {
    const WITH_OFFSET: [&str; 2] = ["%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z"];
    const NEW_YORK: [&str; 4] = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
    let trimmed = text.trim();
    let with_offset = || WITH_OFFSET.iter().find_map(|form| DateTime::parse_from_str(trimmed, form).ok());
    if let Some(at) = DateTime::parse_from_rfc3339(trimmed).ok().or_else(with_offset) {
        return Ok(at.to_utc());
    }
    let local = NEW_YORK.iter().find_map(|form| NaiveDateTime::parse_from_str(trimmed, form).ok());
    local.map(new_york).ok_or_else(|| CalendarError::BadInstant { text: text.to_owned() })
}

/// The instant of a wall-clock time in `zone`, with the project's rule for gap and overlap.
pub(super) fn instant_of(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => {
            let gap_end = GapInfo::new(&local, &zone).and_then(|gap| gap.end);
            // Only the last hours of representable time have neither an offset nor a gap.
            gap_end.map_or_else(|| local.and_utc(), |at| at.to_utc())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_in_the_gap_is_the_first_instant_after_it() {
        for day in ["2026-03-08", "2027-03-14"] {
            for time in ["02:00:00", "02:30:00", "02:59:59"] {
                assert_eq!(new_york(local(&format!("{day}T{time}"))), utc(&format!("{day}T07:00:00Z")));
                assert_eq!(chicago(local(&format!("{day}T{time}"))), utc(&format!("{day}T08:00:00Z")));
            }
            assert_eq!(new_york(local(&format!("{day}T01:59:59"))), utc(&format!("{day}T06:59:59Z")));
            assert_eq!(new_york(local(&format!("{day}T03:00:00"))), utc(&format!("{day}T07:00:00Z")));
        }
    }

    #[test]
    fn a_time_that_happens_twice_is_its_first() {
        for day in ["2026-11-01", "2027-11-07"] {
            assert_eq!(new_york(local(&format!("{day}T01:30:00"))), utc(&format!("{day}T05:30:00Z")));
            assert_eq!(chicago(local(&format!("{day}T01:30:00"))), utc(&format!("{day}T06:30:00Z")));
            assert_eq!(new_york(local(&format!("{day}T02:00:00"))), utc(&format!("{day}T07:00:00Z")));
        }
    }

    #[test]
    fn daylight_saving_goes_on_to_the_end_of_the_rules() {
        assert_eq!(new_york(local("2099-07-01T09:30:00")), utc("2099-07-01T13:30:00Z"));
        assert_eq!(new_york(local("2099-12-31T09:30:00")), utc("2099-12-31T14:30:00Z"));
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for local in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
            assert!((new_york(local).naive_utc() - local).num_hours().abs() <= 8);
            assert!((chicago(local).naive_utc() - local).num_hours().abs() <= 8);
        }
    }

    #[test]
    fn every_accepted_form_is_the_same_instant() {
        for text in [
            "2026-11-20T15:05:00Z",
            "2026-11-20T15:05Z",
            "2026-11-20T10:05:00-05:00",
            "2026-11-20T16:05+01:00",
            "2026-11-20 15:05:00Z",
            "2026-11-20T10:05",
            "2026-11-20T10:05:00",
            "2026-11-20 10:05",
            " 2026-11-20 10:05:00 ",
        ] {
            assert_eq!(parse_instant(text), Ok(utc("2026-11-20T15:05:00Z")), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_time_is_told_the_accepted_forms() {
        for text in ["", "now", "10:05", "2026-11-20", "2026-13-01T00:00", "2026-11-20T10:05 ET"] {
            let message = parse_instant(text).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("cannot read the time {text:?}: write it with an offset (")),
                "{message}"
            );
        }
    }
}
