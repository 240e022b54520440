//! A simulated week with defects put in at known places: each one is found where it is, and nothing else is.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use frontmonth::calendar::{Slot, TradingDay};
use frontmonth::lake::{AsOf, DecisionRow, FindingRow, KeyRange, Lake, LakeConfig, SignalRow};
use frontmonth::market::{DailyBar, FuturesSnapshot, GatewayKind, Source, SpotSnapshot, Symbol};

use crate::support::Desk;

const FUTURES: &str = "futures_snapshots";
const SPOT: &str = "spot_snapshots";

/// Nothing but captures and backfill: what is derived is put in by hand.
const CAPTURES: &str = "jobs:
  snapshot:
    schedule: { every: 5m, during: cme_equity }
    live: true
    misfire: { catch_up: none, start_deadline: 60s }
    retry: { max: 2, backoff: 5s }
  backfill:
    schedule: [{ at: nyse.close + 20m }, { at: cme_equity.close + 15m }]
    misfire: { catch_up: one }
  compaction:
    schedule: { at: cme_equity.close + 5m }
    misfire: { catch_up: one }
";

/// Quotes that the gateway spoils, each once, with what the capture says of them.
const SPOILED: [(&str, &str); 3] = [
    ("crossed@symbol=NQ,after=100,first=1", "quote.crossed"),
    ("stale:900@symbol=RTY,after=200,first=1", "quote.stale"),
    ("missing:last@symbol=QQQ,after=50,first=1", "quote.no_last"),
];

/// Check, table, symbol and slot of a finding.
type Found = (String, String, String, Slot);

/// A defect and who is to find it.
struct Defect {
    check: &'static str,
    table: &'static str,
    symbol: &'static str,
    at: Slot,
    put_in: fn(&mut Week, Slot),
}

/// The rows of a week.
#[derive(Clone)]
struct Week {
    futures: BTreeMap<(String, Slot), FuturesSnapshot>,
    spot: BTreeMap<(String, Slot), SpotSnapshot>,
    daily: Vec<DailyBar>,
    signals: Vec<SignalRow>,
    decisions: Vec<DecisionRow>,
}

fn at(text: &str) -> Slot {
    Slot::at(format!("2026-10-{text}:00Z").parse().expect("an instant")).expect("a slot")
}

fn day(text: &str) -> TradingDay {
    TradingDay::new(format!("2026-10-{text}").parse::<NaiveDate>().expect("a day"))
}

fn symbol(name: &str) -> Symbol {
    name.parse().expect("a symbol")
}

fn later(slot: Slot, steps: i32) -> Slot {
    Slot::at(slot.instant() + TimeDelta::minutes(5) * steps).expect("a slot")
}

impl Week {
    async fn of(lake: &Lake) -> Self {
        let range = |symbols: [&str; 3]| KeyRange {
            symbols: symbols.map(symbol).to_vec(),
            from: DateTime::<Utc>::MIN_UTC,
            to: DateTime::<Utc>::MAX_UTC,
        };
        let futures = lake.futures(&range(["ES", "NQ", "RTY"]), &AsOf::Latest).await.expect("rows");
        let spot = lake.spot(&range(["SPY", "QQQ", "IWM"]), &AsOf::Latest).await.expect("rows");
        Self {
            futures: futures.into_iter().map(|row| ((row.symbol.to_string(), row.timestamp), row)).collect(),
            spot: spot.into_iter().map(|row| ((row.symbol.to_string(), row.timestamp), row)).collect(),
            daily: lake.daily(&range(["SPY", "QQQ", "IWM"]), &AsOf::Latest).await.expect("bars"),
            signals: Vec::new(),
            decisions: Vec::new(),
        }
    }

    async fn write(self, lake: &Lake) {
        lake.append_futures(&self.futures.into_values().collect::<Vec<_>>()).await.expect("written");
        lake.append_spot(&self.spot.into_values().collect::<Vec<_>>()).await.expect("written");
        lake.append_daily(&self.daily).await.expect("written");
        lake.append_signals(&self.signals).await.expect("written");
        lake.append_decisions(&self.decisions).await.expect("written");
    }

    fn future(&mut self, name: &str, slot: Slot) -> &mut FuturesSnapshot {
        self.futures.get_mut(&(name.to_owned(), slot)).unwrap_or_else(|| panic!("no {name} at {slot}"))
    }

