//! The ledger's side of a run: that it began, and how it ended. What cannot be recorded is told and does not stop the run.

use chrono::{DateTime, Utc};

use crate::calendar::Slot;
use crate::clock::SharedClock;
use crate::state::{End, EndState, Ledger, LedgerError, RowCounts, RunRow, Start, Started, Trigger};

use super::{Counts, Failure, JobError, Outcome, RunResult, chain};

/// Whether the ledger knows that a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// It has not been told, or need not be.
    Untold,
    /// It knows.
    Recorded,
    /// It could not be told; another try follows at the end.
    Failed(Slot),
}

/// Records one run.
pub(super) struct Recorder {
    /// The ledger; none where the run is not to be recorded.
    pub(super) ledger: Option<Ledger>,
    /// The clock of the record: always this machine's.
    pub(super) clock: SharedClock,
    /// The job.
    pub(super) job: &'static str,
    /// Name of the run.
    pub(super) run_id: String,
    /// The key of the run, where it is not the slot's instant.
    pub(super) planned: Option<DateTime<Utc>>,
    /// Why it takes place.
    pub(super) trigger: Trigger,
    /// How far the ledger knows of it.
    pub(super) beginning: Beginning,
    /// What it was told of the beginning.
    pub(super) start: Option<Start>,
}

impl Recorder {
    /// Records that the run takes its slot up; gives the row of a slot that need not be taken up again.
    pub(super) async fn begin(&mut self, slot: Slot) -> Option<RunRow> {
        if self.beginning == Beginning::Recorded {
            return None;
        }
        let start = Start {
            job: self.job.to_owned(),
            slot: self.planned.unwrap_or(slot.instant()),
            trigger: self.trigger,
            run_id: self.run_id.clone(),
            pid: std::process::id(),
        };
        self.start = Some(start.clone());
        let job = self.job;
        // The caller holds the job's lock, so whatever of the job is running by the ledger has died.
        let take_up = move |ledger: &Ledger, now| {
            ledger.close_orphans(now, |row| row.job != job)?;
            ledger.start(&start, now)
        };
        let Some(started) = self.record(take_up).await else {
            self.beginning = Beginning::Failed(slot);
            return None;
        };
        self.beginning = Beginning::Untold;
        match started {
            Started::Started => {
                self.beginning = Beginning::Recorded;
                None
            }
            Started::AlreadyDone(row) => Some(*row),
            Started::Running(row) => {
                tracing::warn!(
                    run_id = row.run_id,
                    "the ledger says that another run has the slot: this one is not recorded"
                );
                None
            }
        }
    }

    /// Records how the run ended.
    pub(super) async fn end(&mut self, result: &Result<Outcome, JobError>, attempts: u32) {
        if let (Beginning::Failed(slot), Some(_)) = (self.beginning, &self.ledger) {
            self.begin(slot).await;
        }
        if self.beginning != Beginning::Recorded {
            return;
        }
        let is_cut_off =
            matches!(result, Err(error) if matches!(error.failure(), Failure::Interrupted | Failure::Terminated));
        if is_cut_off && self.trigger == Trigger::Simulation {
            // A simulation that goes on takes it up again, as after a kill: a slot that has failed would stay so.
            return;
        }
        let (run_id, start, end) = (self.run_id.clone(), self.start.clone(), end_of(result, attempts));
        let finish = move |ledger: &Ledger, now| match (ledger.finish(&run_id, &end, now), start) {
            // The ledger was deleted or replaced meanwhile: the new one is told of the beginning as well.
            (Err(LedgerError::UnknownRun { .. }), Some(start)) => {
                ledger.start(&start, now)?;
                ledger.finish(&run_id, &end, now)
            }
            (finished, _) => finished,
        };
        self.record(finish).await;
    }

    /// Works on the ledger where blocking is allowed; none where that failed, which is told.
    async fn record<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger, DateTime<Utc>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Option<T> {
        let (ledger, now) = (self.ledger.clone()?, self.clock.now());
        match tokio::task::spawn_blocking(move || work(&ledger, now)).await {
            Ok(Ok(recorded)) => Some(recorded),
            Ok(Err(error)) => {
                tracing::error!(error = %chain(&error), "the run is not recorded");
                None
            }
            Err(error) => {
                tracing::error!(%error, "the run is not recorded");
                None
            }
        }
    }
}

fn end_of(result: &Result<Outcome, JobError>, attempts: u32) -> End {
    let (state, reason, counts) = match result.as_ref().map(|outcome| &outcome.result) {
        Ok(RunResult::Done(counts)) => (EndState::Done, None, row_counts(*counts)),
        Ok(RunResult::Skipped(reason)) => (EndState::Skipped, Some(reason.clone()), RowCounts::default()),
        Err(error) if error.failure() == Failure::TimedOut => (EndState::TimedOut, None, row_counts(error.written())),
        Err(error) => (EndState::Failed, None, row_counts(error.written())),
    };
    let error = result.as_ref().err();
    End {
        state,
        reason,
        counts,
        error: error.map(|error| chain(error)),
        exit_code: Some(error.map_or(0, |error| error.failure().exit_code())),
        attempts,
    }
}

fn row_counts(counts: Counts) -> RowCounts {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    RowCounts {
        added: number(counts.added),
        present: number(counts.present),
        replaced: number(counts.replaced),
        without_data: number(counts.without_data),
    }
}
