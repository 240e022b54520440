//! The calendar against the golden tables in `../shared/data/calendars`: every five-minute instant of 2010-2027 (CME) and
//! 2000-2027 (NYSE), every segment and kind, expiries, rolls and clock changes. No difference is accepted.
//!
//! Where the folder is absent the tests say so and pass; the counts that need no folder are in the module itself.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a golden table that cannot be read must fail the test"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use frontmonth::calendar::{
    Calendar, CalendarId, ContractMonth, DayKind, RollRule, SLOT_MINUTES, Segment, Session, Slot, TradingDay, chicago,
    lead_month, new_york, roll_at, roll_date, to_new_york,
};

/// The sessions of a golden table by date: the segments and the kind.
type Golden = BTreeMap<NaiveDate, (Vec<Segment>, DayKind)>;
type Row = BTreeMap<String, String>;

/// The rows of a golden table by column; none, and a word about it, where the folder is absent.
fn rows(file: &str) -> Option<Vec<Row>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/calendars");
    if !folder.is_dir() {
        println!("skipped: ../shared/data/calendars is not here");
        return None;
    }
    let mut reader = csv::Reader::from_path(folder.join(file)).unwrap();
    Some(reader.deserialize().map(Result::unwrap).collect())
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn golden(rows: &[Row], kind: impl Fn(&Row) -> DayKind) -> Golden {
    let mut sessions = Golden::new();
    for row in rows {
        let segment = Segment { open: instant(&row["open_utc"]), close: instant(&row["close_utc"]) };
        let session = sessions.entry(date(&row["session_date"])).or_insert_with(|| (Vec::new(), kind(row)));
        session.0.push(segment);
    }
    sessions
}

fn golden_cme() -> Option<Golden> {
    let kind = |row: &Row| match row["day_kind"].as_str() {
        "normal" => DayKind::Normal,
        "early_close" => DayKind::EarlyClose,
        "late_open" => DayKind::LateOpen,
        other => panic!("unknown kind {other}"),
    };
    Some(golden(&rows("cme_equity_2010-2027.csv")?, kind))
}

fn golden_nyse() -> Option<Golden> {
    let kind = |row: &Row| match (row["early_close"].as_str(), row["late_open"].as_str()) {
        ("1", "0") => DayKind::EarlyClose,
        ("0", "1") => DayKind::LateOpen,
        ("0", "0") => DayKind::Normal,
        other => panic!("unknown kind {other:?}"),
    };
    Some(golden(&rows("nyse_2000-2027.csv")?, kind))
}

/// Every day of the coverage: date, segments, kind, regular hours, slots, and none on closed days.
fn differing_days(calendar: &Calendar, golden: &Golden, regular: &Golden) -> Vec<NaiveDate> {
    let days = calendar.coverage().start().iter_days().take_while(|day| day <= calendar.coverage().end());
    days.filter(|day| {
        let expected = golden.get(day).map(|(segments, kind)| Session {
            day: TradingDay::new(*day),
            segments: segments.clone(),
            regular: regular.get(day).map(|(segments, _)| segments[0]),
            kind: *kind,
            provisional: false,
        });
        calendar.session(*day).unwrap() != expected
    })
    .collect()
}

/// Every five-minute instant of the coverage: open as `[open, close)`, slot as `(open, close]`, and the list of slots.
fn differing_instants(calendar: &Calendar, golden: &Golden) -> (usize, usize) {
    let segments: Vec<Segment> = golden.values().flat_map(|(segments, _)| segments.clone()).collect();
    // The first is 00:05 in Chicago: the slot of midnight itself would be of the day before coverage.
    let midnight = |day: NaiveDate| new_york(day.and_time(NaiveTime::MIN));
    let from = midnight(*calendar.coverage().start()) + TimeDelta::minutes(65);
    let to = midnight(calendar.coverage().end().succ_opt().unwrap());
    let mut listed = calendar.slots(from, to).unwrap().into_iter().peekable();
    let (mut num_instants, mut num_differing, mut not_over) = (0, 0, 0);
    let mut slot = Slot::at(from).unwrap();
    while slot.instant() < to {
        let at = slot.instant();
        while segments.get(not_over).is_some_and(|segment| segment.close < at) {
            not_over += 1;
        }
        let near = segments.iter().skip(not_over).take(2);
        let is_open = near.clone().any(|segment| segment.open <= at && at < segment.close);
        let slot_of = near.copied().find(|segment| segment.open < at && at <= segment.close);
        let is_same = calendar.is_open(at).unwrap() == is_open
            && calendar.segment_of(at).unwrap() == slot_of
            && listed.next_if_eq(&slot).is_some() == slot_of.is_some();
        num_differing += usize::from(!is_same);
        num_instants += 1;
        slot = slot.next();
    }
    (num_instants, num_differing + listed.count())
}

