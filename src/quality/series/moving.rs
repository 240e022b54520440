//! Does it move: prices in regular hours, and the volume upwards only and in one unit.

use std::collections::BTreeMap;

use crate::calendar::Slot;
use crate::market::Source;

use super::super::{Batch, CheckFault, Finding, Measured, Row, Rule, SPOT_TABLE, Seen};

/// Volumes further apart differ by more than a unit.
const MOST_APART: f64 = 200.0;

/// What gives lots in the place of shares.
const LOTS: &str = "one of them is in lots of a hundred: in TWS under API, Settings, take out 'Send market data in lots for US \
                    stocks for dual-mode API clients'";

/// Equal quotes of neighbouring slots in regular hours; the volume may go on, as it does over a frozen quote.
pub(super) fn unchanged(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for rows in batch.series().into_values() {
        let mut run: Vec<&Row> = Vec::new();
        for row in rows {
            if batch.nyse.session_of_slot(Slot::at_or_before(row.at))?.is_none() {
                continue;
            }
            seen.looked_at += 1;
            if !run.last().is_some_and(|before| stands_still(before, row)) {
                seen.findings.extend(judge(&run, rule));
                run.clear();
            }
            run.push(row);
        }
        seen.findings.extend(judge(&run, rule));
    }
    Ok(seen)
}

fn stands_still(before: &Row, row: &Row) -> bool {
    let quote = |row: &Row| (row.bid, row.ask, row.last);
    let next = Slot::at_or_before(before.at).next() == Slot::at_or_before(row.at);
    next && before.contract == row.contract && quote(before) == quote(row)
}

fn judge(run: &[&Row], rule: &Rule<'_>) -> Option<Finding> {
    let (first, last) = (run.first()?, run.last()?);
    let traded = first.volume.zip(last.volume).map_or(0, |(before, after)| after - before);
    let told = format!("{:?} in {} slots up to {}", first.last.unwrap_or_default(), run.len(), last.place().timestamp);
    let told = Measured::count(run.len(), told).with_detail(format!("the volume rose by {traded} meanwhile"));
    rule.judge(&first.place(), told)
}

/// Volume of the same contract, session and source against the greatest before: history leaves out combos, blocks and odd lots,
/// which live quotes count.
pub(super) fn volume(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let mut seen = Seen::default();
    for rows in batch.series().into_values() {
        let known = rows.into_iter().filter_map(|row| Some((row, row.volume?)));
        let mut greatest: BTreeMap<Source, (&Row, i64)> = BTreeMap::new();
        for (row, volume) in known {
            seen.looked_at += 1;
            let before = greatest.get(&row.source);
            let before = before.filter(|(before, _)| before.contract == row.contract && before.date == row.date);
            let before = before.map_or(volume, |(_, before)| *before);
            let lost = i32::try_from(before - volume).unwrap_or(i32::MAX);
            let told = format!("{volume} after {before}");
            seen.findings.extend(rule.judge(&row.place(), Measured::new(f64::from(lost), told)));
            greatest.insert(row.source, (row, volume.max(before)));
        }
    }
    seen
}

