//! What the ledger is asked: the history of the runs, the account of a session, what runs now, what failed last.

use chrono::{DateTime, Utc};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use super::stamp::Stamp;
use super::{Ledger, LedgerError, RunRow, RunState};

/// Which rows of the history; by default all, newest slot first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of this job only.
    pub job: Option<String>,
    /// From this slot on.
    pub since: Option<DateTime<Utc>>,
    /// Up to this slot, which belongs to it.
    pub until: Option<DateTime<Utc>>,
    /// In one of these states; none: in any.
    pub states: Vec<RunState>,
    /// So many rows at most.
    pub limit: u32,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self { job: None, since: None, until: None, states: Vec::new(), limit: u32::MAX }
    }
}

/// What became of the slots of a job in a range. Planned + unplanned = the sum of the states, waiting to recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Accounting {
    /// Slots that the schedule wanted.
    pub planned: u32,
    /// Slots that only a person wanted.
    pub unplanned: u32,
    /// Of all these: planned and not taken up yet.
    pub waiting: u32,
    /// Being run.
    pub running: u32,
    /// Done.
    pub done: u32,
    /// Skipped, with a reason.
    pub skipped: u32,
    /// Not taken up in time.
    pub missed: u32,
    /// Failed.
    pub failed: u32,
    /// Timed out.
    pub timed_out: u32,
    /// Missed, failed or timed out, and filled since.
    pub recovered: u32,
    /// Rows of the tables added by all executions of these slots.
    pub rows_added: u32,
    /// Rows replaced by them.
    pub rows_replaced: u32,
}

impl Accounting {
    fn count(&mut self, state: RunState, num_slots: u32, num_planned: u32) {
        self.planned += num_planned;
        self.unplanned += num_slots - num_planned;
        *match state {
            RunState::Planned => &mut self.waiting,
            RunState::Running => &mut self.running,
            RunState::Done => &mut self.done,
            RunState::Skipped => &mut self.skipped,
            RunState::Missed => &mut self.missed,
            RunState::Failed => &mut self.failed,
            RunState::TimedOut => &mut self.timed_out,
            RunState::Recovered => &mut self.recovered,
        } += num_slots;
    }
}

