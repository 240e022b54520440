//! The first look at a table of another program: which days its rows are of, so that the second can take them in the order
//! of time and few at once, however they lie in the files.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::Zone;
use crate::lake::ImportError;

use super::foreign::{Foreign, unreadable};

/// Some days, the first and the last.
pub(super) type Days = RangeInclusive<NaiveDate>;

/// Which days the rows are of.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Rows of each day of UTC.
    days: BTreeMap<NaiveDate, u64>,
    /// The days of each file; none of a file without rows.
    spans: Vec<Option<Days>>,
    /// Rows without a time, with the name of the file of the first.
    pub(super) unstamped: (u64, String),
}

/// The day of a row. A slot and the minute after it are of one day.
pub(super) fn day_of(stamp: DateTime<Utc>) -> NaiveDate {
    stamp.date_naive()
}

impl Survey {
    /// Reads the times of all rows.
    pub(super) fn of(foreign: &Foreign, zone: Option<Zone>) -> Result<Self, ImportError> {
        let mut survey = Self::default();
        for file in &foreign.files {
            let (mut span, mut unstamped): (Option<Days>, u64) = (None, 0);
            let read = file.stamps(zone, |stamp| match stamp.map(day_of) {
                Some(day) => {
                    *survey.days.entry(day).or_default() += 1;
                    let known = span.clone().unwrap_or(day..=day);
                    span = Some(day.min(*known.start())..=day.max(*known.end()));
                }
                None => unstamped += 1,
            });
            read.map_err(|error| unreadable(&file.path, error))?;
            survey.spans.push(span);
            if unstamped > 0 && survey.unstamped.0 == 0 {
                survey.unstamped.1 = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            }
            survey.unstamped.0 += unstamped;
        }
        Ok(survey)
    }

    /// Days one after the other, as many at once as have so many rows; at least one.
    pub(super) fn windows(&self, num_rows: u64) -> Vec<Days> {
        let (mut windows, mut rows): (Vec<Days>, u64) = (Vec::new(), 0);
        for (day, count) in &self.days {
            if let Some(window) = windows.last_mut().filter(|_| rows < num_rows) {
                *window = *window.start()..=*day;
            } else {
                windows.push(*day..=*day);
                rows = 0;
            }
            rows += count;
        }
        windows
    }

    /// Whether a file, by its number, has rows of some days.
    pub(super) fn has(&self, file: usize, days: &Days) -> bool {
        let span = self.spans.get(file).and_then(Option::as_ref);
        span.is_some_and(|span| span.start() <= days.end() && days.start() <= span.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, number).expect("a date")
    }

    #[test]
    fn days_are_taken_together_until_there_are_enough_rows_and_none_is_left_out() {
        let days = BTreeMap::from([(day(2), 5), (day(3), 4), (day(5), 30), (day(6), 1), (day(9), 1)]);
        let survey = Survey { days, ..Survey::default() };
        assert_eq!(survey.windows(9), [day(2)..=day(3), day(5)..=day(5), day(6)..=day(9)]);
        assert_eq!(survey.windows(1).len(), 5);
        assert_eq!(survey.windows(1000), [day(2)..=day(9)]);
        assert!(Survey::default().windows(9).is_empty());
    }

    #[test]
    fn a_file_is_read_only_for_days_it_has() {
        let spans = vec![Some(day(2)..=day(5)), None];
        let survey = Survey { spans, ..Survey::default() };
        assert!(survey.has(0, &(day(5)..=day(9))) && survey.has(0, &(day(3)..=day(3))));
        assert!(!survey.has(0, &(day(6)..=day(9))) && !survey.has(1, &(day(2)..=day(9))));
    }
}
