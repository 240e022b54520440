//! How far the published calendars reach.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::calendar::to_new_york;
use crate::job::Calendars;

/// How far a calendar's published days reach; after that days follow the rules and are provisional.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Horizon {
    pub(crate) calendar: String,
    #[serde(rename = "horizon_date")]
    pub(crate) date: NaiveDate,
    #[serde(rename = "horizon_days")]
    pub(crate) days: i64,
}

/// The horizons of both calendars, as seen from an instant.
pub(crate) fn horizons(calendars: &Calendars, at: DateTime<Utc>) -> Vec<Horizon> {
    let today = to_new_york(at).date_naive();
    let both = [&calendars.futures, &calendars.nyse];
    both.map(|calendar| {
        let date = *calendar.coverage().end();
        let days = (date - today).num_days();
        Horizon { calendar: calendar.id().to_string(), date, days }
    })
    .to_vec()
}
