//! Mails as files: a maildir, which mail programs read as it is. The same mail is the same file, so it is there once.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use chrono::{DateTime, Utc};

/// Writes a mail: whole or not at all, also where the power fails.
pub(super) fn deliver(folder: &Path, (message_id, written_at): (&str, DateTime<Utc>), bytes: &[u8]) -> io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        DirBuilder::new().recursive(true).mode(0o750).create(folder.join(part))?;
    }
    let name = file_name(message_id, written_at);
    if is_read_already(folder, &name)? {
        return Ok(());
    }
    let temporary = folder.join("tmp").join(format!("{name}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join("new").join(&name))?;
    File::open(folder.join("new"))?.sync_all()
}

/// A name by the mail itself, as maildir wants it: time, something of its own, machine.
fn file_name(message_id: &str, written_at: DateTime<Utc>) -> String {
    let id: String = message_id
        .trim_matches(['<', '>'])
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
        .take(150)
        .collect();
    format!("{}.{id}", written_at.timestamp())
}

/// Whether a mail program has taken the mail to what was read.
fn is_read_already(folder: &Path, name: &str) -> io::Result<bool> {
    for entry in fs::read_dir(folder.join("cur"))? {
        let found = entry?.file_name();
        let found = found.to_string_lossy();
        if found.split(':').next() == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder.join("new")).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_mail_that_goes_again_is_there_once_even_after_it_was_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mail");
        let at = "2026-11-20T15:05:00Z".parse().expect("an instant");
        for _ in 0..2 {
            deliver(&path, ("<jobs.7.1@host>", at), b"text").expect("written");
        }
        assert_eq!(names(&path), ["1795187100.jobs.7.1_host"]);
        fs::rename(path.join("new/1795187100.jobs.7.1_host"), path.join("cur/1795187100.jobs.7.1_host:2,S"))
            .expect("read");
        deliver(&path, ("<jobs.7.1@host>", at), b"text").expect("there already");
        assert_eq!(names(&path), [""; 0]);
        deliver(&path, ("<../../jobs.7.2@host>", at), b"text").expect("written");
        assert_eq!(names(&path), ["1795187100..._.._jobs.7.2_host"]);
    }
}
