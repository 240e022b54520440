//! The verdict: one line for a person, one exit code for a monitor. Pure.

use serde::Serialize;

use crate::job::Failure;
use crate::market::GatewayKind;

use super::account::{JobAccount, SessionAccount};
use super::freshness::{Freshness, FreshnessState};
use super::{Daemon, MISSED, NO_DAEMON};

/// The verdict.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    pub(super) state: VerdictState,
    pub(super) exit_code: u8,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerdictState {
    /// All is well.
    Well,
    /// Something was missed.
    Missed,
    /// No daemon is running.
    NoDaemon,
    /// Nothing has been scheduled yet.
    New,
}

/// From what the verdict is drawn.
pub(super) struct Evidence<'a> {
    pub(super) daemon: &'a Daemon,
    pub(super) sessions: &'a [SessionAccount],
    pub(super) freshness: &'a [Freshness],
    pub(super) lake_error: Option<&'a str>,
    /// Why what the ledger says is not what the running daemon does.
    pub(super) ledger_fault: Option<&'a str>,
    /// Whether that is because there is none.
    pub(super) lacks_lake: bool,
    /// Whether any run was ever recorded.
    pub(super) is_recorded: bool,
    /// Whether the schedule was ever taken up.
    pub(super) is_scheduled: bool,
    pub(super) kind: GatewayKind,
}

