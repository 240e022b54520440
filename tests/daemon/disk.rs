//! The daemon over disks that are full or may not be written. Small disks are mounted in a namespace of their own, in
//! which the test binary runs itself again; where that is not allowed the tests say so and pass.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use frontmonth::config::Config;
use frontmonth::job::chain;
use frontmonth::lake::Lake;
use frontmonth::state::{Ledger, RunState};

use super::{Act, Acting, Scene, acting, each_five_minutes, et};

/// Tells a child that it is one.
const CHILD: &str = "FRONTMONTH_TEST_MOUNTS";

/// What a child says where it may not mount anything.
const NO_MOUNT: &str = "no mount";

/// Runs a child of this file where it may mount, unless nobody may.
fn in_a_namespace(child: &str) {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]).arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", &format!("disk::{child}"), "--nocapture"]).env(CHILD, "1").stdin(Stdio::null());
    let Ok(output) = command.output() else {
        println!("skipped: unshare is not installed");
        return;
    };
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if told.contains(NO_MOUNT) || told.starts_with("unshare:") {
        println!("skipped: this user cannot mount a small disk: {told}");
        return;
    }
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Mounts; told where it cannot.
fn mounted(arguments: &[&str], at: &Path) -> bool {
    let done = Command::new("mount").args(arguments).arg(at).status().is_ok_and(|status| status.success());
    if !done {
        println!("{NO_MOUNT}");
    }
    done
}

/// What was mounted goes, so that the folder can be deleted.
struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

/// Fills the disk of a folder to the last byte, and gives the file that did.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("fill");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("a file");
    for size in [65_536, 512, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

fn captured(scene: &Scene) -> Vec<DateTime<Utc>> {
    let mut config = Config::default();
    config.lake.uri = scene.folder.path().join("lake").display().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lake = Lake::reader(&config.lake).expect("a lake");
    let newest = runtime.block_on(lake.latest_futures(&"ES".parse().expect("a symbol")));
    newest.expect("readable").into_iter().map(|row| row.timestamp.instant()).collect()
}

/// A row or an entry is seen before the daemon knows of the end of its run, and the manual clock goes on at once: the next
/// slot waits for that end.
fn capturing() -> (String, Acting) {
    (each_five_minutes(&[("capture", ", overlap: queue_one")]), acting("capture", Act::Capture))
}

#[test]
fn with_a_full_lake_captures_fail_on_record_and_go_on_when_there_is_room() {
    in_a_namespace("child_fills_the_lake");
}

#[test]
fn child_fills_the_lake() {
    if !is_child() {
        return;
    }
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let lake = folder.path().join("lake");
    fs::create_dir(&lake).expect("a folder");
    if !mounted(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &lake) {
        return;
    }
    let _unmount = Unmount(&lake);
    let (yaml, capture) = capturing();
    let scene = Scene::start_in(folder.clone(), &yaml, &[capture]).expect("started");
    scene.tick("10:05");
    scene.reaches(("capture", "10:05"), RunState::Done);
    let filling = fill(&lake);
    for slot in ["10:10", "10:15"] {
        scene.tick(slot);
        scene.reaches(("capture", slot), RunState::Failed);
        let error = scene.row("capture", slot).error.expect("told");
        assert!(error.contains("no space left") && error.contains("nothing of it was written"), "{error}");
    }
    assert_eq!(captured(&scene), [et("10:05")]);
    fs::remove_file(filling).expect("removed");
    scene.tick("10:20");
    scene.reaches(("capture", "10:20"), RunState::Done);
    assert_eq!(captured(&scene), [et("10:20")]);
    scene.stop();
}

#[test]
fn with_a_full_state_folder_the_daemon_says_so_and_captures_and_the_record_goes_on_when_there_is_room() {
    in_a_namespace("child_fills_the_state_folder");
}

#[test]
fn child_fills_the_state_folder() {
    if !is_child() {
        return;
    }
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let state = folder.path().join("state");
    fs::create_dir(&state).expect("a folder");
    if !mounted(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], &state) {
        return;
    }
    let _unmount = Unmount(&state);
    let (yaml, capture) = capturing();
    let scene = Scene::start_in(folder.clone(), &yaml, &[capture]).expect("started");
    scene.tick("10:05");
    scene.reaches(("capture", "10:05"), RunState::Done);
    let filling = fill(&state);
    let stuck = |told: &String| told.starts_with("STATUS=the ledger cannot be written");
    // The log of the ledger has room for the records of some slots.
    let mut slots = (2..72).map(|number| format!("{}:{:02}", 10 + number * 5 / 60, number * 5 % 60));
    for slot in &mut slots {
        scene.tick(&slot);
        scene.tick_until("it is captured", || captured(&scene) == [et(&slot)]);
        if scene.notifier.told().iter().any(stuck) {
            break;
        }
    }
    assert!(scene.notifier.told().iter().any(stuck), "it is reported: {:?}", scene.notifier.told());
    fs::remove_file(filling).expect("removed");
    let next = slots.next().expect("the session goes on");
    scene.tick(&next);
    scene.tick_until("it is well again", || scene.notifier.told().last().is_some_and(|told| !stuck(told)));
    scene.reaches(("capture", next.as_str()), RunState::Done);
    assert_eq!(captured(&scene), [et(&next)]);
    scene.stop();
}

#[test]
fn a_ledger_that_opens_and_may_not_be_written_stops_no_capture() {
    in_a_namespace("child_makes_the_ledger_read_only");
}

#[test]
fn child_makes_the_ledger_read_only() {
    if !is_child() {
        return;
    }
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("state/jobs.db");
    drop(Ledger::open(&file).expect("made"));
    let bound = mounted(&["--bind", &file.display().to_string()], &file) && mounted(&["-o", "remount,bind,ro"], &file);
    if !bound {
        return;
    }
    let _unmount = Unmount(&file);
    let error = Ledger::open(&file).map(drop).expect_err("it may only be read");
    assert!(chain(&error).starts_with("cannot write to the ledger"), "{}", chain(&error));
    let (yaml, capture) = capturing();
    let scene = Scene::start_in(folder.clone(), &yaml, &[capture]).expect("started");
    for slot in ["10:05", "10:10"] {
        scene.tick(slot);
        scene.tick_until("it is captured", || captured(&scene) == [et(slot)]);
    }
    assert!(scene.notifier.told().iter().any(|told| told.starts_with("STATUS=the ledger cannot be written; next ")));
    assert!(scene.rows().is_empty(), "and nothing is recorded");
    scene.stop();
}
