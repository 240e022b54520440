//! What the numbers of a row are: none stands for a missing one, prices are within the limits, sizes are possible.

use super::super::plausible::Prices;
use super::super::{Batch, CheckFault, Finding, Measured, Row, Rule, Seen};

/// From here on a number is the gateway's largest one, not a price.
const LARGEST: f64 = 1e300;

/// More than any session trades.
const LARGEST_SIZE: i64 = 2_000_000_000;

/// At this fall CME and NYSE stop for the day, in per cent.
const DAY_LIMIT: f64 = 20.0;

/// Five hundred per cent a year.
const LARGEST_VOLATILITY: f64 = 5.0;

fn is_sentinel(value: f64) -> bool {
    let unknown = [-1.0, 0.0];
    !value.is_finite() || value.abs() >= LARGEST || unknown.iter().any(|known| value.total_cmp(known).is_eq())
}

pub(super) fn sentinel(_: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let volatility = row.implied_vol.map(|value| ("implied_vol", value));
    let numbers = row.prices().chain(volatility).filter(|(_, value)| is_sentinel(*value));
    let sizes = [("volume", row.volume), ("open_interest", row.open_interest)];
    let sizes = sizes.into_iter().filter(|(_, size)| matches!(size, Some(-1 | i64::MAX)));
    let told: Vec<String> = numbers
        .map(|(name, value)| format!("{name} {value:e}"))
        .chain(sizes.map(|(name, size)| format!("{name} {}", size.unwrap_or_default())))
        .collect();
    rule.judge(&row.place(), Measured::count(told.len(), told.join(", ")))
}

pub(super) fn positive(_: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let below = row.prices().filter(|(_, price)| *price < 0.0 && !is_sentinel(*price));
    let told: Vec<String> = below.map(|(name, price)| format!("{name} {price}")).collect();
    rule.judge(&row.place(), Measured::count(told.len(), told.join(", ")))
}

/// Against the close before, where one is known; what stands for no number is another check's.
pub(super) fn plausible(batch: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let real = |price: Option<f64>| price.filter(|price| !is_sentinel(*price));
    let reference = batch.closes.get(&row.symbol).copied();
    let faults = Prices { bid: real(row.bid), ask: real(row.ask), last: real(row.last), reference }.faults();
    rule.judge(&row.place(), Measured::count(faults.len(), faults.join(", ")))
}

/// Against the close before; rows of a symbol without one are not looked at. Until NYSE opens a future may stand 7 % either way from
/// it; from then on only a fall is bounded, and a day may rise as far as it likes (2025-04-09: 12 %). Source: CME's price limits for
/// equity index futures.
pub(super) fn limit_band(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for row in batch.rows {
        let Some((price, close)) = row.price().zip(batch.closes.get(&row.symbol)) else { continue };
        seen.looked_at += 1;
        let percent = 100.0 * (price / close - 1.0);
        let (bounded, hours) = match has_opened(batch, row)? {
            true if percent < -DAY_LIMIT => (-percent, "after the open of NYSE"),
            true => (0.0, "after the open of NYSE"),
            false => (percent.abs(), "before the open of NYSE"),
        };
        let told = format!("{price} is {percent:.1} % from {close} {hours}");
        seen.findings.extend(rule.judge(&row.place(), Measured::new(bounded, told)));
    }
    Ok(seen)
}

/// Whether NYSE has opened in the session of a row; on its holidays it does not.
fn has_opened(batch: &Batch<'_>, row: &Row) -> Result<bool, CheckFault> {
    let day = match row.date {
        Some(date) => date,
        None => batch.futures.trading_day(row.at)?.date(),
    };
    Ok(batch.nyse.session(day)?.is_some_and(|session| session.open() < row.at))
}

