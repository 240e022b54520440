//! Quotes: one bounded streaming subscription, folded until it says all it can.
//!
//! A gateway's first ticks are often not the quote: -1 before the prices, a bid that its ask follows, yesterday's last
//! trade. What is not settled is waited for within the settle time.
//!
//! A stream carries what a snapshot cannot (open interest, implied volatility) and does not take a snapshot's eleven
//! seconds. The subscription is dropped, and so cancelled, as soon as the quote is complete.

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::MarketDataType;
use ibapi::market_data::realtime::{TickTypes, generic_tick};
use ibapi::subscriptions::SubscriptionItem;
use tokio::time::{Instant, timeout_at};

use crate::market::{Instrument, MarketData, Quote};

use super::contracts::wire_contract;
use super::ib::IbGateway;
use super::upstream::FarmKind;
use super::{Gateway, GatewayError};

/// A last trade without a time, this far outside of bid and ask as a fraction of the price, is another day's: at a new
/// session's start the gateway first sends the old one. Within it a trade may be a moment older than the quote.
const FAR_OUTSIDE: f64 = 0.002;

/// Takes one quote.
pub(super) async fn quote(gateway: &IbGateway, instrument: &Instrument) -> Result<Quote, GatewayError> {
    let operation = || format!("quoting {}", instrument.name());
    let waited = gateway.endpoint.config.quote_timeout();
    let deadline = Instant::now() + waited;
    let contract = wire_contract(instrument);
    let generic: &[&str] = match instrument {
        Instrument::Future(_) => &[generic_tick::FUTURES_OPEN_INTEREST, generic_tick::OPTION_IMPLIED_VOLATILITY],
        Instrument::Etf(_) => &[],
    };
    let subscribing = gateway.connection.client.market_data(&contract).generic_ticks(generic).subscribe();
    let failed = |source| gateway.failed(operation(), source, FarmKind::MarketData);
    let mut ticks = match timeout_at(deadline, subscribing).await {
        Ok(subscribed) => subscribed.map_err(failed)?,
        Err(_) => return Err(gateway.timed_out(operation(), waited, FarmKind::MarketData)),
    };
    let fresh_after = gateway.now().await? - TimeDelta::seconds(gateway.endpoint.config.stale_after_seconds);
    let mut fold = TickFold::for_instrument(instrument, fresh_after);
    let mut until = deadline;
    while !fold.is_complete() {
        match timeout_at(until, ticks.next()).await {
            Ok(Some(Ok(SubscriptionItem::Data(tick)))) => fold.take(&tick),
            Ok(Some(Ok(SubscriptionItem::Notice(notice)))) => {
                tracing::debug!(code = notice.code, message = %notice.message, "notice while quoting");
            }
            Ok(Some(Err(source))) => return Err(failed(source)),
            Ok(None) => return Err(failed(ibapi::Error::UnexpectedEndOfStream)),
            Err(_) => break,
        }
        if fold.has_prices() && until == deadline {
            until = deadline.min(Instant::now() + gateway.endpoint.config.quote_settle());
        }
    }
    drop(ticks);
    if fold.is_silent() {
        return Err(gateway.timed_out(operation(), waited, FarmKind::MarketData));
    }
    let quote = fold.quote(gateway.now().await?);
    if quote.is_empty() {
        return Err(GatewayError::NoPrice { instrument: instrument.name().to_owned() });
    }
    Ok(quote)
}

/// Something the gateway may tell: not yet, told to be absent, or told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told<T> {
    NotYet,
    Absent,
    Is(T),
}

impl<T> Told<T> {
    fn is_told(&self) -> bool {
        !matches!(self, Self::NotYet)
    }

    fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::NotYet | Self::Absent => None,
        }
    }
}

/// Folds ticks, live and delayed ids alike, into one quote.
#[derive(Debug)]
struct TickFold {
    bid: Told<f64>,
    ask: Told<f64>,
    last: Told<f64>,
    volume: Told<i64>,
    open_interest: Told<i64>,
    implied_vol: Told<f64>,
    last_trade_at: Told<DateTime<Utc>>,
    is_halted: bool,
    /// A last trade before this instant is not the one that stands.
    fresh_after: DateTime<Utc>,
    market_data: MarketData,
    heard: bool,
}

impl TickFold {
    /// An ETF is not asked for open interest and implied volatility, so nothing waits for them.
    fn for_instrument(instrument: &Instrument, fresh_after: DateTime<Utc>) -> Self {
        let is_future = matches!(instrument, Instrument::Future(_));
        Self {
            bid: Told::NotYet,
            ask: Told::NotYet,
            last: Told::NotYet,
            volume: Told::NotYet,
            open_interest: if is_future { Told::NotYet } else { Told::Absent },
            implied_vol: if is_future { Told::NotYet } else { Told::Absent },
            last_trade_at: Told::NotYet,
            is_halted: false,
            fresh_after,
            market_data: MarketData::Live,
            heard: false,
        }
    }