    fn etf(&mut self, name: &str, slot: Slot) -> &mut SpotSnapshot {
        self.spot.get_mut(&(name.to_owned(), slot)).unwrap_or_else(|| panic!("no {name} at {slot}"))
    }

    fn without(&mut self, names: &[&str], from: Slot, num_slots: i32) {
        for step in 0..num_slots {
            for name in names {
                let key = ((*name).to_owned(), later(from, step));
                let gone = self.futures.remove(&key).is_some() || self.spot.remove(&key).is_some();
                assert!(gone, "no {name} at {}", key.1);
            }
        }
    }
}

/// The price of a row, on its tick, so many times what it was.
fn scaled(price: Option<f64>, factor: f64, tick: f64) -> Option<f64> {
    price.map(|price| (price * factor / tick).round() * tick)
}

fn scale_future(row: &mut FuturesSnapshot, factor: f64, tick: f64) {
    (row.bid, row.ask) = (scaled(row.bid, factor, tick), scaled(row.ask, factor, tick));
    row.last = scaled(row.last, factor, tick);
}

fn scale_etf(row: &mut SpotSnapshot, factor: f64) {
    (row.bid, row.ask) = (scaled(row.bid, factor, 0.01), scaled(row.ask, factor, 0.01));
    row.last = scaled(row.last, factor, 0.01);
}

fn defects() -> Vec<Defect> {
    let one = |check, (table, symbol), at, put_in| Defect { check, table, symbol, at, put_in };
    let (es, nq, rty) = ((FUTURES, "ES"), (FUTURES, "NQ"), (FUTURES, "RTY"));
    let (spy, qqq, iwm) = ((SPOT, "SPY"), (SPOT, "QQQ"), (SPOT, "IWM"));
    vec![
        one("keys.not_null", es, at("05T15:00"), |week, slot| week.future("ES", slot).contract.clear()),
        one("contract.lead", es, at("05T17:00"), |week, slot| "ESH7".clone_into(&mut week.future("ES", slot).contract)),
        one("price.positive", nq, at("05T15:00"), |week, slot| week.future("NQ", slot).bid = Some(-5.0)),
        one("value.sentinel", rty, at("05T15:00"), |week, slot| week.future("RTY", slot).ask = Some(-1.0)),
        one("size.sane", nq, at("05T20:55"), |week, slot| week.future("NQ", slot).open_interest = Some(-7)),
        one("size.sane", es, at("05T19:00"), |week, slot| week.future("ES", slot).implied_vol = Some(9.0)),
        one("quote.age", nq, at("06T15:00"), |week, slot| {
            week.future("NQ", slot).captured_at = slot.instant() + TimeDelta::seconds(70);
        }),
        one("quote.spread", rty, at("06T15:00"), |week, slot| {
            let row = week.future("RTY", slot);
            row.bid = row.bid.map(|bid| bid - 20.0);
        }),
        one("feed.live", es, at("06T15:00"), |week, slot| week.future("ES", slot).source = Source::Delayed),
        one("price.limit_band", nq, at("06T17:00"), |week, slot| scale_future(week.future("NQ", slot), 0.7, 0.25)),
        one("time.session_open", rty, at("06T17:00"), |week, slot| week.future("RTY", slot).date = day("02")),
        one("value.sentinel", iwm, at("06T17:00"), |week, slot| week.etf("IWM", slot).ask = Some(1.7e308)),
        one("complete.session", nq, at("07T03:00"), |week, slot| week.without(&["NQ"], slot, 3)),
        one("exchange.silent", (FUTURES, FindingRow::WHOLE), at("07T05:00"), |week, slot| {
            week.without(&["ES", "NQ", "RTY"], slot, 4);
        }),
        one("complete.session", rty, at("08T07:00"), |week, slot| week.without(&["RTY"], slot, 1)),
        one("complete.session", spy, at("07T15:00"), |week, slot| week.without(&["SPY"], slot, 5)),
        one("exchange.silent", (SPOT, FindingRow::WHOLE), at("07T18:00"), |week, slot| {
            week.without(&["SPY", "QQQ", "IWM"], slot, 4);
        }),
        one("quote.unchanged", es, at("07T16:00"), |week, slot| {
            let still = week.future("ES", slot).clone();
            for step in 1..8 {
                let row = week.future("ES", later(slot, step));
                (row.bid, row.ask, row.last) = (still.bid, still.ask, still.last);
            }
        }),
        one("quote.unchanged", qqq, at("08T14:30"), |week, slot| {
            let still = week.etf("QQQ", slot).clone();
            for step in 1..7 {
                let row = week.etf("QQQ", later(slot, step));
                (row.bid, row.ask, row.last) = (still.bid, still.ask, still.last);
            }
        }),
        one("volume.monotone", nq, at("08T15:00"), |week, slot| week.future("NQ", slot).volume = Some(10)),
        one("volume.monotone", iwm, at("08T16:00"), |week, slot| week.etf("IWM", slot).volume = Some(10)),
        one("price.outlier", rty, at("08T15:00"), |week, slot| scale_future(week.future("RTY", slot), 1.02, 0.1)),
        one("price.outlier", iwm, at("08T18:00"), |week, slot| scale_etf(week.etf("IWM", slot), 0.98)),
        // Of a pair nobody knows which of the two is off: the future names it.
        one("cross.symbol", es, at("08T17:00"), |week, slot| scale_etf(week.etf("SPY", slot), 1.006)),
        one("bar.reconcile", nq, at("09T15:00"), |week, slot| scale_future(week.future("NQ", slot), 1.0018, 0.25)),
        one("daily.jump", ("spot_daily", "IWM"), at("08T20:00"), |week, slot| {
            for bar in week.daily.iter_mut().filter(|bar| bar.symbol.as_str() == "IWM" && bar.timestamp >= slot) {
                bar.close /= 2.0;
            }
        }),
        one("daily.hole", ("spot_daily", "SPY"), at("09T20:00"), |week, _| {
            let lost = [day("06"), day("07"), day("08")];
            week.daily.retain(|bar| bar.symbol.as_str() != "SPY" || !lost.contains(&bar.date));
        }),
        one("signal.sound", ("futures_signals", "SPY"), at("07T13:00"), |week, slot| {
            week.signals.push(signal("SPY", slot, later(slot, 1)));
        }),
        one("decision.signal", ("decisions", "IWM"), at("07T13:00"), |week, slot| {
            week.signals.push(signal("QQQ", slot, slot));
            week.decisions.push(decision("QQQ", slot));
            week.decisions.push(decision("IWM", slot));
        }),
    ]
}

