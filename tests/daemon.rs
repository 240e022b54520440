//! The daemon with jobs that misbehave, a clock that is set by hand, and a ledger that cannot be written.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use frontmonth::calendar::{Calendar, CalendarId, RollRule, parse_instant};
use frontmonth::clock::ManualClock;
use frontmonth::config::Config;
use frontmonth::job::{Context, Counts, Environment, Failure, Job, JobError, Lock, LockHolder, Locked, Outcome, Run};
use frontmonth::jobs::catalogue;
use frontmonth::scheduler::{Command, Daemon, Notifier, Planner, PlannerCalendars, Schedules, Service};
use frontmonth::state::{HistoryQuery, Ledger, Pause, RunRow, RunState};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};

#[path = "daemon/alarm.rs"]
mod alarm;
#[path = "daemon/disk.rs"]
mod disk;

/// How long anything may take: far more than it does.
const BOUND: Duration = Duration::from_secs(30);

/// What a job of the tests does.
#[derive(Clone)]
enum Act {
    Done,
    Panic,
    /// Blocks its thread until the test ends.
    Block,
    /// Waits until the test lets it through.
    Gate(Arc<Semaphore>),
    /// Waits for ever.
    Endless,
    /// Captures, as the program does.
    Capture,
    /// Adds rows, or cannot reach the gateway.
    Gateway(Arc<AtomicBool>),
}

#[derive(Clone)]
struct Acting {
    name: &'static str,
    act: Act,
    runs: Arc<AtomicUsize>,
}

#[async_trait]
impl Job for Acting {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        "acts"
    }

    fn timeout(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&self, context: &Context, run: &Run) -> Result<Outcome, JobError> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        match &self.act {
            Act::Done => {}
            Act::Panic => panic!("as it was told to"),
            Act::Block => std::thread::sleep(BOUND * 10),
            Act::Gate(gate) => gate.acquire().await.expect("open").forget(),
            Act::Endless => std::future::pending().await,
            Act::Capture => {
                let snapshot = catalogue().into_iter().find(|job| job.name() == "snapshot").expect("there is one");
                return snapshot.run(context, run).await;
            }
            Act::Gateway(is_down) if is_down.load(Ordering::SeqCst) => {
                return Err(JobError::retry(Failure::Unavailable, "cannot connect to the gateway"));
            }
            Act::Gateway(_) => return Ok(Outcome::done(Counts { added: 3, ..Counts::default() })),
        }
        Ok(Outcome::done(Counts::default()))
    }
}

fn acting(name: &'static str, act: Act) -> Acting {
    Acting { name, act, runs: Arc::default() }
}

fn gated(name: &'static str) -> (Acting, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    (acting(name, Act::Gate(gate.clone())), gate)
}

fn et(text: &str) -> DateTime<Utc> {
    parse_instant(&format!("2026-03-02 {text}")).expect("New York time")
}

/// The schedule of a job each five minutes, with more keys.
fn each_five_minutes(jobs: &[(&str, &str)]) -> String {
    let job = |(name, keys): &(&str, &str)| {
        format!("  {name}: {{ schedule: {{ every: 5m, during: cme_equity }}, live: true{keys} }}\n")
    };
    format!("jobs:\n{}", jobs.iter().map(job).collect::<String>())
}

fn planner(yaml: &str, jobs: &[Acting]) -> Result<Planner, JobError> {
    let known: Vec<&str> = jobs.iter().map(|job| job.name).collect();
    let schedules = Schedules::parse(&[(PathBuf::from("test.yaml"), yaml.to_owned())], &known);
    let schedules = schedules.map_err(|error| JobError::fail(Failure::Misconfigured, error))?;
    let calendar = Calendar::embedded;
    let calendars = PlannerCalendars {
        futures: calendar(CalendarId::CmeEquity),
        nyse: calendar(CalendarId::Nyse),
        roll_rule: RollRule::ByDate,
    };
    Ok(Planner::new(schedules, calendars))
}

