//! Quotes: one bounded streaming subscription, folded until it says all it can.
//!
//! A stream carries what a snapshot cannot (open interest, implied volatility) and does not take a snapshot's eleven
//! seconds. The subscription is dropped, and so cancelled, as soon as the quote is complete.

use chrono::{DateTime, Utc};
use futures::StreamExt;
use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::MarketDataType;
use ibapi::market_data::realtime::{TickTypes, generic_tick};
use ibapi::subscriptions::SubscriptionItem;
use tokio::time::{Instant, timeout_at};

use crate::market::{Instrument, MarketData, Quote};

use super::contracts::wire_contract;
use super::ib::{IbGateway, failed};
use super::{Gateway, GatewayError};

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
    let mut ticks = match timeout_at(deadline, subscribing).await {
        Ok(subscribed) => subscribed.map_err(|source| failed(operation(), source))?,
        Err(_) => return Err(gateway.timed_out(operation(), waited)),
    };
    let mut fold = TickFold::for_instrument(instrument);
    let mut until = deadline;
    while !fold.is_complete() {
        match timeout_at(until, ticks.next()).await {
            Ok(Some(Ok(SubscriptionItem::Data(tick)))) => fold.take(&tick),
            Ok(Some(Ok(SubscriptionItem::Notice(notice)))) => {
                tracing::debug!(code = notice.code, message = %notice.message, "notice while quoting");
            }
            Ok(Some(Err(source))) => return Err(failed(operation(), source)),
            Ok(None) => return Err(failed(operation(), ibapi::Error::UnexpectedEndOfStream)),
            Err(_) => break,
        }
        if fold.has_prices() && until == deadline {
            until = deadline.min(Instant::now() + gateway.endpoint.config.quote_settle());
        }
    }
    drop(ticks);
    if fold.is_silent() {
        return Err(gateway.timed_out(operation(), waited));
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
    market_data: MarketData,
    heard: bool,
}

impl TickFold {
    /// An ETF is not asked for open interest and implied volatility, so nothing waits for them.
    fn for_instrument(instrument: &Instrument) -> Self {
        let is_future = matches!(instrument, Instrument::Future(_));
        Self {
            bid: Told::NotYet,
            ask: Told::NotYet,
            last: Told::NotYet,
            volume: Told::NotYet,
            open_interest: if is_future { Told::NotYet } else { Told::Absent },
            implied_vol: if is_future { Told::NotYet } else { Told::Absent },
            last_trade_at: Told::NotYet,
            market_data: MarketData::Live,
            heard: false,
        }
    }

    fn has_prices(&self) -> bool {
        let prices = [self.bid, self.ask, self.last];
        prices.iter().all(Told::is_told) && self.volume.is_told()
    }

    fn is_complete(&self) -> bool {
        let rest = self.open_interest.is_told() && self.implied_vol.is_told() && self.last_trade_at.is_told();
        self.has_prices() && rest
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
            TickTypes::String(tick)
                if matches!(tick.tick_type, TickType::LastTimestamp | TickType::DelayedLastTimestamp) =>
            {
                let seconds = tick.value.parse().ok().and_then(|s| DateTime::from_timestamp(s, 0));
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
            TickType::Volume | TickType::DelayedVolume => self.volume = whole(size),
            TickType::FuturesOpenInterest => self.open_interest = whole(size),
            _ => {}
        }
    }

    fn quote(self, quoted_at: DateTime<Utc>) -> Quote {
        Quote {
            bid: self.bid.value(),
            ask: self.ask.value(),
            last: self.last.value(),
            volume: self.volume.value(),
            open_interest: self.open_interest.value(),
            implied_vol: self.implied_vol.value(),
            last_trade_at: self.last_trade_at.value(),
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

/// A count of contracts; the client decodes an unset size to 0.
#[expect(clippy::cast_possible_truncation, reason = "checked to lie within the whole numbers that f64 holds exactly")]
fn whole(size: f64) -> Told<i64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    if size.is_finite() && size > 0.0 && size <= MOST { Told::Is(size.round() as i64) } else { Told::Absent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_are_absent_and_not_numbers() {
        for value in [-1.0, 0.0, f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(positive(value), Told::Absent, "{value}");
            assert_eq!(whole(value), Told::Absent, "{value}");
        }
        assert_eq!((positive(0.25), whole(12.0)), (Told::Is(0.25), Told::Is(12)));
    }
}
