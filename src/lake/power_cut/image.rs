//! What may stand on a disk after a power cut: all that was flushed, and of the rest whatever the system got to.
//!
//! More is allowed than any one file system does: each name that was not flushed is old or new by itself, so that a rename
//! may show both names or none; a file that was not flushed may have any length, and zeros in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::ops::Op;

/// The number of an inode.
type Id = usize;

/// What became of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Content {
    Whole,
    Empty,
    Zeros,
    Half,
}

/// What a name stands for on an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Node {
    Folder,
    File(Id, Content),
}

/// A disk after a power cut, by path.
pub(super) type Image = BTreeMap<PathBuf, Node>;

#[derive(Debug, Clone, Default)]
struct Folder {
    now: BTreeMap<String, Id>,
    flushed: BTreeMap<String, Id>,
    /// Changes of names since the last flush.
    pending: Vec<(String, Option<Id>)>,
}

#[derive(Debug, Clone)]
enum Inode {
    Folder(Folder),
    File { content: Bytes, is_flushed: bool, is_lost: bool },
}

/// A name that was not flushed: its folder, and itself.
pub(super) type Pending = (Id, String);

/// A running system: what programs see, and what is on its disk for sure.
#[derive(Debug, Clone)]
pub(super) struct System(Vec<Inode>);

impl System {
    /// One empty folder, which is on the disk.
    pub(super) fn new() -> Self {
        Self(vec![Inode::Folder(Folder::default())])
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::MakeFolder(path) => {
                let id = self.add(Inode::Folder(Folder::default()));
                self.name(path, Some(id));
            }
            Op::Write(path, content) => {
                let id = self.add(Inode::File { content: content.clone(), is_flushed: false, is_lost: false });
                self.name(path, Some(id));
            }
            Op::Link(from, to) => self.name(to, Some(self.find(from))),
            Op::Rename(from, to) => {
                let id = self.find(from);
                self.name(to, Some(id));
                self.name(from, None);
            }
            Op::Delete(path) => self.name(path, None),
            Op::FlushFile(path) => self.flush_file(path),
            Op::LoseFile(path) => self.lose_file(path),
            Op::FlushFolder(path) => {
                let id = self.find(path);
                let folder = self.folder_mut(id);
                folder.flushed = folder.now.clone();
                folder.pending.clear();
            }
            Op::Begin(_) | Op::Done => {}
        }
    }

    /// The names that were not flushed.
    pub(super) fn pending(&self) -> Vec<Pending> {
        let of_folder = |(id, inode): (Id, &Inode)| match inode {
            Inode::Folder(folder) => folder.pending.iter().map(|(name, _)| (id, name.clone())).collect(),
            Inode::File { .. } => Vec::new(),
        };
        let mut pending: Vec<Pending> = self.0.iter().enumerate().flat_map(of_folder).collect();
        pending.sort();
        pending.dedup();
        pending
    }

    /// The disk on which, of the names not flushed, each has made so many of its changes, and each file not flushed has
    /// this content.
    pub(super) fn image(
        &self,
        mut changes: impl FnMut(&Pending, usize) -> usize,
        mut content: impl FnMut(Id) -> Content,
    ) -> Image {
        let (mut image, mut open) = (Image::new(), vec![(PathBuf::new(), 0)]);
        while let Some((path, id)) = open.pop() {
            match &self.0[id] {
                Inode::Folder(folder) => {
                    image.insert(path.clone(), Node::Folder);
                    let names = shown(folder, id, &mut changes);
                    open.extend(names.into_iter().map(|(name, id)| (path.join(name), id)));
                }
                Inode::File { is_flushed: true, .. } => drop(image.insert(path, Node::File(id, Content::Whole))),
                Inode::File { .. } => drop(image.insert(path, Node::File(id, content(id)))),
            }
        }
        image
    }

    /// The bytes of a file.
    pub(super) fn bytes(&self, id: Id, content: Content) -> Vec<u8> {
        let Inode::File { content: whole, .. } = &self.0[id] else { panic!("a folder has no content") };
        match content {
            Content::Whole => whole.to_vec(),
            Content::Empty => Vec::new(),
            Content::Zeros => vec![0; whole.len()],
            Content::Half => whole[..whole.len() / 2].to_vec(),
        }
    }

    fn add(&mut self, inode: Inode) -> Id {
        self.0.push(inode);
        self.0.len() - 1
    }

    fn find(&self, path: &Path) -> Id {
        path.iter().fold(0, |id, name| match &self.0[id] {
            Inode::Folder(folder) => *folder.now.get(&text(name)).unwrap_or_else(|| panic!("{path:?} is not there")),
            Inode::File { .. } => panic!("{path:?} goes through a file"),
        })
    }

    fn name(&mut self, path: &Path, id: Option<Id>) {
        let folder = self.find(path.parent().expect("below the folder traced"));
        let (name, folder) = (text(path.file_name().expect("a name")), self.folder_mut(folder));
        match id {
            Some(id) => drop(folder.now.insert(name.clone(), id)),
            None => drop(folder.now.remove(&name)),
        }
        folder.pending.push((name, id));
    }

    fn folder_mut(&mut self, id: Id) -> &mut Folder {
        match &mut self.0[id] {
            Inode::Folder(folder) => folder,
            Inode::File { .. } => panic!("a file is no folder"),
        }
    }

    fn flush_file(&mut self, path: &Path) {
        let id = self.find(path);
        if let Inode::File { is_flushed, is_lost, .. } = &mut self.0[id] {
            *is_flushed = !*is_lost;
        }
    }

    fn lose_file(&mut self, path: &Path) {
        let id = self.find(path);
        if let Inode::File { is_lost, .. } = &mut self.0[id] {
            *is_lost = true;
        }
    }
}

fn text(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// The names a folder shows, each with so many of its changes made.
fn shown(folder: &Folder, id: Id, changes: &mut impl FnMut(&Pending, usize) -> usize) -> BTreeMap<String, Id> {
    let mut by_name: BTreeMap<&String, Vec<Option<Id>>> = BTreeMap::new();
    for (name, to) in &folder.pending {
        by_name.entry(name).or_default().push(*to);
    }
    let mut shown = folder.flushed.clone();
    for (name, states) in by_name {
        let made = changes(&(id, name.clone()), states.len());
        match made.checked_sub(1).map(|last| states[last]) {
            Some(Some(id)) => drop(shown.insert(name.clone(), id)),
            Some(None) => drop(shown.remove(name)),
            None => {}
        }
    }
    shown
}
