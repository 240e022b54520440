//! What checks found is kept in its table, and told to whom it concerns.

use crate::alert::{Looker, Reach};
use crate::calendar::Slot;
use crate::job::{Context, Failure, JobError, Looked, Run, Trigger, alerts, seen_by_checks};
use crate::lake::{FindingRow, QuarantinedRow, Rows};
use crate::market::{FuturesSnapshot, SpotSnapshot, Symbol};
use crate::quality::{CheckRun, FUTURES_TABLE, Finding, Row, SPOT_TABLE, Severity};

use super::bars::Made;

/// Keeps the findings of some checks and tells the alerts what they say. Who runs a job by hand sees it: no mail is
/// written then, but what is mended counts as passed.
pub(super) async fn keep(context: &Context, run: &Run, (runs, rows): (&[CheckRun], &[Row])) -> Result<(), JobError> {
    let findings: Vec<&Finding> = runs.iter().flat_map(|run| &run.findings).collect();
    keep_findings(context, &findings).await?;
    let Some(ledger) = context.ledger.clone() else { return Ok(()) };
    let reach = if run.request.trigger == Trigger::Manual { Reach::Log } else { Reach::Mail };
    let alerts = alerts(&context.config, ledger.clone());
    let (runs, rows, now) = (runs.to_vec(), rows.to_vec(), context.clock.now());
    let calendars = context.calendars.clone();
    let looker = Looker { job: "quality".to_owned(), run_id: context.run_id.clone(), slot: run.slot.instant() };
    let observing = tokio::task::spawn_blocking(move || {
        let open: Vec<_> = ledger.open_incidents()?.into_iter().map(|incident| incident.key).collect();
        let all = Looked { runs: &runs, rows: &rows, calendars: &calendars };
        alerts.observe(&looker, &seen_by_checks(all, &open, reach), now)
    });
    observing.await.map_err(|error| JobError::fail(Failure::Failed, error))??;
    Ok(())
}

/// Adds findings to their table.
pub(super) async fn keep_findings(context: &Context, findings: &[&Finding]) -> Result<(), JobError> {
    let (found_at, gateway) = (context.clock.now(), context.config.gateway.kind);
    let whole: Symbol = FindingRow::WHOLE.parse().map_err(|error| JobError::fail(Failure::Failed, error))?;
    let row = |finding: &&Finding| {
        let symbol = finding.symbol.clone().unwrap_or_else(|| whole.clone());
        FindingRow::of(finding, symbol, gateway, found_at)
    };
    let rows: Vec<FindingRow> = findings.iter().map(row).collect();
    if !rows.is_empty() {
        context.lake.append_findings(&rows).await?;
    }
    Ok(())
}

/// Keeps apart the rows of bars whose price cannot be, with their findings.
pub(super) async fn keep_rejected(context: &Context, made: &Made) -> Result<(), JobError> {
    let bad: Vec<Finding> =
        made.findings.iter().filter(|finding| finding.severity >= Severity::Error).cloned().collect();
    if made.rejected.is_empty() {
        return Ok(());
    }
    keep_apart(context, (&made.rejected.futures, &made.rejected.spot), &bad).await
}

/// Keeps what was found of rows, and apart those that are not fit to be stored. A row of a key that waits there already
/// is left out: the first that came is kept.
pub(super) async fn keep_apart(
    context: &Context,
    (futures, spot): (&[FuturesSnapshot], &[SpotSnapshot]),
    findings: &[Finding],
) -> Result<(), JobError> {
    let mut rows = Vec::new();
    for row in futures {
        let json = Rows::of_futures(std::slice::from_ref(row))?.objects();
        rows.extend(apart(context, (FUTURES_TABLE, &row.symbol, row.timestamp), (&json, findings)));
    }
    for row in spot {
        let json = Rows::of_spot(std::slice::from_ref(row))?.objects();
        rows.extend(apart(context, (SPOT_TABLE, &row.symbol, row.timestamp), (&json, findings)));
    }
    if !rows.is_empty() {
        context.lake.append_quarantine(&rows).await?;
    }
    keep_findings(context, &findings.iter().collect::<Vec<_>>()).await
}

/// A row with the findings that keep it out of its table; none where nothing does.
fn apart(
    context: &Context,
    (table, symbol, timestamp): (&str, &Symbol, Slot),
    (json, findings): (&[serde_json::Value], &[Finding]),
) -> Option<QuarantinedRow> {
    let is_of_row = |finding: &&Finding| {
        finding.table == table
            && finding.severity >= Severity::Error
            && finding.timestamp == timestamp
            && finding.symbol.as_ref() == Some(symbol)
    };
    let own: Vec<&Finding> = findings.iter().filter(is_of_row).collect();
    let row_json = json.first().filter(|_| !own.is_empty())?.to_string();
    Some(QuarantinedRow {
        symbol: symbol.clone(),
        timestamp,
        table: table.to_owned(),
        checks: QuarantinedRow::checks_of(&own),
        reason: QuarantinedRow::reason_of(&own),
        row_json,
        decided: None,
        gateway: context.config.gateway.kind,
        captured_at: context.clock.now(),
    })
}
