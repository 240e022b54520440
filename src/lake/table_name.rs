//! The tables by name.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::LakeError;

/// How alike a misspelt name must be to be suggested, from 0 to 1.
const ALIKE: f64 = 0.7;

/// A table of the lake; its folder carries the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TableName {
    /// Quotes of the lead futures, one row a symbol and slot.
    FuturesSnapshots,
    /// Quotes of the ETFs, one row a symbol and slot.
    SpotSnapshots,
    /// Daily bars of the ETFs, one row a symbol and session.
    SpotDaily,
    /// What the futures say of each ETF, one row a symbol and instant.
    FuturesSignals,
    /// What each rule says of a signal, and what was decided.
    Decisions,
    /// What became of decisions.
    Outcomes,
    /// What checks found, one row a finding and run.
    QualityFindings,
    /// Rows that were not fit to be stored, as they came.
    Quarantine,
}

impl TableName {
    /// Every table, in the order of the data's way.
    pub const ALL: [Self; 8] = [
        Self::FuturesSnapshots,
        Self::SpotSnapshots,
        Self::SpotDaily,
        Self::FuturesSignals,
        Self::Decisions,
        Self::Outcomes,
        Self::QualityFindings,
        Self::Quarantine,
    ];

    /// The name as people and folders write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FuturesSnapshots => "futures_snapshots",
            Self::SpotSnapshots => "spot_snapshots",
            Self::SpotDaily => "spot_daily",
            Self::FuturesSignals => "futures_signals",
            Self::Decisions => "decisions",
            Self::Outcomes => "outcomes",
            Self::QualityFindings => "quality_findings",
            Self::Quarantine => "quarantine",
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TableName {
    type Err = LakeError;

    fn from_str(text: &str) -> Result<Self, LakeError> {
        let exact = Self::ALL.into_iter().find(|table| table.as_str() == text);
        exact.ok_or_else(|| LakeError::UnknownTable {
            name: text.to_owned(),
            known: Self::ALL.map(Self::as_str).join(", "),
            suggestion: suggestion(text),
        })
    }
}

/// The end of the message: the table most like what was asked for, where one is.
fn suggestion(text: &str) -> String {
    let likeness = |table: &TableName| {
        let name = table.as_str();
        let first_word = name.split('_').next().unwrap_or(name);
        if text == first_word { 1.0 } else { strsim::jaro_winkler(text, name) }
    };
    // Of equals the first: the tables that others are made from come first.
    let best = TableName::ALL.into_iter().rev().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let best = best.filter(|table| likeness(table) >= ALIKE);
    best.map_or_else(String::new, |table| format!("; did you mean {table}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_found_by_its_name() {
        for table in TableName::ALL {
            assert_eq!(table.to_string().parse::<TableName>().expect("known"), table);
        }
    }

    #[test]
    fn an_unknown_table_names_the_known_and_suggests() {
        let error = |text: &str| text.parse::<TableName>().expect_err("unknown").to_string();
        assert!(error("spot").contains("did you mean spot_snapshots?"), "{}", error("spot"));
        assert!(error("future_snapshot").contains("did you mean futures_snapshots?"));
        let message = error("orders");
        assert!(
            message.contains("futures_snapshots, spot_snapshots") && !message.contains("did you mean"),
            "{message}"
        );
    }
}
