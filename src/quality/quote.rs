//! Checks of one quote before it becomes a row. An error keeps the row out of the table: a wrong row is worse than none.

use chrono::{NaiveDate, TimeDelta};

use crate::calendar::Slot;
use crate::market::{MarketData, Quote, Symbol};

use super::plausible::{self, Prices, check_plausible};
use super::{Action, CheckSpec, FUTURES_TABLE, Finding, LooksAt, Place, Severity};

/// The checks of a quote. They are made before a row is written, with the limits of the gateway's configuration.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("quote.crossed", LooksAt::Quote, "bid < ask")
        .steps(Some(0.0), Some(0.01), "ticks of bid above ask")
        .acts(Action::Quarantine)
        .because("a locked quote is possible for a moment, a crossed one of one exchange is two instants in one"),
    CheckSpec::new("quote.stale", LooksAt::Quote, "the last trade is fresh")
        .acts(Action::Quarantine)
        .because("gateway.stale_after_seconds is the limit, longer by 15 minutes of a delayed quote"),
    CheckSpec::new("quote.halted", LooksAt::Quote, "trading is not halted")
        .steps(Some(1.0), None, "halted quotes")
        .because("the last price stands while the exchange has halted trading: it is right, however old"),
    CheckSpec::new("quote.off_tick", LooksAt::Quote, "prices of futures are multiples of the tick")
        .steps(Some(1.0), None, "prices off the tick")
        .because("no future trades off the tick: such a price is an average, and still near the market; ETFs trade at midpoints"),
    CheckSpec::new(plausible::CHECK, LooksAt::Quote, plausible::TITLE)
        .acts(Action::Quarantine)
        .because(plausible::REASON),
    CheckSpec::new("quote.no_last", LooksAt::Quote, "there is a last trade")
        .steps(Some(1.0), None, "rows without a last trade")
        .because("bid and ask are worth keeping, only the changes are unknown"),
    CheckSpec::new("contract.expiry", LooksAt::Quote, "the gateway's expiry is the exchange's")
        .steps(Some(1.0), None, "contracts")
        .because("the gateway knows exceptions that a rule does not: its expiry is used, the difference told"),
];

/// By how much delayed quotes are late on purpose, in seconds: 15 minutes at CME and for US stocks.
const DELAY_SECONDS: i64 = 15 * 60;

/// Largest distance of a price from the tick grid, in ticks: room for the binary fractions of 0.1.
const TICK_TOLERANCE: f64 = 1e-6;

/// What a quote is judged by.
#[derive(Debug, Clone, Copy)]
pub struct QuoteContext<'a> {
    /// The table that its row is meant for.
    pub table: &'static str,
    /// Whose quote it is.
    pub symbol: &'a Symbol,
    /// The slot it is meant for.
    pub slot: Slot,
    /// Smallest price step.
    pub tick: f64,
    /// A last trade older than this is stale.
    pub stale_after: TimeDelta,
    /// A price of the symbol at most a week older; none where none is known.
    pub reference: Option<f64>,
}

impl QuoteContext<'_> {
    fn finding(&self, check: &'static str, severity: Severity, observed: String, threshold: String) -> Finding {
        Finding {
            check,
            table: self.table,
            symbol: Some(self.symbol.clone()),
            timestamp: self.slot,
            until: self.slot,
            num_bad: 1,
            run_slot: self.slot,
            severity,
            observed,
            threshold,
            action: if severity == Severity::Warn { Action::Log } else { Action::Quarantine },
            detail: String::new(),
        }
    }
}

/// Runs every check of a single quote.
#[must_use]
pub fn check_quote(context: &QuoteContext<'_>, quote: &Quote) -> Vec<Finding> {
    let checks = [crossed, stale, halted, off_tick, possible, without_last];
    checks.into_iter().filter_map(|check| check(context, quote)).collect()
}

