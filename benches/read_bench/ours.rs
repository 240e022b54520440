//! The times of this program: by a warm handle, by a new one, and as whole processes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use frontmonth::calendar::{Calendar, CalendarId, Session, Slot};
use frontmonth::lake::{AsOf, KeyRange, Lake};
use frontmonth::market::{GatewayKind, Symbol};

use super::report::{Figure, Report};
use super::tables::{Layout, TABLE, config, folder, rows};
use super::timing::{Timing, time};

/// Who we are in the figures.
pub(crate) const OURS: &str = "frontmonth";

/// Slots written by a warm handle.
const NUM_WRITES: usize = 60;

/// Runs of a whole process.
const NUM_PROCESSES: usize = 12;

/// Times everything over one layout.
pub(crate) async fn measure(root: &Path, layout: Layout, report: &mut Report) {
    let mut note = |engine: &str, durable: &str, (operation, timing): (&str, Timing)| {
        let figure = Figure { engine, durable, layout: layout.name(), operation };
        report.note(figure, timing);
    };
    let warm = Lake::reader(&config(root, layout)).expect("a local folder");
    let symbol: Symbol = "ES".parse().expect("a symbol");
    let latest = || async { drop(warm.latest_futures(&symbol).await.expect("read").expect("a row")) };
    note(OURS, "", ("latest", time(300, latest).await));
    let sessions = layout.sessions();
    for (operation, num_sessions) in [("one session", 1), ("three sessions", 3), ("the symbol's year", sessions.len())]
    {
        let is_asked = operation != "the symbol's year" || layout == Layout::Year;
        if is_asked && num_sessions <= sessions.len() {
            note(OURS, "", (operation, read(&warm, &symbol, middle(&sessions, num_sessions)).await));
        }
    }
    let closes = || async { drop(warm.last_futures_of_each(&symbol, middle(&sessions, 20)).await.expect("read")) };
    if sessions.len() >= 20 {
        note(OURS, "", ("20 sessions' last rows", time(100, closes).await));
    }
    let cold = || async {
        let lake = Lake::reader(&config(root, layout)).expect("a local folder");
        drop(lake.latest_futures(&symbol).await.expect("read").expect("a row"));
    };
    note("frontmonth, new handle", "", ("latest", time(30, cold).await));
    let (appends, latest_after) = write(root, layout, &symbol).await;
    note(OURS, "fsync", ("write one slot", appends));
    note("frontmonth, after an own write", "", ("latest", latest_after));
    processes(root, layout, &mut note);
}

/// The sessions in the middle, where the oldest and the newest files are not.
pub(crate) fn middle(sessions: &[Session], num_sessions: usize) -> &[Session] {
    let first = (sessions.len() - num_sessions) / 2;
    sessions.get(first..first + num_sessions).expect("so many")
}

async fn read(lake: &Lake, symbol: &Symbol, sessions: &[Session]) -> Timing {
    let slots: Vec<Slot> = sessions.iter().flat_map(Session::slots).collect();
    let (from, to) = slots.first().zip(slots.last()).expect("slots");
    let range = KeyRange { symbols: vec![symbol.clone()], from: from.instant(), to: to.instant() };
    let reading = || async {
        let found = lake.futures(&range, &AsOf::Latest).await.expect("read");
        assert_eq!(found.len(), slots.len(), "as many rows as slots");
    };
    time(100, reading).await
}

/// Appends slots after the table's end, each flushed; after each the newest row is read.
async fn write(root: &Path, layout: Layout, symbol: &Symbol) -> (Timing, Timing) {
    let lake = Lake::open(&config(root, layout), GatewayKind::Simulated).expect("a local folder");
    let (mut appends, mut reads): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for (session, slot) in after_the_end().take(NUM_WRITES + 3) {
        let rows = rows(&session, slot);
        let began = Instant::now();
        let written = lake.append_futures(&rows).await.expect("written");
        appends.push(began.elapsed());
        assert_eq!(written.added, rows.len());
        let began = Instant::now();
        let latest = lake.latest_futures(symbol).await.expect("read").expect("a row");
        reads.push(began.elapsed());
        assert_eq!(latest.timestamp, slot);
    }
    (Timing::of(appends.split_off(3)), Timing::of(reads.split_off(3)))
}

fn after_the_end() -> impl Iterator<Item = (Session, Slot)> {
    let date = |day| NaiveDate::from_ymd_opt(2026, 1, day).expect("a date");
    let sessions = Calendar::embedded(CalendarId::CmeEquity).sessions(date(2), date(16)).expect("covered");
    sessions.into_iter().flat_map(|session| {
        let slots: Vec<Slot> = session.slots().collect();
        slots.into_iter().map(move |slot| (session.clone(), slot))
    })
}

fn processes(root: &Path, layout: Layout, note: &mut impl FnMut(&str, &str, (&str, Timing))) {
    let working = folder(root, layout);
    let run = |arguments: &[&str]| {
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobs"));
        let command = command.args(arguments).current_dir(&working).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().expect("the program starts");
        assert!(status.success(), "jobs {} in {}: {status}", arguments.join(" "), working.display());
        began.elapsed()
    };
    let times = |run: &dyn Fn(usize) -> Duration| Timing::of((0..NUM_PROCESSES).map(run).skip(1).collect());
    let show = ["show", TABLE.as_str(), "--symbol", "ES", "--last", "1", "--format", "jsonl"];
    note("frontmonth, whole process", "", ("latest", times(&|_| run(&show))));
    let instants: Vec<DateTime<Utc>> = after_the_end().skip(100).map(|(_, slot)| slot.instant()).collect();
    let snapshot = |number: usize| {
        let at = instants.get(number).expect("enough slots").to_rfc3339();
        run(&["run", "snapshot", "--at", &at, "--symbols", "ES,NQ,RTY"])
    };
    note("frontmonth, whole process", "fsync", ("write one slot", times(&snapshot)));
    note("frontmonth, whole process", "", ("do nothing", times(&|_| run(&["--version"]))));
}
