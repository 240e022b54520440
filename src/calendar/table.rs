//! The embedded tables: every special day of 2010-2027 (CME) and 2000-2027 (NYSE), one line each.
//!
//! A line is `date,kind,open,close,reason` with the times in the exchange's zone; a time left out is that of the weekly
//! pattern, and an open later in the day than the close is on the evening before. The tables are authoritative: a day of
//! [`coverage`] without a line follows the pattern.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use chrono::{NaiveDate, NaiveTime};

use super::CalendarId;
use super::civil::ymd;
use super::day_override::wall_minute;
use super::pattern::weekly_pattern;
use super::rules;
use super::special::{DayHours, SpecialDay, SpecialHours};

type Table = Vec<(NaiveDate, SpecialDay)>;

static CME_EQUITY: LazyLock<Table> = LazyLock::new(|| embedded(include_str!("tables/cme_equity.csv")));
static NYSE: LazyLock<Table> = LazyLock::new(|| embedded(include_str!("tables/nyse.csv")));

/// The civil dates the table of a calendar answers for.
pub(super) fn coverage(id: CalendarId) -> RangeInclusive<NaiveDate> {
    match id {
        CalendarId::CmeEquity => ymd(2010, 1, 1)..=ymd(2027, 12, 31),
        CalendarId::Nyse => ymd(2000, 1, 1)..=ymd(2027, 12, 31),
    }
}

/// What the table says of a day; none where it follows the weekly pattern.
pub(super) fn special_day(id: CalendarId, day: NaiveDate) -> Option<SpecialDay> {
    let table: &Table = match id {
        CalendarId::CmeEquity => &CME_EQUITY,
        CalendarId::Nyse => &NYSE,
    };
    let at = table.binary_search_by_key(&day, |(date, _)| *date).ok()?;
    table.get(at).map(|(_, special)| *special)
}

/// What is known of a day: the table's word inside its coverage, the rules' word outside.
pub(super) fn known_special_day(id: CalendarId, day: NaiveDate) -> Option<SpecialDay> {
    if coverage(id).contains(&day) { special_day(id, day) } else { rules::special_day(id, day) }
}

/// The hours of a day as the table or the rules have them, else the weekly pattern's; none if it is closed.
pub(super) fn day_hours(id: CalendarId, day: NaiveDate) -> Option<DayHours> {
    let pattern = weekly_pattern(id, day);
    match known_special_day(id, day) {
        Some(special) => DayHours::special(pattern, special.hours),
        None => DayHours::usual(pattern),
    }
}

#[expect(clippy::expect_used, reason = "the text is part of the crate, and a test reads it")]
fn embedded(text: &'static str) -> Table {
    text.lines().skip(1).map(|line| parse(line).expect("a line of the embedded table")).collect()
}

fn parse(line: &'static str) -> Option<(NaiveDate, SpecialDay)> {
    let mut fields = line.splitn(5, ',');
    let mut field = || fields.next();
    let (date, kind, open, close, reason) = (field()?, field()?, field()?, field()?, field()?);
    let hours = match kind {
        "closed" => SpecialHours::Closed,
        "early_close" => SpecialHours::closes_at(minute(close)?),
        "late_open" => SpecialHours::Open { open: Some(minute(open)?), close: None },
        _ => return None,
    };
    Some((date.parse().ok()?, SpecialDay { hours, reason }))
}

fn minute(text: &str) -> Option<i32> {
    NaiveTime::parse_from_str(text, "%H:%M").ok().map(wall_minute)
}

#[cfg(test)]
mod tests {
    use chrono::Datelike;

    use super::super::DayKind;
    use super::super::pattern::weekly_pattern;
    use super::super::special::DayHours;
    use super::*;

    fn num_of(id: CalendarId, kind: Option<DayKind>) -> usize {
        let table: &Table = if id == CalendarId::Nyse { &NYSE } else { &CME_EQUITY };
        let kind_of = |day, hours| DayHours::special(weekly_pattern(id, day), hours).map(|hours| hours.kind);
        table.iter().filter(|(day, special)| kind_of(*day, special.hours) == kind).count()
    }

    #[test]
    fn the_tables_hold_the_counts_of_the_facts() {
        let counts = |id| {
            [None, Some(DayKind::EarlyClose), Some(DayKind::LateOpen), Some(DayKind::Normal)]
                .map(|kind| num_of(id, kind))
        };
        assert_eq!(counts(CalendarId::CmeEquity), [46, 161, 6, 0]);
        assert_eq!(counts(CalendarId::Nyse), [264, 62, 6, 0]);
    }

    #[test]
    fn the_lines_are_in_order_and_inside_their_coverage() {
        for (id, table) in [(CalendarId::CmeEquity, &CME_EQUITY), (CalendarId::Nyse, &NYSE)] {
            assert!(table.is_sorted_by(|one, next| one.0 < next.0));
            assert!(
                table.iter().all(|(day, _)| coverage(id).contains(day) && day.weekday().num_days_from_monday() < 5)
            );
            assert!(table.iter().all(|(_, special)| !special.reason.is_empty()));
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_none() {
        for line in
            ["", "2026-01-01,closed", "2026-01-01,shut,,,x", "2026-01-01,early_close,,,x", "2026-13-01,closed,,,x"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
