//! The store under the tables: the local file system, with every file on the disk before anything refers to it.
//!
//! The library's own local store never flushes, so after a power cut a commit that was reported can be gone, or be an
//! empty file that hides its rows. Here data files, named by a uuid and invisible until a commit names them, are flushed
//! as they are written; an entry of the log is written and flushed under a staging name and only then linked to its own.
//! A link fails where the name is taken, which is what makes a commit atomic between processes. It is made only in the
//! table that the commit was decided on (`mark.rs`).

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::logstore::object_store::local::LocalFileSystem;
use deltalake::logstore::object_store::path::Path;
use deltalake::logstore::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use futures::stream::BoxStream;
use uuid::Uuid;

use super::disk::{Disk, FlushedDisk, LocalDisk};
use super::mark::{Anchor, FileIdentity, entry_version};

/// Whether what is written survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Files and folders are flushed before a commit names them.
    #[default]
    Flushed,
    /// The system writes when it likes: for simulations, whose tables can be made again.
    Unflushed,
}

/// The store of a lake; its root is the root of the file system.
pub(super) fn store(durability: Durability) -> Arc<dyn ObjectStore> {
    let local = Arc::new(LocalFileSystem::new());
    match durability {
        Durability::Flushed => Arc::new(DurableStore::new(local, Arc::new(LocalDisk))),
        Durability::Unflushed => local,
    }
}

/// A local store that flushes.
#[derive(Debug, Clone)]
pub(super) struct DurableStore {
    inner: Arc<dyn ObjectStore>,
    flusher: Flusher,
}

impl DurableStore {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, disk: Arc<dyn Disk>) -> Self {
        Self { inner, flusher: Flusher::new(disk) }
    }

    async fn put_log_entry(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let staged = staged(at)?;
        let anchor = options.extensions.get::<Arc<Anchor>>();
        let placed = async {
            let done = self.inner.put(&staged, payload).await?;
            self.flusher.flush_file(&staged).await?;
            match options.mode {
                PutMode::Create => self.link(&staged, at, anchor).await?,
                _ => self.rename_into_log(&staged, at, anchor).await?,
            }
            Ok(done)
        };
        let placed: Result<PutResult> = placed.await;
        if options.mode == PutMode::Create || placed.is_err() {
            // A staging file left behind harms nobody and is swept later.
            let _ = self.inner.delete(&staged).await;
        }
        let done = placed?;
        self.flusher.flush_name(at).await?;
        Ok(done)
    }

    /// Gives a flushed entry its name, in the table that was observed only. Where that is another by now the name counts as
    /// taken, so that whoever commits looks again.
    async fn link(&self, staged: &Path, at: &Path, anchor: Option<&Arc<Anchor>>) -> Result<()> {
        let admits = |anchor: &Anchor| match at.filename().and_then(entry_version) {
            Some(version) => anchor.admits(version),
            None => anchor.holds(),
        };
        if anchor.is_some_and(|anchor| !admits(anchor)) {
            return Err(replaced(at));
        }
        self.inner.copy_if_not_exists(staged, at).await?;
        // Replaced in the instant between: what was placed in the wrong table is taken out, nothing refers to it yet.
        if anchor.is_some_and(|anchor| !anchor.holds()) {
            let identity = |at: &Path| FileIdentity::of(&self.flusher.paths.path_to_filesystem(at).ok()?).ok();
            if identity(staged).is_some_and(|own| identity(at) == Some(own)) {
                self.inner.delete(at).await?;
            }
            return Err(replaced(at));
        }
        Ok(())
    }

    /// Gives a flushed checkpoint, or the note of the last one, its name in the table that was observed only.
    async fn rename_into_log(&self, staged: &Path, at: &Path, anchor: Option<&Arc<Anchor>>) -> Result<()> {
        if anchor.is_some_and(|anchor| !anchor.holds()) {
            return Err(replaced(at));
        }
        self.inner.rename(staged, at).await
    }
}

fn replaced(at: &Path) -> Error {
    Error::AlreadyExists { path: at.to_string(), source: "the table was replaced, moved away or committed to".into() }
}

/// Where an entry of the log is written before it gets its name. It begins with no version: the library would take what a
/// killed process left of a checkpoint for one, and delete the entries of the log before it.
fn staged(at: &Path) -> Result<Path> {
    let folder = at.as_ref().rsplit_once('/').map_or("", |(folder, _)| folder);
    // Parsed, not made from text, which would write any character but a plain one in another way: it is of the folder above.
    Ok(Path::parse(format!("{folder}/_staged-{}.tmp", Uuid::new_v4()))?)
}

fn is_of_log(at: &Path) -> bool {
    at.parts().any(|part| part.as_ref() == "_delta_log")
}

