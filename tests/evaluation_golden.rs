//! The statistics of the evaluation against numbers that were computed elsewhere, over recorded futures and ETFs in
//! `../shared/data/market`. Where that folder is not, it is said and nothing is compared.

#![expect(clippy::expect_used, reason = "data that cannot be read must fail the test")]

mod market_files;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use frontmonth::evaluation::{
    Alarm, Bootstrap, Confirmation, Day, EvaluationConfig, Hits, SplitMix64, Verdict, VerdictInputs, auc_bound,
    base_signals, confirm, correlation, default_lag, exact_sd, hits, judge, lead_lag, look_ahead_alarms, mean_test,
    pesaran_timmermann, pooled_by_day, regression, signed_returns, skill,
};

use market_files::{Line, Told, date, folder, local, number, stamp, table};

const BASIS_POINTS: f64 = 1e4;

const BOOTSTRAP: Bootstrap = Bootstrap { seed: 7, mean_block: 10.0, draws: 2_000 };

struct Sample {
    days: Vec<Day>,
    /// The session before: its close less its open.
    before: Vec<f64>,
    /// The gap without the dividend.
    raw_gaps: Vec<f64>,
}

/// Mornings of a pair: the future from 16:00 to 09:00 by one contract, the ETF's gap and session.
fn sample(folder: &std::path::Path, future: &str, etf: &str) -> Sample {
    let daily: BTreeMap<NaiveDate, [f64; 2]> = table(folder, &format!("{etf}_lean_daily_raw"))
        .iter()
        .map(|row| (date(row, "date"), [number(row, "open"), number(row, "close")]))
        .collect();
    let dividends: BTreeMap<NaiveDate, f64> = table(folder, &format!("{etf}_lean_dividends"))
        .iter()
        .map(|row| (date(row, "last_cum_date"), number(row, "dividend")))
        .collect();
    let rows = table(folder, &format!("{future}_pst_intraday_contracts"));
    let rows: Vec<_> = rows.iter().filter(|row| row["rule"] != "LON_snapshot").collect();
    let mut closes = BTreeMap::new();
    for row in &rows {
        let (date, time) = local(stamp(row, "obs_utc"));
        if time == "16:00:00" {
            closes.insert((date, row["contract"].clone()), number(row, "price"));
        }
    }
    let mut found = Sample { days: Vec::new(), before: Vec::new(), raw_gaps: Vec::new() };
    for row in &rows {
        let (date, time) = local(stamp(row, "obs_utc"));
        if time != "09:00:00" || row["role"] != "lead" {
            continue;
        }
        let Some([open, close]) = daily.get(&date) else { continue };
        let (before, [open_before, close_before]) = daily.range(..date).next_back().expect("a session before");
        let Some(reference) = closes.get(&(*before, row["contract"].clone())) else { continue };
        let dividend = dividends.get(before).copied().unwrap_or(0.0);
        found.days.push(Day {
            date,
            futures: (number(row, "price") / reference).ln(),
            gap: ((open + dividend) / close_before).ln(),
            session: (close / open).ln(),
        });
        found.before.push(close_before - open_before);
        found.raw_gaps.push((open / close_before).ln());
    }
    found
}

/// Compares counts of hits.
fn counts(told: &mut Told, what: &str, got: &Hits, expected: (usize, usize)) {
    told.same(what, ((got.hits, got.n), expected));
}

