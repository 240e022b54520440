//! The proof that what was called done survives a power cut: the order of every write, name, deletion and flush is
//! recorded, the power is cut after each of them, and the lake is opened on the disks that may be left.
//!
//! By default a seeded sample of the disks is opened; `POWER_CUT_DISKS=all` opens every one, a number so many.

mod image;
mod ops;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use tempfile::{TempDir, tempdir};

use crate::calendar::Slot;
use crate::clock::{Clock, SystemClock};
use crate::market::{FuturesSnapshot, Symbol};

use super::fixtures::{futures_of, futures_row, slot, symbol};
use super::recording::lake_on;
use super::store::DurableStore;
use super::{AsOf, KeyRange, Lake, LakeError, TableName};
use image::{Content, Image, Node, System};
use ops::{Op, Trace, TracedDisk, TracedStore};

const FUTURES: TableName = TableName::FuturesSnapshots;

/// Disks opened where nothing else is said.
const SAMPLE: usize = 60;

/// Random disks of each cut, besides the extremes.
const MIXTURES: usize = 4;

const SEED: u64 = 0x5eed_0001;

/// Something that a run does with the lake.
#[derive(Debug, Clone)]
enum Work {
    Append(Vec<FuturesSnapshot>),
    Replace(Vec<FuturesSnapshot>),
    Compact,
    /// Maintenance, so many hours from now.
    Tidy(i64),
}

impl Work {
    fn rows(&self) -> &[FuturesSnapshot] {
        match self {
            Self::Append(rows) | Self::Replace(rows) => rows,
            Self::Compact | Self::Tidy(_) => &[],
        }
    }

    async fn run(&self, lake: &Lake) -> Result<(), LakeError> {
        match self {
            Self::Append(rows) => lake.append_futures(rows).await.map(drop),
            Self::Replace(rows) => lake.replace_futures(rows).await.map(drop),
            Self::Compact => lake.compact(FUTURES).await.map(drop),
            Self::Tidy(hours) => lake.tidy(FUTURES, SystemClock.now() + TimeDelta::hours(*hours)).await.map(drop),
        }
    }
}

fn traced() -> (TempDir, Arc<Trace>) {
    let folder = tempdir().expect("a folder");
    let trace = Trace::of(folder.path().canonicalize().expect("it exists"));
    (folder, trace)
}

/// A lake of a process of its own, whose changes of the disk are traced.
fn lake_of(folder: &TempDir, trace: &Arc<Trace>) -> Lake {
    let (store, disk) = (TracedStore::new(Arc::clone(trace)), TracedDisk(Arc::clone(trace)));
    lake_on(&folder.path().canonicalize().expect("it exists"), DurableStore::new(Arc::new(store), Arc::new(disk)))
}

fn priced(row: FuturesSnapshot, last: f64) -> FuturesSnapshot {
    FuturesSnapshot { last: Some(last), ..row }
}

/// Everything that writes: the making of the table, appends by the short and by the long way, a new partition, reruns, a
/// second process, replacements, compaction, vacuum, checkpoints by interval and by maintenance, a cleaned log.
fn everything() -> Vec<Work> {
    let mut works: Vec<Work> = (10..16).map(|number| Work::Append(futures_of(slot(number)))).collect();
    works.push(Work::Append([futures_row("ES", slot(3)), futures_row("NQ", slot(4))].to_vec()));
    works.push(Work::Append([futures_of(slot(12)), futures_of(slot(16))].concat()));
    works.push(Work::Append(futures_of(slot(14))));
    works.push(Work::Append([futures_row("YM", slot(16))].to_vec()));
    works.push(Work::Append([futures_row("EMD", slot(2)), futures_row("ES", slot(2))].to_vec()));
    works.push(Work::Replace([priced(futures_row("ES", slot(11)), 1.0), futures_row("NQ", slot(5))].to_vec()));
    works.push(Work::Compact);
    works.push(Work::Replace([priced(futures_row("ES", slot(12)), 2.0)].to_vec()));
    works.extend((17..50).map(|number| Work::Append(vec![futures_row("ES", slot(number))])));
    works.extend([Work::Append(futures_of(slot(6))), Work::Compact, Work::Tidy(0), Work::Tidy(25)]);
    works.extend((50..53).map(|number| Work::Append(futures_of(slot(number)))));
    works.extend([Work::Tidy(24 * 8), Work::Append(futures_of(slot(53)))]);
    works.push(Work::Replace(vec![priced(futures_row("NQ", slot(53)), 3.0)]));
    works
}

