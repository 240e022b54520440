//! Quality: values in, findings out. A finding is a fact about bad data, not an error.

mod finding;
mod quote;

pub use finding::{Finding, Severity};
pub use quote::{QuoteContext, check_expiry, check_quote};
