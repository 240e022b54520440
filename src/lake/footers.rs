//! Footers of large data files, kept from read to read: a file never changes, and its footer costs more than its pages.
//! A file that a restore puts in the place of one with its name is another, though.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deltalake::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use deltalake::parquet::errors::Result;
use deltalake::parquet::file::metadata::PageIndexPolicy;

use super::mark::FileIdentity;

/// Footers kept. A year leaves about a dozen files of a symbol, of which the small ones are read whole.
const MOST_KEPT: usize = 48;

/// The footers that were read of late.
#[derive(Default)]
pub(super) struct Footers(Mutex<HashMap<PathBuf, (FileIdentity, ArrowReaderMetadata)>>);

impl Footers {
    /// The footer of a file with the index of its pages, where it has one.
    pub(super) fn of(&self, path: &Path, file: &File) -> Result<ArrowReaderMetadata> {
        let identity = FileIdentity::in_metadata(&file.metadata()?);
        if let Some((_, footer)) = self.kept().get(path).filter(|(kept, _)| *kept == identity) {
            return Ok(footer.clone());
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let found = ArrowReaderMetadata::load(file, options)?;
        let mut kept = self.kept();
        // Files come and go with each compaction, so what is kept is let go as one and found anew.
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(path.to_path_buf(), (identity, found.clone()));
        Ok(found)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<PathBuf, (FileIdentity, ArrowReaderMetadata)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
