//! The daily report: one page and one mail a day, however often it is run, and a mail server that is down loses neither.

use std::path::PathBuf;

use crate::support::{Desk, NOON, Simulator, text};

/// A desk with the sessions before the noon, its signals and its decisions.
fn decided() -> (Simulator, Desk) {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.configure(&configuration(&simulator, "kind: file, host_name: desk"));
    desk.jobs(&["run", "backfill", "--from", "2026-11-16"]).succeeded();
    desk.jobs(&["run", "signals", "--from", "2026-11-18"]).succeeded();
    (simulator, desk)
}

fn configuration(simulator: &Simulator, mail: &str) -> String {
    format!(
        "gateway: {{ address: \"{}\", clock: gateway }}\nmail: {{ {mail} }}\nruns: {{ max_retries: 0 }}\n",
        simulator.address
    )
}

fn mails(desk: &Desk) -> Vec<String> {
    let folder = desk.path().join("data/mail/new");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("a mail")).collect()
}

#[test]
fn a_day_has_one_page_and_one_mail_until_it_is_asked_for_anew() {
    let (_simulator, desk) = decided();
    let told = desk.jobs(&["run", "report", "--dry-run"]).succeeded().stdout;
    for part in ["SIMULATED DATA", "WHAT THE FUTURES SAY", "THE WEEK AHEAD", "Seven usual days"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!desk.path().join("data/reports").exists() && mails(&desk).is_empty(), "a dry run leaves nothing");
    for _ in 0..2 {
        desk.jobs(&["run", "report"]).succeeded();
    }
    let page = std::fs::read_to_string(desk.path().join("data/reports/2026-11-18.html")).expect("a page");
    assert_eq!(page.matches("<svg").count(), 2, "the night and the slots; no book yet");
    let sent = mails(&desk);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains("Message-ID: <jobs.report.2026-11-18@desk>"), "{}", sent[0]);
    assert!(sent[0].contains("Content-Type: image/png") && !sent[0].contains("<svg"));
    for number in 2..4 {
        desk.jobs(&["run", "report", "--resend"]).succeeded();
        let sent = mails(&desk);
        assert_eq!(sent.len(), number, "each resending is a mail of its own");
    }
    let answers =
        mails(&desk).iter().filter(|mail| mail.contains("In-Reply-To: <jobs.report.2026-11-18@desk>")).count();
    assert_eq!(answers, 2);
    let wrong = desk.jobs(&["run", "report", "--date", "2026-11-26"]);
    assert_eq!((wrong.code, wrong.stderr.contains("NYSE does not open on 2026-11-26")), (2, true), "{wrong:#?}");
}

#[test]
fn a_server_that_is_down_keeps_the_mail_waiting() {
    let (simulator, desk) = decided();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let smtp = format!(
        "kind: smtp, host_name: desk, from: jobs@example.com, to: [desk@example.com], \
         smtp: {{ host: 127.0.0.1, port: {free}, tls: none, timeout_seconds: 2 }}"
    );
    desk.configure(&configuration(&simulator, &smtp));
    let failed = desk.jobs(&["run", "report"]);
    assert_eq!(failed.code, 69, "{failed:#?}");
    assert!(failed.stderr.contains("its mail waits in the outbox"), "{failed:#?}");
    assert!(desk.path().join("data/reports/2026-11-18.html").is_file());
    let again = desk.jobs(&["run", "report"]).succeeded();
    assert!(again.stdout.contains("its mail waits in the outbox"), "{again:#?}");
}

#[test]
fn an_etf_without_a_signal_is_told_with_the_reason() {
    let (_simulator, desk) = decided();
    let told = desk.jobs(&["run", "report", "--date", "2026-11-17", "--dry-run", "--format", "jsonl"]).succeeded();
    let document = told.lines().remove(0);
    let notes: Vec<String> = document["notes"].as_array().expect("notes").iter().map(ToString::to_string).collect();
    let told = notes.join("\n");
    assert!(told.contains("no signal: "), "{told}");
    assert_eq!(text(&document, "status"), "done");
}

#[test]
fn a_report_that_did_not_leave_is_found_by_the_checks() {
    let (simulator, desk) = decided();
    desk.jobs(&["run", "report", "--date", "2026-11-17"]).succeeded();
    let found = |desk: &Desk| desk.jobs(&["run", "quality", "--dry-run"]).succeeded().stderr;
    let told = found(&desk);
    assert!(told.contains("report.sent") && told.contains("there is no report"), "{told}");
    desk.jobs(&["run", "report"]).succeeded();
    assert!(!found(&desk).contains("report.sent"));
    drop(simulator);
}
