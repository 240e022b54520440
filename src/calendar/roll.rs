//! The roll: when the next quarterly contract becomes the lead contract.
//!
//! Both habits count back from the third Friday, not from the last trade date. The lead changes at the open of the roll
//! date's session, which is the evening before.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::civil::{LAST_RULE_DAY, day_after, day_before, days_before, ymd};
use super::{CalendarError, CalendarId, ContractMonth, chicago, to_new_york};

/// The first day on which a lead contract is told.
const FIRST_DAY: NaiveDate = ymd(2000, 1, 1);

/// When the next contract month becomes lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RollRule {
    /// On the Monday of the expiry week, four days before the third Friday.
    #[serde(rename = "monday")]
    Monday,
    /// On the Thursday of the week before, eight days before the third Friday.
    #[serde(rename = "thursday_8d")]
    Thursday8d,
    /// As it was at the time: Thursday before contract 202206, Monday from it on.
    #[default]
    #[serde(rename = "by_date")]
    ByDate,
}

impl RollRule {
    const ALL: [RollRule; 3] = [RollRule::ByDate, RollRule::Monday, RollRule::Thursday8d];

    /// The name in text and configuration: `monday`, `thursday_8d` or `by_date`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RollRule::Monday => "monday",
            RollRule::Thursday8d => "thursday_8d",
            RollRule::ByDate => "by_date",
        }
    }

    /// How many days before the third Friday of `month` the next month becomes lead.
    fn days_before_third_friday(self, month: ContractMonth) -> u64 {
        match self {
            RollRule::Thursday8d => 8,
            RollRule::ByDate if (month.year(), month.month()) < (2022, 6) => 8,
            RollRule::Monday | RollRule::ByDate => 4,
        }
    }
}

impl fmt::Display for RollRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RollRule {
    type Err = CalendarError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || CalendarError::UnknownRollRule { name: name.to_owned() };
        RollRule::ALL.into_iter().find(|rule| rule.as_str() == name).ok_or_else(unknown)
    }
}

/// The civil date of the session on which the month after `month` becomes lead.
#[must_use]
pub fn roll_date(month: ContractMonth, rule: RollRule) -> NaiveDate {
    days_before(month.third_friday(), rule.days_before_third_friday(month))
}

/// The instant at which the month after `month` becomes lead: the CME open of the roll date's session, 17:00 in Chicago
/// (18:00 in New York) on the evening before, a Sunday for a Monday.
#[must_use]
pub fn roll_at(month: ContractMonth, rule: RollRule) -> DateTime<Utc> {
    let evening_before = day_before(roll_date(month, rule)).and_time(NaiveTime::MIN);
    chicago(evening_before.checked_add_signed(TimeDelta::hours(17)).unwrap_or(evening_before))
}