fn sd(values: &[f64]) -> f64 {
    let n = f64::from(u32::try_from(values.len()).expect("few"));
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// The pairs, each with what is expected of its sample.
struct Expected {
    pair: (&'static str, &'static str),
    n: usize,
    sums: (f64, f64),
    correlations: (f64, f64, f64),
    hits: (usize, usize),
    close_to_close: ((usize, usize), (usize, usize)),
    mean: (f64, f64),
    ups: f64,
    newey_west: [(usize, f64); 2],
    exact_sd: f64,
    interval: (f64, f64),
    timing: f64,
}

const SAMPLES: [Expected; 3] = [
    Expected {
        pair: ("RTY", "IWM"),
        n: 1_512,
        sums: (0.785_654_54, -0.197_650_59),
        correlations: (0.947_6, 0.947_2, 0.020_3),
        hits: (747, 1_496),
        close_to_close: ((983, 1_502), (986, 1_502)),
        mean: (-2.076_884, 104.280),
        ups: 0.519_841,
        newey_west: [(7, -0.817_2), (12, -0.842_2)],
        exact_sd: 2.520_819,
        interval: (-7.073_246, 3.050_093),
        timing: -0.263_8,
    },
    Expected {
        pair: ("NQ", "QQQ"),
        n: 477,
        sums: (0.161_965_41, 0.091_673_99),
        correlations: (0.964_4, 0.963_3, 0.078_4),
        hits: (234, 474),
        close_to_close: ((336, 477), (339, 477)),
        mean: (0.876_512, 117.483),
        ups: 0.517_820,
        newey_west: [(5, 0.172_7), (12, 0.180_0)],
        exact_sd: 4.766_372,
        interval: (-8.221_063, 10.679_079),
        timing: -0.328_3,
    },
    Expected {
        pair: ("ES", "SPY"),
        n: 177,
        sums: (0.017_985_12, 0.083_376_97),
        correlations: (0.943_7, 0.944_3, 0.195_6),
        hits: (87, 172),
        close_to_close: ((121, 175), (122, 175)),
        mean: (-2.158_181, 121.467),
        ups: 0.564_972,
        newey_west: [(4, -0.224_6), (12, -0.263_3)],
        exact_sd: 8.220_768,
        interval: (-18.056_644, 15.145_146),
        timing: -0.019_1,
    },
];

#[test]
fn mornings_of_three_pairs_give_the_known_counts_means_and_intervals() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for expected in &SAMPLES {
        let (future, etf) = expected.pair;
        let found = sample(&folder, future, etf);
        let of = |what: &str| format!("{future}: {what}");
        let pairs = |of: &dyn Fn(&Day) -> f64| found.days.iter().map(|day| (day.futures, of(day))).collect::<Vec<_>>();
        told.same(&of("days"), (found.days.len(), expected.n));
        let sum = |of: &dyn Fn(&Day) -> f64| found.days.iter().map(of).sum::<f64>();
        told.close(&of("sum of the futures"), (sum(&|day| day.futures), expected.sums.0), 6e-9);
        told.close(&of("sum of the sessions"), (sum(&|day| day.session), expected.sums.1), 6e-9);
        let gaps = correlation(&pairs(&|day| day.gap)).expect("changes");
        told.close(&of("correlation with the gap"), (gaps, expected.correlations.0), 6e-5);
        let raw: Vec<(f64, f64)> =
            found.days.iter().map(|day| day.futures).zip(found.raw_gaps.iter().copied()).collect();
        let raw = correlation(&raw).expect("changes");
        told.close(&of("correlation with the gap, no dividend"), (raw, expected.correlations.1), 6e-5);
        let sessions = correlation(&pairs(&|day| day.session)).expect("changes");
        told.close(&of("correlation with the session"), (sessions, expected.correlations.2), 6e-5);
        counts(&mut told, &of("hits, open to close"), &hits(pairs(&|day| day.session)), expected.hits);
        let raw = found.days.iter().zip(&found.raw_gaps).map(|(day, gap)| (day.futures, gap + day.session));
        counts(&mut told, &of("hits, close to close, no dividend"), &hits(raw), expected.close_to_close.0);
        counts(&mut told, &of("hits, close to close"), &hits(pairs(&Day::close_to_close)), expected.close_to_close.1);
        let returns = signed_returns(&found.days);
        told.close(&of("deviation"), (sd(&returns), expected.mean.1), 6e-4);
        for (lag, t) in expected.newey_west {
            let test = mean_test(&returns, lag).expect("values");
            told.close(&of("mean"), (test.mean, expected.mean.0), 6e-7);
            told.close(&of(&format!("t, lag {lag}")), (test.t.expect("a t"), t), 6e-5);
        }
        told.same(&of("lag by default"), (default_lag(returns.len(), 1), expected.newey_west[0].0));
        told.close(
            &of("deviation of the drawn mean"),
            (exact_sd(&returns, 10.0).expect("values"), expected.exact_sd),
            6e-7,
        );
        let interval = BOOTSTRAP.interval_of_mean(&returns).expect("draws");
        told.close(&of("interval from"), (interval.lo, expected.interval.0), 6e-7);
        told.close(&of("interval to"), (interval.hi, expected.interval.1), 6e-7);
        let ups: Vec<(bool, bool)> = found.days.iter().map(|day| (day.futures > 0.0, day.session > 0.0)).collect();
        let share = f64::from(u32::try_from(ups.iter().filter(|day| day.1).count()).expect("few"))
            / f64::from(u32::try_from(ups.len()).expect("few"));
        told.close(&of("share of ups"), (share, expected.ups), 6e-7);
        told.close(&of("timing"), (pesaran_timmermann(&ups).expect("changes").z, expected.timing), 6e-5);
    }
    told.end();
}

