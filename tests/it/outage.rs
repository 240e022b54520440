//! A gateway that is down for hours, over whole simulated days with the schedules of the program: a person gets two
//! mails, no slot is lost, and what follows from it is told by neither check nor job.

use chrono::{DateTime, Utc};
use frontmonth::alert::Letter;
use frontmonth::state::{HistoryQuery, Ledger, RunState};
use serde_json::{Value, json};

use crate::support::Desk;

/// The gateway closes what is connected, from the capture of 11:05 in New York to that of 14:00.
const THREE_HOURS: &str = "close-after-hello@from=2026-11-18T11:05,until=2026-11-18T14:05";

/// The same from the capture of 14:35 to that of the close at 17:00, and for a backfill and the checks in between.
const OVER_THE_CLOSE: &str = "close-after-hello@from=2026-11-18T14:35,until=2026-11-18T17:10";

/// The days of a simulation from the first to the last, with its account.
struct Simulated {
    account: Value,
    ledger: Ledger,
}

impl Simulated {
    fn of(desk: &Desk, (from, to): (&str, &str), fault: &str) -> Self {
        // How full the disk of this machine is says nothing about the days.
        desk.configure("quality: { lake.disk_free: { enabled: false } }\n");
        let simulate = ["simulate", "--from", from, "--to", to, "--fault", fault, "--format", "jsonl"];
        let account = desk.jobs(&simulate).lines().remove(0);
        let ledger = Ledger::open_to_read(&desk.path().join("data/simulation/state/jobs.db"));
        Self { account, ledger: ledger.expect("sound").expect("a ledger") }
    }

    /// The mails of alerts, in the order in which they were queued.
    fn alerts(&self) -> Vec<Letter> {
        let mails = self.ledger.queued_mails().expect("readable");
        let letters = mails.iter().map(|mail| serde_json::from_str::<Letter>(&mail.letter).expect("a letter"));
        letters.filter(|letter| letter.severity.is_some()).collect()
    }

    /// The captures in a state, oldest first.
    fn captures(&self, state: RunState) -> Vec<DateTime<Utc>> {
        let query = HistoryQuery { job: Some("snapshot".to_owned()), states: vec![state], ..HistoryQuery::default() };
        let mut slots: Vec<_> = self.ledger.history(&query).expect("readable").iter().map(|row| row.slot).collect();
        slots.sort();
        slots
    }

    /// No slot is without its rows, and nothing goes on.
    fn assert_is_whole_and_quiet(&self) {
        for table in self.account["tables"].as_array().expect("tables") {
            assert_eq!((&table["rows"], &table["keys"]), (&table["expected"], &table["expected"]), "{table}");
        }
        for state in [RunState::Failed, RunState::TimedOut, RunState::Missed, RunState::Skipped] {
            assert!(self.captures(state).is_empty(), "{state}");
        }
        let open: Vec<String> =
            self.ledger.open_incidents().expect("readable").iter().map(|one| one.key.to_string()).collect();
        assert_eq!(open, [""; 0], "incidents that go on");
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// The two mails that a gateway that is down is told by: the beginning and the end.
fn begin_and_end(letters: &[Letter]) -> (&Letter, &Letter) {
    let subjects: Vec<String> = letters.iter().map(Letter::full_subject).collect();
    let subject = "[jobs] CRITICAL gateway.down gateway";
    assert_eq!(subjects, [subject.to_owned(), format!("Re: {subject}")]);
    (&letters[0], &letters[1])
}

#[test]
fn three_hours_without_a_gateway_are_two_mails_and_no_slot_is_lost() {
    let desk = Desk::bare();
    let day = ("2026-11-18", "2026-11-18");
    let simulated = Simulated::of(&desk, day, THREE_HOURS);
    let account = &simulated.account;
    assert_eq!((&account["is_complete"], &account["faults"]), (&json!(true), &json!([])), "{account}");
    assert_eq!(account["findings"], json!({}), "what was filled before the checks looked is no finding");
    let struck = simulated.captures(RunState::Recovered);
    assert_eq!(struck.len(), 36, "{struck:?}");
    assert_eq!([struck[0], struck[35]], ["2026-11-18T16:05:00Z", "2026-11-18T19:00:00Z"].map(instant));
    assert_eq!(simulated.captures(RunState::Done).len(), 276 - 36);
    simulated.assert_is_whole_and_quiet();
    let letters = simulated.alerts();
    let (begin, end) = begin_and_end(&letters);
    assert_eq!(begin.written_at, struck[0], "at once");
    assert!(begin.text.starts_with("NEW · CRITICAL · gateway.down gateway"), "{}", begin.text);
    for part in ["cannot connect to the gateway", "Held jobs:    snapshot", "jobs doctor", "jobs run backfill"] {
        assert!(begin.text.contains(part), "{part} in\n{}", begin.text);
    }
    // Two captures in a row brought rows.
    assert_eq!(end.written_at, instant("2026-11-18T19:10:00Z"));
    for part in ["RESOLVED after 3 h 5 min, 36 failures", "run.failed snapshot: 36 failures"] {
        assert!(end.text.contains(part), "{part} in\n{}", end.text);
    }
    assert_eq!(account["mails"], 3, "beside the report of the morning: {account}");
    let again = Simulated::of(&desk, day, THREE_HOURS);
    assert_eq!((&again.account["num_runs"], &again.account["mails"]), (&json!(0), &json!(3)), "twice equals once");
}

#[test]
fn what_checks_and_backfill_meet_while_the_gateway_is_down_is_held_back_and_over_in_silence() {
    let desk = Desk::bare();
    let simulated = Simulated::of(&desk, ("2026-11-18", "2026-11-19"), OVER_THE_CLOSE);
    let struck = simulated.captures(RunState::Recovered);
    assert_eq!(struck.len(), 30, "{struck:?}");
    assert_eq!([struck[0], struck[29]], ["2026-11-18T19:35:00Z", "2026-11-18T22:00:00Z"].map(instant));
    // The checks looked while nothing had been filled.
    let findings = &simulated.account["findings"];
    assert_eq!((&findings["exchange.silent"], &findings["fresh.slot"]), (&json!(2), &json!(3)), "{findings}");
    simulated.assert_is_whole_and_quiet();
    let letters = simulated.alerts();
    let (begin, end) = begin_and_end(&letters);
    assert_eq!(begin.written_at, struck[0]);
    // The backfill after the close brought rows, and so did the first capture of the next session.
    assert_eq!(end.written_at, instant("2026-11-18T23:05:00Z"));
    for part in ["31 failures", "run.failed backfill", "exchange.silent", "fresh.slot ES"] {
        assert!(end.text.contains(part), "{part} in\n{}", end.text);
    }
    // The one backfill that met the closed gateway stands as failed; the next one filled everything.
    let faults = simulated.account["faults"].as_array().expect("a list");
    let told = faults.iter().map(|fault| fault.as_str().unwrap_or_default()).collect::<Vec<_>>();
    assert!(matches!(told.as_slice(), [only] if only.starts_with("backfill: 1 slots failed")), "{told:?}");
    assert_eq!(simulated.account["mails"], 4, "beside two reports: {}", simulated.account);
}
