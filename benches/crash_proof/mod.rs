//! Processes that write, replace, backfill, compact, vacuum, restore, back up and read one lake from two hosts, each killed
//! at random moments.
//!
//! The program starts itself in the roles of `roles.rs`, kills what it started with SIGKILL, by handle, and starts others in
//! their place. A writer writes down, flushed, what the lake called done (`evidence.rs`). Between the kills, and at the end,
//! no row that was called done may be missing, none doubled, and none have a price that nobody gave it; the copy has every
//! row of its version, and each replaced row is in the ledger of the host that replaced it.
//!
//! A run with `--dir` leaves its counts there, and a later one adds as many kills as it is asked for to them.

mod evidence;
mod hosts;
mod progress;
mod random;
mod roles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use frontmonth::lake::{AsOf, Lake, LakeError};

use evidence::Line;
use progress::{Counts, KILLS_OF_THIS_ROUND, NEWEST_PROCESS, ROUNDS};
use random::Random;
use roles::{Keeping, Player, Role, SYMBOLS, TABLE, appended_price, books, config, everything, number_of, saved};

/// Kills on one lake, before another is begun.
const KILLS_OF_ROUND: usize = 125;

/// Kills between two looks.
const KILLS_BETWEEN_LOOKS: usize = 25;

/// Roles played at once: the first two twice, so that racers race and maintainers meet.
const AT_ONCE: usize = 9;

/// Life of a process in milliseconds: a start takes some tens, and a slow machine more.
const SHORTEST_LIFE_MS: u64 = 20;
const LONGEST_LIFE_MS: u64 = 2_500;

/// What is asked for on the command line.
struct Request {
    kills: usize,
    seed: u64,
    /// Where a proof goes on, or begins; none for one that leaves nothing.
    folder: Option<PathBuf>,
}

/// Plays a role where the command line names one, else runs the proof with so many kills or those asked for.
pub(crate) fn run(usual_kills: usize) -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|word| word == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    if let (Some(role), Some(folder)) = (value("--role"), value("--folder")) {
        let role = *Role::ALL.iter().find(|known| known.name() == role).expect("a role");
        let keeping =
            if value("--keeping").is_some_and(|k| k == "seconds") { Keeping::Seconds } else { Keeping::Usual };
        let process = (i64::try_from(number("--number").unwrap_or(0)).unwrap_or(0), number("--seed").unwrap_or(0));
        play(Path::new(folder), (keeping, role), process);
        return ExitCode::SUCCESS;
    }
    let kills = number("--kills").and_then(|kills| usize::try_from(kills).ok()).unwrap_or(usual_kills);
    prove(&Request { kills, seed: number("--seed").unwrap_or(1), folder: value("--dir").map(PathBuf::from) })
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

fn play(folder: &Path, (keeping, role): (Keeping, Role), process: (i64, u64)) {
    runtime().block_on(Player::new(folder, (keeping, role), process).play(role, usize::MAX));
}

fn prove(request: &Request) -> ExitCode {
    let began = Instant::now();
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = request.folder.clone().unwrap_or_else(|| scratch.path().to_path_buf());
    std::fs::create_dir_all(&folder).expect("a folder");
    let counts = progress::read(&folder);
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    let (mut round, mut done) = (count(ROUNDS), count(KILLS_OF_THIS_ROUND));
    let num_started = i64::try_from(count(NEWEST_PROCESS)).expect("small");
    // Each part draws other numbers, the same ones again only from the same beginning.
    let random = Random::new(request.seed.wrapping_add(u64::try_from(num_started).unwrap_or(0)));
    let mut proof = Proof { random, num_started, folder, counts, ..Proof::default() };
    let mut left = request.kills;
    while left > 0 {
        let kills = left.min(KILLS_OF_ROUND - done.min(KILLS_OF_ROUND - 1));
        let keeping = if round % 2 == 0 { Keeping::Seconds } else { Keeping::Usual };
        let is_over = done + kills >= KILLS_OF_ROUND || request.folder.is_none();
        let end = if is_over { End::OfRound } else { End::OfPart };
        proof.round(&proof.folder.join(round.to_string()), keeping, kills, end);
        (left, round, done) = (left - kills, round + 1, 0);
    }
    println!("seed {}, {} kills in this part, {} s", request.seed, request.kills, began.elapsed().as_secs());
    proof.print();
    if proof.is_kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the last kill ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The round: its lake is summed up.
    OfRound,
    /// This part only: the next one goes on in the lake.
    OfPart,
}

/// What was found so far.
struct Proof {
    random: Random,
    num_started: i64,
    folder: PathBuf,
    counts: Counts,
    faults: Vec<String>,
    /// Errors that no role should meet, and what was told of those it may.
    told: Vec<String>,
}

