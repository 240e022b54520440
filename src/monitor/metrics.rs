//! Where everything stands, in the text format of Prometheus.
//!
//! Source of the format: Prometheus, "Exposition formats", text-based format 0.0.4. All are gauges: they tell of the ledger
//! and the tables as they are, not of a process, so that it does not matter which process wrote the file.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::state::{Accounting, MailCounts, RunRow, Severity};

/// How the first line of each file begins; a collector takes it for a comment.
const WRITTEN_BY: &str = "# Written by the installation with the ledger ";

/// Longest part of a file's name that labels make, characters.
const MAX_NAME_CHARS: usize = 150;

/// Longest first line that is read, bytes.
const MAX_LINE_BYTES: u64 = 8_192;

/// What a file took the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// None, or an earlier one of this installation.
    OverOwn,
    /// That of another installation, which will replace this one in turn.
    OverAnother,
}

/// What is known of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFacts {
    /// Its name.
    pub job: String,
    /// What became of its slots in the last seven days.
    pub accounting: Accounting,
    /// Its newest run that has ended.
    pub last: Option<RunRow>,
    /// The end of its newest run that was done.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// When it is planned next; none where nothing is, or where it follows another job.
    pub next: Option<DateTime<Utc>>,
}

/// What is known of the rows of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFacts {
    /// The table.
    pub table: String,
    /// The symbol.
    pub symbol: String,
    /// Its newest slot; none where it has no row.
    pub newest: Option<DateTime<Utc>>,
}

/// What is known of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckFacts {
    /// The check.
    pub check: String,
    /// What it came to when it was made last.
    pub status: String,
    /// When that was.
    pub looked_at: DateTime<Utc>,
    /// Findings of it in the last seven days, each counted once however many runs saw it.
    pub findings: usize,
}

/// Where everything stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The version of the program.
    pub version: &'static str,
    /// The ledger that they are of, which tells one installation from another.
    pub ledger: PathBuf,
    /// Labels of every sample.
    pub labels: BTreeMap<String, String>,
    /// Job by job.
    pub jobs: Vec<JobFacts>,
    /// Symbol by symbol.
    pub rows: Vec<RowFacts>,
    /// Check by check.
    pub checks: Vec<CheckFacts>,
    /// Incidents that go on, by severity.
    pub incidents: Vec<(Severity, usize)>,
    /// Mails.
    pub mails: MailCounts,
}

