//! The catalogue of jobs. A job is one small module; `src/lib.rs` takes this folder into the crate.

mod assess;
mod backfill;
mod bar_checks;
mod bars;
mod compaction;
mod daily;
mod evaluation;
mod gaps;
mod index_feed;
mod known;
mod live;
mod look;
mod mornings;
mod past;
mod quality;
mod replacement;
mod report;
mod report_values;
mod rule_record;
mod rules;
mod signal_rows;
mod signals;
mod snapshot;
mod told;
mod track;
mod write;

use std::sync::Arc;

use crate::job::Job;

pub use assess::{Assessment, Judgement, Span, Year, assess, pooled};
pub use backfill::Backfill;
pub use compaction::Compaction;
pub use evaluation::Evaluation;
pub use known::{Known, Question, known};
pub use mornings::BEFORE_OPEN;
pub use quality::Quality;
pub use report::DailyReport;
pub use rule_record::{Made, RuleRecord};
pub use rules::Rules;
pub use signals::Signals;
pub use snapshot::Snapshot;

/// Every job, in the order of a trading day.
#[must_use]
pub fn catalogue() -> Vec<Arc<dyn Job>> {
    vec![
        Arc::new(Snapshot),
        Arc::new(Backfill),
        Arc::new(Compaction),
        Arc::new(Quality),
        Arc::new(Signals),
        Arc::new(Rules),
        Arc::new(DailyReport),
        Arc::new(Evaluation),
    ]
}
