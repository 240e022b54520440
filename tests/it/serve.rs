//! The daemon as a process: what it refuses, what it tells, how it ends, and what a killed one leaves.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Desk, text};

/// How long anything may take: far more than it does.
const BOUND: Duration = Duration::from_mins(1);

/// Schedules whose only run is that of the start, so that it does not matter when a test runs.
const ON_START: &str = "jobs: { backfill: { schedule: { on: start } } }\n";

/// A daemon in a process of its own, and what it tells the service manager; killed when dropped.
struct Serving {
    child: Child,
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Serving {
    fn at(desk: &Desk) -> Self {
        let path = desk.path().join("notify.sock");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
        let mut command = desk.command(&["serve"]);
        command.env("NOTIFY_SOCKET", &path).stdout(Stdio::null()).stderr(Stdio::piped());
        Self { child: command.spawn().expect("it runs"), socket, told: Vec::new() }
    }

    /// Reads what it tells until something is told.
    fn wait_for(&mut self, what: &str) {
        let (began, mut buffer) = (Instant::now(), [0; 4_096]);
        let already = self.told.len();
        while !self.told.iter().skip(already).any(|told| told.contains(what)) {
            assert!(began.elapsed() < BOUND, "never told {what:?}: {:?}", self.told);
            if let Ok(length) = self.socket.recv(&mut buffer) {
                self.told.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Its exit code and what it wrote to stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        while self.child.try_wait().expect("its state").is_none() {
            assert!(began.elapsed() < BOUND, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut stderr = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
        (self.child.wait().expect("its end").code(), stderr)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A desk with the simulated gateway, chosen, and these schedules.
fn desk(schedules: &str) -> Desk {
    let desk = Desk::bare();
    std::fs::create_dir(desk.path().join("schedules")).expect("a folder");
    std::fs::write(desk.path().join("schedules/test.yaml"), schedules).expect("a file");
    desk.configure(
        "gateway: { kind: simulated }\npaths: { schedules: schedules }\nmarket: { futures: [ES], spot: [] }\n",
    );
    desk
}

fn history(desk: &Desk) -> Vec<Value> {
    desk.jobs(&["history", "--format", "jsonl"]).succeeded().lines()
}

#[test]
fn a_gateway_must_be_chosen() {
    let desk = Desk::bare();
    let refused = desk.jobs(&["serve"]);
    assert_eq!(refused.code, 78);
    assert!(refused.stderr.contains("gateway.kind is not configured: set it to ib or simulated"), "{}", refused.stderr);
    assert!(!desk.path().join("state").exists(), "nothing is made");
}

#[test]
fn it_is_ready_runs_tells_what_comes_next_and_ends_in_good_order() {
    let desk = desk(&format!("{ON_START}  compaction: {{ schedule: {{ at: nyse.close + 20m }} }}\n").replace(
        "jobs: { backfill: { schedule: { on: start } } }\n",
        "jobs:\n  backfill: { schedule: { on: start } }\n",
    ));
    let mut serving = Serving::at(&desk);
    serving.wait_for("READY=1");
    serving.wait_for("WATCHDOG=1");
    while history(&desk).iter().all(|row| text(row, "state") != "done") {
        serving.wait_for("WATCHDOG=1");
    }
    assert!(serving.told.iter().any(|told| told.starts_with("STATUS=next compaction at ")), "{:?}", serving.told);
    assert!(serving.told.iter().any(|told| told.contains("running backfill")), "{:?}", serving.told);
    assert_eq!(desk.jobs(&["serve"]).code, 75, "a second one is refused");
    let environment = std::fs::read(format!("/proc/{}/environ", serving.child.id())).expect("this process's child");
    let arenas = |entry: &[u8]| entry.starts_with(b"MALLOC_ARENA_MAX=");
    assert!(environment.split(|byte| *byte == 0).any(arenas), "the process that was begun has bounded arenas");
    serving.signal("TERM");
    serving.wait_for("STOPPING=1");
    let (code, stderr) = serving.end();
    assert_eq!(code, Some(0));
    let left_out = "jobs that are scheduled by default are not scheduled here";
    assert!(stderr.lines().count() == 1 && stderr.contains(left_out), "{stderr}");
    assert!(!desk.keys("futures_snapshots").is_empty());
    for (file, what) in [("serve.log", "\"serving\""), ("backfill.log", "\"run done\"")] {
        let log = std::fs::read_to_string(desk.path().join("logs").join(file)).expect("a log");
        assert!(log.contains(what), "{file}: {log}");
    }
    let serve_log = std::fs::read_to_string(desk.path().join("logs/serve.log")).expect("a log");
    assert!(!serve_log.contains("run done"), "what happens in a run stands in the log of its job: {serve_log}");
}

#[test]
fn a_broken_reload_is_told_and_the_daemon_goes_on() {
    let desk = desk(ON_START);
    let mut serving = Serving::at(&desk);
    serving.wait_for("READY=1");
    std::fs::write(desk.path().join("schedules/test.yaml"), "jobs: { backfil: { schedule: { on: start } } }\n")
        .expect("a file");
    serving.signal("HUP");
    serving.wait_for("reload refused, the old configuration stays");
    serving.wait_for("WATCHDOG=1");
    desk.configure("gateway: { }\npaths: { schedules: schedules }\n");
    serving.signal("HUP");
    serving.wait_for("gateway.kind is not configured");
    std::fs::write(desk.path().join("schedules/test.yaml"), ON_START).expect("a file");
    desk.configure(
        "gateway: { kind: simulated }\npaths: { schedules: schedules, state: other, logs: other }\n\
         log: { file_filter: info, retention_days: 7 }\n",
    );
    serving.signal("HUP");
    serving
        .wait_for("paths.state, paths.logs, log.file_filter, log.retention_days cannot change while the daemon runs");
    serving.wait_for("WATCHDOG=1");
    assert!(!desk.path().join("other").exists(), "what is refused leaves nothing behind");
    desk.configure("gateway: { kind: simulated }\npaths: { schedules: schedules }\n");
    serving.signal("HUP");
    serving.wait_for("STATUS=nothing is planned");
    serving.signal("TERM");
    let (code, stderr) = serving.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("test.yaml") && stderr.contains("backfil"), "{stderr}");
}

#[test]
fn a_killed_daemon_is_noticed_and_what_it_ran_is_accounted_for() {
    let desk = desk(ON_START);
    let mut serving = Serving::at(&desk);
    serving.wait_for("READY=1");
    while history(&desk).iter().all(|row| text(row, "state") != "running") {
        assert!(history(&desk).iter().all(|row| text(row, "state") != "done"), "the first load takes seconds");
    }
    serving.signal("KILL");
    assert_eq!(serving.end().0, None);
    let mut serving = Serving::at(&desk);
    serving.wait_for("READY=1");
    while history(&desk).iter().all(|row| text(row, "state") != "done") {
        serving.wait_for("WATCHDOG=1");
    }
    serving.signal("TERM");
    let (code, stderr) = serving.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("the daemon before this one was killed"), "{stderr}");
    let states: Vec<String> = history(&desk).iter().map(|row| text(row, "state")).collect();
    assert_eq!(states, ["done", "failed"], "newest first");
    assert!(!desk.keys("futures_snapshots").is_empty(), "and no key is doubled");
}

#[test]
fn a_ledger_that_cannot_be_opened_is_told_and_stops_nothing() {
    let desk = desk(ON_START);
    std::fs::create_dir(desk.path().join("state")).expect("a folder");
    std::fs::create_dir(desk.path().join("state/jobs.db")).expect("a folder in the way of the file");
    let mut serving = Serving::at(&desk);
    serving.wait_for("STATUS=the ledger cannot be written");
    while desk.rows("futures_snapshots").is_empty() {
        serving.wait_for("WATCHDOG=1");
    }
    serving.signal("TERM");
    let (code, stderr) = serving.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("runs of this process are not recorded"), "{stderr}");
}

#[test]
fn a_manual_run_can_wait_for_the_one_that_holds_the_lock() {
    let silent = crate::support::Simulator::standing_at(crate::support::NOON, &["--fault", "wrong-request-id"]);
    let desk = Desk::at(&silent);
    let mut child = desk.command(&["run", "snapshot"]).stderr(Stdio::null()).spawn().expect("it runs");
    while history(&desk).is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let refused = desk.jobs(&["run", "snapshot"]);
    assert_eq!(refused.code, 75);
    assert!(refused.stderr.contains(&format!("process {}", child.id())), "{}", refused.stderr);
    let impatient = desk.jobs(&["run", "snapshot", "--wait=1s"]);
    assert!(impatient.code == 75 && impatient.took >= Duration::from_secs(1), "{impatient:?}");
    let sound = crate::support::Simulator::standing_at(crate::support::NOON, &[]);
    desk.configure(&format!("gateway: {{ address: \"{}\", clock: gateway }}\n", sound.address));
    let waiting = desk.command(&["run", "snapshot", "--wait"]).stdout(Stdio::null()).spawn();
    let mut waiting = waiting.expect("it runs");
    child.kill().expect("killed");
    child.wait().expect("its end");
    assert!(waiting.wait().expect("its end").success());
    assert_eq!(desk.keys("futures_snapshots").len(), 3);
}

#[test]
fn a_daemon_that_would_go_by_a_simulated_clock_is_refused() {
    let desk = Desk::bare();
    desk.configure("gateway: { kind: simulated, clock: gateway }\n");
    let refused = desk.jobs(&["serve"]);
    assert_eq!(refused.code, 78);
    let told =
        "gateway.clock is gateway, but a daemon goes by this machine's clock, as its schedules do: remove the key";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert!(!desk.path().join("state").exists(), "nothing is made");
}

#[test]
fn a_first_signal_says_what_is_waited_for_and_a_second_one_ends_it() {
    let silent = crate::support::Simulator::start(&["--fault", "wrong-request-id"]);
    let desk = desk(ON_START);
    desk.configure(&format!(
        "gateway: {{ kind: simulated, address: \"{}\" }}\npaths: {{ schedules: schedules }}\n",
        silent.address
    ));
    let mut serving = Serving::at(&desk);
    serving.wait_for("running backfill");
    serving.signal("INT");
    serving.wait_for("STATUS=stopping when these have ended: backfill");
    serving.signal("INT");
    let (code, stderr) = serving.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("stopping when these runs have ended") && stderr.contains("backfill"), "{stderr}");
}

#[test]
fn a_status_beside_a_daemon_whose_ledger_is_gone_is_not_well_until_it_is_taken_up() {
    let desk = desk("jobs: { compaction: { schedule: { at: nyse.close + 20m } } }\n");
    let mut serving = Serving::at(&desk);
    serving.wait_for("READY=1");
    let status = || desk.jobs(&["status"]);
    std::fs::remove_file(desk.path().join("state/jobs.db")).expect("deleted");
    let began = Instant::now();
    while !status().stdout.contains("the running daemon does not write to this ledger") {
        assert!(began.elapsed() < BOUND, "{:?}", status());
        serving.wait_for("WATCHDOG=1");
    }
    assert_eq!(status().code, 1);
    while status().code == 1 {
        assert!(began.elapsed() < 2 * BOUND, "{:?}", status());
        serving.wait_for("WATCHDOG=1");
    }
    serving.signal("TERM");
    let (code, stderr) = serving.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("the ledger was deleted or moved away while the daemon runs"), "{stderr}");
    assert!(stderr.contains("the ledger is taken up, runs are recorded again"), "{stderr}");
}
