//! The files of a log: `NAME.YYYY-MM-DD.log`, one a day in UTC.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::entry::{Entry, entries_of, is_whole};

/// One day of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogFile {
    pub(super) day: NaiveDate,
    pub(super) path: PathBuf,
    /// Read so far and no farther; none: to its end.
    pub(super) until_bytes: Option<u64>,
}

impl LogFile {
    /// Its entries as they come; a last line that is still being written is left out.
    pub(super) fn entries(&self) -> io::Result<impl Iterator<Item = Entry>> {
        let mut file = BufReader::new(File::open(&self.path)?.take(self.until_bytes.unwrap_or(u64::MAX)));
        let lines = std::iter::from_fn(move || {
            let mut line = Vec::new();
            let num_read = file.read_until(b'\n', &mut line).ok()?;
            (num_read > 0).then(|| String::from_utf8_lossy(&line).into_owned())
        });
        Ok(lines.filter(|line| is_complete(line)).flat_map(|line| entries_of(&line)))
    }
}

/// Whether a line is no beginning of one that is being written; without its end it may still be whole, or no JSON at all.
fn is_complete(line: &str) -> bool {
    line.ends_with('\n') || !line.starts_with('{') || is_whole(line)
}

/// The files of one log, the oldest first; none where there is no folder.
pub(super) fn of(folder: &Path, name: &str) -> io::Result<Vec<LogFile>> {
    let mut files: Vec<LogFile> =
        all(folder)?.into_iter().filter(|(found, _)| found == name).map(|(_, file)| file).collect();
    files.sort_by_key(|file| file.day);
    Ok(files)
}

/// The names of all logs.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> = all(folder)?.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn all(folder: &Path) -> io::Result<Vec<(String, LogFile)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        files.extend(parse(&path).map(|(name, day)| (name, LogFile { day, path, until_bytes: None })));
    }
    Ok(files)
}

/// The name and the day of a log file; none of anything else.
fn parse(path: &Path) -> Option<(String, NaiveDate)> {
    let (name, day) = path.file_name()?.to_str()?.strip_suffix(".log")?.rsplit_once('.')?;
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    Some((name.to_owned(), day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_log_belong_to_it_in_the_order_of_days() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.2026-11-19.log", "a.2026-11-18.log", "a.log", "a-b.2026-11-18.log", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let days: Vec<String> = of(folder.path(), "a").expect("read").iter().map(|file| file.day.to_string()).collect();
        assert_eq!(days, ["2026-11-18", "2026-11-19"]);
        assert_eq!(names(folder.path()).expect("read"), ["a", "a-b"]);
        assert!(names(&folder.path().join("nowhere")).expect("nothing").is_empty());
    }
}
