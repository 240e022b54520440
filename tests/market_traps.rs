//! Each trap of the recorded market data is stepped into on purpose: the project's own checks and functions find it,
//! and nothing beside it. Places and counts were found elsewhere; where `../shared/data/market` is not, it is said and
//! nothing is compared.

#![expect(clippy::expect_used, reason = "data that cannot be read must fail the test")]

#[path = "market_files/contracts.rs"]
mod contracts;
mod market_files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use frontmonth::calendar::{
    Calendar, CalendarId, ContractMonth, DayKind, Slot, TradingDay, lead_month, new_york, to_new_york,
};
use frontmonth::evaluation::lead_lag;
use frontmonth::market::{
    Bar, ChangeReferences, Changes, DailyClose, Dividends, FutureContract, LeadError, MarketConfig, PriceHistory,
    PricePoint, Source, Symbol, lead_contract,
};
use frontmonth::quality::{
    Action, BarBatch, Batch, CheckRun, DailyBatch, FUTURES_TABLE, Finding, Measure, QualityConfig, Row, SPOT_TABLE,
    Severity, Status, bar_checks, daily_checks, row_checks, run_checks, series_checks,
};

use contracts::{at, histories};
use market_files::{Line, Told, date, folder, local, number, stamp, table};

static FUTURES: LazyLock<Calendar> = LazyLock::new(|| Calendar::embedded(CalendarId::CmeEquity));
static NYSE: LazyLock<Calendar> = LazyLock::new(|| Calendar::embedded(CalendarId::Nyse));
static MARKET: LazyLock<MarketConfig> = LazyLock::new(MarketConfig::default);
static NO_CLOSES: BTreeMap<Symbol, f64> = BTreeMap::new();

/// An instant after the end of every file.
fn now() -> DateTime<Utc> {
    at("2027-01-04 12:00")
}

fn symbol_of(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

/// A row as a recorded file gives it: whose it is, when, and one price.
fn row(symbol: &str, at: DateTime<Utc>, last: f64) -> Row {
    let symbol = symbol_of(symbol);
    Row {
        table: if MARKET.spot.contains(&symbol) { SPOT_TABLE } else { FUTURES_TABLE },
        symbol,
        at,
        bid: None,
        ask: None,
        last: Some(last),
        volume: None,
        open_interest: None,
        implied_vol: None,
        date: None,
        contract: None,
        con_id: None,
        source: Source::Backfill,
        captured_at: at,
    }
}

fn batch(rows: &[Row]) -> Batch<'_> {
    let day = now().date_naive();
    Batch {
        rows,
        market: &MARKET,
        futures: &FUTURES,
        nyse: &NYSE,
        dates: (day, day),
        closes: &NO_CLOSES,
        delayed_allowed: false,
        now: now(),
    }
}

/// One check of a list by the default settings; one that could not be made proves nothing.
fn run(measures: Vec<Measure<'_>>, check: &str) -> CheckRun {
    let wanted: Vec<Measure<'_>> = measures.into_iter().filter(|measure| measure.check() == check).collect();
    let runs = run_checks(&wanted, &QualityConfig::default(), (Slot::at_or_before(now()), now()));
    let run = runs.into_iter().next().expect("the check is in the list");
    assert_ne!(run.status, Status::Error, "{check}: {:?}", run.reason);
    run
}

fn of_rows(rows: &[Row], check: &str) -> CheckRun {
    let batch = batch(rows);
    run(row_checks(&batch), check)
}

fn of_series(rows: &[Row], check: &str) -> CheckRun {
    let batch = batch(rows);
    run(series_checks(&batch), check)
}

/// New York date and time to the minute.
fn clock(at: DateTime<Utc>) -> String {
    to_new_york(at).format("%Y-%m-%d %H:%M").to_string()
}

/// Where a check found something.
fn places(run: &CheckRun) -> Vec<String> {
    run.findings.iter().map(|finding| clock(finding.timestamp.instant())).collect()
}

