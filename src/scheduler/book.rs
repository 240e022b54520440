//! The book: what the planner has to know of the ledger, kept in step with it. Whoever carries decisions out, the daemon
//! or a simulation, asks the book what to begin and tells it what ended.
//!
//! A decision is entered into the ledger before it is carried out, all those of one tick at once, so that a process killed
//! at any instruction leaves none without the ones before it. A ledger that cannot be written holds nothing up: what it
//! lacks is kept and entered as soon as it can be.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::decide::Decision;
use super::error::PlanError;
use super::ledger::{CLOCK_TOLERANCE, Entry, JobLedger, LedgerView, Pause, SlotState, Trigger};
use super::occurrence::INSTANT;
use super::planner::{PlannedSlot, Planner};
use crate::job::{Failure, RunReport, chain};
use crate::state::{self, Entered, HistoryQuery, Ledger, LedgerError, NotRun, Planned, RunRow, RunState};

/// Most decisions that wait for a ledger that cannot be written; a month of all jobs.
const MAX_UNENTERED: usize = 20_000;

/// The planner, its view, and the ledger behind it.
#[derive(Debug)]
pub struct Book {
    planner: Planner,
    view: LedgerView,
    ledger: Option<Ledger>,
    unentered: Vec<Entered>,
    missed: Vec<Missed>,
    /// The latest time it was asked at, where it goes by a clock; none for a range.
    latest: Option<DateTime<Utc>>,
    /// Whether the ledger still has decisions of a clock that was ahead.
    has_to_retract: bool,
    /// The pauses in force when the ledger was known to be in place.
    pauses: Vec<state::Pause>,
}

/// A slot that it was too late for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The job.
    pub job: String,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// A slot to begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// The slot.
    pub planned: PlannedSlot,
    /// Whether in time.
    pub trigger: Trigger,
    /// Whether the run of the job that is going on is to be ended for it.
    pub replaces: bool,
}

