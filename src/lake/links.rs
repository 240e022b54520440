//! Whether a file system has hard links: a commit is placed by one, since a link fails where the name is taken.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use uuid::Uuid;

/// Why no hard link can be made where a folder is, or would be made; none where one can, or where no file can be made to
/// begin with. What is made for the proof is removed.
pub(super) fn lacking(folder: &Path) -> Option<io::Error> {
    let existing = folder.ancestors().find(|folder| folder.is_dir())?;
    probed(existing, |from, to| fs::hard_link(from, to))
}

fn probed(folder: &Path, link: impl Fn(&Path, &Path) -> io::Result<()>) -> Option<io::Error> {
    let name = Uuid::new_v4();
    let (file, linked) = (folder.join(format!(".probe-{name}.tmp")), folder.join(format!(".probe-{name}-link.tmp")));
    File::create_new(&file).ok()?;
    let failure = link(&file, &linked).err();
    for made in [&file, &linked] {
        // The second one is there only where the link was made.
        let _ = fs::remove_file(made);
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_leaves_nothing_and_goes_by_the_nearest_folder_there_is() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(lacking(&folder.path().join("not/there")).is_none(), "a usual file system has links");
        let failure = probed(folder.path(), |_, _| Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(failure.map(|error| error.kind()), Some(io::ErrorKind::PermissionDenied));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_folder_that_takes_no_file_is_no_matter_of_links() {
        assert!(probed(Path::new("/no/such/folder"), |_, _| Err(io::ErrorKind::PermissionDenied.into())).is_none());
    }
}
