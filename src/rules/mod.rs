//! Rules: whether a signal is worth acting on, and why not where it is not.
//!
//! Pure. An engine asks every rule in the order of their priorities; the first that fires decides, and the verdicts of all
//! are kept. A further rule is a file with an `impl Rule` and a line in [`Engine::standard`]. What comes out is a decision on
//! paper: nothing here or elsewhere can place an order.

mod bearish;
mod bullish;
mod conditions;
mod config;
mod contrarian;
mod decision;
mod engine;
mod entry;
#[cfg(test)]
mod fixtures;
mod momentum;
mod paper;

pub use conditions::Conditions;
pub use config::{PaperConfig, RulesConfig};
pub use decision::{Action, Decision, NO_RULE, Spread, StrategyType, Urgency};
pub use engine::{Engine, Rule, RuleClash, Situation, Verdict, VerdictOf};
pub use entry::Entry;
pub use paper::{Horizon, PaperEntry, PaperMarket, PaperPosition, open_position};
