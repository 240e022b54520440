//! The alert of a failed unit: told whatever else is broken.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::support::{Desk, Ended, ended, text};

/// The command with what systemd sets for a daemon that ended with exit 78, and none of the machine's journal.
fn unit_failed(desk: &Desk, arguments: &[&str]) -> Command {
    let mut command = desk.command(&[&["alert", "unit-failed"], arguments].concat());
    command.env("PATH", desk.path()).env_remove("LOGS_DIRECTORY");
    command.env("MONITOR_SERVICE_RESULT", "exit-code").env("MONITOR_EXIT_CODE", "exited");
    command.env("MONITOR_EXIT_STATUS", "78").env("MONITOR_INVOCATION_ID", "0123456789abcdef0123456789abcdef");
    command
}

/// Puts a program of this name where the command finds it.
fn install(desk: &Desk, name: &str, script: &str) {
    let path = desk.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
}

fn log_of(desk: &Desk, folder: &str) -> String {
    std::fs::read_to_string(desk.path().join(folder).join("alert.log")).expect("the log")
}

#[test]
fn a_person_reads_what_failed_why_and_what_to_do_next() {
    let desk = Desk::bare();
    install(&desk, "journalctl", r#"echo "asked $*"; echo "error: unknown key gatewy""#);
    let told = ended(&mut unit_failed(&desk, &["jobs.service"])).succeeded();
    insta::assert_snapshot!(told.stdout);
    assert!(told.stderr.contains("ERROR") && told.stderr.contains("the configuration is wrong"), "{}", told.stderr);
    let log = log_of(&desk, "logs");
    for part in [r#""level":"ERROR""#, r#""unit":"jobs.service""#, r#""exit_status":"78""#, "gatewy"] {
        assert!(log.contains(part), "{part} in {log}");
    }
}

#[test]
fn a_program_reads_the_same() {
    let desk = Desk::bare();
    let told = ended(&mut unit_failed(&desk, &["jobs@backfill.service", "--format", "jsonl"])).succeeded().lines();
    let told = &told[0];
    let expected = ["jobs@backfill.service", "exit-code", "exited", "78", "0123456789abcdef0123456789abcdef"];
    assert_eq!(
        ["unit", "service_result", "exit_code", "exit_status", "invocation_id"].map(|k| text(told, k)),
        expected
    );
    assert!(text(told, "meaning").contains("configuration"), "{told}");
    assert!(told["journal"].is_null() && told["configuration_fault"].is_null(), "{told}");
    assert!(told["next"].as_array().is_some_and(|steps| steps.len() == 4), "{told}");
}

#[test]
fn nothing_is_known_and_it_is_still_told() {
    let desk = Desk::bare();
    let mut command = unit_failed(&desk, &["jobs.service"]);
    for name in ["SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS", "INVOCATION_ID"] {
        command.env_remove(format!("MONITOR_{name}"));
    }
    let told = ended(&mut command).succeeded();
    assert!(told.stdout.contains("jobs.service failed: how it ended is not known"), "{}", told.stdout);
}

/// The alert of a daemon with a broken configuration meets the same configuration.
#[test]
fn a_broken_configuration_is_told_and_the_log_goes_to_the_folder_that_systemd_gives() {
    let desk = Desk::bare();
    desk.configure("gatewy: {}\n");
    let given = desk.path().join("given");
    let told = ended(unit_failed(&desk, &["jobs.service"]).env("LOGS_DIRECTORY", &given)).succeeded();
    assert!(told.stdout.contains("the configuration cannot be read: ") && told.stdout.contains("gatewy"), "{told:#?}");
    assert!(log_of(&desk, "given").contains("gatewy"));
    assert!(!desk.path().join("logs").exists(), "a folder that nobody named was made");
}

#[test]
fn a_log_folder_that_cannot_be_written_keeps_nothing_from_being_told() {
    let desk = Desk::bare();
    desk.configure("paths: { logs: /proc/nowhere }\n");
    let told = ended(&mut unit_failed(&desk, &["jobs.service"])).succeeded();
    assert!(told.stdout.contains("jobs.service failed"), "{}", told.stdout);
    assert!(
        told.stderr.contains("nothing is logged to files") && told.stderr.contains("/proc/nowhere"),
        "{}",
        told.stderr
    );
}

#[test]
fn odd_names_of_units_are_told_on_one_line() {
    let desk = Desk::bare();
    let long = "x".repeat(5_000);
    let names =
        ["", "-.mount", "--", "*", r"a\x2db.service", "a\nb\u{1b}[2J.service", "'; rm -rf $HOME", "ünit", &long];
    for name in names {
        let Ended { stdout, .. } = ended(&mut unit_failed(&desk, &["--format", "jsonl", "--", name])).succeeded();
        assert_eq!(stdout.lines().count(), 1, "{name:?}: {stdout}");
        assert!(!stdout.contains('\u{1b}') && stdout.len() < 3_000, "{name:?}: {stdout}");
    }
    let told = ended(unit_failed(&desk, &[]).arg(OsStr::from_bytes(b"\xff\xfe.service"))).succeeded();
    assert!(told.stdout.contains(".service failed"), "{}", told.stdout);
    assert!(ended(&mut unit_failed(&desk, &["-.mount"])).succeeded().stdout.starts_with("-.mount failed"));
}

#[test]
fn an_endless_or_silent_journal_does_not_hold_up_the_alert() {
    let desk = Desk::bare();
    install(&desk, "journalctl", "while :; do echo again and again; done");
    let told = ended(&mut unit_failed(&desk, &["jobs.service"])).succeeded();
    assert_eq!(told.stdout.matches("again and again").count(), 20);
    install(&desk, "journalctl", "exec /bin/sleep 60");
    let told = ended(&mut unit_failed(&desk, &["jobs.service"])).succeeded();
    assert!(!told.stdout.contains("journal:") && told.took < Duration::from_secs(30), "{told:#?}");
}

#[test]
fn help_says_what_the_alert_is_for() {
    let told = Desk::bare().jobs(&["alert", "unit-failed", "--help"]).succeeded();
    assert!(told.stdout.contains("OnFailure=") && told.stdout.contains("MONITOR_EXIT_STATUS"), "{}", told.stdout);
    assert_eq!(Desk::bare().jobs(&["alert", "unit-failed"]).code, 2);
}
