//! Killed at any moment and started again: no row missing, none doubled, the table readable throughout.

use std::time::Duration;

use crate::support::{Desk, Simulator};

/// Milliseconds after which the process is killed, spread over the length of a run.
const MOMENTS: [u64; 20] =
    [1, 30, 60, 90, 110, 130, 150, 170, 190, 210, 230, 250, 270, 290, 310, 340, 370, 400, 450, 500];

#[test]
fn a_killed_run_loses_nothing_and_doubles_nothing() {
    let desk = Desk::bare();
    let mut completed = 0;
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        let now = format!("2026-11-18T{:02}:{:02}:10Z", 15 + number / 12, 5 * (number % 12));
        let simulator = Simulator::standing_at(&now, &[]);
        desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", simulator.address));
        let mut command = desk.command(&["run", "snapshot"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("it runs");
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().expect("killed, or over already");
        completed += usize::from(child.wait().expect("its end").success());
        let readable = desk.keys("futures_snapshots").len();
        assert!((3 * number..=3 * (number + 1)).contains(&readable), "{readable} rows after kill {number}");
        desk.jobs(&["run", "snapshot"]).succeeded();
        assert_eq!(desk.keys("futures_snapshots").len(), 3 * (number + 1), "after kill {number}");
        assert_eq!(desk.keys("spot_snapshots").len(), 3 * (number + 1), "after kill {number}");
    }
    println!("{} of {} runs were killed before their end", MOMENTS.len() - completed, MOMENTS.len());
    assert!(completed < MOMENTS.len(), "no run was killed in time");
}
