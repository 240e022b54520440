//! Price changes across rolls, ratios and the basis against numbers that were computed elsewhere, over recorded futures
//! and ETFs in `../shared/data/market`. Where that folder is not, it is said and nothing is compared.

#![expect(clippy::expect_used, reason = "data that cannot be read must fail the test")]

#[path = "market_files/contracts.rs"]
mod contracts;
mod market_files;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use frontmonth::calendar::{Calendar, CalendarId, ContractMonth, Slot};
use frontmonth::evaluation::{correlation, hits, quantile};
use frontmonth::market::ChangeReferences;
use frontmonth::signals::{Dividend, EtfMove, FairBasis, FutureMove, etf_only_basis_change_bp, index_basis};

use contracts::{at, histories};
use market_files::{Line, Told, date, folder, local, number, stamp, table};

const BASIS_POINTS: f64 = 1e4;

static FUTURES: LazyLock<Calendar> = LazyLock::new(|| Calendar::embedded(CalendarId::CmeEquity));
static NYSE: LazyLock<Calendar> = LazyLock::new(|| Calendar::embedded(CalendarId::Nyse));

/// The rows of a future that are bars: snapshots of London have neither 16:00 nor 09:00 in New York.
fn contracts_of(folder: &Path, future: &str) -> Vec<Line> {
    let mut lines = table(folder, &format!("{future}_pst_intraday_contracts"));
    lines.retain(|line| line["rule"] != "LON_snapshot");
    lines
}

/// What is known of an ETF by its session: open, close and what goes ex on the session after.
struct Etf {
    prices: BTreeMap<NaiveDate, [f64; 2]>,
    dividends: BTreeMap<NaiveDate, f64>,
}

impl Etf {
    fn of(folder: &Path, etf: &str) -> Self {
        let daily = table(folder, &format!("{etf}_lean_daily_raw"));
        let prices = daily.iter().map(|line| (date(line, "date"), [number(line, "open"), number(line, "close")]));
        let paid = table(folder, &format!("{etf}_lean_dividends"));
        let dividends = paid.iter().map(|line| (date(line, "last_cum_date"), number(line, "dividend")));
        Self { prices: prices.collect(), dividends: dividends.collect() }
    }

    fn close(&self, day: NaiveDate) -> f64 {
        self.prices.get(&day).map(|[_, close]| *close).expect("a session")
    }

    /// What has gone ex since the close of a session.
    fn dividend(&self, day: NaiveDate) -> f64 {
        self.dividends.get(&day).copied().unwrap_or(0.0)
    }
}

/// A morning at 09:00 after a session that closed at 16:00. All but the date are changes of the logarithm.
struct Morning {
    date: NaiveDate,
    /// Whether another contract led at the close before.
    is_roll: bool,
    /// Of the contract that leads now.
    same_contract: f64,
    /// From the contract that led then to the one that leads now: the mistake; none where none led.
    lead_to_lead: Option<f64>,
    /// Of the ETF, from its close to its open.
    gap: f64,
    /// Of the ETF, from its open to its close.
    session: f64,
}

/// The prices of the leads, by their role, at 16:00 in New York.
fn leads_at_close(lines: &[Line]) -> BTreeMap<NaiveDate, (&str, f64)> {
    let leads = lines.iter().filter(|line| line["role"] == "lead");
    let placed = leads.map(|line| (local(stamp(line, "obs_utc")), (line["contract"].as_str(), number(line, "price"))));
    placed.filter(|((_, time), _)| time == "16:00:00").map(|((day, _), lead)| (day, lead)).collect()
}

