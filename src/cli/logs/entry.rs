//! One line of a log file: JSON, or what a crash left of it.

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde_json::{Value as Json, json};

use crate::calendar::to_new_york;

use super::Level;

/// How each line begins; where one stands in the middle, the line before it was cut off there.
const BEGINNING: &str = "{\"timestamp\":";

/// Keys of a line that are told otherwise, or that a person does not miss.
const NOT_FIELDS: [&str; 6] = ["timestamp", "level", "message", "target", "span", "spans"];

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) level: Option<Level>,
    /// The line as JSON; null where it cannot be read.
    pub(super) fields: Json,
    /// The line as it stands.
    pub(super) text: String,
}

/// The entries of a line of a file: one, or two where the first was cut off by a crash.
pub(super) fn entries_of(line: &str) -> Vec<Entry> {
    let line = line.trim_end();
    if line.is_empty() {
        return Vec::new();
    }
    if let Some(whole) = Entry::read(line) {
        return vec![whole];
    }
    let cut_at = line.rfind(BEGINNING).filter(|at| *at > 0);
    let halves = cut_at.and_then(|at| line.split_at_checked(at));
    match halves.and_then(|(torn, rest)| Some((torn, Entry::read(rest)?))) {
        Some((torn, whole)) => vec![Entry::unreadable(torn), whole],
        None => vec![Entry::unreadable(line)],
    }
}

/// Whether a line without its end is one already.
pub(super) fn is_whole(line: &str) -> bool {
    Entry::read(line).is_some()
}

impl Entry {
    fn read(line: &str) -> Option<Self> {
        let fields: Json = serde_json::from_str(line).ok().filter(Json::is_object)?;
        let text = |key: &str| fields.get(key).and_then(Json::as_str);
        let at = text("timestamp").and_then(|at| at.parse().ok());
        let level = text("level").and_then(|level| Level::from_str(level, true).ok());
        Some(Self { at, level, text: line.to_owned(), fields })
    }

    fn unreadable(line: &str) -> Self {
        Self { at: None, level: None, fields: Json::Null, text: line.to_owned() }
    }

    /// The line as JSON, whatever it is.
    pub(super) fn document(&self) -> Json {
        if self.fields.is_object() { self.fields.clone() } else { json!({ "unreadable": self.text }) }
    }

    /// The line for a person: time, level, message, fields, and those of the run it belongs to.
    pub(super) fn line(&self, job: &str) -> String {
        let Some(fields) = self.fields.as_object() else { return format!("(cut off) {}", self.text) };
        let at =
            self.at.map_or_else(String::new, |at| to_new_york(at).format("%a %Y-%m-%d %H:%M:%S%.3f ET").to_string());
        let level = fields.get("level").and_then(Json::as_str).unwrap_or_default();
        let message = fields.get("message").and_then(Json::as_str).unwrap_or_default();
        let mut line = format!("{at} {level:5} {message}");
        let own = fields.iter().filter(|(key, _)| !NOT_FIELDS.contains(&key.as_str()));
        let spans =
            fields.get("spans").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_object).flatten();
        let spans = spans.filter(|(key, value)| *key != "name" && !(*key == "job" && value.as_str() == Some(job)));
        for (key, value) in own.chain(spans) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line.extend([" ", key, "=", &value]);
        }
        // A field may hold several lines, a backtrace for one: they stay those of this entry.
        line.replace('\n', "\n    ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"timestamp":"2026-11-18T17:00:10.25Z","level":"WARN","message":"the attempt failed","attempt":1,"target":"frontmonth::job","span":{"name":"run"},"spans":[{"job":"snapshot","run_id":"ab12","name":"run"}]}"#;

    #[test]
    fn a_line_is_told_in_new_york_time_with_its_fields_and_its_run() {
        let entries = entries_of(LINE);
        assert_eq!(entries.len(), 1);
        let told = "Wed 2026-11-18 12:00:10.250 ET WARN  the attempt failed attempt=1 run_id=ab12";
        assert_eq!((entries[0].line("snapshot").as_str(), entries[0].level), (told, Some(Level::Warn)));
        assert!(entries[0].line("serve").ends_with("attempt=1 job=snapshot run_id=ab12"));
    }

    #[test]
    fn a_line_that_a_crash_cut_off_does_not_take_the_next_one_with_it() {
        let (torn, _) = LINE.split_at(40);
        let entries = entries_of(&format!("{torn}{LINE}"));
        assert_eq!(entries.iter().map(|entry| entry.level).collect::<Vec<_>>(), [None, Some(Level::Warn)]);
        assert_eq!(entries[0].document(), json!({ "unreadable": torn }));
        assert!(!is_whole(torn) && is_whole(LINE) && entries_of("\n").is_empty());
        assert_eq!(entries_of("thread panicked")[0].line("x"), "(cut off) thread panicked");
    }
}