/// The contract month that leads at an instant of 2000 to 2099.
///
/// # Errors
///
/// [`CalendarError::BeforeCoverage`] or [`CalendarError::AfterRules`], for the New York date of `at`.
pub fn lead_month(at: DateTime<Utc>, rule: RollRule) -> Result<ContractMonth, CalendarError> {
    let (calendar, first, last) = (CalendarId::CmeEquity, FIRST_DAY, LAST_RULE_DAY);
    let utc_day = at.date_naive();
    // At the ends of time there may be no New York date to represent; the UTC date is as good for the message.
    let is_near = first <= utc_day && utc_day <= day_after(last);
    let day = if is_near { to_new_york(at).date_naive() } else { utc_day };
    if day < first {
        return Err(CalendarError::BeforeCoverage { calendar, day, first });
    }
    if day > last {
        return Err(CalendarError::AfterRules { calendar, day, last });
    }
    // The contract of the running quarter leads until its roll, and then the next.
    let running = ContractMonth::new(day.year(), day.month().div_ceil(3) * 3)?;
    Ok(if at < roll_at(running, rule) { running } else { running.next() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contract(text: &str) -> ContractMonth {
        text.parse().unwrap()
    }

    fn lead(at: &str, rule: RollRule) -> String {
        lead_month(at.parse().unwrap(), rule).unwrap().to_string()
    }

    #[test]
    fn december_2026_rolls_on_sunday_evening_before_monday_the_fourteenth() {
        let december = contract("202612");
        assert_eq!(roll_date(december, RollRule::ByDate), ymd(2026, 12, 14));
        assert_eq!(to_new_york(roll_at(december, RollRule::ByDate)).to_string(), "2026-12-13 18:00:00 EST");
        assert_eq!(lead("2026-12-13T22:59:59Z", RollRule::ByDate), "202612");
        assert_eq!(lead("2026-12-13T23:00:00Z", RollRule::ByDate), "202703");
        assert_eq!(lead("2026-12-13T23:00:00Z", RollRule::Thursday8d), "202703");
        assert_eq!(lead("2026-12-09T22:59:59Z", RollRule::Thursday8d), "202612");
        assert_eq!(lead("2026-12-09T23:00:00Z", RollRule::Thursday8d), "202703");
    }

    #[test]
    fn the_roll_moved_from_thursday_to_monday_with_june_2022() {
        assert_eq!(roll_date(contract("202203"), RollRule::ByDate), ymd(2022, 3, 10));
        assert_eq!(roll_date(contract("202206"), RollRule::ByDate), ymd(2022, 6, 13));
    }

    #[test]
    fn the_roll_counts_from_the_third_friday_also_when_trading_ends_before() {
        assert_eq!(roll_date(contract("202606"), RollRule::ByDate), ymd(2026, 6, 15));
        assert_eq!(roll_date(contract("202706"), RollRule::ByDate), ymd(2027, 6, 14));
    }

    #[test]
    fn a_roll_on_the_night_the_clocks_change_is_still_at_six_in_the_evening() {
        // Sunday 2027-03-14 is the change; the third Friday is the 19th.
        assert_eq!(to_new_york(roll_at(contract("202703"), RollRule::Monday)).to_string(), "2027-03-14 18:00:00 EDT");
    }

    #[test]
    fn a_rule_reads_back_from_its_name() {
        for rule in RollRule::ALL {
            assert_eq!(rule.to_string().parse(), Ok(rule));
            assert_eq!(serde_json::to_string(&rule).unwrap(), format!("\"{rule}\""));
        }
        let message = "volume".parse::<RollRule>().unwrap_err().to_string();
        assert_eq!(message, "unknown roll rule \"volume\": known are by_date, monday and thursday_8d");
    }

    #[test]
    fn outside_the_century_there_is_no_lead() {
        let ask = |at: DateTime<Utc>| lead_month(at, RollRule::ByDate);
        assert!(matches!(ask(DateTime::<Utc>::MIN_UTC), Err(CalendarError::BeforeCoverage { .. })));
        assert!(matches!(ask("2000-01-01T04:59:59Z".parse().unwrap()), Err(CalendarError::BeforeCoverage { .. })));
        assert!(matches!(ask("2100-01-01T05:00:00Z".parse().unwrap()), Err(CalendarError::AfterRules { .. })));
        assert!(matches!(ask(DateTime::<Utc>::MAX_UTC), Err(CalendarError::AfterRules { .. })));
    }

    proptest! {
        #[test]
        fn the_lead_is_past_the_last_roll_before_its_own_and_still_trades(
            seconds in 946_800_000_i64..4_102_358_400, // 2000-01-02 to 2099-12-31
            rule in prop::sample::select(RollRule::ALL.to_vec()),
        ) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let lead = lead_month(at, rule).unwrap();
            prop_assert!(at < roll_at(lead, rule));
            prop_assert!(roll_at(lead.previous(), rule) <= at);
            prop_assert!(at < lead.last_trade_at());
        }

        #[test]
        fn the_roll_is_at_six_in_the_evening_before_its_date(year in 2000..=2099, quarter in 1_u32..=4) {
            let month = ContractMonth::new(year, quarter * 3).unwrap();
            for rule in RollRule::ALL {
                let at = to_new_york(roll_at(month, rule));
                prop_assert_eq!(at.time(), NaiveTime::from_hms_opt(18, 0, 0).unwrap());
                prop_assert_eq!(day_after(at.date_naive()), roll_date(month, rule));
            }
        }
    }
}