async fn service(folder: &Path, clock: Arc<ManualClock>, (yaml, jobs): (&str, &[Acting])) -> Result<Service, JobError> {
    let mut config = Config::default();
    config.paths.state = folder.join("state");
    config.paths.logs = folder.join("logs");
    config.monitor.metrics_folder = Some(folder.join("metrics"));
    config.lake.uri = folder.join("lake").display().to_string();
    config.mail.folder = folder.join("mail");
    config.runs.stuck_after_seconds = 1;
    config.runs.max_retries = 0;
    config.runs.drain_seconds = if yaml.contains("# impatient") { 0 } else { 60 };
    let planner = planner(yaml, jobs)?;
    let environment = Environment::prepare_service(config, clock).await?;
    let jobs = jobs.iter().cloned().map(|job| Arc::new(job) as Arc<dyn Job>).collect();
    Ok(Service { environment, jobs, planner })
}

/// A daemon that serves, and everything to steer it by.
struct Scene {
    folder: Arc<TempDir>,
    clock: Arc<ManualClock>,
    commands: mpsc::Sender<Command>,
    notifier: Notifier,
    /// What a reload finds.
    yaml: Arc<Mutex<String>>,
    serving: Option<JoinHandle<()>>,
}

impl Scene {
    /// Starts at 10:01 in New York.
    fn start(yaml: &str, jobs: &[Acting]) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().expect("a folder")), yaml, jobs).expect("started")
    }

    fn start_in(folder: Arc<TempDir>, yaml: &str, jobs: &[Acting]) -> Result<Self, JobError> {
        Self::start_at(folder, "10:01", (yaml, jobs))
    }

    fn start_at(folder: Arc<TempDir>, at: &str, (yaml, jobs): (&str, &[Acting])) -> Result<Self, JobError> {
        let clock = Arc::new(ManualClock::at(et(at)));
        let (commands, received) = mpsc::channel(16);
        let notifier = Notifier::memory();
        let found = Arc::new(Mutex::new(yaml.to_owned()));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let first = runtime.block_on(service(folder.path(), clock.clone(), (yaml, jobs)))?;
        let mut daemon = runtime.block_on(async { Daemon::start(first, notifier.clone()) })?;
        let (path, its_clock, its_yaml) = (folder.path().to_owned(), clock.clone(), found.clone());
        let jobs = jobs.to_vec();
        let serving = std::thread::spawn(move || {
            let reload = async |_: &Config| {
                let yaml = its_yaml.lock().expect("sound").clone();
                service(&path, its_clock.clone(), (&yaml, &jobs)).await
            };
            runtime.block_on(daemon.run(received, reload));
            runtime.shutdown_background();
        });
        Ok(Self { folder, clock, commands, notifier, yaml: found, serving: Some(serving) })
    }

    fn tell(&self, command: Command) {
        self.commands.blocking_send(command).expect("it serves");
    }

    /// Sets the clock and ticks.
    fn tick(&self, at: &str) {
        self.clock.set(et(at));
        self.tell(Command::Tick);
    }

    /// Sets the clock and ticks, and waits for the end of the tick and of the runs that it began.
    fn tick_to_end(&self, at: &str) {
        self.clock.set(et(at));
        self.tick_again();
        let is_idle = || self.rows().iter().all(|row| !matches!(row.state, RunState::Planned | RunState::Running));
        eventually("the runs have ended", is_idle);
        // The daemon has the report of a run after the ledger has.
        let told = self.num_told("WATCHDOG=1");
        self.tell(Command::Tick);
        eventually("the next tick is over", || self.num_told("WATCHDOG=1") > told);
    }

    /// Ticks at the time that it is, and waits for the end of the tick.
    fn tick_again(&self) {
        let told = self.num_told("WATCHDOG=1");
        self.tell(Command::Tick);
        eventually("the tick is over", || self.num_told("WATCHDOG=1") > told);
    }

    /// Ticks until something holds.
    fn tick_until(&self, what: &str, holds: impl Fn() -> bool) {
        eventually(what, || {
            self.tell(Command::Tick);
            holds()
        });
    }

    fn ledger(&self) -> Ledger {
        Ledger::open_to_read(&self.folder.path().join("state/jobs.db")).expect("sound").expect("there")
    }

    fn rows(&self) -> Vec<RunRow> {
        let mut rows = self.ledger().history(&HistoryQuery::default()).expect("readable");
        rows.reverse();
        rows
    }

    /// What became of a slot.
    fn state(&self, job: &str, slot: &str) -> Option<RunState> {
        self.ledger().find(job, et(slot)).expect("readable").map(|row| row.state)
    }

    fn row(&self, job: &str, slot: &str) -> RunRow {
        self.ledger().find(job, et(slot)).expect("readable").expect("there")
    }

    fn reaches(&self, (job, slot): (&str, &str), state: RunState) {
        eventually(&format!("{job} {slot} is {state}"), || self.state(job, slot) == Some(state));
    }

    fn num_told(&self, what: &str) -> usize {
        self.notifier.told().iter().filter(|told| *told == what).count()
    }

    /// Tells it to drain and waits for its end.
    fn stop(mut self) {
        self.tell(Command::Drain);
        self.serving.take().expect("serving").join().expect("no panic");
    }
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < BOUND, "not reached: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_job_that_panics_blocks_or_never_ends_stops_no_other() {
    let jobs = [
        acting("panics", Act::Panic),
        acting("blocks", Act::Block),
        acting("endless", Act::Endless),
        acting("healthy", Act::Done),
    ];
    let yaml = each_five_minutes(&[
        ("panics", ""),
        ("blocks", ", timeout: 1s"),
        ("endless", ", timeout: 1s"),
        ("healthy", ""),
    ]);
    let scene = Scene::start(&yaml, &jobs);
    for slot in ["10:05", "10:10"] {
        scene.tick(slot);
        scene.reaches(("healthy", slot), RunState::Done);
        scene.reaches(("panics", slot), RunState::Failed);
        scene.reaches(("endless", slot), RunState::TimedOut);
        scene.reaches(("blocks", slot), RunState::TimedOut);
        assert_eq!(scene.row("panics", slot).exit_code, Some(70));
        assert!(scene.row("panics", slot).error.expect("told").contains("which is a bug"));
    }
    let told = scene.num_told("WATCHDOG=1");
    scene.tick("10:15");
    scene.reaches(("healthy", "10:15"), RunState::Done);
    assert_eq!(scene.num_told("WATCHDOG=1"), told, "a job that blocks its thread silences the watchdog");
    drop(scene);
}

