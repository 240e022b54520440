//! The log of a table, entry for entry: what the newest version consists of, and what of the log is damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::checkpoint::{CheckpointPart, read_checkpoint};
use super::entry::{AddedFile, Line, Metadata, Protocol, read_entry};
use super::fault::{FROM_BACKUP, Fault, FaultKind};

/// The hint to the newest checkpoint.
pub(in crate::lake) const HINT: &str = "_last_checkpoint";

/// The files of a log, by version.
#[derive(Debug, Default)]
pub(in crate::lake) struct LogFolder {
    pub(in crate::lake) path: PathBuf,
    pub(in crate::lake) entries: BTreeMap<u64, PathBuf>,
    pub(in crate::lake) checkpoints: BTreeMap<u64, Vec<CheckpointPart>>,
    has_hint: bool,
}

/// A file of the newest version.
#[derive(Debug, Clone)]
pub(in crate::lake) struct ActiveFile {
    pub(in crate::lake) file: AddedFile,
    /// The version that added it, where its entry is kept.
    pub(in crate::lake) version: Option<u64>,
}

/// What the log says, as far as it can be read.
#[derive(Debug, Default)]
pub(in crate::lake) struct LogState {
    /// The newest version.
    pub(in crate::lake) version: Option<u64>,
    /// Its files, by path.
    pub(in crate::lake) active: BTreeMap<String, ActiveFile>,
    /// Files that were replaced, and that vacuum has not taken yet.
    pub(super) removed: BTreeSet<String>,
    pub(in crate::lake) metadata: Option<Metadata>,
    pub(in crate::lake) protocol: Option<Protocol>,
    /// What is damaged.
    pub(in crate::lake) faults: Vec<Fault>,
    /// What is damaged and needed no more.
    pub(super) notes: Vec<String>,
}

#[derive(Deserialize)]
struct Hint {
    version: u64,
}

impl LogFolder {
    /// Lists the log of a table.
    pub(in crate::lake) fn of(table: &Path) -> io::Result<Self> {
        let mut folder = Self { path: table.join("_delta_log"), ..Self::default() };
        for entry in folder.path.read_dir()? {
            let path = entry?.path();
            if let Some((version, part)) = CheckpointPart::named(&path) {
                folder.checkpoints.entry(version).or_default().push(part);
            } else if let Some(version) = version_of(&path) {
                folder.entries.insert(version, path);
            } else if path.file_name().is_some_and(|name| name == HINT) {
                folder.has_hint = true;
            }
        }
        Ok(folder)
    }

    pub(in crate::lake) fn newest(&self) -> Option<u64> {
        self.entries.keys().next_back().copied().max(self.checkpoints.keys().next_back().copied())
    }

    fn entry_path(&self, version: u64) -> PathBuf {
        self.path.join(format!("{version:020}.json"))
    }
}

/// The version an entry's name tells.
fn version_of(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
    (stem.len() == 20).then(|| stem.parse().ok()).flatten()
}

impl LogState {
    /// Reads the log of a table from its newest whole checkpoint on.
    pub(in crate::lake) fn read(table: &Path) -> io::Result<Self> {
        Ok(Self::of(&LogFolder::of(table)?))
    }

    /// Reads the log up to a version, as if there were no later one.
    pub(in crate::lake) fn read_at(table: &Path, version: u64) -> io::Result<Self> {
        let mut folder = LogFolder::of(table)?;
        folder.entries.retain(|number, _| *number <= version);
        folder.checkpoints.retain(|number, _| *number <= version);
        // It may name a later checkpoint.
        folder.has_hint = false;
        Ok(Self::of(&folder))
    }

    /// What tells the table from every other.
    pub(in crate::lake) fn id(&self) -> Option<&str> {
        self.metadata.as_ref().map(|metadata| metadata.id.as_str())
    }

    fn of(folder: &LogFolder) -> Self {
        let mut state = Self { version: folder.newest(), ..Self::default() };
        let base = state.read_checkpoint(folder);
        let first = base.map_or(0, |version| version + 1);
        for version in first..=state.version.unwrap_or(0) {
            state.read_entry(folder, version);
        }
        state.note_old(folder, first);
        state.check_hint(folder);
        state.check_whole(folder);
        state
    }

