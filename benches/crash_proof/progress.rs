//! What a proof has come to, in a file of its folder, so that a later run goes on from there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Counts by name.
pub(super) type Counts = BTreeMap<String, usize>;

/// Kills of the round that is under way.
pub(super) const KILLS_OF_THIS_ROUND: &str = "kills of this round";

/// The number of the newest process.
pub(super) const NEWEST_PROCESS: &str = "processes";

/// Rounds that are over.
pub(super) const ROUNDS: &str = "rounds";

/// Numbers that processes may have had which an end by force left out of the file.
const UNRECORDED: usize = 100;

/// The file of a proof's folder.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("counts.txt")
}

/// Reads the counts; none where the proof begins.
pub(super) fn read(folder: &Path) -> Counts {
    let text = fs::read_to_string(file(folder)).unwrap_or_default();
    let line = |line: &str| {
        let (count, name) = line.split_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    let mut counts: Counts = text.lines().filter_map(line).collect();
    if let Some(newest) = counts.get_mut(NEWEST_PROCESS) {
        *newest += UNRECORDED;
    }
    counts
}

/// Writes the counts, the old or the new ones whole.
pub(super) fn write(folder: &Path, counts: &Counts) {
    let lines: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let text = format!("{}\n", lines.join("\n"));
    let staged = folder.join("counts.tmp");
    fs::write(&staged, text).and_then(|()| fs::rename(&staged, file(folder))).expect("counts on the disk");
}
