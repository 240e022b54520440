//! The prices at the end of the futures table, kept between two slots: all that one version holds from an instant on.

use chrono::{DateTime, TimeDelta, Utc};

use super::read::ContractPrice;

/// How far behind the newest question prices are kept.
const KEPT: TimeDelta = TimeDelta::days(3);

/// All prices of a version from an instant on, by symbol and instant.
#[derive(Debug)]
pub(super) struct RecentPrices {
    from: DateTime<Utc>,
    prices: Vec<ContractPrice>,
}

impl RecentPrices {
    /// What a version was found to hold from an instant on, in order.
    pub(super) fn new(from: DateTime<Utc>, prices: Vec<ContractPrice>) -> Self {
        Self { from, prices }
    }

    /// The prices between two instants, both included; none where they begin before what is kept.
    pub(super) fn between(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Vec<ContractPrice>> {
        if from < self.from {
            return None;
        }
        if from - self.from > KEPT {
            self.from = from;
            self.prices.retain(|price| from <= price.point.at);
        }
        let asked = self.prices.iter().filter(|price| from <= price.point.at && price.point.at <= to);
        Some(asked.cloned().collect())
    }

    /// Takes in what was added to the table.
    pub(super) fn extend(&mut self, added: impl Iterator<Item = ContractPrice>) {
        let from = self.from;
        self.prices.extend(added.filter(|price| from <= price.point.at));
        self.prices.sort_by(|a, b| (&a.symbol, a.point.at).cmp(&(&b.symbol, b.point.at)));
    }
}