/// What confirmation was worth: pair, n, confirmed, its interval, means of both arms, difference and its interval, p of both
/// shifts, the difference at the first shift, and against the gap: difference, difference of both and its interval, days.
type Known = ((&'static str, &'static str), usize, usize, [f64; 2], [f64; 5], [f64; 3], ([f64; 4], usize));

const CONFIRMED: [Known; 3] = [
    (
        ("RTY", "IWM"),
        1_506,
        705,
        [0.443_0, 0.493_4],
        [-7.900_2, -2.897_7, -5.002_5, -15.226_1, 4.497_5],
        [0.819_5, 0.824_9, 6.534_133],
        ([-0.954_7, -4.047_8, -9.806_4, 1.027_2], 120),
    ),
    (
        ("NQ", "QQQ"),
        474,
        248,
        [0.478_2, 0.567_8],
        [-8.693_9, -11.401_1, 2.707_2, -15.155_8, 22.640_7],
        [0.435_8, 0.406_0, -4.509_029],
        ([4.909_8, -2.202_6, -15.534_7, 9.869_8], 33),
    ),
    (
        ("ES", "SPY"),
        174,
        86,
        [0.420_9, 0.567_9],
        [-17.418_9, -12.369_3, -5.049_7, -34.979_0, 25.752_6],
        [0.639_7, 0.625_0, 9.480_113],
        ([17.458_4, -22.508_0, -57.191_0, 1.401_8], 13),
    ),
];

fn confirmation(folder: &std::path::Path, pair: (&str, &str)) -> Confirmation {
    let found = sample(folder, pair.0, pair.1);
    confirm(&base_signals(&found.days, &found.before), &BOOTSTRAP)
}

