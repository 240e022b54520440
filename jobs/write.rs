//! Writing what a run made, as its mode says.

use crate::job::{Captured, Context, Counts, JobError, WriteMode};
use crate::lake::Rows;

/// Writes rows as the mode says. Replaced rows go to the log file, so that no price is ever lost without a trace.
pub(super) async fn write(context: &Context, rows: &Captured, mode: WriteMode) -> Result<Counts, JobError> {
    let mut counts = Counts::default();
    match mode {
        WriteMode::DryRun => {}
        WriteMode::Add => {
            let futures = context.lake.append_futures(&rows.futures).await?;
            let spot = context.lake.append_spot(&rows.spot).await?;
            counts.added = futures.added + spot.added;
            counts.present = futures.present + spot.present;
        }
        WriteMode::Replace => {
            let futures = context.lake.replace_futures(&rows.futures).await?;
            let spot = context.lake.replace_spot(&rows.spot).await?;
            for old in [Rows::of_futures(&futures.old)?, Rows::of_spot(&spot.old)?].iter().flat_map(Rows::objects) {
                tracing::info!(%old, "replaced a row");
            }
            counts.replaced = futures.old.len() + spot.old.len();
            counts.added = futures.written + spot.written - counts.replaced;
        }
    }
    Ok(counts)
}