fn signal(etf: &str, as_of: Slot, newest: Slot) -> SignalRow {
    SignalRow {
        symbol: symbol(etf),
        futures_symbol: symbol("ES"),
        timestamp: newest,
        sentiment: "neutral".to_owned(),
        signal: "hold".to_owned(),
        confidence: 0.5,
        futures_price: 6_000.0,
        spot_price: None,
        basis: None,
        change_1h: None,
        change_4h: None,
        change_daily: None,
        momentum: 0.0,
        predictive_value: None,
        reasoning: "put in by hand".to_owned(),
        as_of,
        strength: 0.0,
        contract: "ESZ6".to_owned(),
        deviations: None,
        basis_change_bp: None,
        gateway: GatewayKind::Simulated,
        generated_at: as_of.instant(),
        futures_close: None,
        spot_close: None,
        dividend: None,
    }
}

fn decision(etf: &str, as_of: Slot) -> DecisionRow {
    DecisionRow {
        symbol: symbol(etf),
        as_of,
        rule: "none".to_owned(),
        priority: None,
        verdict: "decided".to_owned(),
        reason: "put in by hand".to_owned(),
        action: Some("hold".to_owned()),
        direction: Some("neutral".to_owned()),
        strategy_type: None,
        urgency: Some("normal".to_owned()),
        position_multiplier: Some(0.0),
        timing: "in_time".to_owned(),
        metadata: "{}".to_owned(),
        gateway: GatewayKind::Simulated,
        generated_at: as_of.instant(),
    }
}

/// What a run of the checks finds of the week.
fn found(desk: &Desk, lake: &str) -> Vec<Found> {
    // How full the disk of this machine is says nothing about the rows.
    desk.configure(&format!(
        "lake: {{ uri: {lake} }}\npaths: {{ state: {lake}-state }}\nquality: {{ lake.disk_free: {{ enabled: false }} }}\n"
    ));
    desk.jobs(&["run", "quality", "--from", "2026-10-05", "--to", "2026-10-09"]).succeeded();
    findings_of(desk, lake)
}