#[test]
fn an_hour_back_doubles_nothing_and_an_hour_of_sleep_is_accounted_for() {
    let healthy = acting("healthy", Act::Done);
    let scene = Scene::start(&each_five_minutes(&[("healthy", "")]), std::slice::from_ref(&healthy));
    scene.tick_to_end("10:05");
    scene.reaches(("healthy", "10:05"), RunState::Done);
    scene.tick_to_end("09:05");
    assert_eq!(scene.rows().len(), 1, "{:?}", scene.rows());
    // The hour comes round again: what has no run yet gets one, and what was run is not run again.
    scene.tick_to_end("09:10");
    scene.reaches(("healthy", "09:10"), RunState::Done);
    scene.tick_to_end("10:06");
    scene.tick_to_end("10:10");
    scene.reaches(("healthy", "10:10"), RunState::Done);
    assert_eq!(scene.row("healthy", "10:05").state, RunState::Done);
    scene.tick_to_end("11:10:20");
    scene.reaches(("healthy", "11:10"), RunState::Done);
    let missed: Vec<RunRow> = scene.rows().into_iter().filter(|row| row.state == RunState::Missed).collect();
    // 09:15 to 10:00, and 10:15 to 11:05.
    assert_eq!((missed.len(), missed[10].slot, missed[20].slot), (21, et("10:15"), et("11:05")));
    assert!(
        missed.iter().all(|row| row.reason.as_deref() == Some("its start deadline of 60s passed")
            || row.reason.as_deref() == Some("its start deadline of 1m passed")),
        "{:?}",
        missed[0].reason
    );
    assert_eq!(healthy.runs.load(Ordering::SeqCst), 4);
    scene.stop();
}

#[test]
fn a_clock_a_day_ahead_for_eight_seconds_stops_no_capture_through_a_restart_either() {
    let yaml = each_five_minutes(&[("healthy", "")]);
    let healthy = acting("healthy", Act::Done);
    let mut scene = Scene::start(&yaml, std::slice::from_ref(&healthy));
    scene.tick_to_end("10:04:55");
    for ahead in ["10:04:56", "10:05:03"] {
        scene.clock.set(et(ahead) + chrono::TimeDelta::days(1));
        scene.tick_again();
    }
    assert!(scene.rows().len() > 250, "a day of slots is accounted for");
    scene.tick_to_end("10:05:04");
    scene.reaches(("healthy", "10:05"), RunState::Done);
    for slot in ["10:10", "10:15"] {
        scene.tick_to_end(slot);
        scene.reaches(("healthy", slot), RunState::Done);
        let folder = scene.folder.clone();
        scene.stop();
        scene = Scene::start_at(folder, slot, (&yaml, std::slice::from_ref(&healthy))).expect("started");
    }
    scene.tick_to_end("10:20");
    scene.reaches(("healthy", "10:20"), RunState::Done);
    let later = scene.rows().into_iter().filter(|row| row.slot > et("10:20") && row.state != RunState::Done).count();
    assert_eq!(later, 0, "what was decided of the day to come is taken back");
    scene.stop();
}

