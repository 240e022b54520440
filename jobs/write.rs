//! Writing what a run made, as its mode says.

use crate::job::{Captured, Context, Counts, Failure, JobError, WriteMode};
use crate::lake::{Replaced, Rows, TableName, Written};
use crate::state::ReplacedRow;

/// Writes rows as the mode says.
pub(super) async fn write(context: &Context, rows: &Captured, mode: WriteMode) -> Result<Counts, JobError> {
    let mut counts = Counts::default();
    match mode {
        WriteMode::DryRun => {}
        WriteMode::Add => {
            // Two tables, so two commits side by side; neither is cut off because the other failed.
            let (futures, spot) =
                tokio::join!(context.lake.append_futures(&rows.futures), context.lake.append_spot(&rows.spot));
            let (futures, spot) = (futures?, spot?);
            counts.added = futures.added + spot.added;
            counts.present = futures.present + spot.present;
        }
        WriteMode::Replace => {
            let futures = context.lake.replace_futures(&rows.futures).await?;
            keep(context, TableName::FuturesSnapshots, &Rows::of_futures(&futures.old)?).await?;
            let spot = context.lake.replace_spot(&rows.spot).await?;
            keep(context, TableName::SpotSnapshots, &Rows::of_spot(&spot.old)?).await?;
            counts.replaced = futures.old.len() + spot.old.len();
            counts.added = futures.written + spot.written - counts.replaced;
        }
    }
    context.note_written(counts);
    Ok(counts)
}

/// What an append of one table came to.
pub(super) fn appended(written: &Written) -> Counts {
    Counts { added: written.added, present: written.present, ..Counts::default() }
}

/// What a replacement in one table came to.
pub(super) fn replaced<R>(replaced: &Replaced<R>) -> Counts {
    let old = replaced.old.len();
    Counts { added: replaced.written - old, replaced: old, ..Counts::default() }
}

/// Keeps rows that were replaced in the ledger, or without one in the log file, so that no price is lost without a trace.
pub(super) async fn keep(context: &Context, table: TableName, old: &Rows) -> Result<(), JobError> {
    let Some(ledger) = context.ledger.clone() else {
        for row in old.objects() {
            tracing::info!(%table, %row, "replaced a row");
        }
        return Ok(());
    };
    let (run_id, replaced_at) = (context.run_id.clone(), context.clock.now());
    let kept: Vec<ReplacedRow> = old
        .objects()
        .iter()
        .map(|row| ReplacedRow {
            table: table.to_string(),
            key: key_of(table, row),
            old_json: row.to_string(),
            run_id: run_id.clone(),
            replaced_at,
        })
        .collect();
    let keeping = tokio::task::spawn_blocking(move || ledger.keep_replaced(&kept));
    keeping.await.map_err(|error| JobError::fail(Failure::Failed, error))??;
    Ok(())
}

/// The key of a row, as the ledger names it.
fn key_of(table: TableName, row: &serde_json::Value) -> String {
    let columns: &[&str] = match table {
        TableName::FuturesSignals => &["symbol", "as_of"],
        TableName::Decisions => &["symbol", "as_of", "rule"],
        _ => &["symbol", "timestamp"],
    };
    columns.iter().map(|column| row[*column].as_str().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}