/// Carries the works out, by two processes in turn; what each said is in the trace.
async fn traced_works(works: &[Work]) -> Vec<Op> {
    let (folder, trace) = traced();
    let lakes = [lake_of(&folder, &trace), lake_of(&folder, &trace)];
    for (number, work) in works.iter().enumerate() {
        trace.note(Op::Begin(number));
        work.run(&lakes[usize::from(number % 7 > 3)]).await.unwrap_or_else(|error| panic!("{work:?}: {error:?}"));
        trace.note(Op::Done);
    }
    trace.ops()
}

type Key = (Symbol, Slot);

/// What the runs up to a moment allow the table to hold.
#[derive(Debug, Clone, Default)]
struct Promise {
    /// Keys called done, with the last price they have.
    kept: BTreeMap<Key, Option<f64>>,
    /// The rows of the run that is not over.
    open: Vec<FuturesSnapshot>,
    is_replacing: bool,
}

impl Promise {
    fn follow(&mut self, op: &Op, works: &[Work]) {
        match op {
            Op::Begin(number) => {
                self.open = works[*number].rows().to_vec();
                self.is_replacing = matches!(works[*number], Work::Replace(_));
            }
            Op::Done => {
                for row in std::mem::take(&mut self.open) {
                    let key = (row.symbol, row.timestamp);
                    if self.is_replacing || !self.kept.contains_key(&key) {
                        self.kept.insert(key, row.last);
                    }
                }
                self.is_replacing = false;
            }
            _ => {}
        }
    }

    /// Refuses rows that are not what was promised.
    fn check(&self, rows: &[FuturesSnapshot], place: &str) {
        let found: BTreeMap<Key, Option<f64>> =
            rows.iter().map(|row| ((row.symbol.clone(), row.timestamp), row.last)).collect();
        assert_eq!(found.len(), rows.len(), "a key is doubled: {place}");
        let is_open = |key: &Key| self.open.iter().find(|row| (&row.symbol, row.timestamp) == (&key.0, key.1));
        for (key, last) in &self.kept {
            let there = found.get(key).unwrap_or_else(|| panic!("{key:?} was called done and is lost: {place}"));
            let replaced = self.is_replacing && is_open(key).is_some_and(|row| row.last == *there);
            assert!(there == last || replaced, "{key:?} has {there:?}, not {last:?}: {place}");
        }
        for key in found.keys().filter(|key| !self.kept.contains_key(*key)) {
            assert!(is_open(key).is_some(), "{key:?} comes from nowhere: {place}");
        }
    }
}

async fn rows(lake: &Lake) -> Vec<FuturesSnapshot> {
    let symbols = ["ES", "NQ", "RTY", "YM", "EMD"].map(symbol).to_vec();
    let range = KeyRange { symbols, from: slot(0).instant(), to: slot(10_000).instant() };
    lake.futures(&range, &AsOf::Latest).await.expect("readable")
}

/// The lake on this disk is readable, keeps the promise, and takes the interrupted run again and another one.
async fn check(root: &Path, promise: &Promise, place: &str) {
    let opened = super::fixtures::lake(root);
    promise.check(&rows(&opened).await, place);
    let again = if promise.is_replacing {
        opened.replace_futures(&promise.open).await.map(drop)
    } else {
        opened.append_futures(&promise.open).await.map(drop)
    };
    again.unwrap_or_else(|error| panic!("the interrupted run fails again, {error:?}: {place}"));
    let added = opened.append_futures(&futures_of(slot(900))).await;
    assert_eq!(added.unwrap_or_else(|error| panic!("{error:?}: {place}")).added, 3, "{place}");
    let mut after = promise.clone();
    after.follow(&Op::Done, &[]);
    after.open = futures_of(slot(900));
    after.follow(&Op::Done, &[]);
    after.check(&rows(&super::fixtures::lake(root)).await, place);
}

fn write(image: &Image, system: &System, root: &Path) {
    for (path, node) in image {
        match node {
            Node::Folder => fs::create_dir_all(root.join(path)).expect("made"),
            Node::File(id, content) => fs::write(root.join(path), system.bytes(*id, *content)).expect("written"),
        }
    }
}

/// Small, fast and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn content(&mut self) -> Content {
        [Content::Whole, Content::Empty, Content::Zeros, Content::Half][self.below(4)]
    }
}

