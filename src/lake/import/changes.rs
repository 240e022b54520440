//! The changes of imported rows, computed anew by our own definition: nobody knows of which contract, and over which hours,
//! those of another program are.
//!
//! A change is made of two prices of one contract, and the contract is inferred. So rows near a roll get none, and no price
//! near a roll is compared with: there a program with another habit was in another contract.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::lake::{ContractPrice, Lake, LakeError};
use crate::market::{ChangeReferences, FuturesSnapshot, PriceHistory, PricePoint, Source, Symbol};

use super::judge::{ImportRules, is_near_roll};

/// How far back a price can matter: a weekend with a holiday and a day.
const LOOKBACK: TimeDelta = TimeDelta::days(7);

/// The prices of the rows before those at hand.
#[derive(Debug, Default)]
pub(super) struct PricesBefore(Vec<ContractPrice>);

impl PricesBefore {
    /// Computes the changes of rows, which come after those of the call before.
    pub(super) async fn fill(
        &mut self,
        lake: &Lake,
        rules: &ImportRules<'_>,
        rows: &mut [FuturesSnapshot],
    ) -> Result<(), LakeError> {
        let instants = || rows.iter().map(|row| row.timestamp.instant());
        let (Some(first), Some(last)) = (instants().min(), instants().max()) else { return Ok(()) };
        self.0.retain(|price| first - price.point.at <= LOOKBACK);
        self.0.extend(rows.iter().filter_map(own_price));
        // Those of the table stand above those to come: they are what a row that is there already has.
        let stored = lake.prices(first - LOOKBACK, last).await?;
        let histories = histories(stored.iter().chain(&self.0), rows.first().map(|row| row.source));
        for row in rows.iter_mut().filter(|row| !is_near_roll(row.timestamp)) {
            let history = histories.get(&(&row.symbol, row.contract.as_str()));
            // Before the calendars begin no change can be told.
            let references = ChangeReferences::of(row.timestamp, rules.futures, rules.nyse).ok();
            let spec = rules.market.future(&row.symbol).ok();
            if let (Some(history), Some(references), Some(spec)) = (history, references, spec) {
                row.changes = references.changes(row.last, history, spec.tick);
            }
        }
        Ok(())
    }
}

fn own_price(row: &FuturesSnapshot) -> Option<ContractPrice> {
    let (symbol, contract) = (row.symbol.clone(), row.contract.clone());
    let point = PricePoint { at: row.timestamp.instant(), price: row.last? };
    Some(ContractPrice { symbol, contract, source: row.source, point })
}

/// Prices by contract, without those near a roll. Delayed ones are compared with delayed ones only.
fn histories<'a>(
    prices: impl Iterator<Item = &'a ContractPrice>,
    source: Option<Source>,
) -> BTreeMap<(&'a Symbol, &'a str), PriceHistory> {
    let is_delayed = |source: Source| source == Source::Delayed;
    let mut points: BTreeMap<(&Symbol, &str), Vec<PricePoint>> = BTreeMap::new();
    for price in prices.filter(|price| source.is_some_and(|source| is_delayed(source) == is_delayed(price.source))) {
        let slot = crate::calendar::Slot::at_or_before(price.point.at);
        if !is_near_roll(slot) {
            points.entry((&price.symbol, price.contract.as_str())).or_default().push(price.point);
        }
    }
    points.into_iter().map(|(contract, points)| (contract, PriceHistory::new(points))).collect()
}
