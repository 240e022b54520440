//! Whether it was worth waiting for the futures: base signals that they confirmed against those that they did not.

use chrono::NaiveDate;
use serde::Serialize;

use super::number::{deviation, mean, real, sign};
use super::{Bootstrap, Interval, smallest_gain, wilson};

/// Shifts of the signal start here, so that no shifted one is about nearly the same days.
const FIRST_SHIFT: usize = 20;

/// Shifted values that are the same but for rounding count as no better.
const SLACK: f64 = 1e-12;

/// A signal that did not need futures, in the order of days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BaseSignal {
    /// The session.
    pub date: NaiveDate,
    /// +1 or -1.
    pub side: f64,
    /// The future's change before the open, of the logarithm.
    pub futures: f64,
    /// The ETF's own gap, of the logarithm.
    pub gap: f64,
    /// What its side earned, open to close, bp gross.
    pub gross_bp: f64,
}

impl BaseSignal {
    /// Whether the futures were on its side; no change is not.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        is_on_side(self.side, self.futures)
    }

    /// Whether the ETF's own gap was.
    #[must_use]
    pub fn is_confirmed_by_gap(&self) -> bool {
        is_on_side(self.side, self.gap)
    }
}

fn is_on_side(side: f64, change: f64) -> bool {
    side * sign(change) > 0.0
}

/// Signals that were confirmed and those that were not, bp gross.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Arms {
    /// How many were confirmed.
    pub num_confirmed: usize,
    /// How many were not.
    pub num_rejected: usize,
    /// The mean of those confirmed; none where there is none.
    pub mean_confirmed: Option<f64>,
    /// The mean of the others.
    pub mean_rejected: Option<f64>,
}

impl Arms {
    fn of(returns: impl IntoIterator<Item = (bool, f64)>) -> Self {
        let (mut confirmed, mut rejected) = ((0.0, 0_usize), (0.0, 0_usize));
        for (is_confirmed, gross_bp) in returns {
            let arm = if is_confirmed { &mut confirmed } else { &mut rejected };
            *arm = (arm.0 + gross_bp, arm.1 + 1);
        }
        let mean = |(sum, count): (f64, usize)| (count > 0).then(|| sum / real(count));
        Self {
            num_confirmed: confirmed.1,
            num_rejected: rejected.1,
            mean_confirmed: mean(confirmed),
            mean_rejected: mean(rejected),
        }
    }

    /// How much better the confirmed ones were, bp; none where an arm is empty.
    #[must_use]
    pub fn difference(&self) -> Option<f64> {
        Some(self.mean_confirmed? - self.mean_rejected?)
    }
}

/// A null without random numbers: the futures of other days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shift {
    /// How many shifts there are.
    pub num_shifts: usize,
    /// Share of shifts, with the true one, that do at least as well.
    pub p: f64,
    /// The difference of the first shift, by 20 sessions; none where an arm is empty.
    pub first: Option<f64>,
}

/// What confirmation was worth. Differences are means of confirmed less rejected signals, bp per signal, gross.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confirmation {
    /// Base signals.
    pub n: usize,
    /// The arms.
    pub arms: Arms,
    /// The 95 % interval of the share confirmed.
    pub confirmed: Option<Interval>,
    /// The difference.
    pub difference: Option<f64>,
    /// Its 95 % interval, both arms drawn by the same days.
    pub interval: Option<Interval>,
    /// The futures of other days; none below 40 signals.
    pub signal_shift: Option<Shift>,
    /// The confirmations of other days.
    pub flag_shift: Option<Shift>,
    /// The difference where the ETF's own gap confirms instead.
    pub gap_difference: Option<f64>,
    /// The 95 % interval of the one less the other.
    pub against_gap: Option<Interval>,
    /// Days on which futures and gap disagree about confirming.
    pub num_disagreeing: usize,
    /// What the base signals earned in all, bp.
    pub total_bp: f64,
    /// What those that were not confirmed earned: given up by the filter.
    pub given_up_bp: f64,
    /// What a signal confirmed earned more than any, bp: (1 - share confirmed) x difference.
    pub gain_over_all: Option<f64>,
    /// The smallest difference that arms of these sizes can see.
    pub smallest_visible: Option<f64>,
}

/// Measures what confirmation was worth.
#[must_use]
pub fn confirm(signals: &[BaseSignal], bootstrap: &Bootstrap) -> Confirmation {
    let arms = Arms::of(signals.iter().map(|signal| (signal.is_confirmed(), signal.gross_bp)));
    let by_gap = Arms::of(signals.iter().map(|signal| (signal.is_confirmed_by_gap(), signal.gross_bp)));
    let returns: Vec<f64> = signals.iter().map(|signal| signal.gross_bp).collect();
    let draws = bootstrap.resample(signals.len(), |days| {
        let drawn = || days.iter().filter_map(|day| signals.get(*day));
        let own = Arms::of(drawn().map(|signal| (signal.is_confirmed(), signal.gross_bp))).difference()?;
        let gap = Arms::of(drawn().map(|signal| (signal.is_confirmed_by_gap(), signal.gross_bp))).difference();
        Some((own, gap.map(|gap| own - gap)))
    });
    let difference = arms.difference();
    let given_up = signals.iter().filter(|signal| !signal.is_confirmed());
    let rejected_share = real(arms.num_rejected) / real(signals.len().max(1));
    Confirmation {
        n: signals.len(),
        arms,
        confirmed: wilson(arms.num_confirmed, signals.len()),
        difference,
        interval: Interval::of(draws.iter().map(|(own, _)| *own).collect()),
        signal_shift: shifts(signals, |signal, other| is_on_side(signal.side, other.futures)),
        flag_shift: shifts(signals, |_, other| other.is_confirmed()),
        gap_difference: by_gap.difference(),
        against_gap: Interval::of(draws.iter().filter_map(|(_, apart)| *apart).collect()),
        num_disagreeing: signals.iter().filter(|signal| signal.is_confirmed() != signal.is_confirmed_by_gap()).count(),
        total_bp: returns.iter().sum(),
        given_up_bp: given_up.map(|signal| signal.gross_bp).sum(),
        gain_over_all: difference.map(|difference| rejected_share * difference),
        smallest_visible: deviation(&returns)
            .and_then(|deviation| smallest_gain(deviation, (arms.num_confirmed, arms.num_rejected))),
    }
}

