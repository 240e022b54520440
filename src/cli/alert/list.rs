//! `jobs alert list`: incidents, mutes, and mails that wait.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::clock::{Clock, SystemClock};
use crate::job::{Failure, JobError};
use crate::state::{Incident, Ledger, MailCounts, Mute, QueuedMail, RecipientState, Unreached};
use crate::telemetry;

use super::super::output::{eastern, plain_table, print_document, print_line, print_text, right};
use super::super::settings::{Format, Globals};
use super::words::one_line;

/// How far back incidents that are over are listed.
const ALL_DAYS: i64 = 30;

/// How far back recipients are listed who will not get a mail.
const UNREACHED_DAYS: i64 = 7;

/// Recipients listed at most; the rest is counted.
const MAX_UNREACHED: usize = 20;

#[derive(Debug, Args)]
pub(in super::super) struct ListArgs {
    /// Also those that were over within the last 30 days, and recipients that did not get a mail in that time.
    #[arg(long)]
    all: bool,
}

/// What is listed.
#[derive(Default)]
struct Listing {
    incidents: Vec<Incident>,
    mutes: Vec<Mute>,
    waiting: Vec<QueuedMail>,
    unreached: Vec<Unreached>,
    mails: MailCounts,
}

/// Lists.
pub(super) fn list(globals: &Globals, args: &ListArgs) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let now = SystemClock.now();
    let listing = match Ledger::open_to_read(&config.paths.ledger())? {
        Some(ledger) if ledger.schema_version()? >= 3 => Listing {
            incidents: if args.all {
                ledger.incidents_since(now - TimeDelta::days(ALL_DAYS))?
            } else {
                ledger.open_incidents()?
            },
            mutes: ledger.mutes(now)?,
            waiting: ledger.queued_mails()?,
            unreached: ledger.unreached(now - TimeDelta::days(if args.all { ALL_DAYS } else { UNREACHED_DAYS }))?,
            mails: ledger.mail_counts()?,
        },
        // An older ledger, or none, knows of nothing.
        _ => Listing::default(),
    };
    match globals.format {
        Format::Text => text(&listing, now)?,
        Format::Json => {
            let incidents = listing.incidents.iter().map(|one| document(one, &listing.mutes, now));
            let document = json!({
                "schema": 1, "incidents": incidents.collect::<Result<Vec<_>, _>>()?, "mutes": listing.mutes,
                "mails": listing.mails, "unreached": listing.unreached,
            });
            print_document(&document, Format::Json)?;
        }
        _ => {
            for incident in &listing.incidents {
                print_line(&document(incident, &listing.mutes, now)?.to_string())?;
            }
        }
    }
    Ok(0)
}

fn text(listing: &Listing, now: DateTime<Utc>) -> Result<(), JobError> {
    if listing.incidents.is_empty() {
        print_line("no incident goes on")?;
    } else {
        let mut table = plain_table();
        table.set_header(["no.", "state", "severity", "what", "since", "failures", "last", "mails", "observed"]);
        for incident in &listing.incidents {
            let state = if muted(incident, &listing.mutes, now) { "muted" } else { incident.state.as_str() };
            table.add_row([
                right(incident.id),
                state.into(),
                incident.severity.as_str().into(),
                one_line(&incident.key.to_string()).into(),
                eastern(incident.opened_at).into(),
                right(incident.num_failures),
                eastern(incident.failed_at).into(),
                right(incident.num_mails),
                observed(incident).into(),
            ]);
        }
        print_text(&table)?;
    }
    for mute in &listing.mutes {
        print_line(&format!(
            "muted: {} until {}: {}",
            one_line(&mute.pattern),
            eastern(mute.until),
            one_line(&mute.reason)
        ))?;
    }
    let MailCounts { queued, sent, refused, given_up, left_out: _ } = listing.mails;
    print_line(&format!("mails: {sent} sent, {queued} waiting, {refused} refused, {given_up} given up"))?;
    // The newest matter most.
    let shown = listing.unreached.iter().rev().take(MAX_UNREACHED);
    shown.rev().try_for_each(|one| print_line(&unreached(one)))?;
    if let Some(more) = listing.unreached.len().checked_sub(MAX_UNREACHED).filter(|more| *more > 0) {
        print_line(&format!("and {more} more before: jobs alert list --format json"))?;
    }
    let failed = listing.waiting.iter().find_map(|mail| mail.error.as_ref());
    failed.map_or(Ok(()), |error| print_line(&format!("a mail waits because: {}", one_line(error))))
}

fn unreached(one: &Unreached) -> String {
    let Unreached { message_id, recipient, state, attempts, tried_at, again_at, error } = one;
    let (id, to) = (one_line(message_id), one_line(recipient));
    let end = match (state, again_at) {
        (RecipientState::Refused, _) => format!("was refused for good {}", eastern(*tried_at)),
        (RecipientState::GivenUp, _) => format!("was given up {} after {attempts} attempts", eastern(*tried_at)),
        (_, Some(at)) => format!("waits after {attempts} attempts, again {}", eastern(*at)),
        (_, None) => "waits".to_owned(),
    };
    let why = error.as_ref().map_or_else(String::new, |error| format!(": {}", one_line(error)));
    format!("not delivered: {id} to {to} {end}{why}")
}

fn muted(incident: &Incident, mutes: &[Mute], now: DateTime<Utc>) -> bool {
    incident.is_open() && mutes.iter().any(|mute| mute.covers(&incident.key, now))
}

fn facts(incident: &Incident) -> Json {
    serde_json::from_str(&incident.facts).unwrap_or(Json::Null)
}

fn observed(incident: &Incident) -> String {
    one_line(facts(incident).get("observed").and_then(Json::as_str).unwrap_or_default())
}

fn document(incident: &Incident, mutes: &[Mute], now: DateTime<Utc>) -> Result<Json, JobError> {
    let mut document = serde_json::to_value(incident).map_err(|error| JobError::fail(Failure::Failed, error))?;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("key".to_owned(), incident.key.to_string().into());
        fields.insert("is_muted".to_owned(), muted(incident, mutes, now).into());
        fields.insert("facts".to_owned(), facts(incident));
    }
    Ok(document)
}
