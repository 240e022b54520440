//! The engines from Python: a venv of our own, one process over all tables, its figures a line of JSON each.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use frontmonth::calendar::{Session, Slot};
use serde::Deserialize;

use super::ours::middle;
use super::report::{Figure, Report};
use super::tables::{Layout, TABLE, folder};
use super::timing::Timing;

/// What is installed; one that cannot be is left out by the script.
const PACKAGES: [&str; 7] = ["deltalake", "polars", "duckdb", "numpy", "pandas", "pyarrow", "arcticdb"];

/// A ready Python with the packages, so that they need not be fetched again.
const PYTHON_VARIABLE: &str = "READS_PYTHON";

#[derive(Debug, Deserialize)]
struct Told {
    operation: String,
    layout: String,
    engine: String,
    durable: String,
    p50_ms: f64,
    p99_ms: f64,
    rounds: usize,
}

/// Times the peers over all layouts, or says why not.
pub(crate) fn measure(root: &Path, report: &mut Report) {
    let Some(python) = python(root) else {
        println!("no peers: neither pip nor {PYTHON_VARIABLE} gave a Python with {}", PACKAGES.join(", "));
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers.py");
    let mut command = Command::new(python);
    command.arg(script).arg(root.join("peers")).stdout(Stdio::piped());
    for layout in Layout::ALL {
        command.arg(described(root, layout));
    }
    let mut running = command.spawn().expect("Python starts");
    let out = running.stdout.take().expect("piped");
    for line in BufReader::new(out).lines() {
        let line = line.expect("text");
        match serde_json::from_str::<Told>(&line) {
            Ok(told) => note(report, &told),
            Err(_) => println!("{line}"),
        }
    }
    let status = running.wait().expect("it ends");
    assert!(status.success(), "the peers failed: {status}");
}

fn note(report: &mut Report, told: &Told) {
    let figure =
        Figure { engine: &told.engine, durable: &told.durable, layout: &told.layout, operation: &told.operation };
    report.note(figure, Timing { p50_ms: told.p50_ms, p99_ms: told.p99_ms, rounds: told.rounds });
}

/// A table and the bounds of what is asked of it, as the script takes them.
fn described(root: &Path, layout: Layout) -> String {
    let sessions = layout.sessions();
    let bounds = |num_sessions: usize| {
        let slots: Vec<Slot> = middle(&sessions, num_sessions).iter().flat_map(Session::slots).collect();
        let (from, to) = slots.first().zip(slots.last()).expect("slots");
        serde_json::json!([from.instant().timestamp(), to.instant().timestamp(), slots.len()])
    };
    let three = (sessions.len() >= 3).then(|| bounds(3));
    let year = (layout == Layout::Year).then(|| bounds(sessions.len()));
    let table = folder(root, layout).join("data/lake").join(TABLE.as_str());
    serde_json::json!({
        "layout": layout.name(), "table": table, "one session": bounds(1), "three sessions": three,
        "the symbol's year": year,
    })
    .to_string()
}

fn python(root: &Path) -> Option<PathBuf> {
    if let Some(ready) = std::env::var_os(PYTHON_VARIABLE) {
        return Some(ready.into());
    }
    let venv = root.join("venv");
    let succeeds = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv)) {
        return None;
    }
    let python = venv.join("bin/python");
    // One by one: an engine without a build for this Python does not keep the others out.
    let pip = |package: &str| succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]));
    let installed: Vec<bool> = PACKAGES.iter().map(|package| pip(package)).collect();
    installed.contains(&true).then_some(python)
}
