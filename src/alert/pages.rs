//! The page of each kind of mail: one incident, several of one run, what was held back, and a test.

use chrono::{DateTime, Utc};

use crate::state::{Incident, Severity};

use super::incident::Note;
use super::observation::{Facts, Looker};
use super::origin::Origin;
use super::page::{Group, Page, Table, Tone};
use super::words::{both_times, both_windows, counted, length};

/// What all pages of a run share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) looker: &'a Looker,
    pub(super) origin: &'a Origin,
    pub(super) now: DateTime<Utc>,
    pub(super) repeat_hours: i64,
}

impl Scene<'_> {
    /// The page of one incident. `followers` are others that were held back because they follow from it.
    pub(super) fn of_incident(&self, incident: &Incident, note: Note, followers: &[String]) -> Page {
        let facts: Facts = serde_json::from_str(&incident.facts).unwrap_or_default();
        let what = what(incident);
        let lead = self.lead(incident, note, &facts);
        // What is over needs nothing to be done about it.
        let is_over = note == Note::Recovered;
        let facts = if is_over { over(incident, facts) } else { facts };
        let mut page = Page {
            tone: tone(note, incident.severity),
            preheader: lead.clone(),
            headline: format!("{} · {} · {what}", note.word(), incident.severity.as_str().to_uppercase()),
            lead,
            facts: self.facts(incident, &facts),
            groups: Vec::new(),
            table: Table::new(&facts.sample),
            caption: facts.series.as_ref().and_then(|series| caption(series, &what)),
            runbook: facts.runbook.clone(),
            commands: facts.next.clone(),
            footer: self.footer(),
        };
        if !followers.is_empty() {
            page.groups.push(Group::new("Held back, because it follows from this", followers));
        }
        page.commands.push(format!("jobs logs {} -n 50", self.looker.job));
        if note != Note::Recovered {
            let key = quoted(&incident.key.to_string());
            page.commands.push(format!("jobs alert mute {key} --for 2h --reason \"I know\""));
        }
        page.cleaned()
    }

    /// The page of several incidents of one run, by check.
    pub(super) fn of_several(&self, told: &[(Incident, Note)], followers: &[String]) -> Page {
        let worst = told.iter().map(|(incident, _)| incident.severity).max().unwrap_or(Severity::Warn);
        let all_over = told.iter().all(|(_, note)| *note == Note::Recovered);
        let lead =
            format!("{} of one run: {}", counted(count(told.len()), "alert"), checks(told.iter().map(|(i, _)| i)));
        let mut groups = grouped(told.iter().map(|(incident, note)| (incident, format!("{}: ", note.word()))));
        if !followers.is_empty() {
            groups.push(Group::new("Held back, because it follows from these", followers));
        }
        Page {
            tone: if all_over { Tone::Good } else { tone(Note::Opened, worst) },
            preheader: lead.clone(),
            headline: format!("{} ALERTS · {}", told.len(), worst.as_str().to_uppercase()),
            lead,
            facts: self.run_facts(),
            groups,
            table: None,
            caption: None,
            runbook: String::new(),
            commands: vec!["jobs alert list".to_owned(), format!("jobs logs {} -n 50", self.looker.job)],
            footer: self.footer(),
        }
        .cleaned()
    }

    /// The page of what the bound of mails in an hour held back.
    pub(super) fn of_held_back(&self, held: &[Incident]) -> Page {
        let lead = format!("{} more held back: more mails in an hour than alert.hourly_cap allows", held.len());
        Page {
            tone: Tone::Warn,
            preheader: lead.clone(),
            headline: format!("{} MORE ALERTS WERE HELD BACK", held.len()),
            lead,
            facts: self.run_facts(),
            groups: grouped(held.iter().map(|incident| (incident, format!("{}: ", incident.state.as_str())))),
            table: None,
            caption: None,
            runbook: String::new(),
            commands: vec!["jobs alert list".to_owned()],
            footer: self.footer(),
        }
        .cleaned()
    }

    /// The page of a test.
    pub(super) fn of_test(&self) -> Page {
        let lead = format!("Mail from {} arrives: this is what an alert looks like.", self.origin.host);
        Page {
            tone: Tone::Good,
            preheader: lead.clone(),
            headline: "TEST · mail of jobs works".to_owned(),
            lead,
            facts: vec![
                ("Sent", both_times(self.now)),
                ("Host", self.origin.host.clone()),
                ("Version", self.origin.version.clone()),
                ("Configuration", self.origin.config_hash.clone()),
            ],
            groups: Vec::new(),
            table: None,
            caption: None,
            runbook: String::new(),
            commands: vec!["jobs alert list".to_owned()],
            footer: vec![format!(
                "You get this mail ({}) because somebody ran jobs alert test.",
                self.origin.recipients
            )],
        }
        .cleaned()
    }

    fn lead(&self, incident: &Incident, note: Note, facts: &Facts) -> String {
        let lasted = length(incident.resolved_at.unwrap_or(self.now) - incident.opened_at);
        let failures = counted(incident.num_failures, "failure");
        let seen = if facts.observed.is_empty() { String::new() } else { format!(": {}", facts.observed) };
        let held = match (note, incident.num_held_back) {
            (_, 0) => String::new(),
            (Note::Recovered, mails) => {
                format!(
                    "; {} held back meanwhile",
                    if mails == 1 { "1 mail was".to_owned() } else { format!("{mails} mails were") }
                )
            }
            (_, mails) => format!("; {} held back before", counted(mails, "mail")),
        };
        match note {
            Note::Opened if incident.num_failures > 1 => format!("Failing for {lasted}, {failures}{held}{seen}"),
            Note::Opened => format!("It failed{held}{seen}"),
            Note::Raised => format!("It got worse after {lasted}, {failures}{held}{seen}"),
            Note::Reminder => format!("It still fails after {lasted}, {failures}{held}{seen}"),
            Note::Reopened => format!(
                "It fails again soon after it was over, for the {} time: it flaps{held}{seen}",
                ordinal(incident.num_reopened)
            ),
            Note::Recovered => format!("RESOLVED after {lasted}, {failures}{held}"),
        }
    }

    fn facts(&self, incident: &Incident, facts: &Facts) -> Vec<(&'static str, String)> {
        let key = &incident.key;
        let in_a_row = match incident.failures_in_a_row {
            0 => "it passes now".to_owned(),
            number => format!("{} in a row", counted(number, "failure")),
        };
        let mut all = vec![
            ("Check", key.check.clone()),
            ("Table", key.table.clone()),
            ("Subject", key.subject.clone()),
            ("Session", if key.session.is_empty() { facts.session.clone() } else { key.session.clone() }),
            ("Window", facts.window.map_or_else(String::new, both_windows)),
            ("Observed", facts.observed.clone()),
            ("Expected", facts.expected.clone()),
            ("Threshold", facts.threshold.clone()),
            ("Bad rows", facts.bad_rows.map_or_else(String::new, share)),
            ("Since", format!("{}, {in_a_row}", both_times(incident.opened_at))),
            ("Last pass", incident.passed_at.map_or_else(String::new, both_times)),
            ("Held jobs", facts.held_jobs.join(", ")),
            ("Done", facts.done.clone()),
            ("Incident", incident.id.to_string()),
        ];
        all.extend(self.run_facts());
        all
    }

    fn run_facts(&self) -> Vec<(&'static str, String)> {
        let Looker { job, run_id, slot } = self.looker;
        let Origin { host, version, config_hash, .. } = self.origin;
        vec![
            ("Found", both_times(self.now)),
            ("Run", format!("{run_id} of {job}, slot {}", both_times(*slot))),
            ("Host", format!("{host}, version {version}, configuration {config_hash}")),
        ]
    }

    fn footer(&self) -> Vec<String> {
        let Origin { host, recipients, .. } = self.origin;
        vec![
            format!("You get this mail ({recipients}) because jobs on {host} tells what needs a person."),
            format!(
                "While it goes on you are told again every {} h; jobs alert mute keeps it quiet for a while.",
                self.repeat_hours
            ),
        ]
    }
}