/// All shifts by 20 sessions up to 20 less than all: the signal keeps its own order, and loses the days it is about.
fn shifts(signals: &[BaseSignal], is_confirmed: impl Fn(&BaseSignal, &BaseSignal) -> bool) -> Option<Shift> {
    let n = signals.len();
    let shifted = |by: usize| {
        let others = signals.iter().cycle().skip(by);
        let flagged = signals.iter().zip(others).map(|(signal, other)| (is_confirmed(signal, other), signal.gross_bp));
        Arms::of(flagged).difference()
    };
    let own = shifted(0)?;
    let last = n.checked_sub(FIRST_SHIFT).filter(|last| *last >= FIRST_SHIFT)?;
    let values: Vec<Option<f64>> = (FIRST_SHIFT..=last).map(shifted).collect();
    let as_good = values.iter().flatten().filter(|value| **value >= own - SLACK).count();
    let p = (1.0 + real(as_good)) / (1.0 + real(values.len()));
    Some(Shift { num_shifts: values.len(), p, first: values.first().copied().flatten() })
}

/// Pools the signals of one session: a day is one observation, whatever the number of ETFs.
#[must_use]
pub fn pooled_by_day(rows: &[(NaiveDate, f64)]) -> Vec<f64> {
    let mut days: std::collections::BTreeMap<NaiveDate, Vec<f64>> = std::collections::BTreeMap::new();
    for (date, value) in rows {
        days.entry(*date).or_default().push(*value);
    }
    days.values().filter_map(|values| mean(values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::SplitMix64;

    const BOOTSTRAP: Bootstrap = Bootstrap { seed: 7, mean_block: 10.0, draws: 400 };

    /// Days of a coin, of which the futures know a part.
    fn coin(n: u64, (edge, seed): (f64, u64)) -> Vec<BaseSignal> {
        let mut numbers = SplitMix64::new(seed);
        (0..n)
            .map(|day| {
                let futures = numbers.unit() - 0.5;
                let session = 200.0 * (numbers.unit() - 0.5) + edge * sign(futures);
                BaseSignal {
                    date: NaiveDate::default() + chrono::Days::new(day),
                    side: 1.0,
                    futures,
                    gap: numbers.unit() - 0.5,
                    gross_bp: session,
                }
            })
            .collect()
    }

    #[test]
    fn a_planted_edge_is_found() {
        let with = confirm(&coin(600, (30.0, 3)), &BOOTSTRAP);
        let (own, interval) = (with.difference.expect("arms"), with.interval.expect("draws"));
        assert!((own - 60.0).abs() < 15.0 && interval.lo > 40.0, "{with:?}");
        let shift = with.signal_shift.expect("shifts");
        assert_eq!(shift.num_shifts, 600 - 39);
        assert!(
            shift.p < 0.01 && with.flag_shift.expect("shifts").p < 0.01 && with.against_gap.expect("draws").lo > 0.0
        );
    }

    #[test]
    fn without_an_edge_one_of_twenty_is_significant_or_so() {
        let quick = Bootstrap { draws: 200, ..BOOTSTRAP };
        let measured: Vec<Confirmation> = (0..100).map(|seed| confirm(&coin(150, (0.0, seed)), &quick)).collect();
        let count = |is_sure: &dyn Fn(&Confirmation) -> bool| measured.iter().filter(|of| is_sure(of)).count();
        let shifted = count(&|of| of.signal_shift.is_some_and(|shift| shift.p <= 0.05));
        let outside = count(&|of| of.interval.is_some_and(|interval| interval.lo > 0.0 || interval.hi < 0.0));
        assert!((1..=12).contains(&shifted) && (1..=14).contains(&outside), "{shifted} by shifts, {outside} by draws");
    }

    #[test]
    fn what_is_given_up_and_what_is_kept_are_all() {
        let measured = confirm(&coin(200, (10.0, 3)), &BOOTSTRAP);
        let kept = measured.arms.mean_confirmed.expect("an arm") * real(measured.arms.num_confirmed);
        assert!((kept + measured.given_up_bp - measured.total_bp).abs() < 1e-6);
        let over_all = measured.arms.mean_confirmed.expect("an arm") - measured.total_bp / 200.0;
        assert!((measured.gain_over_all.expect("arms") - over_all).abs() < 1e-9);
    }

    #[test]
    fn too_little_is_not_measured() {
        let few = confirm(&coin(10, (0.0, 3)), &BOOTSTRAP);
        assert_eq!((few.signal_shift, few.n), (None, 10));
        let none = confirm(&[], &BOOTSTRAP);
        assert_eq!((none.difference, none.interval, none.confirmed), (None, None, None));
    }

    #[test]
    fn a_day_is_one_observation() {
        let day = NaiveDate::default();
        let pooled = pooled_by_day(&[(day, 1.0), (day, 3.0), (day + chrono::Days::new(1), 5.0)]);
        assert_eq!(pooled.iter().map(|value| value.round()).collect::<Vec<_>>(), [2.0, 5.0]);
    }
}