/// Where a check found something, how bad it is, what is done about it, and what was seen.
fn words(run: &CheckRun) -> Vec<String> {
    let of = |finding: &Finding| {
        let place = clock(finding.timestamp.instant());
        format!("{place} {} {} {}", finding.severity, finding.action, finding.observed)
    };
    run.findings.iter().map(of).collect()
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn month_of(line: &Line) -> ContractMonth {
    line["contract"].parse().expect("a contract month")
}

/// A row of the contract that its line names.
fn of_contract(symbol: &str, line: &Line) -> Row {
    let contract = Some(month_of(line).local_symbol(symbol));
    Row { contract, ..row(symbol, stamp(line, "obs_utc"), number(line, "price")) }
}

fn recorded(folder: &Path, symbol: &str, is_wanted: impl Fn(&Line) -> bool) -> Vec<Row> {
    let lines = table(folder, &format!("{symbol}_pst_intraday_contracts"));
    lines.into_iter().filter(is_wanted).map(|line| of_contract(symbol, &line)).collect()
}

/// Whether the contract of a line is the one that leads by the roll table, whatever role the line gives it. A bar that
/// ends at the roll's instant is still of the old one.
fn leads(line: &Line) -> bool {
    let inside = stamp(line, "obs_utc") - TimeDelta::seconds(1);
    lead_month(inside, MARKET.roll_rule).expect("covered") == month_of(line)
}

fn bars(folder: &Path, symbol: &str) -> Vec<Bar> {
    let of = |line: &Line| {
        let start = stamp(line, "bar_start_utc");
        Bar {
            start,
            end: start + TimeDelta::minutes(5),
            open: number(line, "open"),
            high: number(line, "high"),
            low: number(line, "low"),
            close: number(line, "close"),
            volume: line["volume"].parse().ok(),
        }
    };
    table(folder, &format!("{symbol}_sk_5m")).iter().map(of).collect()
}

/// The closes of a file that names no contract, as rows.
fn nameless(folder: &Path, symbol: &str) -> Vec<Row> {
    let of = |bar: Bar| {
        let session = FUTURES.session_of_slot(Slot::at_or_before(bar.end)).expect("covered");
        let date = session.map(|session| session.day.date());
        Row { volume: bar.volume, date, ..row(symbol, bar.end, bar.close) }
    };
    bars(folder, symbol).into_iter().map(of).collect()
}

/// Where the nameless series go over from March to June 2026: the end of the bar that starts at 11:30.
const SWITCH: &str = "2026-03-16 11:35";

#[test]
fn a_contract_switch_without_a_name_is_quarantined_and_so_is_every_nameless_row() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let switch = at(SWITCH);
    for (symbol, jump, step) in [("ES", 80.8, "+80.5 bp"), ("NQ", 92.5, "+92.3 bp")] {
        let bars = bars(&folder, symbol);
        let bar = bars.iter().find(|bar| bar.end == switch).expect("the bar of the switch");
        told.close(&format!("{symbol}: from open to close, bp"), (1e4 * (bar.close / bar.open).ln(), jump), 0.06);
        let rows = nameless(&folder, symbol);
        let unnamed = of_rows(&rows, "keys.not_null");
        let kept_apart = unnamed.findings.iter().filter(|finding| finding.action == Action::Quarantine).count();
        told.same(&format!("{symbol}: rows kept apart for want of a contract"), (kept_apart, rows.len()));
        let found = words(&of_series(&rows, "roll.unmarked"));
        let expected = format!("{SWITCH} error quarantine {step} in one slot of roll week, no contract named");
        told.same(&format!("{symbol}: the switch among {found:?}"), (found.contains(&expected), true));
    }
    told.end();
}

#[test]
fn no_real_move_of_roll_week_is_taken_for_a_contract_switch() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for symbol in ["ES", "NQ"] {
        let found = of_series(&nameless(&folder, symbol), "roll.unmarked");
        told.same(&format!("{symbol}: switches"), (places(&found), texts([SWITCH])));
    }
    told.end();
}

#[test]
fn a_new_contract_has_no_change_over_its_first_bar_where_a_nameless_series_has_the_gap() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let slot = Slot::at(at("2026-03-16 12:00")).expect("on the grid");
    let references = ChangeReferences::of(slot, &FUTURES, &NYSE).expect("covered");
    for (symbol, blind) in [("ES", 36.75), ("NQ", 196.5)] {
        let bars = bars(&folder, symbol);
        let history = |from: DateTime<Utc>| {
            let since = bars.iter().filter(|bar| bar.end >= from);
            PriceHistory::new(since.map(|bar| PricePoint { at: bar.end, price: bar.close }))
        };
        let last = history(at(SWITCH)).standing_at(slot.instant());
        let changes = references.changes(last, &history(at(SWITCH)), 0.25);
        told.same(&format!("{symbol}: changes of the contract alone"), (changes, Changes::default()));
        let changes = references.changes(last, &history(at("2026-02-17 00:00")), 0.25);
        told.same(&format!("{symbol}: one hour of the nameless series"), (changes.one_hour, Some(blind)));
    }
    told.end();
}