impl Default for Proof {
    fn default() -> Self {
        let (faults, told) = (Vec::new(), Vec::new());
        Self { random: Random::new(0), num_started: 0, folder: PathBuf::new(), counts: Counts::new(), faults, told }
    }
}

/// A process at work.
struct Playing {
    role: Role,
    child: Child,
    dies_at: Instant,
}

impl Drop for Playing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proof {
    /// A lake of its own, on which so many processes are killed; what is under way is gone on with by the next part.
    fn round(&mut self, folder: &Path, keeping: Keeping, kills: usize, end: End) {
        let roles = (0..AT_ONCE).map(|place| Role::ALL[place % Role::ALL.len()]);
        let mut playing: Vec<Playing> = roles.map(|role| self.start(folder, (keeping, role))).collect();
        for kill in 1..=kills {
            let (place, next) = playing.iter().enumerate().min_by_key(|(_, one)| one.dies_at).expect("some play");
            std::thread::sleep(next.dies_at.saturating_duration_since(Instant::now()));
            let role = next.role;
            if let Ok(Some(status)) = playing[place].child.try_wait() {
                self.faults.push(format!("a {} ended by itself: {status}", role.name()));
            }
            // The one in this place is killed as it is replaced.
            drop(playing.swap_remove(place));
            self.count(&format!("kills {}", role.name()), 1);
            self.count(KILLS_OF_THIS_ROUND, 1);
            playing.push(self.start(folder, (keeping, role)));
            if kill % KILLS_BETWEEN_LOOKS == 0 {
                self.look(folder, "while others write");
                self.save();
            }
        }
        self.count("kills at the end of a round", playing.len());
        drop(playing);
        self.look(folder, "at the end");
        self.look_at_copies(folder);
        self.look_with_another_program(folder);
        if end == End::OfRound {
            self.sum_up(folder);
            self.count(ROUNDS, 1);
            self.counts.remove(KILLS_OF_THIS_ROUND);
        }
        self.save();
    }

    /// Leaves what was found so far, for a run that goes on.
    fn save(&mut self) {
        self.counts.insert(NEWEST_PROCESS.to_owned(), usize::try_from(self.num_started).unwrap_or(0));
        progress::write(&self.folder, &self.counts);
    }

    /// The copy of the table and the ledgers of the two hosts.
    fn look_at_copies(&mut self, folder: &Path) {
        let lines = evidence::lines(&books(folder));
        let lake = Lake::reader(&config(folder)).expect("a local folder");
        let lost = runtime().block_on(hosts::without_trace(folder, &lake, &lines));
        self.count("replaced rows without a trace", lost.len());
        self.faults.extend(lost.into_iter().take(3).map(|row| format!("replaced without a trace: {row}")));
        let copy = Lake::reader(&saved(folder)).expect("a local folder");
        let read = runtime().block_on(async {
            let version = copy.newest_version(TABLE).await?;
            Ok::<_, LakeError>(version.zip(Some(copy.futures(&everything(), &AsOf::Latest).await?)))
        });
        let Some((newest, rows)) = read.unwrap_or_else(|error| {
            self.faults.push(format!("the copy cannot be read: {error:?}"));
            None
        }) else {
            return;
        };
        let keys: BTreeSet<(i64, String)> =
            rows.iter().map(|row| (number_of(row.timestamp), row.symbol.as_str().to_owned())).collect();
        let is_missing = |line: &&Line| {
            let Line::Done { slot, version: Some(version), .. } = line else { return false };
            *version <= newest && SYMBOLS.iter().any(|name| !keys.contains(&(*slot, (*name).to_owned())))
        };
        let (lost, doubled) = (lines.iter().filter(is_missing).count(), rows.len() - keys.len());
        let is_older = lines.iter().any(|line| matches!(line, Line::Saved { version } if *version > newest));
        self.count("rows found in copies", rows.len());
        self.count("rows lost from a copy", lost);
        if lost + doubled > 0 || is_older {
            self.faults
                .push(format!("the copy of version {newest}: {lost} slots lost, {doubled} doubled, older: {is_older}"));
        }
    }

