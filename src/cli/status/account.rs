//! The account of one job in one session: each slot that the schedule wanted, and what became of it. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::state::{RunRow, RunState};

/// So long a slot that is due may be unknown to the ledger.
pub(super) const GRACE: TimeDelta = TimeDelta::seconds(30);

/// The account of a session.
#[derive(Debug, Serialize)]
pub(super) struct SessionAccount {
    pub(super) session_date: String,
    pub(super) open_utc: DateTime<Utc>,
    pub(super) close_utc: DateTime<Utc>,
    /// Up to where its slots are judged: the open of the next session, or now.
    pub(super) until_utc: DateTime<Utc>,
    pub(super) jobs: Vec<JobAccount>,
}

/// What became of the slots of a job; `planned` is the sum of all that follow it, down to `not_counted`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct JobAccount {
    pub(super) job: String,
    pub(super) planned: u32,
    pub(super) done: u32,
    pub(super) skipped: u32,
    pub(super) recovered: u32,
    pub(super) running: u32,
    pub(super) waiting: u32,
    pub(super) missed: u32,
    pub(super) failed: u32,
    pub(super) timed_out: u32,
    /// Running by the ledger, but its process is gone.
    pub(super) died: u32,
    pub(super) unaccounted: u32,
    /// Before the schedule was first taken up.
    pub(super) not_counted: u32,
    /// Runs by hand of slots that the schedule did not want.
    pub(super) by_hand: u32,
    pub(super) rows_added: u32,
    /// What went wrong, neighbouring slots together.
    pub(super) faults: Vec<Stretch>,
}

/// Neighbouring slots that share a fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Stretch {
    pub(super) fate: Fate,
    pub(super) from_utc: DateTime<Utc>,
    pub(super) to_utc: DateTime<Utc>,
    pub(super) num_slots: u32,
    pub(super) reason: String,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    Done,
    Skipped,
    Recovered,
    Running,
    Waiting,
    Missed,
    Failed,
    TimedOut,
    Died,
    Unaccounted,
    NotCounted,
}

impl Fate {
    /// Whether somebody should look after it.
    fn is_fault(self) -> bool {
        matches!(self, Self::Missed | Self::Failed | Self::TimedOut | Self::Died | Self::Unaccounted)
    }

    /// In words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Recovered => "recovered",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Missed => "missed",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Died => "died",
            Self::Unaccounted => "unaccounted",
            Self::NotCounted => "not counted",
        }
    }
}

/// A slot that the schedule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) slot: DateTime<Utc>,
    pub(super) due_at: DateTime<Utc>,
    /// Whether something else has to end before it may start, so that the ledger need not know it yet.
    pub(super) is_held_up: bool,
}

/// By what the slots of a job are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) job: &'a str,
    pub(super) at: DateTime<Utc>,
    /// After which its slots are accounted for; none where the schedule was never taken up.
    pub(super) since: Option<DateTime<Utc>>,
    /// Whether a daemon is there to take up what is only planned.
    pub(super) daemon_is_running: bool,
    /// The run that holds the job's lock.
    pub(super) run_alive: Option<&'a str>,
}

/// The account of a job over the slots that are wanted and the rows that the ledger has of the same time.
pub(super) fn account(terms: &Terms<'_>, wanted: &[Wanted], rows: &[RunRow]) -> JobAccount {
    let mut slots: BTreeMap<DateTime<Utc>, (Option<Wanted>, Option<&RunRow>)> =
        wanted.iter().map(|wanted| (wanted.slot, (Some(*wanted), None))).collect();
    for row in rows {
        slots.entry(slot_of(row)).or_default().1 = Some(row);
    }
    let mut account = JobAccount { job: terms.job.to_owned(), ..JobAccount::default() };
    let mut last: Option<Fate> = None;
    for (slot, (wanted, row)) in slots {
        account.rows_added += row.map_or(0, |row| row.counts.added);
        // The start of a daemon wants slots too, which no calendar tells.
        let is_wanted = wanted.is_some() || row.is_some_and(|row| row.due_at.is_some());
        if !is_wanted {
            account.by_hand += 1;
            continue;
        }
        let fate = terms.fate(slot, wanted, row);
        account.count(fate);
        if fate.is_fault() {
            account.note(Stretch { fate, from_utc: slot, to_utc: slot, num_slots: 1, reason: reason(fate, row) }, last);
        }
        last = Some(fate);
    }
    account
}

