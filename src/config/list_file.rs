//! A file that is a YAML list, read entry by entry: every fault has the line of its entry, and all come at once.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::ConfigError;
use super::layers::read_file;
use crate::calendar::{Calendar, CalendarError, CalendarId, DayOverride};

/// The entries of a list file.
#[derive(Debug)]
pub struct ListFile<T> {
    path: PathBuf,
    entries: Vec<T>,
    /// The line of each entry; empty where the list is not in block style.
    lines: Vec<usize>,
}

impl<T: DeserializeOwned> ListFile<T> {
    /// Reads a file; `example` is an entry as it should be written.
    pub(super) fn read(path: &Path, example: &str) -> Result<Self, ConfigError> {
        let text = read_file(path)?;
        let written: Vec<Value> = serde_yaml::from_str(&text).map_err(|error| {
            ConfigError::new(vec![format!("{}: {error}: write a list such as {example}", path.display())])
        })?;
        let lines = Some(item_lines(&text)).filter(|lines| lines.len() == written.len()).unwrap_or_default();
        let mut file = Self { path: path.to_owned(), entries: Vec::new(), lines };
        let mut faults = Vec::new();
        for (number, value) in (1..).zip(written) {
            match serde_yaml::from_value(value) {
                Ok(entry) => file.entries.push(entry),
                Err(error) => faults.push(file.fault(number, &format!("{error}: write for instance {example}"))),
            }
        }
        if faults.is_empty() { Ok(file) } else { Err(ConfigError::new(faults)) }
    }
}

impl<T> ListFile<T> {
    /// The entries, in order.
    #[must_use]
    pub fn into_entries(self) -> Vec<T> {
        self.entries
    }

    /// What is wrong with an entry, counted from 1, with file and line before it.
    fn fault(&self, entry: usize, what: &str) -> String {
        match self.lines.get(entry.wrapping_sub(1)) {
            Some(line) => format!("{}:{line}: {what}", self.path.display()),
            None => format!("{}: entry {entry}: {what}", self.path.display()),
        }
    }
}

impl ListFile<DayOverride> {
    /// A calendar with the overrides of the file over it.
    ///
    /// # Errors
    /// Every entry that cannot be followed, with its line.
    pub fn over(&self, id: CalendarId) -> Result<Calendar, ConfigError> {
        let told = |problem: CalendarError| match problem {
            CalendarError::BadOverride { entry, .. } => self.fault(entry, &problem.to_string()),
            other => format!("{}: {other}", self.path.display()),
        };
        let overridden = Calendar::embedded(id).with_overrides(&self.entries);
        overridden.map_err(|problems| ConfigError::new(problems.into_iter().map(told).collect()))
    }
}

/// The lines, from 1, on which the entries of a list in block style begin.
fn item_lines(text: &str) -> Vec<usize> {
    let indent_of = |line: &str| {
        let trimmed = line.trim_start();
        let is_item = trimmed == "-" || trimmed.starts_with("- ");
        is_item.then_some(line.len() - trimmed.len())
    };
    let Some(outer) = text.lines().find_map(indent_of) else { return Vec::new() };
    (1..).zip(text.lines()).filter(|(_, line)| indent_of(line) == Some(outer)).map(|(line, _)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(text: &str) -> Result<Calendar, Vec<String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("days.yaml");
        std::fs::write(&path, text).expect("written");
        let read = ListFile::<DayOverride>::read(&path, "- {}").and_then(|file| file.over(CalendarId::Nyse));
        let prefix = format!("{}/", folder.path().display());
        read.map_err(|error| error.faults().iter().map(|fault| fault.replace(&prefix, "")).collect())
    }

    #[test]
    fn every_entry_that_cannot_be_read_or_followed_has_its_line() {
        let unread = overrides(
            "# days\n- { calendar: nyse, day: 2026-12-02 }\n- calendar: nyse\n  date: 2026-12-03\n  open: \"25:00\"\n",
        )
        .expect_err("two faults");
        assert_eq!(unread.len(), 2, "{unread:#?}");
        assert!(unread[0].starts_with("days.yaml:2: ") && unread[0].contains("day"), "{unread:#?}");
        assert!(unread[1].starts_with("days.yaml:3: ") && unread[1].contains("25:00"), "{unread:#?}");
        let unfollowed = overrides(
            "- calendar: nyse\n  date: 2026-12-25\n  open: \"10:00\"\n\n- { calendar: nyse, date: 2026-12-05, close: \"13:00\" }\n",
        )
        .expect_err("two faults");
        assert_eq!(unfollowed.len(), 2, "{unfollowed:#?}");
        assert!(unfollowed[0].starts_with("days.yaml:1: override 1, nyse 2026-12-25: "), "{unfollowed:#?}");
        assert!(unfollowed[1].starts_with("days.yaml:5: override 2, nyse 2026-12-05: "), "{unfollowed:#?}");
        let flow = overrides("[{ calendar: nyse, date: 2026-12-02 }]\n").expect_err("a fault");
        assert!(flow[0].starts_with("days.yaml:") && flow[0].contains("changes nothing"), "{flow:#?}");
    }

    #[test]
    fn segments_are_read_as_they_are_written() {
        let text = "- calendar: nyse\n  date: 2026-12-07\n  segments:\n    - { open: \"09:30\", close: \"11:00\" }\n    - { open: \"12:00\", close: \"16:00\" }\n";
        let day = overrides(text).expect("sound").session("2026-12-07".parse().expect("a day")).expect("covered");
        assert_eq!(day.expect("a session").segments.len(), 2);
    }
}