impl Book {
    /// A book that goes on where the ledger stands; without a ledger, and for a job of which it knows nothing, at the
    /// start of the daemon. The caller has closed the runs of dead processes.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn open(planner: Planner, ledger: Option<Ledger>, started_at: DateTime<Utc>) -> Result<Self, LedgerError> {
        let mut book = Self::anew(planner, ledger, started_at);
        let retracted = book.retract_in_ledger(started_at);
        if !retracted.is_empty() {
            tracing::warn!(
                slots = retracted.len(),
                "the clock was ahead before: decisions of slots that are later than now are taken back"
            );
        }
        if let Some(ledger) = &book.ledger {
            let since = |_: &str| started_at;
            book.view.jobs = load_all(&book.planner, ledger, (&since, started_at), &firsts(&retracted))?;
        }
        Ok(book)
    }

    /// A book that begins at the start of the daemon, whatever the ledger knows.
    #[must_use]
    pub fn anew(planner: Planner, ledger: Option<Ledger>, started_at: DateTime<Utc>) -> Self {
        let view = LedgerView { started_at: Some(started_at), ..LedgerView::new(started_at) };
        let latest = Some(started_at);
        let (unentered, missed, pauses) = (Vec::new(), Vec::new(), Vec::new());
        Self { planner, view, ledger, unentered, missed, latest, has_to_retract: false, pauses }
    }

    /// A book of a range alone, whatever the ledger knows of other times: what lies in it and has no entry is planned.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn over(
        planner: Planner,
        ledger: Ledger,
        (after, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Self, LedgerError> {
        let mut view = LedgerView { started_at: Some(after), ..LedgerView::new(after) };
        for schedule in planner.schedules().iter() {
            let loaded = load(&ledger, (&schedule.job, after), (after, Some(until)), None)?;
            view.jobs.insert(schedule.job.clone(), loaded);
        }
        let ledger = Some(ledger);
        let (unentered, missed, pauses) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { planner, view, ledger, unentered, missed, latest: None, has_to_retract: false, pauses })
    }

    /// The planner.
    #[must_use]
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// Decides what is to be done now, enters it, and gives what is to be begun.
    ///
    /// # Errors
    /// As [`Planner::decide`]; then nothing is decided.
    pub fn decide(&mut self, now: DateTime<Utc>) -> Result<Vec<Begin>, PlanError> {
        self.follow_clock(now);
        self.read_pauses(now);
        let decisions = self.planner.decide(&self.view, now)?;
        for decision in &decisions {
            self.view.apply(decision, now);
            tell(decision);
        }
        self.missed = decisions.iter().filter_map(missed).collect();
        self.enter(decisions.iter().map(entered), now);
        self.planner.settle(&mut self.view, now)?;
        Ok(decisions.into_iter().filter_map(begin).collect())
    }

    /// The slots that the newest [`Book::decide`] was too late for, the oldest of a job first.
    #[must_use]
    pub fn missed(&self) -> &[Missed] {
        &self.missed
    }

    /// Takes note of how a run ended. One that never got its lock was not run.
    pub fn ended(&mut self, (job, slot): (&str, DateTime<Utc>), report: &RunReport, now: DateTime<Utc>) {
        let state = match &report.result {
            Ok(_) => SlotState::Done,
            Err(error) => match error.failure() {
                Failure::TimedOut => SlotState::TimedOut,
                Failure::Locked => {
                    let not_run = NotRun { job: job.to_owned(), slot, reason: chain(error) };
                    self.enter(std::iter::once(Entered::Skipped(not_run)), now);
                    SlotState::Skipped
                }
                _ => SlotState::Failed,
            },
        };
        self.note((job, slot), state, now);
    }

    /// Takes note of a run that did not end by itself and is given up.
    pub fn given_up(&mut self, run: (&str, DateTime<Utc>), now: DateTime<Utc>) {
        self.note(run, SlotState::TimedOut, now);
    }

    /// Goes on by other schedules, and with another handle of the ledger where there is one. A job that had no schedule is
    /// accounted for from now on.
    pub fn replan(&mut self, (planner, ledger): (Planner, Option<Ledger>), now: DateTime<Utc>) {
        for schedule in planner.schedules().iter() {
            self.view.jobs.entry(schedule.job.clone()).or_insert_with(|| JobLedger::new(now));
        }
        self.planner = planner;
        self.ledger = ledger.or_else(|| self.ledger.take());
    }

    /// Enters from now on into a ledger that could not be opened before.
    pub fn take_ledger(&mut self, ledger: Ledger) {
        self.ledger = Some(ledger);
    }

    /// Remembers the pauses in force, while the ledger is known to be in place.
    pub fn note_pauses(&mut self, now: DateTime<Utc>) {
        if let Some(Ok(pauses)) = self.ledger.as_ref().map(|ledger| ledger.all_paused(now)) {
            self.pauses = pauses;
        }
    }

    /// Enters the pauses that were in force into a ledger that was made anew or put in the place of the old one, so that
    /// none is lost with the file.
    pub fn enter_pauses(&mut self, now: DateTime<Utc>) {
        let Some(ledger) = &self.ledger else { return };
        let is_in_force = |pause: &&state::Pause| pause.until.is_none_or(|until| now < until);
        for pause in self.pauses.iter().filter(is_in_force) {
            let entered = match ledger.paused(&pause.job, now) {
                Ok(None) => ledger.pause(pause),
                known => known.map(|_| ()),
            };
            match entered {
                Ok(()) => tracing::warn!(job = pause.job, reason = pause.reason, "the pause stays in force"),
                Err(error) => {
                    tracing::error!(job = pause.job, error = %chain(&error), "the pause is lost with the ledger");
                }
            }
        }
    }

    /// The next slot of any job.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<PlannedSlot> {
        self.planner.upcoming(now, 1).ok()?.into_iter().next()
    }

    /// The first instant after another at which something is to be done: a slot comes due that has no entry, or one that
    /// waits does.
    ///
    /// # Errors
    /// As [`Planner::decide`].
    pub fn next_due(&self, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, PlanError> {
        self.planner.next_due(&self.view, after)
    }

    /// Whether every decision stands in the ledger.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| !ledger.is_lost()) && self.unentered.is_empty()
    }

    /// A run that was replaced has its entry already.
    fn note(&mut self, (job, slot): (&str, DateTime<Utc>), state: SlotState, now: DateTime<Utc>) {
        let entries = self.view.jobs.get_mut(job).map(|own| &mut own.entries);
        if let Some(entry) = entries.and_then(|entries| entries.get_mut(&slot))
            && entry.state == SlotState::Running
        {
            // A run that a clock ahead began counts for its slot from then on, not from the end that this clock gives.
            *entry = Entry { state, since: now.max(entry.since), ..*entry };
        }
    }

    /// Notices a clock that was set back: what was decided of later slots and not run is taken back, once.
    fn follow_clock(&mut self, now: DateTime<Utc>) {
        let Some(latest) = self.latest else { return };
        self.latest = Some(latest.max(now));
        if now + CLOCK_TOLERANCE >= latest {
            return;
        }
        self.latest = Some(now);
        self.unentered.retain(|entered| slot_of(entered) <= now);
        let retracted = self.retract_in_ledger(now);
        let back_seconds = (latest - now).num_seconds();
        tracing::warn!(
            back_seconds,
            slots = retracted.len(),
            "the clock was set back: decisions of slots that are later than now are taken back, jobs go on from now"
        );
        let before = self.view.clone();
        let mut firsts = firsts(&retracted);
        for (job, first) in self.view.retract(now) {
            firsts.entry(job).and_modify(|known| *known = first.min(*known)).or_insert(first);
        }
        let Some(ledger) = &self.ledger else { return };
        let since = |job: &str| before.of(job).accounted_until.min(now);
        match load_all(&self.planner, ledger, (&since, now), &firsts) {
            // How far a job has got that is not past now, and of which nothing was taken back, stands.
            Ok(loaded) => loaded
                .into_iter()
                .filter(|(job, _)| firsts.contains_key(job) || before.of(job).accounted_until > now)
                .for_each(|(job, loaded)| self.view.take_in(&job, loaded, now)),
            Err(error) => {
                tracing::error!(error = %chain(&error), "the ledger cannot be read: slots of the last minutes may be skipped");
            }
        }
    }

    /// Takes back what a clock ahead decided, and gives it. What cannot be done now is done later.
    fn retract_in_ledger(&mut self, now: DateTime<Utc>) -> Vec<(String, DateTime<Utc>)> {
        let Some(ledger) = &self.ledger else { return Vec::new() };
        match ledger.retract(now) {
            Ok(slots) => {
                self.has_to_retract = false;
                slots
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "decisions of a clock that was ahead stay in the ledger for now");
                self.has_to_retract = true;
                Vec::new()
            }
        }
    }

    fn read_pauses(&mut self, now: DateTime<Utc>) {
        let Some(ledger) = &self.ledger else { return };
        // Where they cannot be read, those that are known stay in force.
        let Ok(pauses) = ledger.all_paused(now) else { return };
        for pause in &pauses {
            if !self.pauses.contains(pause) {
                self.pauses.push(pause.clone());
            }
        }
        for (job, own) in &mut self.view.jobs {
            let pause = pauses.iter().find(|pause| pause.job == *job);
            own.pause = pause.map(|state::Pause { reason, paused_at, until, .. }| Pause {
                // One that a clock ahead has stamped is in force all the same.
                from: if *paused_at <= now { *paused_at } else { DateTime::<Utc>::MIN_UTC },
                until: *until,
                reason: reason.clone(),
            });
        }
    }

    fn enter(&mut self, entries: impl Iterator<Item = Entered>, now: DateTime<Utc>) {
        if self.has_to_retract {
            self.retract_in_ledger(now);
        }
        let had_fallen_behind = !self.unentered.is_empty();
        self.unentered.extend(entries);
        let Some(ledger) = self.ledger.as_ref().filter(|_| !self.unentered.is_empty()) else {
            self.unentered.clear();
            return;
        };
        match ledger.enter(&self.unentered, now) {
            Ok(()) => {
                if had_fallen_behind {
                    tracing::warn!(decisions = self.unentered.len(), "the ledger can be written again");
                }
                self.unentered.clear();
            }
            Err(error) => {
                if !had_fallen_behind {
                    tracing::error!(error = %chain(&error), "decisions are not recorded; the jobs go on");
                }
                let too_many = self.unentered.len().saturating_sub(MAX_UNENTERED);
                self.unentered.drain(..too_many);
            }
        }
    }
}