/// The mornings of a pair. The change of the contract is that since the close, as the program stores it in points.
fn mornings(folder: &Path, (future, etf): (&str, &str)) -> Vec<Morning> {
    let etf = Etf::of(folder, etf);
    let lines = contracts_of(folder, future);
    let (histories, leads) = (histories(&lines), leads_at_close(&lines));
    let mut found = Vec::new();
    for line in lines.iter().filter(|line| line["role"] == "lead") {
        let (day, time) = local(stamp(line, "obs_utc"));
        let Some([open, close]) = etf.prices.get(&day).filter(|_| time == "09:00:00") else { continue };
        let slot = Slot::at(stamp(line, "obs_utc")).expect("on the grid");
        let (before, closed) = local(NYSE.last_regular_close(slot.instant()).expect("covered"));
        let (price, contract) = (number(line, "price"), line["contract"].as_str());
        let references = ChangeReferences::of(slot, &FUTURES, &NYSE).expect("covered");
        let history = histories.get(contract).expect("a contract of the file");
        let tick = if future == "RTY" { 0.1 } else { 0.25 };
        let change = references.changes(Some(price), history, tick).since_close;
        // The numbers known elsewhere leave out the mornings after half days.
        let Some(change) = change.filter(|_| closed == "16:00:00") else { continue };
        let lead = leads.get(&before);
        found.push(Morning {
            date: day,
            is_roll: lead.is_some_and(|(led, _)| *led != contract),
            same_contract: (price / (price - change)).ln(),
            lead_to_lead: lead.map(|(_, standing)| (price / standing).ln()),
            gap: ((open + etf.dividend(before)) / etf.close(before)).ln(),
            session: (close / open).ln(),
        });
    }
    found
}

/// Pair and date, and from 16:00 to 09:00 in bp: the same contract, lead to lead, the ETF.
type KnownMorning = ((&'static str, &'static str), &'static str, [f64; 3]);

const ROLL_MORNINGS: [KnownMorning; 8] = [
    (("RTY", "IWM"), "2015-06-11", [15.9, -23.7, 16.7]),
    (("RTY", "IWM"), "2017-06-12", [2.8, -1.4, 3.5]),
    (("RTY", "IWM"), "2018-06-11", [-7.2, 23.3, 7.2]),
    (("RTY", "IWM"), "2018-09-11", [-23.2, 5.8, -8.2]),
    (("NQ", "QQQ"), "2018-12-10", [0.8, 51.6, -18.6]),
    (("NQ", "QQQ"), "2019-12-10", [7.7, 33.4, 4.4]),
    (("ES", "SPY"), "2019-12-10", [4.8, 11.2, -2.5]),
    (("ES", "SPY"), "2020-03-10", [373.0, 328.1, 376.8]),
];

#[test]
fn on_roll_mornings_the_same_contract_goes_with_the_etf_and_lead_to_lead_does_not() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for (pair, num_mornings, num_rolls) in
        [(("RTY", "IWM"), 1_512, 24), (("NQ", "QQQ"), 477, 6), (("ES", "SPY"), 177, 2)]
    {
        let mornings = mornings(&folder, pair);
        let rolls = mornings.iter().filter(|morning| morning.is_roll).count();
        told.same(&format!("{}: mornings, and rolls", pair.0), ((mornings.len(), rolls), (num_mornings, num_rolls)));
        for (_, day, expected) in ROLL_MORNINGS.iter().filter(|known| known.0 == pair) {
            let on_day = |morning: &&Morning| morning.date.to_string() == *day;
            let morning = mornings.iter().find(on_day).expect("the morning");
            told.same(&format!("{} {day}: a roll", pair.0), (morning.is_roll, true));
            let got = [morning.same_contract, morning.lead_to_lead.expect("a lead at the close"), morning.gap];
            for ((what, got), expected) in ["same contract", "lead to lead", "gap"].into_iter().zip(got).zip(*expected)
            {
                told.close(&format!("{} {day}: {what}, bp", pair.0), (BASIS_POINTS * got, expected), 0.051);
            }
        }
    }
    told.end();
}

#[test]
fn no_count_of_hits_shows_that_four_of_24_rolls_had_the_wrong_sign() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let mornings = mornings(&folder, ("RTY", "IWM"));
    let crosses = |morning: &&Morning| morning.lead_to_lead.is_some_and(|change| change * morning.same_contract < 0.0);
    let wrong: Vec<String> = mornings.iter().filter(crosses).map(|morning| morning.date.to_string()).collect();
    let expected = ["2015-06-11", "2017-06-12", "2018-06-11", "2018-09-11"].map(str::to_owned).to_vec();
    told.same("mornings with a wrong sign", (wrong, expected));
    let right = hits(mornings.iter().map(|morning| (morning.same_contract, morning.session)));
    told.same("hits of the same contract", ((right.hits, right.n), (747, 1_496)));
    let mistaken = hits(mornings.iter().filter_map(|morning| Some((morning.lead_to_lead?, morning.session))));
    told.same("hits from lead to lead", ((mistaken.hits, mistaken.n), (749, 1_496)));
    told.end();
}

