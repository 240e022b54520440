//! The recorded futures by contract, as the price changes of the crate want them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use frontmonth::calendar::parse_instant;
use frontmonth::market::{PriceHistory, PricePoint};

use crate::market_files::{Line, number, stamp};

/// The instant of a time as New York reads it, or of one with an offset.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    parse_instant(text).expect("a time")
}

/// The prices of each contract of a file, by its month.
pub(crate) fn histories<'a>(lines: impl IntoIterator<Item = &'a Line>) -> BTreeMap<&'a str, PriceHistory> {
    let mut points: BTreeMap<&str, Vec<PricePoint>> = BTreeMap::new();
    for line in lines {
        let point = PricePoint { at: stamp(line, "obs_utc"), price: number(line, "price") };
        points.entry(line["contract"].as_str()).or_default().push(point);
    }
    points.into_iter().map(|(contract, points)| (contract, PriceHistory::new(points))).collect()
}