#[test]
fn a_drain_waits_for_what_runs_and_begins_nothing_more() {
    let (slow, gate) = gated("slow");
    let scene = Scene::start(&each_five_minutes(&[("slow", "")]), &[slow]);
    scene.tick("10:05");
    scene.reaches(("slow", "10:05"), RunState::Running);
    scene.tell(Command::Drain);
    eventually("it stops", || scene.num_told("STOPPING=1") == 1);
    scene.tick("10:10");
    gate.add_permits(1);
    let folder = scene.folder.clone();
    let ledger = scene.ledger();
    let mut scene = scene;
    scene.serving.take().expect("serving").join().expect("no panic");
    assert_eq!(ledger.find("slow", et("10:05")).expect("readable").expect("there").state, RunState::Done);
    assert_eq!(ledger.find("slow", et("10:10")).expect("readable"), None);
    // The next one finds that this one said goodbye, and accounts for the slot that came while it stopped.
    let scene =
        Scene::start_in(folder, &each_five_minutes(&[("slow", "")]), &[acting("slow", Act::Done)]).expect("started");
    scene.tick("10:15");
    scene.reaches(("slow", "10:15"), RunState::Done);
    assert_eq!(scene.state("slow", "10:10"), Some(RunState::Missed));
    scene.stop();
}

#[test]
fn a_drain_past_its_limit_ends_the_run_and_says_so() {
    let scene = Scene::start(
        &format!("{}# impatient", each_five_minutes(&[("endless", "")])),
        &[acting("endless", Act::Endless)],
    );
    scene.tick("10:05");
    scene.reaches(("endless", "10:05"), RunState::Running);
    let ledger = scene.ledger();
    scene.stop();
    let row = ledger.find("endless", et("10:05")).expect("readable").expect("there");
    assert_eq!((row.state, row.exit_code), (RunState::Failed, Some(143)));
    assert!(row.error.expect("told").starts_with("the daemon stops"));
}

#[test]
fn two_daemons_never_serve_one_folder() {
    let jobs = [acting("healthy", Act::Done)];
    let yaml = each_five_minutes(&[("healthy", "")]);
    let scene = Scene::start(&yaml, &jobs);
    let refused = Scene::start_in(scene.folder.clone(), &yaml, &jobs).err().expect("refused");
    assert_eq!(refused.failure(), Failure::Locked);
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    scene.stop();
}

#[test]
fn a_broken_reload_changes_nothing_and_a_sound_one_takes_effect() {
    let jobs = [acting("healthy", Act::Done), acting("other", Act::Done)];
    let scene = Scene::start(&each_five_minutes(&[("healthy", "")]), &jobs);
    *scene.yaml.lock().expect("sound") =
        "jobs: { healthy: { schedule: { every: 7m, during: cme_equity } } }".to_owned();
    scene.tell(Command::Reload);
    eventually("it is told", || {
        scene
            .notifier
            .told()
            .iter()
            .any(|told| told.starts_with("STATUS=reload refused, the old configuration stays: "))
    });
    scene.tick("10:05");
    scene.reaches(("healthy", "10:05"), RunState::Done);
    *scene.yaml.lock().expect("sound") = each_five_minutes(&[("healthy", ""), ("other", "")]);
    scene.tell(Command::Reload);
    eventually("it is taken up", || scene.num_told("READY=1") == 3);
    scene.tick("10:10");
    scene.reaches(("other", "10:10"), RunState::Done);
    scene.reaches(("healthy", "10:10"), RunState::Done);
    assert_eq!(scene.state("other", "10:05"), None, "a job that had no schedule is accounted for from now on");
    assert!(scene.notifier.told().last().is_some_and(|told| !told.contains("refused")));
    scene.stop();
}

