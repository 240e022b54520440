//! Writes the mails of a run: pages to letters, with subject, thread and headers.

use chrono::{DateTime, Utc};

use crate::state::{Incident, MailKind, NewMail, Severity};

use super::chart;
use super::html::html;
use super::incident::Note;
use super::letter::{Letter, Picture};
use super::observation::Facts;
use super::page::Page;
use super::pages::{Scene, checks, what};
use super::plan::Setting;
use super::text::text;
use super::words::{counted, length};

/// Writes the mails of a run.
pub(super) struct Writer<'a> {
    scene: Scene<'a>,
    mails: Vec<NewMail>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(setting: Setting<'a>) -> Self {
        let Setting { policy, origin, looker, now } = setting;
        Self {
            scene: Scene { looker, origin, now, repeat_hours: policy.repeat_interval.num_hours() },
            mails: Vec::new(),
        }
    }

    /// The mail of one incident, which counts it; gives its Message-ID.
    pub(super) fn incident(
        &mut self,
        (incident, note): (&mut Incident, Note),
        (followers, not_before): (&[String], DateTime<Utc>),
    ) -> String {
        incident.num_mails = incident.num_mails.saturating_add(1);
        let message_id = self.message_id(&incident.id.to_string(), incident.num_mails);
        let severity = incident.severity;
        // It stays as it was first, so that mail programs see one thread.
        let subject = incident.mail_subject.take().unwrap_or_else(|| subject_of(severity, &what(incident)));
        incident.mail_subject = Some(subject.clone());
        let page = self.scene.of_incident(incident, note, followers);
        let follows = follows(incident);
        let mut letter = self.letter(&page, (message_id.clone(), subject, severity));
        letter.follows = follows;
        letter.headers.push(("X-Jobs-Check".to_owned(), incident.key.check.clone()));
        letter.headers.push(("X-Jobs-Incident".to_owned(), incident.id.to_string()));
        letter.headers.push(("X-Jobs-State".to_owned(), note.word().to_lowercase()));
        if page.caption.is_some() {
            letter.pictures = pictures(incident);
        }
        self.queue(MailKind::Alert, (&incident.id.to_string(), &letter), not_before);
        message_id
    }

    /// One mail for several incidents of a run; gives its Message-ID.
    pub(super) fn several(
        &mut self,
        (told, followers): (&[(Incident, Note)], &[String]),
        (worst, not_before): (Severity, DateTime<Utc>),
    ) -> String {
        let thread = format!("run-{}-{}", self.scene.looker.run_id, self.scene.now.timestamp_micros());
        let message_id = self.message_id(&thread, 1);
        let day = self.scene.now.format("%Y-%m-%d");
        let names = checks(told.iter().map(|(incident, _)| incident));
        let subject = subject_of(worst, &format!("{} alerts: {names} {day}", told.len()));
        let letter = self.letter(&self.scene.of_several(told, followers), (message_id.clone(), subject, worst));
        self.queue(MailKind::Alert, (&thread, &letter), not_before);
        message_id
    }

    /// A Message-ID for a summary of the hour.
    pub(super) fn new_summary_id(&self) -> String {
        self.message_id(&format!("held-{}", self.scene.now.timestamp_micros()), 1)
    }

    /// The mail of what the hour's bound held back, new or instead of the one that waits under this Message-ID.
    pub(super) fn summary(&mut self, held: &[Incident], (message_id, not_before): (String, DateTime<Utc>)) {
        let worst = held.iter().map(|incident| incident.severity).max().unwrap_or(Severity::Warn);
        let subject = subject_of(worst, &format!("{} more alerts were held back", held.len()));
        let letter = self.letter(&self.scene.of_held_back(held), (message_id.clone(), subject, worst));
        self.queue(MailKind::HeldBack, (&message_id, &letter), not_before);
    }

    pub(super) fn into_mails(self) -> Vec<NewMail> {
        self.mails
    }

    fn message_id(&self, thread: &str, number: u32) -> String {
        let fit = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
        let thread: String = thread.chars().take(64).map(fit).collect();
        format!("<jobs.{thread}.{number}@{}>", self.scene.origin.host)
    }

    fn letter(&self, page: &Page, (message_id, subject, severity): (String, String, Severity)) -> Letter {
        let headers = vec![
            ("X-Jobs-Severity".to_owned(), severity.as_str().to_owned()),
            ("X-Jobs-Run-Id".to_owned(), self.scene.looker.run_id.clone()),
        ];
        Letter {
            message_id,
            follows: Vec::new(),
            subject,
            severity: Some(severity),
            written_at: self.scene.now,
            headers,
            list: format!("alerts.jobs.{}", self.scene.origin.host),
            text: text(page),
            html: html(page),
            pictures: Vec::new(),
        }
    }

    fn queue(&mut self, kind: MailKind, (thread, letter): (&str, &Letter), not_before: DateTime<Utc>) {
        let text = serde_json::to_string(letter).unwrap_or_else(|_| "{}".to_owned());
        let (message_id, thread) = (letter.message_id.clone(), thread.to_owned());
        self.mails.push(NewMail { message_id, kind, thread, letter: text, not_before });
    }
}

/// The letter of a test, which goes at once and is not queued.
pub(super) fn test_letter(setting: Setting<'_>) -> Letter {
    let writer = Writer::new(setting);
    let page = writer.scene.of_test();
    let message_id = writer.message_id(&format!("test-{}", setting.now.timestamp_micros()), 1);
    let mut letter = writer.letter(&page, (message_id, "[jobs] TEST of the mail".to_owned(), Severity::Warn));
    letter.severity = None;
    letter
}

/// What a mail about a cause says of an incident that follows from it.
pub(super) fn follower_line(incident: &Incident) -> String {
    let lasted = length(incident.resolved_at.unwrap_or(incident.failed_at) - incident.opened_at);
    let state = match (incident.is_open(), incident.passes_in_a_row) {
        (false, _) => "over",
        (true, 0) => "goes on",
        (true, _) => "passes again",
    };
    let failures = counted(incident.num_failures, "failure");
    let table = if incident.key.table.is_empty() { String::new() } else { format!(" in {}", incident.key.table) };
    format!("{}{table}: {failures}, {lasted}, {state}", what(incident))
}

fn subject_of(severity: Severity, what: &str) -> String {
    format!("[jobs] {} {what}", severity.as_str().to_uppercase())
}

/// The mails before it: the first and the newest.
fn follows(incident: &Incident) -> Vec<String> {
    let mut before: Vec<String> = [&incident.first_mail, &incident.last_mail].into_iter().flatten().cloned().collect();
    before.dedup();
    before
}

fn pictures(incident: &Incident) -> Vec<Picture> {
    let facts: Facts = serde_json::from_str(&incident.facts).unwrap_or_default();
    let svg = facts.series.as_ref().and_then(chart::svg);
    svg.map(|svg| Picture { name: "chart".to_owned(), svg }).into_iter().collect()
}
