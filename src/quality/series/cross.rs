//! Symbols against their partners: a stale price is plausible alone, and stands out of the residual.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::market::Symbol;

use super::super::robust::scale;
use super::super::{Batch, Finding, Measured, Row, Rule, Seen};
use super::steps::takes_back;

/// A future and its ETF.
const PARTNERS: [(&str, &str); 5] = [("ES", "SPY"), ("NQ", "QQQ"), ("RTY", "IWM"), ("YM", "DIA"), ("MES", "SPY")];

/// Fewer residuals than this say nothing about what is usual.
const FEWEST: usize = 30;

/// The least scale of a residual, as a change of the logarithm.
const LEAST_SCALE: f64 = 1e-4;

/// Residuals below this are no fault of a price, however calm the rest: the two close at different seconds.
const LEAST_RESIDUAL: f64 = 30e-4;

/// The longest step: hourly series are compared too.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// How much further a future went than its partner, up to a row.
struct Residual<'a> {
    from: &'a Row,
    to: &'a Row,
    change: f64,
}

pub(super) fn cross(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let series = batch.series();
    let of = |name: &str| series.iter().find(|(symbol, _)| symbol.as_str() == name);
    let mut seen = Seen::default();
    for (own, partner) in PARTNERS {
        let Some(((_, own), (partner, others))) = of(own).zip(of(partner)) else { continue };
        let residuals = residuals(own, others);
        if residuals.len() >= FEWEST {
            seen.looked_at += residuals.len();
            seen.findings.extend(judge(&residuals, partner, rule));
        }
    }
    seen
}

fn residuals<'a>(own: &[&'a Row], others: &[&Row]) -> Vec<Residual<'a>> {
    let prices: BTreeMap<DateTime<Utc>, f64> = others.iter().filter_map(|row| Some((row.at, row.price()?))).collect();
    let common: Vec<(&Row, f64)> =
        own.iter().filter_map(|row| Some((*row, (row.price()? / prices.get(&row.at)?).ln()))).collect();
    let pairs = common.iter().zip(common.iter().skip(1));
    let near = pairs.filter(|((from, _), (to, _))| to.at - from.at <= LONGEST && from.contract == to.contract);
    near.map(|((from, before), (to, after))| Residual { from, to, change: after - before }).collect()
}

fn judge(residuals: &[Residual<'_>], partner: &Symbol, rule: &Rule<'_>) -> Vec<Finding> {
    let changes: Vec<f64> = residuals.iter().map(|residual| residual.change).collect();
    let usual = scale(&changes).unwrap_or(LEAST_SCALE).max(LEAST_SCALE);
    let mut findings = Vec::new();
    let mut way_back = None;
    for (number, residual) in residuals.iter().enumerate() {
        if residual.change.abs() < LEAST_RESIDUAL || way_back == Some(residual.to.at) {
            continue;
        }
        let next = residuals.get(number + 1).filter(|next| next.from.at == residual.to.at);
        let back = next.filter(|next| takes_back(residual.change, next.change));
        let told = format!("{:+.1} bp against {partner}", 1e4 * residual.change);
        let told = Measured::new(residual.change.abs() / usual, told);
        let told = match back {
            Some(_) => told.with_detail("back in the next slot: stale or wrong"),
            None => told.only_a_warning().with_detail("it stays: taken as real and kept"),
        };
        let finding = rule.judge(&residual.to.place(), told);
        way_back = back.filter(|_| finding.is_some()).map(|back| back.to.at);
        findings.extend(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{at, batch, rows, run};
    use super::super::super::{CheckRun, Row, Status};
    use super::super::series_checks;

    const DAYS: (&str, &str) = ("2026-11-17", "2026-11-18");

    fn checked((from, to): (&str, &str)) -> CheckRun {
        let bounds = at(from)..=at(to);
        let mut rows: Vec<Row> = [rows("ES", DAYS, 6_000.0), rows("SPY", DAYS, 600.0)].concat();
        for row in rows.iter_mut().filter(|row| row.symbol.as_str() == "ES" && bounds.contains(&row.at)) {
            row.last = row.last.map(|last| last * 1.005);
        }
        run(&series_checks(&batch(&rows, DAYS)), "cross.symbol")
    }

    #[test]
    fn a_future_that_moves_with_its_etf_passes() {
        assert_eq!(checked(("2026-11-18 03:00", "2026-11-18 04:00")).status, Status::Pass);
    }

    #[test]
    fn a_stale_price_leaves_the_etf_and_comes_back() {
        let stale = checked(("2026-11-18 12:00", "2026-11-18 12:00"));
        assert_eq!((stale.status, stale.findings.len()), (Status::Fail, 1));
        assert_eq!(stale.findings[0].timestamp.instant(), at("2026-11-18 12:00"));
    }

    #[test]
    fn a_dislocation_that_stays_is_told_and_kept() {
        let stays = checked(("2026-11-18 12:00", "2026-11-18 18:00"));
        assert_eq!((stays.status, stays.findings.len()), (Status::Warn, 1));
    }
}