#[test]
fn a_run_waits_for_one_made_by_hand_and_gives_way_to_it_at_its_deadline() {
    let yaml = each_five_minutes(&[("healthy", ", misfire: { catch_up: none, start_deadline: 2s }")]);
    let scene = Scene::start(&yaml, &[acting("healthy", Act::Done)]);
    let locks = scene.folder.path().join("state/locks");
    let holder = LockHolder { pid: 4711, run_id: "by-hand".to_owned(), since: et("10:04") };
    let by_hand = Lock::take(&locks, Locked::Job("healthy"), &holder).expect("free");
    scene.tick("10:05");
    eventually("it is planned", || scene.state("healthy", "10:05") == Some(RunState::Planned));
    drop(by_hand);
    scene.reaches(("healthy", "10:05"), RunState::Done);
    let by_hand = Lock::take(&locks, Locked::Job("healthy"), &holder).expect("free");
    scene.tick("10:10");
    scene.reaches(("healthy", "10:10"), RunState::Skipped);
    assert!(scene.row("healthy", "10:10").reason.expect("told").contains("process 4711 (run by-hand"));
    drop(by_hand);
    scene.stop();
}

#[test]
fn overlaps_are_replaced_or_queued_as_the_schedule_says() {
    let (replaced, gate) = gated("replaced");
    let (queued, queue_gate) = gated("queued");
    let yaml = each_five_minutes(&[
        ("replaced", ", overlap: replace"),
        ("queued", ", overlap: queue_one, misfire: { catch_up: one }"),
    ]);
    let scene =
        Scene::start(&yaml.replace(", live: true, overlap: queue_one", ", overlap: queue_one"), &[replaced, queued]);
    scene.tick("10:05");
    scene.reaches(("replaced", "10:05"), RunState::Running);
    scene.reaches(("queued", "10:05"), RunState::Running);
    scene.tick("10:10");
    scene.reaches(("replaced", "10:05"), RunState::Failed);
    assert!(scene.row("replaced", "10:05").error.expect("told").contains("ended for the slot of 2026-03-02 10:10 ET"));
    scene.reaches(("replaced", "10:10"), RunState::Running);
    gate.add_permits(1);
    scene.reaches(("replaced", "10:10"), RunState::Done);
    assert_eq!(scene.state("queued", "10:10"), Some(RunState::Planned));
    scene.tick("10:15");
    eventually("one waits", || scene.state("queued", "10:15") == Some(RunState::Skipped));
    queue_gate.add_permits(2);
    scene.reaches(("queued", "10:05"), RunState::Done);
    scene.reaches(("queued", "10:10"), RunState::Done);
    gate.add_permits(1);
    scene.stop();
}

#[test]
fn without_a_ledger_the_jobs_go_on_and_the_status_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("state")).expect("a folder");
    std::fs::write(folder.path().join("state/jobs.db"), "this is no database, whatever reads it").expect("a file");
    let healthy = acting("healthy", Act::Done);
    // A run is counted as it begins: the manual clock may be at the next slot before the daemon knows of its end.
    let yaml = each_five_minutes(&[("healthy", ", overlap: queue_one")]);
    let scene = Scene::start_in(Arc::new(folder), &yaml, std::slice::from_ref(&healthy)).expect("started");
    for (slot, runs) in [("10:05", 1), ("10:10", 2)] {
        scene.tick(slot);
        scene.tick_until("it ran", || healthy.runs.load(Ordering::SeqCst) == runs);
    }
    assert!(scene.notifier.told().iter().any(|told| told.starts_with("STATUS=the ledger cannot be written; next ")));
    scene.stop();
}

#[test]
fn a_ledger_that_is_locked_for_a_while_gets_every_decision_later() {
    let scene = Scene::start(&each_five_minutes(&[("healthy", "")]), &[acting("healthy", Act::Done)]);
    let file = scene.folder.path().join("state/jobs.db");
    let mut sqlite = std::process::Command::new("sqlite3");
    let spawned = sqlite.arg(&file).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn();
    let Ok(mut writer) = spawned else {
        println!("skipped: sqlite3 is not installed");
        return;
    };
    let mut orders = writer.stdin.take().expect("piped");
    // The daemon may be writing at this moment: then the lock is waited for.
    orders.write_all(b".timeout 10000\nBEGIN IMMEDIATE; SELECT 'held';\n").expect("told");
    let mut answer = [0; 5];
    writer.stdout.take().expect("piped").read_exact(&mut answer).expect("answered");
    scene.tick("10:05");
    let stuck = |told: &String| told.starts_with("STATUS=the ledger cannot be written");
    eventually("it is told", || scene.notifier.told().iter().any(stuck));
    orders.write_all(b"ROLLBACK;\n.quit\n").expect("told");
    drop(orders);
    writer.wait().expect("its end");
    scene.reaches(("healthy", "10:05"), RunState::Done);
    scene.tick_until("it is well again", || scene.notifier.told().last().is_some_and(|told| !stuck(told)));
    scene.tick("10:10");
    scene.reaches(("healthy", "10:10"), RunState::Done);
    scene.stop();
}

