//! Longer bars from shorter ones, so that they agree to the last contract.

use chrono::{DateTime, TimeDelta, Utc};

use crate::market::Bar;

/// Joins the bars of one session into bars of `seconds`, aligned to the clock, whether anything was traded at their beginning
/// or not; none begins before the session opened. Bars that are longer than asked for are left out:
/// they cannot be divided.
pub(in super::super) fn intraday(bars: &[Bar], seconds: i64, opened: DateTime<Utc>) -> Vec<Bar> {
    let mut joined: Vec<Bar> = Vec::new();
    let mut bucket = None;
    for bar in bars.iter().filter(|b| (b.end - b.start).num_seconds() <= seconds) {
        // By the last instant inside the bar: a bar of the recorded kind may begin off the grid.
        let start = floor(bar.end - TimeDelta::milliseconds(1), seconds);
        match joined.last_mut().filter(|_| bucket == Some(start)) {
            Some(longer) => extend(longer, bar),
            None => joined.push(Bar { start: start.max(opened), ..bar.clone() }),
        }
        bucket = Some(start);
    }
    joined
}

/// Joins all bars into one.
pub(in super::super) fn whole(bars: &[Bar]) -> Option<Bar> {
    let (first, rest) = bars.split_first()?;
    let mut joined = first.clone();
    for bar in rest {
        extend(&mut joined, bar);
    }
    Some(joined)
}

fn extend(longer: &mut Bar, bar: &Bar) {
    longer.end = bar.end;
    longer.high = longer.high.max(bar.high);
    longer.low = longer.low.min(bar.low);
    longer.close = bar.close;
    longer.volume = longer.volume.zip(bar.volume).map(|(sum, more)| sum + more);
}

fn floor(at: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    let into = at.timestamp().rem_euclid(seconds.max(1));
    at - TimeDelta::seconds(into) - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn bar(start: &str, minutes: i64, close: f64, volume: Option<i64>) -> Bar {
        let start: DateTime<Utc> = format!("2026-11-20T{start}:00Z").parse().expect("an instant");
        let end = start + TimeDelta::minutes(minutes);
        Bar { start, end, open: close - 1.0, high: close + 1.0, low: close - 2.0, close, volume }
    }

    #[test]
    fn an_hour_is_the_sum_of_its_bars_and_begins_at_the_open() {
        let bars = [bar("14:30", 5, 10.0, Some(3)), bar("14:55", 5, 12.0, Some(4)), bar("15:00", 5, 9.0, Some(5))];
        let hours = intraday(&bars, 3_600, bars[0].start);
        assert_eq!(hours.len(), 2);
        let first = hours.first().expect("an hour");
        assert_eq!((first.start, first.end), (bars[0].start, bars[1].end));
        assert_eq!((first.open, first.high, first.low, first.close), (9.0, 13.0, 8.0, 12.0));
        assert_eq!(first.volume, Some(7));
    }

    #[test]
    fn an_unknown_volume_makes_an_unknown_sum() {
        let bars = [bar("14:30", 5, 10.0, Some(3)), bar("14:35", 5, 12.0, None)];
        assert_eq!(whole(&bars).and_then(|b| b.volume), None);
    }

    #[test]
    fn hours_are_no_five_minute_bars() {
        let hour = bar("14:00", 60, 10.0, None);
        assert!(intraday(slice::from_ref(&hour), 300, hour.start).is_empty());
    }

    #[test]
    fn a_bar_whose_first_minute_was_not_traded_begins_on_the_clock_all_the_same() {
        let bars = [bar("14:31", 1, 10.0, Some(3)), bar("14:34", 1, 11.0, Some(4)), bar("14:36", 1, 12.0, Some(5))];
        let opened = "2026-11-20T14:00:00Z".parse().expect("an instant");
        let starts: Vec<String> =
            intraday(&bars, 300, opened).iter().map(|b| b.start.format("%H:%M").to_string()).collect();
        assert_eq!(starts, ["14:30", "14:35"]);
    }
}
