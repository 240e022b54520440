//! Where an answer goes: standard output, or a file that appears when it is complete.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use crate::job::{Failure, JobError};

/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// What was asked for.
#[derive(Debug)]
pub(super) enum Target {
    /// Standard output.
    Stdout,
    /// A file, and where it is written until it is complete. What is there when this is dropped goes.
    File { file: PathBuf, staged: PathBuf },
}

/// A stream to it.
pub(super) struct Out {
    inner: Inner,
    is_closed: bool,
}

enum Inner {
    Stdout(BufWriter<Stdout>),
    File(BufWriter<File>),
}

impl Target {
    /// Standard output, or a file that does not lie among the tables.
    pub(super) fn new(file: Option<PathBuf>, lake: &Path) -> Result<Self, JobError> {
        let Some(file) = file else { return Ok(Self::Stdout) };
        let usage = |told: String| JobError::fail(Failure::Usage, told);
        let Some(name) = file.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            return Err(usage(format!("--out {} names no file: give one", file.display())));
        };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|error| {
            usage(format!("--out {}: there is no folder {}: {error}", file.display(), folder.display()))
        })?;
        if folder.starts_with(lake) {
            return Err(usage(format!("--out {} lies in the lake: give another folder", file.display())));
        }
        if file.is_dir() {
            return Err(usage(format!("--out {} is a folder: give a file in it", file.display())));
        }
        let staged = folder.join(format!(".{name}.{}.tmp", std::process::id()));
        Ok(Self::File { file, staged })
    }

    /// Opens the stream.
    pub(super) fn begin(&self) -> Result<Out, JobError> {
        let inner = match self {
            Self::Stdout => Inner::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout())),
            Self::File { file, staged } => {
                let opened = File::create(staged).map_err(|error| failed(file, &error))?;
                Inner::File(BufWriter::with_capacity(BUFFER_BYTES, opened))
            }
        };
        Ok(Out { inner, is_closed: false })
    }

    /// Puts the complete file in its place.
    pub(super) fn finish(&self) -> Result<(), JobError> {
        let Self::File { file, staged } = self else { return Ok(()) };
        let placed =
            File::open(staged).and_then(|staged| staged.sync_all()).and_then(|()| std::fs::rename(staged, file));
        placed.map_err(|error| failed(file, &error))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Self::File { staged, .. } = self {
            // Gone already where all went well.
            let _ = std::fs::remove_file(staged);
        }
    }
}

fn failed(file: &Path, error: &io::Error) -> JobError {
    JobError::fail(Failure::Failed, format!("cannot write {}: {error}", file.display()))
}

impl Out {
    /// Whether the reader has gone away.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn noted<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.is_closed |= done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        done
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = match &mut self.inner {
            Inner::Stdout(out) => out.write(bytes),
            Inner::File(out) => out.write(bytes),
        };
        self.noted(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = match &mut self.inner {
            Inner::Stdout(out) => out.flush(),
            Inner::File(out) => out.flush(),
        };
        self.noted(done)
    }
}
