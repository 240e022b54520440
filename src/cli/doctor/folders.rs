//! Checks of folders that are written: a probe file is made there and removed.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use crate::config::Config;

use super::check::Finding;
use super::disk::existing;

/// The folder of the locks.
pub(super) fn locks(config: &Config) -> Finding {
    writable(&config.paths.locks(), "make it writable, or give paths.state another value")
}

/// The folder of the logs.
pub(super) fn logs(config: &Config) -> Finding {
    writable(&config.paths.logs, "make it writable, or give paths.logs another value")
}

/// Writes into the folder, or where it would be made.
fn writable(folder: &Path, remedy: &str) -> Finding {
    let told = folder.display();
    let Some(there) = existing(folder) else {
        return Finding::fail(format!("{told}: no folder above it exists"), remedy);
    };
    if !there.is_dir() {
        return Finding::fail(format!("{} is a file where a folder should be", there.display()), remedy);
    }
    match probe(&there, &folder.file_name().unwrap_or_default().to_string_lossy()) {
        Ok(()) if there == folder => Finding::ok(format!("{told} is writable")),
        Ok(()) => Finding::ok(format!("{told} is not there yet, and can be made")),
        Err(error) => Finding::fail(format!("{told} cannot be written ({error})"), remedy),
    }
}

/// The file has the name of what is asked for: checks run side by side, and two folders that are not there yet may both
/// be probed in the one above them.
fn probe(folder: &Path, asked: &str) -> io::Result<()> {
    let path = folder.join(format!(".doctor-{}-{asked}", std::process::id()));
    OpenOptions::new().create_new(true).write(true).open(&path)?;
    fs::remove_file(&path)
}

#[cfg(test)]
mod tests {
    use super::super::check::Grade;
    use super::*;

    #[test]
    fn a_folder_is_probed_and_left_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(writable(folder.path(), "x").grade, Grade::Ok);
        let told = writable(&folder.path().join("a/b"), "x");
        assert!(told.grade == Grade::Ok && told.found.contains("can be made"), "{told:?}");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
        fs::write(folder.path().join("file"), "").expect("a file");
        assert_eq!(writable(&folder.path().join("file/logs"), "x").grade, Grade::Fail);
    }

    #[test]
    fn two_folders_are_probed_in_the_one_above_them_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let probed = |name: &str| {
            (0..500).all(|_| matches!(writable(&folder.path().join(name), "x"), Finding { grade: Grade::Ok, .. }))
        };
        let both = std::thread::scope(|scope| {
            let locks = scope.spawn(|| probed("locks"));
            (probed("logs"), locks.join().expect("no panic"))
        });
        assert_eq!(both, (true, true));
    }
}
