//! The calendar under an operator's overrides.

use std::collections::BTreeMap;

use super::civil::{day_after, day_before};
use super::exchange::whole;
use super::{Calendar, CalendarError, DayOverride, OverrideProblem, TradingDay};

impl Calendar {
    /// The calendar with an operator's overrides over it; one given earlier for the same session is replaced.
    ///
    /// The list may speak of every calendar, as the file does: `cme_equity` takes its regular hours from `nyse`.
    ///
    /// # Errors
    ///
    /// [`CalendarError::BadOverride`] for each entry that cannot be followed, in order and at least one.
    pub fn with_overrides(&self, overrides: &[DayOverride]) -> Result<Calendar, Vec<CalendarError>> {
        let mut entries = BTreeMap::new();
        let mut problems = Vec::new();
        for (entry, day) in (1..).zip(overrides) {
            let alone = day.validate().and_then(|()| match entries.insert((day.calendar, day.date), entry) {
                Some(first) => Err(OverrideProblem::Repeated { first }),
                None => Ok(()),
            });
            problems.extend(alone.err().map(|problem| bad_override(entry, day, problem)));
        }
        // What overlaps is judged only where every entry can be followed.
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut all = self.overrides().clone();
        all.extend(overrides.iter().map(|day| ((day.calendar, day.date), day.clone())));
        let calendar = Calendar::new(self.id(), all);
        for (entry, day) in (1..).zip(overrides) {
            let overlap = calendar.check_neighbours(day);
            problems.extend(overlap.err().map(|problem| bad_override(entry, day, problem)));
        }
        if problems.is_empty() { Ok(calendar) } else { Err(problems) }
    }

    /// A session reaches from the evening before to the end of its date, so only the days around it can overlap it.
    fn check_neighbours(&self, given: &DayOverride) -> Result<(), OverrideProblem> {
        let session = |day| whole(&self.segments_of_calendar(given.calendar, day));
        let Some(own) = session(given.date) else {
            return Ok(());
        };
        for day in [day_before(given.date), day_after(given.date)] {
            if session(day).is_some_and(|other| other.open < own.close && own.open < other.close) {
                return Err(OverrideProblem::Overlap { other: TradingDay::new(day) });
            }
        }
        Ok(())
    }
}

fn bad_override(entry: usize, day: &DayOverride, problem: OverrideProblem) -> CalendarError {
    CalendarError::BadOverride { entry, calendar: day.calendar, date: day.date, problem }
}

#[cfg(test)]
mod tests {
    use super::super::civil::ymd;
    use super::super::{CalendarId, DayKind};
    use super::*;

    fn entries(json: &str) -> Vec<DayOverride> {
        serde_json::from_str(json).unwrap()
    }

    fn overridden(id: CalendarId, json: &str) -> Calendar {
        Calendar::embedded(id).with_overrides(&entries(json)).unwrap()
    }

