//! frontmonth: scheduled batch jobs that capture, keep and judge CME index futures quotes.
//!
//! Data goes one way, from the gateway to the tables. Modules import only from those named before them:
//! `calendar < market < clock < escape < telemetry < gateway < quality < lake < signals < rules < evaluation < report < state < alert < monitor < config < job < jobs <
//! scheduler < cli`. The reasons and the invariants are in ARCHITECTURE.md; `tests/tidy.rs` keeps them.

pub mod alert;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod config;
pub mod escape;
pub mod evaluation;
pub mod gateway;
pub mod job;
#[path = "../jobs/mod.rs"]
pub mod jobs;
pub mod lake;
pub mod market;
pub mod monitor;
pub mod quality;
pub mod report;
pub mod rules;
pub mod scheduler;
pub mod signals;
pub mod state;
pub mod telemetry;
