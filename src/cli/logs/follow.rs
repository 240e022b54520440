//! Following a log: what is appended, and the file of the next day once it is there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::escape::escaped;

use super::entry::{Entry, entries_of};
use super::files::{LogFile, of};
use super::{Filter, Printer, newest};

/// Pause between two looks.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Prints the newest entries and then each that comes. It ends by a signal, or when its reader has gone.
pub(super) fn follow(folder: &Path, filter: &Filter, (printer, limit): (&Printer<'_>, usize)) -> io::Result<u8> {
    let mut files = of(folder, printer.job)?;
    let mut tail = files.last().map(Tail::at_end_of_lines).transpose()?;
    if let (Some(file), Some(tail)) = (files.last_mut(), &tail) {
        file.until_bytes = Some(tail.offset);
    }
    for entry in newest(&files, filter, limit)? {
        if !print(printer, &entry)? {
            return Ok(0);
        }
    }
    loop {
        for line in appended(folder, printer.job, &mut tail)? {
            for entry in entries_of(&line).iter().filter(|entry| filter.admits(entry)) {
                if !print(printer, entry)? {
                    return Ok(0);
                }
            }
        }
        if has_gone_within(LOOK_EVERY) {
            return Ok(0);
        }
    }
}

/// Prints an entry; false where nobody reads any more.
fn print(printer: &Printer<'_>, entry: &Entry) -> io::Result<bool> {
    match writeln!(io::stdout(), "{}", escaped(&printer.told(entry))) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// Waits, and tells whether the reader of a pipe has gone meanwhile: a quiet log must not keep the process for ever.
fn has_gone_within(pause: Timespec) -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    match poll(&mut polled, Some(&pause)) {
        Ok(num_events) => num_events > 0,
        Err(Errno::INTR) => false,
        Err(_) => true,
    }
}

/// The whole lines that have come: the rest of the file at hand, then those of later days.
fn appended(folder: &Path, name: &str, tail: &mut Option<Tail>) -> io::Result<Vec<String>> {
    // Looked for first, so that nothing is appended to the file at hand between its last read and the change.
    let files = of(folder, name)?;
    let day = tail.as_ref().map(|tail| tail.file.day);
    let mut lines = tail.as_mut().map(Tail::lines).transpose()?.unwrap_or_default();
    for file in files.into_iter().filter(|file| day.is_none_or(|day| file.day > day)) {
        let torn = tail.as_mut().map(|tail| std::mem::take(&mut tail.rest)).unwrap_or_default();
        lines.extend((!torn.is_empty()).then(|| String::from_utf8_lossy(&torn).into_owned()));
        lines.extend(tail.insert(Tail::at(file, 0)?).lines()?);
    }
    Ok(lines)
}

/// A file that is read as it grows.
struct Tail {
    file: LogFile,
    open: File,
    offset: u64,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
}

impl Tail {
    fn at(file: LogFile, offset: u64) -> io::Result<Self> {
        let open = File::open(&file.path)?;
        Ok(Self { file, open, offset, rest: Vec::new() })
    }

    /// After the last whole line.
    fn at_end_of_lines(file: &LogFile) -> io::Result<Self> {
        let bytes = std::fs::read(&file.path)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Self::at(file.clone(), u64::try_from(end).unwrap_or(0))
    }

    fn lines(&mut self) -> io::Result<Vec<String>> {
        self.open.seek(SeekFrom::Start(self.offset))?;
        let num_read = self.open.read_to_end(&mut self.rest)?;
        self.offset += u64::try_from(num_read).unwrap_or(0);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let later = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, later);
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_once_over_midnight_and_in_whole_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let append = |name: &str, text: &str| {
            let path = folder.path().join(name);
            let mut file = File::options().create(true).append(true).open(path).expect("a file");
            file.write_all(text.as_bytes()).expect("written");
        };
        let mut tail = None;
        let mut look = || appended(folder.path(), "a", &mut tail).expect("read");
        assert!(look().is_empty(), "there is no file yet");
        append("a.2026-11-18.log", "one\ntw");
        assert_eq!(look(), ["one"]);
        assert!(look().is_empty());
        append("a.2026-11-18.log", "o\n");
        append("a.2026-11-19.log", "three\n");
        assert_eq!(look(), ["two", "three"]);
        append("a.2026-11-19.log", "four\n");
        assert_eq!(look(), ["four"]);
    }
}
