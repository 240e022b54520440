//! What comes from outside acts on no terminal, whatever prints it.

use chrono::{DateTime, Utc};
use frontmonth::escape::is_unfit;
use frontmonth::state::{End, EndState, Ledger, RowCounts, Start, Trigger};
use serde_json::Value;

use crate::support::{Desk, Ended, text};

/// Clears a screen, sets a title, and turns the direction of writing.
const HOSTILE: &str = "sold\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}2J\u{202e}out\r";

/// The same as it is shown.
const SHOWN: &str = "sold\\u001b[2J\\u001b]0;title\\u0007\\u009b2J\\u202eout\\r";

fn assert_fit(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        let unfit: Vec<char> = text.chars().filter(|c| is_unfit(*c) && !matches!(c, '\n' | '\t')).collect();
        assert!(unfit.is_empty(), "{unfit:?} in {text:?}");
    }
}

#[test]
fn an_answer_shows_codes_as_text_and_keeps_the_data_otherwise() {
    let desk = Desk::bare();
    let sql = format!("select '{HOSTILE}' as words");
    let told = desk.jobs(&["query", &sql]).succeeded();
    assert_fit(&told);
    assert!(told.stdout.contains("sold\\u001b[2J"), "{told:?}");
    let rows = desk.jobs(&["query", &sql, "--format", "jsonl"]).succeeded().lines();
    assert_eq!(text(&rows[0], "words"), HOSTILE);
    assert!(desk.jobs(&["query", &sql, "--format", "csv"]).succeeded().stdout.contains(HOSTILE));
}

#[test]
fn a_log_is_printed_without_what_acts_on_a_terminal() {
    let desk = Desk::bare();
    let folder = desk.path().join("logs");
    std::fs::create_dir(&folder).expect("a folder");
    let message = format!(
        "{{\"timestamp\":\"2026-11-18T17:00:10Z\",\"level\":\"WARN\",\"message\":\"{}\"}}",
        "sold\u{9b}2J\u{202e}"
    );
    std::fs::write(folder.join("snapshot.2026-11-18.log"), format!("{message}\ntorn {HOSTILE}\n")).expect("a file");
    let told = desk.jobs(&["logs", "snapshot"]).succeeded();
    assert_fit(&told);
    assert!(told.stdout.contains("sold\\u009b2J\\u202e") && told.stdout.contains("torn sold\\u001b[2J"), "{told:?}");
    let told = desk.jobs(&["logs", "snapshot", "--format", "jsonl"]).succeeded();
    assert_fit(&told);
    assert_eq!(text(&told.lines()[0], "message"), "sold\u{9b}2J\u{202e}", "the same document");
}

#[test]
fn what_the_ledger_holds_is_printed_without_what_acts_on_a_terminal() {
    let desk = Desk::bare();
    let at: DateTime<Utc> = "2026-11-18T17:00:00Z".parse().expect("an instant");
    let ledger = Ledger::open(&desk.path().join("state/jobs.db")).expect("a ledger");
    let start = Start { job: "snapshot".into(), slot: at, trigger: Trigger::Schedule, run_id: "r1".into(), pid: 1 };
    ledger.start(&start, at).expect("noted");
    let error = Some(HOSTILE.to_owned());
    let counts = RowCounts::default();
    let end = End { state: EndState::Failed, reason: None, counts, error, exit_code: Some(1), attempts: 1 };
    ledger.finish("r1", &end, at).expect("noted");
    drop(ledger);
    for command in ["history", "status", "doctor"] {
        assert_fit(&desk.jobs(&[command]));
    }
    assert!(desk.jobs(&["history"]).stdout.contains(SHOWN));
    let rows: Vec<Value> = desk.jobs(&["history", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(text(&rows[0], "error"), HOSTILE);
}

#[test]
fn errors_and_logs_on_stderr_act_on_no_terminal() {
    let desk = Desk::bare();
    let address = format!("127.0.0.1:1{HOSTILE}");
    for arguments in [&["run", "snapshot", "--gateway", &address][..], &["gateway", "probe", "--gateway", &address]] {
        let ended = desk.jobs(arguments);
        assert_ne!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains("sold\\u001b[2J"), "{ended:?}");
        assert_fit(&ended);
    }
    let mut command = desk.command(&["config", "check"]);
    let checked = crate::support::ended(command.env("JOBS__GATEWAY__KIND", HOSTILE));
    assert!(checked.code == 78 && checked.stderr.contains("sold\\u"), "{checked:?}");
    assert_fit(&checked);
}
