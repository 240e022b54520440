//! What a command says where its answer cannot be written.

use std::fs::{File, OpenOptions};
use std::io::pipe;
use std::process::Stdio;

use crate::support::Desk;

/// A device on which every write fails for want of space.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("a device of Linux")
}

const ANSWERS: [&[&str]; 14] = [
    &["--help"],
    &["--version"],
    &["calendar", "show", "nyse"],
    &["calendar", "next-open", "nyse", "--format", "json"],
    &["completions", "bash"],
    &["config", "check"],
    &["config", "generate"],
    &["config", "show"],
    &["history"],
    &["list"],
    &["man"],
    &["next"],
    &["schedule", "check"],
    &["query", "select 1"],
];

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_of_every_command() {
    let desk = Desk::bare();
    for arguments in ANSWERS {
        let mut command = desk.command(arguments);
        let child = command.stdout(full()).stderr(Stdio::piped()).spawn().expect("it runs");
        let ended = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.starts_with("error: cannot write the answer"), "{arguments:?}: {told}");
    }
}

#[test]
fn a_market_is_not_closed_because_the_answer_cannot_be_written() {
    let desk = Desk::bare();
    for at in ["2026-12-02T12:00", "2026-12-05T12:00"] {
        for more in [&["--at", at][..], &["--at", at, "--format", "json"], &["--help"]] {
            let mut command = desk.command(&[&["calendar", "is-open", "nyse"], more].concat());
            let status = command.stdout(full()).stderr(Stdio::null()).status().expect("it runs");
            assert_eq!(status.code(), Some(255), "{at} {more:?}");
        }
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let desk = Desk::bare();
    for arguments in ANSWERS {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let child = desk.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("it runs");
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success() && ended.stderr.is_empty(), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn a_full_disk_under_stderr_changes_no_exit_code() {
    let desk = Desk::bare();
    for (arguments, code) in
        [(&["next", "backfil"][..], 2), (&["config", "check"], 0), (&["--config", "none", "list"], 78)]
    {
        let status = desk.command(arguments).stdout(Stdio::null()).stderr(full()).status().expect("it runs");
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}
