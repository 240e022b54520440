//! What an outside monitor is told: pings at the start and the end of a run, and a file of metrics.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::support::{Desk, NOON, Simulator};

/// A monitor that takes pings, and gives them as `path body`.
struct Monitor {
    url: String,
    pings: Receiver<String>,
}

impl Monitor {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/ping/one", listener.local_addr().expect("an address"));
        let (sender, pings) = channel();
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
                let request = request(&mut stream);
                let _ = stream.write_all(answer.as_bytes());
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self { url, pings }
    }

    fn next(&self) -> String {
        self.pings.recv_timeout(Duration::from_secs(20)).expect("a ping")
    }
}

/// The path and the body of a request.
fn request(stream: &mut impl Read) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = stream.read(&mut buffer).expect("bytes");
        text.push_str(&String::from_utf8_lossy(buffer.get(..read).expect("within")));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if read == 0 || body.len() >= length.unwrap_or(0_usize) {
            let path = head.split(' ').nth(1).expect("a path");
            return format!("{path} {body}");
        }
    }
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK";

fn watched(simulator: &Simulator, url: &str) -> Desk {
    let desk = Desk::at(simulator);
    let address = &simulator.address;
    desk.configure(&format!(
        "gateway: {{ address: \"{address}\", clock: gateway }}\nruns: {{ max_retries: 0 }}\nmonitor: {{ ping: {{ snapshot: \"{url}\" }}, ping_timeout_seconds: 3 }}\n"
    ));
    desk
}

#[test]
fn a_run_is_pinged_at_its_start_and_its_end_and_a_failure_says_so() {
    let monitor = Monitor::start(GOOD);
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = watched(&simulator, &monitor.url);
    desk.jobs(&["run", "snapshot"]).succeeded();
    let (start, end) = (monitor.next(), monitor.next());
    assert!(start.starts_with("/ping/one/start?rid="), "{start}");
    assert!(end.starts_with("/ping/one?rid=") && end.ends_with(" 6 of 6 rows added"), "{end}");
    let rid = |ping: &str| ping.split("rid=").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    assert_eq!(rid(&start), rid(&end));
    // A dry run is no run.
    desk.jobs(&["run", "snapshot", "--dry-run"]).succeeded();
    drop(simulator);
    assert_eq!(desk.jobs(&["run", "snapshot"]).code, 69);
    let (start, end) = (monitor.next(), monitor.next());
    assert!(start.starts_with("/ping/one/start?"), "{start}");
    assert!(end.starts_with("/ping/one/fail?") && end.contains("gateway"), "{end}");
}

#[test]
fn a_monitor_that_is_broken_or_away_fails_no_run() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let monitor = Monitor::start("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let ran = watched(&simulator, &monitor.url).jobs(&["run", "snapshot"]).succeeded();
    assert!(ran.stderr.contains("not reached by a ping") && ran.stderr.contains("500"), "{ran:#?}");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let ran = watched(&simulator, &format!("http://{nobody}/secret")).jobs(&["run", "snapshot"]).succeeded();
    assert!(ran.stderr.contains("not reached by a ping") && !ran.stderr.contains("secret"), "{ran:#?}");
    let desk = watched(&simulator, &monitor.url);
    desk.configure("monitor: { ping: { snapshott: \"https://hc-ping.com/one\" } }\n");
    let refused = desk.jobs(&["run", "snapshot"]);
    assert!(refused.code == 78 && refused.stderr.contains("there is no job snapshott"), "{refused:#?}");
    let refused = watched(&simulator, "ftp://monitor/one").jobs(&["run", "snapshot"]);
    assert!(refused.code == 78 && refused.stderr.contains("monitor.ping.snapshot"), "{refused:#?}");
}

#[test]
fn a_ping_counts_as_heard_only_where_the_monitor_says_so() {
    let simulator = Simulator::standing_at(NOON, &[]);
    for (answer, words) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\nOK (not found)", "OK (not found)"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\nOK (rate limited)", "OK (rate limited)"),
        ("HTTP/1.1 301 Moved\r\nLocation: /else\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "301, a redirect"),
    ] {
        let monitor = Monitor::start(answer);
        let desk = watched(&simulator, &monitor.url);
        let ran = desk.jobs(&["run", "snapshot"]).succeeded();
        assert!(ran.stderr.contains("not reached by a ping") && ran.stderr.contains(words), "{words}: {ran:#?}");
        let checked = desk.jobs(&["doctor", "--ping"]);
        assert_eq!(checked.code, 1, "{checked:#?}");
        let line = checked.stdout.lines().find(|line| line.starts_with("fail  ping")).expect("the check");
        assert!(line.contains(words) && line.contains("correct monitor.ping"), "{line}");
    }
}

