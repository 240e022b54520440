//! The daily report: what the futures say before the open, what is decided, how whole the data is, what such signals have
//! been worth, and what to distrust.
//!
//! When: after `rules`; by hand for any morning. It is a page in `paths.reports` and one mail a day, however often it is
//! run: the mail's Message-ID is of the day. `--resend` makes both anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use crate::alert::{Letter, Picture, SendErrorClass};
use crate::calendar::Session;
use crate::job::{Context, Counts, Failure, Job, JobError, Outcome, Run, Trigger, WriteMode, origin, outbox};
use crate::report::{Pictures, Report, Sheet};
use crate::state::{Ledger, MailKind, NewMail};

use super::mornings::morning_before;
use super::report_values::gather;

const TIMEOUT: Duration = Duration::from_mins(3);

/// How long a run by hand tries to send.
const PATIENCE: Duration = Duration::from_secs(30);

/// The job `report`.
pub struct DailyReport;

#[async_trait]
impl Job for DailyReport {
    fn name(&self) -> &'static str {
        "report"
    }

    fn summary(&self) -> &'static str {
        "mails what is to be known before the open, once a day"
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        let now = context.now().await?;
        let Some((session, morning)) = morning_before(context, run.slot)? else {
            return Ok(Outcome::skipped("no session of NYSE opens near that slot"));
        };
        let post = Post::of(context, &session);
        let again = (run.request.mode == WriteMode::Replace).then_some(context.run_id.as_str());
        if run.request.mode == WriteMode::Add && post.mail_state(context).await?.is_some() {
            deliver(context, run).await?;
            let mail = match post.mail_state(context).await?.as_deref() {
                Some("sent") => "its mail was sent",
                Some("refused") => "its mail was refused for good by the server",
                Some("given_up") => "its mail was given up, as no recipient was taken in time",
                _ => "its mail waits in the outbox",
            };
            let told = format!("made already: {}, and {mail}; --resend makes and sends it anew", post.page.display());
            return Ok(Outcome::skipped(told));
        }
        let report = gather(context, (&session, morning), now).await?;
        let sheet = report.sheet();
        if run.request.mode == WriteMode::DryRun {
            let notes = sheet.text().lines().map(str::to_owned).collect();
            return Ok(Outcome { notes, ..Outcome::done(Counts { planned: 1, ..Counts::default() }) });
        }
        // The page first: whoever is killed in between makes both again.
        write_page(&post.page, &sheet.html(Pictures::Inline))?;
        let mut notes = vec![report.subject(), format!("the page is {}", post.page.display())];
        notes.push(match context.ledger.clone() {
            Some(ledger) => {
                let letter = post.letter((&report, &sheet), (again, now));
                queue(ledger, (format!("report-{}", report.day), letter), now).await?
            }
            None => "no mail: there is no ledger to queue it in".to_owned(),
        });
        notes.extend(deliver(context, run).await?);
        let counts = Counts { planned: 1, added: 1, ..Counts::default() };
        Ok(Outcome { notes, ..Outcome::done(counts) })
    }
}

/// The Message-ID of the report of a day: the same however often it is made.
pub(super) fn message_id(context: &Context, day: NaiveDate) -> String {
    format!("<jobs.report.{day}@{}>", origin(&context.config).host)
}

/// Where the report of a day goes.
struct Post {
    page: PathBuf,
    message_id: String,
    host: String,
}

impl Post {
    fn of(context: &Context, session: &Session) -> Self {
        let (day, host) = (session.day.date(), origin(&context.config).host);
        Self {
            page: context.config.paths.reports.join(format!("{day}.html")),
            message_id: message_id(context, day),
            host,
        }
    }

    async fn mail_state(&self, context: &Context) -> Result<Option<String>, JobError> {
        let Some(ledger) = context.ledger.clone() else { return Ok(None) };
        let message_id = self.message_id.clone();
        Ok(blocking(move || ledger.mail_state(&message_id)).await??)
    }

    /// The mail; one that is sent again answers the first.
    fn letter(&self, (report, sheet): (&Report, &Sheet), (again, now): (Option<&str>, DateTime<Utc>)) -> Letter {
        let again = again.map(|run_id| format!("<jobs.report.{}.{run_id}@{}>", report.day, self.host));
        let picture = |chart: &crate::report::Chart| Picture { name: chart.name.to_owned(), svg: chart.svg.clone() };
        Letter {
            follows: again.is_some().then(|| self.message_id.clone()).into_iter().collect(),
            message_id: again.unwrap_or_else(|| self.message_id.clone()),
            subject: report.subject(),
            severity: None,
            written_at: now,
            headers: vec![("X-Jobs-Report".to_owned(), report.day.to_string())],
            list: format!("report.jobs.{}", self.host),
            text: sheet.text(),
            html: sheet.html(Pictures::Attached),
            pictures: sheet.charts().map(picture).collect(),
        }
    }
}

/// Queues the mail; says so.
async fn queue(ledger: Ledger, (thread, letter): (String, Letter), now: DateTime<Utc>) -> Result<String, JobError> {
    let text = serde_json::to_string(&letter).map_err(|error| JobError::fail(Failure::Failed, error))?;
    let message_id = letter.message_id;
    let mail =
        NewMail { message_id: message_id.clone(), kind: MailKind::Report, thread, letter: text, not_before: now };
    blocking(move || ledger.queue_mail(&mail, now)).await??;
    Ok(format!("the mail is queued as {message_id}"))
}

/// Sends what is queued where somebody runs it by hand: there may be no daemon that does.
async fn deliver(context: &Context, run: &Run) -> Result<Option<String>, JobError> {
    let by_hand = run.request.trigger == Trigger::Manual && run.request.mode != WriteMode::DryRun;
    let Some(ledger) = context.ledger.clone().filter(|_| by_hand) else { return Ok(None) };
    let delivery = outbox(&context.config, ledger)?.deliver(&context.clock, PATIENCE).await?;
    match delivery.failure {
        None => Ok((delivery.num_sent > 0).then(|| format!("{} mails sent", delivery.num_sent))),
        Some((class, why)) => {
            let mail = match class {
                _ if delivery.num_in_part > 0 => "has not come to everybody (jobs alert list)",
                SendErrorClass::Refused => "will not go",
                SendErrorClass::Unavailable | SendErrorClass::Misconfigured => "waits in the outbox",
            };
            let told = format!("the report is made, and its mail {mail}: {why}");
            Err(match class {
                SendErrorClass::Unavailable => JobError::retry(Failure::Unavailable, told),
                SendErrorClass::Refused | SendErrorClass::Misconfigured => JobError::fail(Failure::Misconfigured, told),
            })
        }
    }
}

/// Writes a page at once or not at all.
fn write_page(page: &Path, html: &str) -> Result<(), JobError> {
    let written = || -> io::Result<()> {
        let folder = page.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let staged = page.with_extension(format!("{}.tmp", std::process::id()));
        fs::write(&staged, html)?;
        fs::rename(&staged, page)
    };
    written().map_err(|error| {
        let told = format!(
            "cannot write the report {} ({error}): make the folder writable, or give paths.reports another value",
            page.display()
        );
        JobError::fail(Failure::Misconfigured, told)
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JobError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| JobError::fail(Failure::Failed, error))
}
