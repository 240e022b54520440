//! The days on which calendars go wrong, and the yearly counts: facts the whole module must give, without the golden files.
//!
//! Source: the holiday schedules and notices of CME Group and NYSE.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use super::civil::{days_in, is_weekend, ymd};
use super::{Calendar, CalendarId, DayKind, Session, chicago, new_york, to_new_york};

fn cme(day: NaiveDate) -> Option<Session> {
    Calendar::embedded(CalendarId::CmeEquity).session(day).unwrap()
}

fn nyse(day: NaiveDate) -> Option<Session> {
    Calendar::embedded(CalendarId::Nyse).session(day).unwrap()
}

/// `HH:MM` in Chicago at which the last trade of a CME session is made.
fn last_trade(day: NaiveDate) -> String {
    let close = cme(day).unwrap().close();
    (to_new_york(close) - TimeDelta::hours(1)).format("%H:%M").to_string()
}

/// The first open after the close of a CME session, in New York.
fn reopens(day: NaiveDate) -> String {
    let calendar = Calendar::embedded(CalendarId::CmeEquity);
    let open = calendar.next_open(cme(day).unwrap().close()).unwrap();
    to_new_york(open).format("%a %Y-%m-%d %H:%M").to_string()
}

#[test]
fn the_mourning_days_end_at_the_open_of_new_york_and_reopen_in_the_evening() {
    for (day, evening) in [(ymd(2018, 12, 5), "Wed 2018-12-05 18:00"), (ymd(2025, 1, 9), "Thu 2025-01-09 18:00")] {
        assert_eq!(last_trade(day), "08:30");
        assert_eq!(reopens(day), evening);
        assert_eq!(cme(day).unwrap().regular, None);
        assert_eq!(nyse(day), None);
    }
}

#[test]
fn sandy_closes_new_york_for_two_days_and_the_futures_each_morning() {
    for day in [ymd(2012, 10, 29), ymd(2012, 10, 30)] {
        assert_eq!(nyse(day), None);
        assert_eq!(last_trade(day), "08:15");
        assert_eq!(cme(day).unwrap().kind, DayKind::EarlyClose);
    }
    assert_eq!(reopens(ymd(2012, 10, 30)), "Tue 2012-10-30 18:00");
    assert_eq!(cme(ymd(2012, 10, 31)).unwrap().kind, DayKind::Normal);
}

#[test]
fn a_good_friday_with_a_jobs_report_trades_until_a_quarter_past_eight() {
    for (year, month, day) in [(2010, 4, 2), (2012, 4, 6), (2015, 4, 3), (2021, 4, 2), (2023, 4, 7), (2026, 4, 3)] {
        let day = ymd(year, month, day);
        assert_eq!(last_trade(day), "08:15");
        assert!(reopens(day).starts_with("Sun "));
        assert_eq!(nyse(day), None);
        assert_eq!(cme(day).unwrap().regular, None);
    }
}

#[test]
fn a_good_friday_without_one_is_closed() {
    for (year, month, day) in [(2011, 4, 22), (2024, 3, 29), (2025, 4, 18), (2027, 3, 26)] {
        assert_eq!(cme(ymd(year, month, day)), None);
    }
}

#[test]
fn a_noon_friday_reopens_on_sunday() {
    for (year, month, day) in
        [(2014, 7, 4), (2015, 7, 3), (2020, 7, 3), (2025, 7, 4), (2026, 6, 19), (2026, 7, 3), (2027, 6, 18)]
    {
        let friday = ymd(year, month, day);
        assert_eq!(last_trade(friday), "12:00");
        assert!(reopens(friday).starts_with("Sun "), "{friday}");
    }
}

#[test]
fn a_noon_monday_reopens_the_same_evening() {
    assert_eq!(last_trade(ymd(2010, 7, 5)), "10:30");
    for (year, month, day) in [(2021, 7, 5), (2022, 6, 20), (2027, 7, 5)] {
        assert_eq!(last_trade(ymd(year, month, day)), "12:00");
        assert_eq!(reopens(ymd(year, month, day)), format!("Mon {year}-{month:02}-{day:02} 18:00"));
    }
}