impl Ledger {
    /// Where a slot of a job stands; none where nobody has heard of it.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn find(&self, job: &str, slot: DateTime<Utc>) -> Result<Option<RunRow>, LedgerError> {
        self.read("read", |connection| RunRow::find(connection, job, slot))
    }

    /// The newest slot of a job up to an instant that the schedule has dealt with in any way, planning included. What a
    /// person ran and what a daemon's start started are left out: they say nothing about the slots before them. Nor does
    /// a slot later than now, which a clock that was ahead left behind: hence the bound.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn newest_slot(&self, job: &str, until: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, LedgerError> {
        self.read("read", |connection| {
            // In order of the key, so that the first hit is the answer.
            let sql = "SELECT slot FROM runs WHERE job = ?1 AND slot <= ?2 AND due_at IS NOT NULL
                           AND slot NOT IN (SELECT started_at FROM daemon_starts)
                       ORDER BY slot DESC LIMIT 1";
            connection
                .prepare_cached(sql)?
                .query_row((job, Stamp(until)), |row| Ok(row.get::<_, Stamp>(0)?.0))
                .optional()
        })
    }

    /// The newest slot of a job that is running.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn running(&self, job: &str) -> Result<Option<RunRow>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM history WHERE state = 'running' AND job = ?1 ORDER BY slot DESC LIMIT 1";
            connection.prepare_cached(sql)?.query_row([job], RunRow::read).optional()
        })
    }

    /// All slots that are running, by job and slot.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn all_running(&self) -> Result<Vec<RunRow>, LedgerError> {
        self.read("read", |connection| {
            rows(connection, "SELECT * FROM history WHERE state = 'running' ORDER BY job, slot", &[])
        })
    }

    /// The history, newest slot first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn history(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, LedgerError> {
        let (since, until) = (query.since.map(Stamp), query.until.map(Stamp));
        let mut clauses = vec!["TRUE".to_owned()];
        let mut values: Vec<&dyn ToSql> = Vec::new();
        let conditions: [(&str, Option<&dyn ToSql>); 3] = [
            ("job =", query.job.as_ref().map(|job| job as &dyn ToSql)),
            ("slot >=", since.as_ref().map(|since| since as &dyn ToSql)),
            ("slot <=", until.as_ref().map(|until| until as &dyn ToSql)),
        ];
        for (condition, value) in conditions {
            if let Some(value) = value {
                values.push(value);
                clauses.push(format!("{condition} ?{}", values.len()));
            }
        }
        if !query.states.is_empty() {
            let states: Vec<String> = query.states.iter().map(|state| format!("'{state}'")).collect();
            clauses.push(format!("state IN ({})", states.join(", ")));
        }
        let (condition, limit) = (clauses.join(" AND "), query.limit);
        let sql = format!("SELECT * FROM history WHERE {condition} ORDER BY slot DESC, job LIMIT {limit}");
        self.read("read", |connection| rows(connection, &sql, &values))
    }

    /// Each execution of a slot as a row of its own, in the order of their starts.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn executions(&self, job: &str, slot: DateTime<Utc>) -> Result<Vec<RunRow>, LedgerError> {
        let sql = "SELECT *, NULL AS due_at FROM executions WHERE job = ?1 AND slot = ?2 ORDER BY started_at, run_id";
        self.read("read", |connection| rows(connection, sql, &[&job, &Stamp(slot)]))
    }

    /// The account of a job's slots with `after` < slot <= `until`, as a session has them, so that neighbouring ranges
    /// share none.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn accounting(&self, job: &str, after: DateTime<Utc>, until: DateTime<Utc>) -> Result<Accounting, LedgerError> {
        let range = (job, Stamp(after), Stamp(until));
        self.read("read", |connection| {
            let mut accounting = Accounting::default();
            let sql = "SELECT state, count(*), count(due_at) FROM runs WHERE job = ?1 AND slot > ?2 AND slot <= ?3
                       GROUP BY state";
            let mut statement = connection.prepare_cached(sql)?;
            let mut counted = statement.query(range)?;
            while let Some(row) = counted.next()? {
                accounting.count(row.get(0)?, row.get(1)?, row.get(2)?);
            }
            let sql = "SELECT coalesce(sum(added), 0), coalesce(sum(replaced), 0) FROM executions
                       WHERE job = ?1 AND slot > ?2 AND slot <= ?3";
            let sums = connection.prepare_cached(sql)?.query_row(range, |row| Ok((row.get(0)?, row.get(1)?)))?;
            (accounting.rows_added, accounting.rows_replaced) = sums;
            Ok(accounting)
        })
    }

    /// The slot that failed or timed out last and has not been made good since.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn last_failure(&self) -> Result<Option<RunRow>, LedgerError> {
        self.read("read", |connection| {
            let sql = "SELECT * FROM history WHERE state IN ('failed', 'timed_out')
                       ORDER BY ended_at DESC, slot DESC LIMIT 1";
            connection.prepare_cached(sql)?.query_row([], RunRow::read).optional()
        })
    }
}