#[test]
fn cme_has_no_wrong_day_and_no_wrong_five_minutes() {
    let (Some(golden), Some(nyse)) = (golden_cme(), golden_nyse()) else {
        return;
    };
    let calendar = Calendar::embedded(CalendarId::CmeEquity);
    assert_eq!(golden.len(), 4_650);
    assert_eq!(differing_days(&calendar, &golden, &nyse), []);
    let (num_instants, num_differing) = differing_instants(&calendar, &golden);
    println!("cme_equity: {num_instants} five-minute instants, {num_differing} differ");
    assert_eq!((num_instants, num_differing), (1_893_299, 0));
}

#[test]
fn nyse_has_no_wrong_day_and_no_wrong_five_minutes() {
    let Some(golden) = golden_nyse() else { return };
    let calendar = Calendar::embedded(CalendarId::Nyse);
    assert_eq!(golden.len(), 7_041);
    assert_eq!(differing_days(&calendar, &golden, &golden), []);
    let (num_instants, num_differing) = differing_instants(&calendar, &golden);
    println!("nyse: {num_instants} five-minute instants, {num_differing} differ");
    assert_eq!((num_instants, num_differing), (2_945_363, 0));
}

#[test]
fn where_public_libraries_disagree_the_calendar_is_right() {
    let Some(rows) = rows("cme_disagreements_2015-2027.csv") else {
        return;
    };
    let calendar = Calendar::embedded(CalendarId::CmeEquity);
    for row in &rows {
        let session = calendar.session(date(&row[""])).unwrap();
        let last_trade = session.map_or("closed".to_owned(), |session| {
            (to_new_york(session.close()) - TimeDelta::hours(1)).format("%H:%M").to_string()
        });
        assert_eq!(last_trade, row["best"], "{}", row[""]);
    }
    assert_eq!(rows.len(), 41);
}

#[test]
fn every_expiry_and_roll_is_that_of_the_table() {
    let Some(rows) = rows("equity_index_futures_expiries_2000-2027.csv") else {
        return;
    };
    let nyse = Calendar::embedded(CalendarId::Nyse);
    for row in &rows {
        let month: ContractMonth = row["contract_month"].parse().unwrap();
        let roll = |rule| roll_date(month, rule).to_string();
        let found = [
            month.local_symbol(""),
            month.third_friday().to_string(),
            u8::from(nyse.session(month.third_friday()).unwrap().is_some()).to_string(),
            month.last_trade_date().to_string(),
            month.last_trade_date().format("%a").to_string(),
            roll(RollRule::Thursday8d),
            roll(RollRule::Monday),
            roll(RollRule::ByDate),
            to_new_york(month.last_trade_at()).format("%H:%M America/New_York").to_string(),
        ];
        let columns = [
            "code",
            "third_friday",
            "third_friday_is_nyse_session",
            "last_trade_date",
            "dow",
            "roll_thursday_8d",
            "roll_monday",
            "lead_month_roll",
            "termination",
        ];
        assert_eq!(found, columns.map(|column| row[column].clone()), "{month}");
    }
    assert_eq!(rows.len(), 112);
}

#[test]
fn the_lead_changes_at_the_open_of_the_roll_session() {
    let Some(rows) = rows("equity_index_futures_expiries_2000-2027.csv") else {
        return;
    };
    let cme = Calendar::embedded(CalendarId::CmeEquity);
    let months = rows.iter().map(|row| row["contract_month"].parse::<ContractMonth>().unwrap());
    for month in months.filter(|month| month.year() >= 2010) {
        let at = roll_at(month, RollRule::ByDate);
        let session = cme.session(roll_date(month, RollRule::ByDate)).unwrap().unwrap();
        assert_eq!(at, session.open());
        let before = at - TimeDelta::minutes(SLOT_MINUTES);
        assert_eq!(lead_month(before, RollRule::ByDate), Ok(month));
        assert_eq!(lead_month(at, RollRule::ByDate), Ok(month.next()));
    }
}

#[test]
fn the_clocks_change_when_the_table_says_and_never_else() {
    let Some(rows) = rows("us_eastern_dst_2000-2027.csv") else {
        return;
    };
    for row in &rows {
        let transition = instant(&row["transition_utc"]);
        let local = |hour, minute| date(&row["local_date"]).and_hms_opt(hour, minute, 0).unwrap();
        if row["kind"] == "spring" {
            assert_eq!(new_york(local(2, 0)), transition);
            assert_eq!(new_york(local(2, 59)), transition);
            assert_eq!(chicago(local(2, 30)), transition + TimeDelta::hours(1));
        } else {
            assert_eq!(new_york(local(1, 30)), transition - TimeDelta::minutes(30));
            assert_eq!(new_york(local(2, 0)), transition + TimeDelta::hours(1));
        }
    }
    let hours = |at: DateTime<Utc>| at.naive_utc() - to_new_york(at).naive_local();
    let mut found = Vec::new();
    let mut at = instant("2000-01-01T05:00:00Z");
    while at < instant("2028-01-01T05:00:00Z") {
        let next = at + TimeDelta::hours(1);
        if hours(at) != hours(next) {
            found.push(next);
        }
        at = next;
    }
    assert_eq!(found, rows.iter().map(|row| instant(&row["transition_utc"])).collect::<Vec<_>>());
    assert_eq!(rows.len(), 56);
}
