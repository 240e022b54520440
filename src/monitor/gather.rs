//! Gathers what is published, from the ledger and the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::lake::{AsOf, FindingRow, KeyRange, Lake, LakeError};
use crate::market::{MarketConfig, Symbol};
use crate::state::{CheckMark, HistoryQuery, Ledger, LedgerError, RunRow, RunState, Severity};

use super::metrics::{CheckFacts, JobFacts, Metrics, RowFacts, Written};

/// How far back is counted.
const WINDOW: TimeDelta = TimeDelta::days(7);

/// Where the facts come from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The record of the runs.
    pub ledger: Ledger,
    /// The tables.
    pub lake: Lake,
    /// What is captured.
    pub market: MarketConfig,
    /// Labels of every sample.
    pub labels: BTreeMap<String, String>,
    /// The jobs, each with the slot that is planned next.
    pub jobs: Vec<(String, Option<DateTime<Utc>>)>,
}

/// Writes the metrics file anew. What goes wrong is told and stops nothing.
pub async fn publish(sources: Sources, folder: &Path, now: DateTime<Utc>) {
    let metrics = match gather(sources, now).await {
        Ok(metrics) => metrics,
        Err(told) => return tracing::warn!(error = told, "the metrics are not written"),
    };
    match metrics.write(folder) {
        Ok(Written::OverOwn) => {}
        Ok(Written::OverAnother) => tracing::warn!(
            folder = %folder.display(),
            "another installation writes the same metrics file, and each hides the other: give each its own \
             monitor.labels, such as {{installation: paper}}, or its own monitor.metrics_folder"
        ),
        Err(error) => tracing::warn!(folder = %folder.display(), %error, "the metrics are not written"),
    }
}

async fn gather(sources: Sources, now: DateTime<Utc>) -> Result<Metrics, String> {
    let told = |error: LakeError| error.to_string();
    let rows = rows(&sources).await.map_err(told)?;
    let findings = findings(&sources, now).await.map_err(told)?;
    let of_ledger = tokio::task::spawn_blocking(move || of_ledger(&sources, &findings, now));
    let metrics = of_ledger.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    Ok(Metrics { rows, ..metrics })
}

async fn rows(Sources { lake, market, .. }: &Sources) -> Result<Vec<RowFacts>, LakeError> {
    let facts =
        |table: &str, symbol: &Symbol, newest| RowFacts { table: table.to_owned(), symbol: symbol.to_string(), newest };
    let mut rows = Vec::new();
    for symbol in &market.futures {
        let newest = lake.latest_futures(symbol).await?.map(|row| row.timestamp.instant());
        rows.push(facts("futures_snapshots", symbol, newest));
    }
    for symbol in &market.spot {
        let newest = lake.latest_spot(symbol).await?.map(|row| row.timestamp.instant());
        rows.push(facts("spot_snapshots", symbol, newest));
    }
    Ok(rows)
}

/// How many findings each check has, however many runs saw each of them.
async fn findings(sources: &Sources, now: DateTime<Utc>) -> Result<BTreeMap<String, usize>, LakeError> {
    let market = &sources.market;
    let whole: Option<Symbol> = FindingRow::WHOLE.parse().ok();
    let symbols = market.futures.iter().chain(&market.spot).cloned().chain(whole).collect();
    let range = KeyRange { symbols, from: now - WINDOW, to: now };
    let found = sources.lake.findings(&range, &AsOf::Latest).await?;
    let distinct: BTreeSet<_> =
        found.into_iter().map(|row| (row.check, row.table, row.symbol, row.timestamp)).collect();
    let mut counts = BTreeMap::new();
    for (check, ..) in distinct {
        *counts.entry(check).or_default() += 1;
    }
    Ok(counts)
}

fn of_ledger(
    sources: &Sources,
    findings: &BTreeMap<String, usize>,
    now: DateTime<Utc>,
) -> Result<Metrics, LedgerError> {
    let ledger = &sources.ledger;
    let newest = |job: &str, states: &[RunState]| {
        let query =
            HistoryQuery { job: Some(job.to_owned()), states: states.to_vec(), limit: 1, ..HistoryQuery::default() };
        Ok::<Option<RunRow>, LedgerError>(ledger.history(&query)?.into_iter().next())
    };
    let ended = [RunState::Done, RunState::Skipped, RunState::Failed, RunState::TimedOut, RunState::Recovered];
    let mut jobs = Vec::new();
    for (job, next) in &sources.jobs {
        jobs.push(JobFacts {
            job: job.clone(),
            accounting: ledger.accounting(job, now - WINDOW, now)?,
            last: newest(job, &ended)?,
            succeeded_at: newest(job, &[RunState::Done])?.and_then(|row| row.ended_at),
            next: *next,
        });
    }
    let mut marks: BTreeMap<String, CheckMark> = BTreeMap::new();
    for mark in ledger.check_marks(None, now - WINDOW)? {
        // The mark of the check itself; those of symbols tell of a part of it. Oldest first, so the newest stays.
        if mark.subject.is_empty() {
            marks.insert(mark.check.clone(), mark);
        }
    }
    let checks = marks.into_values().map(|mark| CheckFacts {
        findings: findings.get(&mark.check).copied().unwrap_or_default(),
        status: mark.status.as_str().to_owned(),
        looked_at: mark.looked_at,
        check: mark.check,
    });
    let open = ledger.open_incidents()?;
    let of = |severity: Severity| (severity, open.iter().filter(|incident| incident.severity == severity).count());
    Ok(Metrics {
        version: env!("CARGO_PKG_VERSION"),
        ledger: std::path::absolute(ledger.path()).unwrap_or_else(|_| ledger.path().to_path_buf()),
        labels: sources.labels.clone(),
        jobs,
        rows: Vec::new(),
        checks: checks.collect(),
        incidents: Severity::ALL.into_iter().map(of).collect(),
        mails: ledger.mail_counts()?,
    })
}
