//! How large a daily change is, measured by those of the sessions before.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Calendar, CalendarError, Session};
use crate::market::{FuturesSnapshot, is_spread};

/// Fewer sessions than these tell no standard deviation.
const LEAST_SESSIONS: usize = 10;

/// How old the row of an earlier session may be at the time of day that is compared.
const MAX_AGE: TimeDelta = TimeDelta::minutes(30);

/// The standard deviation (n - 1) of the daily changes of the sessions before that of `at`, each at the same time into its
/// session, or at its close where it was shorter. None where too few are known or all are alike.
pub(super) fn deviation(rows: &[FuturesSnapshot], sessions: &[Session], elapsed: TimeDelta) -> Option<f64> {
    let changes: Vec<f64> = sessions.iter().filter_map(|session| daily_change(rows, session, elapsed)).collect();
    if changes.len() < LEAST_SESSIONS {
        return None;
    }
    let count = f64::from(u32::try_from(changes.len()).ok()?);
    let mean = changes.iter().sum::<f64>() / count;
    let squares: f64 = changes.iter().map(|change| (change - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0)).sqrt();
    is_spread(deviation, &changes).then_some(deviation)
}

/// The sessions before the one in which `at` lies, oldest first, and how far into its own session `at` is.
pub(super) fn sessions_before(
    at: DateTime<Utc>,
    wanted: usize,
    calendar: &Calendar,
) -> Result<Option<(Vec<Session>, TimeDelta)>, CalendarError> {
    let Some(current) = session_of(at, calendar)? else { return Ok(None) };
    let elapsed = at - current.open();
    let mut sessions = Vec::with_capacity(wanted);
    let mut day = current.day.date();
    // Twice the sessions and a fortnight are more days than any run of holidays takes.
    for _ in 0..2 * wanted + 14 {
        if sessions.len() == wanted {
            break;
        }
        let Some(before) = day.pred_opt().filter(|before| calendar.coverage().start() <= before) else { break };
        day = before;
        sessions.extend(calendar.session(day)?);
    }
    sessions.reverse();
    Ok(Some((sessions, elapsed)))
}

/// The session a row of this instant belongs to.
fn session_of(at: DateTime<Utc>, calendar: &Calendar) -> Result<Option<Session>, CalendarError> {
    calendar.session_of_slot(crate::calendar::Slot::at_or_before(at))
}

fn daily_change(rows: &[FuturesSnapshot], session: &Session, elapsed: TimeDelta) -> Option<f64> {
    let at = (session.open() + elapsed).min(session.close());
    let later = rows.partition_point(|row| row.timestamp.instant() <= at);
    let row = rows.get(later.checked_sub(1)?)?;
    let is_of_session = row.timestamp.instant() > session.open() && at - row.timestamp.instant() <= MAX_AGE;
    if is_of_session { row.changes.daily } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::CalendarId;
    use crate::signals::fixtures::{instant, row};

    fn calendar() -> Calendar {
        Calendar::embedded(CalendarId::CmeEquity)
    }

    #[test]
    fn twenty_sessions_before_a_wednesday_in_november_skip_weekends() {
        let at = instant("2026-11-18T14:00:00Z");
        let (sessions, elapsed) = sessions_before(at, 20, &calendar()).expect("covered").expect("open");
        assert_eq!((sessions.len(), elapsed), (20, TimeDelta::hours(15)));
        let days = [sessions[0].day.to_string(), sessions[19].day.to_string()];
        assert_eq!(days, ["2026-10-21", "2026-11-17"]);
    }

    #[test]
    fn the_deviation_is_that_of_one_change_a_session() {
        let (sessions, elapsed) =
            sessions_before(instant("2026-11-18T14:00:00Z"), 20, &calendar()).expect("covered").expect("open");
        let change = |number: usize| if number.is_multiple_of(2) { 10.0 } else { -10.0 };
        let rows: Vec<_> = sessions
            .iter()
            .enumerate()
            .map(|(number, session)| {
                let mut row = row("ES", session.open() + elapsed, 6000.0);
                row.changes.daily = Some(change(number));
                row
            })
            .collect();
        let expected = (20.0 * 100.0 / 19.0_f64).sqrt();
        assert!((deviation(&rows, &sessions, elapsed).expect("known") - expected).abs() < 1e-12);
        assert_eq!(deviation(&rows[..9], &sessions, elapsed), None, "nine sessions are too few");
    }

    #[test]
    fn changes_that_are_all_alike_tell_no_deviation() {
        let (sessions, elapsed) =
            sessions_before(instant("2026-11-18T14:00:00Z"), 20, &calendar()).expect("covered").expect("open");
        let rows: Vec<_> = sessions
            .iter()
            .map(|session| {
                let mut row = row("ES", session.open() + elapsed, 6000.0);
                row.changes.daily = Some(0.0);
                row
            })
            .collect();
        assert_eq!(deviation(&rows, &sessions, elapsed), None);
        let noisy: Vec<_> = rows
            .into_iter()
            .map(|mut row| {
                row.changes.daily = Some(2.7);
                row
            })
            .collect();
        assert_eq!(deviation(&noisy, &sessions, elapsed), None, "what is left of the mean is rounding");
    }
}
