//! A store and a disk that write down what they are asked for, and fail where a test wants them to.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use deltalake::logstore::object_store::local::LocalFileSystem;
use deltalake::logstore::object_store::path::Path;
use deltalake::logstore::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use futures::stream::BoxStream;

use crate::market::GatewayKind;

use super::Lake;
use super::disk::{Disk, LocalDisk};
use super::fixtures::config;
use super::schema::Retention;
use super::store::{Durability, DurableStore};

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Every flush finds the disk full.
    FullDisk,
    /// Every put of a location with this in it fails, and every move to it.
    Store(&'static str),
}

/// A durable store over a recording one.
pub(super) fn recorded(fault: Fault) -> (DurableStore, Arc<Journal>) {
    let journal = Arc::new(Journal::default());
    let inner = RecordingStore { inner: LocalFileSystem::new(), journal: Arc::clone(&journal), fault };
    let disk = RecordingDisk { journal: Arc::clone(&journal), fault };
    (DurableStore::new(Arc::new(inner), Arc::new(disk)), journal)
}

/// A lake to write simulated rows to, on such a store.
pub(super) fn lake_on(folder: &std::path::Path, store: DurableStore) -> Lake {
    Lake::new(
        config(folder).root().expect("a path"),
        Some(GatewayKind::Simulated),
        (Arc::new(store), Retention::of(Durability::Flushed)),
    )
}

/// What reached the store and the disk, in order, with the names of files shortened.
#[derive(Default)]
pub(super) struct Journal {
    events: Mutex<Vec<String>>,
    hook: Mutex<Option<(String, Hook)>>,
}

/// What a test does in the middle of an operation.
type Hook = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Journal").field(&self.events).finish()
    }
}

impl Journal {
    fn note(&self, what: &str, path: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let name = match name.rsplit_once('.') {
            Some((_, "tmp")) => "STAGED",
            _ if name.starts_with("part-") => "DATA",
            _ => name.trim_start_matches('0'),
        };
        let event = format!("{what} {name}");
        let due = self.hook.lock().expect("no panic").take_if(|(before, _)| *before == event);
        if let Some((_, hook)) = due {
            hook();
        }
        self.events.lock().expect("no panic").push(event);
    }

    /// Does something once, just before an event.
    pub(super) fn before(&self, event: &str, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().expect("no panic") = Some((event.to_owned(), Box::new(hook)));
    }

    /// Whether what was to be done before an event has not been done.
    pub(super) fn is_armed(&self) -> bool {
        self.hook.lock().expect("no panic").is_some()
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.events.lock().expect("no panic"))
    }
}

#[derive(Debug)]
struct RecordingDisk {
    journal: Arc<Journal>,
    fault: Fault,
}

impl Disk for RecordingDisk {
    fn flush_file(&self, path: &std::path::Path) -> io::Result<()> {
        assert!(path.is_file(), "{path:?} is flushed before it is there");
        self.journal.note("flush", &path.display().to_string());
        if self.fault == Fault::FullDisk { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn flush_folder(&self, path: &std::path::Path) -> io::Result<()> {
        self.journal.note("folder", &path.display().to_string());
        LocalDisk.flush_folder(path)
    }
}

#[derive(Debug)]
struct RecordingStore {
    inner: LocalFileSystem,
    journal: Arc<Journal>,
    fault: Fault,
}

impl RecordingStore {
    fn fail_at(&self, at: &Path) -> Result<()> {
        match self.fault {
            Fault::Store(part) if at.as_ref().contains(part) => {
                Err(Error::Generic { store: "recording", source: "the fault asked for".into() })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for RecordingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordingStore")
    }
}

#[async_trait]
impl ObjectStore for RecordingStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.journal.note("put", at.as_ref());
        self.fail_at(at)?;
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.journal.note("upload", at.as_ref());
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.journal.note("list", prefix.map_or("", |prefix| prefix.as_ref()));
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.journal.note("link", to.as_ref());
        self.fail_at(to)?;
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.journal.note("rename", to.as_ref());
        self.fail_at(to)?;
        self.inner.rename_opts(from, to, options).await
    }
}
