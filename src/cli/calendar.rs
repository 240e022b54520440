//! `jobs calendar`: what a market calendar says.

use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::calendar::{Calendar, CalendarId, Session, Slot, parse_instant, to_new_york};
use crate::clock::{Clock, SystemClock};
use crate::job::{Calendars, Failure, JobError, calendars};

use super::output::{eastern, plain_table, print_document, print_documents, print_line, print_text, utc};
use super::settings::{Format, Globals};

/// Exit code of `is-open` for a closed market; everything above is an error.
pub(super) const CLOSED: u8 = 1;

/// Days shown where no range is given.
const DEFAULT_DAYS: Days = Days::new(6);

/// Questions to a calendar.
#[derive(Debug, Subcommand)]
pub(super) enum CalendarCommand {
    /// Show each day of a range: hours, holidays and their reasons.
    #[command(after_help = "Example:
  jobs calendar show cme_equity --from 2026-11-23 --to 2026-11-27")]
    Show(RangeArgs),
    /// Tell by the exit code whether the market is open: 0 open, 1 closed, 255 error.
    #[command(after_help = "Examples:
  jobs calendar is-open nyse && echo open
  jobs calendar is-open cme_equity --at 2026-11-27T13:10")]
    IsOpen(InstantArgs),
    /// Tell when the market opens next.
    #[command(after_help = "Example:
  jobs calendar next-open cme_equity")]
    NextOpen(InstantArgs),
    /// List the open segments of a range.
    #[command(after_help = "Example:
  jobs calendar sessions nyse --from 2026-12-21 --to 2026-12-31 --format jsonl")]
    Sessions(RangeArgs),
}

#[derive(Debug, Args)]
pub(super) struct RangeArgs {
    /// Calendar: `cme_equity` or nyse.
    calendar: CalendarId,
    /// First day [default: today].
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// Last day [default: six days later].
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
}

#[derive(Debug, Args)]
pub(super) struct InstantArgs {
    /// Calendar: `cme_equity` or nyse.
    calendar: CalendarId,
    /// New York time, or RFC 3339 with an offset [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl InstantArgs {
    fn at(&self) -> Result<DateTime<Utc>, JobError> {
        Ok(self.at.as_deref().map(parse_instant).transpose()?.unwrap_or_else(|| SystemClock.now()))
    }
}

impl RangeArgs {
    fn range(&self) -> Result<(NaiveDate, NaiveDate), JobError> {
        let from = self.from.or(self.to).unwrap_or_else(|| to_new_york(SystemClock.now()).date_naive());
        let to = self.to.or_else(|| from.checked_add_days(DEFAULT_DAYS)).unwrap_or(from);
        if from > to {
            return Err(JobError::fail(
                Failure::Usage,
                format!("the range is reversed: {from} lies after {to}: exchange them"),
            ));
        }
        Ok((from, to))
    }
}

/// Answers a question.
pub(super) fn calendar(globals: &Globals, command: &CalendarCommand) -> Result<u8, JobError> {
    let calendars = calendars(&globals.load(Vec::new())?.config)?;
    match command {
        CalendarCommand::IsOpen(args) => is_open(pick(&calendars, args.calendar), args.at()?, globals.format),
        CalendarCommand::NextOpen(args) => next_open(pick(&calendars, args.calendar), args.at()?, globals.format),
        CalendarCommand::Sessions(args) => sessions(pick(&calendars, args.calendar), args.range()?, globals.format),
        CalendarCommand::Show(args) => show(pick(&calendars, args.calendar), args.range()?, globals.format),
    }
}

fn pick(calendars: &Calendars, id: CalendarId) -> &Calendar {
    match id {
        CalendarId::CmeEquity => &calendars.futures,
        CalendarId::Nyse => &calendars.nyse,
    }
}

