//! That no signal looks ahead: cut at its instant, the table gives the same signal in every bit; given more, it is refused.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::market::PricePoint;

use super::fixtures::{Scene, instant};
use super::{Derived, FuturesSignal, KnownBy, SignalError, derive};

/// Every number of a signal by its bits, and the rest as text.
fn bits(signal: &FuturesSignal) -> (Vec<Option<u64>>, String) {
    let numbers = [
        Some(signal.confidence),
        Some(signal.futures_price),
        signal.spot_price,
        signal.basis,
        signal.change_1h,
        signal.change_4h,
        signal.change_daily,
        Some(signal.momentum),
        signal.predictive_value,
        signal.deviations,
        signal.basis_change_bp,
    ];
    let texts = format!(
        "{} {} {} {} {} {} {} {}",
        signal.symbol,
        signal.futures_symbol,
        signal.as_of,
        signal.timestamp,
        signal.sentiment,
        signal.signal,
        signal.reasoning,
        signal.contract
    );
    (numbers.map(|number| number.map(f64::to_bits)).to_vec(), texts)
}

/// The bits of what a way to derive makes of the rows known at an instant, and of all rows of a longer table.
fn derived(scene: &Scene) -> Result<(Vec<Option<u64>>, String), SignalError> {
    Ok(match derive(&scene.inputs())? {
        Derived::Signal(signal) => bits(&signal),
        Derived::Skipped(reason) => (Vec::new(), reason.to_string()),
    })
}

/// The scene with its table cut at an instant.
fn cut(mut scene: Scene, at: DateTime<Utc>) -> Scene {
    scene.as_of = at;
    scene.rows.retain(|row| row.timestamp.instant() <= at);
    scene
}

/// A careless deriver: it takes the newest row it is given for that of the instant.
fn leaking(scene: &Scene) -> (Vec<Option<u64>>, String) {
    let newest = scene.rows.last().map_or(scene.as_of, |row| row.timestamp.instant());
    let mut ahead = cut(Scene::new(), newest);
    ahead.rows.clone_from(&scene.rows);
    derived(&ahead).expect("nothing is after the newest row")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_table_cut_at_the_instant_gives_the_same_signal_in_every_bit(minutes in 0_i64..7_000) {
        let full = Scene::new();
        let at = full.as_of - TimeDelta::minutes(5 * (minutes / 5));
        // The long table, of which a reader sees the rows up to the instant, and a table that ended there, begun earlier.
        let asked = cut(Scene::new(), at);
        let mut stood = Scene::at(at);
        stood.known_by = KnownBy::Capture(at + TimeDelta::minutes(1));
        prop_assert_eq!(derived(&asked).expect("known"), derived(&stood).expect("known"));
    }

    #[test]
    fn further_rows_before_the_warm_up_change_nothing(days in 29_i64..35) {
        let full = Scene::new();
        let mut shorter = Scene::new();
        let from = shorter.as_of - TimeDelta::days(days);
        shorter.rows.retain(|row| row.timestamp.instant() >= from);
        prop_assert_eq!(derived(&shorter).expect("known"), derived(&full).expect("known"));
    }
}

#[test]
fn a_deriver_that_leaks_is_caught_by_the_cut() {
    let at = instant("2026-11-18T12:00:00Z");
    let mut uncut = Scene::new();
    uncut.as_of = at;
    assert_ne!(leaking(&uncut), leaking(&cut(Scene::new(), at)), "the cut shows the leak");
    let refused = derived(&uncut).expect_err("a row after the instant");
    assert!(matches!(refused, SignalError::AfterAsOf { what: "the row", .. }), "{refused:?}");
}

#[test]
fn every_input_after_the_instant_is_an_error() {
    let later = |scene: &Scene| Some(PricePoint { at: scene.as_of + TimeDelta::seconds(1), price: 600.0 });
    let mut close = Scene::new();
    close.etf.close = later(&close);
    let mut spot = Scene::new();
    spot.etf.spot = later(&spot);
    for scene in [close, spot] {
        assert!(matches!(derive(&scene.inputs()), Err(SignalError::AfterAsOf { .. })));
    }
    let mut captured = Scene::new();
    captured.known_by = KnownBy::Capture(captured.as_of);
    let error = derive(&captured.inputs()).expect_err("the newest row was captured half a minute later").to_string();
    assert!(error.contains("captured") && error.contains("give only rows known then"), "{error}");
}
