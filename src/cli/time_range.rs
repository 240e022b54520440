//! Times on the command line: an instant, or a trading day, which stands for its session.

use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::{Calendar, parse_instant};
use crate::job::{Failure, JobError};

use super::output::utc;

/// Days looked over for the session next to one that has none.
const LONGEST_CLOSURE_DAYS: u32 = 10;

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

/// The first and the last instant of a range, where they are given.
type Ends = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The instants between which a range of times or trading days lies, as far as its ends are given.
///
/// A day without a session, such as a Saturday, is snapped inwards: the range begins with the session after it, or ends
/// with the one before. One such day alone is no range, and neither is what holds no session.
pub(super) fn range_of(from: Option<&str>, to: Option<&str>, futures: &Calendar) -> Result<Ends, JobError> {
    let days = [from, to].map(|text| text.and_then(|text| text.parse::<NaiveDate>().ok()));
    if let [Some(first), Some(last)] = days
        && first <= last
        && futures.sessions(first, last)?.is_empty()
    {
        let told = if first == last {
            format!("{first} has no session of cme_equity: give a day on which it trades, or a time")
        } else {
            format!("{first} to {last} hold no session of cme_equity: give days on which it trades")
        };
        return Err(JobError::fail(Failure::Usage, told));
    }
    let from = from.map(|text| end_of(text, futures, Edge::Open)).transpose()?;
    let to = to.map(|text| end_of(text, futures, Edge::Close)).transpose()?;
    if let (Some(from), Some(to)) = (from, to) {
        in_order(from, to)?;
    }
    Ok((from, to))
}

/// An end of a range: an instant, or the edge of the nearest session inside.
fn end_of(text: &str, futures: &Calendar, edge: Edge) -> Result<DateTime<Utc>, JobError> {
    let Ok(day) = text.parse::<NaiveDate>() else { return instant_or_day(text, futures, edge) };
    let mut inwards = day;
    for _ in 0..LONGEST_CLOSURE_DAYS {
        match (futures.session(inwards)?, edge) {
            (Some(session), Edge::Open) => return Ok(session.open()),
            (Some(session), Edge::Close) => return Ok(session.close()),
            (None, Edge::Open) => inwards = inwards.succ_opt().unwrap_or(inwards),
            (None, Edge::Close) => inwards = inwards.pred_opt().unwrap_or(inwards),
        }
    }
    instant_or_day(text, futures, edge)
}

/// Refuses a range whose end lies before its beginning.
fn in_order(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<(), JobError> {
    if from <= to {
        return Ok(());
    }
    let told = format!("the range is reversed: --from {} lies after --to {}: exchange them", utc(from), utc(to));
    Err(JobError::fail(Failure::Usage, told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::CalendarId;

    fn range(from: Option<&str>, to: Option<&str>) -> Result<[Option<String>; 2], String> {
        let (from, to) = range_of(from, to, &Calendar::embedded(CalendarId::CmeEquity)).map_err(|e| e.to_string())?;
        Ok([from, to].map(|at| at.map(utc)))
    }

    #[test]
    fn days_without_a_session_are_snapped_inwards() {
        let week = Ok([Some("2026-11-15T23:00:00Z".to_owned()), Some("2026-11-20T22:00:00Z".to_owned())]);
        for (from, to) in [("2026-11-16", "2026-11-20"), ("2026-11-14", "2026-11-22"), ("2026-11-15", "2026-11-21")] {
            assert_eq!(range(Some(from), Some(to)), week, "{from} to {to}");
        }
        assert_eq!(range(Some("2026-12-25"), None), Ok([Some("2026-12-27T23:00:00Z".to_owned()), None]));
        assert_eq!(range(None, Some("2026-11-22")), Ok([None, Some("2026-11-20T22:00:00Z".to_owned())]));
    }

    #[test]
    fn a_range_without_a_session_is_refused() {
        let told = |from, to| range(Some(from), Some(to)).expect_err("refused");
        assert!(told("2026-11-21", "2026-11-21").starts_with("2026-11-21 has no session of cme_equity"));
        assert!(told("2026-11-21", "2026-11-22").starts_with("2026-11-21 to 2026-11-22 hold no session"));
        assert!(told("2026-11-22", "2026-11-20").starts_with("the range is reversed"));
        assert!(told("2026-11-21", "2026-11-21T12:00").starts_with("the range is reversed"));
    }
}