#[test]
fn confirmation_of_three_pairs_gives_the_known_differences_nulls_and_verdicts() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for (pair, n, confirmed, wilson, arms, shifts, (gap, days)) in CONFIRMED {
        let got = confirmation(&folder, pair);
        let of = |what: &str| format!("{}: {what}", pair.0);
        told.same(&of("signals"), (got.n, n));
        told.same(&of("confirmed"), (got.arms.num_confirmed, confirmed));
        let interval = got.confirmed.expect("a share");
        told.close(&of("share from"), (interval.lo, wilson[0]), 6e-5);
        told.close(&of("share to"), (interval.hi, wilson[1]), 6e-5);
        let interval = got.interval.expect("draws");
        let numbers = [
            got.arms.mean_confirmed.expect("an arm"),
            got.arms.mean_rejected.expect("an arm"),
            got.difference.expect("arms"),
            interval.lo,
            interval.hi,
        ];
        let names = ["mean confirmed", "mean rejected", "difference", "interval from", "interval to"];
        for ((name, got), expected) in names.into_iter().zip(numbers).zip(arms) {
            told.close(&of(name), (got, expected), 6e-5);
        }
        let (signal, flags) = (got.signal_shift.expect("shifts"), got.flag_shift.expect("shifts"));
        told.close(&of("p of the signal shift"), (signal.p, shifts[0]), 6e-5);
        told.close(&of("p of the flag shift"), (flags.p, shifts[1]), 6e-5);
        told.close(&of("difference at the first shift"), (signal.first.expect("arms"), shifts[2]), 6e-7);
        let (by_gap, apart) = (got.gap_difference.expect("arms"), got.against_gap.expect("draws"));
        let own = got.difference.expect("arms");
        let numbers = [by_gap, own - by_gap, apart.lo, apart.hi];
        let names = ["difference by the gap", "less that of the gap", "from", "to"];
        for ((name, got), expected) in names.into_iter().zip(numbers).zip(gap) {
            told.close(&of(name), (got, expected), 6e-5);
        }
        told.same(&of("days on which gap and futures differ"), (got.num_disagreeing, days));
        let verdict = |gain| {
            let config = EvaluationConfig { smallest_useful_gain_bp: gain, ..EvaluationConfig::default() };
            judge(&VerdictInputs { confirmation: &got, corrected_p: Some(signal.p) }, &config)
        };
        let expected = match pair.0 {
            "RTY" => (Verdict::NoUsefulGain, Verdict::Inconclusive),
            "NQ" => (Verdict::Inconclusive, Verdict::Inconclusive),
            _ => (Verdict::Insufficient, Verdict::Insufficient),
        };
        told.same(&of("verdicts at 5 bp and at 4 bp"), ((verdict(5.0), verdict(4.0)), expected));
    }
    told.end();
}

#[test]
fn gap_and_futures_together_give_the_known_coefficients() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let known = [
        (("RTY", "IWM"), [-0.213_75, -1.466, 0.232_08, 1.889]),
        (("NQ", "QQQ"), [-0.234_08, -1.324, 0.291_86, 2.204]),
        (("ES", "SPY"), [0.125_76, 0.578, 0.031_53, 0.188]),
    ];
    for ((future, etf), expected) in known {
        let days = sample(&folder, future, etf).days;
        let of = |of: &dyn Fn(&Day) -> f64| days.iter().map(of).collect::<Vec<f64>>();
        let (gaps, futures) = (of(&|day| day.gap), of(&|day| day.futures));
        let fit = regression(&[&gaps, &futures], &of(&|day| day.session), 7).expect("a fit");
        let got = [fit.coefficients[2], fit.t[2], fit.coefficients[1], fit.t[1]];
        for ((name, got), expected) in ["of futures", "its t", "of the gap", "its t"].into_iter().zip(got).zip(expected)
        {
            told.close(&format!("{future}: {name}"), (got, expected), 6e-4);
        }
    }
    told.end();
}

/// Pair, sessions scored, skill and its 5 %, the same of the last sessions, AUC and its 5 %, predictive value.
type KnownSkill = ((&'static str, &'static str), usize, [f64; 2], Option<[f64; 2]>, [f64; 2], Option<f64>);

#[test]
fn skill_of_three_pairs_is_the_known_one_and_null_where_little_was_seen() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let config = EvaluationConfig::default();
    let known: [KnownSkill; 3] = [
        (
            ("RTY", "IWM"),
            1_412,
            [-0.002_370, -0.006_108],
            Some([-0.003_346, -0.014_645]),
            [0.514_314, 0.490_8],
            Some(0.0),
        ),
        (("NQ", "QQQ"), 377, [-0.004_512, -0.020_565], Some([-0.017_991, -0.034_603]), [0.502_676, 0.454_3], Some(0.0)),
        (("ES", "SPY"), 77, [0.027_737, -0.044_268], None, [0.565_325, 0.478_6], None),
    ];
    for ((future, etf), scored, all, recent, of_auc, value) in known {
        let days = sample(&folder, future, etf).days;
        let got = skill(&days, &config).expect("scored");
        told.same(&format!("{future}: scored"), (got.num_scored, scored));
        told.close(&format!("{future}: skill"), (got.all, all[0]), 6e-7);
        told.close(&format!("{future}: its 5 %"), (got.all_q05, all[1]), 6e-7);
        told.same(&format!("{future}: recent skill"), (got.recent.is_some(), recent.is_some()));
        if let (Some(own), Some(bound), Some(recent)) = (got.recent, got.recent_q05, recent) {
            told.close(&format!("{future}: recent skill"), (own, recent[0]), 6e-7);
            told.close(&format!("{future}: its 5 %"), (bound, recent[1]), 6e-7);
        }
        let (own, bound) = auc_bound(&days, &BOOTSTRAP).expect("both ways");
        told.close(&format!("{future}: AUC"), (own, of_auc[0]), 6e-7);
        told.close(&format!("{future}: its 5 %"), (bound, of_auc[1]), 6e-5);
        told.same(&format!("{future}: predictive value"), (got.predictive_value, value));
    }
    told.end();
}

