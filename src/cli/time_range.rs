//! Times on the command line: an instant, or a trading day, which stands for its session.

use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::{Calendar, parse_instant};
use crate::job::{Failure, JobError};

use super::output::utc;

/// Which edge of a session a trading day stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// Its open.
    Open,
    /// Its close.
    Close,
}

/// An instant, or the edge of a trading day's session.
pub(super) fn instant_or_day(text: &str, futures: &Calendar, edge: Edge) -> Result<DateTime<Utc>, JobError> {
    let Ok(day) = text.parse::<NaiveDate>() else { return Ok(parse_instant(text)?) };
    let Some(session) = futures.session(day)? else {
        let told = format!("{day} is no trading day of cme_equity: give a day on which it trades, or a time");
        return Err(JobError::fail(Failure::Usage, told));
    };
    Ok(match edge {
        Edge::Open => session.open(),
        Edge::Close => session.close(),
    })
}

/// Refuses a range whose end lies before its beginning.
pub(super) fn in_order(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(), JobError> {
    if from <= to {
        return Ok(());
    }
    let told = format!("the range is reversed: --from {} lies after --to {}: exchange them", utc(from), utc(to));
    Err(JobError::fail(Failure::Usage, told))
}
