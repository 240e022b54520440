//! Keeping the ledger view short, so that a decision costs microseconds however long the daemon runs.

use chrono::{DateTime, Utc};

use super::error::PlanError;
use super::ledger::{JobLedger, LedgerView, SlotState};
use super::occurrence::{INSTANT, Window};
use super::planner::Planner;

impl Planner {
    /// Moves `accounted_until` of every job on and forgets entries that no decision needs any more; decisions stay the
    /// same, and stay cheap. To be called when the decisions of a tick have been entered.
    ///
    /// # Errors
    ///
    /// As [`Planner::decide`].
    pub fn settle(&self, ledger: &mut LedgerView, now: DateTime<Utc>) -> Result<(), PlanError> {
        for schedule in self.schedules().iter() {
            let since = ledger.since;
            let own = ledger.jobs.entry(schedule.job.clone()).or_insert_with(|| JobLedger::new(since));
            let mut window = Window::new(own.accounted_until, Some(now));
            while window.after < window.until {
                match self.occurrence(schedule, window)? {
                    Some(found) if own.accounts_for(found.at, now) => window.after = found.at,
                    Some(found) => window.until = found.at - INSTANT,
                    None => window.after = window.until,
                }
            }
            own.accounted_until = own.accounted_until.max(window.after);
        }
        self.forget(ledger);
        Ok(())
    }

    /// Drops entries that are accounted for by their job and by those that come after it.
    fn forget(&self, ledger: &mut LedgerView) {
        let mut keep_after =
            ledger.jobs.iter().map(|(job, own)| (job.clone(), own.accounted_until)).collect::<Vec<_>>();
        for schedule in self.schedules().iter() {
            let Some(own) = ledger.jobs.get(&schedule.job) else { continue };
            for upstream in schedule.upstream() {
                for (_, after) in keep_after.iter_mut().filter(|(job, _)| job == upstream) {
                    *after = own.accounted_until.min(*after);
                }
            }
        }
        let started_at = ledger.started_at;
        for (job, after) in keep_after {
            let Some(own) = ledger.jobs.get_mut(&job) else { continue };
            own.entries.retain(|slot, entry| {
                let is_open = matches!(entry.state, SlotState::Queued | SlotState::Running);
                is_open || *slot > after || started_at == Some(*slot)
            });
        }
    }
}