#[test]
fn three_pairs_pooled_by_day_are_worth_less_than_their_rows() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let samples = [("RTY", "IWM"), ("NQ", "QQQ"), ("ES", "SPY")].map(|(future, etf)| sample(&folder, future, etf).days);
    let dates = |days: &Vec<Day>| days.iter().map(|day| day.date).collect::<BTreeSet<_>>();
    let common = samples.iter().map(dates).reduce(|one, other| &one & &other).expect("samples");
    let rows: Vec<(NaiveDate, f64)> = samples
        .iter()
        .flat_map(|days| days.iter().map(|day| day.date).zip(signed_returns(days)))
        .filter(|(date, _)| common.contains(date))
        .collect();
    told.same("days in common", (common.len(), 169));
    told.same("rows", (rows.len(), 507));
    let by_row: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    let (by_row, by_day) = (mean_test(&by_row, 0).expect("rows"), mean_test(&pooled_by_day(&rows), 0).expect("days"));
    told.close("mean", (by_day.mean, -1.170_958), 6e-7);
    told.close("standard error by rows", (by_row.standard_error, 5.965), 6e-4);
    told.close("standard error by days", (by_day.standard_error, 9.181), 6e-4);
    told.end();
}

/// What, years, share of the dividend, days, slope with its t and R2, hits.
type KnownYears = (&'static str, [i32; 2], f64, usize, [f64; 3], (usize, usize));

#[test]
fn the_last_hour_is_told_by_the_first_in_one_year_and_not_in_seven() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let mut bars: BTreeMap<NaiveDate, BTreeMap<String, f64>> = BTreeMap::new();
    for row in table(&folder, "SPY_lean_1h_raw") {
        let (date, time) = local(stamp(&row, "obs_utc"));
        bars.entry(date).or_default().insert(time, number(&row, "close"));
    }
    let dividends: BTreeMap<NaiveDate, f64> = table(&folder, "SPY_lean_dividends")
        .iter()
        .map(|row| (date(row, "last_cum_date"), number(row, "dividend")))
        .collect();
    let sessions: Vec<(&NaiveDate, &BTreeMap<String, f64>)> = bars.iter().collect();
    let pairs = |dividend: f64| -> Vec<(NaiveDate, f64, f64)> {
        let of = |pair: &[(&NaiveDate, &BTreeMap<String, f64>)]| {
            let [(before, its), (date, own)] = pair else { return None };
            let last = its.get("16:00:00")?;
            let gone = dividend * dividends.get(*before).copied().unwrap_or(0.0);
            let first = ((own.get("10:00:00")? + gone) / last).ln();
            Some((**date, first, (own.get("16:00:00")? / own.get("15:00:00")?).ln()))
        };
        sessions.windows(2).filter_map(of).collect()
    };
    let known: [KnownYears; 5] = [
        ("2014 to 2021-03", [2014, 2021], 1.0, 1_792, [0.058_395, 1.089_8, 0.012_696], (856, 1_768)),
        ("without dividends", [2014, 2021], 0.0, 1_792, [0.060_957, 1.144_7, 0.013_938], (867, 1_768)),
        ("2013", [2013, 2013], 1.0, 245, [0.125_138, 3.743_8, 0.055_129], (142, 238)),
        ("2013 to 2019", [2013, 2019], 1.0, 1_727, [0.000_298, 0.014_8, 0.0], (852, 1_698)),
        ("2020 to 2021-03", [2020, 2021], 1.0, 310, [0.114_795, 1.592_4, 0.051_221], (146, 308)),
    ];
    for (what, [from, to], dividend, n, expected, counted) in known {
        let inside: Vec<(f64, f64)> = pairs(dividend)
            .into_iter()
            .filter(|(date, ..)| (from..=to).contains(&date.year()))
            .map(|(_, x, y)| (x, y))
            .collect();
        let (x, y): (Vec<f64>, Vec<f64>) = inside.iter().copied().unzip();
        let fit = regression(&[&x], &y, 10).expect("a fit");
        told.same(&format!("{what}: days"), (inside.len(), n));
        for ((name, got), expected) in
            ["slope", "t", "R2"].into_iter().zip([fit.coefficients[1], fit.t[1], fit.r_squared]).zip(expected)
        {
            told.close(&format!("{what}: {name}"), (got, expected), if name == "t" { 6e-5 } else { 6e-7 });
        }
        counts(&mut told, &format!("{what}: hits"), &hits(inside), counted);
    }
    told.end();
}

