//! One transaction for all that a run's checks change: incidents, the mails about them, and the marks of the checks.

use chrono::{DateTime, TimeDelta, Utc};

use super::mail::{queued_since, waiting_summary};
use super::{CheckMark, Incident, IncidentKey, Ledger, LedgerError, Mute, NewMail};

/// What is known before the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsBefore {
    /// The newest incident of each key asked for, and every one that goes on or is still to be summed up; by number.
    pub incidents: Vec<Incident>,
    /// What is muted.
    pub mutes: Vec<Mute>,
    /// When alerts were queued within the last hour, oldest first.
    pub queued_at: Vec<DateTime<Utc>>,
    /// Message-ID of the summary of the hour, while it waits.
    pub summary: Option<String>,
    /// Number of the next incident.
    pub next_id: i64,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertChanges {
    /// Incidents, new and changed.
    pub incidents: Vec<Incident>,
    /// Mails to queue.
    pub mails: Vec<NewMail>,
    /// Marks of checks.
    pub marks: Vec<CheckMark>,
}

impl Ledger {
    /// Changes incidents and queues the mails about them: both or neither, also where the process is killed. `plan` is
    /// given what is known and says what is to be written; nobody else changes an incident meanwhile. Gives the number
    /// of mails queued.
    ///
    /// # Errors
    /// Where the ledger cannot be written; then nothing is.
    pub fn change_alerts(
        &self,
        (keys, now): (&[IncidentKey], DateTime<Utc>),
        plan: impl FnOnce(AlertsBefore) -> AlertChanges,
    ) -> Result<usize, LedgerError> {
        self.write("note incidents in", |transaction| {
            let mut incidents = Incident::current(transaction)?;
            for key in keys {
                incidents.extend(Incident::newest(transaction, key)?);
            }
            incidents.sort_by_key(|incident| incident.id);
            incidents.dedup_by_key(|incident| incident.id);
            let changes = plan(AlertsBefore {
                incidents,
                mutes: Mute::all(transaction, now)?,
                queued_at: queued_since(transaction, now - TimeDelta::hours(1), now)?,
                summary: waiting_summary(transaction, now)?,
                next_id: Incident::next_id(transaction)?,
            });
            changes.incidents.iter().try_for_each(|incident| incident.write(transaction))?;
            changes.marks.iter().try_for_each(|mark| mark.write(transaction))?;
            changes.mails.iter().map(|mail| mail.write(transaction, now).map(usize::from)).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NOW, incident, ledger, slot};
    use super::super::{CheckStatus, IncidentState, MailKind};
    use super::*;

    fn mark(status: CheckStatus, number: i32) -> CheckMark {
        CheckMark {
            check: "keys.unique".into(),
            table: "futures_snapshots".into(),
            subject: "ES".into(),
            slot: slot(number),
            run_id: "r1".into(),
            status,
            looked_at: slot(number),
        }
    }

    fn mail(number: u32) -> NewMail {
        NewMail {
            message_id: format!("<jobs.1.{number}@host>"),
            kind: MailKind::Alert,
            thread: "1".into(),
            letter: "{}".into(),
            not_before: NOW,
        }
    }

    #[test]
    fn incidents_mails_and_marks_are_written_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let open = incident(1);
        let changes = AlertChanges {
            incidents: vec![open.clone()],
            mails: vec![mail(1)],
            marks: vec![mark(CheckStatus::Fail, 0), mark(CheckStatus::Pass, 1), mark(CheckStatus::Error, 1)],
        };
        let queued = ledger.change_alerts((&[], NOW), |before| {
            assert_eq!((before.next_id, before.incidents.len()), (1, 0));
            changes
        });
        assert_eq!(queued.expect("noted"), 1);
        assert_eq!(ledger.open_incidents().expect("readable"), std::slice::from_ref(&open));
        let marks = ledger.check_marks(Some("keys.unique"), NOW).expect("readable");
        assert_eq!(marks, [mark(CheckStatus::Fail, 0), mark(CheckStatus::Error, 1)], "the later look counts");
        assert_eq!(ledger.check_marks(Some("other"), NOW).expect("readable"), []);
        let over = Incident { state: IncidentState::Resolved, resolved_at: Some(slot(2)), ..open };
        let keys = [over.key.clone()];
        ledger
            .change_alerts((&keys, slot(2)), |before| {
                assert_eq!((before.incidents.len(), before.next_id, before.queued_at.len()), (1, 2, 1));
                AlertChanges { incidents: vec![over.clone()], ..AlertChanges::default() }
            })
            .expect("noted");
        assert_eq!(ledger.open_incidents().expect("readable"), []);
        assert_eq!(ledger.incidents_since(slot(2)).expect("readable"), [over]);
        assert_eq!(ledger.incidents_since(slot(3)).expect("readable"), []);
    }

    #[test]
    fn a_second_open_incident_of_a_key_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let twice = |_| AlertChanges {
            incidents: vec![incident(1), incident(2)],
            mails: vec![mail(1)],
            ..AlertChanges::default()
        };
        ledger.change_alerts((&[], NOW), twice).expect_err("refused");
        assert_eq!(ledger.open_incidents().expect("readable"), []);
        assert_eq!(ledger.queued_mails().expect("readable"), []);
    }

    #[test]
    fn a_number_is_never_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let add = |before: AlertsBefore| {
            let over = Incident {
                id: before.next_id,
                state: IncidentState::Resolved,
                resolved_at: Some(NOW),
                ..incident(before.next_id)
            };
            AlertChanges { incidents: vec![over], mails: vec![mail(1)], ..AlertChanges::default() }
        };
        ledger.change_alerts((&[], NOW), add).expect("noted");
        let years_later = NOW + TimeDelta::days(4_000);
        ledger.prune(800, years_later).expect("pruned");
        assert_eq!(ledger.incidents_since(DateTime::UNIX_EPOCH).expect("readable"), []);
        ledger
            .change_alerts((&[], years_later), |before| {
                assert_eq!(before.next_id, 2);
                AlertChanges::default()
            })
            .expect("noted");
    }
}
