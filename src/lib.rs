//! frontmonth: scheduled batch jobs that capture, keep and judge CME index futures quotes.

pub mod calendar;
pub mod lake;
pub mod market;
