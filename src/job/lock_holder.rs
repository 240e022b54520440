//! Who holds a lock, asked by somebody who does not want it: for `jobs status` and `jobs doctor`.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::LockHolder;

/// A holder writes its name right after it has the lock: so long it is given.
const NUM_READS: u32 = 5;

/// Pause between two reads.
const READ_PAUSE: Duration = Duration::from_millis(10);

/// Who holds the lock file; none where nobody does, whatever the file says: a holder that was killed leaves its name.
#[must_use]
pub fn lock_holder(path: &Path) -> Option<LockHolder> {
    (0..NUM_READS).find_map(|read| {
        if read > 0 {
            thread::sleep(READ_PAUSE);
        }
        is_held(path).then(|| named(path)).flatten()
    })
}

/// Whether it is held. Where it is not, it is for an instant held by this question, which [`super::Lock::take`] waits
/// out; a shared lock, so that two who ask do not take each other for the holder.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn named(path: &Path) -> Option<LockHolder> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::{Lock, Locked};
    use super::*;

    #[test]
    fn only_a_lock_that_is_held_has_a_holder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("job-snapshot.lock");
        assert_eq!(lock_holder(&path), None, "there is no such file");
        let holder = LockHolder { pid: 4711, run_id: "r1".to_owned(), since: DateTime::UNIX_EPOCH };
        let lock = Lock::take(folder.path(), Locked::Job("snapshot"), &holder).expect("free");
        assert_eq!(lock_holder(&path), Some(holder));
        drop(lock);
        assert!(fs::read_to_string(&path).expect("a file").contains("4711"), "its name is still there");
        assert_eq!(lock_holder(&path), None);
    }
}
