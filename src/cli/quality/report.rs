//! `jobs quality report`: what was found of a session.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::Args;
use serde_json::{Value as Json, json};

use crate::calendar::Session;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::job::{Calendars, Failure, JobError, calendars};
use crate::lake::{AsOf, FindingRow, KeyRange, QuarantinedRow};
use crate::market::Symbol;
use crate::telemetry;

use super::super::block_on;
use super::super::existing_lake::lake_to_read;
use super::super::output::{eastern, plain_table, print_document, print_line, print_text, utc};
use super::super::settings::{Format, Globals};
use super::checks::last_marks;

#[derive(Debug, Args)]
pub(in super::super) struct ReportArgs {
    /// The trading day of the futures [default: the newest].
    #[arg(long, value_name = "DAY")]
    date: Option<NaiveDate>,
}

/// What is told.
struct Report {
    session: Session,
    /// The newest of each, with the number of runs that found it.
    findings: Vec<(FindingRow, usize)>,
    quarantine: Vec<QuarantinedRow>,
    /// How many checks came to what at their last look.
    marks: BTreeMap<&'static str, usize>,
}

/// Prints it.
pub(super) fn report(globals: &Globals, args: &ReportArgs) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    let config = &loaded.config;
    telemetry::start_on_stderr(globals.verbosity());
    let session = session(args.date, &calendars(config)?)?;
    let range = KeyRange { symbols: symbols(config)?, from: session.open(), to: session.close() };
    let (findings, quarantine) = block_on(async {
        let lake = lake_to_read(&loaded)?;
        Ok((lake.findings(&range, &AsOf::Latest).await?, lake.quarantined(&range, &AsOf::Latest).await?))
    })?;
    let mut marks = BTreeMap::new();
    for mark in last_marks(config)?.into_values() {
        *marks.entry(mark.status.as_str()).or_default() += 1;
    }
    let report = Report { session, findings: newest(findings), quarantine, marks };
    if globals.format == Format::Text {
        text(&report)?;
    } else {
        print_document(&document(&report), globals.format)?;
    }
    Ok(0)
}

fn session(date: Option<NaiveDate>, calendars: &Calendars) -> Result<Session, JobError> {
    let futures = &calendars.futures;
    let Some(day) = date else {
        let newest = calendars.newest_slot(SystemClock.now())?.instant();
        let inside = "a slot of the calendar lies in a session";
        let session = futures.session(futures.trading_day(newest)?.date())?;
        return session.ok_or_else(|| JobError::fail(Failure::Failed, format!("{newest}: {inside}")));
    };
    futures.session(day)?.ok_or_else(|| {
        let told = format!("{day} is no trading day of cme_equity: give a day on which it trades");
        JobError::fail(Failure::Usage, told)
    })
}

/// What is captured, and what stands for all of it.
fn symbols(config: &Config) -> Result<Vec<Symbol>, JobError> {
    let whole: Symbol = FindingRow::WHOLE.parse().map_err(|error| JobError::fail(Failure::Failed, error))?;
    Ok(config.market.futures.iter().chain(&config.market.spot).cloned().chain([whole]).collect())
}

/// One of each finding, the worst first.
fn newest(findings: Vec<FindingRow>) -> Vec<(FindingRow, usize)> {
    let mut known: BTreeMap<_, (FindingRow, usize)> = BTreeMap::new();
    for finding in findings {
        let key = (finding.timestamp, finding.table.clone(), finding.symbol.clone(), finding.check.clone());
        match known.get_mut(&key) {
            None => drop(known.insert(key, (finding, 1))),
            Some((newest, runs)) => {
                *runs += 1;
                if finding.found_at > newest.found_at {
                    *newest = finding;
                }
            }
        }
    }
    known.into_values().collect()
}

fn text(report: &Report) -> Result<(), JobError> {
    let (open, close) = (eastern(report.session.open()), eastern(report.session.close()));
    print_line(&format!("session of {}: {open} to {close}", report.session.day))?;
    let marks: Vec<String> = report.marks.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let told = if marks.is_empty() { "never made: jobs run quality".to_owned() } else { marks.join(", ") };
    print_line(&format!("checks at their last look: {told}"))?;
    if report.findings.is_empty() {
        print_line("nothing was found")?;
    } else {
        let mut table = plain_table();
        table.set_header(["slot", "table", "symbol", "check", "severity", "observed", "expected", "does", "runs"]);
        for (finding, runs) in &report.findings {
            let symbol = if finding.symbol.as_str() == FindingRow::WHOLE { "all" } else { finding.symbol.as_str() };
            table.add_row([
                eastern(finding.timestamp.instant()),
                finding.table.clone(),
                symbol.to_owned(),
                finding.check.clone(),
                finding.severity.clone(),
                finding.observed.clone(),
                finding.threshold.clone(),
                finding.action.clone(),
                runs.to_string(),
            ]);
        }
        print_text(&table)?;
        for (finding, _) in report.findings.iter().filter(|(finding, _)| !finding.detail.is_empty()) {
            print_line(&format!("{} {}: {}", finding.check, finding.symbol, finding.detail))?;
        }
    }
    for row in &report.quarantine {
        let (slot, state) = (eastern(row.timestamp.instant()), row.decided.as_deref().unwrap_or("waits"));
        print_line(&format!(
            "kept apart: {} {slot} of {}, {}: {}, {state}",
            row.symbol, row.table, row.checks, row.reason
        ))?;
    }
    Ok(())
}

fn document(report: &Report) -> Json {
    let finding = |(row, runs): &(FindingRow, usize)| {
        json!({
            "check": row.check, "table": row.table, "timestamp": utc(row.timestamp.instant()),
            "symbol": (row.symbol.as_str() != FindingRow::WHOLE).then(|| row.symbol.as_str()),
            "severity": row.severity, "observed": row.observed, "threshold": row.threshold, "action": row.action,
            "detail": row.detail, "run_slot": utc(row.run_slot.instant()), "found_at": utc(row.found_at), "runs": runs,
        })
    };
    let apart = |row: &QuarantinedRow| {
        json!({
            "table": row.table, "symbol": row.symbol.as_str(), "timestamp": utc(row.timestamp.instant()),
            "checks": row.checks, "reason": row.reason, "decided": row.decided,
        })
    };
    json!({
        "schema": 1,
        "date": report.session.day.to_string(),
        "open": utc(report.session.open()),
        "close": utc(report.session.close()),
        "checks": report.marks,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "quarantine": report.quarantine.iter().map(apart).collect::<Vec<_>>(),
    })
}
