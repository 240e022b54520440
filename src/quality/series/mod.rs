//! Checks of series: is everything there, does it move, does it move as its neighbours do, is it one contract.

mod complete;
mod cross;
mod moving;
mod outlier;
mod roll;
mod steps;

use super::{Action, Batch, CheckSpec, LooksAt, Measure};

/// The checks of series.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("exchange.silent", LooksAt::Series, "something comes of some symbol while the market is open")
        .steps(Some(1.0), Some(3.0), "slots without any symbol")
        .acts(Action::Block)
        .critical()
        .because("one slot is a hiccup, a quarter of an hour is a gateway or an exchange that stands still"),
    CheckSpec::new("complete.session", LooksAt::Series, "every slot of the session is there")
        .steps(Some(1.0), Some(3.0), "missing slots")
        .acts(Action::Block)
        .because(
            "one hole is filled from bars, three are a fault; slots without any symbol are told by exchange.silent",
        ),
    CheckSpec::new("fresh.slot", LooksAt::Series, "the newest row is of this slot or the one before")
        .steps(Some(7.0), Some(30.0), "minutes old")
        .acts(Action::Block)
        .critical()
        .because("a slot is there a minute after it: seven minutes are one missed, thirty are six"),
    CheckSpec::new("quote.unchanged", LooksAt::Series, "prices move in regular hours")
        .steps(Some(4.0), Some(6.0), "equal slots in a row")
        .because("in ten recorded weeks of ES the longest run of equal closes was four, of NQ two"),
    CheckSpec::new("volume.monotone", LooksAt::Series, "the session's volume never falls")
        .steps(None, Some(1.0), "contracts or shares lost")
        .because("it is cumulative within contract, session and source: bars leave out trades that quotes count"),
    CheckSpec::new("volume.unit", LooksAt::Series, "the volume of ETFs is in shares, live as in bars")
        .steps(Some(50.0), None, "times apart")
        .because("a setting of TWS gives lots of a hundred; between two slots no volume grows fifty times"),
    CheckSpec::new("price.outlier", LooksAt::Series, "no price jumps away and back alone")
        .steps(None, Some(8.0), "robust standard deviations of that hour")
        .acts(Action::Quarantine)
        .because("8 x 1.4826 MAD; what another symbol confirms is the market, what does not come back is a warning"),
    CheckSpec::new("cross.symbol", LooksAt::Series, "a symbol moves as its partner does")
        .steps(None, Some(8.0), "robust standard deviations of the residual")
        .acts(Action::Quarantine)
        .because("a stale price is plausible alone: only the residual shows it; what does not come back is kept"),
    CheckSpec::new("roll.unmarked", LooksAt::Series, "a series without contracts does not jump in roll week")
        .steps(None, Some(30.0), "bp in one slot")
        .acts(Action::Quarantine)
        .because("the next contract stands 30 to 130 bp away, and such a jump is a switch until a contract says else"),
    CheckSpec::new("roll.gap", LooksAt::Series, "the new contract stands near the old one")
        .steps(Some(150.0), Some(400.0), "bp")
        .because("three months of interest less dividends: 125 bp at 5 %; both contracts at one instant, else it is not asked"),
    CheckSpec::new("roll.table", LooksAt::Series, "rows go over to the next contract when the calendar does")
        .steps(None, Some(5.0), "days from the nearest roll")
        .because("conventions differ by four days at most; a vendor's series rolled 54 days before expiry"),
];

/// The checks of series.
#[must_use]
pub fn series_checks<'a>(batch: &'a Batch<'a>) -> Vec<Measure<'a>> {
    vec![
        Measure::new("exchange.silent", |rule| complete::silent(batch, rule)),
        Measure::new("complete.session", |rule| complete::session(batch, rule)),
        Measure::new("fresh.slot", |rule| complete::fresh(batch, rule)),
        Measure::new("quote.unchanged", |rule| moving::unchanged(batch, rule)),
        Measure::new("volume.monotone", |rule| Ok(moving::volume(batch, rule))),
        Measure::new("volume.unit", |rule| Ok(moving::unit(batch, rule))),
        Measure::new("price.outlier", |rule| Ok(outlier::outlier(batch, rule))),
        Measure::new("cross.symbol", |rule| Ok(cross::cross(batch, rule))),
        Measure::new("roll.unmarked", |rule| Ok(roll::unmarked(batch, rule))),
        Measure::new("roll.gap", |rule| Ok(roll::gap(batch, rule))),
        Measure::new("roll.table", |rule| roll::dates(batch, rule)),
    ]
}
