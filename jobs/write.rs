//! Writing what a run made, as its mode says.

use crate::job::{Captured, Context, Counts, JobError, WriteMode};
use crate::lake::Written;

use super::replacement::Replacement;

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
            let replacement = Replacement::begin(context)?;
            let lake = &replacement.lake;
            let futures = replacement.done(lake.replace_futures(&rows.futures).await).await?;
            let spot = replacement.done(lake.replace_spot(&rows.spot).await).await?;
            counts.add(futures);
            counts.add(spot);
        }
    }
    context.note_written(counts);
    Ok(counts)
}

/// What an append of one table came to.
pub(super) fn appended(written: &Written) -> Counts {
    Counts { added: written.added, present: written.present, ..Counts::default() }
}
