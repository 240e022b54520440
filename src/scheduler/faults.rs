//! Everything that can be wrong with schedule files, told at once.

use std::path::PathBuf;

use super::fixtures::{EVERY_JOB, JOBS, schedules};
use super::{Misfire, Overlap, ScheduleErrors, Schedules, Timing};

const FIRST: &str = "\
jobz: {}
jobs:
  snapshoot:
    schedule: { every: 5m, during: cme }
  backfill:
    schedule:
      - on: boot
      - at: nyse.clse + 20m
      - { at: nyse.open, cron: '0 9 * * *' }
      - { at: es.expiry - soon,
          last_session_of: fortnight }
      - { cron: '0 25 * * *', zone: America/New_Yrok }
      - { cron: '0 9 * *' }
      - { cron: '0 9 30 2 *', zone: UTC }
      - { cron: '0 9 * * *', zone: UTC, last_session_of: week }
      - { every: 7m }
      - { at: nyse.open, first_session_of: week, last_session_of: week, calender: nyse }
      - { at: nyse.open, during: nyse, calendar: nyse }
      - {}
      - after: backfill
    overlap: queue
    misfire: { catch_up: all, start_deadline: 1m }
    timeout: 90
    retry: { max: many }
    backoff: 5s
  quality:
    schedule: { every: 30m, during: cme_equity }
    live: maybe
    jitter: 45m
    overlap: replace
    misfire: { catch_up: all, max: 5 }
    retry: [1]
    timeout: 48h
    timeout: 2m
  signals:
    schedule: { after: rules }
    live: true
    misfire: { catch_up: one, max: 2 sessions }
  rules:
    schedule: { after: signals }
  report:
    schedule: [{ after: evaluation }, { after: signal }]
    misfire:
  evaluation: at noon
";

const SECOND: &str = "\
jobs:
  nightly: { schedule: [] }
  compaction: { timeout: 1h }
  rules:
    schedule: { at: nyse.open }
    misfire: { catch_up: none, start_deadline: 10s }
    jitter: 10s
  quarterly: { schedule: { cron: '0 9 1 */3 *', zone: UTC }
";

fn parse(files: &[(&str, &str)]) -> Result<Schedules, ScheduleErrors> {
    let files: Vec<_> = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
    Schedules::parse(&files, &JOBS)
}

#[test]
fn every_fault_of_every_file_is_told_at_once() {
    let broken = SECOND.replace("zone: UTC }\n", "zone: UTC } }\n");
    let files = [("schedules/first.yaml", FIRST), ("schedules/second.yaml", &broken), ("schedules/third.yaml", SECOND)];
    insta::assert_snapshot!(parse(&files).unwrap_err());
}

#[test]
fn the_built_in_schedules_are_sound_and_name_only_known_jobs() {
    let known = ["snapshot", "backfill", "compaction", "quality", "signals", "rules", "report", "evaluation"];
    let built_in = Schedules::built_in(&known).unwrap();
    assert_eq!(built_in.iter().map(|schedule| schedule.job.as_str()).collect::<Vec<_>>(), known);
    let snapshot = built_in.of("snapshot").unwrap();
    assert_eq!(snapshot.misfire, Misfire::None { start_deadline: chrono::TimeDelta::seconds(60) });
    assert_eq!((snapshot.overlap, snapshot.live), (Overlap::Skip, true));
    assert_eq!(snapshot.timeout, Some(std::time::Duration::from_secs(90)));
    assert_eq!(built_in.of("backfill").unwrap().rules.len(), 4);
    let told = Schedules::built_in(&["snapshot", "compaction"]).unwrap_err().to_string();
    assert!(told.contains("unknown job \"backfill\": known are snapshot, compaction"), "{told}");
}

#[test]
fn what_is_left_out_has_its_default() {
    let all = schedules(EVERY_JOB);
    let report = all.of("report").unwrap();
    assert_eq!((report.overlap, report.misfire), (Overlap::Skip, Misfire::One { start_deadline: None }));
    assert_eq!((report.timeout, report.retry, report.live), (None, None, false));
    assert_eq!(report.rules[0].timing, Timing::After("rules".to_owned()));
    assert_eq!(all.of("signals").unwrap().misfire, Misfire::All { max_sessions: 5 });
}

#[test]
fn an_empty_file_has_no_schedules() {
    for text in ["", "# nothing\n", "jobs:\n", "jobs: {}\n"] {
        assert_eq!(parse(&[("a.yaml", text)]).map(|schedules| schedules.iter().count()), Ok(0), "{text:?}");
    }
}