    fn start(&mut self, folder: &Path, (keeping, role): (Keeping, Role)) -> Playing {
        self.num_started += 1;
        self.count(&format!("starts {}", role.name()), 1);
        let seed = self.random.below(u64::MAX);
        let life = SHORTEST_LIFE_MS + self.random.below(LONGEST_LIFE_MS - SHORTEST_LIFE_MS);
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--role", role.name(), "--folder"]).arg(folder);
        command.args(["--keeping", if keeping == Keeping::Seconds { "seconds" } else { "usual" }]);
        command.args(["--number", &self.num_started.to_string(), "--seed", &seed.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        Playing { role, child, dies_at: Instant::now() + Duration::from_millis(life) }
    }

    /// Opens the lake and holds it against the books, which are read before.
    fn look(&mut self, folder: &Path, when: &str) {
        let is_over = when == "at the end";
        let demands = evidence::demands(&evidence::lines(&books(folder)));
        let lake = Lake::reader(&config(folder)).expect("a local folder");
        // A reader may find files gone where they are kept for seconds only; the next look shows another version.
        let rows = (0..20).find_map(|_| runtime().block_on(lake.futures(&everything(), &AsOf::Latest)).ok());
        let Some(rows) = rows else {
            self.faults.push(format!("the table cannot be read {when}"));
            return;
        };
        self.count("looks", 1);
        self.count("rows read", rows.len());
        let mut found: BTreeMap<(i64, String), Vec<Option<f64>>> = BTreeMap::new();
        for row in rows {
            found.entry((number_of(row.timestamp), row.symbol.as_str().to_owned())).or_default().push(row.last);
        }
        let doubled = found.values().filter(|prices| prices.len() > 1).count();
        let is_missing =
            |slot: i64| SYMBOLS.iter().filter(|name| !found.contains_key(&(slot, (**name).to_owned()))).count();
        let expected = demands.values().filter(|demand| demand.is_done()).count() * SYMBOLS.len();
        let lost: usize =
            demands.iter().filter(|(_, demand)| demand.is_done()).map(|(slot, _)| is_missing(*slot)).sum();
        let mut wrong = 0;
        for ((slot, _), prices) in found.iter().filter(|_| is_over) {
            let appended = appended_price(*slot);
            let allows = |price| demands.get(slot).map_or(price == appended, |demand| demand.allows(price, appended));
            let is_right = |price: &f64| whole(*price).is_some_and(allows);
            wrong += prices.iter().filter(|price| !price.as_ref().is_some_and(is_right)).count();
        }
        self.count("rows lost", lost);
        self.count("rows doubled", doubled);
        self.count("rows of a price that nobody gave", wrong);
        if is_over {
            self.count("rows called done", expected);
            self.count("rows found", found.values().map(Vec::len).sum());
        }
        if lost + doubled + wrong > 0 {
            self.faults.push(format!("{when}: {lost} rows lost, {doubled} doubled, {wrong} of a wrong price"));
        }
    }

    /// Another implementation's view, where one is at hand: `CRASHES_PYTHON` names a Python with `deltalake` and `pyarrow`.
    fn look_with_another_program(&mut self, folder: &Path) {
        let Some(python) = std::env::var_os("CRASHES_PYTHON").map(PathBuf::from) else { return };
        let table = folder.join("lake").join(TABLE.as_str());
        let script = "import sys, deltalake\n\
                      t = deltalake.QueryBuilder().register('t', deltalake.DeltaTable(sys.argv[1]))\n\
                      r = t.execute('select count(*) as n, count(distinct symbol || cast(timestamp as varchar)) as k from t').read_all()\n\
                      print(r.column('n')[0].as_py() if hasattr(r.column('n')[0], 'as_py') else r.column('n')[0], r.column('k')[0].as_py() if hasattr(r.column('k')[0], 'as_py') else r.column('k')[0])\n";
        let output = Command::new(python).args(["-c", script]).arg(table).output().expect("python starts");
        let told = String::from_utf8_lossy(&output.stdout);
        let counts: Vec<usize> = told.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match counts.as_slice() {
            [rows, keys] if rows == keys => self.count("rows found by another program", *rows),
            _ => self.faults.push(format!("another program: {told} {}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    fn sum_up(&mut self, folder: &Path) {
        for line in evidence::lines(&books(folder)) {
            match line {
                Line::Event { name, text } => {
                    self.count(&name, 1);
                    match name.as_str() {
                        "violation" => self.faults.push(text),
                        "error" | "gone" | "lost_all_rounds" => self.told.push(text),
                        _ => {}
                    }
                }
                Line::Done { .. } => self.count("acknowledged", 1),
                Line::Try { .. } | Line::Restore { .. } | Line::Saved { .. } => {}
            }
        }
    }

    fn count(&mut self, name: &str, more: usize) {
        *self.counts.entry(name.to_owned()).or_default() += more;
    }

    fn print(&self) {
        for (name, count) in &self.counts {
            println!("{count:>8} {name}");
        }
        for text in self.told.iter().take(12) {
            println!("told: {}", text.chars().take(600).collect::<String>());
        }
        for fault in &self.faults {
            println!("FAULT: {fault}");
        }
    }

    fn is_kept(&self) -> bool {
        let bad = ["error", "rows lost", "rows doubled", "rows lost from a copy", "replaced rows without a trace"];
        self.faults.is_empty() && bad.iter().all(|name| self.counts.get(*name).is_none_or(|count| *count == 0))
    }
}

/// The whole number that a price is.
fn whole(price: f64) -> Option<i64> {
    format!("{price:.0}").parse().ok().filter(|whole: &i64| format!("{whole}.0") == format!("{price:.1}"))
}
