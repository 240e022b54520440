//! The future against its ETF or its index at one instant, and why that says nothing where it does not.

use chrono::TimeDelta;

use super::SignalInputs;
use super::basis::{EtfMove, FutureMove, etf_only_basis_change_bp, index_basis};

/// What a signal tells of the ETF and of the basis.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Against {
    /// The ETF's price, where it trades.
    pub(super) spot_price: Option<f64>,
    /// In points of the index.
    pub(super) basis: Option<f64>,
    /// What the future has gained on the ETF since its last close, bp.
    pub(super) basis_change_bp: Option<f64>,
    /// Why the ETF's price gives no basis.
    pub(super) withheld: Option<String>,
}

impl Against {
    /// Lays a future beside what is known of its ETF and its index. An ETF that went ex by an amount that nobody knows gives
    /// no basis: the dividend alone would look like one.
    pub(super) fn of(future: FutureMove, inputs: &SignalInputs<'_>) -> Self {
        let mut against = by_etf(future, inputs).unwrap_or_default();
        let fresh = TimeDelta::minutes(i64::from(inputs.config.fresh_minutes));
        let index = inputs.etf.index.filter(|level| inputs.as_of - level.at <= fresh && level.price > 0.0);
        if let Some(level) = index {
            against.basis = Some(future.now - level.price);
        }
        against
    }
}

/// None where the ETF does not trade, or a price is none.
fn by_etf(future: FutureMove, inputs: &SignalInputs<'_>) -> Option<Against> {
    let (close, spot) = (inputs.etf.close?, inputs.etf.spot?);
    let stale = TimeDelta::minutes(i64::from(inputs.config.stale_minutes));
    let is_fresh = spot.at > close.at && inputs.as_of - spot.at < stale;
    if !(is_fresh && future.close > 0.0 && close.price > 0.0 && spot.price > 0.0) {
        return None;
    }
    let told = Against { spot_price: Some(spot.price), ..Against::default() };
    let withheld = |why: String| Some(Against { withheld: Some(why), ..told.clone() });
    let Some(dividend) = inputs.etf.dividend else {
        return withheld(format!("nobody knows what {} went ex since its close", inputs.symbol));
    };
    let etf = EtfMove { close: close.price, now: spot.price, dividend };
    let change_bp = etf_only_basis_change_bp(future, etf);
    if change_bp.abs() > inputs.config.max_basis_change_bp {
        return withheld(format!(
            "{change_bp:+.1} bp since the close is no change of a basis: a dividend is missing, or a price is wrong"
        ));
    }
    Some(Against { basis: Some(index_basis(future, etf)), basis_change_bp: Some(change_bp), ..told })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::PricePoint;
    use crate::signals::fixtures::{Scene, instant};

    /// ES ten points above its price at the close, of 6,000, and SPY half a dollar above its close of 600.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.etf.close = Some(PricePoint { at: instant("2026-11-17T21:00:00Z"), price: 600.0 });
        scene.etf.spot = Some(PricePoint { at: scene.as_of, price: 600.5 });
        scene.etf.dividend = Some(0.0);
        scene
    }

    fn against(scene: &Scene) -> Against {
        Against::of(FutureMove { close: 6000.0, now: 6010.0 }, &scene.inputs())
    }

    #[test]
    fn where_the_etf_trades_the_basis_is_what_the_future_gained_on_it() {
        let told = against(&scene());
        assert_eq!((told.spot_price, told.withheld), (Some(600.5), None));
        assert!((told.basis.expect("known") - 5.0).abs() < 1e-9);
        assert!((told.basis_change_bp.expect("known") - 8.32).abs() < 0.01);
        let mut closed = scene();
        closed.etf.spot = closed.etf.close;
        assert_eq!(against(&closed), Against::default(), "the close itself is no trade of today");
    }

    #[test]
    fn an_ex_date_without_its_dividend_gives_no_basis_and_with_it_the_true_one() {
        let mut scene = scene();
        scene.etf.spot = Some(PricePoint { at: scene.as_of, price: 600.5 - 1.8 });
        let unnoticed = against(&scene);
        assert_eq!((unnoticed.spot_price, unnoticed.basis), (Some(598.7), None));
        assert!(unnoticed.withheld.is_some_and(|why| why.contains("a dividend is missing")));
        scene.etf.dividend = None;
        let unknown = against(&scene);
        assert_eq!(unknown.basis, None);
        assert!(unknown.withheld.is_some_and(|why| why.contains("nobody knows what SPY went ex")));
        scene.etf.dividend = Some(1.8);
        assert!((against(&scene).basis.expect("known") - 5.0).abs() < 1e-6);
    }

    #[test]
    fn a_fresh_level_of_the_index_is_the_true_basis_and_an_old_one_is_none() {
        let mut scene = scene();
        scene.etf.index = Some(PricePoint { at: scene.as_of, price: 5998.25 });
        let told = against(&scene);
        assert_eq!(told.basis, Some(11.75));
        assert!(told.basis_change_bp.is_some(), "the diagnostic stays");
        (scene.etf.spot, scene.etf.dividend) = (None, None);
        assert_eq!(against(&scene).basis, Some(11.75), "before the open too");
        scene.etf.index = Some(PricePoint { at: scene.as_of - TimeDelta::minutes(6), price: 5998.25 });
        assert_eq!(against(&scene).basis, None);
    }
}
