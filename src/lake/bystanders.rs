//! What lies in the lake's folder and is not of the lake: it is passed over, and reported by `jobs doctor`.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use super::{Lake, TableName, folder};

/// Something in the lake's folder that is not of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bystander {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: BystanderKind,
}

/// What a bystander is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BystanderKind {
    /// What a file system or a desktop leaves anywhere.
    System,
    /// A folder that cannot be listed.
    Unreadable,
    /// A Delta table with a name that is none of this program's.
    Table,
    /// Any other file or folder.
    Other,
}

impl BystanderKind {
    /// What a person calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "left by the system",
            Self::Unreadable => "a folder that cannot be read",
            Self::Table => "a table of another name",
            Self::Other => "not of the lake",
        }
    }
}

impl Lake {
    /// What lies in the lake's folder and in those of its tables and is not of the lake, by its path.
    ///
    /// # Errors
    /// Where the lake's folder cannot be listed.
    pub fn bystanders(&self) -> io::Result<Vec<Bystander>> {
        let mut found = Vec::new();
        for entry in listed(self.root())? {
            let path = entry.path();
            if is_table_name(&path) && path.is_dir() {
                // Whether the table itself can be read is another check's matter.
                found.extend(listed(&path).unwrap_or_default().iter().filter_map(in_table));
            } else {
                found.push(Bystander { kind: kind(&path), path });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
}

/// Whether a name is of what file systems and desktops leave in a folder.
pub(super) fn is_of_system(name: &str) -> bool {
    name.starts_with('.') || ["lost+found", "Thumbs.db", "desktop.ini"].contains(&name)
}

fn is_table_name(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<TableName>().is_ok())
}

fn kind(path: &Path) -> BystanderKind {
    if path.file_name().is_some_and(|name| is_of_system(&name.to_string_lossy())) {
        return BystanderKind::System;
    }
    match path.is_dir().then(|| folder::presence(path)) {
        Some(Err(_)) => BystanderKind::Unreadable,
        Some(Ok(folder::Presence::Table)) => BystanderKind::Table,
        Some(Ok(_)) | None => BystanderKind::Other,
    }
}

/// What of a table's folder is neither its log nor a partition.
fn in_table(entry: &DirEntry) -> Option<Bystander> {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let is_of_table = name == "_delta_log" || (name.contains('=') && entry.path().is_dir());
    (!is_of_table).then(|| Bystander { path: entry.path(), kind: kind(&entry.path()) })
}

fn listed(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Ok(found) => found.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use deltalake::kernel::{DataType, StructField};
    use tempfile::tempdir;

    use super::*;
    use crate::lake::fixtures::{config, futures_of, lake, slot};
    use crate::lake::{LakeError, store};
    use crate::market::GatewayKind;

    async fn table_of_another_program(path: &Path) {
        let table = folder::unloaded(path, store::store(super::super::Durability::Unflushed)).expect("a path");
        let fields = [StructField::new("name", DataType::STRING, true)];
        table.create().with_columns(fields).await.expect("made");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_else_lies_in_the_lake_stops_no_capture_and_is_reported() {
        let folder = tempdir().expect("a folder");
        let root = config(folder.path()).root().expect("a path");
        fs::create_dir_all(root.join("lost+found")).expect("made");
        fs::write(root.join("notes.txt"), "mine").expect("written");
        table_of_another_program(&root.join("positions")).await;
        fs::create_dir_all(root.join("torn/_delta_log")).expect("made");
        fs::write(root.join("torn/_delta_log/00000000000000000000.json"), "no json").expect("written");
        // A desktop was there before the first capture.
        fs::create_dir(root.join("futures_snapshots")).expect("made");
        fs::write(root.join("futures_snapshots/.directory"), "[Dolphin]").expect("written");
        let lake = lake(folder.path());
        assert_eq!(lake.append_futures(&futures_of(slot(1))).await.expect("written").added, 3);
        let found = lake.bystanders().expect("listed");
        let told: Vec<(String, BystanderKind)> = found
            .into_iter()
            .map(|found| (found.path.strip_prefix(&root).expect("in the lake").display().to_string(), found.kind))
            .collect();
        let expected = [
            ("futures_snapshots/.directory", BystanderKind::System),
            ("lost+found", BystanderKind::System),
            ("notes.txt", BystanderKind::Other),
            ("positions", BystanderKind::Table),
            ("torn", BystanderKind::Table),
        ];
        assert_eq!(told, expected.map(|(path, kind)| (path.to_owned(), kind)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_of_a_later_program_still_binds_the_lake_to_its_gateway() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        fs::rename(lake.root().join("futures_snapshots"), lake.root().join("futures_hourly")).expect("renamed");
        let real = Lake::open(&config(folder.path()), GatewayKind::Ib).expect("a local folder");
        let error = real.check_kind(GatewayKind::Ib).await.expect_err("bound");
        assert!(matches!(error, LakeError::KindMismatch { .. }), "{error:?}");
    }
}