    fn refused(json: &str) -> String {
        let problems = Calendar::embedded(CalendarId::CmeEquity).with_overrides(&entries(json)).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_closed_day_has_no_session_and_the_original_keeps_its_own() {
        let embedded = Calendar::embedded(CalendarId::CmeEquity);
        let monday = ymd(2026, 12, 7);
        assert!(embedded.is_open("2026-12-07T15:00:00Z".parse().unwrap()).unwrap());
        let closed = embedded
            .with_overrides(&entries(
                r#"[{"calendar": "cme_equity", "date": "2026-12-07", "closed": true, "reason": "mourning"}]"#,
            ))
            .unwrap();
        assert_eq!(closed.session(monday), Ok(None));
        assert!(!closed.is_open("2026-12-07T15:00:00Z".parse().unwrap()).unwrap());
        assert_eq!(closed.reason(monday).unwrap().as_deref(), Some("mourning"));
        assert_eq!(embedded.session(monday).unwrap().unwrap().num_slots(), 276);
        assert_eq!(embedded.reason(monday), Ok(None));
    }

    #[test]
    fn a_shorter_day_of_the_future_is_no_longer_provisional() {
        let json = r#"[{"calendar": "cme_equity", "date": "2034-04-07", "close": "08:15"}]"#;
        let good_friday = overridden(CalendarId::CmeEquity, json).session(ymd(2034, 4, 7)).unwrap().unwrap();
        assert_eq!(good_friday.close().to_rfc3339(), "2034-04-07T13:15:00+00:00");
        assert_eq!((good_friday.kind, good_friday.provisional), (DayKind::EarlyClose, false));
    }

    #[test]
    fn the_regular_hours_of_cme_follow_an_override_of_nyse() {
        let day = ymd(2026, 12, 7);
        let regular = |json| overridden(CalendarId::CmeEquity, json).session(day).unwrap().unwrap().regular;
        assert_eq!(regular(r#"[{"calendar": "nyse", "date": "2026-12-07", "closed": true}]"#), None);
        let half = regular(r#"[{"calendar": "nyse", "date": "2026-12-07", "close": "13:00"}]"#).unwrap();
        assert_eq!(half.close.to_rfc3339(), "2026-12-07T18:00:00+00:00");
        let clipped = regular(r#"[{"calendar": "cme_equity", "date": "2026-12-07", "close": "11:00"}]"#).unwrap();
        assert_eq!(clipped.close.to_rfc3339(), "2026-12-07T17:00:00+00:00");
        let gone = r#"[{"calendar": "cme_equity", "date": "2026-12-07", "close": "08:30"}]"#;
        assert_eq!(regular(gone), None);
    }

    #[test]
    fn a_saturday_session_can_be_added() {
        let json = r#"[{"calendar": "cme_equity", "date": "2027-06-19", "open": "05:00", "close": "17:00"}]"#;
        let saturday = overridden(CalendarId::CmeEquity, json).session(ymd(2027, 6, 19)).unwrap().unwrap();
        assert_eq!(saturday.open().to_rfc3339(), "2027-06-19T10:00:00+00:00");
        assert_eq!(saturday.num_slots(), 144);
    }

    #[test]
    fn a_list_that_cannot_be_followed_says_which_entry_and_why() {
        assert_eq!(
            refused(
                r#"[{"calendar": "nyse", "date": "2026-12-07", "closed": true}, {"calendar": "nyse", "date": "2026-12-08"}]"#
            ),
            "override 2, nyse 2026-12-08: it changes nothing: give `closed: true`, `open`, `close` or `segments`"
        );
        assert_eq!(
            refused(
                r#"[{"calendar": "nyse", "date": "2026-12-07", "closed": true}, {"calendar": "nyse", "date": "2026-12-07", "close": "13:00"}]"#
            ),
            "override 2, nyse 2026-12-07: entry 1 is for the same session: keep one of the two"
        );
        assert_eq!(
            refused(r#"[{"calendar": "cme_equity", "date": "2026-12-08", "close": "17:30"}]"#),
            "override 1, cme_equity 2026-12-08: its hours overlap the session of 2026-12-09: move `open` or `close`"
        );
    }

    #[test]
    fn every_entry_that_cannot_be_followed_is_reported() {
        let told = refused(
            r#"[{"calendar": "nyse", "date": "2026-12-07"}, {"calendar": "nyse", "date": "2026-12-25", "open": "10:00"}]"#,
        );
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines.len() == 2 && lines[0].starts_with("override 1") && lines[1].starts_with("override 2"), "{told}");
    }

    #[test]
    fn a_half_day_that_opens_late_stays_a_half_day() {
        let json = r#"[{"calendar": "nyse", "date": "2026-11-27", "open": "10:00"}]"#;
        let half = overridden(CalendarId::Nyse, json).session(ymd(2026, 11, 27)).unwrap().unwrap();
        assert_eq!((half.num_slots(), half.kind), (36, DayKind::EarlyClose), "10:00 to 13:00");
    }

    #[test]
    fn a_later_list_replaces_an_earlier_one_day_by_day() {
        let first = r#"[{"calendar": "nyse", "date": "2026-12-07", "closed": true}, {"calendar": "nyse", "date": "2026-12-08", "closed": true}]"#;
        let second = entries(r#"[{"calendar": "nyse", "date": "2026-12-07", "close": "13:00"}]"#);
        let both = overridden(CalendarId::Nyse, first).with_overrides(&second).unwrap();
        assert_eq!(both.session(ymd(2026, 12, 7)).unwrap().unwrap().num_slots(), 42);
        assert_eq!(both.session(ymd(2026, 12, 8)), Ok(None));
    }
}
