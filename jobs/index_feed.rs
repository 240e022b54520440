//! Levels of indices that another program adds to a file, one JSON object a line.

use std::fs;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

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

/// The newest level of an index at or before an instant; none where there is none. A feed that cannot be read, or a line of it
/// that is no level, is told in the log and holds nothing up: without it there is only no basis.
pub(super) fn level_at(path: &Path, (index, at): (&Symbol, DateTime<Utc>)) -> Option<PricePoint> {
    let read = || -> io::Result<String> {
        let length = fs::metadata(path)?.len();
        if length > MAX_BYTES {
            return Err(io::Error::other(format!("it has more than {} MiB: begin a new one", MAX_BYTES >> 20)));
        }
        fs::read_to_string(path)
    };
    let text = match read() {
        Ok(text) => text,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the feed of indices cannot be read");
            return None;
        }
    };
    // The last line may be under way.
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let (mut newest, mut unfit): (Option<PricePoint>, Vec<usize>) = (None, Vec::new());
    for (number, text) in (1..).zip(whole.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            unfit.push(number);
            continue;
        };
        let is_newer = newest.is_none_or(|known| known.at <= line.at);
        if line.index == *index && line.at <= at && is_newer {
            newest = Some(PricePoint { at: line.at, price: line.level });
        }
    }
    if let Some(first) = unfit.first() {
        let (path, lines) = (path.display(), unfit.len());
        tracing::warn!(%path, lines, first, "lines of the feed are no levels, as jobs config generate shows one");
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = r#"{"index":"SPX","at":"2026-11-18T14:00:00Z","level":6001.5}
{"index":"NDX","at":"2026-11-18T14:05:00Z","level":22000.0}
{"index":"SPX","at":"2026-11-18T14:0{"index":"SPX","at":"2026-11-18T14:04:00Z","level":6001.75}

{"index":"SPX","at":"2026-11-18T14:05:00Z","level":6002.5}
{"index":"SPX","at":"2026-11-18T14:10:00Z","lev"#;

    fn level(feed: &str, at: &str) -> Option<f64> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("index.jsonl");
        fs::write(&path, feed).expect("written");
        let asked = (&"SPX".parse().expect("a symbol"), at.parse().expect("an instant"));
        level_at(&path, asked).map(|level| level.price)
    }

    #[test]
    fn the_newest_level_at_or_before_the_instant_counts_and_a_line_under_way_or_torn_does_not() {
        assert_eq!(level(FEED, "2026-11-18T14:04:59Z"), Some(6001.5));
        assert_eq!(level(FEED, "2026-11-18T14:30:00Z"), Some(6002.5));
        assert_eq!(level(FEED, "2026-11-18T13:59:59Z"), None);
        assert_eq!(level("", "2026-11-18T14:00:00Z"), None);
        let asked = (&"SPX".parse().expect("a symbol"), DateTime::<Utc>::MAX_UTC);
        assert_eq!(level_at(Path::new("nowhere.jsonl"), asked), None);
    }
}