/// How far the jobs that come after this one have got.
fn after_it(planner: &Planner, job: &str, accounted: &BTreeMap<&str, DateTime<Utc>>) -> DateTime<Utc> {
    let followers = planner.schedules().iter().filter(|schedule| schedule.upstream().any(|upstream| upstream == job));
    let reached = followers.filter_map(|schedule| accounted.get(schedule.job.as_str()).copied());
    reached.min().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The first slot of each job.
fn firsts(slots: &[(String, DateTime<Utc>)]) -> BTreeMap<String, DateTime<Utc>> {
    let mut firsts = BTreeMap::new();
    for (job, slot) in slots {
        firsts.entry(job.clone()).and_modify(|known| *known = (*slot).min(*known)).or_insert(*slot);
    }
    firsts
}

/// Up to when a job is accounted for of which the ledger knows nothing.
type Since<'a> = &'a dyn Fn(&str) -> DateTime<Utc>;

/// What the ledger knows of all jobs at an instant; a job of which it knows nothing is accounted for `since` then. From
/// what was taken back on, slots are decided again.
fn load_all(
    planner: &Planner,
    ledger: &Ledger,
    (since, now): (Since<'_>, DateTime<Utc>),
    retracted: &BTreeMap<String, DateTime<Utc>>,
) -> Result<BTreeMap<String, JobLedger>, LedgerError> {
    let jobs: Vec<&str> = planner.schedules().iter().map(|schedule| schedule.job.as_str()).collect();
    let mut accounted = BTreeMap::new();
    for job in &jobs {
        let reached = ledger.newest_slot(job, now)?.unwrap_or_else(|| since(job));
        accounted.insert(*job, retracted.get(*job).map_or(reached, |first| reached.min(*first - INSTANT)));
    }
    let mut loaded = BTreeMap::new();
    for (job, own) in &accounted {
        let range = (after_it(planner, job, &accounted).min(*own), None);
        loaded.insert((*job).to_owned(), load(ledger, (job, *own), range, Some(now))?);
    }
    Ok(loaded)
}

/// What the ledger knows of a job in a range; without what a clock ahead decided, where the time now is known.
fn load(
    ledger: &Ledger,
    (job, accounted_until): (&str, DateTime<Utc>),
    (since, until): (DateTime<Utc>, Option<DateTime<Utc>>),
    now: Option<DateTime<Utc>>,
) -> Result<JobLedger, LedgerError> {
    let query = HistoryQuery { job: Some(job.to_owned()), since: Some(since), until, ..HistoryQuery::default() };
    let waiting =
        HistoryQuery { job: Some(job.to_owned()), until, states: vec![RunState::Planned], ..HistoryQuery::default() };
    let rows = [ledger.history(&query)?, ledger.history(&waiting)?].concat();
    let is_of_its_time = |row: &&RunRow| {
        let is_ahead = |now| row.run_id.is_none() && (row.slot > now || row.is_of_a_clock_ahead(now));
        !now.is_some_and(is_ahead)
    };
    let entries = rows.iter().filter(is_of_its_time).filter_map(|row| Some((row.slot, entry(row)?))).collect();
    Ok(JobLedger { accounted_until, entries, pause: None })
}

/// The slot of an entry.
fn slot_of(entered: &Entered) -> DateTime<Utc> {
    match entered {
        Entered::Planned(planned) => planned.slot,
        Entered::Skipped(not_run) | Entered::Missed(not_run) => not_run.slot,
    }
}

/// The entry of a row; none where the slot may be taken up as if nobody had tried: a run by hand that goes on has the
/// lock, and one that failed says nothing about the schedule's.
fn entry(row: &RunRow) -> Option<Entry> {
    let by_hand = row.trigger.is_some_and(state::Trigger::is_asked_for);
    let state = match row.state {
        RunState::Planned => SlotState::Queued,
        RunState::Running => return None,
        RunState::Done | RunState::Recovered => SlotState::Done,
        // A run that found nothing to do ran to its end.
        RunState::Skipped if row.run_id.is_some() => SlotState::Done,
        RunState::Skipped => SlotState::Skipped,
        RunState::Missed => SlotState::Missed,
        RunState::Failed | RunState::TimedOut if by_hand => return None,
        RunState::Failed => SlotState::Failed,
        RunState::TimedOut => SlotState::TimedOut,
    };
    let trigger = match row.trigger {
        Some(state::Trigger::CatchUp) => Trigger::CatchUp,
        Some(state::Trigger::Manual | state::Trigger::Backfill) => Trigger::Manual,
        Some(state::Trigger::Schedule | state::Trigger::Simulation) | None => Trigger::Schedule,
    };
    let since = row.ended_at.max(row.started_at).or(row.due_at).unwrap_or(row.slot);
    Some(Entry { state, trigger, since })
}

fn entered(decision: &Decision) -> Entered {
    let PlannedSlot { job, slot, due_at, .. } = decision.planned().clone();
    match decision {
        Decision::Start { .. } | Decision::Queue { .. } | Decision::Replace { .. } => {
            Entered::Planned(Planned { job, slot, due_at })
        }
        Decision::Skip { reason, .. } => Entered::Skipped(NotRun { job, slot, reason: reason.clone() }),
        Decision::Miss { reason, .. } => Entered::Missed(NotRun { job, slot, reason: reason.clone() }),
    }
}

fn begin(decision: Decision) -> Option<Begin> {
    match decision {
        Decision::Start { planned, trigger } => Some(Begin { planned, trigger, replaces: false }),
        Decision::Replace { planned, trigger } => Some(Begin { planned, trigger, replaces: true }),
        Decision::Queue { .. } | Decision::Skip { .. } | Decision::Miss { .. } => None,
    }
}

fn missed(decision: &Decision) -> Option<Missed> {
    let Decision::Miss { planned: PlannedSlot { job, slot, .. }, reason } = decision else { return None };
    Some(Missed { job: job.clone(), slot: *slot, reason: reason.clone() })
}

fn tell(decision: &Decision) {
    let PlannedSlot { job, slot, .. } = decision.planned();
    match decision {
        Decision::Skip { reason, .. } => tracing::warn!(job, %slot, reason, "slot skipped"),
        Decision::Miss { reason, .. } => tracing::warn!(job, %slot, reason, "slot missed"),
        Decision::Queue { .. } => tracing::info!(job, %slot, "slot waits for the run before it"),
        Decision::Replace { .. } => tracing::warn!(job, %slot, "the run before is ended for this slot"),
        Decision::Start { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::job::{Counts, JobError, Outcome};
    use crate::scheduler::fixtures::{et, one_job};
    use crate::state::{End, EndState, RowCounts, Start};

    const GRID: &str = "schedule: { every: 5m, during: cme_equity }, live: true";

    fn ledger(folder: &tempfile::TempDir) -> Ledger {
        Ledger::open(&folder.path().join("jobs.db")).expect("opened")
    }

    fn states(ledger: &Ledger) -> Vec<String> {
        let rows = ledger.history(&HistoryQuery::default()).expect("readable");
        let told = |row: &RunRow| format!("{} {}", crate::calendar::to_new_york(row.slot).format("%H:%M"), row.state);
        rows.iter().rev().map(told).collect()
    }

    fn report(result: Result<Outcome, JobError>) -> RunReport {
        RunReport { run_id: "r".to_owned(), slot: None, attempts: 1, took: Duration::ZERO, is_stuck: false, result }
    }

    fn begun(book: &mut Book, now: &str) -> Vec<DateTime<Utc>> {
        book.decide(et(now)).expect("decided").into_iter().map(|begin| begin.planned.slot).collect()
    }

    #[test]
    fn a_decision_stands_in_the_ledger_before_it_is_carried_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let mut book = Book::open(one_job(GRID), Some(ledger.clone()), et("2026-03-02 10:01")).expect("a book");
        assert_eq!(begun(&mut book, "2026-03-02 10:05"), [et("2026-03-02 10:05")]);
        assert!(begun(&mut book, "2026-03-02 10:10").is_empty());
        assert_eq!(states(&ledger), ["10:05 planned", "10:10 skipped"]);
        assert!(book.is_recorded());
        book.ended(
            ("nightly", et("2026-03-02 10:05")),
            &report(Ok(Outcome::done(Counts::default()))),
            et("2026-03-02 10:11"),
        );
        assert_eq!(begun(&mut book, "2026-03-02 10:15"), [et("2026-03-02 10:15")]);
    }

    #[test]
    fn a_daemon_goes_on_where_the_ledger_stands_and_accounts_for_the_time_between() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let mut book = Book::open(one_job(GRID), Some(ledger.clone()), et("2026-03-02 10:01")).expect("a book");
        begun(&mut book, "2026-03-02 10:05");
        // It is killed before the run has begun; the next one comes twenty minutes later.
        let mut book = Book::open(one_job(GRID), Some(ledger.clone()), et("2026-03-02 10:25:20")).expect("a book");
        assert_eq!(begun(&mut book, "2026-03-02 10:25:20"), [et("2026-03-02 10:25")]);
        assert_eq!(states(&ledger), ["10:05 missed", "10:10 missed", "10:15 missed", "10:20 missed", "10:25 planned"]);
    }

    #[test]
    fn what_waited_when_the_daemon_died_is_begun_by_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let keys = "schedule: { at: nyse.open - 30m }, overlap: queue_one, misfire: { catch_up: one }";
        let mut book = Book::open(one_job(keys), Some(ledger.clone()), et("2026-03-02 08:00")).expect("a book");
        assert_eq!(begun(&mut book, "2026-03-02 09:00"), [et("2026-03-02 09:00")]);
        let mut book = Book::open(one_job(keys), Some(ledger), et("2026-03-02 09:01")).expect("a book");
        assert_eq!(begun(&mut book, "2026-03-02 09:01"), [et("2026-03-02 09:00")]);
        assert!(begun(&mut book, "2026-03-02 09:02").is_empty());
    }

    #[test]
    fn a_run_that_never_got_its_lock_is_skipped_and_says_who_had_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let mut book = Book::open(one_job(GRID), Some(ledger.clone()), et("2026-03-02 10:01")).expect("a book");
        let slot = begun(&mut book, "2026-03-02 10:05")[0];
        let locked = JobError::fail(Failure::Locked, "nightly is running already, in process 4711");
        book.ended(("nightly", slot), &report(Err(locked)), et("2026-03-02 10:06"));
        let row = ledger.find("nightly", slot).expect("readable").expect("there");
        assert_eq!(row.state, RunState::Skipped);
        assert!(row.reason.expect("a reason").contains("process 4711"));
        assert_eq!(begun(&mut book, "2026-03-02 10:10").len(), 1, "the job is free again");
    }

    #[test]
    fn a_run_by_hand_that_failed_leaves_the_slot_to_the_schedule() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let slot = et("2026-03-02 10:05");
        for (run_id, slot) in [("r0", slot - TimeDelta::minutes(5)), ("r1", slot)] {
            let trigger = if run_id == "r0" { state::Trigger::Schedule } else { state::Trigger::Manual };
            let start = Start { job: "nightly".into(), slot, trigger, run_id: run_id.into(), pid: 1 };
            ledger.start(&start, slot).expect("started");
            let end = End {
                state: EndState::Failed,
                reason: None,
                counts: RowCounts::default(),
                error: Some("down".into()),
                exit_code: Some(69),
                attempts: 1,
            };
            ledger.finish(run_id, &end, slot).expect("noted");
        }
        let mut book = Book::open(one_job(GRID), Some(ledger), et("2026-03-02 10:05:10")).expect("a book");
        assert_eq!(begun(&mut book, "2026-03-02 10:05:10"), [slot]);
    }

    #[test]
    fn a_ledger_that_cannot_be_written_holds_nothing_up_and_gets_everything_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let unwritable = Ledger::open_to_read(ledger.path()).expect("sound");
        let mut book = Book::open(one_job(GRID), unwritable, et("2026-03-02 10:01")).expect("a book");
        assert_eq!(begun(&mut book, "2026-03-02 10:05").len(), 1);
        assert!(!book.is_recorded());
        book.ledger = Some(ledger.clone());
        begun(&mut book, "2026-03-02 10:10");
        assert!(book.is_recorded());
        assert_eq!(states(&ledger), ["10:05 planned", "10:10 skipped"]);
    }

    #[test]
    fn a_pause_takes_effect_at_the_next_tick() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        let mut book = Book::open(one_job(GRID), Some(ledger.clone()), et("2026-03-02 10:01")).expect("a book");
        let paused_at = et("2026-03-02 10:03");
        let pause = state::Pause { job: "nightly".into(), reason: "roll week".into(), paused_at, until: None };
        ledger.pause(&pause).expect("paused");
        assert!(begun(&mut book, "2026-03-02 10:05").is_empty());
        ledger.resume("nightly", et("2026-03-02 10:06")).expect("resumed");
        assert_eq!(begun(&mut book, "2026-03-02 10:10"), [et("2026-03-02 10:10")]);
        assert_eq!(states(&ledger), ["10:05 skipped", "10:10 planned"]);
    }
}