impl fmt::Display for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if is_of_log(at) {
            return self.put_log_entry(at, payload, options).await;
        }
        let done = self.inner.put_opts(at, payload, options).await?;
        self.flusher.flush(at).await?;
        Ok(done)
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        // A large checkpoint: seen under its name before its content is on the disk, it would be a torn one.
        let written = if is_of_log(at) { staged(at)? } else { at.clone() };
        let anchor = options.extensions.get::<Arc<Anchor>>().cloned();
        let upload = self.inner.put_multipart_opts(&written, options).await?;
        Ok(Box::new(DurableUpload { upload, written, at: at.clone(), anchor, store: self.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
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
        self.inner.copy_opts(from, to, options).await?;
        self.flusher.flush_name(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await?;
        self.flusher.flush_name(to).await
    }
}

/// A large file on its way: flushed when it is complete.
#[derive(Debug)]
struct DurableUpload {
    upload: Box<dyn MultipartUpload>,
    /// Where it is written.
    written: Path,
    /// Where it is to be.
    at: Path,
    anchor: Option<Arc<Anchor>>,
    store: DurableStore,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        self.upload.put_part(part)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let done = self.upload.complete().await?;
        let flusher = &self.store.flusher;
        if self.written == self.at {
            flusher.flush(&self.at).await?;
        } else {
            flusher.flush_file(&self.written).await?;
            self.store.rename_into_log(&self.written, &self.at, self.anchor.as_ref()).await?;
            flusher.flush_name(&self.at).await?;
        }
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

/// Flushes what stands at a location of the store, off the threads that must not block.
#[derive(Debug, Clone)]
struct Flusher {
    disk: Arc<FlushedDisk>,
    paths: Arc<LocalFileSystem>,
}

impl Flusher {
    fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk: Arc::new(FlushedDisk::new(disk)), paths: Arc::new(LocalFileSystem::new()) }
    }

    async fn flush(&self, at: &Path) -> Result<()> {
        self.run(at, |disk, path| disk.flush_file(path).and_then(|()| disk.flush_name(path))).await
    }

    async fn flush_file(&self, at: &Path) -> Result<()> {
        self.run(at, FlushedDisk::flush_file).await
    }

    async fn flush_name(&self, at: &Path) -> Result<()> {
        self.run(at, FlushedDisk::flush_name).await
    }

    async fn run(
        &self,
        at: &Path,
        work: impl FnOnce(&FlushedDisk, &std::path::Path) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let (disk, path) = (Arc::clone(&self.disk), self.paths.path_to_filesystem(at)?);
        let flushed = tokio::task::spawn_blocking(move || work(disk.as_ref(), &path)).await;
        flushed
            .map_err(io::Error::from)
            .flatten()
            .map_err(|source| Error::Generic { store: "disk", source: source.into() })
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::lake::LakeError;
    use crate::lake::fixtures::{futures_of, slot};
    use crate::lake::recording::{Fault, lake_on, recorded};

    fn leftovers(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "tmp")).count()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_data_file_is_on_the_disk_before_the_commit_gets_its_name() {
        let folder = tempdir().expect("a folder");
        let (store, journal) = recorded(Fault::None);
        let lake = lake_on(folder.path(), store);
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        journal.take();
        lake.append_futures(&futures_of(slot(2))).await.expect("written");
        let events = journal.take();
        let count = |event: &str| events.iter().filter(|found| *found == event).count();
        assert_eq!((count("put DATA"), count("flush DATA")), (3, 3), "{events:?}");
        let link = events.iter().position(|event| event == "link 2.json").expect("a commit");
        let last_data =
            events.iter().rposition(|event| event.contains("DATA") || event.contains("symbol=")).expect("data");
        assert!(last_data < link, "{events:?}");
        assert_eq!(events[link - 2..=link + 1], ["put STAGED", "flush STAGED", "link 2.json", "folder _delta_log"]);
        assert_eq!(count("list _delta_log"), 0, "an append must not read the whole log: {events:?}");
        assert_eq!(leftovers(&lake.root().join("futures_snapshots/_delta_log")), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_taken_name_is_refused_and_leaves_nothing() {
        let folder = tempdir().expect("a folder");
        let (store, _) = recorded(Fault::None);
        let at = Path::from_absolute_path(folder.path().join("_delta_log/0.json")).expect("a location");
        let create = || PutOptions::from(PutMode::Create);
        store.put_opts(&at, "one".into(), create()).await.expect("free");
        let error = store.put_opts(&at, "two".into(), create()).await.expect_err("taken");
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
        store.put_opts(&at, "three".into(), PutOptions::default()).await.expect("overwritten");
        assert_eq!(store.get(&at).await.expect("there").bytes().await.expect("read"), "three");
        assert_eq!(leftovers(&folder.path().join("_delta_log")), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_is_told_and_nothing_is_written() {
        let folder = tempdir().expect("a folder");
        let (store, _) = recorded(Fault::None);
        lake_on(folder.path(), store).append_futures(&futures_of(slot(1))).await.expect("written");
        let (store, _) = recorded(Fault::FullDisk);
        let full = lake_on(folder.path(), store);
        let error = full.append_futures(&futures_of(slot(2))).await.expect_err("full");
        assert!(matches!(error, LakeError::NoSpace { .. }), "{error:?}");
        let latest = full.latest_futures(&"ES".parse().expect("a symbol")).await.expect("readable").expect("a row");
        assert_eq!(latest.timestamp, slot(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn large_files_are_flushed_when_they_are_complete() {
        let folder = tempdir().expect("a folder");
        let (store, journal) = recorded(Fault::None);
        let at = Path::from_absolute_path(folder.path().join("part-1.parquet")).expect("a location");
        let mut upload = store.put_multipart(&at).await.expect("begun");
        upload.put_part("content".into()).await.expect("written");
        upload.complete().await.expect("complete");
        assert_eq!(journal.take()[..2], ["upload DATA", "flush DATA"]);
    }
}