fn rows(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<Vec<RunRow>> {
    connection.prepare_cached(sql)?.query_map(values, RunRow::read)?.collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixtures::{NOW, end, finish, ledger, slot, start};
    use super::super::{End, EndState, NotRun, Planned, RowCounts, Trigger};
    use super::*;

    /// Slots 1 to 8: done, failed, timed out, skipped, missed, recovered, running, planned; 9 done by hand.
    fn filled(folder: &tempfile::TempDir) -> Ledger {
        let ledger = ledger(folder);
        let planned = |number| Planned { job: "snapshot".into(), slot: slot(number), due_at: slot(number) };
        ledger.plan(&(1..9).map(planned).collect::<Vec<_>>()).expect("planned");
        for (number, state) in [(1, EndState::Done), (2, EndState::Failed), (3, EndState::TimedOut)] {
            start(&ledger, slot(number), Trigger::Schedule, &format!("r{number}"));
            let counts = RowCounts { added: 3, ..RowCounts::default() };
            let now = NOW + TimeDelta::minutes(number.into());
            ledger.finish(&format!("r{number}"), &End { counts, ..end(state) }, now).expect("noted");
        }
        let not_run = |number| NotRun { job: "snapshot".into(), slot: slot(number), reason: "closed".into() };
        ledger.skip(&[not_run(4)], NOW).expect("noted");
        ledger.miss(&[not_run(5), not_run(6)], NOW).expect("noted");
        ledger.recover("snapshot", &[slot(6)], NOW).expect("noted");
        start(&ledger, slot(7), Trigger::Schedule, "r7");
        start(&ledger, slot(9), Trigger::Manual, "r9");
        finish(&ledger, "r9", EndState::Done);
        ledger
    }

    #[test]
    fn every_slot_is_accounted_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = filled(&folder);
        let account = ledger.accounting("snapshot", slot(0), slot(9)).expect("readable");
        let expected = Accounting {
            planned: 8,
            unplanned: 1,
            waiting: 1,
            running: 1,
            done: 2,
            skipped: 1,
            missed: 1,
            failed: 1,
            timed_out: 1,
            recovered: 1,
            rows_added: 9,
            rows_replaced: 0,
        };
        assert_eq!(account, expected);
        let part = |after, until| ledger.accounting("snapshot", slot(after), slot(until));
        let (first, second) = (part(0, 3).expect("readable"), part(3, 9).expect("readable"));
        assert_eq!((first.planned, second.planned), (3, 5), "neighbouring ranges share no slot");
        assert_eq!(part(9, 20).expect("readable"), Accounting::default());
        let other = ledger.accounting("backfill", slot(0), slot(9)).expect("readable");
        assert_eq!(other, Accounting::default());
    }

    #[test]
    fn the_history_can_be_narrowed() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = filled(&folder);
        let slots = |query: &HistoryQuery| -> Vec<DateTime<Utc>> {
            ledger.history(query).expect("readable").into_iter().map(|row| row.slot).collect()
        };
        let all = HistoryQuery::default();
        assert_eq!(slots(&all), (1..10).rev().map(slot).collect::<Vec<_>>());
        assert_eq!(slots(&HistoryQuery { limit: 2, ..all.clone() }), [slot(9), slot(8)]);
        assert_eq!(slots(&HistoryQuery { job: Some("backfill".into()), ..all.clone() }), Vec::<DateTime<Utc>>::new());
        let range = HistoryQuery {
            job: Some("snapshot".into()),
            since: Some(slot(2)),
            until: Some(slot(6)),
            states: vec![RunState::Failed, RunState::TimedOut, RunState::Done],
            ..all
        };
        assert_eq!(slots(&range), [slot(3), slot(2)]);
    }

    #[test]
    fn what_runs_and_what_failed_last_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = filled(&folder);
        assert_eq!(ledger.running("snapshot").expect("readable").map(|row| row.slot), Some(slot(7)));
        assert_eq!(ledger.running("backfill").expect("readable"), None);
        assert_eq!(ledger.last_failure().expect("readable").map(|row| row.slot), Some(slot(3)));
        ledger.recover("snapshot", &[slot(3)], NOW).expect("noted");
        assert_eq!(ledger.last_failure().expect("readable").map(|row| row.slot), Some(slot(2)));
        assert_eq!(ledger.newest_slot("snapshot", slot(99_999)).expect("readable"), Some(slot(8)), "9 was run by hand");
        assert_eq!(ledger.newest_slot("backfill", slot(99_999)).expect("readable"), None);
    }

    #[test]
    fn a_row_is_json_as_the_columns_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = filled(&folder);
        let row = ledger.find("snapshot", slot(3)).expect("readable").expect("there");
        let json = serde_json::to_value(row).expect("JSON");
        assert_eq!(
            (&json["state"], &json["added"], &json["trigger"]),
            (&"timed_out".into(), &3.into(), &"schedule".into())
        );
    }
}
