//! `jobs calendar` as a monitor and a systemd condition use it.

use serde_json::json;

use crate::support::Desk;

#[test]
fn is_open_answers_by_its_exit_code_and_every_error_is_255() {
    let desk = Desk::bare();
    let code = |arguments: &[&str]| desk.jobs(&[&["calendar", "is-open"], arguments].concat()).code;
    assert_eq!(code(&["nyse", "--at", "2026-11-27T12:59"]), 0);
    assert_eq!(code(&["nyse", "--at", "2026-11-27T13:00"]), 1, "a half day");
    assert_eq!(code(&["cme_equity", "--at", "2026-11-27T13:10"]), 0);
    for wrong in [
        vec!["nys"],
        vec![],
        vec!["nyse", "--at", "noon"],
        vec!["nyse", "--bogus"],
        vec!["nyse", "--at", "1999-01-04T10:00"],
    ] {
        assert_eq!(code(&wrong), 255, "{wrong:?}");
    }
    assert_eq!(desk.jobs(&["calendar", "--format", "json", "is-open", "bogus"]).code, 255);
    assert_eq!(desk.jobs(&["calendar", "-v", "is-open", "nyse", "--at", "noon"]).code, 255);
    desk.configure("gateway: [\n");
    assert_eq!(code(&["nyse"]), 255, "a broken configuration");
}

#[test]
fn sessions_are_one_object_a_segment() {
    let desk = Desk::bare();
    let told = desk.jobs(&[
        "calendar",
        "sessions",
        "cme_equity",
        "--from",
        "2026-11-26",
        "--to",
        "2026-11-27",
        "--format",
        "jsonl",
    ]);
    let segment = |date: &str, open: &str, close: &str| json!({"session_date": date, "open_utc": open, "close_utc": close, "kind": "early_close", "provisional": false});
    assert_eq!(
        told.succeeded().lines(),
        [
            segment("2026-11-26", "2026-11-25T23:00:00Z", "2026-11-26T18:00:00Z"),
            segment("2026-11-27", "2026-11-26T23:00:00Z", "2026-11-27T18:15:00Z"),
        ]
    );
}

#[test]
fn a_day_is_shown_with_its_reason() {
    let desk = Desk::bare();
    let told = desk.jobs(&["calendar", "show", "nyse", "--from", "2026-11-25", "--to", "2026-11-27"]).succeeded();
    insta::assert_snapshot!(told.stdout);
}

#[test]
fn an_override_file_closes_a_day() {
    let desk = Desk::bare();
    desk.configure("calendar: { override_file: days.yaml }\n");
    std::fs::write(
        desk.path().join("days.yaml"),
        "- { calendar: nyse, date: 2026-12-02, closed: true, reason: day of mourning }\n",
    )
    .expect("a file");
    assert_eq!(desk.jobs(&["calendar", "is-open", "nyse", "--at", "2026-12-02T12:00"]).code, 1);
    let told = desk.jobs(&["calendar", "show", "nyse", "--from", "2026-12-02", "--to", "2026-12-02"]).succeeded();
    assert!(told.stdout.contains("day of mourning"), "{}", told.stdout);
}
