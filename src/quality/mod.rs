//! Quality: values in, findings out. A finding is a fact about bad data, not an error.
//!
//! Each family of checks gives a list of [`Measure`]s over plain values; [`run_checks`] runs them one by one with the
//! settings in force. [`all`] lists every check with its steps and the reason of each.

mod bars;
mod batch;
mod config;
mod daily;
mod derived;
mod finding;
#[cfg(test)]
mod fixtures;
mod lake;
mod machine;
mod meta;
mod plausible;
mod quote;
mod robust;
mod row;
mod rule;
mod run;
mod series;
mod spec;

pub use bars::{BarBatch, bar_checks};
pub use batch::{Batch, Row};
pub use config::{CheckSettings, QualityConfig, SymbolSteps};
pub use daily::{DailyBatch, daily_checks};
pub use derived::{DecisionFacts, DerivedFacts, ReportFacts, SignalFacts, derived_checks};
pub use finding::{Action, FUTURES_TABLE, Finding, Place, SPOT_TABLE, Severity};
pub use lake::{TableFacts, lake_checks};
pub use machine::{MachineFacts, machine_checks};
pub use meta::meta_check;
pub use plausible::{Prices, check_plausible, usual_close};
pub use quote::{QuoteContext, check_expiry, check_quote};
pub use row::row_checks;
pub use rule::{Measured, Rule};
pub use run::{CheckFault, CheckRun, Measure, Seen, Status, run_checks};
pub use series::series_checks;
pub use spec::{CheckSpec, LooksAt, all, spec};
