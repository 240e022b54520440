//! The recorded files of `../shared/data/market`, and comparisons that are told one by one. The data is no part of this
//! repository: where the folder is absent, a test says so and compares nothing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use frontmonth::calendar::to_new_york;

/// A row of a file, as column and text.
pub(crate) type Line = BTreeMap<String, String>;

/// The folder of the files; none, and a word about it, where it is absent.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/market");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: ../shared/data/market is not here");
    None
}

/// The rows of a file. No field of these files holds a comma.
pub(crate) fn table(folder: &Path, name: &str) -> Vec<Line> {
    let file = std::fs::File::open(folder.join(format!("{name}.csv.gz"))).expect("a file");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    let mut lines = text.lines();
    let columns: Vec<String> = lines.next().expect("a header").split(',').map(str::to_owned).collect();
    lines.map(|line| columns.iter().cloned().zip(line.split(',').map(str::to_owned)).collect()).collect()
}

/// The number in a column.
pub(crate) fn number(line: &Line, column: &str) -> f64 {
    line.get(column).and_then(|text| text.parse().ok()).expect("a number")
}

/// The instant in a column.
pub(crate) fn stamp(line: &Line, column: &str) -> DateTime<Utc> {
    line.get(column).and_then(|text| text.parse().ok()).expect("a time")
}

/// The civil date in a column.
pub(crate) fn date(line: &Line, column: &str) -> NaiveDate {
    line.get(column).and_then(|text| text.parse().ok()).expect("a date")
}

/// The New York date and time of an instant.
pub(crate) fn local(at: DateTime<Utc>) -> (NaiveDate, String) {
    let there = to_new_york(at);
    (there.date_naive(), there.format("%H:%M:%S").to_string())
}

/// All comparisons, told one by one; the test fails at the end, with all that differ.
#[derive(Default)]
pub(crate) struct Told(Vec<String>);

impl Told {
    /// Compares two numbers that need not be equal to the last bit.
    pub(crate) fn close(&mut self, what: &str, (got, expected): (f64, f64), within: f64) {
        let is_near = (got - expected).abs() <= within;
        self.tell(format!("{what}: expected {expected}, got {got}"), is_near);
    }

    /// Compares two values that must be equal.
    pub(crate) fn same<T: PartialEq + Debug>(&mut self, what: &str, (got, expected): (T, T)) {
        let is_same = got == expected;
        self.tell(format!("{what}: expected {expected:?}, got {got:?}"), is_same);
    }

    /// Fails with all that differed.
    pub(crate) fn end(self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }

    fn tell(&mut self, told: String, is_right: bool) {
        println!("{told}");
        if !is_right {
            self.0.push(told);
        }
    }
}