fn is_open(calendar: &Calendar, at: DateTime<Utc>, format: Format) -> Result<u8, JobError> {
    let open = calendar.is_open(at)?;
    let until = match calendar.session_at(at)? {
        Some(session) => session.segments.iter().find(|s| s.contains_instant(at)).map_or(at, |s| s.close),
        None => calendar.next_open(at)?,
    };
    match format {
        Format::Text => {
            let word = if open { "open" } else { "closed" };
            print_line(&format!("{} is {word} at {}, until {}", calendar.id(), eastern(at), eastern(until)))?;
        }
        _ => print_document(
            &json!({ "calendar": calendar.id().to_string(), "at_utc": utc(at), "open": open, "until_utc": utc(until) }),
            format,
        )?,
    }
    Ok(if open { 0 } else { CLOSED })
}

fn next_open(calendar: &Calendar, at: DateTime<Utc>, format: Format) -> Result<u8, JobError> {
    let open = calendar.next_open(at)?;
    match format {
        Format::Text => print_line(&format!("{} opens next at {} ({})", calendar.id(), eastern(open), utc(open)))?,
        _ => print_document(
            &json!({ "calendar": calendar.id().to_string(), "at_utc": utc(at), "next_open_utc": utc(open) }),
            format,
        )?,
    }
    Ok(0)
}

fn sessions(calendar: &Calendar, (from, to): (NaiveDate, NaiveDate), format: Format) -> Result<u8, JobError> {
    let sessions = calendar.sessions(from, to)?;
    if format != Format::Text {
        return print_segments(&sessions, format);
    }
    let mut table = plain_table();
    table.set_header(["session", "open", "close", "kind", "slots"]);
    for session in &sessions {
        for segment in &session.segments {
            table.add_row([
                session.day.to_string(),
                eastern(segment.open),
                eastern(segment.close),
                kind(session),
                segment.num_slots().to_string(),
            ]);
        }
    }
    print_text(&table)?;
    Ok(0)
}

fn kind(session: &Session) -> String {
    if session.provisional { format!("{} (provisional)", session.kind) } else { session.kind.to_string() }
}

fn print_segments(sessions: &[Session], format: Format) -> Result<u8, JobError> {
    let segments = sessions.iter().flat_map(|session| {
        session.segments.iter().map(|segment| {
            json!({
                "session_date": session.day.to_string(),
                "open_utc": utc(segment.open),
                "close_utc": utc(segment.close),
                "kind": session.kind.to_string(),
                "provisional": session.provisional,
            })
        })
    });
    print_documents(segments.collect(), format)?;
    Ok(0)
}

fn show(calendar: &Calendar, (from, to): (NaiveDate, NaiveDate), format: Format) -> Result<u8, JobError> {
    if format != Format::Text {
        return print_segments(&calendar.sessions(from, to)?, format);
    }
    let coverage = calendar.coverage();
    print_line(&format!(
        "{}: published days from {} to {}, days after that by rule; times are New York's",
        calendar.id(),
        coverage.start(),
        coverage.end()
    ))?;
    let mut table = plain_table();
    table.set_header(["day", "hours", "regular", "kind", "slots", "reason"]);
    for day in from.iter_days().take_while(|day| *day <= to) {
        let session = calendar.session(day)?;
        let reason = calendar.reason(day)?.unwrap_or_default();
        table.add_row(day_row(day, session.as_ref(), reason));
    }
    print_text(&table)?;
    Ok(0)
}

fn day_row(day: NaiveDate, session: Option<&Session>, reason: String) -> [String; 6] {
    let name = day.format("%a %Y-%m-%d").to_string();
    let Some(session) = session else {
        return [name, "closed".to_owned(), String::new(), String::new(), "0".to_owned(), reason];
    };
    let hours =
        |open, close| format!("{} to {}", to_new_york(open).format("%a %H:%M"), to_new_york(close).format("%a %H:%M"));
    let all: Vec<String> = session.segments.iter().map(|s| hours(s.open, s.close)).collect();
    let regular = session.regular.as_ref().map_or_else(|| "none".to_owned(), |s| hours(s.open, s.close));
    let num_slots = session.slots().collect::<Vec<Slot>>().len();
    [name, all.join(", "), regular, kind(session), num_slots.to_string(), reason]
}
