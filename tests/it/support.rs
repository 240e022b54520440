//! A desk to work at: a folder with a configuration, the program, and simulated gateways.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tempfile::TempDir;

/// A Wednesday in the middle of both sessions, 12:00:10 in New York: ten seconds after a slot.
pub(crate) const NOON: &str = "2026-11-18T17:00:10Z";

/// The slot of [`NOON`].
pub(crate) const NOON_SLOT: &str = "2026-11-18T17:00:00Z";

/// A program that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// The rows or documents it printed with `--format jsonl`.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }
}

/// A working directory with a configuration.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    /// A desk without any configuration: the embedded default.
    pub(crate) fn bare() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// A desk that captures from a simulated gateway and goes by its clock.
    pub(crate) fn at(simulator: &Simulator) -> Self {
        let desk = Self::bare();
        desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
        desk
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn configure(&self, yaml: &str) {
        std::fs::write(self.path().join("jobs.yaml"), yaml).expect("a file");
    }

    /// The program with arguments, in this folder, with no configuration from outside.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobs"));
        let ours = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("JOBS__"));
        command.args(arguments).current_dir(self.path()).env_clear().envs(ours).env("NO_COLOR", "1");
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn jobs(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// Rows of a table, each as JSON.
    pub(crate) fn rows(&self, table: &str) -> Vec<Value> {
        let told = self.jobs(&["show", table, "--last", "1000000", "--format", "jsonl"]);
        // A lake that was never begun has none.
        if told.code == 78 && told.stderr.contains("there is no lake at") {
            Vec::new()
        } else {
            told.succeeded().lines()
        }
    }

    /// The keys of a table; fails where one is doubled.
    pub(crate) fn keys(&self, table: &str) -> BTreeSet<(String, String)> {
        let rows = self.rows(table);
        let keys: BTreeSet<_> = rows.iter().map(|row| (text(row, "symbol"), text(row, "timestamp"))).collect();
        assert_eq!(keys.len(), rows.len(), "a key is doubled in {table}");
        keys
    }

    /// Every file below the lake with its length, to see that nothing was written.
    pub(crate) fn lake_files(&self) -> BTreeSet<(PathBuf, u64)> {
        let mut files = BTreeSet::new();
        collect(&self.path().join("data"), &mut files);
        files
    }
}

/// Another desk with the same tables.
pub(crate) fn copy_of(desk: &Desk) -> Desk {
    let copy = Desk::bare();
    for (path, _) in desk.lake_files() {
        let target = copy.path().join(path.strip_prefix(desk.path()).expect("below the desk"));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        std::fs::copy(path, target).expect("copied");
    }
    copy
}

fn collect(folder: &Path, files: &mut BTreeSet<(PathBuf, u64)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("metadata");
        if metadata.is_dir() {
            collect(&entry.path(), files);
        } else {
            files.insert((entry.path(), metadata.len()));
        }
    }
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let started = Instant::now();
    let output = command.output().expect("the program runs");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
        took: started.elapsed(),
    }
}

pub(crate) fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("{column} in {row}")).to_owned()
}

/// A simulated gateway in a process of its own; ended when dropped.
pub(crate) struct Simulator {
    child: Child,
    pub(crate) address: String,
}

impl Simulator {
    /// Starts one whose clock stands at an instant.
    pub(crate) fn standing_at(now: &str, more: &[&str]) -> Self {
        Self::start(&[&["--now", now, "--speed", "0"], more].concat())
    }

    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobs"));
        command.args(["gateway", "simulate", "--format", "jsonl"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the simulator runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("its address");
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?} from {arguments:?}"));
        Self { child, address: text(&told, "address") }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tape of ES for the session of 2026-11-27, a half day of 231 slots: the close of each bar by its number.
pub(crate) fn half_day_tape(path: &Path, close: impl Fn(i32) -> f64) {
    let open: DateTime<Utc> = "2026-11-26T23:00:00Z".parse().expect("an instant");
    let mut lines = vec!["symbol,contract,expiry,bar_start_utc,bar_end_utc,open,high,low,close,volume".to_owned()];
    for number in 0..231 {
        let start = open + chrono::TimeDelta::minutes(5) * number;
        let [start, end] = [start, start + chrono::TimeDelta::minutes(5)].map(|at| at.format("%Y-%m-%dT%H:%M:%SZ"));
        let close = close(number);
        lines.push(format!("ES,ESZ6,2026-12-18,{start},{end},{close},{close},{close},{close},100"));
    }
    std::fs::write(path, lines.join("\n") + "\n").expect("written");
}
