//! Reading a file that an operator names: only a regular one, and no more of it than a bound.
//!
//! A FIFO would hold its reader until somebody writes, a device may never end, and a folder says "is a directory" without
//! saying what to do. So whoever reads a configuration, a schedule, a calendar or a certificate reads it here.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use thiserror::Error;

/// Why a file cannot be taken; the text goes after its name.
#[derive(Debug, Error)]
pub enum InputFileError {
    /// A link whose target is not there.
    #[error("is a link to {target}, which is not there: mend the link, or remove it")]
    Dangling {
        /// Where it leads.
        target: String,
    },
    /// It is not there, or may not be read.
    #[error("cannot be read ({0}): check the path and its permissions")]
    Unreadable(io::Error),
    /// A folder, a FIFO, a socket or a device.
    #[error("is {kind}: name a regular file")]
    Irregular {
        /// What it is, with its article.
        kind: &'static str,
    },
    /// More than the bound.
    #[error("is larger than {max_kib} KiB: name another file, or make it smaller")]
    TooLarge {
        /// The bound.
        max_kib: u64,
    },
    /// Another was put in its place meanwhile.
    #[error("was replaced while it was opened: try again")]
    Replaced,
    /// Bytes that are no text.
    #[error("is not text in UTF-8: save it as such")]
    NotText,
}

/// The bytes of a regular file of at most `max_bytes`, and its metadata as opened.
///
/// # Errors
/// [`InputFileError`] says what the path names instead.
pub fn read(path: &Path, max_bytes: u64) -> Result<(Vec<u8>, Metadata), InputFileError> {
    // Opening a FIFO waits for a writer, so what it is has to be known before.
    let named = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if !named.is_file() {
        return Err(InputFileError::Irregular { kind: kind_of(named.file_type()) });
    }
    let file = File::open(path).map_err(InputFileError::Unreadable)?;
    let opened = file.metadata().map_err(InputFileError::Unreadable)?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(InputFileError::Replaced);
    }
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(InputFileError::Unreadable)?;
    if bytes.len() as u64 > max_bytes {
        return Err(InputFileError::TooLarge { max_kib: max_bytes >> 10 });
    }
    Ok((bytes, opened))
}

/// The text of a regular file of at most `max_bytes`.
///
/// # Errors
/// As [`read`], and where it is not UTF-8.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String, InputFileError> {
    let (bytes, _) = read(path, max_bytes)?;
    String::from_utf8(bytes).map_err(|_| InputFileError::NotText)
}

fn unreadable(path: &Path, error: io::Error) -> InputFileError {
    match fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            InputFileError::Dangling { target: target.display().to_string() }
        }
        _ => InputFileError::Unreadable(error),
    }
}

fn kind_of(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_a_regular_file_within_the_bound_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let refused = |name: &str| read_text(&at(name), 8).expect_err("refused").to_string();
        fs::write(at("file"), "12345678").expect("written");
        symlink(at("file"), at("link")).expect("linked");
        for name in ["file", "link"] {
            assert_eq!(read_text(&at(name), 8).expect("read"), "12345678");
        }
        fs::write(at("large"), "123456789").expect("written");
        fs::write(at("bytes"), [0xff, 0xfe]).expect("written");
        symlink(at("nowhere"), at("dangling")).expect("linked");
        let _socket = UnixListener::bind(at("socket")).expect("bound");
        let made = std::process::Command::new("mkfifo").arg(at("fifo")).status().expect("run");
        assert!(made.success());
        assert!(refused("large").starts_with("is larger than"), "{}", refused("large"));
        assert!(refused("bytes").starts_with("is not text"), "{}", refused("bytes"));
        assert!(refused("dangling").starts_with("is a link to "), "{}", refused("dangling"));
        assert!(refused("none").starts_with("cannot be read"), "{}", refused("none"));
        assert_eq!(refused("."), "is a folder: name a regular file");
        assert_eq!(refused("socket"), "is a socket: name a regular file");
        assert_eq!(refused("fifo"), "is a FIFO: name a regular file");
        assert_eq!(
            read_text(Path::new("/dev/zero"), 8).expect_err("refused").to_string(),
            "is a device: name a regular file"
        );
    }
}