#[test]
fn a_bad_open_is_told_and_its_close_is_kept() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    // The first of the three ends the hole before the two others, and opens at the same stale price.
    let of_both = ["2026-04-20 05:35", "2026-04-20 07:00", "2026-04-20 07:55"];
    let of_nasdaq = [of_both[0], of_both[1], of_both[2], "2026-04-21 02:40"];
    for (name, stale, expected) in [("ES", 7_161.5, texts(of_both)), ("NQ", 26_825.5, texts(of_nasdaq))] {
        let (symbol, bars) = (symbol_of(name), bars(&folder, name));
        let checks = || bar_checks(BarBatch { table: FUTURES_TABLE, symbol: &symbol, bars: &bars, rows: &[] });
        let found = run(checks(), "bar.open");
        told.same(&format!("{name}: bars with a bad open, by their end"), (places(&found), expected.clone()));
        let is_kept = |finding: &&Finding| finding.severity == Severity::Error && finding.detail == "the close is kept";
        let kept = found.findings.iter().filter(is_kept).count();
        told.same(&format!("{name}: closes kept"), (kept, expected.len()));
        let is_listed = |bar: &Bar| expected.contains(&clock(bar.end));
        let opens: Vec<f64> =
            bars.iter().filter(|bar| is_listed(bar)).map(|bar| bar.open).take(of_both.len()).collect();
        told.same(&format!("{name}: opens at the stale price"), (opens, vec![stale; of_both.len()]));
        let neighbours = bars.iter().zip(bars.iter().skip(1)).filter(|(_, bar)| is_listed(bar));
        let far = neighbours.filter(|(before, bar)| 1e4 * (bar.close / before.close).ln().abs() > 30.0).count();
        told.same(&format!("{name}: closes that left the close before by 30 bp"), (far, 0));
        told.same(&format!("{name}: bars of an odd shape"), (run(checks(), "bar.shape").findings.len(), 0));
    }
    told.end();
}

/// Hourly ES, the lead by the roll table or one contract, with SPY at the same stamps.
fn es_with_spy(folder: &Path, is_wanted: impl Fn(&Line) -> bool) -> Vec<Row> {
    let spy = table(folder, "SPY_lean_1h_raw");
    let spy = spy.iter().map(|line| row("SPY", stamp(line, "obs_utc"), number(line, "close")));
    recorded(folder, "ES", |line| line["rule"] != "LON_snapshot" && is_wanted(line)).into_iter().chain(spy).collect()
}

/// The stale hour of ES, and the hour after.
const STALE: [&str; 2] = ["2020-06-24 11:00", "2020-06-24 12:00"];

#[test]
fn a_stale_price_is_found_against_its_etf_in_both_contracts() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let severe = |run: &CheckRun| -> Vec<String> {
        let severe = run.findings.iter().filter(|finding| finding.severity > Severity::Warn);
        severe.map(|finding| clock(finding.timestamp.instant())).collect()
    };
    let lead = of_series(&es_with_spy(&folder, leads), "cross.symbol");
    told.same("prices of the lead to be dropped", (severe(&lead), texts([STALE[0]])));
    let observed = words(&lead).into_iter().find(|words| words.starts_with(STALE[0]));
    let expected = format!("{} error quarantine +49.2 bp against SPY", STALE[0]);
    told.same("what was seen", (observed, Some(expected)));
    let (from, to) = (at("2020-05-29 00:00"), at("2020-09-10 00:00"));
    for contract in ["202009", "202012"] {
        let is_of = |line: &Line| line["contract"] == contract && (from..to).contains(&stamp(line, "obs_utc"));
        let found = of_series(&es_with_spy(&folder, is_of), "cross.symbol");
        let is_stale = |finding: &&Finding| clock(finding.timestamp.instant()) == STALE[0];
        let severity = found.findings.iter().find(is_stale).map(|finding| finding.severity);
        told.same(&format!("{contract}: among {:?}", words(&found)), (severity, Some(Severity::Error)));
    }
    told.end();
}