/// A bid above the ask is an error, a bid at the ask a warning.
fn crossed(context: &QuoteContext<'_>, quote: &Quote) -> Option<Finding> {
    let (bid, ask) = (quote.bid?, quote.ask?);
    let severity = if bid > ask { Severity::Error } else { Severity::Warn };
    let observed = format!("bid {bid} and ask {ask}");
    (bid >= ask).then(|| context.finding("quote.crossed", severity, observed, "bid < ask".to_owned()))
}

/// The last trade is so old that the feed stands still.
fn stale(context: &QuoteContext<'_>, quote: &Quote) -> Option<Finding> {
    let age = quote.quoted_at - quote.last_trade_at?;
    let limit = match quote.market_data {
        MarketData::Live => context.stale_after,
        MarketData::Delayed => context.stale_after + TimeDelta::seconds(DELAY_SECONDS),
    };
    let observed = format!("last trade {} s old", age.num_seconds());
    let threshold = format!("at most {} s", limit.num_seconds());
    let is_stale = age > limit && !quote.is_halted;
    is_stale.then(|| context.finding("quote.stale", Severity::Error, observed, threshold))
}

/// The exchange has halted trading.
fn halted(context: &QuoteContext<'_>, quote: &Quote) -> Option<Finding> {
    let age =
        quote.last_trade_at.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {}", at.to_rfc3339()));
    let observed = format!("trading is halted, the last trade was {age}");
    quote.is_halted.then(|| context.finding("quote.halted", Severity::Warn, observed, "trading goes on".to_owned()))
}

/// A price of a future that is no multiple of the tick.
fn off_tick(context: &QuoteContext<'_>, quote: &Quote) -> Option<Finding> {
    if context.table != FUTURES_TABLE {
        return None;
    }
    let off = |price: &f64| {
        let ticks = price / context.tick;
        (ticks - ticks.round()).abs() > TICK_TOLERANCE * ticks.abs().max(1.0)
    };
    let price = [quote.bid, quote.ask, quote.last].into_iter().flatten().find(off)?;
    let threshold = format!("a multiple of {}", context.tick);
    Some(context.finding("quote.off_tick", Severity::Warn, format!("price {price}"), threshold))
}

/// A price that cannot be.
fn possible(context: &QuoteContext<'_>, quote: &Quote) -> Option<Finding> {
    let place = Place { table: context.table, symbol: Some(context.symbol.clone()), timestamp: context.slot };
    let prices = Prices { bid: quote.bid, ask: quote.ask, last: quote.last, reference: context.reference };
    check_plausible(&place, prices)
}

/// Bid and ask came, but no last trade: the row has no changes.
fn without_last(context: &QuoteContext<'_>, quote: &Quote) -> Option<Finding> {
    let threshold = "a last trade".to_owned();
    quote
        .last
        .is_none()
        .then(|| context.finding("quote.no_last", Severity::Warn, "no last trade".to_owned(), threshold))
}

