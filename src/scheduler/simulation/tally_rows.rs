//! Counting the rows of a range against the calendars.

use crate::calendar::Calendar;
use crate::job::{Environment, JobError};
use crate::lake::{KeyRange, TableName};
use crate::market::Symbol;

use super::{SimulatedRange, TableAccount};

/// Sessions that one scan counts, so that it stays small.
const SESSIONS_A_SCAN: usize = 21;

/// Rows, keys and what both should be, of each table.
pub(super) async fn count(environment: &Environment, range: &SimulatedRange) -> Result<Vec<TableAccount>, JobError> {
    let (market, calendars) = (&environment.config().market, environment.calendars());
    let mut tables = Vec::new();
    for (table, calendar, symbols) in [
        (TableName::FuturesSnapshots, &calendars.futures, &market.futures),
        (TableName::SpotSnapshots, &calendars.nyse, &market.spot),
    ] {
        tables.push(of_table(environment, (table, calendar, symbols), range).await?);
    }
    Ok(tables)
}

async fn of_table(
    environment: &Environment,
    (table, calendar, symbols): (TableName, &Calendar, &[Symbol]),
    range: &SimulatedRange,
) -> Result<TableAccount, JobError> {
    let slots = calendar.slots(range.open(), range.close())?;
    let mut account = TableAccount { table, expected: slots.len() * symbols.len(), rows: 0, keys: 0 };
    for part in range.sessions().chunks(SESSIONS_A_SCAN) {
        let Some((first, last)) = part.first().zip(part.last()) else { continue };
        let keys = KeyRange { symbols: symbols.to_vec(), from: first.open(), to: last.close() };
        let counted = environment.lake().count(table, &keys).await?;
        account.rows += counted.rows;
        account.keys += counted.keys;
    }
    Ok(account)
}