#[test]
fn a_stale_price_is_plausible_alone() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let (from, to) = (at("2020-05-29 00:00"), at("2020-09-10 00:00"));
    for (contract, residuals) in [("202009", [49.2, -51.5]), ("202012", [39.4, -50.4])] {
        let is_of = |line: &Line| line["contract"] == contract && (from..to).contains(&stamp(line, "obs_utc"));
        let rows = es_with_spy(&folder, is_of);
        let price = |symbol: &str, at: DateTime<Utc>| {
            let found = rows.iter().find(|row| row.symbol.as_str() == symbol && row.at == at);
            found.and_then(|row| row.last).expect("a price")
        };
        for (hour, expected) in STALE.into_iter().zip(residuals) {
            let change = |symbol| (price(symbol, at(hour)) / price(symbol, at(hour) - TimeDelta::hours(1))).ln();
            let what = format!("{contract}: away from SPY up to {hour}, bp");
            told.close(&what, (1e4 * (change("ES") - change("SPY")), expected), 0.06);
        }
        // The check of a single series looks at steps of one slot: the hours are laid side by side on the grid.
        let mut alone: Vec<Row> = rows.iter().filter(|row| row.symbol.as_str() == "ES").cloned().collect();
        let stale_at = at(STALE[0]);
        let stale = alone.iter().position(|row| row.at == stale_at).expect("the stale hour");
        let mut slot = Slot::at_or_before(from);
        for row in &mut alone {
            row.at = slot.instant();
            slot = slot.next();
        }
        let found = of_series(&alone, "price.outlier");
        told.same(&format!("{contract}: steps looked at"), (found.looked_at, alone.len() - 1));
        let moved_to = alone.get(stale).map(|row| clock(row.at)).expect("the stale hour");
        told.same(&format!("{contract}: found alone"), (places(&found).contains(&moved_to), false));
    }
    told.end();
}

#[test]
fn a_dislocation_is_told_as_a_warning_and_kept() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let mut found = words(&of_series(&es_with_spy(&folder, leads), "cross.symbol"));
    found.retain(|words| !words.starts_with(STALE[0]));
    let expected = texts([
        "2020-03-13 16:00 warn log +77.3 bp against SPY",
        "2020-03-17 16:00 warn log +75.6 bp against SPY",
        "2020-03-18 16:00 warn log +53.7 bp against SPY",
        "2020-03-19 16:00 warn log +41.5 bp against SPY",
        "2020-03-23 16:00 warn log -36.2 bp against SPY",
        "2021-01-28 16:00 warn log +32.3 bp against SPY",
    ]);
    told.same("dislocations", (found, expected));
    told.end();
}

/// Instants at which more than one of the lines stands.
fn doubled<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(line["obs_utc"].as_str()).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(at, _)| at.to_owned()).collect()
}

/// A contract as the gateway would list it.
fn listed(root: &str, month: &str) -> FutureContract {
    let month: ContractMonth = month.parse().expect("a contract month");
    let symbol = symbol_of(root);
    FutureContract {
        local_symbol: month.local_symbol(root),
        con_id: 1,
        month,
        expiry: month.last_trade_date(),
        spec: MARKET.future(&symbol).expect("built in"),
        symbol,
    }
}

#[test]
fn roles_flip_and_two_lead_but_the_roll_table_names_one() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let lines = table(&folder, "NQ_pst_intraday_contracts");
    let is_lead = |line: &&Line| line["role"] == "lead";
    told.same(
        "instants with two leads by role",
        (doubled(lines.iter().filter(is_lead)), texts(["2020-12-11T22:00:00Z"])),
    );
    told.same("by the roll table", (doubled(lines.iter().filter(|line| leads(line))), Vec::new()));
    let contradicted = lines.iter().filter(|line| is_lead(line) != leads(line)).count();
    told.same("rows with another role than by the roll table", (contradicted, 1_815));
    let rows: Vec<Row> = lines.iter().map(|line| of_contract("NQ", line)).collect();
    let found = of_rows(&rows, "contract.lead");
    told.same("rows of contracts that do not lead", (found.findings.len(), 26_163));
    let evening = at("2020-12-11 15:30")..at("2020-12-11 17:30");
    let of_evening = |run: &CheckRun| -> Vec<String> {
        let inside = run.findings.iter().filter(|finding| evening.contains(&finding.timestamp.instant()));
        inside.map(|finding| format!("{} {}", clock(finding.timestamp.instant()), finding.observed)).collect()
    };
    let december = texts(["2020-12-11 16:00 NQZ0", "2020-12-11 17:00 NQZ0"]);
    told.same("of them on the evening of the flip", (of_evening(&found), december));
    let both: Vec<Row> = lines.iter().filter(is_lead).map(|line| of_contract("NQ", line)).collect();
    let both: Vec<Row> = both.into_iter().filter(|row| evening.contains(&row.at)).collect();
    let two = texts(["2020-12-11 17:00 critical block 2 rows of one key"]);
    told.same("two leads of one slot", (words(&of_rows(&both, "keys.unique")), two));
    let chain = ["202012", "202103"].map(|month| listed("NQ", month));
    let lead = lead_contract(&chain, at("2020-12-11 17:00"), MARKET.roll_rule).expect("it is listed");
    told.same("the one lead", (lead.contract.local_symbol, "NQH1".to_owned()));
    told.end();
}

