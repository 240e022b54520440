//! Fair value and basis of an index future. Prices and dividends in index points, rates as fractions per year by the money
//! market's count of actual days over 360.

/// Days of a year by the money market's count.
const MONEY_MARKET_DAYS: f64 = 360.0;

/// Days of a calendar year.
const CALENDAR_DAYS: f64 = 365.0;

const BASIS_POINTS: f64 = 1e4;

/// A dividend of the index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dividend {
    /// Index points.
    pub points: f64,
    /// Days from now until it is paid.
    pub days: f64,
}

/// A future, its index at the same instant, and what lies between them.
#[derive(Debug, Clone, PartialEq)]
pub struct FairBasis {
    /// Price of the future, index points.
    pub future: f64,
    /// The index at the same instant.
    pub index: f64,
    /// Interest, a fraction per year.
    pub rate: f64,
    /// Days until the future expires.
    pub days: f64,
    /// The dividends until then.
    pub dividends: Vec<Dividend>,
}

impl FairBasis {
    /// I (1 + r d/360) less the dividends, each with interest from its payment on. A dividend paid at expiry bears none,
    /// which is the form the exchange publishes.
    #[must_use]
    pub fn fair_value(&self) -> f64 {
        self.index * (1.0 + self.rate * self.days / MONEY_MARKET_DAYS) - self.dividends_at_expiry()
    }

    /// Future less index, in points.
    #[must_use]
    pub fn basis(&self) -> f64 {
        self.future - self.index
    }

    /// The basis in basis points: 1e4 ln(F/I).
    #[must_use]
    pub fn basis_bp(&self) -> f64 {
        BASIS_POINTS * (self.future / self.index).ln()
    }

    /// Future less fair value, in points.
    #[must_use]
    pub fn richness(&self) -> f64 {
        self.future - self.fair_value()
    }

    /// The richness in basis points: 1e4 ln(F/FV).
    #[must_use]
    pub fn richness_bp(&self) -> f64 {
        BASIS_POINTS * (self.future / self.fair_value()).ln()
    }

    /// The rate at which the future would be fair, a fraction per year.
    #[must_use]
    pub fn implied_financing(&self) -> f64 {
        ((self.future + self.dividends_at_expiry()) / self.index - 1.0) * MONEY_MARKET_DAYS / self.days
    }

    /// ln(F/I) 365/d, a fraction per year.
    #[must_use]
    pub fn carry(&self) -> f64 {
        (self.future / self.index).ln() * CALENDAR_DAYS / self.days
    }

    fn dividends_at_expiry(&self) -> f64 {
        let with_interest = |paid: &Dividend| {
            let days_of_interest = self.days - paid.days;
            paid.points * (1.0 + self.rate * days_of_interest / MONEY_MARKET_DAYS)
        };
        self.dividends.iter().map(with_interest).sum()
    }
}

/// A future at the last close of its ETF and now: the same contract.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FutureMove {
    /// At the close, index points.
    pub close: f64,
    /// Now.
    pub now: f64,
}

/// An ETF at its last close and now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EtfMove {
    /// At the close, US dollars.
    pub close: f64,
    /// Now.
    pub now: f64,
    /// What has gone ex since the close, US dollars.
    pub dividend: f64,
}

/// The change of the basis since the last close without an index: 1e4 [ln(F/F close) - ln((E + dividend)/E close)], in bp.
#[must_use]
pub fn etf_only_basis_change_bp(future: FutureMove, etf: EtfMove) -> f64 {
    BASIS_POINTS * ((future.now / future.close).ln() - ((etf.now + etf.dividend) / etf.close).ln())
}

/// The same in points of the index: F - (E + dividend) F close/E close. It is 0 at the close.
#[must_use]
pub fn index_basis(future: FutureMove, etf: EtfMove) -> f64 {
    future.now - (etf.now + etf.dividend) * future.close / etf.close
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }

    /// The exchange's published example: dividends without interest.
    fn published() -> FairBasis {
        let dividends = vec![Dividend { points: 3.47, days: 78.0 }];
        FairBasis { future: 1157.0, index: 1146.0, rate: 0.057, days: 78.0, dividends }
    }

    #[test]
    fn the_published_example_comes_out() {
        let example = published();
        is_near(example.fair_value(), 1156.6831, 5e-5);
        is_near(example.basis(), 11.0, 1e-12);
        is_near(example.basis_bp(), 95.5283, 5e-5);
        is_near(example.richness(), 0.3169, 5e-5);
        is_near(example.richness_bp(), 2.7394, 5e-5);
        is_near(example.implied_financing(), 0.058_276_3, 5e-8);
        is_near(example.carry(), 0.044_702_3, 5e-8);
    }

    #[test]
    fn a_fair_future_is_financed_at_the_rate() {
        let example = published();
        let fair = FairBasis { future: example.fair_value(), ..example };
        is_near(fair.implied_financing(), 0.057, 1e-12);
        is_near(fair.richness(), 0.0, 1e-12);
    }

    #[test]
    fn dividends_bear_interest_from_their_payment_on() {
        let dividends = vec![Dividend { points: 8.0, days: 20.0 }, Dividend { points: 7.0, days: 45.0 }];
        let basis = FairBasis { future: 5020.0, index: 5000.0, rate: 0.045, days: 60.0, dividends };
        is_near(basis.fair_value(), 5_022.446_875, 1e-9);
    }

    #[test]
    fn the_change_since_the_close_needs_the_dividend() {
        let future = FutureMove { close: 3210.25, now: 3224.0 };
        let etf = EtfMove { close: 320.90, now: 320.73, dividend: 1.569_992 };
        is_near(etf_only_basis_change_bp(future, etf), -0.79, 5e-3);
        is_near(etf_only_basis_change_bp(future, EtfMove { dividend: 0.0, ..etf }), 48.04, 5e-3);
        let (future, etf) =
            (FutureMove { close: 3196.75, now: 3199.75 }, EtfMove { close: 319.59, now: 319.95, dividend: 0.0 });
        is_near(etf_only_basis_change_bp(future, etf), -1.88, 5e-3);
    }

    #[test]
    fn the_basis_in_points_is_nothing_at_the_close_and_has_the_sign_of_the_change() {
        let (future, etf) =
            (FutureMove { close: 6000.0, now: 6000.0 }, EtfMove { close: 600.0, now: 600.0, dividend: 0.0 });
        is_near(index_basis(future, etf), 0.0, 1e-9);
        is_near(index_basis(FutureMove { now: 6010.0, ..future }, EtfMove { now: 600.5, ..etf }), 5.0, 1e-9);
    }
}