/// The gaps of a convention by date, new contract less old in points: what is still to come falls by each gap.
fn gaps(folder: &Path, mode: &str) -> Vec<(NaiveDate, f64)> {
    let lines = table(folder, "ES_lean_roll_factors");
    let rolls: Vec<(NaiveDate, f64)> = lines
        .iter()
        .filter(|line| line["mapping_mode"] == mode)
        .map(|line| (date(line, "date"), number(line, "panama_points_0")))
        .collect();
    rolls.iter().zip(rolls.iter().skip(1)).map(|(roll, next)| (roll.0, roll.1 - next.1)).collect()
}

/// The gaps by open interest, from the end of 2018 to the last one that is known.
const GAPS: [(&str, f64); 15] = [
    ("2018-12-18", 2.25),
    ("2019-03-12", 5.25),
    ("2019-06-18", 4.5),
    ("2019-09-17", 2.5),
    ("2019-12-17", 3.75),
    ("2020-03-18", -13.75),
    ("2020-06-17", -11.25),
    ("2020-09-15", -10.5),
    ("2020-12-15", -7.0),
    ("2021-03-16", -9.75),
    ("2021-06-15", -10.25),
    ("2021-09-14", -9.75),
    ("2021-12-14", -9.5),
    ("2022-03-15", -8.25),
    ("2022-06-14", 3.25),
];

#[test]
fn fifteen_roll_gaps_are_the_known_ones() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let all = gaps(&folder, "2");
    let late: Vec<&(NaiveDate, f64)> =
        all.iter().filter(|(day, _)| day.year() > 2018 || day.to_string() == GAPS[0].0).collect();
    told.same("gaps", (late.len(), GAPS.len()));
    for ((day, gap), (expected_on, expected)) in late.into_iter().zip(GAPS) {
        told.same("roll", (day.to_string(), expected_on.to_owned()));
        told.close(&format!("{day}: gap"), (*gap, expected), 1e-9);
    }
    let in_expiry_week = |day: NaiveDate| {
        let month = ContractMonth::new(day.year(), day.month());
        month.is_ok_and(|month| matches!((month.third_friday() - day).num_days(), 2 | 3))
    };
    let usual = all.iter().filter(|(day, _)| in_expiry_week(*day)).count();
    told.same("on Tuesday or Wednesday of expiry week, of all", ((usual, all.len()), (49, 51)));
    told.end();
}

#[test]
fn a_gap_is_no_constant_within_one_autumn() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for (mode, day, expected) in [("1", "2019-08-31", 0.25), ("2", "2019-09-17", 2.5), ("0", "2019-09-19", 2.0)] {
        let gaps = gaps(&folder, mode);
        let gap = gaps.iter().find(|(roll, _)| roll.to_string() == day).map(|(_, gap)| *gap).expect("the roll");
        told.close(&format!("mode {mode}, {day}: gap"), (gap, expected), 1e-9);
    }
    told.end();
}

/// Where the lead goes over by its role: the last instant at which both contracts have a price, and new less old then.
fn gaps_of_contracts(lines: &[Line]) -> Vec<(DateTime<Utc>, f64)> {
    let mut prices: BTreeMap<DateTime<Utc>, BTreeMap<&str, f64>> = BTreeMap::new();
    let mut leads: BTreeMap<DateTime<Utc>, &str> = BTreeMap::new();
    for line in lines {
        let (at, contract) = (stamp(line, "obs_utc"), line["contract"].as_str());
        prices.entry(at).or_default().insert(contract, number(line, "price"));
        if line["role"] == "lead" {
            leads.insert(at, contract);
        }
    }
    let pairs = leads.iter().zip(leads.iter().skip(1));
    let switches = pairs.filter(|((_, before), (_, after))| before != after);
    let common = switches.filter_map(|((_, before), (switch, after))| {
        let mut prices_before = prices.range(..=*switch).rev();
        prices_before.find_map(|(at, known)| Some((*at, known.get(after)? - known.get(before)?)))
    });
    common.collect()
}

