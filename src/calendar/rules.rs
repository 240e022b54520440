//! The rules: special days as the exchanges' habits predict them, for the time past the embedded tables.
//!
//! What no rule can know (mourning, storms, a late open) is only in the tables and in overrides. A Good Friday is always
//! closed here: whether a US jobs report falls on it, which keeps CME open until 08:15, is known only once the report's
//! date is published.
//!
//! Source: the holiday schedules of CME Group and NYSE since 2000.

use chrono::NaiveDate;

use super::CalendarId;
use super::civil::{is_weekend, ymd};
use super::holiday::{Holiday, half_day_on};
use super::pattern::hm;
use super::special::{SpecialDay, SpecialHours};

/// The first holiday on which CME traded until 12:00; until Presidents Day 2014 it stopped at 10:30.
const CME_NOON_FROM: NaiveDate = ymd(2014, 5, 26);

/// What the rules say of a day; none where it follows the weekly pattern.
pub(super) fn special_day(id: CalendarId, day: NaiveDate) -> Option<SpecialDay> {
    if is_weekend(day) {
        return None;
    }
    if let Some(holiday) = Holiday::observed_on(day) {
        let hours = match id {
            CalendarId::Nyse => SpecialHours::Closed,
            CalendarId::CmeEquity => cme_holiday(holiday, day),
        };
        return Some(SpecialDay { hours, reason: holiday.name() });
    }
    let close = match id {
        CalendarId::Nyse => hm(13, 0),
        CalendarId::CmeEquity => hm(12, 15),
    };
    half_day_on(day).map(|reason| SpecialDay { hours: SpecialHours::closes_at(close), reason })
}

fn cme_holiday(holiday: Holiday, day: NaiveDate) -> SpecialHours {
    match holiday {
        Holiday::NewYear | Holiday::GoodFriday | Holiday::Christmas => SpecialHours::Closed,
        _ if day < CME_NOON_FROM => SpecialHours::closes_at(hm(10, 30)),
        _ => SpecialHours::closes_at(hm(12, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{civil::days_in, table};
    use super::*;

    /// The days of the table that the rules tell otherwise, or not at all.
    fn ad_hoc_days(id: CalendarId) -> Vec<String> {
        days_in(table::coverage(id))
            .filter(|day| special_day(id, *day) != table::special_day(id, *day))
            .map(|day| day.to_string())
            .collect()
    }

    #[test]
    fn the_rules_give_the_cme_table_except_for_its_one_off_days() {
        assert_eq!(
            ad_hoc_days(CalendarId::CmeEquity),
            [
                "2010-04-02", // Good Friday with a US jobs report
                "2011-12-27", // late open
                "2012-01-03", // late open
                "2012-04-06", // Good Friday with a US jobs report
                "2012-10-29", // Hurricane Sandy
                "2012-10-30", // Hurricane Sandy
                "2012-12-26", // late open
                "2013-01-02", // late open
                "2013-12-26", // late open
                "2014-01-02", // late open
                "2015-04-03", // Good Friday with a US jobs report
                "2018-12-05", // mourning
                "2021-04-02", // Good Friday with a US jobs report
                "2023-04-07", // Good Friday with a US jobs report
                "2025-01-09", // mourning
                "2026-04-03", // Good Friday with a US jobs report
            ]
        );
    }

    #[test]
    fn the_rules_give_the_nyse_table_except_for_its_one_off_days() {
        assert_eq!(
            ad_hoc_days(CalendarId::Nyse),
            [
                "2001-09-11", // closed, with the next three
                "2001-09-12",
                "2001-09-13",
                "2001-09-14",
                "2001-09-17", // 09:33
                "2001-10-08", // 09:31
                "2002-07-03", // the half day was on the 5th
                "2002-07-05",
                "2002-09-11", // 12:00
                "2003-03-20", // 09:32
                "2003-12-26", // half day
                "2004-06-07", // 09:32
                "2004-06-11", // mourning
                "2005-06-01", // 15:56
                "2006-12-27", // 09:32
                "2007-01-02", // mourning
                "2012-10-29", // Hurricane Sandy
                "2012-10-30",
                "2018-12-05", // mourning
                "2025-01-09", // mourning
            ]
        );
    }

    #[test]
    fn past_the_tables_a_good_friday_is_closed_even_on_the_first_friday_of_april() {
        let good_friday = special_day(CalendarId::CmeEquity, ymd(2034, 4, 7)).unwrap();
        assert_eq!((good_friday.hours, good_friday.reason), (SpecialHours::Closed, "Good Friday"));
    }
}
