//! Which files of a table are worth rewriting as one: decided from the log alone, without opening a file.
//!
//! Files are weighed by their rows. Of a partition the smallest files are taken, as many as leave the largest of them no
//! heavier than the others together. A row's file thus at least doubles whenever the row is rewritten, so that a year of
//! small appends costs each row about a dozen rewrites and leaves about a dozen files, and what one compaction leaves the
//! next one finds nothing to do on.

use std::collections::BTreeMap;

use deltalake::DeltaTable;
use deltalake::kernel::{Add, LogicalFileView, Remove};

use super::TableName;
use super::error::Cause;
use super::schema::PARTITION;

/// A file from this size on is left alone.
const LARGE_BYTES: u64 = 8 * 1024 * 1024;

/// With fewer files than this it is not worth a commit: each costs a scan less than what rewriting them does.
const FEWEST_FILES: usize = 6;

/// Files rewritten as one at once, so that a table nobody compacted for long is worked off in bounded steps.
const MOST_FILES: usize = 2_000;

/// Bytes rewritten as one at once: they are sorted in memory, at some ten times their size.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// What a compaction of a table would do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionPlan {
    /// The table.
    pub table: TableName,
    /// Its files.
    pub files_before: usize,
    /// Bytes of its files.
    pub bytes_before: u64,
    /// Those of the files that would be rewritten.
    pub files_rewritten: usize,
    /// Bytes of those.
    pub bytes_rewritten: u64,
    /// Files there would be then.
    pub files_after: usize,
}

/// Files of one partition that are to become one.
#[derive(Clone)]
pub(super) struct Group {
    files: Vec<LogicalFileView>,
    /// The value of their partition.
    pub(super) partition: String,
    /// Rows in them, as the log says.
    pub(super) rows: usize,
    bytes: u64,
}

/// A file as the choice sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    rows: usize,
    bytes: u64,
}

impl CompactionPlan {
    /// The plan of a table without files.
    pub(super) fn nothing(table: TableName) -> Self {
        Self { table, files_before: 0, bytes_before: 0, files_rewritten: 0, bytes_rewritten: 0, files_after: 0 }
    }

    /// The plan that rewrites these groups.
    pub(super) fn of(name: TableName, table: &DeltaTable, groups: &[Group]) -> Result<Self, Cause> {
        let state = table.snapshot()?;
        let files_before = state.log_data().num_files();
        let files_rewritten = groups.iter().map(|group| group.files.len()).sum();
        Ok(Self {
            table: name,
            files_before,
            bytes_before: state.log_data().iter().map(|file| bytes_of(&file)).sum(),
            files_rewritten,
            bytes_rewritten: groups.iter().map(|group| group.bytes).sum(),
            files_after: files_before - files_rewritten + groups.len(),
        })
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files_rewritten == 0
    }
}

impl Group {
    /// The files as the log added them.
    pub(super) fn adds(&self) -> impl Iterator<Item = Add> {
        #[expect(deprecated, reason = "it is the way to select files for a scan without naming how paths are encoded")]
        self.files.iter().map(LogicalFileView::add_action)
    }

    /// Taking the files out of the table, without a change of its rows.
    pub(super) fn removes(&self) -> impl Iterator<Item = Remove> {
        self.files.iter().map(|file| file.remove_action(false))
    }

    /// Their paths below the table.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(|file| file.path().into_owned())
    }
}

/// The files worth rewriting, by partition. A file whose rows the log does not count is left alone.
pub(super) fn groups(table: &DeltaTable) -> Result<Vec<Group>, Cause> {
    let mut partitions: BTreeMap<String, Vec<(Weight, LogicalFileView)>> = BTreeMap::new();
    for file in table.snapshot()?.log_data().iter() {
        let (Some(rows), bytes) = (file.num_records(), bytes_of(&file)) else { continue };
        if bytes < LARGE_BYTES {
            // No row of ours is without a symbol, and a file of such rows is left alone.
            let Some(partition) = file.partition_values_map().remove(PARTITION).flatten() else { continue };
            partitions.entry(partition).or_default().push((Weight { rows, bytes }, file));
        }
    }
    Ok(partitions.into_iter().filter_map(group).collect())
}

fn group((partition, mut files): (String, Vec<(Weight, LogicalFileView)>)) -> Option<Group> {
    files.sort_by_key(|(weight, _)| *weight);
    let weights: Vec<Weight> = files.iter().map(|(weight, _)| *weight).collect();
    let chosen = weights.get(..num_chosen(&weights))?;
    let (rows, bytes) = (chosen.iter().map(|file| file.rows).sum(), chosen.iter().map(|file| file.bytes).sum());
    files.truncate(chosen.len());
    (!files.is_empty()).then(|| Group {
        files: files.into_iter().map(|(_, file)| file).collect(),
        partition,
        rows,
        bytes,
    })
}

/// How many of the files, lightest first, are to become one.
fn num_chosen(files: &[Weight]) -> usize {
    let (mut rows, mut bytes, mut chosen) = (0, 0, 0);
    for (number, file) in files.iter().enumerate().take(MOST_FILES) {
        if bytes + file.bytes > MOST_BYTES {
            break;
        }
        if file.rows <= rows {
            chosen = number + 1;
        }
        rows += file.rows;
        bytes += file.bytes;
    }
    if chosen < FEWEST_FILES { 0 } else { chosen }
}

fn bytes_of(file: &LogicalFileView) -> u64 {
    u64::try_from(file.size()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(rows: &[usize]) -> usize {
        let mut weights: Vec<Weight> = rows.iter().map(|rows| Weight { rows: *rows, bytes: 8_000 }).collect();
        weights.sort();
        num_chosen(&weights)
    }

    #[test]
    fn few_files_are_left_alone() {
        assert_eq!(chosen(&[]), 0);
        assert_eq!(chosen(&[1; FEWEST_FILES - 1]), 0);
        assert_eq!(chosen(&[1; FEWEST_FILES]), FEWEST_FILES);
    }

    #[test]
    fn a_heavy_file_waits_until_the_light_ones_weigh_as_much() {
        assert_eq!(chosen(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100]), 12);
        assert_eq!(chosen(&[20, 20, 20, 20, 20, 100]), 6);
        assert_eq!(chosen(&[1, 5, 5, 5, 5, 5]), 6, "an odd small one does not keep the others apart");
    }

    #[test]
    fn what_a_compaction_leaves_stays_as_it_is_and_a_year_costs_each_row_a_dozen_rewrites() {
        let (mut files, mut rewritten, mut most, mut added): (Vec<usize>, usize, usize, usize) = Default::default();
        for hour in 0..6_000 {
            files.extend([1; 12]);
            added += 12;
            files.sort_unstable();
            let count = chosen(&files);
            let merged: usize = files.drain(..count).sum();
            files.push(merged);
            files.sort_unstable();
            rewritten += merged;
            most = most.max(files.len());
            assert_eq!(chosen(&files), 0, "hour {hour}: {files:?}");
        }
        assert_eq!(files.iter().sum::<usize>(), added);
        assert!(rewritten / added <= 13, "{rewritten} rows rewritten for {added} added");
        assert!(most <= 20, "{most} files after a compaction");
    }

    #[test]
    fn a_long_neglected_table_is_worked_off_in_bounded_steps() {
        assert_eq!(chosen(&vec![1; 3 * MOST_FILES]), MOST_FILES);
        let heavy = vec![Weight { rows: 1_000, bytes: MOST_BYTES / 10 }; 100];
        assert_eq!(num_chosen(&heavy), 10);
    }
}