#[test]
fn what_the_start_starts_is_a_slot_of_its_own_off_the_grid() {
    let yaml = "jobs:\n  fills: { schedule: [{ on: start }, { at: nyse.close + 20m }], misfire: { catch_up: one } }\n";
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    for (starts, at) in ["10:01", "10:02:30"].into_iter().enumerate() {
        let scene = Scene::start_at(folder.clone(), at, (yaml, &[acting("fills", Act::Done)])).expect("started");
        scene.reaches(("fills", at), RunState::Done);
        assert_eq!(scene.rows().len(), starts + 1);
        scene.stop();
    }
}

/// Deletes or replaces the ledger under the daemon and waits until it is taken up.
fn is_taken_up_again(change: impl FnOnce(&Path)) -> Scene {
    let scene = Scene::start(
        &each_five_minutes(&[("healthy", ""), ("paused", "")]),
        &[acting("healthy", Act::Done), acting("paused", Act::Done)],
    );
    let file = scene.folder.path().join("state/jobs.db");
    let writer = Ledger::open(&file).expect("opened");
    let pause = Pause { job: "paused".into(), reason: "roll week".into(), paused_at: et("10:02"), until: None };
    writer.pause(&pause).expect("paused");
    scene.tick_to_end("10:02");
    std::fs::copy(&file, file.with_file_name("old.db")).expect("copied");
    scene.tick_to_end("10:05");
    scene.reaches(("healthy", "10:05"), RunState::Done);
    drop(writer);
    scene.tick_to_end("10:06:30");
    change(&file);
    scene.tick_to_end("10:07:40");
    scene.tick_to_end("10:10");
    scene.reaches(("healthy", "10:10"), RunState::Done);
    scene.reaches(("paused", "10:10"), RunState::Skipped);
    assert!(scene.row("paused", "10:10").reason.expect("told").contains("roll week"));
    let incidents = scene.ledger().open_incidents().expect("readable");
    assert!(incidents.iter().any(|incident| incident.key.check == "ledger.lost"), "{incidents:?}");
    scene
}

#[test]
fn a_ledger_deleted_under_the_daemon_is_made_anew_and_keeps_its_pauses() {
    let scene = is_taken_up_again(|file| std::fs::remove_file(file).expect("deleted"));
    assert_eq!(scene.state("healthy", "10:05"), None, "it was in the one that is gone");
    scene.stop();
}

#[test]
fn a_ledger_replaced_under_the_daemon_is_gone_on_with_and_keeps_its_pauses() {
    let scene = is_taken_up_again(|file| std::fs::rename(file.with_file_name("old.db"), file).expect("replaced"));
    scene.stop();
}

#[test]
fn a_ledger_overwritten_under_the_daemon_is_gone_on_with_and_keeps_its_pauses() {
    let scene = is_taken_up_again(|file| {
        std::fs::copy(file.with_file_name("old.db"), file).expect("overwritten");
    });
    scene.stop();
}

#[test]
fn a_ledger_that_could_not_be_opened_at_the_start_is_taken_up_when_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state/jobs.db");
    std::fs::create_dir(folder.path().join("state")).expect("a folder");
    std::fs::write(&file, "this is no database, whatever reads it").expect("a file");
    let yaml = each_five_minutes(&[("healthy", ", overlap: queue_one")]);
    let healthy = acting("healthy", Act::Done);
    let scene = Scene::start_in(Arc::new(folder), &yaml, std::slice::from_ref(&healthy)).expect("started");
    scene.tick("10:05");
    scene.tick_until("it ran", || healthy.runs.load(Ordering::SeqCst) == 1);
    std::fs::remove_file(&file).expect("moved away");
    scene.tick("10:06:30");
    scene.tick_until("it is taken up", || Ledger::open_to_read(&file).is_ok_and(|ledger| ledger.is_some()));
    scene.tick_to_end("10:10");
    scene.reaches(("healthy", "10:10"), RunState::Done);
    scene.stop();
}
