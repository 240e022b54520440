//! The instants that signals and rules are about: half an hour before the open of each session, or the slot asked for.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Session, Slot, to_new_york};
use crate::job::{Context, Holds, JobError, Run};

/// So long before the open the signal of a session is made.
pub const BEFORE_OPEN: TimeDelta = TimeDelta::minutes(30);

/// Longest stretch without a session of NYSE, and room.
const LONGEST_CLOSURE: TimeDelta = TimeDelta::days(10);

/// More lines than these of a long range are for nobody; the rows are in the table.
pub(super) const MAX_NOTES: usize = 12;

/// The slot of a session's signal.
pub(super) fn morning(session: &Session) -> Slot {
    Slot::at_or_before(session.open() - BEFORE_OPEN)
}

/// The slot of the run; of a range, the morning of each session in it that has come.
pub(super) async fn mornings(context: &Context, run: &Run) -> Result<Vec<Slot>, JobError> {
    let nyse = &context.calendars.nyse;
    let Some(range) = run.request.range else {
        // On a holiday nothing opens that a signal could be for.
        let day = to_new_york(run.slot.instant()).date_naive();
        return Ok(if nyse.sessions(day, day)?.is_empty() { Vec::new() } else { vec![run.slot] });
    };
    let now = context.now().await?;
    let to = range.to.min(now);
    let sessions = nyse.sessions(nyse.trading_day(range.from)?.date(), nyse.trading_day(to)?.date())?;
    let mornings = sessions.iter().map(morning);
    Ok(mornings.filter(|slot| (range.from..=to).contains(&slot.instant())).collect())
}

/// The newest session of NYSE whose morning has come at a slot, and that morning; none in a long closure.
pub(super) fn morning_before(context: &Context, slot: Slot) -> Result<Option<(Session, Slot)>, JobError> {
    let day = to_new_york(slot.instant()).date_naive();
    let sessions = context.calendars.nyse.sessions(day - LONGEST_CLOSURE, day)?;
    let with_morning = sessions.into_iter().map(|session| {
        let slot = morning(&session);
        (session, slot)
    });
    Ok(with_morning.rev().find(|(_, morning)| *morning <= slot))
}

/// Whether what is as of a slot was made after the open that it is for: retroactively.
pub(super) fn is_retroactive(context: &Context, as_of: Slot, made_at: DateTime<Utc>) -> Result<bool, JobError> {
    let from = as_of.instant().date_naive();
    let sessions = context.calendars.nyse.sessions(from, from + LONGEST_CLOSURE)?;
    let open = sessions.iter().map(Session::open).find(|open| *open >= as_of.instant());
    Ok(open.is_none_or(|open| made_at >= open))
}

/// What holds derived rows back; without a ledger nothing is known of it.
pub(super) fn holds(context: &Context, now: DateTime<Utc>) -> Result<Holds, JobError> {
    match &context.ledger {
        Some(ledger) => Ok(Holds::of(ledger, &context.config, now)?),
        None => Ok(Holds::default()),
    }
}
