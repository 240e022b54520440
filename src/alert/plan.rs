//! What a run's checks change: which incidents, which mails, and which of them wait. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::state::{AlertChanges, AlertsBefore, CheckMark, Incident, IncidentKey, Mute, Severity};

use super::incident::{Note, Step, Verdict, step};
use super::observation::{Looker, Observation};
use super::origin::Origin;
use super::policy::{CLOCK_DIFFERS, GATEWAY_DOWN, Policy};
use super::writer::{Writer, follower_line};

/// Held back by a mute.
const MUTE: &str = "mute";

/// Held back by the bound of mails in an hour.
const CAP: &str = "cap";

/// What is the same for everything that a run saw.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// Where mails come from.
    pub origin: &'a Origin,
    /// The run that looked.
    pub looker: &'a Looker,
    /// When.
    pub now: DateTime<Utc>,
}

/// Says what is to be written for what a run saw.
#[must_use]
pub fn plan(setting: Setting<'_>, observations: &[Observation], before: AlertsBefore) -> AlertChanges {
    let mut book = Book::new(setting, before);
    // A cause stands before what follows from it.
    let is_cause = |seen: &&Observation| [GATEWAY_DOWN, CLOCK_DIFFERS].contains(&seen.key.check.as_str());
    let (causes, others): (Vec<_>, Vec<_>) = observations.iter().partition(is_cause);
    let told: Vec<Told> = causes.into_iter().chain(others).filter_map(|seen| book.take_in(seen)).collect();
    let due = book.not_held(told);
    book.mail(due);
    book.changes(observations.iter().map(|seen| mark(setting, seen)).collect())
}

fn mark(Setting { looker, now, .. }: Setting<'_>, seen: &Observation) -> CheckMark {
    CheckMark {
        check: seen.key.check.clone(),
        table: seen.key.table.clone(),
        subject: seen.key.subject.clone(),
        slot: looker.slot,
        run_id: looker.run_id.clone(),
        status: seen.status,
        looked_at: now,
    }
}

/// Something to be told about an incident.
#[derive(Debug, Clone)]
struct Told {
    id: i64,
    note: Note,
    follows_from: Option<String>,
}

/// The incidents as they become.
struct Book<'a> {
    setting: Setting<'a>,
    incidents: BTreeMap<i64, Incident>,
    as_they_were: BTreeMap<i64, Incident>,
    newest: BTreeMap<IncidentKey, i64>,
    mutes: Vec<Mute>,
    queued_at: Vec<DateTime<Utc>>,
    summary: Option<String>,
    next_id: i64,
    writer: Writer<'a>,
}

impl<'a> Book<'a> {
    fn new(setting: Setting<'a>, before: AlertsBefore) -> Self {
        let incidents: BTreeMap<i64, Incident> = before.incidents.into_iter().map(|one| (one.id, one)).collect();
        let newest = incidents.values().map(|one| (one.key.clone(), one.id)).collect();
        let mut book = Self {
            setting,
            as_they_were: incidents.clone(),
            incidents,
            newest,
            mutes: before.mutes,
            queued_at: before.queued_at,
            summary: before.summary,
            next_id: before.next_id,
            writer: Writer::new(setting),
        };
        if book.summary.is_none() {
            // The summary is on its way: what it tells is told.
            book.incidents
                .values_mut()
                .filter(|one| one.held_by.as_deref() == Some(CAP))
                .for_each(|one| one.held_by = None);
        }
        book
    }

    /// Takes one check in, and says what is to be told about it.
    fn take_in(&mut self, seen: &Observation) -> Option<Told> {
        let Setting { policy, now, .. } = self.setting;
        let known = self.newest.get(&seen.key).and_then(|id| self.incidents.get(id));
        let verdict = seen.verdict()?;
        let has_failed = matches!(verdict, Verdict::Failed(_));
        let causes = [Some(seen.key.check.as_str()), seen.follows_from.as_deref()];
        let is_expected = has_failed && policy.is_expected(causes, now);
        if is_expected && !known.is_some_and(Incident::is_open) {
            return None;
        }
        let Step { mut incident, note } = step((&seen.key, known), verdict, (now, policy))?;
        if incident.id == 0 {
            incident.id = self.next_id;
            self.next_id += 1;
            self.newest.insert(incident.key.clone(), incident.id);
        }
        if has_failed {
            incident.facts = serde_json::to_string(&seen.facts).unwrap_or_else(|_| "{}".to_owned());
        }
        let id = incident.id;
        self.incidents.insert(id, incident);
        let note = note.filter(|_| !is_expected)?;
        Some(Told { id, note, follows_from: seen.follows_from.clone() })
    }

    /// Those that nothing holds back.
    fn not_held(&mut self, told: Vec<Told>) -> Vec<(i64, Note)> {
        told.into_iter().filter_map(|one| self.passes(&one).then_some((one.id, one.note))).collect()
    }

    fn passes(&mut self, told: &Told) -> bool {
        let now = self.setting.now;
        let cause = told.follows_from.as_deref().and_then(|check| self.cause(check));
        let held_by = self.incidents.get(&told.id).and_then(held_by_cause);
        let is_explained = held_by.is_some_and(|id| self.explains(id));
        let Some(incident) = self.incidents.get_mut(&told.id) else { return false };
        let is_muted = self.mutes.iter().any(|mute| mute.covers(&incident.key, now));
        if told.note == Note::Recovered {
            // What was never told is over as silently: the mails about its cause have told it, or will.
            let is_silent = incident.told_severity.is_none() && held_by.is_some();
            if is_silent && !is_explained {
                incident.held_by = None;
            }
            return !is_silent;
        }
        let held_by = match cause {
            Some(cause) => cause.to_string(),
            None if is_muted => MUTE.to_owned(),
            None => return true,
        };
        incident.num_held_back = incident.num_held_back.saturating_add(1);
        incident.held_by = Some(held_by);
        false
    }

