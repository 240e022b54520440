//! What signals have been worth: returns a trader could have had, with intervals, against what the ETF itself shows.
//!
//! Pure. The unit of inference is the session: rows of one day share one outcome, and draws take whole days. Returns are
//! 1e4 times a logarithm (bp), gross of costs unless told otherwise.

mod alarm;
mod bootstrap;
mod config;
mod confirmation;
mod day;
mod lead_lag;
mod many;
mod newey_west;
mod number;
mod power;
mod sharpe;
mod skill;
mod timing;
mod verdict;
mod wilson;

pub use alarm::{Alarm, LookAhead, correlation, look_ahead_alarms};
pub use bootstrap::{Bootstrap, Interval, SplitMix64, exact_sd, quantile};
pub use config::EvaluationConfig;
pub use confirmation::{Arms, BaseSignal, Confirmation, Shift, confirm, pooled_by_day};
pub use day::{Day, Hits, base_signals, hits, signed_returns};
pub use lead_lag::{LeadLag, lead_lag};
pub use many::{benjamini_hochberg, holm};
pub use newey_west::{MeanTest, Regression, default_lag, mean_test, regression};
pub use power::{sessions_needed, sessions_per_arm, smallest_gain, smallest_rate};
pub use sharpe::{Deflated, Moments, SharpeTrial, deflated_sharpe, moments};
pub use skill::{Skill, auc, auc_bound, least_sessions, predictive_value, skill};
pub use timing::{Timing, pesaran_timmermann};
pub use verdict::{Verdict, VerdictInputs, judge};
pub use wilson::wilson;