/// The facts of an incident that is over: what it was and how long it lasted.
fn over(incident: &Incident, facts: Facts) -> Facts {
    let lasted = incident.resolved_at.map(|end| (incident.opened_at, end));
    Facts {
        window: lasted.or(facts.window),
        held_jobs: Vec::new(),
        done: String::new(),
        next: Vec::new(),
        runbook: String::new(),
        ..facts
    }
}

fn tone(note: Note, severity: Severity) -> Tone {
    match (note, severity) {
        (Note::Recovered, _) => Tone::Good,
        (_, Severity::Warn) => Tone::Warn,
        (_, Severity::Error | Severity::Critical) => Tone::Bad,
    }
}

/// What an incident is about, as its subject line says it.
pub(super) fn what(incident: &Incident) -> String {
    let key = &incident.key;
    let parts = [&*key.check, &*key.subject, &*key.session];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn caption(series: &super::observation::Series, what: &str) -> Option<String> {
    let missing = series.points.iter().filter(|(_, value)| value.is_none()).count();
    super::chart::svg(series)?;
    let holes = match missing {
        0 => "no value is missing".to_owned(),
        number => format!("{} missing, marked red at the foot", counted(count(number), "value")),
    };
    Some(format!("{}, around {what}; {holes}; the band is the time at fault", series.title))
}

/// Lists by check, worst first as they come.
fn grouped<'a>(told: impl Iterator<Item = (&'a Incident, String)>) -> Vec<Group> {
    let mut checks: Vec<(String, Vec<String>)> = Vec::new();
    for (incident, state) in told {
        let facts: Facts = serde_json::from_str(&incident.facts).unwrap_or_default();
        let subject = [&*incident.key.table, &*incident.key.subject, &*incident.key.session];
        let subject = subject.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let seen = if facts.observed.is_empty() { String::new() } else { format!(", {}", facts.observed) };
        let line = format!("{state}{subject} ({}){seen}", incident.severity);
        match checks.iter_mut().find(|(check, _)| *check == incident.key.check) {
            Some((_, lines)) => lines.push(line),
            None => checks.push((incident.key.check.clone(), vec![line])),
        }
    }
    checks.iter().map(|(check, lines)| Group::new(&format!("{check}: {}", lines.len()), lines)).collect()
}

/// The names of the checks, each once.
pub(super) fn checks<'a>(incidents: impl Iterator<Item = &'a Incident>) -> String {
    let mut names: Vec<&str> = incidents.map(|incident| incident.key.check.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(3);
    let told = names.into_iter().take(3).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{told} and {more} more") } else { told }
}

fn share((bad, all): (u64, u64)) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a share for a person, of far fewer than 2^52 rows")]
    let percent = if all == 0 { 0.0 } else { bad as f64 / all as f64 * 100.0 };
    format!("{bad} of {all} ({percent:.1}%)")
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn ordinal(number: u32) -> String {
    match (number, number % 10) {
        (11..=13, _) => format!("{number}th"),
        (_, 1) => format!("{number}st"),
        (_, 2) => format!("{number}nd"),
        (_, 3) => format!("{number}rd"),
        _ => format!("{number}th"),
    }
}

/// The key as one word of a shell.
fn quoted(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._:-".contains(c);
    if !key.is_empty() && key.chars().all(is_plain) {
        key.to_owned()
    } else {
        format!("'{}'", key.replace('\'', r"'\''"))
    }
}