/// The slot of a row.
pub(super) fn slot_of(row: &RunRow) -> DateTime<Utc> {
    row.slot
}

impl Terms<'_> {
    fn fate(&self, slot: DateTime<Utc>, wanted: Option<Wanted>, row: Option<&RunRow>) -> Fate {
        let due_at = wanted.map_or(slot, |wanted| wanted.due_at);
        match row.map(|row| row.state) {
            Some(RunState::Done) => Fate::Done,
            Some(RunState::Skipped) => Fate::Skipped,
            Some(RunState::Recovered) => Fate::Recovered,
            Some(RunState::Missed) => Fate::Missed,
            Some(RunState::Failed) => Fate::Failed,
            Some(RunState::TimedOut) => Fate::TimedOut,
            Some(RunState::Running) if row.and_then(|row| row.run_id.as_deref()) == self.run_alive => Fate::Running,
            Some(RunState::Running) => Fate::Died,
            Some(RunState::Planned) if self.daemon_is_running || due_at + GRACE > self.at => Fate::Waiting,
            None if self.since.is_none_or(|since| slot <= since) => Fate::NotCounted,
            None if due_at + GRACE > self.at => Fate::Waiting,
            None if wanted.is_some_and(|wanted| wanted.is_held_up) => Fate::Waiting,
            Some(RunState::Planned) | None => Fate::Unaccounted,
        }
    }
}

impl JobAccount {
    fn count(&mut self, fate: Fate) {
        self.planned += 1;
        *match fate {
            Fate::Done => &mut self.done,
            Fate::Skipped => &mut self.skipped,
            Fate::Recovered => &mut self.recovered,
            Fate::Running => &mut self.running,
            Fate::Waiting => &mut self.waiting,
            Fate::Missed => &mut self.missed,
            Fate::Failed => &mut self.failed,
            Fate::TimedOut => &mut self.timed_out,
            Fate::Died => &mut self.died,
            Fate::Unaccounted => &mut self.unaccounted,
            Fate::NotCounted => &mut self.not_counted,
        } += 1;
    }

    /// Adds a fault to the stretch before it, where that is the same and nothing lies between.
    fn note(&mut self, fault: Stretch, last: Option<Fate>) {
        match self.faults.last_mut() {
            Some(before) if last == Some(before.fate) && before.fate == fault.fate && before.reason == fault.reason => {
                before.to_utc = fault.to_utc;
                before.num_slots += 1;
            }
            _ => self.faults.push(fault),
        }
    }
}