#[test]
fn a_half_day_of_new_york_ends_a_quarter_of_an_hour_earlier_than_the_futures() {
    for day in [ymd(2023, 7, 3), ymd(2024, 11, 29), ymd(2026, 11, 27), ymd(2026, 12, 24)] {
        assert_eq!(last_trade(day), "12:15");
        let (futures, stocks) = (cme(day).unwrap(), nyse(day).unwrap());
        assert_eq!(futures.close() - stocks.close(), TimeDelta::minutes(15));
        assert_eq!(futures.regular, stocks.regular);
        assert_eq!(stocks.num_slots(), 42);
    }
}

#[test]
fn the_late_opens_are_at_five_in_the_morning() {
    for (year, month, day) in [(2011, 12, 27), (2012, 1, 3), (2012, 12, 26), (2013, 1, 2), (2013, 12, 26), (2014, 1, 2)]
    {
        let session = cme(ymd(year, month, day)).unwrap();
        assert_eq!(session.kind, DayKind::LateOpen);
        assert_eq!(session.open(), chicago(ymd(year, month, day).and_hms_opt(5, 0, 0).unwrap()));
        assert_eq!(session.segments.len(), 2);
    }
    assert_eq!(cme(ymd(2018, 12, 26)).unwrap().kind, DayKind::Normal);
}

#[test]
fn the_saturdays_one_library_shows_are_closed() {
    for day in [ymd(2026, 6, 20), ymd(2026, 7, 4), ymd(2027, 6, 19)] {
        assert_eq!(cme(day), None);
    }
}

#[test]
fn the_outage_of_2025_is_not_in_the_calendar() {
    let at: DateTime<Utc> = "2025-11-28T04:00:00Z".parse().unwrap();
    assert!(Calendar::embedded(CalendarId::CmeEquity).is_open(at).unwrap());
}

#[test]
fn the_odd_minutes_of_new_york_are_kept() {
    let hours = |year, month, day| {
        let session = nyse(ymd(year, month, day)).unwrap();
        [session.open(), session.close()].map(|at| to_new_york(at).format("%H:%M").to_string()).join("-")
    };
    assert_eq!(hours(2001, 9, 17), "09:33-16:00");
    assert_eq!(hours(2001, 10, 8), "09:31-16:00");
    assert_eq!(hours(2002, 9, 11), "12:00-16:00");
    assert_eq!(hours(2005, 6, 1), "09:30-15:56");
    assert_eq!(hours(2002, 7, 3), "09:30-16:00");
    assert_eq!(hours(2002, 7, 5), "09:30-13:00");
    assert_eq!(hours(2003, 12, 26), "09:30-13:00");
    assert_eq!((11..=14).filter_map(|day| nyse(ymd(2001, 9, day))).count(), 0);
}

