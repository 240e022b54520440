//! Civil dates: the small arithmetic that holidays, expiries and rolls are made of.

use std::ops::RangeInclusive;

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// The last civil date the rules speak about: 2099-12-31, where the time zone tables end too.
pub(super) const LAST_RULE_DAY: NaiveDate = ymd(2099, 12, 31);

/// The date `year-month-day`, of numbers that are known to make one.
#[expect(clippy::expect_used, reason = "every caller gives constants or a nominal day that each year has")]
pub(super) const fn ymd(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date of the civil calendar")
}

/// The next civil date; the end of time stays where it is.
pub(super) fn day_after(day: NaiveDate) -> NaiveDate {
    day.succ_opt().unwrap_or(day)
}

/// The civil date before; the beginning of time stays where it is.
pub(super) fn day_before(day: NaiveDate) -> NaiveDate {
    day.pred_opt().unwrap_or(day)
}

/// The date `num_days` before `day`; the beginning of time stays where it is.
pub(super) fn days_before(day: NaiveDate, num_days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(num_days)).unwrap_or(day)
}

/// All dates of an inclusive range, in order.
pub(super) fn days_in(range: RangeInclusive<NaiveDate>) -> impl Iterator<Item = NaiveDate> {
    let last = *range.end();
    range.start().iter_days().take_while(move |day| *day <= last)
}

/// True on Saturday and Sunday.
pub(super) fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The `nth` (1 to 4) `weekday` of a month.
#[expect(clippy::expect_used, reason = "every month has four of each weekday")]
pub(super) fn nth_weekday(year: i32, month: u32, (nth, weekday): (u8, Weekday)) -> NaiveDate {
    NaiveDate::from_weekday_of_month_opt(year, month, weekday, nth).expect("a weekday of the month")
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm, after Meeus).
pub(super) fn easter_sunday(year: i32) -> NaiveDate {
    let (golden, century, of_century) = (year % 19, year / 100, year % 100);
    let lunar_drift = century - century / 4 - (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + lunar_drift + 15) % 30;
    let to_sunday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let correction = (golden + 11 * epact + 22 * to_sunday) / 451;
    let days_after_21_march = epact + to_sunday - 7 * correction + 1;
    let equinox = ymd(year, 3, 21);
    equinox.checked_add_days(Days::new(u64::from(days_after_21_march.unsigned_abs()))).unwrap_or(equinox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_falls_where_the_almanac_has_it() {
        for (year, month, day) in
            [(2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2019, 4, 21), (2024, 3, 31), (2027, 3, 28), (2038, 4, 25)]
        {
            assert_eq!(easter_sunday(year), ymd(year, month, day));
        }
    }

    #[test]
    fn the_third_friday_of_march_2008_is_good_friday() {
        assert_eq!(nth_weekday(2008, 3, (3, Weekday::Fri)), days_before(easter_sunday(2008), 2));
    }

    #[test]
    fn a_range_of_days_holds_both_ends() {
        let days: Vec<_> = days_in(ymd(2026, 2, 27)..=ymd(2026, 3, 1)).collect();
        assert_eq!(days, [ymd(2026, 2, 27), ymd(2026, 2, 28), ymd(2026, 3, 1)]);
    }
}