    fn has_prices(&self) -> bool {
        let prices = [self.bid, self.ask, self.last];
        prices.iter().all(Told::is_told) && self.volume.is_told()
    }

    /// Whether nothing more is to be waited for.
    fn is_complete(&self) -> bool {
        let rest = self.open_interest.is_told() && self.implied_vol.is_told() && self.last_trade_at.is_told();
        self.has_prices() && rest && self.is_settled()
    }

    /// Whether the prices can be the quote that stands: all there, the bid below the ask, and the last trade a fresh one. Of a
    /// halted market none is to be expected, and delayed ones are old on purpose.
    fn is_settled(&self) -> bool {
        let (Told::Is(bid), Told::Is(ask), Told::Is(last)) = (self.bid, self.ask, self.last) else { return false };
        let is_fresh = match self.last_trade_at {
            Told::Is(at) => at >= self.fresh_after,
            Told::NotYet | Told::Absent => !is_far_outside(last, bid, ask),
        };
        bid < ask && (is_fresh || self.is_halted || self.market_data == MarketData::Delayed)
    }

    /// Whether nothing at all has come.
    fn is_silent(&self) -> bool {
        !self.heard
    }

    fn take(&mut self, tick: &TickTypes) {
        self.heard = true;
        match tick {
            TickTypes::MarketDataType(kind) => self.market_data = market_data(*kind),
            TickTypes::Price(tick) => self.take_price(tick.tick_type, tick.price),
            TickTypes::PriceSize(tick) => self.take_price(tick.price_tick_type, tick.price),
            TickTypes::Size(tick) => self.take_size(tick.tick_type, tick.size),
            TickTypes::Generic(tick) if tick.tick_type == TickType::OptionImpliedVol => {
                self.implied_vol = positive(tick.value);
            }
            TickTypes::Generic(tick) if matches!(tick.tick_type, TickType::Halted | TickType::DelayedHalted) => {
                self.is_halted = tick.value > 0.0;
            }
            TickTypes::String(tick)
                if matches!(tick.tick_type, TickType::LastTimestamp | TickType::DelayedLastTimestamp) =>
            {
                let seconds = tick.value.parse().ok().filter(|s| *s > 0).and_then(|s| DateTime::from_timestamp(s, 0));
                self.last_trade_at = seconds.map_or(Told::Absent, Told::Is);
            }
            _ => {}
        }
    }

    fn take_price(&mut self, tick_type: TickType, price: f64) {
        match tick_type {
            TickType::Bid | TickType::DelayedBid => self.bid = positive(price),
            TickType::Ask | TickType::DelayedAsk => self.ask = positive(price),
            TickType::Last | TickType::DelayedLast => self.last = positive(price),
            _ => return,
        }
        if matches!(tick_type, TickType::DelayedBid | TickType::DelayedAsk | TickType::DelayedLast) {
            self.market_data = MarketData::Delayed;
        }
    }

    fn take_size(&mut self, tick_type: TickType, size: f64) {
        match tick_type {
            TickType::Volume | TickType::DelayedVolume => self.volume = counted(size),
            TickType::FuturesOpenInterest => self.open_interest = whole(size),
            _ => {}
        }
    }

    fn quote(self, quoted_at: DateTime<Utc>) -> Quote {
        let (bid, ask) = (self.bid.value(), self.ask.value());
        let is_another_days = |last: &f64| {
            let outside = bid.zip(ask).is_some_and(|(bid, ask)| is_far_outside(*last, bid, ask));
            outside && self.last_trade_at.value().is_none()
        };
        Quote {
            bid,
            ask,
            last: self.last.value().filter(|last| !is_another_days(last)),
            volume: self.volume.value(),
            open_interest: self.open_interest.value(),
            implied_vol: self.implied_vol.value(),
            last_trade_at: self.last_trade_at.value(),
            is_halted: self.is_halted,
            quoted_at,
            market_data: self.market_data,
        }
    }
}

/// A frozen quote is as old as the last session: it counts as delayed, which is opt-in.
fn market_data(kind: MarketDataType) -> MarketData {
    match kind {
        MarketDataType::Realtime => MarketData::Live,
        _ => MarketData::Delayed,
    }
}

/// A price or a ratio; -1, 0, NaN and the unset marks of the wire say that there is none.
fn positive(value: f64) -> Told<f64> {
    if value.is_finite() && value > 0.0 && value < f64::MAX { Told::Is(value) } else { Told::Absent }
}

/// Whether a last trade lies so far from bid and ask that it cannot be of the same moment.
fn is_far_outside(last: f64, bid: f64, ask: f64) -> bool {
    last < bid * (1.0 - FAR_OUTSIDE) || last > ask * (1.0 + FAR_OUTSIDE)
}

/// The volume of a session. The client decodes an unset size to 0, so whoever knows the session decides what a 0 is.
fn counted(size: f64) -> Told<i64> {
    if size == 0.0 { Told::Is(0) } else { whole(size) }
}