#[test]
fn the_nights_the_clocks_change_lie_in_the_weekend_and_move_the_open() {
    let calendar = Calendar::embedded(CalendarId::CmeEquity);
    for (sunday, open) in [
        (ymd(2026, 3, 8), "2026-03-08T22:00:00Z"),
        (ymd(2026, 11, 1), "2026-11-01T23:00:00Z"),
        (ymd(2027, 3, 14), "2027-03-14T22:00:00Z"),
        (ymd(2027, 11, 7), "2027-11-07T23:00:00Z"),
    ] {
        let night = new_york(sunday.and_hms_opt(0, 0, 0).unwrap());
        assert_eq!(calendar.slots(night, night + TimeDelta::hours(12)), Ok(Vec::new()));
        let monday = cme(sunday.succ_opt().unwrap()).unwrap();
        assert_eq!(monday.open(), open.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(calendar.next_open(night), Ok(monday.open()));
        assert_eq!(monday.num_slots(), 276);
    }
}

/// Year, weekdays, NYSE sessions, NYSE early, CME sessions, CME early, CME late, CME closed, CME rows, CME slots.
const YEARLY_COUNTS: [[usize; 10]; 18] = [
    [2010, 261, 252, 1, 259, 8, 0, 2, 461, 71_115],
    [2011, 260, 252, 1, 258, 7, 1, 2, 459, 70_776],
    [2012, 261, 250, 3, 259, 12, 2, 2, 461, 70_506],
    [2013, 261, 252, 3, 258, 9, 2, 3, 507, 70_389],
    [2014, 261, 252, 3, 258, 9, 1, 3, 507, 70_605],
    [2015, 261, 252, 2, 259, 9, 0, 2, 509, 70_803],
    [2016, 261, 252, 1, 258, 7, 0, 3, 509, 70_122],
    [2017, 260, 251, 2, 257, 8, 0, 3, 506, 69_807],
    [2018, 261, 251, 3, 258, 10, 0, 3, 506, 69_951],
    [2019, 261, 252, 3, 258, 9, 0, 3, 507, 70_038],
    [2020, 262, 253, 2, 259, 8, 0, 3, 510, 70_353],
    [2021, 261, 252, 1, 259, 8, 0, 2, 380, 70_695],
    [2022, 260, 251, 1, 258, 8, 0, 2, 258, 70_827],
    [2023, 260, 250, 2, 258, 10, 0, 2, 258, 70_689],
    [2024, 262, 252, 3, 259, 10, 0, 3, 259, 71_013],
    [2025, 261, 250, 3, 258, 11, 0, 3, 258, 70_647],
    [2026, 261, 251, 2, 259, 10, 0, 2, 259, 70_965],
    [2027, 261, 251, 1, 258, 8, 0, 3, 258, 70_827],
];

fn counts(year: i32) -> [usize; 10] {
    let (first, last) = (ymd(year, 1, 1), ymd(year, 12, 31));
    let sessions = |id| Calendar::embedded(id).sessions(first, last).unwrap();
    let (futures, stocks) = (sessions(CalendarId::CmeEquity), sessions(CalendarId::Nyse));
    let num_of = |sessions: &[Session], kind| sessions.iter().filter(|session| session.kind == kind).count();
    let num_weekdays = days_in(first..=last).filter(|day| !is_weekend(*day)).count();
    [
        usize::try_from(first.year()).unwrap(),
        num_weekdays,
        stocks.len(),
        num_of(&stocks, DayKind::EarlyClose),
        futures.len(),
        num_of(&futures, DayKind::EarlyClose),
        num_of(&futures, DayKind::LateOpen),
        num_weekdays - futures.len(),
        futures.iter().map(|session| session.segments.len()).sum(),
        futures.iter().map(Session::num_slots).sum(),
    ]
}

#[test]
fn every_year_has_the_counts_of_the_facts() {
    for (year, expected) in (2010..).zip(YEARLY_COUNTS) {
        assert_eq!(counts(year), expected);
    }
}

#[test]
fn the_sessions_of_2026_have_70_965_slots() {
    let calendar = Calendar::embedded(CalendarId::CmeEquity);
    let (from, to) = (ymd(2026, 1, 1), ymd(2026, 12, 31));
    let sessions = calendar.sessions(from, to).unwrap();
    let (first, last) = (sessions.first().unwrap(), sessions.last().unwrap());
    assert_eq!(calendar.slots(first.open(), last.close()).unwrap().len(), 70_965);
    assert_eq!(sessions.iter().map(|session| session.slots().count()).sum::<usize>(), 70_965);
}

#[test]
fn from_2015_on_ninety_weekdays_have_futures_and_no_stocks_and_none_the_reverse() {
    let days = || days_in(ymd(2015, 1, 1)..=ymd(2027, 12, 31));
    let futures_alone = days().filter_map(cme).filter(|session| session.regular.is_none()).count();
    assert_eq!(futures_alone, 90);
    let stocks_alone =
        days_in(ymd(2010, 1, 1)..=ymd(2027, 12, 31)).filter(|day| cme(*day).is_none() && nyse(*day).is_some());
    assert_eq!(stocks_alone.count(), 0);
}