    /// The incident of a check that explains others now.
    fn cause(&self, check: &str) -> Option<i64> {
        let of_check = self.incidents.values().filter(|one| one.key.check == check);
        of_check.map(|one| one.id).find(|id| self.explains(*id))
    }

    /// Whether an incident explains others: while it goes on, and in the run that finds its end, whose mail names them.
    fn explains(&self, id: i64) -> bool {
        let now = self.setting.now;
        self.incidents.get(&id).is_some_and(|one| one.is_open() || one.resolved_at == Some(now))
    }

    /// Writes the mails: each its own, or one for all of a run that has many; the rest of the hour's bound is summed up.
    fn mail(&mut self, mut due: Vec<(i64, Note)>) {
        let severity = |id: &i64| self.incidents.get(id).map_or(Severity::Warn, |one| one.severity);
        due.sort_by_key(|(id, _)| (std::cmp::Reverse(severity(id)), *id));
        let room = self.setting.policy.hourly_cap.saturating_sub(self.queued_at.len());
        if due.len() > self.setting.policy.digest_above {
            if room > 0 {
                self.mail_together(&due);
            } else {
                self.hold_for_the_hour(&due);
            }
            return;
        }
        let (now_due, later) = due.split_at(room.min(due.len()));
        for (id, note) in now_due {
            self.mail_one(*id, *note);
        }
        if !later.is_empty() {
            self.hold_for_the_hour(later);
        }
    }

    fn mail_one(&mut self, id: i64, note: Note) {
        let Setting { policy, now, .. } = self.setting;
        let followers = self.followers(id, note);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let not_before = policy.not_before(incident.severity, now);
        let message_id = self.writer.incident((&mut *incident, note), (&followers, not_before));
        told_by(incident, &message_id, now);
    }

    /// What was held back because it follows from an incident; what of it is over is settled when that one is over.
    fn followers(&mut self, id: i64, note: Note) -> Vec<String> {
        let mut lines = Vec::new();
        for follower in self.incidents.values_mut().filter(|one| held_by_cause(one) == Some(id)) {
            lines.push(follower_line(follower));
            if note == Note::Recovered && !follower.is_open() {
                follower.held_by = None;
            }
        }
        lines
    }

    fn mail_together(&mut self, due: &[(i64, Note)]) {
        let Setting { policy, now, .. } = self.setting;
        let followers: Vec<String> = due.iter().flat_map(|(id, note)| self.followers(*id, *note)).collect();
        let all: Vec<(Incident, Note)> =
            due.iter().filter_map(|(id, note)| Some((self.incidents.get(id)?.clone(), *note))).collect();
        let worst = all.iter().map(|(incident, _)| incident.severity).max().unwrap_or(Severity::Warn);
        let message_id = self.writer.several((&all, &followers), (worst, policy.not_before(worst, now)));
        for (id, _) in due {
            if let Some(incident) = self.incidents.get_mut(id) {
                told_by(incident, &message_id, now);
            }
        }
    }

    /// Puts them into the summary that goes when the hour is over, with what follows from those that are over.
    fn hold_for_the_hour(&mut self, due: &[(i64, Note)]) {
        let now = self.setting.now;
        let message_id = self.summary.clone().unwrap_or_else(|| self.writer.new_summary_id());
        let over: Vec<i64> = due.iter().filter(|(_, note)| *note == Note::Recovered).map(|(id, _)| *id).collect();
        let follows = |one: &Incident| held_by_cause(one).is_some_and(|cause| over.contains(&cause));
        for incident in self.incidents.values_mut() {
            if due.iter().any(|(id, _)| *id == incident.id) || (follows(incident) && !incident.is_open()) {
                told_by(incident, &message_id, now);
                incident.held_by = Some(CAP.to_owned());
            }
        }
        let mut held: Vec<Incident> =
            self.incidents.values().filter(|one| one.held_by.as_deref() == Some(CAP)).cloned().collect();
        held.sort_by_key(|one| (std::cmp::Reverse(one.severity), one.id));
        let oldest = self.queued_at.first().copied().unwrap_or(now);
        let not_before = (oldest + TimeDelta::hours(1)).max(now + TimeDelta::minutes(1));
        self.writer.summary(&held, (message_id, not_before));
    }

    fn changes(self, marks: Vec<CheckMark>) -> AlertChanges {
        let is_changed = |one: &Incident| self.as_they_were.get(&one.id) != Some(one);
        AlertChanges {
            incidents: self.incidents.values().filter(|one| is_changed(one)).cloned().collect(),
            mails: self.writer.into_mails(),
            marks,
        }
    }
}

/// Notes that a mail tells an incident.
fn told_by(incident: &mut Incident, message_id: &str, now: DateTime<Utc>) {
    incident.told_severity = Some(incident.severity);
    incident.mailed_at = Some(now);
    incident.num_held_back = 0;
    incident.held_by = None;
    incident.first_mail.get_or_insert_with(|| message_id.to_owned());
    incident.last_mail = Some(message_id.to_owned());
}

/// The number of the incident that this one follows from.
fn held_by_cause(incident: &Incident) -> Option<i64> {
    incident.held_by.as_deref()?.parse().ok()
}
