//! The steps of the bench: tables, our times, the peers' times, the report.

mod chart;
mod ours;
mod peers;
mod report;
mod tables;
mod timing;

use std::fs;
use std::path::PathBuf;

use report::Report;
use tables::Layout;

/// What was asked for on the command line.
struct Options {
    out: Option<PathBuf>,
    with_peers: bool,
}

/// Runs all of it and prints the report.
pub(crate) fn run() {
    let options = options();
    let folder = tempfile::tempdir().expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let load = || fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned();
    println!("load before: {}", load());
    let mut report = Report::default();
    for layout in Layout::ALL {
        runtime.block_on(tables::make(folder.path(), layout));
        println!("{:<26} {}", layout.title(), tables::described(folder.path(), layout));
    }
    // The peers go first: the last of ours writes to the tables that they read.
    if options.with_peers {
        peers::measure(folder.path(), &mut report);
    }
    for layout in Layout::ALL {
        runtime.block_on(ours::measure(folder.path(), layout, &mut report));
    }
    runtime.shutdown_background();
    report.print();
    println!("load after: {}", load());
    if let Some(out) = options.out {
        fs::create_dir_all(&out).expect("a folder for the figures");
        fs::write(out.join("reads.json"), report.json()).expect("written");
        fs::write(out.join("reads.svg"), chart::svg(&report)).expect("written");
        println!("written to {}", out.display());
    }
}

fn options() -> Options {
    let mut options = Options { out: None, with_peers: true };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--out" => options.out = Some(arguments.next().expect("--out takes a folder").into()),
            "--without-peers" => options.with_peers = false,
            _ => {}
        }
    }
    options
}
