//! What the numbers of a row are: none stands for a missing one, prices are within the limits, sizes are possible.

use super::super::{Batch, Finding, Measured, Row, Rule, Seen};

/// From here on a number is the gateway's largest one, not a price.
const LARGEST: f64 = 1e300;

/// More than any session trades.
const LARGEST_SIZE: i64 = 2_000_000_000;

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

/// Against the close before; rows of a symbol without one are not looked at.
pub(super) fn limit_band(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let known = batch.rows.iter().filter_map(|row| {
        let close = *batch.closes.get(&row.symbol)?;
        Some((row, row.price()?, close))
    });
    Seen::each(known, |(row, price, close)| {
        let percent = 100.0 * (price / close - 1.0);
        let told = format!("{price} is {percent:.1} % from {close}");
        rule.judge(&row.place(), Measured::new(percent.abs(), told))
    })
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
    fn impossible_sizes_are_told() {
        assert_eq!(status("size.sane", |_| ()), Status::Pass);
        assert_eq!(status("size.sane", |row| row.volume = Some(-5)), Status::Fail);
        assert_eq!(status("size.sane", |row| row.open_interest = Some(3_000_000_000)), Status::Fail);
        assert_eq!(status("size.sane", |row| row.implied_vol = Some(15.0)), Status::Fail);
    }

    #[test]
    fn a_price_beyond_the_exchange_limits_is_an_error_and_near_them_a_warning() {
        let closes = BTreeMap::from([(symbol("ES"), 6_000.0)]);
        let severity = |last| {
            let rows = [row("ES", at("2026-11-18 12:00"), last)];
            let mut batch = batch(&rows, ("2026-11-18", "2026-11-18"));
            batch.closes = &closes;
            run(&row_checks(&batch), "price.limit_band").findings.first().map(|finding| finding.severity)
        };
        assert_eq!((severity(6_400.0), severity(5_500.0)), (None, Some(Severity::Warn)));
        assert_eq!(severity(4_700.0), Some(Severity::Error));
        assert_eq!(status("price.limit_band", |_| ()), Status::Skipped, "no close is known");
    }
}
