//! Checks of single rows: who and when they are, what their numbers are, how they were quoted.

mod identity;
mod instant;
mod quoted;
mod value;

use super::{Action, Batch, CheckSpec, Finding, LooksAt, Measure, Row, Rule, Seen};

/// The checks of a row.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("ref.known", LooksAt::Row, "the symbol is one that is captured").acts(Action::Quarantine),
    CheckSpec::new("keys.not_null", LooksAt::Row, "a future's row names its contract").acts(Action::Quarantine),
    CheckSpec::new("keys.unique", LooksAt::Row, "one row a symbol and slot").acts(Action::Block).critical().because(
        "the key is what makes a rerun harmless: two rows of one key mean that the protocol of writing was broken",
    ),
    CheckSpec::new("time.slot_aligned", LooksAt::Row, "the row stands on the five-minute grid")
        .acts(Action::Quarantine)
        .because("a row one second late is lost by every join on equal times"),
    CheckSpec::new("time.session_open", LooksAt::Row, "the row stands in an open session of its date")
        .acts(Action::Quarantine)
        .because("the calendar is authoritative: what trades at another time is another instrument"),
    CheckSpec::new("time.future", LooksAt::Row, "the row is not of the future")
        .acts(Action::Quarantine)
        .steps(None, Some(5.0), "s ahead")
        .because("clocks differ by less than a second; five leave room for a slow one"),
    CheckSpec::new("value.sentinel", LooksAt::Row, "no number stands for a missing one")
        .acts(Action::Quarantine)
        .because("the gateway says NaN, infinity, -1, 0 or 1.79e308 for unknown: unknown is null here"),
    CheckSpec::new("price.positive", LooksAt::Row, "prices are above 0").acts(Action::Quarantine),
    CheckSpec::new("price.limit_band", LooksAt::Row, "the price is within the exchange's limits")
        .acts(Action::Quarantine)
        .steps(Some(7.0), Some(20.1), "% from the close before")
        .because("until NYSE opens a future stands at most 7 % either way from the close; after that only a fall is bounded, at 20 %"),
    CheckSpec::new("size.sane", LooksAt::Row, "sizes are possible")
        .acts(Action::Quarantine)
        .because("no session trades two billion contracts, no index has an implied volatility above 500 %"),
    CheckSpec::new("quote.age", LooksAt::Row, "a live row is made at its slot")
        .steps(Some(45.0), Some(61.0), "s after the slot")
        .because("captures end within seconds; after 60 s a quote is another instant's"),
    CheckSpec::new("quote.spread", LooksAt::Row, "the spread is narrow")
        .steps(Some(12.0), Some(80.0), "ticks, a third of them outside regular hours")
        .because("index futures and their ETFs stand 1 to 4 ticks apart; 80 is no market"),
    CheckSpec::new("feed.live", LooksAt::Row, "rows are live, or backfilled")
        .acts(Action::Block)
        .because("a delayed price under a live slot is 15 minutes old; gateway.market_data permits it"),
    CheckSpec::new("contract.lead", LooksAt::Row, "the contract is the one that leads at the slot")
        .acts(Action::Quarantine)
        .because("the roll rule names one lead an instant, and vendors' roles flip"),
];

/// The checks of single rows.
#[must_use]
pub fn row_checks<'a>(batch: &'a Batch<'a>) -> Vec<Measure<'a>> {
    let each = |check, judge: fn(&Batch<'_>, &Row, &Rule<'_>) -> Option<Finding>| {
        Measure::new(check, move |rule| Ok(Seen::each(batch.rows, |row| judge(batch, row, rule))))
    };
    vec![
        each("ref.known", identity::known),
        Measure::new("keys.not_null", |rule| Ok(identity::named(batch, rule))),
        Measure::new("keys.unique", |rule| Ok(identity::unique(batch, rule))),
        Measure::new("contract.lead", |rule| identity::lead(batch, rule)),
        each("time.slot_aligned", instant::aligned),
        Measure::new("time.session_open", |rule| instant::open(batch, rule)),
        each("time.future", instant::future),
        each("value.sentinel", value::sentinel),
        each("price.positive", value::positive),
        each("price.plausible", value::plausible),
        Measure::new("price.limit_band", |rule| value::limit_band(batch, rule)),
        each("size.sane", value::size),
        each("quote.crossed", quoted::crossed),
        Measure::new("quote.off_tick", |rule| Ok(quoted::off_tick(batch, rule))),
        each("quote.no_last", quoted::no_last),
        Measure::new("quote.age", |rule| Ok(quoted::age(batch, rule))),
        Measure::new("quote.spread", |rule| quoted::spread(batch, rule)),
        each("feed.live", quoted::live),
    ]
}