#[test]
fn where_no_role_leads_the_roll_table_says_that_the_lead_is_missing_and_the_contract_is_used() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let lines = table(&folder, "ES_pst_intraday_contracts");
    let summer = at("2019-06-11T00:00Z")..at("2019-09-11T00:00Z");
    let without: Vec<&Line> = lines.iter().filter(|line| summer.contains(&stamp(line, "obs_utc"))).collect();
    let roles: BTreeSet<(&str, &str)> =
        without.iter().map(|line| (line["role"].as_str(), line["contract"].as_str())).collect();
    told.same("roles", (roles, BTreeSet::from([("next", "201912")])));
    let rows: Vec<Row> = without.iter().map(|line| of_contract("ES", line)).collect();
    told.same("rows", (rows.len(), 1_257));
    told.same("of a contract that does not lead", (of_rows(&rows, "contract.lead").findings.len(), 1_257));
    let chain = [listed("ES", "201912")];
    let is_missing = |row: &&Row| {
        let lead = lead_contract(&chain, row.at, MARKET.roll_rule);
        matches!(lead, Err(LeadError::NotListed { .. }))
    };
    told.same("instants without a lead", (rows.iter().filter(is_missing).count(), 1_257));
    // At the close it is named `next`, in the morning `lead`: it is one contract, and its change is known.
    let histories = histories(lines.iter().filter(|line| line["rule"] != "LON_snapshot"));
    let slot = Slot::at(at("2019-09-11 09:00")).expect("on the grid");
    let references = ChangeReferences::of(slot, &FUTURES, &NYSE).expect("covered");
    let changes = references.changes(Some(2_984.5), &histories["201912"], 0.25);
    told.same("change of the contract over the change of its role", (changes.since_close, Some(3.25)));
    told.end();
}

#[test]
fn a_row_one_second_late_is_told_and_stands_at_the_next_slot_where_equality_has_nothing() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let is_anchored = |line: &Line| line["rule"] == "RTH_anchor";
    for (symbol, expected) in [("ES", 0), ("NQ", 7), ("RTY", 1)] {
        let found = of_rows(&recorded(&folder, symbol, is_anchored), "time.slot_aligned");
        told.same(&format!("{symbol}: rows off the grid"), (found.findings.len(), expected));
        let late = found.findings.iter().filter(|finding| finding.observed == "1 s after a slot").count();
        told.same(&format!("{symbol}: late by one second"), (late, expected));
    }
    let lines = table(&folder, "NQ_pst_intraday_contracts");
    let lines: Vec<&Line> = lines.iter().filter(|line| is_anchored(line)).collect();
    let histories = histories(lines.iter().copied());
    let equal = |late: &Line, slot: Slot| {
        let same = |line: &&&Line| line["contract"] == late["contract"] && stamp(line, "obs_utc") == slot.instant();
        lines.iter().find(same).map(|line| number(line, "price"))
    };
    let is_late = |line: &&Line| Slot::at(stamp(line, "obs_utc")).is_err();
    let all: Vec<&Line> = lines.iter().copied().filter(is_late).collect();
    let mut without_twin = 0;
    for late in &all {
        let (slot, price) = (Slot::at_or_before(stamp(late, "obs_utc")), Some(number(late, "price")));
        let history = &histories[late["contract"].as_str()];
        let what = format!("{} {}", late["obs_utc"], late["contract"]);
        // Three of the rows have a twin on the grid; of the others nothing may be known a second too early.
        let twin = equal(late, slot);
        without_twin += usize::from(twin.is_none());
        told.same(&format!("{what}: standing at its slot"), (history.standing_at(slot.instant()), twin));
        told.same(&format!("{what}: equal to the slot after"), (equal(late, slot.next()), None));
        told.same(&format!("{what}: standing at the slot after"), (history.standing_at(slot.next().instant()), price));
    }
    told.same("rows, and those that equality loses", ((all.len(), without_twin), (7, 4)));
    told.end();
}

/// Mornings of RTY by where the close before them is looked for.
#[derive(Default)]
struct Mornings {
    all: usize,
    /// With a price at 16:00.
    by_clock: usize,
    /// With a change since the close that the calendar names.
    by_calendar: usize,
    /// After a half day, without a price at 16:00 and with a change since 13:00.
    after_half_days: usize,
    /// Without any change.
    unknown: Vec<String>,
}

