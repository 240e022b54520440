//! `jobs logs`: the files of a job, whatever a crash left in them.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use crate::support::{Desk, text};

fn line(at: &str, level: &str, message: &str) -> String {
    format!(
        r#"{{"timestamp":"{at}","level":"{level}","message":"{message}","added":6,"target":"frontmonth::job","spans":[{{"job":"snapshot","run_id":"ab12","name":"run"}}]}}"#
    )
}

fn append(desk: &Desk, day: &str, text: &str) {
    let folder = desk.path().join("logs");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("snapshot.{day}.log"));
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
}

/// Two days; on the second a line that was cut off by a crash, and one that is still being written.
fn desk() -> Desk {
    let desk = Desk::bare();
    let whole = |at, level, message| line(at, level, message) + "\n";
    append(&desk, "2026-11-18", &whole("2026-11-18T23:50:00.5Z", "INFO", "first"));
    append(&desk, "2026-11-18", &whole("2026-11-18T23:55:00Z", "WARN", "second"));
    append(&desk, "2026-11-19", r#"{"timestamp":"2026-11-19T00:00:00Z","level":"ERR"#);
    append(&desk, "2026-11-19", &whole("2026-11-19T00:05:00Z", "ERROR", "third"));
    append(&desk, "2026-11-19", r#"{"timestamp":"2026-11-19T00:10:00Z","lev"#);
    desk
}

#[test]
fn two_days_are_one_log_and_a_cut_line_takes_no_other_with_it() {
    let desk = desk();
    insta::assert_snapshot!(desk.jobs(&["logs", "snapshot"]).succeeded().stdout);
    let messages = |more: &[&str]| -> Vec<String> {
        let told = desk.jobs(&[&["logs", "snapshot", "--format", "jsonl"], more].concat()).succeeded().lines();
        told.iter().map(|line| line["message"].as_str().unwrap_or("unreadable").to_owned()).collect()
    };
    assert_eq!(messages(&[]), ["first", "second", "unreadable", "third"]);
    assert_eq!(messages(&["-n", "2"]), ["unreadable", "third"]);
    assert_eq!(messages(&["-n", "0"]), Vec::<String>::new());
    assert_eq!(messages(&["--level", "error"]), ["unreadable", "third"]);
    assert_eq!(messages(&["--since", "2026-11-18T18:55"]), ["second", "unreadable", "third"]);
    let raw = desk.jobs(&["logs", "snapshot", "--format", "jsonl", "-n", "1"]).succeeded().stdout;
    assert_eq!(raw.trim_end(), line("2026-11-19T00:05:00Z", "ERROR", "third"), "as it stands in the file");
    let json: Vec<serde_json::Value> =
        serde_json::from_str(&desk.jobs(&["logs", "snapshot", "--format", "json"]).succeeded().stdout).expect("JSON");
    assert_eq!((json.len(), text(&json[0], "message")), (4, "first".to_owned()));
}

#[test]
fn unknown_names_are_told_what_exists_and_a_job_without_a_log_is_no_failure() {
    let desk = desk();
    let told = desk.jobs(&["logs", "snapshott"]);
    assert_eq!((told.code, told.stderr.contains("did you mean snapshot?")), (2, true), "{told:#?}");
    let told = desk.jobs(&["logs", "serve"]).succeeded();
    assert!(told.stdout.is_empty() && told.stderr.contains("there are logs of: snapshot"), "{told:#?}");
    Desk::bare().jobs(&["logs", "alert"]).succeeded();
}

#[test]
fn what_a_run_logs_can_be_read_back() {
    let desk = Desk::bare();
    desk.jobs(&["run", "snapshot"]).succeeded();
    let told = desk.jobs(&["logs", "snapshot"]).succeeded().stdout;
    assert!(told.contains(" INFO  run done ") && told.contains("trigger=manual"), "{told}");
}

/// Ended when dropped, so that a test that fails leaves nothing behind.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn following(desk: &Desk) -> (Following, impl Iterator<Item = String> + use<>) {
    let mut command = desk.command(&["logs", "snapshot", "-f", "-n", "1", "--level", "warn"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    (Following(child), lines)
}

#[test]
fn following_goes_on_over_midnight_and_ends_when_its_reader_has_gone() {
    let desk = desk();
    let (mut child, mut lines) = following(&desk);
    assert!(lines.next().is_some_and(|line| line.contains("third")));
    // The line that was being written gets its end, then a new day begins.
    append(&desk, "2026-11-19", r#"el":"WARN","message":"fourth"}"#);
    append(&desk, "2026-11-19", "\n");
    append(&desk, "2026-11-20", &(line("2026-11-20T00:00:00Z", "INFO", "too light") + "\n"));
    append(&desk, "2026-11-20", &(line("2026-11-20T00:05:00Z", "WARN", "fifth") + "\n"));
    assert!(lines.next().is_some_and(|line| line.contains("fourth")));
    assert!(lines.next().is_some_and(|line| line.contains("fifth")));
    drop(lines);
    assert_eq!(child.0.wait().expect("its end").code(), Some(0));
}