/// The volume of an ETF in a live row against that of the bars beside it, in the same session. Shares and lots are a hundred
/// apart; what is further or nearer has another cause.
pub(super) fn unit(batch: &Batch<'_>, rule: &Rule<'_>) -> Seen {
    let mut seen = Seen::default();
    for rows in batch.series().into_values() {
        let known: Vec<(&Row, i64)> = rows
            .into_iter()
            .filter(|row| row.table == SPOT_TABLE)
            .filter_map(|row| Some((row, row.volume.filter(|volume| *volume > 0)?)))
            .collect();
        let mut judged = None;
        for pair in known.windows(2) {
            let [(before, first), (row, second)] = pair else { continue };
            let is_live = |row: &Row| row.source == Source::Live;
            if before.date != row.date || is_live(before) == is_live(row) || judged == Some(row.date) {
                continue;
            }
            seen.looked_at += 1;
            judged = Some(row.date);
            #[expect(clippy::cast_precision_loss, reason = "a ratio of two volumes, for a bound of one digit")]
            let ratio = (*first.max(second) as f64) / (*first.min(second) as f64);
            let ratio = if ratio <= MOST_APART { ratio } else { 0.0 };
            let told = format!("{second} after {first}");
            let measured = Measured::new(ratio, told).with_detail(LOTS.to_owned());
            seen.findings.extend(rule.judge(&row.place(), measured));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{at, batch, rows, run};
    use super::super::super::{CheckRun, Severity, Status};
    use super::super::series_checks;
    use super::*;

    const DAYS: (&str, &str) = ("2026-11-18", "2026-11-18");

    fn checked(check: &str, change: impl Fn(&mut Row)) -> CheckRun {
        let mut rows = rows("ES", DAYS, 6_000.0);
        rows.iter_mut().for_each(change);
        run(&series_checks(&batch(&rows, DAYS)), check)
    }

    fn frozen(from: &str, to: &str) -> CheckRun {
        let bounds = at(from)..=at(to);
        checked("quote.unchanged", |row| {
            if bounds.contains(&row.at) {
                (row.bid, row.ask, row.last) = (Some(6_000.0), Some(6_000.5), Some(6_000.25));
            }
        })
    }

    #[test]
    fn a_quote_that_stands_still_in_regular_hours_is_told_once() {
        assert_eq!(frozen("2026-11-18 12:00", "2026-11-18 12:10").status, Status::Pass);
        assert_eq!(frozen("2026-11-18 12:00", "2026-11-18 12:15").status, Status::Warn);
        let long = frozen("2026-11-18 12:00", "2026-11-18 13:00");
        assert_eq!((long.status, long.findings.len(), long.looked_at), (Status::Fail, 1, 78));
        assert_eq!(long.findings[0].detail, "the volume rose by 12000 meanwhile");
    }

    #[test]
    fn a_quote_may_stand_still_at_night() {
        assert_eq!(frozen("2026-11-18 02:00", "2026-11-18 04:00").status, Status::Pass);
    }

    #[test]
    fn a_volume_in_lots_beside_bars_in_shares_is_told_with_the_setting() {
        let with = |table, factor: i64| {
            let mut rows = rows("ES", DAYS, 600.0);
            for (row, number) in rows.iter_mut().zip(1..) {
                let is_bar = number <= 3;
                row.table = table;
                row.source = if is_bar { Source::Backfill } else { Source::Live };
                row.volume = Some(if is_bar { 1_000_000 + number } else { (1_000_000 + number) / factor });
            }
            run(&series_checks(&batch(&rows, DAYS)), "volume.unit")
        };
        let lots = with(SPOT_TABLE, 100);
        assert_eq!((lots.status, lots.findings.len()), (Status::Warn, 1));
        assert!(lots.findings[0].detail.contains("lots"), "{}", lots.findings[0].detail);
        assert_eq!(with(SPOT_TABLE, 1).status, Status::Pass);
        assert_eq!(with(crate::quality::FUTURES_TABLE, 100).findings, []);
    }

    #[test]
    fn a_volume_that_falls_within_a_session_is_told() {
        assert_eq!(checked("volume.monotone", |_| ()).status, Status::Pass);
        let fell = checked("volume.monotone", |row| {
            if row.at == at("2026-11-18 12:00") {
                row.volume = Some(7);
            }
        });
        assert_eq!((fell.findings.len(), fell.findings[0].severity), (1, Severity::Error));
    }

    #[test]
    fn a_bar_between_two_live_rows_counts_less_and_is_no_loss() {
        let places =
            [(at("2026-11-18 12:00"), 96_940), (at("2026-11-18 12:05"), 95_480), (at("2026-11-18 12:10"), 97_838)];
        let mut rows = rows("ES", DAYS, 6_000.0);
        rows.retain(|row| places.iter().any(|(at, _)| *at == row.at));
        for (row, (_, volume)) in rows.iter_mut().zip(places) {
            row.volume = Some(volume);
        }
        rows[1].source = Source::Backfill;
        assert_eq!(run(&series_checks(&batch(&rows, DAYS)), "volume.monotone").status, Status::Pass);
        rows[2].volume = Some(96_939);
        assert_eq!(run(&series_checks(&batch(&rows, DAYS)), "volume.monotone").status, Status::Fail, "live after live");
    }

    #[test]
    fn the_volume_starts_again_with_the_next_session_and_zero_is_no_fault() {
        let days = ("2026-11-17", "2026-11-18");
        let mut rows = rows("ES", days, 6_000.0);
        rows[276].volume = Some(0);
        assert_eq!(run(&series_checks(&batch(&rows, days)), "volume.monotone").status, Status::Pass);
    }
}