/// A count of contracts; the client decodes an unset size to 0.
#[expect(clippy::cast_possible_truncation, reason = "checked to lie within the whole numbers that f64 holds exactly")]
fn whole(size: f64) -> Told<i64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    if size.is_finite() && size > 0.0 && size <= MOST { Told::Is(size.round() as i64) } else { Told::Absent }
}

#[cfg(test)]
mod tests {
    use ibapi::market_data::realtime::{TickAttribute, TickGeneric, TickPrice, TickSize, TickString};

    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("an instant")
    }

    /// What has come of an ETF, whose last trade may be five minutes old.
    fn etf() -> TickFold {
        let spec = crate::market::MarketConfig::default().etf(&"SPY".parse().expect("a symbol")).expect("built in");
        let etf = crate::market::EtfContract { symbol: "SPY".parse().expect("a symbol"), spec };
        let mut fold = TickFold::for_instrument(&Instrument::Etf(etf), at(NOW - 300));
        fold.take(&TickTypes::Size(TickSize { tick_type: TickType::Volume, size: 5.0 }));
        fold
    }

    fn price(tick_type: TickType, price: f64) -> TickTypes {
        TickTypes::Price(TickPrice { tick_type, price, attributes: TickAttribute::default() })
    }

    fn stamp(seconds: i64) -> TickTypes {
        TickTypes::String(TickString { tick_type: TickType::LastTimestamp, value: seconds.to_string() })
    }

    /// Takes ticks, and says after each whether the quote is complete.
    fn completed(fold: &mut TickFold, ticks: &[TickTypes]) -> Vec<bool> {
        let each = ticks.iter().map(|tick| {
            fold.take(tick);
            fold.is_complete()
        });
        each.collect()
    }

    #[test]
    fn what_comes_first_is_waited_out_where_it_cannot_be_the_quote() {
        use TickType::{Ask, Bid, Last};
        let sound = || vec![price(Bid, 600.0), price(Ask, 600.01), price(Last, 600.0)];
        let complete = |first: Vec<TickTypes>, then: Vec<TickTypes>| {
            let mut fold = etf();
            completed(&mut fold, &first);
            completed(&mut fold, &then)
        };
        assert_eq!(complete(sound(), vec![stamp(NOW)]), [true]);
        let none_yet = vec![price(Bid, -1.0), price(Ask, -1.0), price(Last, 600.0), stamp(NOW)];
        assert_eq!(complete(none_yet, vec![price(Bid, 600.0), price(Ask, 600.01)]), [false, true]);
        let old_ask = vec![price(Ask, 599.0), price(Last, 600.0), stamp(NOW)];
        assert_eq!(complete(old_ask, vec![price(Bid, 600.0), price(Ask, 600.01)]), [false, true]);
        assert_eq!(complete(sound(), vec![stamp(NOW - 70_000), stamp(NOW)]), [false, true]);
        let halt = || TickTypes::Generic(TickGeneric { tick_type: TickType::Halted, value: 1.0 });
        assert_eq!(complete(vec![halt()], sound()), [false, false, false]);
        let mut fold = etf();
        completed(&mut fold, &[halt()]);
        completed(&mut fold, &sound());
        assert_eq!(completed(&mut fold, &[stamp(NOW - 900)]), [true], "of a halted market no fresh trade comes");
        assert!(fold.quote(at(NOW)).is_halted);
    }

    #[test]
    fn a_last_without_a_time_that_is_far_from_the_quote_is_no_price() {
        use TickType::{Ask, Bid, Last};
        let quoted = |last: f64, stamped: Option<i64>| {
            let mut fold = etf();
            let ticks =
                [Some(price(Bid, 600.0)), Some(price(Ask, 600.01)), Some(price(Last, last)), stamped.map(stamp)];
            ticks.iter().flatten().for_each(|tick| fold.take(tick));
            fold.quote(at(NOW)).last
        };
        assert_eq!((quoted(588.0, None), quoted(612.0, Some(0))), (None, None));
        assert_eq!((quoted(599.5, None), quoted(588.0, Some(NOW))), (Some(599.5), Some(588.0)));
    }

    #[test]
    fn a_stamp_of_0_is_absent_and_a_volume_of_0_is_told() {
        let mut fold = etf();
        fold.take(&stamp(0));
        fold.take(&TickTypes::Size(TickSize { tick_type: TickType::Volume, size: 0.0 }));
        let quote = fold.quote(at(NOW));
        assert_eq!((quote.last_trade_at, quote.volume), (None, Some(0)));
    }

    #[test]
    fn sentinels_are_absent_and_not_numbers() {
        for value in [-1.0, 0.0, f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(positive(value), Told::Absent, "{value}");
            assert_eq!(whole(value), Told::Absent, "{value}");
        }
        assert_eq!((positive(0.25), whole(12.0)), (Told::Is(0.25), Told::Is(12)));
    }
}
