//! What can be wrong with schedules, and what can go wrong when they are asked.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::calendar::CalendarError;

/// How alike two names must be for one to be suggested for the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// Every fault of a set of schedule files, in the order of files and lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScheduleErrors {
    faults: Vec<String>,
}

impl ScheduleErrors {
    /// Faults with their places, if there are any.
    pub(super) fn of(faults: impl IntoIterator<Item = (Place, String)>) -> Result<(), Self> {
        let faults: Vec<String> = faults.into_iter().map(|(place, fault)| format!("{place}: {fault}")).collect();
        if faults.is_empty() { Ok(()) } else { Err(Self { faults }) }
    }

    /// The faults, each with file and line, what is wrong, and what to do.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl fmt::Display for ScheduleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.faults.join("\n"))
    }
}

/// The planner cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No schedule names the job.
    #[error("job {name:?} has no schedule: {remedy}")]
    NotScheduled {
        /// The name as it was given.
        name: String,
        /// What was probably meant, or what there is.
        remedy: String,
    },
    /// The calendar does not reach there.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

/// Where something stands in a schedule file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Gathers faults while files are read, so that all are told at once.
#[derive(Default)]
pub(super) struct Faults {
    /// Position of the file being read, its path, and what was found in it.
    files: Vec<PathBuf>,
    found: Vec<(usize, usize, String)>,
}

impl Faults {
    /// From here on faults are those of `file`.
    pub(super) fn enter(&mut self, file: &Path) {
        self.files.push(file.to_path_buf());
    }

    /// Notes a fault on a line, from 1, of the file being read.
    pub(super) fn add(&mut self, line: usize, fault: impl Into<String>) {
        self.found.push((self.files.len(), line, fault.into()));
    }

    /// Notes a fault in a file that was read before.
    pub(super) fn add_at(&mut self, place: &Place, fault: impl Into<String>) {
        let file = self.files.iter().position(|file| *file == place.file).map_or(0, |position| position + 1);
        self.found.push((file, place.line, fault.into()));
    }

    /// The place of a line of the file being read.
    pub(super) fn place(&self, line: usize) -> Place {
        Place { file: self.files.last().cloned().unwrap_or_default(), line }
    }

    /// Everything that was noted, if anything was.
    pub(super) fn finish(mut self) -> Result<(), ScheduleErrors> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(file, line, _)| (*file, *line));
        let told = |(file, line, fault): (usize, usize, String)| match self.files.get(file.wrapping_sub(1)) {
            Some(path) => format!("{}:{line}: {fault}", path.display()),
            None => fault,
        };
        Err(ScheduleErrors { faults: self.found.drain(..).map(told).collect() })
    }
}

/// What to do about a name nobody knows: the one that was probably meant, or all there are.
pub(super) fn remedy(name: &str, known: &[&str]) -> String {
    let alike = |candidate: &str| strsim::jaro_winkler(candidate, name);
    match known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|nearest| alike(nearest) > ALIKE) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => match known {
            [] => "there is none".to_owned(),
            [only] => format!("known is only {only}"),
            all => format!("known are {}", all.join(", ")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_where_one_is_near() {
        assert_eq!(remedy("snapshoot", &["backfill", "snapshot"]), "did you mean snapshot?");
        assert_eq!(remedy("quux", &["backfill", "snapshot"]), "known are backfill, snapshot");
        assert_eq!(remedy("quux", &[]), "there is none");
    }

    #[test]
    fn faults_are_told_by_file_and_line() {
        let mut faults = Faults::default();
        faults.enter(Path::new("a.yaml"));
        faults.add(7, "late");
        faults.add(2, "early");
        let place = faults.place(1);
        faults.enter(Path::new("b.yaml"));
        faults.add(1, "other");
        faults.add_at(&place, "first");
        let told = faults.finish().unwrap_err();
        assert_eq!(told.to_string(), "a.yaml:1: first\na.yaml:2: early\na.yaml:7: late\nb.yaml:1: other");
    }
}
