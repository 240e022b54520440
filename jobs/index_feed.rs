//! Levels of indices that another program adds to a file, one JSON object a line.

use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::job::{Failure, JobError};
use crate::market::{PricePoint, Symbol};

/// A larger file is not a feed any more: whoever writes it should begin a new one.
const MAX_BYTES: u64 = 256 << 20;

/// A line of the feed.
#[derive(Debug, Deserialize)]
struct Line {
    index: Symbol,
    at: DateTime<Utc>,
    level: f64,
}

/// The newest level of an index at or before an instant; none where there is none, or no file yet.
///
/// # Errors
/// Where the file cannot be read, or a line of it is no level. A last line that is still being written is left out.
pub(super) fn level_at(path: &Path, (index, at): (&Symbol, DateTime<Utc>)) -> Result<Option<PricePoint>, JobError> {
    let unfit = |told: String| JobError::fail(Failure::Misconfigured, format!("{}: {told}", path.display()));
    let text = match fs::metadata(path)
        .and_then(|file| if file.len() > MAX_BYTES { Ok(None) } else { fs::read_to_string(path).map(Some) })
    {
        Ok(Some(text)) => text,
        Ok(None) => return Err(unfit(format!("it has more than {} MiB: begin a new one", MAX_BYTES >> 20))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unfit(format!("{error}: make it readable, or take signals.index_file out"))),
    };
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let mut newest: Option<PricePoint> = None;
    for (number, text) in (1..).zip(whole.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let line: Line = serde_json::from_str(text).map_err(|error| {
            unfit(format!(
                "line {number}: {error}: write {{\"index\":\"SPX\",\"at\":\"2026-11-18T14:00:00Z\",\"level\":6001.5}}"
            ))
        })?;
        let is_newer = newest.is_none_or(|known| known.at <= line.at);
        if line.index == *index && line.at <= at && is_newer {
            newest = Some(PricePoint { at: line.at, price: line.level });
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = r#"{"index":"SPX","at":"2026-11-18T14:00:00Z","level":6001.5}
{"index":"NDX","at":"2026-11-18T14:05:00Z","level":22000.0}

{"index":"SPX","at":"2026-11-18T14:05:00Z","level":6002.5}
{"index":"SPX","at":"2026-11-18T14:10:00Z","lev"#;

    fn level(feed: &str, at: &str) -> Result<Option<f64>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("index.jsonl");
        fs::write(&path, feed).expect("written");
        let found = level_at(&path, (&"SPX".parse().expect("a symbol"), at.parse().expect("an instant")));
        found.map(|level| level.map(|level| level.price)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_newest_level_at_or_before_the_instant_counts_and_a_line_under_way_does_not() {
        assert_eq!(level(FEED, "2026-11-18T14:04:59Z"), Ok(Some(6001.5)));
        assert_eq!(level(FEED, "2026-11-18T14:30:00Z"), Ok(Some(6002.5)));
        assert_eq!(level(FEED, "2026-11-18T13:59:59Z"), Ok(None));
        assert_eq!(level("", "2026-11-18T14:00:00Z"), Ok(None));
        let nowhere =
            level_at(Path::new("nowhere.jsonl"), (&"SPX".parse().expect("a symbol"), DateTime::<Utc>::MAX_UTC));
        assert!(nowhere.expect("a feed that has not begun").is_none());
    }

    #[test]
    fn a_line_that_is_no_level_is_told_with_its_number() {
        let told = level("{\"index\":\"SPX\"}\n", "2026-11-18T14:00:00Z").expect_err("no level");
        assert!(told.contains("index.jsonl: line 1: ") && told.contains("write {\"index\""), "{told}");
    }
}