/// The disks that a cut at this moment may leave: the extremes, each name that was not flushed by itself, and mixtures.
fn disks(system: &System, random: &mut Random) -> BTreeSet<Image> {
    let mut images = BTreeSet::new();
    for content in [Content::Whole, Content::Empty, Content::Zeros, Content::Half] {
        images.insert(system.image(|_, _| 0, |_| content));
        images.insert(system.image(|_, all| all, |_| content));
        for alone in system.pending() {
            images.insert(system.image(|name, all| if *name == alone { all } else { 0 }, |_| content));
            images.insert(system.image(|name, all| if *name == alone { 0 } else { all }, |_| content));
        }
    }
    for _ in 0..MIXTURES {
        let mut contents = Random(random.0 ^ 0x00ff);
        let image = system.image(|_, all| random.below(all + 1), |_| contents.content());
        images.insert(image);
    }
    images
}

fn asked_for(found: usize) -> usize {
    match std::env::var("POWER_CUT_DISKS").as_deref() {
        Ok("all") => found,
        Ok(number) => number.parse().expect("a number of disks, or all"),
        Err(_) => SAMPLE,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_called_done_survives_a_power_cut_at_every_point() {
    let works = everything();
    let ops = traced_works(&works).await;
    let (mut system, mut promise, mut random) = (System::new(), Promise::default(), Random(SEED));
    let (mut num_disks, mut different) = (0, Vec::new());
    let mut seen = HashSet::new();
    for (number, op) in ops.iter().enumerate() {
        system.apply(op);
        promise.follow(op, &works);
        for image in disks(&system, &mut random) {
            num_disks += 1;
            let key = (&image, promise.kept.len(), promise.open.len(), promise.is_replacing);
            if seen.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one(key)) {
                different.push((number, image, promise.clone()));
            }
        }
    }
    let (found, num_asked) = (different.len(), asked_for(different.len()));
    let mut opened = 0;
    for (number, image, promise) in different {
        if random.below(found) >= num_asked {
            continue;
        }
        opened += 1;
        let folder = tempdir().expect("a folder");
        write(&image, &system, folder.path());
        check(folder.path(), &promise, &format!("cut after operation {number}, {:?}", ops[number])).await;
    }
    println!(
        "power cuts: seed {SEED:#x}, {} operations of {} runs, cut after each, {num_disks} disks, {found} different, \
         {opened} opened",
        ops.len(),
        works.len()
    );
    assert!(opened > num_asked / 2, "{opened} of {found}");
}

/// The works in which each flush in turn is to fail.
fn a_few() -> Vec<Work> {
    let replaced = [priced(futures_row("ES", slot(11)), 1.0)].to_vec();
    vec![
        Work::Append(futures_of(slot(10))),
        Work::Append(vec![futures_row("ES", slot(11))]),
        Work::Append(vec![futures_row("ES", slot(3)), futures_row("NQ", slot(11))]),
        Work::Replace(replaced),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_flush_fails_is_not_called_done_and_runs_again() {
    let works = a_few();
    let (mut failed, mut told) = (0, 0);
    loop {
        let (folder, trace) = traced();
        trace.fail_flush_after(failed);
        for (number, work) in works.iter().enumerate() {
            // Each run is a process of its own, as by hand.
            trace.note(Op::Begin(number));
            if work.run(&lake_of(&folder, &trace)).await.is_err() {
                told += 1;
                work.run(&lake_of(&folder, &trace)).await.expect("the disk works again");
            }
            trace.note(Op::Done);
            keeps_promise(&trace, &works, failed).await;
        }
        if !trace.has_failed() {
            break;
        }
        failed += 1;
    }
    println!("failed flushes: {failed}, told by the run they fell into: {told}");
    assert_eq!(told, failed, "each is told");
}

/// Nothing that was not flushed is there, and all that was called done.
async fn keeps_promise(trace: &Trace, works: &[Work], failed: usize) {
    let (mut system, mut promise) = (System::new(), Promise::default());
    for op in &trace.ops() {
        system.apply(op);
        promise.follow(op, works);
    }
    let folder = tempdir().expect("a folder");
    write(&system.image(|_, _| 0, |_| Content::Empty), &system, folder.path());
    let place = format!("power cut after flush {failed} failed");
    promise.check(&rows(&super::fixtures::lake(folder.path())).await, &place);
}