#[test]
fn a_half_day_has_the_close_of_the_calendar_and_where_there_is_none_the_change_is_unknown() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let sessions: BTreeSet<NaiveDate> =
        table(&folder, "IWM_lean_daily_raw").iter().map(|line| date(line, "date")).collect();
    let lines = table(&folder, "RTY_pst_intraday_contracts");
    let histories = histories(&lines);
    let mut mornings = Mornings::default();
    for line in lines.iter().filter(|line| line["role"] == "lead") {
        let (day, time) = local(stamp(line, "obs_utc"));
        if time != "09:00:00" || !sessions.contains(&day) {
            continue;
        }
        let slot = Slot::at(stamp(line, "obs_utc")).expect("on the grid");
        let history = &histories[line["contract"].as_str()];
        let references = ChangeReferences::of(slot, &FUTURES, &NYSE).expect("covered");
        let change = references.changes(Some(number(line, "price")), history, 0.1).since_close;
        let (before, _) = local(NYSE.last_regular_close(slot.instant()).expect("covered"));
        let four = NaiveTime::from_hms_opt(16, 0, 0).expect("a time");
        let by_clock = history.standing_at(new_york(before.and_time(four)));
        let kind = NYSE.session(before).expect("covered").map(|session| session.kind);
        mornings.all += 1;
        mornings.by_clock += usize::from(by_clock.is_some());
        mornings.by_calendar += usize::from(change.is_some());
        let is_saved = kind == Some(DayKind::EarlyClose) && by_clock.is_none() && change.is_some();
        mornings.after_half_days += usize::from(is_saved);
        mornings.unknown.extend(change.is_none().then(|| day.to_string()));
    }
    told.same("mornings of the sessions of IWM", (mornings.all, 1_526));
    told.same("with a price at 16:00", (mornings.by_clock, 1_512));
    told.same("with the close of the calendar", (mornings.by_calendar, 1_525));
    told.same("after half days, lost by the clock", (mornings.after_half_days, 13));
    told.same("without any change", (mornings.unknown, texts(["2015-03-11"])));
    told.end();
}

#[test]
fn an_average_of_quotes_is_off_the_tick_and_no_trade_is() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let is_snapshot = |line: &Line| line["rule"] == "LON_snapshot";
    for (symbol, num_snapshots, num_off, num_trades) in
        [("ES", 3_075, 3_005, 13_909), ("NQ", 2_941, 2_320, 60_322), ("RTY", 0, 0, 35_880)]
    {
        let quotes = of_rows(&recorded(&folder, symbol, is_snapshot), "quote.off_tick");
        let counts = (quotes.looked_at, quotes.findings.len());
        told.same(&format!("{symbol}: snapshots, and those off the tick"), (counts, (num_snapshots, num_off)));
        let trades = of_rows(&recorded(&folder, symbol, |line| !is_snapshot(line)), "quote.off_tick");
        let counts = (trades.looked_at, trades.findings.len());
        told.same(&format!("{symbol}: trades, and those off the tick"), (counts, (num_trades, 0)));
        if symbol == "ES" {
            let first = quotes.findings.first().map(|finding| finding.observed.clone());
            let expected = "last 1797.71875 with a tick of 0.25".to_owned();
            told.same("the first", (first, Some(expected)));
        }
    }
    told.end();
}

#[test]
fn a_hole_and_a_split_of_daily_closes_are_told_and_no_change_is_made_over_the_hole() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let of_qqq = [
        "2000-03-20 16:00 error block -73.0 % of the logarithm on 2000-03-20",
        "2001-01-03 16:00 warn log +16.5 % of the logarithm on 2001-01-03",
    ];
    let of_iwm = [
        "2005-06-09 16:00 error block -68.1 % of the logarithm on 2005-06-09",
        "2020-03-16 16:00 warn log -14.2 % of the logarithm on 2020-03-16",
    ];
    let hole = ["2011-03-23 16:00 error block 1588 sessions from 2004-11-30 to 2011-03-23"];
    for (name, num_changes, holes, jumps) in [
        ("QQQ", 3_755, texts(hole), texts(of_qqq)),
        ("IWM", 5_243, Vec::new(), texts(of_iwm)),
        ("SPY", 5_344, Vec::new(), Vec::new()),
    ] {
        // The calendar begins with 2000.
        let lines = table(&folder, &format!("{name}_lean_daily_raw"));
        let covered = lines.iter().filter(|line| NYSE.coverage().contains(&date(line, "date")));
        let closes: Vec<DailyClose> = covered
            .map(|line| DailyClose {
                symbol: symbol_of(name),
                date: TradingDay::new(date(line, "date")),
                close: number(line, "close"),
            })
            .collect();
        let dividends = Dividends::default();
        let daily = DailyBatch { closes: &closes, rows: &[], partners: &[], dividends: &dividends, nyse: &NYSE };
        let checks = || daily_checks(daily);
        told.same(&format!("{name}: holes"), (words(&run(checks(), "daily.hole")), holes));
        let found = run(checks(), "daily.jump");
        told.same(&format!("{name}: changes between adjacent sessions"), (found.looked_at, num_changes));
        told.same(&format!("{name}: jumps"), (words(&found), jumps));
    }
    told.end();
}