fn reason(fate: Fate, row: Option<&RunRow>) -> String {
    let told = row.and_then(|row| row.error.clone().or_else(|| row.reason.clone()));
    let unsaid = match fate {
        Fate::Died => "its process is gone: the next run of the job closes it",
        Fate::Unaccounted if row.is_some() => "it was planned, and the daemon ended before it was taken up",
        Fate::Unaccounted => "the ledger knows nothing of it: no daemon ran",
        _ => "no reason is recorded",
    };
    told.unwrap_or_else(|| unsaid.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::state::{RowCounts, Trigger};

    use super::*;

    /// Wednesday 2026-11-18, 17:00 UTC.
    const NOON: DateTime<Utc> = DateTime::from_timestamp(1_795_021_200, 0).expect("representable");

    fn at(number: i32) -> DateTime<Utc> {
        NOON + TimeDelta::minutes(5 * i64::from(number))
    }

    fn wanted(number: i32) -> Wanted {
        Wanted { slot: at(number), due_at: at(number), is_held_up: false }
    }

    fn row(number: i32, state: RunState) -> RunRow {
        RunRow {
            job: "snapshot".into(),
            slot: at(number),
            state,
            trigger: Some(Trigger::Schedule),
            reason: None,
            attempts: 1,
            run_id: Some(format!("r{number}")),
            pid: None,
            started_at: None,
            ended_at: None,
            due_at: Some(at(number)),
            counts: RowCounts { added: 1, ..RowCounts::default() },
            error: None,
            exit_code: None,
        }
    }

    fn terms(now: i32) -> Terms<'static> {
        Terms { job: "snapshot", at: at(now), since: Some(at(0)), daemon_is_running: true, run_alive: None }
    }

    #[test]
    fn what_the_ledger_does_not_know_is_unaccounted_unless_it_is_not_due_or_too_old() {
        let all: Vec<Wanted> = (-2..6).map(wanted).collect();
        let told = account(&terms(5), &all, &[row(0, RunState::Done), row(3, RunState::Done)]);
        assert_eq!((told.planned, told.done, told.unaccounted), (8, 2, 3), "{told:?}");
        assert_eq!((told.not_counted, told.waiting, told.rows_added), (2, 1, 2));
        let stretches: Vec<_> = told.faults.iter().map(|f| (f.from_utc, f.to_utc, f.num_slots)).collect();
        assert_eq!(stretches, [(at(1), at(2), 2), (at(4), at(4), 1)]);
    }

    #[test]
    fn a_ledger_that_no_schedule_has_touched_accuses_nobody() {
        let told = account(&Terms { since: None, ..terms(9) }, &[wanted(1), wanted(2)], &[]);
        assert_eq!((told.not_counted, told.faults.len()), (2, 0));
    }

    #[test]
    fn what_waits_for_another_is_not_unaccounted() {
        let held_up = Wanted { is_held_up: true, ..wanted(1) };
        let told = account(&terms(9), &[held_up], &[]);
        assert_eq!((told.waiting, told.faults.len()), (1, 0));
    }

    #[test]
    fn a_run_whose_process_is_gone_has_died_and_one_that_holds_the_lock_has_not() {
        let rows = [row(1, RunState::Running), row(2, RunState::Running)];
        let told = account(&Terms { run_alive: Some("r2"), ..terms(9) }, &[wanted(1), wanted(2)], &rows);
        assert_eq!((told.died, told.running), (1, 1));
    }

    #[test]
    fn what_was_only_planned_waits_for_a_daemon_if_there_is_one() {
        let (wanted, rows) = ([wanted(1)], [row(1, RunState::Planned)]);
        assert_eq!(account(&terms(9), &wanted, &rows).waiting, 1);
        let alone = Terms { daemon_is_running: false, ..terms(9) };
        assert_eq!(account(&alone, &wanted, &rows).unaccounted, 1);
        assert_eq!(account(&Terms { at: at(1), ..alone }, &wanted, &rows).waiting, 1, "it is not due yet");
    }

    #[test]
    fn runs_by_hand_outside_of_the_schedule_are_no_fault_and_a_daemons_start_is_planned() {
        let by_hand = RunRow { due_at: None, ..row(1, RunState::Failed) };
        let told = account(&terms(9), &[], &[by_hand, row(2, RunState::Failed)]);
        assert_eq!((told.by_hand, told.planned, told.failed), (1, 1, 1));
    }

    #[test]
    fn a_good_slot_divides_two_faults_and_so_does_another_reason() {
        let failed = |number, error: &str| RunRow { error: Some(error.into()), ..row(number, RunState::Failed) };
        let rows = [failed(1, "x"), row(2, RunState::Done), failed(3, "x"), failed(4, "y")];
        let all: Vec<Wanted> = (1..5).map(wanted).collect();
        let told = account(&terms(9), &all, &rows);
        assert_eq!(told.faults.iter().map(|f| f.reason.as_str()).collect::<Vec<_>>(), ["x", "x", "y"]);
    }
}
