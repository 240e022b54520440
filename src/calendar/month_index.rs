//! The segments of the covered range by month, each month worked out when it is first asked for.
//!
//! A capture asks for every slot of a year and wants a binary search; a cold process asks once and must not pay for 18
//! years. A month is about 22 sessions: cheap enough to build for one question, and then kept.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use chrono::{Datelike, Days, Months, NaiveDate};

use super::Segment;
use super::civil::ymd;

/// The segments of the sessions dated in each month of a range.
pub(super) struct MonthIndex {
    first: NaiveDate,
    months: Vec<OnceLock<Vec<Segment>>>,
}

impl MonthIndex {
    /// An index over the months of `range`, all still empty.
    pub(super) fn new(range: &RangeInclusive<NaiveDate>) -> Self {
        let num_months = position(*range.start(), *range.end()).map_or(0, |last| last + 1);
        MonthIndex { first: *range.start(), months: (0..num_months).map(|_| OnceLock::new()).collect() }
    }

    /// The segments of the sessions dated in the month of `day`, built by `build` the first time; none outside the range.
    pub(super) fn month_of(
        &self,
        day: NaiveDate,
        build: impl FnOnce(RangeInclusive<NaiveDate>) -> Vec<Segment>,
    ) -> Option<&[Segment]> {
        let month = self.months.get(position(self.first, day)?)?;
        Some(month.get_or_init(|| build(whole_month(day))))
    }
}

/// How many months `day` is after the month of `first`; none if it is before.
fn position(first: NaiveDate, day: NaiveDate) -> Option<usize> {
    let months = |day: NaiveDate| i64::from(day.year()) * 12 + i64::from(day.month0());
    usize::try_from(months(day) - months(first)).ok()
}

fn whole_month(day: NaiveDate) -> RangeInclusive<NaiveDate> {
    let first = ymd(day.year(), day.month(), 1);
    let next = first.checked_add_months(Months::new(1));
    first..=next.and_then(|next| next.checked_sub_days(Days::new(1))).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_built_once_and_only_when_asked_for() {
        let index = MonthIndex::new(&(ymd(2026, 1, 1)..=ymd(2027, 12, 31)));
        assert_eq!(index.months.len(), 24);
        let built = index.month_of(ymd(2026, 2, 14), |month| {
            assert_eq!(month, ymd(2026, 2, 1)..=ymd(2026, 2, 28));
            Vec::new()
        });
        assert!(built.is_some());
        assert!(index.month_of(ymd(2026, 2, 28), |_| unreachable!("it is built already")).is_some());
        assert_eq!(index.months.iter().filter(|month| month.get().is_some()).count(), 1);
    }

    #[test]
    fn a_day_outside_the_range_has_no_month() {
        let index = MonthIndex::new(&(ymd(2026, 1, 1)..=ymd(2027, 12, 31)));
        for day in [ymd(2025, 12, 31), ymd(2028, 1, 1)] {
            assert_eq!(index.month_of(day, |_| Vec::new()), None);
        }
    }
}