/// Closes of one-minute bars by the bar's end.
fn minutes(folder: &Path, name: &str, is_wanted: impl Fn(&Line) -> bool) -> BTreeMap<DateTime<Utc>, f64> {
    let end = |line: &Line| stamp(line, "bar_start_utc") + TimeDelta::minutes(1);
    table(folder, name).into_iter().filter(is_wanted).map(|line| (end(&line), number(&line, "close"))).collect()
}

#[test]
fn minutes_outside_regular_hours_are_thin_and_the_calendar_keeps_them_out() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let future = minutes(&folder, "ES_lean_1m", |line| line["contract"] == "201312");
    let etf = minutes(&folder, "SPY_lean_1m", |_| true);
    let days = |is_wanted: &dyn Fn(DateTime<Utc>) -> bool| -> Vec<Vec<(f64, f64)>> {
        let mut days: BTreeMap<NaiveDate, Vec<(f64, f64)>> = BTreeMap::new();
        for (at, price) in future.iter().filter(|(at, _)| is_wanted(**at)) {
            let Some(other) = etf.get(at) else { continue };
            days.entry(local(*at).0).or_default().push((*price, *other));
        }
        let change = |(before, now): (&(f64, f64), &(f64, f64))| ((now.0 / before.0).ln(), (now.1 / before.1).ln());
        days.into_values().map(|day| day.iter().zip(day.iter().skip(1)).map(change).collect()).collect()
    };
    let is_regular = |at| NYSE.segment_of(at).expect("covered").is_some();
    for (what, days, num_changes, expected) in
        [("all common minutes", days(&|_| true), 3_814, 0.634), ("regular hours", days(&is_regular), 1_945, 0.945)]
    {
        told.same(&format!("{what}: changes"), (days.iter().map(Vec::len).sum::<usize>(), num_changes));
        told.close(&format!("{what}: same minute"), (lead_lag(&days).expect("changes").same, expected), 6e-4);
    }
    told.same("sound in regular hours", (lead_lag(&days(&is_regular)).expect("changes").is_sound, true));
    let on_the_grid = etf.iter().filter(|(at, _)| Slot::at(**at).is_ok());
    let rows: Vec<Row> = on_the_grid.map(|(at, price)| row("SPY", *at, *price)).collect();
    let found = of_rows(&rows, "time.session_open");
    told.same("rows of SPY, and those outside its session", ((found.looked_at, found.findings.len()), (1_154, 608)));
    told.end();
}

#[test]
fn a_volume_of_nothing_alone_is_no_failure() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for (symbol, num_quiet) in [("ES", 44), ("NQ", 42)] {
        let mut rows = nameless(&folder, symbol);
        rows.retain(|row| row.volume == Some(0));
        for row in &mut rows {
            let month = lead_month(row.at - TimeDelta::seconds(1), MARKET.roll_rule).expect("covered");
            row.contract = Some(month.local_symbol(symbol));
        }
        told.same(&format!("{symbol}: rows without volume"), (rows.len(), num_quiet));
        let reopened = rows.iter().filter(|row| local(row.at).1 == "18:05:00").count();
        told.same(&format!("{symbol}: of them first after the reopening"), (reopened, 41));
        let batch = batch(&rows);
        let runs = run_checks(&row_checks(&batch), &QualityConfig::default(), (Slot::at_or_before(now()), now()));
        let failed: Vec<&str> = runs
            .iter()
            .filter(|run| !matches!(run.status, Status::Pass | Status::Skipped))
            .map(|run| run.check)
            .collect();
        told.same(&format!("{symbol}: checks of rows that found something"), (failed, Vec::new()));
    }
    told.end();
}

/// The rolls of a convention by date, with what is still to come in points: two in a row differ by the gap.
fn rolls(folder: &Path, mode: &str) -> Vec<(NaiveDate, f64)> {
    let lines = table(folder, "ES_lean_roll_factors");
    let of_mode = lines.iter().filter(|line| line["mapping_mode"] == mode);
    let (first, end) = (*FUTURES.coverage().start(), *FUTURES.coverage().end());
    let rolls = of_mode.map(|line| (date(line, "date"), number(line, "panama_points_0")));
    rolls.filter(|(date, _)| (first..=end).contains(date)).collect()
}

fn noon(day: NaiveDate) -> DateTime<Utc> {
    new_york(day.and_time(NaiveTime::from_hms_opt(12, 0, 0).expect("a time")))
}