pub(super) fn size(_: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let sizes = [("volume", row.volume), ("open_interest", row.open_interest)];
    let odd = sizes.into_iter().filter_map(|(name, size)| Some((name, size?)));
    let odd = odd.filter(|(_, size)| !(0..=LARGEST_SIZE).contains(size) && !matches!(size, -1 | &i64::MAX));
    let volatility =
        row.implied_vol.filter(|value| !(0.0..=LARGEST_VOLATILITY).contains(value) && !is_sentinel(*value));
    let told: Vec<String> = odd
        .map(|(name, size)| format!("{name} {size}"))
        .chain(volatility.map(|value| format!("implied_vol {value}")))
        .collect();
    rule.judge(&row.place(), Measured::count(told.len(), told.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::fixtures::{at, batch, row, run, symbol};
    use super::super::super::{Row, Severity, Status};
    use super::super::row_checks;

    fn status(check: &str, change: impl FnOnce(&mut Row)) -> Status {
        let mut row = row("ES", at("2026-11-18 12:00"), 6_000.0);
        change(&mut row);
        let rows = [row];
        run(&row_checks(&batch(&rows, ("2026-11-18", "2026-11-18"))), check).status
    }

    #[test]
    fn every_number_that_stands_for_a_missing_one_is_told() {
        assert_eq!(status("value.sentinel", |_| ()), Status::Pass);
        assert_eq!(status("value.sentinel", |row| row.bid = None), Status::Pass);
        for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1.797e308] {
            assert_eq!(status("value.sentinel", |row| row.last = Some(value)), Status::Fail, "{value}");
        }
        assert_eq!(status("value.sentinel", |row| row.volume = Some(-1)), Status::Fail);
        assert_eq!(status("value.sentinel", |row| row.volume = Some(0)), Status::Pass, "nothing traded yet");
    }

    #[test]
    fn a_price_below_zero_is_told() {
        assert_eq!(status("price.positive", |_| ()), Status::Pass);
        assert_eq!(status("price.positive", |row| row.bid = Some(-37.25)), Status::Fail);
    }

    #[test]
    fn a_row_ten_times_the_close_before_or_far_outside_its_quote_is_told() {
        let closes = BTreeMap::from([(symbol("ES"), 6_000.0)]);
        let status = |last| {
            let rows = [row("ES", at("2026-11-18 12:00"), last)];
            let mut batch = batch(&rows, ("2026-11-18", "2026-11-18"));
            batch.closes = &closes;
            run(&row_checks(&batch), "price.plausible").status
        };
        assert_eq!((status(6_100.0), status(60_000.0), status(600.0)), (Status::Pass, Status::Fail, Status::Fail));
        assert_eq!(super::super::super::spec("price.plausible").map(|spec| spec.unit), Some("bad values"));
    }

    #[test]
    fn impossible_sizes_are_told() {
        assert_eq!(status("size.sane", |_| ()), Status::Pass);
        assert_eq!(status("size.sane", |row| row.volume = Some(-5)), Status::Fail);
        assert_eq!(status("size.sane", |row| row.open_interest = Some(3_000_000_000)), Status::Fail);
        assert_eq!(status("size.sane", |row| row.implied_vol = Some(15.0)), Status::Fail);
    }

    /// NQ rose by 9.0 to 12.3 % over the close before on that day, and stayed there after the close of NYSE.
    #[test]
    fn the_rise_of_the_ninth_of_april_2025_is_a_day_like_others() {
        let closes = BTreeMap::from([(symbol("NQ"), 17_234.75)]);
        let days = ("2025-04-09", "2025-04-09");
        let rows = ["13:25", "14:30", "16:00", "16:55"].into_iter().zip([1.09, 1.10, 1.123, 1.12]);
        let rows: Vec<Row> = rows
            .map(|(time, rise)| row("NQ", at(&format!("2025-04-09 {time}")), (17_234.75_f64 * rise * 4.0).round() / 4.0))
            .collect();
        let mut batch = batch(&rows, days);
        batch.closes = &closes;
        let run = run(&row_checks(&batch), "price.limit_band");
        assert_eq!((run.looked_at, run.status), (4, Status::Pass), "{:?}", run.findings);
    }

    #[test]
    fn a_price_beyond_the_exchange_limits_is_an_error_and_near_them_a_warning() {
        let closes = BTreeMap::from([(symbol("ES"), 6_000.0)]);
        let severity = |time, last| {
            let rows = [row("ES", at(time), last)];
            let mut batch = batch(&rows, ("2026-11-18", "2026-11-18"));
            batch.closes = &closes;
            run(&row_checks(&batch), "price.limit_band").findings.first().map(|finding| finding.severity)
        };
        let night = |last| severity("2026-11-18 04:00", last);
        assert_eq!((night(6_400.0), night(5_500.0), night(6_500.0)), (None, Some(Severity::Warn), Some(Severity::Warn)));
        assert_eq!((night(4_700.0), night(7_300.0)), (Some(Severity::Error), Some(Severity::Error)));
        let day = |last| severity("2026-11-18 12:00", last);
        assert_eq!((day(5_250.0), day(6_740.0), day(4_700.0)), (None, None, Some(Severity::Error)));
        assert_eq!(status("price.limit_band", |_| ()), Status::Skipped, "no close is known");
    }
}
