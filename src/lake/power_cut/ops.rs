//! A store and a disk that carry out what they are asked for and write down the order of it.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::logstore::object_store::local::LocalFileSystem;
use deltalake::logstore::object_store::path::Path;
use deltalake::logstore::object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::super::disk::Disk;

/// What changes a disk, or says what may be relied on. Paths are below the folder that is traced.
#[derive(Debug, Clone)]
pub(super) enum Op {
    MakeFolder(PathBuf),
    /// A new file with its content, not flushed.
    Write(PathBuf, Bytes),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Delete(PathBuf),
    FlushFile(PathBuf),
    /// A flush that failed: the system may have dropped the content for good.
    LoseFile(PathBuf),
    FlushFolder(PathBuf),
    /// A run of this number begins.
    Begin(usize),
    /// It said done.
    Done,
}

/// The order of what was done below a folder.
#[derive(Debug)]
pub(super) struct Trace {
    root: PathBuf,
    ops: Mutex<Vec<Op>>,
    /// Flushes until the one that is to fail.
    flushes_left: Mutex<Option<usize>>,
}

impl Trace {
    pub(super) fn of(root: PathBuf) -> Arc<Self> {
        Arc::new(Self { root, ops: Mutex::default(), flushes_left: Mutex::new(None) })
    }

    pub(super) fn note(&self, op: Op) {
        self.ops.lock().expect("no panic").push(op);
    }

    pub(super) fn ops(&self) -> Vec<Op> {
        self.ops.lock().expect("no panic").clone()
    }

    /// Makes the flush after so many others fail, once.
    pub(super) fn fail_flush_after(&self, others: usize) {
        *self.flushes_left.lock().expect("no panic") = Some(others);
    }

    /// Whether the flush that was to fail has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.flushes_left.lock().expect("no panic").is_none()
    }

    fn is_to_fail(&self) -> bool {
        let mut left = self.flushes_left.lock().expect("no panic");
        let fails = *left == Some(0);
        *left = left.and_then(|count| count.checked_sub(1));
        fails
    }

    fn below(&self, path: &FsPath) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(FsPath::to_path_buf)
    }

    fn located(&self, at: &Path) -> PathBuf {
        self.below(FsPath::new(&format!("/{at}"))).expect("below the folder traced")
    }

    /// The folders on the way to a file that are not there yet, outermost first.
    fn missing(&self, file: &FsPath) -> Vec<PathBuf> {
        let folders = file.ancestors().skip(1).filter(|folder| !self.root.join(folder).is_dir());
        folders.map(FsPath::to_path_buf).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// A disk that flushes nothing, but tells.
#[derive(Debug)]
pub(super) struct TracedDisk(pub(super) Arc<Trace>);

impl Disk for TracedDisk {
    fn flush_file(&self, path: &FsPath) -> io::Result<()> {
        let below = self.0.below(path).expect("below the folder traced");
        if self.0.is_to_fail() {
            self.0.note(Op::LoseFile(below));
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.note(Op::FlushFile(below));
        Ok(())
    }

    fn flush_folder(&self, path: &FsPath) -> io::Result<()> {
        let Some(below) = self.0.below(path) else { return Ok(()) };
        if self.0.is_to_fail() {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.note(Op::FlushFolder(below));
        Ok(())
    }
}

/// The library's store of the local file system, and the calls it makes of the system, as its source makes them.
#[derive(Debug)]
pub(super) struct TracedStore {
    inner: LocalFileSystem,
    trace: Arc<Trace>,
}

impl TracedStore {
    pub(super) fn new(trace: Arc<Trace>) -> Self {
        Self { inner: LocalFileSystem::new(), trace }
    }
}

impl fmt::Display for TracedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TracedStore")
    }
}

#[async_trait]
impl ObjectStore for TracedStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        assert_eq!(options.mode, PutMode::Overwrite, "{at} is to be placed by a link that follows a flush");
        let to = self.trace.located(at);
        let staged = PathBuf::from(format!("{}#1", to.display()));
        let missing = self.trace.missing(&to);
        let content = payload.iter().flat_map(|part| part.to_vec()).collect::<Vec<u8>>();
        let done = self.inner.put_opts(at, payload, options).await?;
        for folder in missing {
            self.trace.note(Op::MakeFolder(folder));
        }
        self.trace.note(Op::Write(staged.clone(), content.into()));
        self.trace.note(Op::Rename(staged, to));
        Ok(done)
    }

    async fn put_multipart_opts(&self, at: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        panic!("{at} is written in parts, which is not traced");
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let trace = Arc::clone(&self.trace);
        let note = move |deleted: Result<Path>| deleted.inspect(|path| trace.note(Op::Delete(trace.located(path))));
        self.inner.delete_stream(at).map(note).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        assert_eq!(options.mode, CopyMode::Create, "{to} is to be linked where the name is free, and only there");
        self.inner.copy_opts(from, to, options).await?;
        self.trace.note(Op::Link(self.trace.located(from), self.trace.located(to)));
        Ok(())
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        if from != to {
            self.trace.note(Op::Rename(self.trace.located(from), self.trace.located(to)));
        }
        Ok(())
    }
}