#[test]
fn a_second_source_rolls_earlier_with_gaps_of_its_own() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let known = [
        ("2019-12-10", 2.25),
        ("2020-03-10", -11.0),
        ("2020-06-10", -11.25),
        ("2020-09-10", -10.5),
        ("2020-12-10", -8.0),
        ("2021-03-10", -9.75),
        ("2021-06-10", -9.5),
        ("2021-09-10", -9.0),
    ];
    let found = gaps_of_contracts(&contracts_of(&folder, "ES"));
    told.same("rolls", (found.len(), known.len()));
    for ((at, gap), (day, expected)) in found.into_iter().zip(known) {
        told.same("roll", (at.date_naive().to_string(), day.to_owned()));
        told.close(&format!("{at}: gap"), (gap, expected), 1e-9);
        let others: Vec<f64> =
            GAPS.iter().filter(|(roll, _)| roll.get(..7) == day.get(..7)).map(|(_, gap)| *gap).collect();
        let is_alike = others.iter().any(|other| other * gap > 0.0 && (other - gap).abs() < 3.0);
        told.same(&format!("{day}: of the sign and size of the other source's {others:?}"), (is_alike, true));
    }
    told.end();
}

/// The price of a contract at a New York time.
fn price(lines: &[Line], contract: &str, time: &str) -> f64 {
    let instant = at(time);
    let is_it = |line: &&Line| line["contract"] == contract && stamp(line, "obs_utc") == instant;
    lines.iter().find(is_it).map(|line| number(line, "price")).expect("a price")
}

#[test]
fn neither_difference_nor_ratio_to_the_etf_is_a_basis() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let (lines, spy) = (contracts_of(&folder, "ES"), Etf::of(&folder, "SPY"));
    let both = |contract: &str, time: &str| (price(&lines, contract, time), spy.close(local(at(time)).0));
    let (future, etf) = both("202003", "2019-12-19 16:00");
    told.close("less the ETF: a unit error", (future - etf, 2_889.35), 6e-3);
    told.close("less ten of the ETF, before it went ex", (future - 10.0 * etf, 1.25), 6e-3);
    told.close("ratio before it went ex", (future / etf, 10.003_90), 6e-6);
    let (future, etf) = both("202003", "2019-12-20 16:00");
    told.close("less ten of the ETF, after", (future - 10.0 * etf, 16.70), 6e-3);
    told.close("ratio after", (future / etf, 10.052_07), 6e-6);
    let (future, etf) = both("202003", "2020-03-09 16:00");
    told.close("ratio of the old contract", (future / etf, 9.976_11), 6e-6);
    let (future, etf) = both("202006", "2020-03-09 16:00");
    told.close("ratio of the new one at the same instant", (future / etf, 9.931_44), 6e-6);
    told.end();
}

#[test]
fn the_ratio_at_16_00_wanders_over_ranges_that_are_known() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for (pair, n, [least, greatest, middle], within) in [
        (("ES", "SPY"), 387, [9.898_8, 10.052_1, 10.000_8], 6e-5),
        (("NQ", "QQQ"), 688, [40.744, 41.463, 41.055], 6e-4),
        (("RTY", "IWM"), 1_513, [9.647, 10.104, 10.050], 6e-4),
    ] {
        let (lines, etf) = (contracts_of(&folder, pair.0), Etf::of(&folder, pair.1));
        let leads = leads_at_close(&lines);
        let common = leads.iter().filter(|(day, _)| etf.prices.contains_key(*day));
        let mut ratios: Vec<f64> = common.map(|(day, (_, price))| price / etf.close(*day)).collect();
        ratios.sort_by(f64::total_cmp);
        told.same(&format!("{}: closes", pair.0), (ratios.len(), n));
        let of = |share| quantile(&ratios, share).expect("ratios");
        told.close(&format!("{}: least", pair.0), (of(0.0), least), within);
        told.close(&format!("{}: greatest", pair.0), (of(1.0), greatest), within);
        told.close(&format!("{}: median", pair.0), (of(0.5), middle), within);
    }
    told.end();
}