impl Metrics {
    /// Writes `jobs.prom`, or with labels `jobs-VALUE.prom`: whole or not at all, readable by all, since the collector is
    /// another user. What this installation wrote under another name goes.
    ///
    /// # Errors
    /// Where the folder cannot be made or written.
    pub fn write(&self, folder: &Path) -> io::Result<Written> {
        if !folder.is_dir() {
            DirBuilder::new().recursive(true).create(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        let path = folder.join(self.file_name());
        let written = if self.is_of_another(&path) { Written::OverAnother } else { Written::OverOwn };
        let staged = folder.join(format!(".jobs.prom.{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&staged)?;
        let placed = file
            .write_all(self.to_string().as_bytes())
            .and_then(|()| fs::set_permissions(&staged, Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&staged, &path));
        if let Err(error) = placed {
            let _ = fs::remove_file(&staged);
            return Err(error);
        }
        self.remove_earlier(folder)?;
        Ok(written)
    }

    /// The name of the file, with the values of the labels in it.
    fn file_name(&self) -> String {
        let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '_' };
        let values = self.labels.values().map(|value| format!("-{}", value.chars().map(fit).collect::<String>()));
        let values: String = values.collect::<String>().chars().take(MAX_NAME_CHARS).collect();
        format!("jobs{values}.prom")
    }

    /// The line by which an installation knows its own file.
    fn first_line(&self) -> String {
        format!("{WRITTEN_BY}{:?}.", self.ledger.display().to_string())
    }

    fn is_of_another(&self, path: &Path) -> bool {
        first_line_of(path).is_some_and(|line| line.starts_with(WRITTEN_BY) && line != self.first_line())
    }

    /// A file under the name of earlier labels would stand still for ever, and be read as if it did not.
    fn remove_earlier(&self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_ours = name.starts_with("jobs") && name.ends_with(".prom") && name != self.file_name();
            if is_ours && first_line_of(&path).is_some_and(|line| line == self.first_line()) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn of_jobs(&self, page: &mut Page<'_>) {
        page.gauge("slots", "Slots of a job in the last seven days, by where they stand.");
        for facts in &self.jobs {
            let of = &facts.accounting;
            let states = [
                ("planned", of.waiting),
                ("running", of.running),
                ("done", of.done),
                ("skipped", of.skipped),
                ("missed", of.missed),
                ("failed", of.failed),
                ("timed_out", of.timed_out),
                ("recovered", of.recovered),
            ];
            for (state, count) in states {
                page.sample(&[("job", &facts.job), ("state", state)], f64::from(count));
            }
        }
        page.gauge("rows_added", "Rows that a job added to the tables in the last seven days.");
        for facts in &self.jobs {
            page.sample(&[("job", &facts.job)], f64::from(facts.accounting.rows_added));
        }
        page.gauge("last_run_timestamp_seconds", "When the newest run of a job ended.");
        self.of_last(page, |last| last.ended_at.map(seconds));
        page.gauge("last_run_duration_seconds", "How long the newest run of a job took.");
        self.of_last(page, |last| {
            let took = last.ended_at? - last.started_at?;
            Some(took.as_seconds_f64())
        });
        page.gauge("last_run_failed", "Whether the newest run of a job did not come to a good end.");
        self.of_last(page, |last| Some(f64::from(u8::from(last.error.is_some()))));
        page.gauge("last_success_timestamp_seconds", "When the newest run of a job that was done ended.");
        for facts in &self.jobs {
            page.maybe(&[("job", &facts.job)], facts.succeeded_at.map(seconds));
        }
        page.gauge("next_run_timestamp_seconds", "The slot of the next run that is planned.");
        for facts in &self.jobs {
            page.maybe(&[("job", &facts.job)], facts.next.map(seconds));
        }
    }

    fn of_last(&self, page: &mut Page<'_>, value: impl Fn(&RunRow) -> Option<f64>) {
        for facts in &self.jobs {
            page.maybe(&[("job", &facts.job)], facts.last.as_ref().and_then(&value));
        }
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut page = Page { labels: &self.labels, text: format!("{}\n", self.first_line()), name: "" };
        page.gauge("info", "The program.");
        page.sample(&[("version", self.version)], 1.0);
        self.of_jobs(&mut page);
        page.gauge("newest_slot_timestamp_seconds", "The newest slot of a symbol in its table.");
        for rows in &self.rows {
            page.maybe(&[("table", &rows.table), ("symbol", &rows.symbol)], rows.newest.map(seconds));
        }
        page.gauge("check_status", "What a check of the data came to when it was made last.");
        for facts in &self.checks {
            page.sample(&[("check", &facts.check), ("status", &facts.status)], 1.0);
        }
        page.gauge("check_timestamp_seconds", "When a check of the data was made last.");
        for facts in &self.checks {
            page.sample(&[("check", &facts.check)], seconds(facts.looked_at));
        }
        page.gauge("findings", "Findings of a check in the last seven days.");
        for facts in &self.checks {
            page.sample(&[("check", &facts.check)], count(facts.findings));
        }
        page.gauge("open_incidents", "Incidents that go on.");
        for (severity, number) in &self.incidents {
            page.sample(&[("severity", severity.as_str())], count(*number));
        }
        page.gauge("mails", "Mails in the ledger.");
        let MailCounts { queued, sent, refused, given_up, left_out: _ } = self.mails;
        for (state, number) in [("queued", queued), ("sent", sent), ("refused", refused), ("given_up", given_up)] {
            page.sample(&[("state", state)], f64::from(number));
        }
        page.gauge("mail_recipients_left_out", "Recipients who will not get a mail that others got.");
        page.sample(&[], f64::from(self.mails.left_out));
        f.write_str(&page.text)
    }
}

/// The first line of a file; none where it cannot be read.
fn first_line_of(path: &Path) -> Option<String> {
    let mut line = String::new();
    BufReader::new(File::open(path).ok()?.take(MAX_LINE_BYTES)).read_line(&mut line).ok()?;
    Some(line.trim_end().to_owned())
}

/// A page as it is written.
struct Page<'a> {
    /// Labels of every sample.
    labels: &'a BTreeMap<String, String>,
    text: String,
    name: &'static str,
}

impl Page<'_> {
    fn gauge(&mut self, name: &'static str, help: &str) {
        self.name = name;
        let _ = writeln!(self.text, "# HELP frontmonth_{name} {help}\n# TYPE frontmonth_{name} gauge");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let constant = self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let all = labels.iter().copied().chain(constant);
        let labels: Vec<String> = all.map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(self.text, "frontmonth_{}{{{}}} {value}", self.name, labels.join(","));
    }

    /// What is not known is not there: a zero would be a number.
    fn maybe(&mut self, labels: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.sample(labels, value);
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(at: DateTime<Utc>) -> f64 {
    chrono::TimeDelta::milliseconds(at.timestamp_millis()).as_seconds_f64()
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        let at = |text: &str| text.parse().expect("an instant");
        Metrics {
            version: "1.2.3",
            ledger: PathBuf::from("/srv/jobs.db"),
            labels: BTreeMap::new(),
            jobs: vec![JobFacts {
                job: "snapshot".to_owned(),
                accounting: Accounting { planned: 3, done: 2, missed: 1, rows_added: 12, ..Accounting::default() },
                last: None,
                succeeded_at: Some(at("2026-11-18T17:00:02.5Z")),
                next: None,
            }],
            rows: vec![RowFacts {
                table: "futures_snapshots".to_owned(),
                symbol: "ES".to_owned(),
                newest: Some(at("2026-11-18T17:00:00Z")),
            }],
            checks: vec![CheckFacts {
                check: "quote.\"odd\"".to_owned(),
                status: "pass".to_owned(),
                looked_at: at("2026-11-18T17:30:00Z"),
                findings: 4,
            }],
            incidents: vec![(Severity::Error, 1)],
            mails: MailCounts { queued: 1, sent: 2, left_out: 3, ..MailCounts::default() },
        }
    }

    #[test]
    fn each_name_is_introduced_once_and_what_is_unknown_is_left_out() {
        let page = metrics().to_string();
        let lines: Vec<&str> = page.lines().collect();
        for wanted in [
            "frontmonth_info{version=\"1.2.3\"} 1",
            "frontmonth_slots{job=\"snapshot\",state=\"done\"} 2",
            "frontmonth_slots{job=\"snapshot\",state=\"missed\"} 1",
            "frontmonth_rows_added{job=\"snapshot\"} 12",
            "frontmonth_last_success_timestamp_seconds{job=\"snapshot\"} 1795021202.5",
            "frontmonth_newest_slot_timestamp_seconds{table=\"futures_snapshots\",symbol=\"ES\"} 1795021200",
            "frontmonth_check_status{check=\"quote.\\\"odd\\\"\",status=\"pass\"} 1",
            "frontmonth_findings{check=\"quote.\\\"odd\\\"\"} 4",
            "frontmonth_open_incidents{severity=\"error\"} 1",
            "frontmonth_mails{state=\"queued\"} 1",
            "frontmonth_mails{state=\"given_up\"} 0",
            "frontmonth_mail_recipients_left_out{} 3",
        ] {
            assert!(lines.contains(&wanted), "{wanted} in\n{page}");
        }
        assert!(!page.contains("frontmonth_next_run_timestamp_seconds{"), "{page}");
        for name in lines.iter().filter_map(|line| line.strip_prefix("# TYPE ")) {
            assert_eq!(lines.iter().filter(|line| line.ends_with(name)).count(), 1, "{name}");
        }
    }

    fn labelled(value: &str) -> Metrics {
        Metrics { labels: [("installation".to_owned(), value.to_owned())].into(), ..metrics() }
    }

    #[test]
    fn every_sample_has_the_labels_of_the_installation() {
        let page = labelled("pa\"per").to_string();
        let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(samples.len() > 10, "{page}");
        for sample in samples {
            assert!(sample.contains("installation=\"pa\\\"per\"}"), "{sample}");
        }
        assert!(page.contains("frontmonth_info{version=\"1.2.3\",installation="), "{page}");
    }

    #[test]
    fn two_installations_in_one_folder_stand_side_by_side_by_their_labels_or_say_that_they_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let names = || {
            let entries = fs::read_dir(folder.path()).expect("a folder");
            let mut names: Vec<String> =
                entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        let other = |metrics| Metrics { ledger: PathBuf::from("/srv/other.db"), ..metrics };
        assert_eq!(metrics().write(folder.path()).expect("written"), Written::OverOwn);
        assert_eq!(metrics().write(folder.path()).expect("written"), Written::OverOwn);
        assert_eq!(other(metrics()).write(folder.path()).expect("written"), Written::OverAnother);
        assert_eq!(metrics().write(folder.path()).expect("written"), Written::OverAnother);
        assert_eq!(other(labelled("two/b")).write(folder.path()).expect("written"), Written::OverOwn);
        assert_eq!(names(), ["jobs-two_b.prom", "jobs.prom"]);
        assert_eq!(labelled("one").write(folder.path()).expect("written"), Written::OverOwn);
        assert_eq!(names(), ["jobs-one.prom", "jobs-two_b.prom"], "its file without a label would stand still");
    }

    #[test]
    fn the_file_is_replaced_as_a_whole_and_all_may_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let metrics = metrics();
        for _ in 0..2 {
            metrics.write(&folder.path().join("metrics")).expect("written");
        }
        let path = folder.path().join("metrics/jobs.prom");
        assert_eq!(fs::read_to_string(&path).expect("a file"), metrics.to_string());
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path().join("metrics")).expect("a folder").count(), 1);
    }
}