/// Consecutive joined rows of one day: the future's move and the ETF's over one interval, and over the next.
fn joined(folder: &std::path::Path, column: &str) -> [Vec<(f64, f64)>; 2] {
    let etf: BTreeMap<DateTime<Utc>, f64> =
        table(folder, "SPY_lean_1h_raw").iter().map(|row| (stamp(row, "obs_utc"), number(row, "close"))).collect();
    let mut rows: Vec<(DateTime<Utc>, String, f64, f64)> = table(folder, "ES_pst_intraday_contracts")
        .iter()
        .filter(|row| row["rule"] == "ET5_start60" && row["role"] == "lead")
        .filter_map(|row| {
            let at = stamp(row, column);
            Some((at, row["contract"].clone(), number(row, "price"), *etf.get(&at)?))
        })
        .collect();
    rows.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let day = |row: &(DateTime<Utc>, String, f64, f64)| local(row.0).0;
    let (mut next, mut same) = (Vec::new(), Vec::new());
    for pair in rows.windows(2) {
        let [a, b] = pair else { continue };
        if day(a) == day(b) && a.1 == b.1 {
            same.push(((b.2 / a.2).ln(), (b.3 / a.3).ln()));
        }
    }
    for triple in rows.windows(3) {
        let [a, b, c] = triple else { continue };
        if day(a) == day(c) && a.1 == b.1 {
            next.push(((b.2 / a.2).ln(), (c.3 / b.3).ln()));
        }
    }
    [next, same]
}

#[test]
fn with_the_wrong_stamps_every_alarm_rings_and_with_the_right_ones_none() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    for (column, n, next, counted, same, alarms) in [
        ("obs_utc", 889, -0.022_5, (440, 864), 0.997_0, vec![]),
        (
            "bar_start_utc",
            889,
            0.996_5,
            (862, 868),
            -0.007_6,
            vec![Alarm::NextInterval, Alarm::HitRate, Alarm::SameTime],
        ),
    ] {
        let [of_next, of_same] = joined(&folder, column);
        let found = look_ahead_alarms(&of_next, &of_same);
        told.same(&format!("{column}: n"), ((of_next.len(), of_same.len()), (n, 1_068)));
        told.close(&format!("{column}: next interval"), (found.next.expect("changes"), next), 6e-5);
        told.close(&format!("{column}: same time"), (found.same_time.expect("changes"), same), 6e-5);
        counts(&mut told, &format!("{column}: hits"), &found.hits, counted);
        told.same(&format!("{column}: alarms"), (found.alarms, alarms));
    }
    told.end();
}