/// Changes of the lead of ES and of SPY between consecutive common hours of one day and one contract.
fn hourly_changes(folder: &Path) -> Vec<(f64, f64)> {
    let spy = table(folder, "SPY_lean_1h_raw");
    let spy: BTreeMap<DateTime<Utc>, f64> =
        spy.iter().map(|line| (stamp(line, "obs_utc"), number(line, "close"))).collect();
    let lines = contracts_of(folder, "ES");
    let mut rows: Vec<(DateTime<Utc>, &str, f64, f64)> = lines
        .iter()
        .filter(|line| line["rule"] == "ET5_start60" && line["role"] == "lead")
        .filter_map(|line| {
            let at = stamp(line, "obs_utc");
            Some((at, line["contract"].as_str(), number(line, "price"), *spy.get(&at)?))
        })
        .collect();
    rows.sort_by_key(|row| (row.0, row.1));
    let pairs = rows.iter().zip(rows.iter().skip(1));
    let alike = pairs.filter(|(before, after)| local(before.0).0 == local(after.0).0 && before.1 == after.1);
    alike.map(|(before, after)| ((after.2 / before.2).ln(), (after.3 / before.3).ln())).collect()
}

#[test]
fn the_change_of_the_future_may_be_compared_with_that_of_the_etf() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let changes = hourly_changes(&folder);
    told.same("hours", (changes.len(), 1_068));
    told.close("correlation", (correlation(&changes).expect("changes"), 0.997_0), 6e-5);
    let n = f64::from(u32::try_from(changes.len()).expect("few"));
    let residuals: Vec<f64> = changes.iter().map(|(future, etf)| future - etf).collect();
    let mean = residuals.iter().sum::<f64>() / n;
    let squares: f64 = residuals.iter().map(|residual| (residual - mean).powi(2)).sum();
    told.close("deviation of the residual, bp", (BASIS_POINTS * (squares / (n - 1.0)).sqrt(), 4.53), 6e-3);
    told.end();
}

/// ln(next/lead) per year in per cent, by the year of the instant, where both roles have a price.
fn slopes(lines: &[Line]) -> BTreeMap<i32, Vec<f64>> {
    let mut roles: BTreeMap<DateTime<Utc>, BTreeMap<&str, (ContractMonth, f64)>> = BTreeMap::new();
    for line in lines {
        let month: ContractMonth = line["contract"].parse().expect("a contract month");
        let of_instant = roles.entry(stamp(line, "obs_utc")).or_default();
        of_instant.insert(line["role"].as_str(), (month, number(line, "price")));
    }
    let mut slopes: BTreeMap<i32, Vec<f64>> = BTreeMap::new();
    for (at, known) in &roles {
        let Some(((lead, near), (next, far))) = known.get("lead").copied().zip(known.get("next").copied()) else {
            continue;
        };
        let years = f64::from(next.year() - lead.year()) + (f64::from(next.month()) - f64::from(lead.month())) / 12.0;
        slopes.entry(at.year()).or_default().push(100.0 * (far / near).ln() / years);
    }
    slopes
}

#[test]
fn next_less_lead_is_rate_less_yield_and_changes_its_sign_with_the_years() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let of_es = [(2019, 0.23), (2020, -0.99), (2021, -0.93)];
    let of_nq = [(2018, 1.59), (2019, 1.43), (2020, -0.26), (2021, -0.29)];
    let of_rty =
        [(2015, -1.77), (2016, -1.49), (2017, -0.11), (2018, 1.16), (2019, 0.68), (2020, -0.79), (2021, -0.65)];
    for (future, known) in [("ES", &of_es[..]), ("NQ", &of_nq[..]), ("RTY", &of_rty[..])] {
        let slopes = slopes(&contracts_of(&folder, future));
        let years: Vec<i32> = slopes.keys().copied().collect();
        told.same(&format!("{future}: years"), (years, known.iter().map(|(year, _)| *year).collect()));
        for (mut values, (year, expected)) in slopes.into_values().zip(known) {
            values.sort_by(f64::total_cmp);
            let median = quantile(&values, 0.5).expect("instants");
            told.close(&format!("{future} {year}: median, % a year"), (median, *expected), 6e-3);
        }
    }
    told.end();
}