#[test]
fn the_doctor_proves_a_ping_by_one_that_changes_no_state() {
    let monitor = Monitor::start(GOOD);
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = watched(&simulator, &monitor.url);
    let checked = desk.jobs(&["doctor", "--ping"]);
    assert!(checked.stdout.lines().any(|line| line.starts_with("ok    ping") && line.ends_with("heard of snapshot")));
    assert!(monitor.next().starts_with("/ping/one/log?rid="));
    assert!(!desk.jobs(&["doctor"]).stdout.contains("heard of"), "nobody asked for a ping");
    let bare = Desk::at(&simulator).jobs(&["doctor", "--ping"]);
    assert!(bare.stdout.lines().any(|line| line.starts_with("warn  ping") && line.contains("no job has a monitor")));
    let refused = watched(&simulator, "https://hc-ping.com/your-uuid-here").jobs(&["config", "check"]);
    assert!(refused.code == 78 && refused.stderr.contains("monitor.ping.snapshot is an example"), "{refused:#?}");
}

#[test]
fn the_metrics_tell_of_the_runs_the_rows_and_the_checks() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let desk = Desk::at(&simulator);
    desk.jobs(&["run", "snapshot"]).succeeded();
    desk.jobs(&["run", "quality"]).succeeded();
    let page = fs::read_to_string(desk.path().join("metrics/jobs.prom")).expect("metrics");
    let value = |sample: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(sample));
        line.unwrap_or_else(|| panic!("{sample} in\n{page}")).trim().parse::<f64>().expect("a number")
    };
    let close = |one: f64, other: f64| (one - other).abs() < 0.5;
    // 2026-11-18 12:00 in New York.
    let noon = "frontmonth_newest_slot_timestamp_seconds{table=\"futures_snapshots\",symbol=\"ES\"}";
    assert!(close(value(noon), 1_795_021_200.0), "{page}");
    assert!(close(value("frontmonth_last_run_failed{job=\"snapshot\"}"), 0.0));
    assert!(value("frontmonth_next_run_timestamp_seconds{job=\"quality\"}") > 1_795_000_000.0);
    assert!(close(value("frontmonth_check_status{check=\"meta.ran\",status=\"pass\"}"), 1.0));
    assert!(value("frontmonth_findings{check=\"complete.session\"}") >= 0.0);
    assert!(page.contains("frontmonth_open_incidents{severity=\"error\"}"), "{page}");
    desk.configure("monitor: { metrics_folder: null }\n");
    fs::remove_dir_all(desk.path().join("metrics")).expect("removed");
    desk.jobs(&["run", "compaction"]).succeeded();
    assert!(!desk.path().join("metrics").exists());
}

#[test]
fn two_installations_in_one_textfile_folder_need_labels_and_say_so() {
    let simulator = Simulator::standing_at(NOON, &[]);
    let shared = tempfile::tempdir().expect("a folder");
    let desk = |labels: &str| {
        let desk = Desk::at(&simulator);
        let (address, folder) = (&simulator.address, shared.path().display());
        desk.configure(&format!(
            "gateway: {{ address: \"{address}\", clock: gateway }}\nmonitor: {{ metrics_folder: {folder}, labels: {labels} }}\n"
        ));
        desk
    };
    let (one, two) = (desk("{}"), desk("{}"));
    for job in ["snapshot", "compaction"] {
        assert!(!one.jobs(&["run", job]).succeeded().stderr.contains("another installation"));
    }
    let told = two.jobs(&["run", "snapshot"]).succeeded().stderr;
    assert!(told.contains("another installation") && told.contains("monitor.labels"), "{told}");
    let three = desk("{ installation: paper }");
    for job in ["snapshot", "compaction"] {
        assert!(!three.jobs(&["run", job]).succeeded().stderr.contains("another installation"));
    }
    let page = fs::read_to_string(shared.path().join("jobs-paper.prom")).expect("metrics");
    assert!(page.contains("frontmonth_last_run_failed{job=\"compaction\",installation=\"paper\"} 0"), "{page}");
    let refused = desk("{ job: paper }").jobs(&["config", "check"]);
    assert!(
        refused.code == 78 && refused.stderr.contains("monitor.labels job is a label of the metrics"),
        "{refused:#?}"
    );
}
