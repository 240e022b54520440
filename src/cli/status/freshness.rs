//! How fresh the tables are: the newest row of each symbol against the newest slot that should be there.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::calendar::Calendar;
use crate::config::Config;
use crate::job::{Calendars, JobError};
use crate::lake::{Lake, TableName};

use super::super::output::eastern;

/// So long after a slot its rows may be on their way: the start deadline and the timeout of a capture, and some.
const ON_THE_WAY: TimeDelta = TimeDelta::minutes(3);

/// Longest stretch without an open slot, and room.
const LONGEST_CLOSURE: TimeDelta = TimeDelta::days(10);

/// How fresh the rows of a symbol are.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Freshness {
    pub(super) table: String,
    pub(super) symbol: String,
    pub(super) newest_slot_utc: Option<DateTime<Utc>>,
    /// The newest slot that should be there.
    pub(super) expected_slot_utc: Option<DateTime<Utc>>,
    /// Slots from the newest row's to the expected one; none where there is no row at all.
    pub(super) behind_slots: Option<usize>,
    pub(super) state: FreshnessState,
    /// Why it is not judged.
    pub(super) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FreshnessState {
    Fresh,
    Stale,
    NotJudged,
}

impl FreshnessState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::NotJudged => "not judged",
        }
    }
}

/// By what freshness is judged.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) at: DateTime<Utc>,
    /// From when on slots are accounted for; none where the schedule was never taken up.
    pub(super) since: Option<DateTime<Utc>>,
    /// Why nothing is captured, where a person wanted it so.
    pub(super) paused: Option<String>,
}

/// Looks at every configured symbol.
pub(super) async fn freshness(
    config: &Config,
    calendars: &Calendars,
    terms: &Terms,
) -> Result<Vec<Freshness>, JobError> {
    let lake = Lake::reader(&config.lake)?;
    let mut all = Vec::new();
    for symbol in &config.market.futures {
        let newest = lake.latest_futures(symbol).await?.map(|row| row.timestamp.instant());
        let name = (TableName::FuturesSnapshots, symbol.as_str());
        all.push(terms.judge(name, newest, &calendars.futures)?);
    }
    for symbol in &config.market.spot {
        let newest = lake.latest_spot(symbol).await?.map(|row| row.timestamp.instant());
        let name = (TableName::SpotSnapshots, symbol.as_str());
        all.push(terms.judge(name, newest, &calendars.nyse)?);
    }
    Ok(all)
}

impl Terms {
    /// While the market is closed, against the newest slot of its last session.
    fn judge(
        &self,
        (table, symbol): (TableName, &str),
        newest: Option<DateTime<Utc>>,
        calendar: &Calendar,
    ) -> Result<Freshness, JobError> {
        let recent = calendar.slots(self.at - LONGEST_CLOSURE, self.at - ON_THE_WAY)?;
        let expected = recent.last().map(|slot| slot.instant());
        let behind = newest.map(|newest| recent.iter().filter(|slot| slot.instant() > newest).count());
        let reason = self.paused.clone().or_else(|| self.too_new(expected));
        let state = match (&reason, behind) {
            (_, Some(0)) => FreshnessState::Fresh,
            (Some(_), _) => FreshnessState::NotJudged,
            (None, _) => FreshnessState::Stale,
        };
        Ok(Freshness {
            table: table.to_string(),
            symbol: symbol.to_owned(),
            newest_slot_utc: newest,
            expected_slot_utc: expected,
            behind_slots: behind,
            state,
            reason: reason.filter(|_| state == FreshnessState::NotJudged),
        })
    }

    /// Why the slot that should be there is nobody's fault, where it lies before the schedule's beginning.
    fn too_new(&self, expected: Option<DateTime<Utc>>) -> Option<String> {
        match (self.since, expected) {
            (None, _) => Some("the schedule has not been taken up yet".to_owned()),
            (Some(since), Some(expected)) if since <= expected => None,
            (Some(since), _) => Some(format!("the schedule was first taken up after that slot, {}", eastern(since))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::calendar::{CalendarId, parse_instant};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect("New York time")
    }

    fn found(id: CalendarId, now: &str, newest: Option<&str>) -> Freshness {
        let terms = Terms { at: at(now), since: Some(at("2026-11-16T09:00")), paused: None };
        let name = (TableName::FuturesSnapshots, "ES");
        terms.judge(name, newest.map(at), &Calendar::embedded(id)).expect("covered")
    }

    fn judged(now: &str, newest: Option<&str>) -> (FreshnessState, Option<usize>) {
        let found = found(CalendarId::CmeEquity, now, newest);
        (found.state, found.behind_slots)
    }

    #[test]
    fn a_row_may_be_on_its_way_for_some_minutes_and_the_weekend_makes_nothing_stale() {
        let noon = Some("2026-11-18T12:00");
        assert_eq!(judged("2026-11-18T12:07", noon), (FreshnessState::Fresh, Some(0)));
        assert_eq!(judged("2026-11-18T12:08", noon), (FreshnessState::Stale, Some(1)));
        let friday = Some("2026-11-20T17:00");
        assert_eq!(judged("2026-11-22T12:00", friday), (FreshnessState::Fresh, Some(0)));
        assert_eq!(judged("2026-11-22T18:30", friday), (FreshnessState::Stale, Some(5)));
        assert_eq!(judged("2026-11-18T12:08", None), (FreshnessState::Stale, None));
    }

    #[test]
    fn what_was_never_scheduled_is_not_stale() {
        let before = found(CalendarId::CmeEquity, "2026-11-16T09:02", Some("2026-11-13T17:00"));
        assert_eq!(before.state, FreshnessState::NotJudged);
        let told = "the schedule was first taken up after that slot, Mon 2026-11-16 09:00 ET";
        assert_eq!(before.reason.as_deref(), Some(told));
        let terms = Terms { at: at("2026-11-16T09:02"), since: None, paused: None };
        assert_eq!(terms.too_new(None).as_deref(), Some("the schedule has not been taken up yet"));
    }

    #[test]
    fn a_closed_market_is_judged_by_the_last_slot_of_its_last_session() {
        let overnight = |newest| {
            let found = found(CalendarId::Nyse, "2026-11-18T23:00", Some(newest));
            (found.state, found.behind_slots)
        };
        assert_eq!(overnight("2026-11-18T16:00"), (FreshnessState::Fresh, Some(0)));
        assert_eq!(overnight("2026-11-18T15:50"), (FreshnessState::Stale, Some(2)));
        let since_the_close = Terms { at: at("2026-11-18T23:00"), since: Some(at("2026-11-18T18:00")), paused: None };
        let name = (TableName::SpotSnapshots, "SPY");
        let found = since_the_close.judge(name, None, &Calendar::embedded(CalendarId::Nyse)).expect("covered");
        assert_eq!(found.state, FreshnessState::NotJudged, "nobody was there to capture it");
    }
}
