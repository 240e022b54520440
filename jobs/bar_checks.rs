//! The bars of the newest session, asked for once more and checked: their shape, and whether live rows tell the same.

use chrono::{DateTime, Utc};

use crate::calendar::{Session, Slot};
use crate::gateway::{ChainScope, Gateway};
use crate::job::{Context, Disposition, JobError, chain};
use crate::market::{Bar, Instrument, Symbol, lead_contract};
use crate::quality::{BarBatch, CheckRun, Row, bar_checks, run_checks};

use super::bars::{Table, request};
use super::look::merged;

/// The checks of bars over the newest session, each series against the rows of the same contract. What the gateway does not
/// give is left out: that it is down is told by others.
pub(super) async fn of_bars(
    context: &Context,
    (sessions, rows): (&[Session], &[Row]),
    (slot, now): (Slot, DateTime<Utc>),
) -> Vec<CheckRun> {
    let (Ok(gateway), Some(session)) = (context.gateway().await, sessions.last()) else { return Vec::new() };
    let until = session.close().min(now);
    let market = &context.config.market;
    let futures = market.futures.iter().map(|symbol| (symbol, Table::Futures));
    let etfs = market.spot.iter().map(|symbol| (symbol, Table::Spot));
    let mut runs = Vec::new();
    for (symbol, table) in futures.chain(etfs) {
        let (contract, bars) = match series(context, gateway.as_ref(), (symbol, table), (session.open(), until)).await {
            Ok(series) => series,
            Err(error) => {
                tracing::warn!(%symbol, error = %chain(&error), "no bars to check");
                // One that does not answer would let every further request wait in vain.
                if error.disposition() == Disposition::Retry {
                    break;
                }
                continue;
            }
        };
        let is_own = |row: &&Row| {
            row.symbol == *symbol && row.at > session.open() && (table == Table::Spot || row.contract == contract)
        };
        let own: Vec<Row> = rows.iter().filter(is_own).cloned().collect();
        let batch = BarBatch { table: table.name(), symbol, bars: &bars, rows: &own };
        runs = merged(runs, run_checks(&bar_checks(batch), &context.config.quality, (slot, now)));
    }
    runs
}

/// The bars of a symbol after one instant and until another, and the name of the contract that led at the later one.
async fn series(
    context: &Context,
    gateway: &dyn Gateway,
    (symbol, table): (&Symbol, Table),
    (after, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(Option<String>, Vec<Bar>), JobError> {
    let (contract, instrument) = match table {
        Table::Futures => {
            let chain = gateway.futures_chain(symbol, ChainScope::WithExpired).await?;
            let lead = lead_contract(&chain, until, context.config.market.roll_rule)?.contract;
            (Some(lead.local_symbol.clone()), Instrument::Future(lead))
        }
        Table::Spot => (None, Instrument::Etf(gateway.etf(symbol)?)),
    };
    Ok((contract, gateway.bars(&request(instrument, after, until)).await?))
}