#[test]
fn at_one_minute_there_is_no_lead_and_a_shifted_stamp_is_found() {
    let Some(folder) = folder() else { return };
    let mut told = Told::default();
    let prices = |name: &str, contract: Option<&str>| -> BTreeMap<DateTime<Utc>, f64> {
        let is_own = |row: &&Line| contract.is_none_or(|contract| row["contract"] == contract);
        table(&folder, name)
            .iter()
            .filter(is_own)
            .map(|row| (stamp(row, "bar_start_utc"), number(row, "close")))
            .collect()
    };
    let (future, etf) = (prices("ES_lean_1m", Some("201312")), prices("SPY_lean_1m", None));
    let days = |shift: i64| -> Vec<Vec<(f64, f64)>> {
        let mut days: BTreeMap<NaiveDate, Vec<(f64, f64)>> = BTreeMap::new();
        for (at, price) in &future {
            let (date, time) = local(*at);
            let inside = ("09:30:00".to_owned()..="15:59:00".to_owned()).contains(&time);
            let week = NaiveDate::from_ymd_opt(2013, 10, 7).zip(NaiveDate::from_ymd_opt(2013, 10, 11)).expect("dates");
            let Some(other) = etf.get(&(*at + TimeDelta::minutes(shift))) else { continue };
            if inside && (week.0..=week.1).contains(&date) {
                days.entry(date).or_default().push((*price, *other));
            }
        }
        let changes = |day: Vec<(f64, f64)>| {
            let pairs = day.iter().zip(day.iter().skip(1));
            pairs.map(|(a, b)| ((b.0 / a.0).ln(), (b.1 / a.1).ln())).collect()
        };
        days.into_values().map(changes).collect()
    };
    let found = lead_lag(&days(0)).expect("changes");
    told.close("same minute", (found.same, 0.944_7), 6e-5);
    for (name, got, expected) in [
        ("future leads", &found.future_leads, [-0.016_2, 0.027_7, 0.009_4]),
        ("ETF leads", &found.etf_leads, [-0.041_8, 0.031_1, -0.005_3]),
    ] {
        for (lag, (got, expected)) in got.iter().zip(expected).enumerate() {
            told.close(&format!("{name} by {}", lag + 1), (*got, expected), 6e-5);
        }
    }
    told.close("squares", (found.ratio, 0.857), 6e-4);
    told.same("sound", (found.is_sound, true));
    told.same("sound with one stamp a minute off", (lead_lag(&days(1)).expect("changes").is_sound, false));
    told.end();
}

#[test]
fn on_days_of_pure_chance_confirmation_is_claimed_in_at_most_one_of_twenty() {
    let config = EvaluationConfig { draws: 400, ..EvaluationConfig::default() };
    let config = &config;
    let claimed =
        move |edge: f64| (0..200).filter(|seed| verdict_of_chance((*seed, edge), config) == Verdict::Adds).count();
    let counts = std::thread::scope(|scope| {
        let counting = [0.0, 10.0, 20.0, 40.0].map(|edge| scope.spawn(move || claimed(edge)));
        counting.map(|counting| counting.join().expect("no panic"))
    });
    println!("claims of 200 by planted edge of 0, 10, 20 and 40 bp: {counts:?}");
    assert!(counts[0] <= 10, "{counts:?}");
    assert!(counts.is_sorted() && counts[3] > 150, "{counts:?}");
}

/// A thousand days of a fair coin; the futures know of each session only the planted edge.
fn verdict_of_chance((seed, edge): (u64, f64), config: &EvaluationConfig) -> Verdict {
    let mut numbers = SplitMix64::new(seed);
    // The sum of twelve is near enough to a normal, with a deviation of 1.
    let mut normal = || (0..12).map(|_| numbers.unit()).sum::<f64>() - 6.0;
    let start = NaiveDate::default();
    let days: Vec<Day> = (0..1_000)
        .map(|day| {
            let futures = 0.005 * normal();
            let session = 0.01 * normal() + edge / BASIS_POINTS / 2.0 * futures.signum();
            Day { date: start + chrono::Days::new(day), futures, gap: 0.005 * normal(), session }
        })
        .collect();
    let sides: Vec<f64> = days.iter().map(|_| normal()).collect();
    let measured = confirm(&base_signals(&days, &sides), &config.bootstrap());
    let p = measured.signal_shift.map(|shift| shift.p);
    judge(&VerdictInputs { confirmation: &measured, corrected_p: p }, config)
}
