//! Staging files that killed writers left behind: no listing of the store shows them, so no vacuum ever takes them.

use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

/// Deletes the staging files below a folder that were last written before an instant, and says how many.
pub(super) fn sweep(folder: &Path, before: DateTime<Utc>) -> io::Result<usize> {
    let mut swept = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            swept += sweep(&path, before)?;
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_staging) {
            swept += usize::from(delete_if_old(&path, before)?);
        }
    }
    Ok(swept)
}

/// Whether a file is named as only staging files are: `NAME#7` by the library, `NAME.tmp` by the durable store.
pub(super) fn is_staging(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_of_library = name.rsplit_once('#').is_some_and(|(_, number)| is_number(number));
    is_of_library || name.rsplit_once('.').is_some_and(|(_, extension)| extension == "tmp")
}

fn delete_if_old(path: &Path, before: DateTime<Utc>) -> io::Result<bool> {
    let deleted = fs::metadata(path).and_then(|file| file.modified()).and_then(|modified| {
        let is_old = DateTime::<Utc>::from(modified) < before;
        if is_old { fs::remove_file(path).map(|()| true) } else { Ok(false) }
    });
    match deleted {
        // Its writer, or another sweep, was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn old_staging_files_go_and_nothing_else_does() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("_delta_log")).expect("made");
        let now = DateTime::from_timestamp(1_795_014_000, 0).expect("an instant");
        let write = |name: &str, age: TimeDelta| {
            let file = File::create(folder.path().join(name)).expect("written");
            file.set_modified((now - age).into()).expect("dated");
        };
        let (old, young) = (TimeDelta::hours(25), TimeDelta::hours(23));
        let stays = ["part-1.parquet", "_delta_log/1.json", "a#", "a#b1", "notes.tmp.txt", "_delta_log/2.json#x"];
        for name in stays {
            write(name, old);
        }
        for name in ["part-2.parquet#1", "_delta_log/2.json#17", "_delta_log/_staged-1.tmp"] {
            write(name, old);
        }
        let at_work = ["part-3.parquet#1", "_delta_log/_staged-2.tmp"];
        for name in at_work {
            write(name, young);
        }
        assert_eq!(sweep(folder.path(), now - TimeDelta::days(1)).expect("swept"), 3);
        let is_there = |name: &&str| folder.path().join(name).is_file();
        assert!(stays.iter().all(is_there));
        assert!(at_work.iter().all(is_there), "their writers may be at work");
        assert_eq!(sweep(folder.path(), now - TimeDelta::days(1)).expect("swept"), 0);
    }
}