#[test]
fn a_roll_on_a_sunday_or_weeks_before_expiry_is_told() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let far = ["2012-10-28 12:00", "2013-11-17 12:00"];
    // The first is one day from the calendar's roll, and its date no session's.
    let sundays = ["2011-12-11 12:00", far[0], far[1]];
    for (mode, num_rolls, far, sundays) in [
        ("2", 50, texts([far[0]]), texts([sundays[0], sundays[1]])),
        ("3", 49, texts(far), texts(sundays)),
        ("0", 54, Vec::new(), Vec::new()),
    ] {
        let rolls = rolls(&folder, mode);
        let of = |(number, (day, _)): (usize, &(NaiveDate, f64))| Row {
            contract: Some(format!("ES{number}")),
            date: Some(*day),
            ..row("ES", noon(*day), 2_000.0)
        };
        let mut rows = vec![Row { contract: Some("ES".to_owned()), ..row("ES", at("2010-01-04 12:00"), 2_000.0) }];
        rows.extend(rolls.iter().enumerate().map(of));
        let found = of_series(&rows, "roll.table");
        told.same(&format!("mode {mode}: rolls"), (found.looked_at, num_rolls));
        told.same(&format!("mode {mode}: far from every roll of the calendar"), (places(&found), far));
        let closed = of_rows(&rows, "time.session_open");
        told.same(&format!("mode {mode}: dated on no session"), (places(&closed), sundays));
    }
    let december: ContractMonth = "201212".parse().expect("a contract month");
    let early = december.last_trade_date() - local(at(far[0])).0;
    told.same("days from the earliest of them to expiry", (early.num_days(), 54));
    told.end();
}

#[test]
fn a_gap_that_is_not_known_is_no_gap_of_nothing() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let end_of_table = at("2022-06-16 23:59");
    for (mode, num_gaps, num_placeholders) in [("0", 53, 3), ("1", 53, 3), ("2", 49, 0), ("3", 48, 0)] {
        let rolls = rolls(&folder, mode);
        let gaps: Vec<(DateTime<Utc>, f64)> =
            rolls.iter().zip(rolls.iter().skip(1)).map(|(roll, next)| (noon(roll.0), roll.1 - next.1)).collect();
        let is_placeholder = |gap: &(DateTime<Utc>, f64)| gap.0 > end_of_table && gap.1.abs() < 1e-9;
        let placeholders = gaps.iter().filter(|gap| is_placeholder(gap)).count();
        let counts = (gaps.len(), placeholders);
        told.same(&format!("mode {mode}: gaps, and placeholders"), (counts, (num_gaps, num_placeholders)));
        let rows: Vec<Row> = gaps
            .iter()
            .enumerate()
            .flat_map(|(number, gap)| {
                let last = (!is_placeholder(gap)).then_some(2_000.0 + gap.1);
                let old = Row { contract: Some(format!("ES{number}")), ..row("ES", gap.0, 2_000.0) };
                let new = row("ES", gap.0, 2_000.0);
                [old, Row { contract: Some(format!("ES{}", number + 1)), last, ..new }]
            })
            .collect();
        let found = of_series(&rows, "roll.gap");
        let looked_at = (found.looked_at, found.status);
        told.same(&format!("mode {mode}: gaps looked at"), (looked_at, (num_gaps - num_placeholders, Status::Pass)));
    }
    told.end();
}

#[test]
fn bars_of_another_listing_lie_outside_of_the_calendar() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let found = of_rows(&recorded(&folder, "RTY", |_| true), "time.session_open");
    told.same("rows outside of a session", ((found.looked_at, found.findings.len()), (35_880, 629)));
    let outside = found.findings.iter().map(|finding| finding.timestamp.instant());
    let (evening, others): (Vec<_>, Vec<_>) = outside.partition(|at| local(*at).1 == "18:00:00");
    told.same("bars from 17:00 to 18:00", (evening.len(), 609));
    let ends = (evening.first().map(|at| clock(*at)), evening.last().map(|at| clock(*at)));
    let expected = ("2015-03-11 18:00".to_owned(), "2017-07-07 18:00".to_owned());
    told.same("the first and the last of them", (ends, (Some(expected.0), Some(expected.1))));
    // An hourly bar in which the market closes early ends after the close.
    let is_of_early_close = |at: &DateTime<Utc>| {
        let close = FUTURES.last_close(*at).expect("covered");
        *at - close < TimeDelta::hours(1)
    };
    let (early, stray): (Vec<_>, Vec<_>) = others.into_iter().partition(is_of_early_close);
    told.same("bars with an early close in them", (early.len(), 19));
    told.same("others", (stray.into_iter().map(clock).collect(), texts(["2017-03-24 19:00"])));
    told.end();
}