    /// The newest whole checkpoint; each newer one is a fault.
    fn read_checkpoint(&mut self, folder: &LogFolder) -> Option<u64> {
        for (version, parts) in folder.checkpoints.iter().rev() {
            match read_checkpoint(parts) {
                Ok(lines) => {
                    for line in lines {
                        self.apply(line, None);
                    }
                    return Some(*version);
                }
                Err((path, what)) => {
                    let remedy = format!(
                        "move it and {HINT} out of {}, the log before it is used then, and let jobs run compaction write a new one; \
                         should that log be gone, {FROM_BACKUP}",
                        folder.path.display()
                    );
                    let fault =
                        Fault::new(FaultKind::TornCheckpoint, path, format!("the checkpoint is not whole: {what}"));
                    self.faults.push(fault.at(*version).remedy(remedy));
                }
            }
        }
        None
    }

    fn read_entry(&mut self, folder: &LogFolder, version: u64) {
        let Some(path) = folder.entries.get(&version) else {
            let what = "the entry of the log is missing, so what it wrote is unknown";
            let fault = Fault::new(FaultKind::MissingEntry, folder.entry_path(version), what);
            let remedy = if version == 0 {
                FROM_BACKUP.to_owned()
            } else {
                format!(
                    "{FROM_BACKUP}; without one, move all later entries out of the table's folder: the table is then as \
                     before it, and jobs run backfill fills what they had added"
                )
            };
            self.faults.push(fault.at(version).remedy(remedy));
            return;
        };
        match read_entry(path) {
            Ok(lines) => {
                for line in lines {
                    self.apply(line, Some(version));
                }
            }
            Err(torn) => {
                let what = format!("the entry of the log is torn: {torn}");
                let fault = Fault::new(FaultKind::TornEntry, path, what).at(version);
                self.faults.push(fault.remedy(remedy_of_torn(version, self.version.unwrap_or(0))));
            }
        }
    }

    fn apply(&mut self, line: Line, version: Option<u64>) {
        if let Some(file) = line.add {
            self.removed.remove(&file.path);
            self.active.insert(file.path.clone(), ActiveFile { file, version });
        }
        if let Some(removed) = line.remove {
            self.active.remove(&removed.path);
            self.removed.insert(removed.path);
        }
        self.metadata = line.metadata.or(self.metadata.take());
        self.protocol = line.protocol.or(self.protocol.take());
    }

    /// Entries a checkpoint has made needless serve older versions only.
    fn note_old(&mut self, folder: &LogFolder, first: u64) {
        for (version, path) in folder.entries.range(..first) {
            if let Err(torn) = read_entry(path) {
                let path = path.display();
                self.notes.push(format!("{path}: version {version} cannot be shown any more: {torn}"));
            }
        }
    }

    fn check_hint(&mut self, folder: &LogFolder) {
        if !folder.has_hint {
            return;
        }
        let path = folder.path.join(HINT);
        let hint = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Hint>(&text).ok());
        let what = match hint {
            None => "it cannot be read".to_owned(),
            Some(hint) if folder.checkpoints.contains_key(&hint.version) => return,
            // Written since the folder was read.
            Some(hint) if folder.path.join(format!("{:020}.checkpoint.parquet", hint.version)).exists() => return,
            Some(hint) => format!("it points to a checkpoint of version {}, and there is none", hint.version),
        };
        let remedy = "delete it: it is a hint only, and the next checkpoint writes it anew";
        self.faults.push(Fault::new(FaultKind::CheckpointHint, path, what).remedy(remedy));
    }

    fn check_whole(&mut self, folder: &LogFolder) {
        if self.faults.is_empty() && (self.metadata.is_none() || self.protocol.is_none()) {
            let what = "the log holds no metadata or no protocol";
            self.faults.push(Fault::new(FaultKind::Unopenable, &folder.path, what).remedy(FROM_BACKUP));
        }
    }
}

/// What to do about a torn entry: nothing builds on the newest one, so it can go; what was built on an older one is in
/// doubt.
pub(in crate::lake) fn remedy_of_torn(version: u64, newest: u64) -> String {
    if version == newest {
        return "move it out of the table's folder: the table is then as before it, and jobs run backfill fills what it \
                had added"
            .to_owned();
    }
    format!(
        "{FROM_BACKUP}; without one, move it and all later entries out of the table's folder: the table is then as before \
         it, and jobs run backfill fills what they had added"
    )
}

/// The version that was a table's newest at an instant, by what the commits say; none where the log does not reach there.
pub(in crate::lake) fn version_at(table: &Path, at: DateTime<Utc>) -> io::Result<Option<u64>> {
    let is_by_then = |(version, path): (&u64, &PathBuf)| {
        let lines = read_entry(path).ok()?;
        let made = lines.iter().find_map(|line| line.commit_info.as_ref()?.timestamp)?;
        (made <= at.timestamp_millis()).then_some(*version)
    };
    Ok(LogFolder::of(table)?.entries.iter().rev().find_map(is_by_then))
}