impl Evidence<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        if let Some(fault) = self.ledger_fault {
            let text = [vec![format!("not all is well: {fault}")], self.faults()].concat().join("; ");
            return Verdict { state: VerdictState::Missed, exit_code: MISSED, text };
        }
        if !self.is_scheduled {
            return self.of_a_newcomer();
        }
        let faults = self.faults();
        if self.daemon.wanted && !self.daemon.running {
            let text = "no daemon is running, so nothing is captured until jobs serve is started".to_owned();
            let text = [vec![text], faults].concat().join("; ");
            return Verdict { state: VerdictState::NoDaemon, exit_code: NO_DAEMON, text };
        }
        if faults.is_empty() {
            return Verdict { state: VerdictState::Well, exit_code: 0, text: self.all_is_well() };
        }
        let text = format!("not all is well: {}", faults.join("; "));
        Verdict { state: VerdictState::Missed, exit_code: MISSED, text }
    }

    /// Who tries the program out is not to be shouted at; where real data should come, silence would hide a lost state.
    fn of_a_newcomer(&self) -> Verdict {
        let what = if self.is_recorded {
            "nothing has ever been scheduled here, all runs were made by hand"
        } else {
            "no run was ever recorded here"
        };
        let (exit_code, next) = match (self.daemon.running, self.daemon.wanted, self.kind) {
            (true, ..) => (0, "the daemon is running and waits for the first slot"),
            (false, true, GatewayKind::Ib) => (NO_DAEMON, "no daemon is running: start it with jobs serve"),
            (false, false, GatewayKind::Ib) => (MISSED, "start the timers, or check paths.state"),
            (false, _, GatewayKind::Simulated) => (0, "jobs run snapshot tries it out, jobs serve starts the daemon"),
        };
        let text = [vec![format!("{what}; {next}")], self.lake_fault()].concat().join("; ");
        let exit_code = match (exit_code, self.lake_error) {
            // As in a wrong working directory, where all else is new as well.
            (0, Some(_)) if self.lacks_lake && !self.is_recorded => Failure::Misconfigured.exit_code(),
            (0, Some(_)) => MISSED,
            _ => exit_code,
        };
        Verdict { state: VerdictState::New, exit_code, text }
    }

    fn all_is_well(&self) -> String {
        let sum = |count: fn(&JobAccount) -> u32| -> u32 {
            self.sessions.iter().flat_map(|session| &session.jobs).map(count).sum()
        };
        let counts = [
            (sum(|job| job.done), "done"),
            (sum(|job| job.recovered), "recovered"),
            (sum(|job| job.skipped), "skipped"),
            (sum(|job| job.running), "running"),
            (sum(|job| job.waiting), "waiting"),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let planned = sum(|job| job.planned - job.not_counted);
        let slots = if planned == 1 { "1 slot".to_owned() } else { format!("{planned} slots") };
        let sessions =
            if self.sessions.len() == 1 { "1 session".to_owned() } else { format!("{} sessions", self.sessions.len()) };
        let of_them = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
        format!("all is well: {slots} planned in {sessions}{of_them}")
    }

    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = Vec::new();
        let mut jobs: Vec<&str> = Vec::new();
        for job in self.sessions.iter().flat_map(|session| &session.jobs) {
            if !jobs.contains(&job.job.as_str()) {
                jobs.push(&job.job);
            }
        }
        faults.extend(jobs.into_iter().filter_map(|job| self.faults_of(job)));
        let stale = self.freshness.iter().filter(|fresh| fresh.state == FreshnessState::Stale);
        let stale: Vec<&str> = stale.map(|fresh| fresh.symbol.as_str()).collect();
        if !stale.is_empty() {
            faults.push(format!("stale: {}", stale.join(", ")));
        }
        faults.extend(self.lake_fault());
        faults
    }

    fn lake_fault(&self) -> Vec<String> {
        self.lake_error.map(|error| format!("the tables cannot be read: {error}")).into_iter().collect()
    }

    /// `snapshot: 3 missed, 1 failed`, over all sessions.
    fn faults_of(&self, name: &str) -> Option<String> {
        let sum = |count: fn(&JobAccount) -> u32| -> u32 {
            let jobs = self.sessions.iter().flat_map(|session| &session.jobs);
            jobs.filter(|job| job.job == name).map(count).sum()
        };
        let counts = [
            (sum(|job| job.missed), "missed"),
            (sum(|job| job.failed), "failed"),
            (sum(|job| job.timed_out), "timed out"),
            (sum(|job| job.died), "died"),
            (sum(|job| job.unaccounted), "unaccounted"),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        (!counts.is_empty()).then(|| format!("{name}: {}", counts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn session(job: JobAccount) -> SessionAccount {
        let at = DateTime::UNIX_EPOCH;
        SessionAccount { session_date: String::new(), open_utc: at, close_utc: at, until_utc: at, jobs: vec![job] }
    }

    fn daemon(running: bool, wanted: bool) -> Daemon {
        Daemon { running, pid: None, since_utc: None, run_id: None, wanted }
    }

    fn judged(daemon: &Daemon, sessions: &[SessionAccount]) -> Verdict {
        let evidence = Evidence {
            daemon,
            sessions,
            freshness: &[],
            lake_error: None,
            lacks_lake: false,
            ledger_fault: None,
            is_recorded: true,
            is_scheduled: true,
            kind: GatewayKind::Ib,
        };
        evidence.verdict()
    }

    #[test]
    fn a_missing_daemon_counts_before_what_it_missed() {
        let job = JobAccount { job: "snapshot".into(), planned: 5, done: 2, missed: 3, ..JobAccount::default() };
        let sessions = [session(job)];
        let told = judged(&daemon(false, true), &sessions);
        assert_eq!((told.exit_code, told.state), (NO_DAEMON, VerdictState::NoDaemon));
        assert!(told.text.ends_with("; snapshot: 3 missed"), "{}", told.text);
        let told = judged(&daemon(false, false), &sessions);
        assert_eq!((told.exit_code, told.text.as_str()), (MISSED, "not all is well: snapshot: 3 missed"));
    }

    #[test]
    fn what_was_recovered_is_well() {
        let job = JobAccount { job: "snapshot".into(), planned: 5, done: 2, recovered: 3, ..JobAccount::default() };
        let told = judged(&daemon(true, true), &[session(job)]);
        assert_eq!(told.exit_code, 0);
        assert_eq!(told.text, "all is well: 5 slots planned in 1 session: 2 done, 3 recovered");
        let one = JobAccount { job: "snapshot".into(), planned: 1, done: 1, ..JobAccount::default() };
        assert_eq!(
            judged(&daemon(true, true), &[session(one)]).text,
            "all is well: 1 slot planned in 1 session: 1 done"
        );
    }

    #[test]
    fn a_daemon_that_writes_to_another_ledger_is_not_well_whatever_this_one_says() {
        let daemon = daemon(true, true);
        for is_scheduled in [false, true] {
            let evidence = Evidence {
                daemon: &daemon,
                sessions: &[],
                freshness: &[],
                lake_error: None,
                lacks_lake: false,
                ledger_fault: Some("the running daemon does not write to this ledger"),
                is_recorded: is_scheduled,
                is_scheduled,
                kind: GatewayKind::Simulated,
            };
            let told = evidence.verdict();
            assert_eq!(told.exit_code, MISSED);
            assert_eq!(told.text, "not all is well: the running daemon does not write to this ledger");
        }
    }

    #[test]
    fn a_real_gateway_without_any_record_is_told_and_a_simulated_one_is_welcomed() {
        let judged = |kind, daemon: Daemon| {
            let evidence = Evidence {
                daemon: &daemon,
                sessions: &[],
                freshness: &[],
                lake_error: None,
                ledger_fault: None,
                lacks_lake: false,
                is_recorded: false,
                is_scheduled: false,
                kind,
            };
            evidence.verdict().exit_code
        };
        assert_eq!(judged(GatewayKind::Simulated, daemon(false, true)), 0);
        assert_eq!(judged(GatewayKind::Ib, daemon(false, true)), NO_DAEMON);
        assert_eq!(judged(GatewayKind::Ib, daemon(false, false)), MISSED);
        assert_eq!(judged(GatewayKind::Ib, daemon(true, true)), 0);
    }

    #[test]
    fn where_nothing_is_recorded_and_no_lake_lies_the_place_is_wrong() {
        let judged = |is_recorded| {
            let evidence = Evidence {
                daemon: &daemon(false, true),
                sessions: &[],
                freshness: &[],
                lake_error: Some("there is no lake"),
                ledger_fault: None,
                lacks_lake: true,
                is_recorded,
                is_scheduled: false,
                kind: GatewayKind::Simulated,
            };
            evidence.verdict().exit_code
        };
        assert_eq!((judged(false), judged(true)), (78, MISSED));
    }
}
