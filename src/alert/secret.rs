//! Reading a password: from a file that nobody else can read, or from what systemd hands over.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::SendError;

/// Name of the credential that the units load.
const CREDENTIAL: &str = "smtp-password";

/// Longest password.
const MAX_BYTES: u64 = 4_096;

/// The password: of the file that is configured, else of the credential.
pub(super) fn password(configured: Option<&Path>) -> Result<SecretString, SendError> {
    let path = match configured {
        Some(path) => path.to_path_buf(),
        None => credential().ok_or_else(|| SendError::Password {
            reason: "give mail.smtp.password_file, or let systemd load the credential smtp-password \
                     (/etc/credstore/frontmonth.smtp-password)"
                .to_owned(),
        })?,
    };
    read(&path).map_err(|fault| SendError::Password { reason: format!("{} {fault}", path.display()) })
}

fn credential() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.exists().then_some(path)
}

/// Reads a file that is no link and closed to others; the end of the line is no part of it.
fn read(path: &Path) -> Result<SecretString, String> {
    let cannot = |error| format!("cannot be read ({error}): check the path and its permissions");
    let named = fs::symlink_metadata(path).map_err(cannot)?;
    if named.file_type().is_symlink() {
        return Err("is a symbolic link, which others may turn elsewhere: name the file itself".to_owned());
    }
    if !named.is_file() {
        return Err("is no file: name the file with the password".to_owned());
    }
    let file = File::open(path).map_err(cannot)?;
    let opened = file.metadata().map_err(cannot)?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err("was replaced while it was opened: try again".to_owned());
    }
    if opened.permissions().mode() & 0o027 != 0 {
        return Err("can be read by everybody or written by a group: run chmod 600 on it".to_owned());
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(cannot)?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || text.len() as u64 > MAX_BYTES || password.contains(['\r', '\n', '\0']) {
        return Err("holds no password of one line: write the password into it and nothing else".to_owned());
    }
    Ok(SecretString::from(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn only_a_file_that_is_closed_to_others_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        fs::write(&path, "s3cret \n").expect("written");
        let set = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        for mode in [0o600, 0o400, 0o640] {
            set(mode);
            assert_eq!(read(&path).expect("read").expose_secret(), "s3cret ", "{mode:o}");
        }
        for mode in [0o644, 0o604, 0o660, 0o666] {
            set(mode);
            assert!(read(&path).expect_err("refused").contains("chmod 600"), "{mode:o}");
        }
        set(0o600);
        let link = folder.path().join("link");
        symlink(&path, &link).expect("linked");
        assert!(read(&link).expect_err("refused").contains("symbolic link"));
        assert!(read(folder.path()).expect_err("refused").contains("no file"));
        assert!(read(&folder.path().join("none")).expect_err("refused").contains("cannot be read"));
        for text in ["", "\n", "two\nlines"] {
            fs::write(&path, text).expect("written");
            assert!(read(&path).expect_err("refused").contains("no password"), "{text:?}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let told = format!("{:?}", SecretString::from("s3cret".to_owned()));
        assert!(!told.contains("s3cret"), "{told}");
    }
}
