//! Compaction and captures on a disk that is full at any of their steps: nothing lost, said plainly, done when there is room.
//!
//! The small disk is mounted in a namespace of its own; where that is not allowed the test says so and passes.

use crate::support::{Desk, Simulator};

/// Writes seven slots, fills the disk, and lets a run have sixteen kilobytes more each time. One line for each run: its name,
/// its exit code, the rows that are readable after it, and whether it said what is wrong.
const SCRIPT: &str = r#"
mkdir data && mount -t tmpfs -o size=1m tmpfs data || { echo "no mount"; exit 0; }
rows() { "$JOBS" show futures_snapshots --last 1000 --format jsonl | wc -l; }
told() { grep -q "no space left" err && echo told || echo silent; }
for minute in 00 05 10 15 20 25 30; do
  "$JOBS" run snapshot --at 2026-11-18T11:$minute > /dev/null 2>&1 || echo "not captured: $minute"
done
echo "captured $(rows)"
dd if=/dev/zero of=data/fill bs=1k count=2000 2> /dev/null
"$JOBS" run snapshot --at 2026-11-18T11:55 > /dev/null 2> err; echo "snapshot $? $(rows) $(told)"
for step in $(seq 0 30); do
  "$JOBS" run compaction > /dev/null 2> err; echo "compaction $? $(rows) $(told)"
  truncate -s -16k data/fill
done
rm data/fill
"$JOBS" run compaction > /dev/null 2> err; echo "compaction $? $(rows) $(told)"
"$JOBS" run snapshot --at 2026-11-18T11:55 > /dev/null 2> err; echo "snapshot $? $(rows) $(told)"
"#;

#[test]
fn a_compaction_goes_on_where_a_full_disk_stopped_it() {
    let simulator = Simulator::standing_at("2026-11-18T17:00:10Z", &[]);
    let desk = Desk::at(&simulator);
    let mut shell = std::process::Command::new("unshare");
    shell.args(["-rm", "bash", "-c", SCRIPT]).current_dir(desk.path()).env("JOBS", env!("CARGO_BIN_EXE_jobs"));
    let Ok(output) = shell.output() else {
        println!("skipped: unshare is not installed");
        return;
    };
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() || told.contains("no mount") {
        println!("skipped: this user cannot mount a small disk: {errors}");
        return;
    }
    let lines: Vec<&str> = told.lines().collect();
    let rows: usize = lines[0].trim_start_matches("captured ").parse().expect("rows");
    let (compactions, [first, last]) = (&lines[2..lines.len() - 1], [lines[1], lines[lines.len() - 1]]);
    let ends = [format!("snapshot 1 {rows} told"), format!("snapshot 0 {} silent", rows + 3)];
    assert_eq!([first, last].map(str::to_owned), ends, "{told}{errors}");
    let is_stopped = |line: &&&str| **line == format!("compaction 1 {rows} told");
    let is_done = |line: &&&str| **line == format!("compaction 0 {rows} silent");
    let stopped = compactions.iter().filter(is_stopped).count();
    println!("{stopped} of {} compactions found the disk full", compactions.len());
    assert!(stopped > 0 && compactions.last().is_some_and(|line| is_done(&line)), "{told}{errors}");
    assert_eq!(stopped + compactions.iter().filter(is_done).count(), compactions.len(), "{told}{errors}");
}

#[test]
fn a_state_or_log_folder_that_cannot_be_written_keeps_no_slot_from_being_captured() {
    let simulator = Simulator::standing_at("2026-11-18T17:00:10Z", &[]);
    let desk = Desk::at(&simulator);
    let gateway = std::fs::read_to_string(desk.path().join("jobs.yaml")).expect("a file");
    // Nobody makes a folder in /proc, root neither, as on a disk that is full or may only be read.
    for (minute, folder, told) in [
        ("05", "state: /proc/frontmonth-it", "runs of this process are not recorded"),
        ("10", "logs: /proc/frontmonth-it", "nothing is logged to files"),
    ] {
        desk.configure(&format!("{gateway}paths: {{ {folder} }}\n"));
        let at = format!("2026-11-18T11:{minute}");
        let captured = desk.jobs(&["run", "snapshot", "--at", &at]).succeeded();
        assert!(captured.stderr.contains(told), "{captured:?}");
    }
    desk.configure(&format!("{gateway}paths: {{ state: /proc/frontmonth-it }}\n"));
    // Bars of the past are asked for by the gateway's pacing rules, without their record.
    desk.jobs(&["run", "backfill", "--from", "2026-11-18T10:00", "--to", "2026-11-18T10:30"]).succeeded();
    assert_eq!(desk.keys("futures_snapshots").len(), 3 * (2 + 7), "both ends of the range are slots");
}
