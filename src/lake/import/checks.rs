//! The checks of rows on rows of another program: what a capture would keep apart is kept apart here too, with its findings.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};

use crate::calendar::Slot;
use crate::lake::show::Rows;
use crate::lake::{FindingRow, Lake, QuarantinedRow};
use crate::market::{FuturesSnapshot, Symbol};
use crate::quality::{Action, Batch, FUTURES_TABLE, Finding, Row, Severity, row_checks, run_checks};

use super::judge::ImportRules;
use super::{ImportError, ImportRequest};

/// The check that asks whether a symbol is captured: rows of others are imported as well, as long as their future is described.
const CAPTURED_SYMBOLS: &str = "ref.known";

/// A close this old says nothing about a price: there is a hole before the row.
const CLOSE_STANDS: TimeDelta = TimeDelta::days(7);

/// From so many prices on their median is one to compare with.
const MIN_PRICES: usize = 3;

/// The last close of each symbol in the rows checked so far, with its session.
#[derive(Debug, Default)]
pub(super) struct ClosesBefore(BTreeMap<Symbol, (NaiveDate, f64)>);

/// Rows that pass the checks, and those that do not.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) sound: Vec<FuturesSnapshot>,
    pub(super) failed: Vec<FailedRow>,
}

/// A row that is kept apart, with why.
#[derive(Debug)]
pub(super) struct FailedRow {
    pub(super) row: FuturesSnapshot,
    pub(super) findings: Vec<Finding>,
}

impl FailedRow {
    /// The row and the first reason.
    pub(super) fn describe(&self) -> String {
        let reason = self.findings.first().map_or_else(String::new, ToString::to_string);
        format!("{} {}: {reason}", self.row.symbol, self.row.timestamp)
    }
}

impl ClosesBefore {
    /// Checks rows session by session; they come after those of the call before.
    pub(super) fn check(&mut self, rules: &ImportRules<'_>, rows: Vec<FuturesSnapshot>) -> Checked {
        let mut sessions: BTreeMap<NaiveDate, Vec<FuturesSnapshot>> = BTreeMap::new();
        for row in rows {
            sessions.entry(row.date.date()).or_default().push(row);
        }
        let mut checked = Checked::default();
        for (date, rows) in sessions {
            self.check_session(rules, (date, rows), &mut checked);
        }
        checked
    }

    fn check_session(
        &mut self,
        rules: &ImportRules<'_>,
        (date, rows): (NaiveDate, Vec<FuturesSnapshot>),
        checked: &mut Checked,
    ) {
        let stands = |(symbol, (day, close)): (&Symbol, &(NaiveDate, f64))| {
            (date - *day <= CLOSE_STANDS).then(|| (symbol.clone(), *close))
        };
        let mut closes: BTreeMap<Symbol, f64> = self.0.iter().filter_map(stands).collect();
        for (symbol, usual) in usual_prices(&rows) {
            closes.entry(symbol).or_insert(usual);
        }
        let mut findings = findings(rules, (date, &rows), &closes);
        let mut newest: BTreeMap<Symbol, (Slot, f64)> = BTreeMap::new();
        for row in rows {
            if let Some(findings) = findings.remove(&(row.symbol.clone(), row.timestamp)) {
                checked.failed.push(FailedRow { row, findings });
                continue;
            }
            if let Some(last) = row.last {
                let place = newest.entry(row.symbol.clone()).or_insert((row.timestamp, last));
                if place.0 <= row.timestamp {
                    *place = (row.timestamp, last);
                }
            }
            checked.sound.push(row);
        }
        self.0.extend(newest.into_iter().map(|(symbol, (_, last))| (symbol, (date, last))));
    }
}

/// The median price of each symbol that has some rows: what the first session of an import is held against.
fn usual_prices(rows: &[FuturesSnapshot]) -> BTreeMap<Symbol, f64> {
    let mut prices: BTreeMap<&Symbol, Vec<f64>> = BTreeMap::new();
    for (row, last) in rows.iter().filter_map(|row| Some((row, row.last?))) {
        prices.entry(&row.symbol).or_default().push(last);
    }
    let median = |(symbol, mut prices): (&Symbol, Vec<f64>)| {
        prices.sort_by(f64::total_cmp);
        let middle = prices.get(prices.len() / 2).copied()?;
        (prices.len() >= MIN_PRICES).then(|| (symbol.clone(), middle))
    };
    prices.into_iter().filter_map(median).collect()
}

/// The findings that keep a row of a session out of the table, by row.
fn findings(
    rules: &ImportRules<'_>,
    (date, rows): (NaiveDate, &[FuturesSnapshot]),
    closes: &BTreeMap<Symbol, f64>,
) -> BTreeMap<(Symbol, Slot), Vec<Finding>> {
    let rows: Vec<Row> = rows.iter().map(Row::from).collect();
    let batch = Batch {
        rows: &rows,
        market: rules.market,
        futures: rules.futures,
        nyse: rules.nyse,
        dates: (date, date),
        closes,
        delayed_allowed: true,
        now: rules.now,
    };
    let mut checks = row_checks(&batch);
    checks.retain(|measure| measure.check() != CAPTURED_SYMBOLS);
    let mut by_row: BTreeMap<(Symbol, Slot), Vec<Finding>> = BTreeMap::new();
    for finding in run_checks(&checks, rules.quality, (Slot::at_or_before(rules.now), rules.now))
        .into_iter()
        .flat_map(|run| run.findings)
        .filter(|finding| finding.severity >= Severity::Error && finding.action == Action::Quarantine)
    {
        let Some(symbol) = finding.symbol.clone() else { continue };
        // A second import of the same rows finds the same and adds nothing.
        let finding = Finding { run_slot: finding.timestamp, ..finding };
        by_row.entry((symbol, finding.timestamp)).or_default().push(finding);
    }
    by_row
}

impl Lake {
    /// Keeps rows apart, with what the checks found of them.
    pub(super) async fn keep_failed(
        &self,
        request: &ImportRequest,
        rules: &ImportRules<'_>,
        failed: &[FailedRow],
    ) -> Result<(), ImportError> {
        if failed.is_empty() || request.mode == super::ImportMode::DryRun {
            return Ok(());
        }
        let (mut apart, mut found) = (Vec::new(), Vec::new());
        for FailedRow { row, findings } in failed {
            let row_json = Rows::of_futures(std::slice::from_ref(row))?.objects().first().map(ToString::to_string);
            let findings: Vec<&Finding> = findings.iter().collect();
            apart.push(QuarantinedRow {
                symbol: row.symbol.clone(),
                timestamp: row.timestamp,
                table: FUTURES_TABLE.to_owned(),
                checks: QuarantinedRow::checks_of(&findings),
                reason: QuarantinedRow::reason_of(&findings),
                row_json: row_json.unwrap_or_default(),
                decided: None,
                gateway: row.gateway,
                captured_at: rules.now,
            });
            for finding in findings {
                let symbol = finding.symbol.clone().unwrap_or_else(|| row.symbol.clone());
                found.push(FindingRow::of(finding, symbol, row.gateway, rules.now));
            }
        }
        self.append_quarantine(&apart).await?;
        self.append_findings(&found).await?;
        Ok(())
    }
}
