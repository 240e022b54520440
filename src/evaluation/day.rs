//! A session as it is evaluated: what the futures said before it, the gap it opened with, and what could be had of it.

use chrono::NaiveDate;
use serde::Serialize;

use super::number::sign;
use super::{BaseSignal, Interval, wilson};

const BASIS_POINTS: f64 = 1e4;

/// A session of an ETF. All three are changes of the logarithm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Day {
    /// The session.
    pub date: NaiveDate,
    /// Of the future's lead contract, from the ETF's last close to the signal: one contract at both ends.
    pub futures: f64,
    /// Of the ETF, from its last close to its open, with the dividend that went in between.
    pub gap: f64,
    /// Of the ETF, from its open to its close: what a signal before the open can earn.
    pub session: f64,
}

impl Day {
    /// From close to close, with the dividend: not tradable on a signal that came after the first close.
    #[must_use]
    pub fn close_to_close(&self) -> f64 {
        self.gap + self.session
    }
}

/// How often two signs agree, days without a sign left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hits {
    /// Days on which they agree.
    pub hits: usize,
    /// Days on which both have one.
    pub n: usize,
    /// The 95 % interval of the rate.
    pub interval: Option<Interval>,
}

impl Hits {
    /// The same without its interval, where days overlap: it is one of days that do not.
    #[must_use]
    pub fn without_interval(self) -> Self {
        Self { interval: None, ..self }
    }

    /// The share of hits; none of nothing.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.n > 0).then(|| super::number::real(self.hits) / super::number::real(self.n))
    }
}

/// Counts on how many days two numbers have one sign.
#[must_use]
pub fn hits(pairs: impl IntoIterator<Item = (f64, f64)>) -> Hits {
    let (mut hits, mut n) = (0, 0);
    for (one, other) in pairs {
        let product = sign(one) * sign(other);
        n += usize::from(product != 0.0);
        hits += usize::from(product > 0.0);
    }
    Hits { hits, n, interval: wilson(hits, n) }
}

/// What following the futures would have earned each day, open to close, bp gross; 0 on a day on which they said nothing.
#[must_use]
pub fn signed_returns(days: &[Day]) -> Vec<f64> {
    days.iter().map(|day| BASIS_POINTS * sign(day.futures) * day.session).collect()
}

/// Signals by a side that each day had of its own, which the futures then confirm or not. Days without a side are left out;
/// `sides` are those of the days, in order.
#[must_use]
pub fn base_signals(days: &[Day], sides: &[f64]) -> Vec<BaseSignal> {
    let of = |(day, side): (&Day, &f64)| {
        let side = sign(*side);
        (side != 0.0).then_some(BaseSignal {
            date: day.date,
            side,
            futures: day.futures,
            gap: day.gap,
            gross_bp: BASIS_POINTS * side * day.session,
        })
    };
    days.iter().zip(sides).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(futures: f64, session: f64) -> Day {
        Day { date: NaiveDate::default(), futures, gap: 0.001, session }
    }

    #[test]
    fn a_day_without_a_sign_is_no_hit_and_no_miss_but_stays_in_the_mean() {
        let days = [day(0.01, 0.002), day(-0.01, 0.002), day(0.0, 0.003), day(0.01, 0.0)];
        let counted = hits(days.iter().map(|day| (day.futures, day.session)));
        assert_eq!((counted.hits, counted.n), (1, 2));
        let returns: Vec<f64> = signed_returns(&days).into_iter().map(f64::round).collect();
        assert_eq!(returns, [20.0, -20.0, 0.0, 0.0]);
        assert!((days[0].close_to_close() - 0.003).abs() < 1e-12);
    }

    #[test]
    fn a_day_without_a_side_is_no_signal() {
        let signals = base_signals(&[day(0.01, 0.002), day(0.01, 0.002)], &[0.0, -3.0]);
        assert_eq!(signals.len(), 1);
        assert!((signals[0].gross_bp + 20.0).abs() < 1e-9 && signals[0].side < 0.0);
    }
}
