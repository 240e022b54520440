//! The US holidays on which the exchanges close or shorten the day.
//!
//! Source: NYSE rule 7.2 and the holiday schedules of CME Group.

use chrono::{Datelike, NaiveDate, Weekday};

use super::civil::{day_after, day_before, days_before, easter_sunday, nth_weekday, ymd};

/// A holiday that both exchanges know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holiday {
    NewYear,
    MartinLutherKing,
    Presidents,
    GoodFriday,
    Memorial,
    Juneteenth,
    Independence,
    Labor,
    Thanksgiving,
    Christmas,
}

/// The first year in which the exchanges kept Juneteenth.
const JUNETEENTH_FROM: i32 = 2022;

impl Holiday {
    const ALL: [Holiday; 10] = [
        Holiday::NewYear,
        Holiday::MartinLutherKing,
        Holiday::Presidents,
        Holiday::GoodFriday,
        Holiday::Memorial,
        Holiday::Juneteenth,
        Holiday::Independence,
        Holiday::Labor,
        Holiday::Thanksgiving,
        Holiday::Christmas,
    ];

    /// The holiday that is observed on `day`.
    pub(super) fn observed_on(day: NaiveDate) -> Option<Holiday> {
        Holiday::ALL.into_iter().find(|holiday| holiday.observed(day.year()) == Some(day))
    }

    /// The weekday of `year` on which the holiday is kept; none in years that do not keep it.
    fn observed(self, year: i32) -> Option<NaiveDate> {
        match self {
            // A New Year on a Saturday is not moved into the old year.
            Holiday::NewYear => Some(moved_to_weekday(ymd(year, 1, 1))).filter(|day| day.year() == year),
            Holiday::MartinLutherKing => Some(nth_weekday(year, 1, (3, Weekday::Mon))),
            Holiday::Presidents => Some(nth_weekday(year, 2, (3, Weekday::Mon))),
            Holiday::GoodFriday => Some(days_before(easter_sunday(year), 2)),
            Holiday::Memorial => Some(last_monday_of_may(year)),
            Holiday::Juneteenth => (year >= JUNETEENTH_FROM).then(|| moved_to_weekday(ymd(year, 6, 19))),
            Holiday::Independence => Some(moved_to_weekday(ymd(year, 7, 4))),
            Holiday::Labor => Some(nth_weekday(year, 9, (1, Weekday::Mon))),
            Holiday::Thanksgiving => Some(nth_weekday(year, 11, (4, Weekday::Thu))),
            Holiday::Christmas => Some(moved_to_weekday(ymd(year, 12, 25))),
        }
    }

    /// The name as a person reads it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Holiday::NewYear => "New Year's Day",
            Holiday::MartinLutherKing => "Martin Luther King Day",
            Holiday::Presidents => "Presidents Day",
            Holiday::GoodFriday => "Good Friday",
            Holiday::Memorial => "Memorial Day",
            Holiday::Juneteenth => "Juneteenth",
            Holiday::Independence => "Independence Day",
            Holiday::Labor => "Labor Day",
            Holiday::Thanksgiving => "Thanksgiving Day",
            Holiday::Christmas => "Christmas Day",
        }
    }
}

/// The name of the half day before or after a holiday that falls on `day`, a weekday that is no holiday itself.
pub(super) fn half_day_on(day: NaiveDate) -> Option<&'static str> {
    let fourth_of_july = || ymd(day.year(), 7, 4).weekday();
    match (day.month(), day.day()) {
        (11, _) if day_before(day) == nth_weekday(day.year(), 11, (4, Weekday::Thu)) => Some("day after Thanksgiving"),
        (12, 24) if day.weekday() != Weekday::Fri => Some("Christmas Eve"),
        (7, 3) if !matches!(fourth_of_july(), Weekday::Sat | Weekday::Sun | Weekday::Mon) => {
            Some("day before Independence Day")
        }
        _ => None,
    }
}

/// Saturday to the Friday before, Sunday to the Monday after.
fn moved_to_weekday(day: NaiveDate) -> NaiveDate {
    match day.weekday() {
        Weekday::Sat => day_before(day),
        Weekday::Sun => day_after(day),
        _ => day,
    }
}

fn last_monday_of_may(year: i32) -> NaiveDate {
    let last = ymd(year, 5, 31);
    days_before(last, last.weekday().num_days_from_monday().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saturday_new_year_closes_nothing() {
        for year in [2011, 2022, 2028] {
            assert_eq!(Holiday::NewYear.observed(year), None);
            assert_eq!(Holiday::observed_on(ymd(year - 1, 12, 31)), None);
        }
        assert_eq!(Holiday::NewYear.observed(2023), Some(ymd(2023, 1, 2)));
    }

    #[test]
    fn juneteenth_starts_in_2022() {
        assert_eq!(Holiday::Juneteenth.observed(2021), None);
        assert_eq!(Holiday::Juneteenth.observed(2022), Some(ymd(2022, 6, 20)));
        assert_eq!(Holiday::Juneteenth.observed(2027), Some(ymd(2027, 6, 18)));
    }

    #[test]
    fn the_day_before_independence_day_is_half_when_it_is_monday_to_thursday() {
        let years: Vec<_> = (2010..=2027).filter(|year| half_day_on(ymd(*year, 7, 3)).is_some()).collect();
        assert_eq!(years, [2012, 2013, 2014, 2017, 2018, 2019, 2023, 2024, 2025]);
    }

    #[test]
    fn christmas_eve_on_a_friday_is_the_observed_holiday() {
        for year in [2010, 2021, 2027] {
            assert_eq!(Holiday::observed_on(ymd(year, 12, 24)), Some(Holiday::Christmas));
            assert_eq!(half_day_on(ymd(year, 12, 24)), None);
        }
    }
}
