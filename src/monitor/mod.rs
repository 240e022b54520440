//! What an outside monitor is told: where everything stands, as a file for Prometheus, and that a run began and how it
//! ended, as pings. Silence is noticed there, because what has died cannot tell.

mod config;
mod gather;
mod metrics;
mod ping;

pub use config::MonitorConfig;
pub use gather::{Sources, publish};
pub use metrics::{CheckFacts, JobFacts, Metrics, RowFacts, Written};
pub use ping::{PingError, Pinger, Signal};
