//! `--as-of`: a time, a version, or versions of named tables.

use std::collections::BTreeMap;

use crate::calendar::parse_instant;
use crate::job::{Failure, JobError};
use crate::lake::{AsOf, QueryAsOf, TableName};

/// A bare number is a version; anything else is a time.
pub(super) fn as_of(text: &str) -> Result<AsOf, JobError> {
    if let Ok(version) = text.parse() {
        return Ok(AsOf::Version(version));
    }
    Ok(AsOf::Instant(parse_instant(text)?))
}

/// As [`as_of`] for several tables: `TABLE=VERSION`, once for each, or one time or version for all that is asked.
pub(super) fn query_as_of(texts: &[String]) -> Result<QueryAsOf, JobError> {
    let mut versions = BTreeMap::new();
    for text in texts {
        if let Some((table, version)) = text.split_once('=') {
            let table: TableName = table.trim().parse()?;
            let version =
                version.trim().parse().map_err(|_| usage(format!("--as-of {text}: {version} is no version")))?;
            if versions.insert(table, version).is_some() {
                return Err(usage(format!("--as-of names {table} twice: give one version of it")));
            }
        } else if texts.len() > 1 {
            return Err(usage(format!(
                "--as-of {text} stands beside others: give it alone, or TABLE=VERSION for each"
            )));
        } else {
            return Ok(match as_of(text)? {
                AsOf::Latest => QueryAsOf::Latest,
                AsOf::Version(version) => QueryAsOf::Version(version),
                AsOf::Instant(at) => QueryAsOf::Instant(at),
            });
        }
    }
    Ok(if versions.is_empty() { QueryAsOf::Latest } else { QueryAsOf::Versions(versions) })
}

fn usage(told: String) -> JobError {
    JobError::fail(Failure::Usage, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<QueryAsOf, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        query_as_of(&texts).map_err(|error| error.to_string())
    }

    #[test]
    fn versions_are_named_or_stand_alone() {
        assert_eq!(parsed(&[]), Ok(QueryAsOf::Latest));
        assert_eq!(parsed(&["12"]), Ok(QueryAsOf::Version(12)));
        let both = BTreeMap::from([(TableName::FuturesSnapshots, 3), (TableName::SpotSnapshots, 4)]);
        assert_eq!(parsed(&["futures_snapshots=3", "spot_snapshots=4"]), Ok(QueryAsOf::Versions(both)));
        let at = parse_instant("2026-11-20T15:00Z").expect("a time");
        assert_eq!(parsed(&["2026-11-20 10:00"]), Ok(QueryAsOf::Instant(at)));
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let told = |texts: &[&str]| parsed(texts).expect_err("refused");
        assert!(told(&["futures_snapshots=x"]).contains("x is no version"));
        assert!(told(&["spot_snapshots=1", "spot_snapshots=2"]).contains("names spot_snapshots twice"));
        assert!(told(&["spot_snapshots=1", "7"]).contains("--as-of 7 stands beside others"));
        assert!(told(&["spot=1"]).contains("did you mean spot_snapshots?"));
    }
}