/// The future and the ETF from a close to an instant of the next session; both times as New York reads them.
fn moves(folder: &Path, [from, to]: [&str; 2]) -> (FutureMove, EtfMove) {
    let (lines, spy) = (contracts_of(folder, "ES"), Etf::of(folder, "SPY"));
    let hours = table(folder, "SPY_lean_1h_raw");
    let close = |time: &str| {
        let line = hours.iter().find(|line| stamp(line, "obs_utc") == at(time));
        line.map(|line| number(line, "close")).expect("an hour")
    };
    let before = local(at(from)).0;
    let future = FutureMove { close: price(&lines, "202003", from), now: price(&lines, "202003", to) };
    (future, EtfMove { close: spy.close(before), now: close(to), dividend: spy.dividend(before) })
}

#[test]
fn with_an_etf_alone_the_change_of_the_basis_needs_the_dividend_that_went_ex() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let (future, etf) = moves(&folder, ["2019-12-19 16:00", "2019-12-20 16:00"]);
    let got = [future.close, etf.close, future.now, etf.now, etf.dividend];
    told.same("prices over the ex-date", (got, [3_210.25, 320.90, 3_224.0, 320.73, 1.569_992]));
    let change = etf_only_basis_change_bp(future, etf);
    told.close("change of the basis, bp", (change, -0.79), 6e-3);
    let blind = EtfMove { dividend: 0.0, ..etf };
    told.close("without the dividend, a false signal", (etf_only_basis_change_bp(future, blind), 48.04), 6e-3);
    // The two forms say one thing: F less its fair price is F (1 - exp(-x)) of a change of the logarithm x.
    told.close("basis, points", (index_basis(future, etf), -0.255_373), 6e-7);
    let of_change = future.now * (1.0 - (-change / BASIS_POINTS).exp());
    told.close("basis of the change, points", (index_basis(future, etf), of_change), 1e-8);
    told.close("without the dividend, points", (index_basis(future, blind), 15.450_662), 6e-7);
    let (future, etf) = moves(&folder, ["2019-12-18 16:00", "2019-12-19 10:00"]);
    let got = [future.close, etf.close, future.now, etf.now, etf.dividend];
    told.same("prices over a night without one", (got, [3_196.75, 319.59, 3_199.75, 319.95, 0.0]));
    told.close("change of the basis, bp", (etf_only_basis_change_bp(future, etf), -1.88), 6e-3);
    told.close("basis, points", (index_basis(future, etf), -0.600_957), 6e-7);
    told.end();
}

#[test]
fn the_fair_basis_is_the_published_one() {
    let mut told = Told::default();
    let paid_at_expiry = vec![Dividend { points: 3.47, days: 78.0 }];
    let example = FairBasis { future: 1_157.0, index: 1_146.0, rate: 0.057, days: 78.0, dividends: paid_at_expiry };
    told.close("fair value", (example.fair_value(), 1_156.683_1), 6e-5);
    told.close("premium", (example.fair_value() - example.index, 10.683_1), 6e-5);
    told.close("basis, points", (example.basis(), 11.0), 1e-9);
    told.close("basis, bp", (example.basis_bp(), 95.528_3), 6e-5);
    told.close("richness, points", (example.richness(), 0.316_9), 6e-5);
    told.close("richness, bp", (example.richness_bp(), 2.739_4), 6e-5);
    told.close("implied financing", (example.implied_financing(), 0.058_276_3), 6e-8);
    told.close("carry", (example.carry(), 0.044_702_3), 6e-8);
    let fair = FairBasis { future: example.fair_value(), ..example };
    told.close("implied financing of the fair price", (fair.implied_financing(), 0.057), 1e-12);
    let dividends = vec![Dividend { points: 8.0, days: 20.0 }, Dividend { points: 7.0, days: 45.0 }];
    let basis = FairBasis { future: 5_020.0, index: 5_000.0, rate: 0.045, days: 60.0, dividends };
    told.close("fair value with interest on dividends", (basis.fair_value(), 5_022.446_875), 1e-9);
    told.end();
}
