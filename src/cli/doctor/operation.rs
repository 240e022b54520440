//! Checks of what goes on: ledger, daemon, pauses, mail, calendars.

use chrono::{DateTime, Utc};

use crate::alert::MailRoute;
use crate::config::Config;
use crate::job::{Calendars, Locked, lock_holder, mailer};
use crate::state::{Ledger, LedgerError, MailCounts};

use super::super::output::eastern;
use super::super::status::horizons;
use super::check::{Finding, Grade};

/// From so many days before the end of a published calendar on there is a warning.
const HORIZON_DAYS: i64 = 60;

/// The ledger: sound, of this schema, and without runs that nobody carries out.
pub(super) fn ledger(config: &Config) -> Finding {
    let path = config.paths.ledger();
    let opened = Ledger::open_to_read(&path);
    let judged = opened.and_then(|ledger| match ledger {
        Some(ledger) => judge_ledger(&ledger, config),
        None => Ok(Finding::ok(format!("{}: no run was ever recorded", path.display()))),
    });
    judged.unwrap_or_else(|error| Finding::failed(&error))
}

fn judge_ledger(ledger: &Ledger, config: &Config) -> Result<Finding, LedgerError> {
    ledger.integrity_check()?;
    let locks = config.paths.locks();
    let holder = |job: &str| lock_holder(&locks.join(Locked::Job(job).file_name())).map(|holder| holder.run_id);
    let running = ledger.all_running()?;
    let dead: Vec<&str> =
        running.iter().filter(|row| holder(&row.job) != row.run_id).map(|row| row.job.as_str()).collect();
    let found = format!(
        "{} is sound, schema {}, {} running",
        ledger.path().display(),
        ledger.schema_version()?,
        running.len() - dead.len()
    );
    if dead.is_empty() {
        return Ok(Finding::ok(found));
    }
    let found = format!("{found}; left running by processes that are gone: {}", dead.join(", "));
    Ok(Finding::warn(found, "the next run of the job closes them"))
}

/// Whether a daemon carries the schedules out.
pub(super) fn daemon(config: &Config) -> Finding {
    match lock_holder(&config.paths.locks().join(Locked::Daemon.file_name())) {
        Some(holder) => Finding::ok(format!("process {}, since {}", holder.pid, eastern(holder.since))),
        None => {
            Finding::warn("none is running, so nothing runs by itself", "start jobs serve, or have timers run the jobs")
        }
    }
}

/// Jobs that are left out.
pub(super) fn pauses(config: &Config, now: DateTime<Utc>) -> Finding {
    let all = || {
        Ok::<_, LedgerError>(match Ledger::open_to_read(&config.paths.ledger())? {
            Some(ledger) => ledger.all_paused(now)?,
            None => Vec::new(),
        })
    };
    let Ok(paused) = all() else {
        return Finding::warn("unknown: the ledger cannot be read", "mend the ledger first");
    };
    if paused.is_empty() {
        return Finding::ok("no job is paused");
    }
    let told: Vec<String> = paused
        .iter()
        .map(|pause| {
            let end =
                pause.until.map_or_else(|| "without an end".to_owned(), |until| format!("until {}", eastern(until)));
            format!("{} {end}: {}", pause.job, pause.reason)
        })
        .collect();
    Finding::warn(told.join("; "), "jobs resume NAME ends a pause")
}

/// How mails leave, and whether some wait.
pub(super) fn mail(config: &Config) -> Finding {
    let destination = match mailer(config) {
        Ok(mailer) => mailer.destination(),
        Err(error) => return Finding::failed(&error),
    };
    let counts = Ledger::open_to_read(&config.paths.ledger()).and_then(|ledger| match ledger {
        Some(ledger) if ledger.schema_version()? >= 3 => ledger.mail_counts(),
        _ => Ok(MailCounts::default()),
    });
    let Ok(MailCounts { queued, refused, given_up, left_out, sent: _ }) = counts else {
        return Finding::warn("unknown: the ledger cannot be read", "mend the ledger first");
    };
    if queued + refused + given_up + left_out > 0 {
        let found = format!(
            "{queued} mails wait for {destination}, {refused} were refused, {given_up} given up, and {left_out} \
             recipients will not get a mail that others got"
        );
        return Finding::warn(found, "jobs alert list names the recipients, jobs alert test says what is wrong");
    }
    match config.mail.kind {
        MailRoute::Smtp => Finding::ok(format!("alerts go to {destination}; jobs alert test sends one")),
        MailRoute::File | MailRoute::Memory => {
            Finding::warn(format!("alerts go to {destination}, where nobody is called"), "give mail.kind smtp a server")
        }
    }
}

/// How far the published calendars reach.
pub(super) fn calendars(calendars: &Calendars, now: DateTime<Utc>) -> Finding {
    let all = horizons(calendars, now);
    let told: Vec<String> =
        all.iter().map(|one| format!("{} to {} ({} days)", one.calendar, one.date, one.days)).collect();
    let is_near = all.iter().any(|one| one.days < HORIZON_DAYS);
    let remedy =
        "update the program, or give days that deviate in calendar.override_file; days after that follow the rules";
    let grade = if is_near { Grade::Warn } else { Grade::Ok };
    Finding { grade, found: format!("published: {}", told.join(", ")), remedy: is_near.then(|| remedy.to_owned()) }
}

#[cfg(test)]
mod tests {
    use crate::calendar::parse_instant;

    use super::*;

    #[test]
    fn the_end_of_the_calendars_is_told_in_time() {
        let both = crate::job::calendars(&Config::default()).expect("embedded");
        let judged = |text| calendars(&both, parse_instant(text).expect("New York time")).grade;
        assert_eq!(judged("2026-11-01T12:00"), Grade::Ok);
        let end = both.nyse.coverage().end().to_string();
        assert_eq!(judged(&format!("{end}T12:00")), Grade::Warn);
    }
}