/// The gateway's expiry differs from the exchange's rule; the gateway's is used.
#[must_use]
pub fn check_expiry(symbol: &Symbol, slot: Slot, stated: NaiveDate, by_rule: Option<NaiveDate>) -> Option<Finding> {
    Some(Finding {
        check: "contract.expiry",
        table: FUTURES_TABLE,
        symbol: Some(symbol.clone()),
        timestamp: slot,
        until: slot,
        num_bad: 1,
        run_slot: slot,
        severity: Severity::Warn,
        observed: format!("the gateway says {stated}"),
        threshold: format!("{} by the third-Friday rule", by_rule?),
        action: Action::Log,
        detail: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_instant;

    fn slot() -> Slot {
        Slot::at(parse_instant("2026-11-18 12:00").expect("New York time")).expect("on the grid")
    }

    fn checks_of(change: impl FnOnce(&mut Quote)) -> Vec<(&'static str, Severity)> {
        let now = slot().instant() + TimeDelta::seconds(10);
        let mut quote = Quote { bid: Some(6000.0), ask: Some(6000.25), last: Some(6000.25), ..Quote::empty(now) };
        quote.last_trade_at = Some(now);
        change(&mut quote);
        let symbol = "ES".parse().expect("a symbol");
        let stale_after = TimeDelta::seconds(300);
        let context = QuoteContext {
            table: FUTURES_TABLE,
            symbol: &symbol,
            slot: slot(),
            tick: 0.25,
            stale_after,
            reference: Some(6_000.0),
        };
        check_quote(&context, &quote).into_iter().map(|f| (f.check, f.severity)).collect()
    }

    #[test]
    fn a_sound_quote_passes_every_check() {
        assert_eq!(checks_of(|_| {}), []);
    }

    #[test]
    fn a_crossed_quote_is_an_error_and_a_locked_one_a_warning() {
        assert_eq!(checks_of(|q| q.bid = Some(6000.5)), [("quote.crossed", Severity::Error)]);
        assert_eq!(checks_of(|q| q.bid = q.ask), [("quote.crossed", Severity::Warn)]);
    }

    #[test]
    fn a_last_trade_older_than_the_limit_is_stale() {
        let age = |seconds| checks_of(|q| q.last_trade_at = Some(q.quoted_at - TimeDelta::seconds(seconds)));
        assert_eq!(age(300), []);
        assert_eq!(age(301), [("quote.stale", Severity::Error)]);
    }

    #[test]
    fn the_last_trade_of_a_halted_market_stands_however_old_it_is() {
        let halted = checks_of(|q| {
            q.is_halted = true;
            q.last_trade_at = Some(q.quoted_at - TimeDelta::seconds(3_000));
        });
        assert_eq!(halted, [("quote.halted", Severity::Warn)]);
    }

    #[test]
    fn a_delayed_quote_may_be_older_by_its_delay() {
        let age = |seconds| {
            checks_of(|q| {
                q.market_data = MarketData::Delayed;
                q.last_trade_at = Some(q.quoted_at - TimeDelta::seconds(seconds));
            })
        };
        assert_eq!((age(1_200), age(1_201)), (vec![], vec![("quote.stale", Severity::Error)]));
    }

    #[test]
    fn an_off_tick_price_is_told_and_a_tenth_is_on_the_grid() {
        assert_eq!(checks_of(|q| q.last = Some(6000.1)), [("quote.off_tick", Severity::Warn)]);
        let symbol = "RTY".parse().expect("a symbol");
        let context = QuoteContext {
            table: FUTURES_TABLE,
            symbol: &symbol,
            slot: slot(),
            tick: 0.1,
            stale_after: TimeDelta::seconds(300),
            reference: None,
        };
        let quote = Quote { last: Some(2_345.7), ..Quote::empty(slot().instant()) };
        assert!(check_quote(&context, &quote).is_empty());
        let symbol = "SPY".parse().expect("a symbol");
        let of_etf = QuoteContext { table: super::super::SPOT_TABLE, symbol: &symbol, tick: 0.01, ..context };
        let quote = Quote { last: Some(660.225), ..Quote::empty(slot().instant()) };
        assert!(check_quote(&of_etf, &quote).is_empty(), "a midpoint trade");
    }

    #[test]
    fn a_price_that_cannot_be_is_an_error() {
        let all = |price: f64| checks_of(|q| (q.bid, q.ask, q.last) = (Some(price), Some(price * 1.001), Some(price)));
        assert_eq!(all(60_000.0), [("price.plausible", Severity::Error)]);
        assert_eq!(all(1e308).last(), Some(&("price.plausible", Severity::Error)));
        assert_eq!(checks_of(|q| q.last = Some(6_400.0)), [("price.plausible", Severity::Error)]);
    }

    #[test]
    fn a_missing_last_trade_is_told() {
        assert_eq!(checks_of(|q| q.last = None), [("quote.no_last", Severity::Warn)]);
    }
}