/// Check, table, symbol and slot of all that a lake's findings say.
fn findings_of(desk: &Desk, lake: &str) -> Vec<Found> {
    let config = LakeConfig { uri: desk.path().join(lake).display().to_string(), ..LakeConfig::default() };
    let names = ["ES", "NQ", "RTY", "SPY", "QQQ", "IWM", FindingRow::WHOLE];
    let range =
        KeyRange { symbols: names.map(symbol).to_vec(), from: DateTime::<Utc>::MIN_UTC, to: DateTime::<Utc>::MAX_UTC };
    let findings = runtime().block_on(async {
        Lake::reader(&config).expect("a lake").findings(&range, &AsOf::Latest).await.expect("findings")
    });
    findings.into_iter().map(|row| (row.check, row.table, row.symbol.to_string(), row.timestamp)).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

#[test]
fn every_defect_of_a_week_is_found_where_it_is_and_nothing_else_is() {
    let desk = Desk::bare();
    std::fs::create_dir(desk.path().join("plan")).expect("a folder");
    std::fs::write(desk.path().join("plan/all.yaml"), CAPTURES).expect("a file");
    desk.configure("paths: { schedules: plan }\n");
    let faults = SPOILED.iter().flat_map(|(fault, _)| ["--fault", fault]);
    let simulate = ["simulate", "--from", "2026-10-05", "--to", "2026-10-09", "--format", "jsonl"];
    desk.jobs(&simulate.into_iter().chain(faults).collect::<Vec<_>>()).succeeded();
    let mut missed = Vec::new();
    let at_capture = findings_of(&desk, "data/simulation/lake");
    for (fault, check) in SPOILED {
        let count = at_capture.iter().filter(|(found, ..)| found == check).count();
        println!("{check:<18} {fault}: {count} found");
        if count != 1 {
            missed.push(check.to_owned());
        }
    }
    assert_eq!(at_capture.len(), SPOILED.len(), "nothing else is found at capture: {at_capture:?}");
    let lake = |name: &str| {
        let config = LakeConfig { uri: desk.path().join(name).display().to_string(), ..LakeConfig::default() };
        Lake::open(&config, GatewayKind::Simulated).expect("a lake")
    };
    let mut week = runtime().block_on(Week::of(&lake("data/simulation/lake")));
    // What was spoiled at capture is told; the week that the rest is put into is sound.
    for row in week.spot.values_mut() {
        row.last = row.last.or(row.bid);
    }
    let mut spoiled = week.clone();
    for defect in defects() {
        (defect.put_in)(&mut spoiled, defect.at);
    }
    runtime().block_on(async {
        week.write(&lake("sound")).await;
        spoiled.write(&lake("spoiled")).await;
    });
    let sound = found(&desk, "sound");
    assert_eq!(sound, [], "false alarms of a sound week");

    let mut findings = found(&desk, "spoiled");
    let mut echoes = Vec::new();
    for defect in defects() {
        let is_it = |(check, table, symbol, slot): &Found| {
            check == defect.check && table == defect.table && symbol == defect.symbol && *slot == defect.at
        };
        let before = findings.len();
        findings.retain(|finding| !is_it(finding));
        let count = before - findings.len();
        println!("{:<18} {} {} {}: {count} found", defect.check, defect.table, defect.symbol, defect.at);
        if count == 0 {
            missed.push(format!("{} {} {}", defect.check, defect.symbol, defect.at));
        }
    }
    // A defect that is told by a second check as well, in its own slot or the ones beside it, is no false alarm.
    findings.retain(|(check, table, symbol, slot)| {
        let is_echo = defects().iter().any(|defect| {
            let is_near = (slot.instant() - defect.at.instant()).abs() <= TimeDelta::minutes(45);
            is_near && (defect.table == table || check == "cross.symbol" || check == "price.outlier")
        });
        if is_echo {
            echoes.push(format!("{check} {symbol} {slot}"));
        }
        !is_echo
    });
    println!("{} defects, {} missed, {} false", defects().len() + SPOILED.len(), missed.len(), findings.len());
    println!("told a second time: {}", echoes.join(", "));
    assert_eq!((missed, findings), (Vec::new(), Vec::new()));
}
