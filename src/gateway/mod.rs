//! The gateway: where quotes and bars come from.

pub mod simulated;
