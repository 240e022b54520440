//! What no test inside of one process can show: a writer killed in the middle, and a user without rights. The test
//! binary runs itself again, and the environment tells the child what to do.

use std::env;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, Utc};

use super::fixtures::{NOW, end, file, finish, ledger, request, row, slot, start};
use super::*;

/// Names the ledger to the child.
const PATH: &str = "FRONTMONTH_TEST_LEDGER";

/// A user without any rights.
const NOBODY: u32 = 65_534;

/// This test binary with one of the children below, whose stderr is read.
fn child(name: &str, path: &Path) -> Command {
    child_of(&env::current_exe().expect("this program"), name, path)
}

fn child_of(program: &Path, name: &str, path: &Path) -> Command {
    let module = module_path!().split_once("::").map_or("", |(_, module)| module);
    let mut command = Command::new(program);
    command.args(["--exact", &format!("{module}::{name}"), "--nocapture"]).env(PATH, path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn told_path() -> Option<PathBuf> {
    env::var_os(PATH).map(PathBuf::from)
}

/// A child: runs slot after slot of one job and tells each one that the ledger says is done.
#[test]
fn child_writes_until_it_is_killed() {
    let Some(path) = told_path() else { return };
    let ledger = Ledger::open(&path).expect("opened");
    let first = ledger
        .newest_slot("snapshot", DateTime::<Utc>::MAX_UTC)
        .expect("readable")
        .map_or(0, |slot| number_of(slot) + 1);
    for number in first.. {
        let due_at = slot(number);
        ledger.plan(&[Planned { job: "snapshot".into(), slot: slot(number), due_at }]).expect("planned");
        start(&ledger, slot(number), Trigger::Schedule, &format!("child-{number}"));
        finish(&ledger, &format!("child-{number}"), EndState::Done);
        eprintln!("done {number}");
    }
}

fn number_of(slot: DateTime<Utc>) -> i32 {
    i32::try_from((slot - NOW).num_minutes() / 5).expect("near")
}

/// Reads what the child did until it has done so many slots, then kills it; gives all that it told.
fn kill_after(mut child: Child, num_slots: usize) -> Vec<i32> {
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    // The last line may be cut off by the signal, but not within its number, which is written at once.
    let mut done = lines.filter_map(|line| line.strip_prefix("done ")?.parse().ok());
    let mut told: Vec<i32> = done.by_ref().take(num_slots).collect();
    assert_eq!(told.len(), num_slots, "it got on");
    child.kill().expect("killed");
    told.extend(done);
    child.wait().expect("ended");
    told
}

#[test]
fn what_a_killed_writer_called_done_is_done_beside_another_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = ledger(&folder);
    let mut by_hand = 0;
    for round in 0..8 {
        let writer = child("child_writes_until_it_is_killed", &file(&folder)).spawn().expect("spawned");
        for _ in 0..10 {
            let run =
                Start { job: "backfill".into(), ..request(slot(by_hand), Trigger::Manual, &format!("own-{by_hand}")) };
            assert_eq!(own.start(&run, NOW).expect("an answer"), Started::Started);
            own.finish(&run.run_id, &end(EndState::Done), NOW).expect("noted");
            by_hand += 1;
        }
        let told = kill_after(writer, 3 + round * 4);
        assert!(told.iter().all(|number| row(&own, slot(*number)).state == RunState::Done), "round {round}: {told:?}");
        let running = own.all_running().expect("readable");
        assert!(running.len() <= 1, "round {round}: {running:?}");
        for orphan in own.close_orphans(NOW, |_| false).expect("closed") {
            assert_eq!((orphan.state, orphan.reason.as_deref()), (RunState::Failed, Some(PROCESS_DIED)));
        }
        own.integrity_check().expect("sound");
    }
    let account = own.accounting("backfill", slot(-1), slot(by_hand)).expect("readable");
    assert_eq!(account.done, u32::try_from(by_hand).expect("few"));
}

/// A child: tells what it is told when it opens the ledger to write, and what it reads.
#[test]
fn child_opens_the_ledger() {
    let Some(path) = told_path() else { return };
    match Ledger::open(&path) {
        Ok(ledger) => eprintln!("writes {:?}", ledger.mark_started("child", NOW)),
        Err(error) => eprintln!("refused {:?}: {error}", error.class()),
    }
    let reader = Ledger::open_to_read(&path).expect("readable").expect("there");
    eprintln!("read {}", reader.history(&HistoryQuery::default()).expect("readable").len());
}

/// What a user without rights is told; a test that does not run as root has no more rights than that user.
fn told_to_nobody(path: &Path) -> String {
    let program = env::current_exe().expect("this program");
    let open_to_all = tempfile::tempdir().expect("a folder");
    let mut command = child_of(&program, "child_opens_the_ledger", path);
    if fs::metadata("/proc/self").expect("this process").uid() == 0 {
        // Root's folders are closed to the other user, who must reach the program of this test.
        let reachable = open_to_all.path().join("program");
        fs::hard_link(&program, &reachable)
            .or_else(|_| fs::copy(&program, &reachable).map(drop))
            .expect("a second name");
        set_mode(open_to_all.path(), 0o755);
        command = child_of(&reachable, "child_opens_the_ledger", path);
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().expect("ran");
    String::from_utf8(output.stderr).expect("text")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
}

#[test]
fn a_ledger_that_may_only_be_read_is_refused_for_writing_and_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = ledger(&folder);
    start(&writer, slot(1), Trigger::Manual, "r1");
    for suffix in ["", "-wal", "-shm"] {
        set_mode(&folder.path().join(format!("jobs.db{suffix}")), 0o444);
    }
    set_mode(folder.path(), 0o555);
    let while_written = told_to_nobody(&file(&folder));
    set_mode(folder.path(), 0o755);
    drop(writer);
    set_mode(folder.path(), 0o555);
    let idle = told_to_nobody(&file(&folder));
    set_mode(folder.path(), 0o755);
    for told in [while_written, idle] {
        assert!(told.contains("refused Configuration: cannot write to the ledger"), "{told}");
        assert!(told.contains("let the user that runs jobs read and write it and its folder"), "{told}");
        assert!(told.contains("read 1"), "{told}");
    }
}
